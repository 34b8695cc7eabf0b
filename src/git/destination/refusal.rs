//! Why a target does not take a ref: what each kind of refusal is called, and its remedy.
//!
//! Servers say it in prose: a reason for each ref (`git receive-pack` has about twenty of its own,
//! and "hook declined" for all that a forge decides), and lines for people beside it, in which
//! GitHub's codes are. Both are matched here and nowhere else. Sources: what stock Git's
//! `receive-pack` answers in `tests/it/oracle_destination.rs`, and GitHub's published texts.

use serde::{Deserialize, Serialize};

use crate::base::{Diagnosis, Fault, Side};
use crate::git::ObjectId;

/// A ref that the target does not have as it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Its full name.
    pub name: String,
    /// What kind of refusal it is.
    pub kind: RefusalKind,
    /// Why, in the words of whoever refused.
    pub reason: String,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.reason)
    }
}

/// The kinds of refusals; each has its own remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalKind {
    /// Moving the ref would lose commits of ours, which the source no longer has.
    Rewritten,
    /// The target's ref is at a commit that did not come from this mirror.
    Unknown,
    /// The target's ref is at a commit of ours, and it was not us who put it there.
    MovedByOthers,
    /// The target has the tag, and somebody else made or moved it.
    TagDiffers,
    /// Most of what we have published would be removed.
    ManyRemovals,
    /// The branch is checked out in a working copy of the target.
    CheckedOut,
    /// Another ref is in the way: one of the two names would have to be a folder.
    FolderConflict,
    /// The ref is a symbolic one at the target.
    Symbolic,
    /// Another program holds the lock of the ref.
    Locked,
    /// The ref moved while we pushed.
    Raced,
    /// The server could not store it, without any fault of ours.
    ServerFailed,
    /// A rule of the server protects the branch or tag.
    Protected,
    /// The server lets the branch move forward only.
    ForcePush,
    /// The credential may read and not write.
    ReadOnly,
    /// The token may not change GitHub's workflow files.
    Workflow,
    /// The history has files that the server finds too large.
    TooLarge,
    /// The server has found a secret in the history.
    Secret,
    /// The history has an email address that its owner keeps private.
    PrivateEmail,
    /// The history has pointers to Git LFS objects that the server does not have.
    LfsMissing,
    /// The server does not allow the name.
    BadName,
    /// The target is a shallow clone.
    Shallow,
    /// The server finds the objects that were sent broken or incomplete.
    BadObjects,
    /// A hook of the server declined it, and said nothing that we know.
    HookDeclined,
    /// The target said that it took the push, and does not have what was pushed.
    NotKept,
    /// Anything else.
    Other,
}

impl RefusalKind {
    /// Every kind, for tests.
    pub const ALL: [Self; 25] = [
        Self::Rewritten,
        Self::Unknown,
        Self::MovedByOthers,
        Self::TagDiffers,
        Self::ManyRemovals,
        Self::CheckedOut,
        Self::FolderConflict,
        Self::Symbolic,
        Self::Locked,
        Self::Raced,
        Self::ServerFailed,
        Self::Protected,
        Self::ForcePush,
        Self::ReadOnly,
        Self::Workflow,
        Self::TooLarge,
        Self::Secret,
        Self::PrivateEmail,
        Self::LfsMissing,
        Self::BadName,
        Self::Shallow,
        Self::BadObjects,
        Self::HookDeclined,
        Self::NotKept,
        Self::Other,
    ];

    /// The class.
    pub fn fault(self) -> Fault {
        match self {
            Self::Locked | Self::Raced | Self::ServerFailed => Fault::Unavailable,
            Self::ReadOnly | Self::Workflow => Fault::Auth,
            Self::Shallow => Fault::Unsupported,
            _ => Fault::Refused,
        }
    }

