//! The ledger of a mirror: the references that it has published, which names of the source they are
//! of, and with what value. So a name keeps its reference, and only what is ours is moved or removed.
//!
//! On disk, in the cache, as JSON that is replaced as a whole; where several machines sync a mirror, in a store that
//! they share, and in each cache a copy. If it is lost, a reference of the
//! target counts as ours if the source asks for its name and its commit is one of this mirror;
//! nothing else is moved back or removed then.

use std::collections::{BTreeMap, HashMap};
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use std::{fs, io};

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use super::context::LedgerStore;
use crate::base::durable::replace_file;
use crate::convert::refs::{KnownName, Origin, WantedRef};
use crate::convert::report::SourceName;
use crate::git::destination::{KnownRef, RefUpdate, Refusal, RefusalKind};
use crate::git::reference::{HG_NOTES, by_name, is_mirrored, is_valid_ref_name};
use crate::git::{ObjectId, Reference};

/// The form of the file. A newer one is not read.
const VERSION: u32 = 1;
/// So many values of pushes that broke off are remembered for one reference.
const MAX_PUBLISHING: usize = 8;
/// After so long, what a target refused is tried once more: nobody tells us that its rules have
/// changed.
const REFUSED_FOR: Duration = Duration::from_hours(24);

/// The ledger of one mirror.
#[derive(Debug)]
pub(super) struct Ledger {
    file: PathBuf,
    contents: Contents,
    /// What the file has, and the store if there is one.
    saved: Vec<u8>,
    store: Option<Arc<dyn LedgerStore>>,
}

/// What every form of the file has.
#[derive(Deserialize)]
struct Form {
    version: u32,
}

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Contents {
    version: u32,
    /// The address of the target; none for a cache without one.
    target: Option<String>,
    /// The references by their full names.
    refs: BTreeMap<String, Entry>,
}

/// One reference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// What it is a name of.
    of: SourceName,
    /// The name in the source.
    #[serde(default, skip_serializing_if = "Name::is_empty")]
    name: Name,
    /// The named branch that a topic is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    branch: Option<Name>,
    /// What it should be called.
    asked: String,
    /// The value that we published last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<Id>,
    /// The values that pushes were to bring there of which it is not known whether they have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    publishing: Vec<Id>,
    /// What the target refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refused: Option<Refused>,
}

/// A refusal by the target, and of what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Refused {
    kind: RefusalKind,
    reason: String,
    old: Option<Id>,
    new: Option<Id>,
    /// Stands for how the target was reached: see [`Ledger::refuse`].
    access: String,
    /// When, in seconds since 1970.
    at: u64,
}

/// A name in the source: text, or the bytes of what is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Bytes(Vec<u8>),
}

impl Default for Name {
    fn default() -> Self {
        Self::Text(String::new())
    }
}

impl Name {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Text(text) if text.is_empty())
    }
}

impl From<&BString> for Name {
    fn from(name: &BString) -> Self {
        match name.to_str() {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Bytes(name.to_vec()),
        }
    }
}

impl From<&Name> for BString {
    fn from(name: &Name) -> Self {
        match name {
            Name::Text(text) => text.as_str().into(),
            Name::Bytes(bytes) => bytes.as_slice().into(),
        }
    }
}

/// An object's id, as forty hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
struct Id(ObjectId);

impl From<Id> for String {
    fn from(id: Id) -> Self {
        id.0.to_string()
    }
}

impl TryFrom<String> for Id {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        ObjectId::from_hex(text.as_bytes()).map(Self).ok_or("it is no object's id")
    }
}

/// Whether there was a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is one, or none yet.
    Sound,
    /// What is there cannot be understood: it is begun anew.
    Damaged,
    /// A later version of this program has written what is there: it must stay.
    Newer,
}

