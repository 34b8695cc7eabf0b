//! Pulls from a server: what it has, what of ours it has, then what is missing.

use std::time::{Duration, Instant};

use super::content::{After, Unbundled, unbundle};
use super::discovery::Discovery;
use super::server::Server;
use super::{Copy, PullError, PullNote, Pulled, Run};
use crate::base::{Cause, Fault, HasFault};
use crate::hg::peer::{Peer, connect};
use crate::hg::wire::CloneBundle;
use crate::hg::write::{NewStore, Writer};
use crate::hg::{Changelog, Node, Rev, RevSet};
use crate::net::{Access, SourceUrl};

/// So many of our newest heads are asked for along with everything else.
const FIRST_SAMPLE: usize = 100;
/// So many changesets are asked for in one of the further rounds.
const SAMPLE: usize = 200;
/// So many changesets are named to the server as what we have, or as what we want, at a time: what
/// it takes in the head of a request is bounded. What it then sends twice is passed over.
const NAMED: usize = 200;
/// So often is a server asked again that has something new each time.
const ROUNDS: usize = 5;
/// After a fetch that took no longer, what the server said before it is still what it has.
const MOMENT: Duration = Duration::from_secs(5);

/// Brings `copy` up to date with the server at `url`.
pub(super) fn pull(
    url: &SourceUrl,
    access: &Access,
    copy: &Copy,
    run: &Run<'_>,
) -> Result<Pulled, PullError> {
    let mut remote = Remote { url: url.to_string(), copy, run, takes_files: true, remembers: true };
    let mut pulled = Pulled::default();
    let mut pauses = access.retries.iter();
    loop {
        let mut peer = connect(url, access, run.limits, run.interrupt)?;
        let error = match remote.attempt(&mut *peer, &mut pulled) {
            Ok(Step::Done) => return Ok(pulled),
            // What was left unread of an answer would be taken for the next one.
            Ok(Step::Reconnect) => continue,
            Err(error) if error.fault() == Fault::Unavailable => error,
            Err(error) => return Err(error),
        };
        drop(peer);
        let Some(pause) = pauses.next() else { return Err(error) };
        tracing::warn!(%error, source = %remote.url, "the fetch broke off: trying again");
        run.interrupt.pause(*pause)?;
    }
}

/// What comes after an attempt that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// Nothing.
    Done,
    /// Another one, over a new connection.
    Reconnect,
}

/// A server and a copy of what it has.
struct Remote<'r> {
    url: String,
    copy: &'r Copy,
    run: &'r Run<'r>,
    /// Whether a first fetch may begin with the server's files.
    takes_files: bool,
    /// Whether what the server could do last is taken to be what it can do now.
    remembers: bool,
}

