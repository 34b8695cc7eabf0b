//! Which trees and files are to be sent with some commits, parents before children: those that no
//! parent has in the same place. So what is read grows with what has changed.
//!
//! Every object that is met gets a number: it is new, or it is in the tree of a commit that the target
//! has. The trees of such a commit are entered only where a new commit has changed something.

use std::cmp::Ordering;
use std::collections::HashSet;

use bstr::BString;

use super::error::OutgoingError;
use super::table::IdTable;
use super::watch::Watcher;
use crate::base::{Interrupt, Progress};
use crate::git::pack::lookup::{Lookup, Object};
use crate::git::tree::{TreeEntry, entries};
use crate::git::{ObjectId, ObjectKind};

/// The target has it.
const THERE: u8 = 1;
/// The entries of this tree have numbers too.
const ENTERED: u8 = 2;

/// The objects that were met.
#[derive(Debug, Default)]
pub(super) struct Objects {
    ids: IdTable,
    flags: Vec<u8>,
    new: usize,
}

impl Objects {
    /// The numbers and ids of those that are to be sent.
    pub(super) fn new_ids(&self) -> impl Iterator<Item = (u32, ObjectId)> + '_ {
        let ids = (0..).zip(&self.flags).filter(|(_, flags)| **flags & THERE == 0);
        ids.filter_map(|(number, _)| Some((number, self.ids.id(number)?)))
    }

    /// The id with a number.
    pub(super) fn id(&self, number: u32) -> Option<ObjectId> {
        self.ids.id(number)
    }

    /// How many of those there are.
    pub(super) fn new_count(&self) -> usize {
        self.new
    }

    /// How many were met.
    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }

    /// The number of an object, if it was met.
    pub(super) fn number(&self, id: &ObjectId) -> Option<u32> {
        self.ids.get(id)
    }

    /// Whether the target is known to have an object.
    pub(super) fn is_there(&self, number: u32) -> bool {
        self.has(number, THERE)
    }

    fn has(&self, number: u32, flag: u8) -> bool {
        self.flags.get(number as usize).is_some_and(|flags| flags & flag != 0)
    }

    fn flag(&mut self, number: u32, flag: u8) {
        if let Some(flags) = self.flags.get_mut(number as usize) {
            *flags |= flag;
        }
    }

    /// Adds an object that is to be sent. Says whether it was not met before.
    pub(super) fn add_new(&mut self, id: ObjectId) -> bool {
        let (_, is_first) = self.ids.insert(id);
        if is_first {
            self.flags.push(0);
            self.new += 1;
        }
        is_first
    }

    /// Adds an object that the target has, or marks it so.
    fn add_there(&mut self, id: ObjectId) -> u32 {
        let (number, is_first) = self.ids.insert(id);
        if is_first {
            self.flags.push(THERE);
        } else if !self.has(number, THERE) {
            self.flag(number, THERE);
            self.new -= 1;
        }
        number
    }
}

/// A tree that is to be sent, and the trees that parents have in the same place.
struct Pair {
    new: ObjectId,
    old: Vec<ObjectId>,
    /// Where it is, with a slash at the end, if somebody wants to know.
    path: BString,
}

/// Collects the objects of commits.
pub(super) struct Collector<'c> {
    pub objects: Objects,
    pub lookup: &'c mut Lookup,
    pub progress: &'c dyn Progress,
    pub interrupt: &'c Interrupt,
    pub watcher: Watcher,
    /// The commit whose tree is being entered.
    commit: ObjectId,
    /// The trees of commits that the target has.
    roots: Vec<ObjectId>,
}

impl<'c> Collector<'c> {
    pub(super) fn new(
        lookup: &'c mut Lookup,
        progress: &'c dyn Progress,
        interrupt: &'c Interrupt,
        watcher: Watcher,
    ) -> Self {
        let (objects, roots) = (Objects::default(), Vec::new());
        let commit = ObjectId::NULL;
        Self { objects, lookup, progress, interrupt, watcher, commit, roots }
    }

    /// Adds an object that is to be sent, and counts it.
    pub(super) fn add(&mut self, id: ObjectId) -> bool {
        let is_first = self.objects.add_new(id);
        self.progress.advance(u64::from(is_first));
        is_first
    }

    /// Notes that the target has this tree of a commit.
    pub(super) fn add_root_there(&mut self, tree: ObjectId) {
        if self.objects.number(&tree).is_none_or(|number| !self.objects.is_there(number)) {
            self.objects.add_there(tree);
            self.roots.push(tree);
        }
    }

    /// Adds a commit with the tree `new`, whose parents have the trees `old`, and what is below.
    pub(super) fn add_commit(
        &mut self,
        commit: ObjectId,
        new: ObjectId,
        old: Vec<ObjectId>,
    ) -> Result<(), OutgoingError> {
        self.add(commit);
        self.commit = commit;
        self.watcher.commit(self.lookup, commit, new, &old)?;
        self.add_tree(new, old)
    }

