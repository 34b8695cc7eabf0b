//! The `phaseroots` file: which changesets are not public yet.
//!
//! A line is a phase's number and a node; all descendants of the node are at least in that phase.
//! Source: `hg help phases`, and `hg log -T '{phase}'` over files written by hand.

use bstr::ByteSlice;

use crate::base::faults;
use crate::hg::{Dag, Node, Rev};

use super::Lookup;
use super::files::{Note, Notes};

/// How far a changeset may travel, from everywhere to nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Shared and not to be changed any more.
    #[default]
    Public,
    /// Not yet shared; may still be rewritten.
    Draft,
    /// Never exchanged.
    Secret,
    /// Put away by its owner; hidden.
    Archived,
    /// Mercurial's own bookkeeping, such as a shelf; hidden.
    Internal,
}

impl Phase {
    /// The phase with this number in `phaseroots`.
    pub fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(Self::Public),
            1 => Some(Self::Draft),
            2 => Some(Self::Secret),
            32 => Some(Self::Archived),
            96 => Some(Self::Internal),
            _ => None,
        }
    }

    /// Its number in `phaseroots`.
    pub fn number(self) -> u32 {
        match self {
            Self::Public => 0,
            Self::Draft => 1,
            Self::Secret => 2,
            Self::Archived => 32,
            Self::Internal => 96,
        }
    }

    /// What Mercurial calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::Draft => "draft",
            Self::Secret => "secret",
            Self::Archived => "archived",
            Self::Internal => "internal",
        }
    }
}

/// A line of `phaseroots` is not a phase and a node. Mercurial reads no such file either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("read phaseroots: line {line} is not the number of a phase and a node")]
pub struct PhaseRootsError {
    /// The line's number, from 1.
    pub line: usize,
}

faults!(PhaseRootsError => Corrupt);

/// The changesets at which phases begin. No roots, as in a repository without the file: all that
/// there is is public.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PhaseRoots {
    roots: Vec<(Phase, Node)>,
}

impl PhaseRoots {
    /// Parses the text of `phaseroots`.
    pub fn parse(text: &[u8]) -> Result<Self, PhaseRootsError> {
        let parsed = text
            .lines()
            .enumerate()
            .map(|(i, line)| parse_line(line).ok_or(PhaseRootsError { line: i + 1 }));
        Ok(Self { roots: parsed.collect::<Result<_, _>>()? })
    }

    /// Whether these are all the roots, whatever their order.
    pub fn is(&self, roots: &[(Phase, Node)]) -> bool {
        let sorted = |roots: &[(Phase, Node)]| {
            let mut roots = roots.to_vec();
            roots.sort_unstable();
            roots
        };
        sorted(&self.roots) == sorted(roots)
    }

    /// The phase of every revision of `dag`: of all roots among its ancestors, the highest.
    ///
    /// Roots that are not in the repository are noted and have no effect.
    pub fn over(&self, dag: &Dag, lookup: &Lookup<'_>) -> (Phases, Vec<Note>) {
        let mut notes = Notes::default();
        let mut roots = Vec::new();
        for &(phase, node) in &self.roots {
            match lookup(node).filter(|rev| rev.index() < dag.len()) {
                Some(rev) => roots.push((rev, phase)),
                None => notes.unknown("phaseroots", node),
            }
        }
        // What comes before all roots descends from none.
        let first = roots.iter().map(|(rev, _)| rev.index()).min().unwrap_or(dag.len());
        let mut phases = Phases { first, phases: vec![Phase::Public; dag.len() - first] };
        for (rev, phase) in roots {
            phases.raise(rev, phase);
        }
        let number = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        for rev in (number(first)..number(dag.len())).map(Rev::new) {
            let inherited = dag.parents(rev).map(|parent| phases.of(parent)).max();
            phases.raise(rev, inherited.unwrap_or(Phase::Public));
        }
        (phases, notes.finish())
    }
}

fn parse_line(line: &[u8]) -> Option<(Phase, Node)> {
    let mut words = line.fields_with(|c| c.is_ascii_whitespace() || c == '\x0b');
    let (number, node) = (words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let phase = Phase::from_number(number.to_str().ok()?.parse().ok()?)?;
    // A root below every changeset means nothing to Mercurial, and to hide all would be a guess.
    Node::from_hex(node).filter(|node| !node.is_null()).map(|node| (phase, node))
}

/// The phase of every revision of a history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phases {
    /// All before this one are public.
    first: usize,
    /// Those from there on.
    phases: Vec<Phase>,
}