impl Remote<'_> {
    fn attempt(&mut self, peer: &mut dyn Peer, pulled: &mut Pulled) -> Result<Step, PullError> {
        let remembered = self.copy.capabilities(&self.url).filter(|_| self.remembers);
        if remembered.is_some() {
            // What was true then need not be now; then it is asked for again.
            let mut server = Server::new(peer, remembered)?;
            match self.update(&mut server, pulled) {
                Err(error) if is_about_what_it_can(&error) => {
                    tracing::debug!(%error, "asking the server again what it can do");
                    self.remembers = false;
                    return Ok(Step::Reconnect);
                }
                other => return other.map(|()| Step::Done),
            }
        }
        let mut server = Server::new(peer, None)?;
        if !self.copy.exists() && self.begin(&mut server, pulled)? == Step::Reconnect {
            return Ok(Step::Reconnect);
        }
        let updated = self.update(&mut server, pulled);
        if self.copy.exists() {
            self.copy.remember(&self.url, server.capabilities())?;
        }
        updated.map(|()| Step::Done)
    }

    /// Begins the copy with one of the short cuts that the server offers, if one is of use.
    fn begin(&mut self, server: &mut Server<'_>, pulled: &mut Pulled) -> Result<Step, PullError> {
        if server.streams() && self.takes_files {
            let streamed = server.files().and_then(|files| self.unbundle(files));
            // A connection that breaks is tried again, not replaced by a longer way.
            if matches!(&streamed, Err(error) if error.fault() == Fault::Unavailable) {
                return streamed.map(|_| Step::Done);
            }
            if self.has_begun(streamed, None, pulled)? {
                return Ok(Step::Done);
            }
            self.takes_files = false;
            return Ok(Step::Reconnect);
        }
        for bundle in server.clone_bundles()?.iter().filter(|bundle| is_readable(bundle)) {
            let downloaded = server.download(&bundle.url).and_then(|file| self.unbundle(file));
            if self.has_begun(downloaded, Some(&bundle.url), pulled)? {
                break;
            }
        }
        Ok(Step::Done)
    }

    /// Whether there is a copy now, from a bundle at an address or else from the files of the source.
    /// What goes wrong with these is told, and the changesets are fetched.
    fn has_begun(
        &self,
        result: Result<Unbundled, PullError>,
        bundle: Option<&str>,
        pulled: &mut Pulled,
    ) -> Result<bool, PullError> {
        match result {
            Ok(found) => {
                pulled.changesets += found.changesets;
                Ok(self.copy.exists())
            }
            Err(error) if matches!(error.fault(), Fault::Interrupted | Fault::Config) => Err(error),
            // This machine cannot; another way would not help.
            Err(error @ PullError::Write(_)) if error.fault() == Fault::Unavailable => Err(error),
            Err(error) => {
                let cause = Cause::of(&error);
                let note = match bundle {
                    Some(url) => PullNote::BundleNotUsed { url: url.to_owned(), cause },
                    None => PullNote::FilesNotCopied { cause },
                };
                tracing::info!(source = %self.url, "{note}");
                pulled.notes.push(note);
                Ok(self.copy.exists())
            }
        }
    }

    fn unbundle(&self, from: impl std::io::Read) -> Result<Unbundled, PullError> {
        unbundle(from, After::Conversation, self.copy, self.run)
    }

    /// Fetches until nothing is missing.
    fn update(&self, server: &mut Server<'_>, pulled: &mut Pulled) -> Result<(), PullError> {
        let (mut withheld, mut asked_again) = (None, false);
        for _ in 0..ROUNDS {
            self.run.interrupt.check()?;
            let changelog = self.copy.changelog()?;
            let sample = newest_heads(&changelog);
            let nodes: Vec<Node> = sample.iter().map(|rev| changelog.node(*rev)).collect();
            let (mut state, known) = server.state(&nodes)?;
            let is_missing = |node: &&Node| changelog.rev(**node).is_none();
            let heads = &state.shown.heads;
            withheld = heads.iter().chain(state.bookmarks.values()).find(is_missing).copied();
            // A branch that moved after the heads were told is asked for again, but not for ever:
            // what does not come is not shown.
            let has_moved = state.shown.branch_heads.iter().flatten().any(|n| is_missing(&n));
            if withheld.is_none() && has_moved && !std::mem::replace(&mut asked_again, true) {
                continue;
            }
            if withheld.is_none() {
                if has_moved {
                    state.shown.branch_heads = None;
                }
                if !self.copy.exists() {
                    Writer::create(self.copy.root(), &NewStore::default())?;
                }
                pulled.gone = state.keep(self.copy, &changelog, self.run)?;
                return Ok(());
            }
            let missing: Vec<Node> = state.shown.heads.iter().filter(is_missing).copied().collect();
            // A bookmark that came after the heads were told: both are asked for again.
            if missing.is_empty() {
                continue;
            }
            let (begin, heads) = (Instant::now(), &state.shown.heads);
            let common = self.common(server, &changelog, heads, (&sample, &known))?;
            pulled.changesets += self.fetch(server, &changelog, common, &missing)?;
            // What was all a moment ago need not be asked for again.
            let changelog = self.copy.changelog()?;
            if begin.elapsed() < MOMENT && state.nodes().all(|node| changelog.rev(node).is_some()) {
                pulled.gone = state.keep(self.copy, &changelog, self.run)?;
                return Ok(());
            }
        }
        Err(PullError::Withheld { origin: self.url.clone(), node: withheld.unwrap_or(Node::NULL) })
    }

    /// The heads of what the server has of the copy. It has `heads`, and of a sample what is known.
    fn common(
        &self,
        server: &mut Server<'_>,
        changelog: &Changelog,
        heads: &[Node],
        (sample, known): (&[Rev], &[bool]),
    ) -> Result<Vec<Rev>, PullError> {
        let dag = changelog.dag();
        let mut discovery = Discovery::new(dag);
        discovery.add_common(heads.iter().filter_map(|head| changelog.rev(*head)));
        answered(&mut discovery, sample, known);
        while !discovery.is_done() {
            self.run.interrupt.check()?;
            let sample = discovery.sample(SAMPLE);
            let nodes: Vec<Node> = sample.iter().map(|rev| changelog.node(*rev)).collect();
            answered(&mut discovery, &sample, &server.known(&nodes)?);
        }
        let common = discovery.common().heads(dag);
        if common.is_empty() && !dag.is_empty() {
            let path = self.copy.root().to_owned();
            return Err(PullError::Unrelated { path, origin: self.url.clone() });
        }
        Ok(common)
    }

    /// Fetches what lies below `missing`; says how many changesets that were.
    fn fetch(
        &self,
        server: &mut Server<'_>,
        changelog: &Changelog,
        common: Vec<Rev>,
        missing: &[Node],
    ) -> Result<u64, PullError> {
        let mut common: Vec<Node> = common.into_iter().map(|rev| changelog.node(rev)).collect();
        let mut changesets = 0;
        for heads in missing.chunks(NAMED) {
            // The newest are the last.
            let newest = common.get(common.len().saturating_sub(NAMED)..).unwrap_or_default();
            let found = self.unbundle(server.changegroup(newest, heads)?)?;
            changesets += found.changesets;
            common.extend(heads);
        }
        Ok(changesets)
    }
}