    /// Adds the tree `new` and what is below, where the trees `old` are at the target or are sent too.
    pub(super) fn add_tree(
        &mut self,
        new: ObjectId,
        old: Vec<ObjectId>,
    ) -> Result<(), OutgoingError> {
        let mut left = vec![Pair { new, old, path: BString::default() }];
        while let Some(pair) = left.pop() {
            self.interrupt.check()?;
            if self.objects.number(&pair.new).is_some() {
                continue;
            }
            self.add(pair.new);
            self.enter(&pair, &mut left)?;
        }
        Ok(())
    }

    /// Adds the entries of a new tree: files at once, trees to those that are `left`.
    fn enter(&mut self, pair: &Pair, left: &mut Vec<Pair>) -> Result<(), OutgoingError> {
        let mut old = Vec::with_capacity(pair.old.len());
        for id in &pair.old {
            old.push(self.enter_there(id)?.map(Cursor::new));
        }
        let (_, text) = self.tree(&pair.new)?;
        let start = left.len();
        for entry in entries(&text) {
            let Ok(entry) = entry else { return Err(malformed(pair.new)) };
            if entry.is_gitlink() || self.objects.number(&entry.id).is_some() {
                continue;
            }
            if !entry.is_directory {
                self.add(entry.id);
                let path = || [&pair.path[..], entry.name].concat().into();
                self.watcher.file(self.lookup, self.commit, entry.id, path)?;
                continue;
            }
            let mut partners = Vec::with_capacity(old.len());
            for (id, cursor) in pair.old.iter().zip(&mut old) {
                if cursor.is_none() {
                    *cursor = Some(Cursor::new(self.tree(id)?));
                }
                partners.extend(cursor.as_mut().and_then(|cursor| cursor.find(&entry)));
            }
            let path = match self.watcher.needs_paths() {
                true => [&pair.path[..], entry.name, b"/"].concat().into(),
                false => BString::default(),
            };
            left.push(Pair { new: entry.id, old: partners, path });
        }
        // The first one is entered first.
        left.get_mut(start..).unwrap_or_default().reverse();
        Ok(())
    }

    /// Marks the entries of a tree that the target has as being there. Returns its contents if they had
    /// to be read.
    fn enter_there(&mut self, id: &ObjectId) -> Result<Option<Object>, OutgoingError> {
        let Some(number) = self.objects.number(id) else { return Ok(None) };
        if !self.objects.has(number, THERE) || self.objects.has(number, ENTERED) {
            return Ok(None);
        }
        let tree = self.tree(id)?;
        for entry in entries(&tree.1) {
            let Ok(entry) = entry else { return Err(malformed(*id)) };
            if !entry.is_gitlink() {
                self.objects.add_there(entry.id);
            }
        }
        self.objects.flag(number, ENTERED);
        Ok(Some(tree))
    }

    /// Looks through the trees that the target has for what seems to be new.
    pub(super) fn find_moved(&mut self) -> Result<(), OutgoingError> {
        let mut left = self.roots.clone();
        let mut seen: HashSet<ObjectId> = left.iter().copied().collect();
        while let Some(id) = left.pop() {
            self.interrupt.check()?;
            let (_, text) = self.tree(&id)?;
            for entry in entries(&text) {
                let Ok(entry) = entry else { return Err(malformed(id)) };
                if entry.is_directory && seen.insert(entry.id) {
                    left.push(entry.id);
                }
                if !entry.is_gitlink() && self.objects.number(&entry.id).is_some() {
                    self.objects.add_there(entry.id);
                }
            }
        }
        Ok(())
    }

    fn tree(&mut self, id: &ObjectId) -> Result<Object, OutgoingError> {
        read_tree(self.lookup, id)
    }
}

/// The tree `id` and its contents.
pub(super) fn read_tree(lookup: &mut Lookup, id: &ObjectId) -> Result<Object, OutgoingError> {
    match lookup.read(id)? {
        Some(object) if object.0 == Some(ObjectKind::Tree) => Ok(object),
        Some(_) => Err(malformed(*id)),
        None => Err(OutgoingError::Missing { id: *id }),
    }
}

/// A tree in which entries are looked for in their order.
struct Cursor {
    tree: Object,
    at: usize,
}

impl Cursor {
    fn new(tree: Object) -> Self {
        Self { tree, at: 0 }
    }

    /// The tree that is called as `wanted` is.
    fn find(&mut self, wanted: &TreeEntry<'_>) -> Option<ObjectId> {
        for entry in entries(self.tree.1.get(self.at..)?) {
            let entry = entry.ok()?;
            match entry.cmp_place(wanted) {
                Ordering::Less => self.at += entry.len(),
                Ordering::Equal => return Some(entry.id),
                Ordering::Greater => return None,
            }
        }
        None
    }
}

fn malformed(id: ObjectId) -> OutgoingError {
    OutgoingError::Malformed { id, kind: "tree" }
}
