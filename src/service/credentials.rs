//! The credentials and certificates whose end is known, of all mirrors: each one once, however many use it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::directory::Directory;
use super::view::CredentialView;
use crate::base::clean::clean;
use crate::base::time::Timestamp;
use crate::mirror::CredentialEnd;

/// They are looked for so often, and after each sync of a mirror.
const EVERY: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub(super) struct Credentials(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    looked: Option<Timestamp>,
    /// By their names.
    known: BTreeMap<String, Known>,
}

#[derive(Debug)]
struct Known {
    ends: Timestamp,
    found: Timestamp,
    mirrors: BTreeSet<String>,
}

impl State {
    /// `ends` are those of `mirror`, and no others.
    fn note(&mut self, mirror: &str, ends: Vec<CredentialEnd>) {
        self.known.retain(|name, known| {
            if !ends.iter().any(|end| end.name == *name) {
                known.mirrors.remove(mirror);
            }
            !known.mirrors.is_empty()
        });
        for CredentialEnd { name, ends, found } in ends {
            let new = Known { ends, found, mirrors: BTreeSet::new() };
            let known = self.known.entry(name).or_insert(new);
            if known.found <= found {
                (known.ends, known.found) = (ends, found);
            }
            known.mirrors.insert(mirror.to_owned());
        }
    }
}

impl Credentials {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has all looked for soon.
    pub(super) fn want(&self) {
        self.lock().looked = None;
    }

    /// Notes those of one mirror.
    pub(super) fn note(&self, mirror: &str, ends: Vec<CredentialEnd>) {
        self.lock().note(mirror, ends);
    }

    /// Looks for those of all mirrors, if it is time for that.
    pub(super) fn look(&self, directory: &Directory, now: Timestamp) {
        if self.lock().looked.is_some_and(|looked| now.since(looked) < EVERY) {
            return;
        }
        let mut fresh = State { looked: Some(now), ..State::default() };
        for configured in directory.mirrors() {
            fresh.note(&configured.mirror.name, configured.mirror.credential_ends());
        }
        *self.lock() = fresh;
    }

    /// Those of one mirror, the next to end first.
    pub(super) fn of_mirror(&self, name: &str) -> Vec<CredentialView> {
        self.views(|known| known.mirrors.contains(name))
    }

    /// All, the next to end first.
    pub(super) fn all(&self) -> Vec<CredentialView> {
        self.views(|_| true)
    }

    fn views(&self, is_wanted: impl Fn(&Known) -> bool) -> Vec<CredentialView> {
        let state = self.lock();
        let wanted = state.known.iter().filter(|(_, known)| is_wanted(known));
        let view = |(name, known): (&String, &Known)| CredentialView {
            name: clean(name),
            ends: known.ends,
            mirrors: known.mirrors.iter().cloned().collect(),
        };
        let mut views: Vec<_> = wanted.map(view).collect();
        views.sort_by_key(|view| view.ends);
        views
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(name: &str, ends: i64, found: i64) -> CredentialEnd {
        let (ends, found) = (Timestamp::from_seconds(ends), Timestamp::from_seconds(found));
        CredentialEnd { name: name.to_owned(), ends, found }
    }

    #[test]
    fn what_was_found_out_last_counts() {
        let credentials = Credentials::default();
        credentials.note("a", vec![end("token x", 100, 1)]);
        credentials.note("b", vec![end("token x", 900, 5), end("token y", 50, 5)]);
        credentials.note("c", vec![end("token x", 100, 2)]);
        let all = credentials.all();
        let shown: Vec<_> = all
            .iter()
            .map(|it| (it.name.as_str(), it.ends.seconds(), it.mirrors.join(" ")))
            .collect();
        assert_eq!(shown, [("token y", 50, "b".to_owned()), ("token x", 900, "a b c".to_owned())]);
        assert_eq!(credentials.of_mirror("a").len(), 1);
        credentials.note("b", Vec::new());
        assert_eq!(credentials.all().len(), 1, "nobody uses the other one");
    }
}