impl Phases {
    /// The phase of `rev`. What lies outside the history is [`Phase::Internal`]: never served.
    pub fn of(&self, rev: Rev) -> Phase {
        match rev.index().checked_sub(self.first) {
            Some(at) => self.phases.get(at).copied().unwrap_or(Phase::Internal),
            None => Phase::Public,
        }
    }

    /// The revisions whose phase is above this one, in order.
    pub fn above(&self, phase: Phase) -> impl Iterator<Item = Rev> {
        let rest = self.phases.iter().enumerate().filter(move |(_, of)| **of > phase);
        rest.filter_map(|(at, _)| Some(Rev::new(u32::try_from(self.first + at).ok()?)))
    }

    fn raise(&mut self, rev: Rev, phase: Phase) {
        let at = rev.index().checked_sub(self.first);
        if let Some(own) = at.and_then(|at| self.phases.get_mut(at)) {
            *own = phase.max(*own);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{dag, node, rev};
    use super::*;

    /// The phases of five revisions in a row, and how many notes there are.
    fn phases(text: &str) -> (Vec<Phase>, usize) {
        let dag = dag([[1, 0]; 5]);
        let lookup = |n: Node| (0..5).find(|i| node(*i) == n).map(rev);
        let (phases, notes) = PhaseRoots::parse(text.as_bytes()).unwrap().over(&dag, &lookup);
        (dag.revs().map(|rev| phases.of(rev)).collect(), notes.len())
    }

    #[test]
    fn descendants_inherit_the_highest() {
        use Phase::{Draft as D, Internal as I, Public as P, Secret as S};
        let (n0, n1, n3) = (node(0), node(1), node(3));
        assert_eq!(phases(""), (vec![P; 5], 0));
        assert_eq!(phases(&format!("1 {n1}\n2 {n3}\n")), (vec![P, D, D, S, S], 0));
        assert_eq!(phases(&format!("2 {n1}\n1 {n3}")), (vec![P, S, S, S, S], 0));
        assert_eq!(phases(&format!("2 {n1}\n1 {n0}\n")), (vec![D, S, S, S, S], 0));
        assert_eq!(phases(&format!("0 {n0}\n96 {n3}\n")), (vec![P, P, P, I, I], 0));
        assert_eq!(phases(&format!("1 {}\n1 {n3}\n", node(9))), (vec![P, P, P, D, D], 1));
    }

    #[test]
    fn numbers_are_those_of_phases() {
        let known: Vec<_> = (0..200).filter_map(Phase::from_number).collect();
        assert_eq!(known.len(), 5);
        assert!(known.iter().all(|phase| Phase::from_number(phase.number()) == Some(*phase)));
    }

    #[test]
    fn what_mercurial_reads_is_read() {
        let n = node(0xaa);
        let upper = n.to_string().to_uppercase();
        for line in [
            format!("1 {n}\r\n"),
            format!("1\t{n} \n"),
            format!(" 1  {n}"),
            format!("01 {upper}\n"),
            format!("+1 {n}"),
        ] {
            let roots = PhaseRoots::parse(line.as_bytes()).unwrap().roots;
            assert_eq!(roots, [(Phase::Draft, n)], "{line:?}");
        }
    }

    #[test]
    fn every_cut_or_flipped_byte_is_an_error_or_another_root() {
        let text = format!("1 {}\n2 {}\n", node(0xaa), node(0xcc));
        for end in 0..text.len() {
            let whole = end == 0 || [42, 43, 85].contains(&end);
            assert_eq!(PhaseRoots::parse(&text.as_bytes()[..end]).is_ok(), whole, "cut at {end}");
        }
        for i in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[i] ^= 1 << bit;
                if let Ok(roots) = PhaseRoots::parse(&bytes) {
                    let same = roots == PhaseRoots::parse(text.as_bytes()).unwrap();
                    // A separator may turn into another, and a digit into upper case.
                    let harmless = text.as_bytes()[i].is_ascii_whitespace()
                        || bytes[i].eq_ignore_ascii_case(&text.as_bytes()[i]);
                    assert_eq!(same, harmless, "byte {i}, bit {bit}");
                }
            }
        }
        for bad in [format!("1 {}\n", Node::NULL), format!("5 {}\n", node(1)), "\n".to_owned()] {
            assert_eq!(PhaseRoots::parse(bad.as_bytes()), Err(PhaseRootsError { line: 1 }));
        }
    }
}
