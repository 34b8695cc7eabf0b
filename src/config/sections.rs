//! Every key there is, with what it means: the one place that defines them.

mod access;
mod hooks;
pub(crate) mod nodes;
mod notify;
mod queue;
mod web;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::keys::{Key, Keys, Shape, Value, Written, keys};
use super::naming::{is_branch_name, is_prefix};
use super::options::Role;
use super::problem::ProblemKind;
use crate::convert::adoption::AdoptionPolicy;
use crate::convert::identity::choices;
use crate::hg::ServedPhases;
use crate::mirror::{Divergence, Prune};

pub(crate) use access::EndpointKeys;
pub(crate) use hooks::{HookEndpointKeys, PatternKeys, RuleKeys};
pub(crate) use notify::NotifyKeys;
pub(crate) use queue::{QueueKeys, SQLITE};
pub(crate) use web::{TokenKeys, WebKeys};

/// An hour: longer times are a mistake in the unit.
const HOUR: u64 = 3600;
/// A tebibyte.
const TIB: u64 = 1 << 40;

keys! {
    /// The keys above the first table.
    struct TopKeys {
        /// The folder of the caches: each mirror has a folder below this one.
        ///
        /// The folders belong to the user that syncs, and no other user can read them. A sync by
        /// another user is refused.
        cache: PathBuf = Key::new(Shape::Path("FOLDER")).default("\"/var/cache/synchroniser\""),
        /// Gibibytes (GiB) that all caches together may take; 0 sets no limit.
        ///
        /// Above it the daemon empties caches: first those of mirrors that are configured no more, then those
        /// that are made again in the shortest time. One that is in use stays, and so does what a cache says
        /// of what was published. What was emptied is made again by the next sync of its mirror, so a limit
        /// below what the mirrors need costs time.
        cache_quota: u64 = Key::number("GiB", 0, 1 << 20).default("0"),
        /// Days after which the daemon empties the cache of a mirror that is configured no more; 0 keeps it.
        cache_unused: u64 = Key::number("days", 0, 3650).default("30"),
        /// Mebibytes (MiB) of the disk of the caches that stay free: with less, no sync begins.
        cache_reserve: u64 = Key::number("MiB", 0, 1 << 30).default("100"),
        /// Whether the daemon makes the packs of caches smaller.
        ///
        /// It takes processor time at the lowest priority, once for what a sync has added, and a third less room.
        cache_compact: bool = Key::switch().default("true"),
    }

    /// `[daemon]`
    struct DaemonKeys {
        /// What this daemon does, where several share a PostgreSQL database.
        ///
        /// `front` takes hooks and shows pages, API and metrics; `work` syncs mirrors, and answers nothing but
        /// `/healthz`, `/readyz` and `/metrics`; `all` does both. `synchroniser serve --role` says so for one machine,
        /// where all have the same file.
        role: String = Key::choice(roles).default("\"all\""),
        /// The address that `synchroniser serve` listens on; port 0 takes a free one.
        ///
        /// What is sent there is not encrypted: keep it on loopback, and put a web server with a certificate in
        /// front of it.
        listen: String = Key::checked("ADDRESS", address).default("\"127.0.0.1:8377\""),
        /// Seconds that a hook of the old kind, `/synchronise/`, waits for its sync. No other hook waits.
        ///
        /// A sync that takes longer goes on, and the answer is 202 with a link to its state. 0 never
        /// waits. Forges give up after 5 to 30 seconds.
        wait: u64 = Key::number("seconds", 0, HOUR).default("10"),
        /// Bytes of the largest hook that is read.
        max_body: u64 = Key::number("bytes", 1 << 10, 1 << 30).default("1048576"),
        /// Mirrors that are synced at the same time. One mirror is never synced twice at once.
        ///
        /// A sync mostly waits, for servers and for the disk: there may be more of them than processors.
        workers: u64 = Key::number("mirrors", 1, 1 << 10).default("8"),
        /// Long syncs at the same time, beside these: first ones, and of mirrors whose last one was long.
        ///
        /// Of a large repository each has work for all processors, and takes memory.
        long_workers: u64 = Key::number("mirrors", 1, 1 << 10).default("2"),
        /// The folder of what the daemon must not lose: the queue, and the history of syncs and hooks.
        ///
        /// On a disk of this machine, and not on a network file system. It belongs to the user that the
        /// daemon runs as, and one daemon uses it at a time.
        state: PathBuf = Key::new(Shape::Path("FOLDER")).default("\"/var/lib/synchroniser\""),
        /// The socket over which `synchroniser status` and its like talk to the daemon; or `none`.
        ///
        /// Its owner and its group may use it, and may do everything that the daemon can.
        socket: PathBuf =
            Key::new(Shape::Path("PATH")).default("\"/run/synchroniser/admin.sock\""),
        /// Days that the history of syncs and hooks is kept; the last 50 syncs of each mirror stay.
        history: u64 = Key::number("days", 1, 3650).default("90"),
        /// Hooks that one address may send in a minute; further ones are told when to come again.
        hooks_a_minute: u64 = Key::number("hooks", 1, 1 << 20).default("600"),
        /// Seconds that a sender has to send its head, and again to send its body.
        request_timeout: u64 = Key::number("seconds", 1, HOUR).default("10"),
        /// Connections that are served at the same time; further ones wait in the kernel's queue.
        connections: u64 = Key::number("connections", 1, 1 << 16).default("256"),
        /// Seconds that running syncs get to end at a safe place when the daemon is told to stop.
        stop_timeout: u64 = Key::number("seconds", 0, HOUR).default("30"),
    }

    /// `[schedule]`
    struct ScheduleKeys {
        /// Seconds between a hook and its sync, so that further hooks of one push are taken along.
        debounce: u64 = Key::number("seconds", 0, HOUR).default("2"),
        /// Seconds that hooks which keep coming can put off a sync at most.
        longest_debounce: u64 = Key::number("seconds", 0, HOUR).default("15"),
        /// Seconds after which a mirror is looked at again, at the earliest, although nobody asks.
        ///
        /// A mirror is looked at often while its source changes, and the more seldom the longer nothing
        /// has happened there. Hooks get lost, and most forges never repeat one.
        shortest: u64 = Key::number("seconds", 10, 24 * HOUR).default("300"),
        /// Seconds after which a mirror is looked at again, at the latest.
        longest: u64 = Key::number("seconds", 60, 30 * 24 * HOUR).default("21600"),
        /// Syncs at the same time that read from one host.
        per_source_host: u64 = Key::number("mirrors", 1, 1 << 10).default("4"),
        /// Syncs at the same time that publish to one host.
        per_target_host: u64 = Key::number("mirrors", 1, 1 << 10).default("8"),
        /// Syncs at the same time that publish to one host for one owner, such as an organisation on GitHub.
        ///
        /// The owner of a mirror is its key `owner`, or the owner in the address of its target. Where
        /// `per_target_host` is larger, one owner leaves room for the others.
        per_target_owner: u64 = Key::number("mirrors", 1, 1 << 10).default("8"),
        /// Syncs of mirrors with the same target that begin within a minute, unless a person asks for them.
        ///
        /// GitHub recommends no more than six pushes a minute to one repository.
        per_target_minute: u64 = Key::number("syncs", 1, 1 << 10).default("6"),
        /// Hours without a success after which a mirror counts as stale, even if nothing has failed.
        stale: u64 = Key::number("hours", 1, 24 * 365).default("24"),
    }

    /// `[limits]`
    #[expect(clippy::struct_field_names, reason = "the unit is part of the key")]
    struct LimitsKeys {
        /// Bytes of one file, manifest or changelog entry, uncompressed.
        revision_bytes: u64 = Key::number("bytes", 1, TIB).default("1073741824"),
        /// Bytes of one index file of a revlog.
        index_bytes: u64 = Key::number("bytes", 1, TIB).default("4294967296"),
        /// Bytes of one small file of a store: bookmarks, phase roots, obsolescence markers, the list
        /// of files.
        metadata_bytes: u64 = Key::number("bytes", 1, TIB).default("268435456"),
        /// Bytes of memory that one sync may take for what it works on: texts that deltas build on, and the part of the
        /// history that is converted at a time.
        ///
        /// With less, syncs are slower. Beside that a sync takes what two revisions of the largest file take, and less than 500 bytes for
        /// each changeset of the history.
        memory_bytes: u64 = Key::number("bytes", 1 << 20, TIB).default("268435456"),
        /// Bytes of the full texts that one reader keeps for the deltas that build on them.
        ///
        /// Unless it is written, it follows `memory_bytes`: three sixteenths of that.
        text_cache_bytes: u64 = Key::number("bytes", 0, TIB).default("50331648"),
    }

    /// What decides commits, and which changesets have one.
    struct CommitKeys {
        /// The rules that decide what a commit is, and so its id.
        ///
        /// Those of another converter, `hg-git` or `fast-export`, or our own, `native`. `auto`
        /// takes those that made the commits of the target, and `native` for an empty target. A
        /// cache is never continued under other rules.
        identity: String = Key::choice(identities).flag().default("\"auto\""),
        /// A file of lines `user = author` that says which author stands for a user.
        ///
        /// In any form that hg-git and hg-fast-export take. `synchroniser authors SOURCE` prints
        /// one to start from. Existing commits keep their authors: a map that would change one of
        /// them is refused.
        author_map: PathBuf = Key::file().flag().example("\"authors\""),
        /// Which changesets are converted; `draft` takes drafts from a source that does not publish too.
        ///
        /// `public` are those that the source serves, so drafts too unless its own `[phases]` says
        /// `publish = False`. Secret ones are never converted.
        phases: String = Key::choice(phases).flag().default("\"public\""),
    }

    /// How the history of a target is continued, and what else it gets.
    struct HistoryKeys {
        /// Whether each commit of a target that another tool made must be a changeset of the source.
        ///
        /// A target whose history no identity made is compared with the source by content: trees,
        /// times and parents. `exact` continues it if each of its commits is a changeset of the
        /// source; `partial` also if some are not, which then stay where they are.
        adopt: String = Key::choice(adoptions).flag().default("\"exact\""),
        /// Write a note with the node of its changeset for each commit, in `refs/notes/hg`.
        notes: bool = Key::switch().flag(),
    }

    /// What may be done to the refs that a mirror has published.
    struct PublishKeys {
        /// What becomes of a ref where commits would be lost, since the source no longer has them.
        ///
        /// A source loses commits when changesets are stripped or rewritten. `reject` refuses to move
        /// the ref, and says so in every sync; `keep` leaves it where it is, and that is no failure;
        /// `overwrite` moves it. `synchroniser sync MIRROR --allow-rewrite` moves such refs once. A ref
        /// whose commits another ref of the mirror has is moved without asking, and one that somebody
        /// else has moved never is.
        divergence: String = Key::choice(divergences).flag().default("\"reject\""),
        /// Keep what a ref had in `refs/heads/synchroniser-backup/` when commits would be lost.
        ///
        /// What `refs/heads/master` had is then `refs/heads/synchroniser-backup/heads/master/` and the
        /// first twelve digits of its commit, after `ref_prefix` if there is one. Nobody removes these
        /// branches but you.
        backup: bool = Key::switch().flag(),
        /// Which refs are removed whose name the source does not have any more.
        ///
        /// `merged` removes those whose commits another ref of the mirror has, `all` all of them, `off`
        /// none. Only what this mirror has published and nobody has moved since is removed, and never
        /// the main branch. More than ten refs that are more than half of all are not removed without
        /// `synchroniser sync MIRROR --allow-prune`.
        prune: String = Key::choice(prunes).flag().default("\"merged\""),
    }

    /// How the names of a source become refs.
    struct NamingKeys {
        /// What the main branch follows: `tip`, the newest changeset, or the head of a named branch.
        ///
        /// `tip` may be on any branch. Of a named branch, such as `default`, it is the tipmost open
        /// head, or the tipmost one if all are closed.
        main: String = Key::text("tip|BRANCH").flag().default("\"tip\""),
        /// The name of the main branch.
        main_branch: String = Key::checked("NAME", branch).flag().default("\"master\""),
        /// A prefix for the name of every branch and tag, the main branch included.
        ///
        /// Refs of the target that do not begin with it are not touched then.
        ref_prefix: String = Key::checked("PREFIX", prefix).flag().example("\"hg/\""),
        /// Only names that match one of these patterns become refs; all if there are none.
        ///
        /// `*` stands for any characters, `?` for one; `branch:`, `bookmark:`, `tag:` or `topic:`
        /// before a pattern confines it. The main branch is always published.
        publish: Vec<String> = Key::new(Shape::List("PATTERN"))
            .flag()
            .example("[\"default\", \"release-*\", \"tag:*\"]"),
        /// Names that match one of these patterns do not become refs.
        exclude: Vec<String> =
            Key::new(Shape::List("PATTERN")).flag().example("[\"tag:*-rc*\"]"),
        /// The prefix of tags for named branches whose heads are all closed.
        ///
        /// Without it they get no tags.
        closed_branches: String = Key::checked("PREFIX", prefix).flag().example("\"archive/\""),
        /// The prefix of branches for the topics of draft changesets.
        ///
        /// These changesets are then not heads of their named branch. Without it topics are
        /// ignored.
        topics: String = Key::checked("PREFIX", prefix).flag().example("\"topic/\""),
        /// Other names for named branches and bookmarks.
        ///
        /// Names with other characters than letters, digits, `_` and `-` need quotes in this file.
        branches: BTreeMap<String, String> = Key::new(Shape::Names(branch))
            .flag()
            .example("{ stable = \"release\", \"old work\" = \"old-work\" }"),
        /// Other names for tags.
        tags: BTreeMap<String, String> =
            Key::new(Shape::Names(branch)).flag().example("{ \"v1.0\" = \"1.0\" }"),
    }

    /// How a sync deals with what is damaged or wrong.
    struct CareKeys {
        /// Put a placeholder in place of each damaged or missing file revision, and continue.
        ///
        /// Otherwise damage ends the sync before refs move. Damaged changesets and manifests always
        /// do.
        skip_damaged: bool = Key::switch(),
        /// What is compared with the source before refs move.
        ///
        /// `new` compares what this sync has converted, `off` nothing.
        verify: String = Key::choice(|| vec!["new", "off"]).default("\"new\""),
    }

    /// Which hooks ask for a sync.
    struct HookKeys {
        /// The user by which hooks select this mirror.
        ///
        /// A hook names a user and a project by ?user=&project=, or else by the owner and the slug of
        /// the repository in its payload. Upper and lower case are the same. They only select, and never
        /// name a target. Without these two keys they are the owner and the project in the address of
        /// the target; where that has none, no hook selects the mirror.
        user: String = Key::text("NAME").example("\"acme\""),
        /// The project by which hooks select this mirror.
        project: String = Key::text("NAME").example("\"rocket\""),
    }
}