impl Ledger {
    /// Reads `file`. The values in it are those at the target with this address; at another one
    /// nothing is published yet.
    ///
    /// What a `store` has goes before the file, which then becomes a copy of it. If it has nothing yet, it gets what
    /// the file has.
    pub(super) fn read(
        file: PathBuf,
        target: Option<String>,
        store: Option<Arc<dyn LedgerStore>>,
    ) -> io::Result<(Self, Found)> {
        let of_file = match fs::read(&file) {
            Ok(saved) => saved,
            Err(error) if error.kind() == ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let of_store = store.as_ref().map(|store| store.read()).transpose()?;
        let (read, is_everywhere) = match of_store {
            Some(Some(saved)) if saved.as_bytes() != of_file => (saved.into_bytes(), false),
            Some(None) => (of_file, false),
            Some(Some(_)) | None => (of_file, true),
        };
        let saved = read;
        let nothing =
            || Contents { version: VERSION, target: target.clone(), refs: BTreeMap::new() };
        let read = (!saved.is_empty()).then(|| serde_json::from_slice::<Contents>(&saved));
        let (mut contents, found) = match read {
            None => (nothing(), Found::Sound),
            Some(Ok(contents)) if contents.is_sound() => (contents, Found::Sound),
            Some(_) if is_newer(&saved) => (nothing(), Found::Newer),
            Some(_) => (nothing(), Found::Damaged),
        };
        if contents.target != target {
            contents.target = target;
            for entry in contents.refs.values_mut() {
                entry.published = None;
                entry.publishing.clear();
                entry.refused = None;
            }
        }
        let saved = if is_everywhere { saved } else { Vec::new() };
        Ok((Self { file, contents, saved, store }, found))
    }

    /// Replaces the file, and what the store has before it, if anything has changed.
    pub(super) fn save(&mut self) -> io::Result<()> {
        // Strings and numbers only: nothing that JSON has no form for.
        let mut text = serde_json::to_vec_pretty(&self.contents).unwrap_or_default();
        text.push(b'\n');
        if text != self.saved {
            if let Some(store) = &self.store {
                // Strings of JSON are UTF-8.
                store.write(&String::from_utf8_lossy(&text))?;
            }
            replace_file(&self.file, &text)?;
            self.saved = text;
        }
        Ok(())
    }

    /// The file.
    pub(super) fn file(&self) -> PathBuf {
        self.file.clone()
    }

    /// The names that references were given before.
    pub(super) fn names(&self) -> Vec<KnownName> {
        let name = |(reference, entry): (&String, &Entry)| KnownName {
            origin: Origin {
                of: entry.of,
                name: BString::from(&entry.name),
                branch: entry.branch.as_ref().map(BString::from),
            },
            asked: entry.asked.clone(),
            reference: reference.clone(),
            holds: entry.may_be_there(),
        };
        self.contents.refs.iter().filter(|(name, _)| *name != HG_NOTES).map(name).collect()
    }

    /// The references that we have published, or perhaps have, by name.
    pub(super) fn published(&self) -> HashMap<String, KnownRef> {
        let known = |(name, entry): (&String, &Entry)| {
            let values = entry.published.iter().chain(&entry.publishing).map(|id| id.0).collect();
            let is_main = entry.of == SourceName::Main;
            (name.clone(), KnownRef { values, is_main })
        };
        let there = self.contents.refs.iter().filter(|(_, entry)| entry.may_be_there());
        there.map(known).collect()
    }

    /// The commits that we have published last.
    pub(super) fn commits(&self) -> impl Iterator<Item = ObjectId> {
        self.contents.refs.values().filter_map(|entry| entry.published.map(|id| id.0))
    }

    /// Enters the names that the source asks for now. What it does not ask for any more stays as
    /// long as the target may have it.
    pub(super) fn enter(&mut self, wanted: &[WantedRef], notes: bool) {
        let mut before = std::mem::take(&mut self.contents.refs);
        let mut enter = |reference: &str, origin: &Origin, asked: &str| {
            let old = before.remove(reference);
            let (published, publishing, refused) =
                old.map(|old| (old.published, old.publishing, old.refused)).unwrap_or_default();
            let entry = Entry {
                of: origin.of,
                name: Name::from(&origin.name),
                branch: origin.branch.as_ref().map(Name::from),
                asked: asked.to_owned(),
                published,
                publishing,
                refused,
            };
            self.contents.refs.insert(reference.to_owned(), entry);
        };
        for WantedRef { name, origin, asked, .. } in wanted {
            enter(name, origin, asked);
        }
        if notes {
            let origin = Origin { of: SourceName::Notes, name: BString::default(), branch: None };
            enter(HG_NOTES, &origin, HG_NOTES);
        }
        before.retain(|_, entry| entry.may_be_there());
        self.contents.refs.extend(before);
    }

    /// Enters what is about to be pushed.
    pub(super) fn publishing(&mut self, updates: &[RefUpdate]) {
        for update in updates {
            let entry = self.contents.refs.get_mut(&update.name);
            let (Some(entry), Some(new)) = (entry, update.new) else { continue };
            if !entry.publishing.contains(&Id(new)) {
                entry.publishing.push(Id(new));
                let excess = entry.publishing.len().saturating_sub(MAX_PUBLISHING);
                entry.publishing.drain(..excess);
            }
        }
    }

    /// Enters what the target has. What it has as we want it is ours from now on. `is_certain` says
    /// whether that is all that will come of what was pushed.
    pub(super) fn listed(&mut self, wanted: &[Reference], target: &[Reference], is_certain: bool) {
        let (wanted, has) = (by_name(wanted), by_name(target));
        self.contents.refs.retain(|name, entry| {
            let there = has.get(name.as_str()).map(|there| Id(there.id));
            let wanted = wanted.get(name.as_str()).map(|wanted| Id(wanted.id));
            if let Some(there) = there
                && (entry.publishing.contains(&there) || wanted == Some(there))
            {
                entry.published = Some(there);
                entry.publishing.retain(|id| *id != there);
            }
            if is_certain {
                entry.publishing.clear();
            }
            if there.is_none() {
                entry.published = None;
            }
            let is_ours = there.is_some_and(|there| {
                entry.published == Some(there) || entry.publishing.contains(&there)
            });
            wanted.is_some() || is_ours || !entry.publishing.is_empty()
        });
    }

    /// Enters what the target refused, reached as `access` stands for.
    pub(super) fn refuse(&mut self, update: &RefUpdate, refusal: &Refusal, access: &str) {
        if let Some(entry) = self.contents.refs.get_mut(&update.name) {
            entry.refused = Some(Refused {
                kind: refusal.kind,
                reason: refusal.reason.clone(),
                old: update.old.map(Id),
                new: update.new.map(Id),
                access: access.to_owned(),
                at: seconds(SystemTime::now()),
            });
        }
    }

    /// Forgets what the target refused of this reference.
    pub(super) fn accept(&mut self, name: &str) {
        if let Some(entry) = self.contents.refs.get_mut(name) {
            entry.refused = None;
        }
    }

    /// Why the target refused the same before, a short time ago and reached as it is now.
    pub(super) fn refused(&self, update: &RefUpdate, access: &str) -> Option<Refusal> {
        let refused = self.contents.refs.get(&update.name)?.refused.as_ref()?;
        let is_same = refused.old == update.old.map(Id) && refused.new == update.new.map(Id);
        let now = seconds(SystemTime::now());
        let is_recent = (refused.at..=refused.at + REFUSED_FOR.as_secs()).contains(&now);
        (is_same && is_recent && refused.access == access).then(|| Refusal {
            name: update.name.clone(),
            kind: refused.kind,
            reason: refused.reason.clone(),
        })
    }
}

impl Contents {
    /// Whether every name is one that a mirror can publish.
    fn is_sound(&self) -> bool {
        let mut names = self.refs.keys();
        self.version == VERSION && names.all(|name| is_mirrored(name) && is_valid_ref_name(name))
    }
}

impl Entry {
    /// Whether the target may have what we published.
    fn may_be_there(&self) -> bool {
        self.published.is_some() || !self.publishing.is_empty()
    }
}

/// Whether a file is of a form that we do not know yet.
fn is_newer(file: &[u8]) -> bool {
    serde_json::from_slice::<Form>(file).is_ok_and(|form| form.version > VERSION)
}

fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
