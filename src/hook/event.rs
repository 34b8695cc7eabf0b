//! What a delivery tells of.

use crate::base::clean::visible;
use crate::base::faults;

/// How many characters of a name from outside are kept for people.
const SHOWN: usize = 100;

/// What a delivery tells of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A repository was pushed to.
    Push(PushEvent),
    /// Somebody tries whether we answer.
    Ping,
    /// Something else, which asks for nothing: its name, short and fit to be shown.
    Other(String),
}

impl Event {
    /// Something else than a push, called `name`.
    pub(super) fn other(name: &str) -> Self {
        Self::Other(shown(name))
    }
}

/// A claim that a repository was pushed to: all that the sender says of which one. Whatever is `Some`
/// is not empty. A push that names no repository at all is one to whatever its endpoint is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PushEvent {
    /// The name of a mirror, where the sender knows it.
    pub mirror: Option<String>,
    /// The user or group that the repository belongs to; groups in groups are joined by slashes.
    pub owner: Option<String>,
    /// The name of the repository in addresses.
    pub slug: Option<String>,
    /// The path of the repository on its server, without slashes at its ends.
    pub path: Option<String>,
    /// Addresses of the repository, as they were written: for clones, and of its page.
    pub addresses: Vec<String>,
    /// The changesets, in lower-case hex, that the sender says are new heads. For logs only.
    pub heads_hinted: Vec<String>,
}

impl PushEvent {
    /// A push to the repository at `path` of some server: its owner is all before the last slash.
    pub(super) fn at(path: &str) -> Self {
        let path = path.trim().trim_matches('/');
        let (owner, slug) = path.rsplit_once('/').unwrap_or(("", path));
        Self { owner: present(owner), slug: present(slug), path: present(path), ..Self::default() }
    }

    /// The same with those of `addresses` that say something.
    #[must_use]
    pub(super) fn with_addresses(
        mut self,
        addresses: impl IntoIterator<Item = Option<String>>,
    ) -> Self {
        for address in addresses.into_iter().flatten().filter_map(|text| present(&text)) {
            if !self.addresses.contains(&address) {
                self.addresses.push(address);
            }
        }
        self
    }

    /// The same with those of `heads` that may be changesets.
    #[must_use]
    pub(super) fn with_heads(mut self, heads: impl IntoIterator<Item = Option<String>>) -> Self {
        for head in heads.into_iter().flatten().filter(|head| is_node(head)) {
            let head = head.to_ascii_lowercase();
            if !self.heads_hinted.contains(&head) && self.heads_hinted.len() < MOST_HEADS {
                self.heads_hinted.push(head);
            }
        }
        self
    }

    /// Whether it says which repository it is about.
    pub fn names_a_repository(&self) -> bool {
        let Self { mirror, owner: _, slug, path, addresses, heads_hinted: _ } = self;
        mirror.is_some() || slug.is_some() || path.is_some() || !addresses.is_empty()
    }

    /// What it is about, for people: short, and fit for a terminal and a page.
    pub fn about(&self) -> String {
        let Self { mirror, owner, slug, path, addresses, heads_hinted: _ } = self;
        let joined = match (owner, slug) {
            (Some(owner), Some(slug)) => Some(format!("{owner}/{slug}")),
            _ => slug.clone(),
        };
        let named = mirror.clone().or_else(|| path.clone()).or(joined);
        let named = named.or_else(|| addresses.first().cloned()).unwrap_or_default();
        shown(&named)
    }
}

/// The beginning of `name`, fit to be shown.
fn shown(name: &str) -> String {
    visible(&name.chars().take(SHOWN).collect::<String>()).into_owned()
}

/// How many heads of one delivery are kept.
pub(super) const MOST_HEADS: usize = 100;

/// `text` without blanks around it, if there is something in it.
pub(super) fn present(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// Whether `text` may be a changeset, whole or shortened; not the one that stands for none.
fn is_node(text: &str) -> bool {
    (12..=40).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0')
}

/// A delivery that is not what its format demands. What is said to the senders of Bitbucket's hook is
/// in [`super::bitbucket_post::reason`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PayloadError {
    /// There is no payload at all.
    #[error("read the payload: there is none")]
    Missing,
    /// The payload is not JSON.
    #[error("read the payload: it is not JSON")]
    NotJson,
    /// The payload is JSON, and not of the shape that the format has.
    #[error("read the payload: it is JSON, but does not say which repository it is about")]
    NotProper,
    /// The delivery does not say what has happened.
    #[error("read the delivery: the header {header} does not say what has happened")]
    NoEvent {
        /// The header that would.
        header: &'static str,
    },
}

faults!(PayloadError {
    Self::NotJson => Corrupt,
    Self::Missing | Self::NotProper | Self::NoEvent { .. } => Unsupported.hint(
        "the format of the endpoint, `format` in [hooks.NAME], must be that of the sender"
    ),
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_an_owner_and_a_slug() {
        for (path, owner, slug) in [
            ("acme/rocket", Some("acme"), Some("rocket")),
            (" /group/sub/rocket/ ", Some("group/sub"), Some("rocket")),
            ("rocket", None, Some("rocket")),
            ("//", None, None),
            ("", None, None),
        ] {
            let event = PushEvent::at(path);
            assert_eq!((event.owner.as_deref(), event.slug.as_deref()), (owner, slug), "{path}");
            assert_eq!(event.path.is_some(), slug.is_some());
            assert_eq!(event.names_a_repository(), slug.is_some());
        }
    }

    #[test]
    fn hints_are_kept_once_and_only_if_they_say_something() {
        let event = PushEvent::default()
            .with_addresses([None, Some(" ".into()), Some("a".into()), Some("a ".into())])
            .with_heads([
                Some("rm -rf /".into()),
                Some("0".repeat(40)),
                Some("ABCDEF012345".into()),
                Some("abcdef012345".into()),
                Some("abcdef01234".into()),
                None,
            ]);
        assert_eq!(
            (event.addresses, event.heads_hinted),
            (vec!["a".into()], vec!["abcdef012345".into()])
        );
        let many = (1..1000_u64).map(|number| Some(format!("{number:040x}")));
        assert_eq!(PushEvent::default().with_heads(many).heads_hinted.len(), MOST_HEADS);
    }

    #[test]
    fn what_is_shown_is_short_and_clean() {
        let event =
            PushEvent { addresses: vec!["https://h/\u{1b}[31m".into()], ..Default::default() };
        assert_eq!(event.about(), r"https://h/\u{1b}[31m");
        assert_eq!(PushEvent::at(&"x".repeat(1000)).about().len(), SHOWN);
        assert_eq!(PushEvent::at("acme/rocket").about(), "acme/rocket");
        assert_eq!(PushEvent::default().about(), "");
        assert_eq!(Event::other("a\nb"), Event::Other(r"a\u{a}b".to_owned()));
    }
}