keys! {
    /// What the daemon needs to know of a mirror.
    struct ServiceKeys {
        /// Whose mirror it is: nobody's mirrors hold up those of others, however many there are.
        ///
        /// Without it, that is the owner in the address of the target.
        owner: String = Key::text("NAME").example("\"acme\""),
        /// The machines whose daemons alone may sync it, where several daemons share a PostgreSQL database.
        ///
        /// Their names as `synchroniser status` lists them; `*` stands for any characters, `?` for one. While none of
        /// them is there, the mirror waits. Without it any daemon may.
        nodes: Vec<String> = Key::new(Shape::List("NODE")).example("[\"builder-1\", \"inside-*\"]"),
        /// The name that this mirror had before, so that its history and its cache are kept.
        was: String = Key::checked("NAME", mirror_name).example("\"old-rocket\""),
    }
}

/// `[mirrors.NAME]`, without `source` and `target`.
#[derive(Clone, Debug, Default)]
pub(crate) struct MirrorKeys {
    pub(crate) commits: CommitKeys,
    pub(crate) history: HistoryKeys,
    pub(crate) publish: PublishKeys,
    pub(crate) naming: NamingKeys,
    pub(crate) care: CareKeys,
    pub(crate) hooks: HookKeys,
    pub(crate) service: ServiceKeys,
}