/// Whether the reason of an error may be that the server cannot do what it was asked for.
fn is_about_what_it_can(error: &PullError) -> bool {
    match error {
        PullError::Peer(error) => error.fault() == Fault::Refused,
        error => matches!(error, PullError::Answer(_)),
    }
}

/// What the server has of `sample`.
fn answered(discovery: &mut Discovery<'_>, sample: &[Rev], known: &[bool]) {
    let (has, lacks): (Vec<_>, Vec<_>) = sample.iter().zip(known).partition(|(_, known)| **known);
    discovery.add_common(has.into_iter().map(|(rev, _)| *rev));
    discovery.add_missing(lacks.into_iter().map(|(rev, _)| *rev));
}

/// The newest heads of the copy.
fn newest_heads(changelog: &Changelog) -> Vec<Rev> {
    let dag = changelog.dag();
    let heads = RevSet::full(dag.len()).heads(dag);
    heads.get(heads.len().saturating_sub(FIRST_SAMPLE)..).unwrap_or_default().to_vec()
}

/// Whether we can read a bundle of this kind, as far as is said about it.
fn is_readable(bundle: &CloneBundle) -> bool {
    let Some(spec) = bundle.attribute("BUNDLESPEC") else { return true };
    let (kind, params) = spec.split_once(';').map_or((spec, ""), |(kind, params)| (kind, params));
    let (compression, version) = kind.split_once('-').unwrap_or((kind, ""));
    let known = ["none", "gzip", "bzip2", "zstd"].contains(&compression);
    let streams = params.split(';').all(|param| {
        param.split_once('=').is_none_or(|(key, value)| key != "stream" || value == "v2")
    });
    known && ["v1", "v2", "streamv2"].contains(&version) && streams
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bundles_that_are_worth_fetching() {
        for (spec, expected) in [
            ("gzip-v1", true),
            ("zstd-v2", true),
            ("bzip2-v2;cg.version=03", true),
            ("none-v2;stream=v2", true),
            ("none-v2;stream=v2;requirements%3Dgeneraldelta", true),
            ("none-streamv2", true),
            ("none-v2;stream=v3-exp", false),
            ("none-packed1;requirements%3Drevlogv1", false),
            ("lzma-v2", false),
            ("gzip-v3", false),
            ("", false),
        ] {
            let attributes = vec![("BUNDLESPEC".to_owned(), spec.to_owned())];
            let bundle = CloneBundle { url: String::new(), attributes };
            assert_eq!(is_readable(&bundle), expected, "{spec}");
        }
        assert!(is_readable(&CloneBundle { url: String::new(), attributes: Vec::new() }));
    }
}