    /// What can be done about it.
    #[expect(clippy::too_many_lines, reason = "a table: a hint for each kind")]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Rewritten => {
                "`synchroniser sync MIRROR --allow-rewrite` moves the ref once; `divergence = \
                 \"overwrite\"` always does, and keeps what it had under another name with `backup = \
                 true`; `divergence = \"keep\"` leaves the ref where it is"
            }
            Self::Unknown => {
                "another program pushed to the target: move that work to a branch of another name, or \
                 delete it, and let this mirror alone write to the branches that it publishes"
            }
            Self::MovedByOthers => {
                "another program moved it: put it back, or delete it at the target, and let this mirror \
                 alone write to the refs that it publishes"
            }
            Self::TagDiffers => {
                "this mirror did not make that tag, or not so: delete it at the target if it may \
                 mean what the source means by it"
            }
            Self::ManyRemovals => {
                "check that the source still has its branches and tags; `synchroniser sync MIRROR \
                 --allow-prune` removes the refs once, `prune = \"off\"` keeps them"
            }
            Self::CheckedOut => {
                "publish to a bare repository, check out another branch there, or allow it with \
                 `git config receive.denyCurrentBranch ignore` at the target"
            }
            Self::FolderConflict => {
                "a ref cannot be both a name and a folder of names: delete or rename the one that \
                 is in the way at the target"
            }
            Self::Symbolic => "a symbolic ref is not moved: delete it at the target, or rename it",
            Self::Locked => {
                "wait until the other program is done; if none is at work, delete the .lock file \
                 at the target"
            }
            Self::Raced => "another program pushed at the same moment: sync again",
            Self::ServerFailed => "the server could not store it: sync again later",
            Self::Protected => {
                "let the credential's owner push past the rule that protects the branch or tag, \
                 or take the rule away"
            }
            Self::ForcePush => {
                "the branch has to move back or aside, and the server takes no forced update of it: let \
                 the credential's owner force-push there"
            }
            Self::ReadOnly => {
                "give the credential write access: a deploy key needs \"Allow write access\", a \
                 token the permission to write contents"
            }
            Self::Workflow => {
                "give the token the `workflow` scope (classic) or the permission to write \
                 workflows (fine-grained; an app needs it too, and `target.app_workflows = true`), or \
                 use a deploy key"
            }
            Self::TooLarge => {
                "the server takes no file of that size, in no commit of the history: publish to \
                 one that does, or have its limit raised"
            }
            Self::Secret => {
                "the server has found a secret in the history: withdraw the secret, then allow the \
                 push at the address that the server names"
            }
            Self::PrivateEmail => {
                "its owner keeps the address private: map it to another one with `authors`, or let \
                 the owner allow such pushes"
            }
            Self::LfsMissing => {
                "the history has pointers to Git LFS objects that were never uploaded to the target"
            }
            Self::BadName => {
                "the server does not allow this name: rename the branch, bookmark or tag in the \
                 source"
            }
            Self::Shallow => {
                "the target is a shallow clone: publish to a whole repository, or complete it with \
                 `git fetch --unshallow`"
            }
            Self::BadObjects => {
                "the server finds the pushed objects broken or incomplete: run `git fsck` at the \
                 target and in the cache"
            }
            Self::HookDeclined => {
                "a hook at the target declined it: its owner knows the rule, and can let the \
                 credential's owner pass"
            }
            Self::NotKept => {
                "something at the target undid the push: look for hooks, and for other mirrors \
                 that write there"
            }
            Self::Other => "the target's owner knows why it refuses this",
        }
    }
}