impl Keys for MirrorKeys {
    fn keys() -> Vec<&'static Key> {
        [
            CommitKeys::keys(),
            HistoryKeys::keys(),
            PublishKeys::keys(),
            NamingKeys::keys(),
            CareKeys::keys(),
            HookKeys::keys(),
            ServiceKeys::keys(),
        ]
        .concat()
    }

    fn set(&mut self, key: &str, value: Value<'_>) -> Result<(), ProblemKind> {
        let Self { commits, history, publish, naming, care, hooks, service } = self;
        if CommitKeys::key(key).is_some() {
            commits.set(key, value)
        } else if HistoryKeys::key(key).is_some() {
            history.set(key, value)
        } else if PublishKeys::key(key).is_some() {
            publish.set(key, value)
        } else if NamingKeys::key(key).is_some() {
            naming.set(key, value)
        } else if CareKeys::key(key).is_some() {
            care.set(key, value)
        } else if ServiceKeys::key(key).is_some() {
            service.set(key, value)
        } else {
            hooks.set(key, value)
        }
    }
}

fn roles() -> Vec<&'static str> {
    Role::ALL.iter().map(|(name, _)| *name).collect()
}

fn identities() -> Vec<&'static str> {
    choices().collect()
}

fn phases() -> Vec<&'static str> {
    ServedPhases::ALL.iter().map(|(name, _)| *name).collect()
}