/// The diagnosis of a push of which these were refused: lasting refusals count more than those that
/// another sync may not meet, and each kind has its hint, on a line of its own.
pub fn diagnose(refused: &[Refusal]) -> Diagnosis {
    let mut kinds: Vec<RefusalKind> = refused.iter().map(|refusal| refusal.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let has = |fault| kinds.iter().any(|kind| kind.fault() == fault);
    let fault = [Fault::Refused, Fault::Auth, Fault::Unsupported, Fault::Unavailable];
    let fault = fault.into_iter().find(|&fault| has(fault)).unwrap_or(Fault::Refused);
    let hints: Vec<_> = kinds.iter().map(|kind| kind.hint()).collect();
    let hint = (!hints.is_empty()).then(|| hints.join("\n"));
    Diagnosis { hint, ..fault.at(Side::Target) }
}

impl RefusalKind {
    /// Why we do not even ask the target, which has `old`, to move a reference.
    pub fn reason(self, old: Option<ObjectId>) -> String {
        let old = old.map(|old| old.to_string()).unwrap_or_default();
        match self {
            Self::Rewritten => {
                format!("the target is at {old}, and the source no longer has all of its commits")
            }
            Self::Unknown => {
                format!("the target is at {old}, a commit that did not come from this mirror")
            }
            Self::MovedByOthers => {
                format!("the target is at {old}, and it was not this mirror that moved it there")
            }
            Self::TagDiffers => format!("the target has this tag, at {old}"),
            Self::ManyRemovals => {
                "it would be removed with most of the refs that this mirror has published"
                    .to_owned()
            }
            _ => format!("the target is at {old}"),
        }
    }
}

impl RefusalKind {
    /// Whether it may be meant for one ref of several that were pushed together: not what the server
    /// might take at another time, or refuses whatever is pushed.
    pub(super) fn may_be_of_one_ref(self) -> bool {
        self.fault() != Fault::Unavailable && self != Self::ReadOnly
    }
}

/// Whether a server gives this reason for every ref of a push, though only one of them may be meant: its
/// hook is asked about all of it at once.
pub(super) fn is_of_whole_push(reason: &str) -> bool {
    ["pre-receive hook declined", "push declined"].iter().any(|words| reason.starts_with(words))
}

/// What the reasons and the lines for people say, the more exact first.
const PHRASES: [(&str, RefusalKind); 55] = [
    ("gh001", RefusalKind::TooLarge),
    ("gh002", RefusalKind::BadName),
    ("gh003", RefusalKind::ForcePush),
    ("gh005", RefusalKind::BadName),
    ("cannot force-push", RefusalKind::ForcePush),
    ("allowed to force push", RefusalKind::ForcePush),
    ("gh006", RefusalKind::Protected),
    ("gh007", RefusalKind::PrivateEmail),
    ("gh008", RefusalKind::LfsMissing),
    ("gh009", RefusalKind::Secret),
    ("push cannot contain secrets", RefusalKind::Secret),
    ("push protection", RefusalKind::Secret),
    ("gh013", RefusalKind::Protected),
    ("rule violations", RefusalKind::Protected),
    ("email privacy", RefusalKind::PrivateEmail),
    ("create or update workflow", RefusalKind::Workflow),
    ("protected branch", RefusalKind::Protected),
    ("protected tag", RefusalKind::Protected),
    ("exceeds", RefusalKind::TooLarge),
    ("too large", RefusalKind::TooLarge),
    ("maximum allowed size", RefusalKind::TooLarge),
    ("file size limit", RefusalKind::TooLarge),
    ("marked as read only", RefusalKind::ReadOnly),
    ("read-only", RefusalKind::ReadOnly),
    ("deploy key", RefusalKind::ReadOnly),
    ("permission to", RefusalKind::ReadOnly),
    ("not allowed to push", RefusalKind::Protected),
    ("deletion prohibited", RefusalKind::Protected),
    ("checked out", RefusalKind::CheckedOut),
    ("non-fast-forward", RefusalKind::ForcePush),
    ("shallow update", RefusalKind::Shallow),
    ("hidden ref", RefusalKind::BadName),
    ("funny refname", RefusalKind::BadName),
    ("invalid characters in ref", RefusalKind::BadName),
    ("aliased", RefusalKind::Symbolic),
    ("exists; cannot create", RefusalKind::FolderConflict),
    ("directory not empty", RefusalKind::FolderConflict),
    (".lock", RefusalKind::Locked),
    ("fetch first", RefusalKind::Raced),
    ("stale info", RefusalKind::Raced),
    ("but expected", RefusalKind::Raced),
    ("already exists", RefusalKind::Raced),
    ("fatal error in commit_refs", RefusalKind::ServerFailed),
    ("timed out", RefusalKind::ServerFailed),
    ("internal server error", RefusalKind::ServerFailed),
    ("internal error", RefusalKind::ServerFailed),
    ("unpack", RefusalKind::BadObjects),
    ("index-pack", RefusalKind::BadObjects),
    ("bad pack", RefusalKind::BadObjects),
    ("fsck error", RefusalKind::BadObjects),
    ("missing necessary objects", RefusalKind::BadObjects),
    ("failed to update ref", RefusalKind::ServerFailed),
    ("failed to write", RefusalKind::ServerFailed),
    ("hook declined", RefusalKind::HookDeclined),
    ("declined", RefusalKind::HookDeclined),
];

/// The kind of a refusal of the ref `name` with this `reason`; `lines` are what the server said to
/// people during the push, about all refs of it.
pub(super) fn classify(name: &str, reason: &str, lines: &[String]) -> RefusalKind {
    let kind = find(&reason.to_ascii_lowercase());
    // These say no more than that something else refused.
    let is_vague = matches!(
        kind,
        RefusalKind::HookDeclined
            | RefusalKind::ServerFailed
            | RefusalKind::Protected
            | RefusalKind::BadObjects
            | RefusalKind::Other
    );
    if !is_vague {
        return kind;
    }
    // Lines that name another ref are not about this one; GitHub's codes stand in lines that may
    // name none.
    let about = lines.iter().filter(|line| line.contains(name) || !line.contains("refs/"));
    let about: Vec<_> = about.map(|line| line.to_ascii_lowercase()).collect();
    match find(&about.join("\n")) {
        RefusalKind::Other | RefusalKind::HookDeclined => kind,
        exact => exact,
    }
}

fn find(text: &str) -> RefusalKind {
    PHRASES
        .iter()
        .find(|(phrase, _)| text.contains(phrase))
        .map_or(RefusalKind::Other, |(_, kind)| *kind)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn what_servers_say_has_its_kind() {
        let name = "refs/heads/main";
        for (reason, text, kind) in [
            ("non-fast-forward", "", RefusalKind::ForcePush),
            ("branch is currently checked out", "", RefusalKind::CheckedOut),
            ("shallow update not allowed", "", RefusalKind::Shallow),
            ("deny updating a hidden ref", "", RefusalKind::BadName),
            ("unpacker error", "", RefusalKind::BadObjects),
            ("hook declined", "no thanks", RefusalKind::HookDeclined),
            ("pre-receive hook declined", "", RefusalKind::HookDeclined),
            (
                "failed to update ref",
                "error: cannot lock ref 'refs/heads/main': Unable to create \
                 '/srv/x.git/refs/heads/main.lock': File exists.",
                RefusalKind::Locked,
            ),
            (
                "failed to update ref",
                "error: cannot lock ref 'refs/heads/main': 'refs/heads/main/x' exists; cannot \
                 create 'refs/heads/main'",
                RefusalKind::FolderConflict,
            ),
            (
                "pre-receive hook declined",
                "error: GH001: Large files detected. You may want to try Git Large File Storage",
                RefusalKind::TooLarge,
            ),
            (
                "protected branch hook declined",
                "error: GH006: Protected branch update failed for refs/heads/main.",
                RefusalKind::Protected,
            ),
            (
                "push declined due to repository rule violations",
                "error: GH013: Repository rule violations found for refs/heads/main.\n- GITHUB PUSH \
                 PROTECTION\n- Push cannot contain secrets",
                RefusalKind::Secret,
            ),
            ("push declined due to email privacy restrictions", "", RefusalKind::PrivateEmail),
            (
                "pre-receive hook declined",
                "error: GH008: Your push referenced at least 1 unknown Git LFS object",
                RefusalKind::LfsMissing,
            ),
            (
                "refusing to allow a Personal Access Token to create or update workflow `x` without \
                 `workflow` scope",
                "",
                RefusalKind::Workflow,
            ),
            (
                "pre-receive hook declined",
                "GitLab: You are not allowed to push code to protected branches on this project.",
                RefusalKind::Protected,
            ),
            (
                "hook declined",
                "The key you are authenticating with has been marked as read only.",
                RefusalKind::ReadOnly,
            ),
            ("fetch first", "", RefusalKind::Raced),
            ("failure", "fatal error in commit_refs", RefusalKind::ServerFailed),
            ("hm", "", RefusalKind::Other),
        ] {
            let lines: Vec<_> = text.lines().map(str::to_owned).collect();
            assert_eq!(classify(name, reason, &lines), kind, "{reason}: {text}");
        }
    }

    #[test]
    fn what_is_said_of_another_ref_is_not_said_of_this_one() {
        let line = "error: GH006: Protected branch update failed for refs/heads/main.".to_owned();
        let kind = classify("refs/heads/x", "pre-receive hook declined", &[line]);
        assert_eq!(kind, RefusalKind::HookDeclined);
    }

    #[test]
    fn every_kind_has_a_hint_of_its_own() {
        let hints: BTreeSet<_> = RefusalKind::ALL.iter().map(|kind| kind.hint()).collect();
        assert_eq!(hints.len(), RefusalKind::ALL.len());
    }

    #[test]
    fn a_lasting_refusal_counts_more() {
        let refusal = |kind| Refusal { name: "refs/heads/x".into(), kind, reason: "x".into() };
        let of = |kinds: &[RefusalKind]| {
            diagnose(&kinds.iter().copied().map(refusal).collect::<Vec<_>>())
        };
        assert_eq!(of(&[RefusalKind::Locked]).fault, Fault::Unavailable);
        let both = of(&[RefusalKind::Locked, RefusalKind::TagDiffers, RefusalKind::Locked]);
        assert_eq!((both.fault, both.hint.unwrap().lines().count()), (Fault::Refused, 2));
    }
}