fn adoptions() -> Vec<&'static str> {
    AdoptionPolicy::ALL.iter().map(|(name, _)| *name).collect()
}

fn divergences() -> Vec<&'static str> {
    Divergence::ALL.iter().map(|(name, _)| *name).collect()
}

fn prunes() -> Vec<&'static str> {
    Prune::ALL.iter().map(|(name, _)| *name).collect()
}

fn address(value: &str) -> Option<ProblemKind> {
    let is_address = value.parse::<SocketAddr>().is_ok();
    (!is_address).then(|| ProblemKind::NotAnAddress { value: value.to_owned() })
}

fn branch(value: &str) -> Option<ProblemKind> {
    (!is_branch_name(value)).then(|| ProblemKind::BadBranch { value: value.to_owned() })
}

fn prefix(value: &str) -> Option<ProblemKind> {
    (!is_prefix(value)).then(|| ProblemKind::BadPrefix { value: value.to_owned() })
}

fn mirror_name(value: &str) -> Option<ProblemKind> {
    (!is_plain_name(value)).then_some(ProblemKind::BadMirrorName)
}

/// Whether `name` is the name of one file and can be nothing else: no path, no option, not hidden.
pub(super) fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 100
        && !name.starts_with(['.', '-'])
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names() {
        for name in ["rocket", "a.b_c-D9", "x"] {
            assert!(is_plain_name(name), "{name:?}");
        }
        for name in ["", ".", "..", ".x", "-x", "a/b", "a b", "ä", &"x".repeat(101)] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }

    /// A key that two parts of one table define would be read into one of them only.
    #[test]
    fn every_key_of_a_table_is_defined_once_and_says_what_it_means() {
        let tables = [
            TopKeys::keys(),
            DaemonKeys::keys(),
            ScheduleKeys::keys(),
            LimitsKeys::keys(),
            EndpointKeys::keys(),
            MirrorKeys::keys(),
            HookEndpointKeys::keys(),
            PatternKeys::keys(),
            NotifyKeys::keys(),
        ];
        for keys in tables {
            let mut names: Vec<_> = keys.iter().map(|key| key.name).collect();
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), keys.len());
            for key in keys {
                assert!(key.summary().len() > 10, "{}", key.name);
                assert!(key.default.or(key.example).is_some(), "{} has nothing to show", key.name);
            }
        }
    }
}
