//! The author map: what the operator has in place of the users of changesets.
//!
//! One line for each user, `old = new`; empty lines and those that begin with `#` are comments.
//! These are the files of hg-git, of `hg convert --authormap`, and of hg-fast-export in both of its
//! forms:
//!
//! - `"old" = "new"`, with Python's escapes between the quotes: `old` is a whole user.
//! - `old = new`: the first `=` divides. An address alone, `a@b` or `<a@b>`, stands for every user
//!   with that address who is not named as a whole; upper and lower case are the same in it.
//!   Anything else is a whole user.
//!
//! Of two lines for the same user the last one counts, as in these tools.

mod quoted;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use bstr::{BString, ByteSlice};

pub(super) use quoted::line;

use super::identity::{Facts, Identity, address};
use crate::base::faults;
use crate::base::text::utf8_or_latin1;
use crate::git::ObjectId;
use crate::hg::revlog::RevlogError;
use crate::hg::{Changeset, Date, Node, Repository};

/// What stands in place of which users.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorMap {
    /// By the whole user.
    users: BTreeMap<String, String>,
    /// By the address, in lower case.
    addresses: BTreeMap<String, String>,
}

/// Why an author map cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum AuthorMapError {
    /// The file cannot be read.
    #[error("read the author map {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        #[source]
        source: io::Error,
    },
    /// A line is malformed.
    #[error("use the author map {}:{line}: {what}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

faults!(AuthorMapError {
    Self::Read { source, .. } => io(source),
    Self::Line { .. } => {
        Config.hint("`synchroniser authors SOURCE` prints a map of all users to start from")
    },
});

impl AuthorMap {
    /// Reads the file at `path`.
    pub fn read(path: &Path) -> Result<Self, AuthorMapError> {
        let text = std::fs::read(path)
            .map_err(|source| AuthorMapError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|(line, what)| AuthorMapError::Line {
            path: path.to_owned(),
            line,
            what,
        })
    }

    /// The map that the file `text` is; or the number of the first wrong line, from 1, and what is
    /// wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, (usize, &'static str)> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut map = Self::default();
        for (number, line) in text.lines().enumerate() {
            map.add(&utf8_or_latin1(line)).map_err(|what| (number + 1, what))?;
        }
        Ok(map)
    }

    fn add(&mut self, line: &str) -> Result<(), &'static str> {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            return Ok(());
        }
        if let Some((old, new)) = quoted::pair(line)? {
            self.users.insert(old, checked(new)?);
            return Ok(());
        }
        let (old, new) = line.split_once('=').ok_or("no \"=\" between a user and the author")?;
        let (old, new) = (old.trim(), checked(new.trim().to_owned())?);
        match lone_address(old) {
            _ if old.is_empty() => return Err("no user before the \"=\""),
            Some(address) => self.addresses.insert(address.to_ascii_lowercase(), new),
            None => self.users.insert(old.to_owned(), new),
        };
        Ok(())
    }

    /// Whether the map is empty.
    pub fn is_empty(&self) -> bool {
        self.users.is_empty() && self.addresses.is_empty()
    }

    /// What stands in place of `user`, if anything does.
    pub fn find(&self, user: &str) -> Option<&str> {
        let by_address = || self.addresses.get(&address(user).to_ascii_lowercase());
        self.users.get(user).or_else(by_address).map(String::as_str)
    }

    /// The map as a file that [`AuthorMap::parse`] reads again.
    pub fn to_text(&self) -> String {
        let users = self.users.iter().map(|(old, new)| line(old, new));
        let addresses = self.addresses.iter().map(|(old, new)| format!("<{old}> = {new}\n"));
        users.chain(addresses).collect()
    }
}

/// The author, if it is one line with something on it.
fn checked(new: String) -> Result<String, &'static str> {
    match new.as_str() {
        "" => Err("no author after the \"=\""),
        new if new.contains('\n') => Err("a line feed in the author"),
        _ => Ok(new),
    }
}

/// The address that `text` is, if it is nothing else.
fn lone_address(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('<').and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    let plain = !inner.contains(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | '"'));
    (plain && inner.contains('@')).then_some(inner)
}

/// The author that `identity` makes of `user`, who is not in the map.
pub fn author(identity: &dyn Identity, user: &[u8]) -> BString {
    let changeset = Changeset {
        manifest: Node::NULL,
        user: user.into(),
        date: Date::default(),
        files: Vec::new(),
        extra: Vec::new(),
        description: BString::default(),
    };
    let (node, tree) = (Node::NULL, ObjectId::NULL);
    let facts = Facts { node, changeset: &changeset, tree, parents: &[], copies: &[] };
    identity.commit(&facts).author.person
}

/// The users of the changesets that `source` serves, in the order of their bytes.
pub fn users(source: &Repository) -> Result<BTreeSet<BString>, RevlogError> {
    let mut changesets = source.changelog().reader();
    source.view().served().iter().map(|rev| Ok(changesets.changeset(rev)?.user)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::Rules;
    use super::super::identity::IDENTITIES;
    use super::*;

    fn map(text: &str) -> AuthorMap {
        AuthorMap::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn the_forms_of_the_other_tools() {
        let map = map("\u{feff}# comment\n\n  joe = Joe <joe@x.org>  \n\
             a=b=c\n\
             \"J\\xf6hn \\\"J\\\" <j@d>\" = \"J\u{f6}hn <j@d>\"\r\n\
             \"Jane Doe\" = Jane <jane@x.org>\n\
             jim@x.org = Jim <jim@y.org>\n<Kim@x.org> = Kim <kim@y.org>\n\
             \"lone@x.org\" = \"Lone <lone@y.org>\"\n\
             joe = Joseph <joe@x.org>\n");
        for (user, author) in [
            ("joe", Some("Joseph <joe@x.org>")),
            ("Joe", None),
            ("a", Some("b=c")),
            ("J\u{f6}hn \"J\" <j@d>", Some("J\u{f6}hn <j@d>")),
            ("\"Jane Doe\"", Some("Jane <jane@x.org>")),
            ("Jane Doe", None),
            ("jim@x.org", Some("Jim <jim@y.org>")),
            ("James <JIM@x.org>", Some("Jim <jim@y.org>")),
            ("Kimberley <kim@x.org> (home)", Some("Kim <kim@y.org>")),
            ("lone@x.org", Some("Lone <lone@y.org>")),
            ("L <lone@x.org>", None),
        ] {
            assert_eq!(map.find(user), author, "{user:?}");
        }
        assert_eq!(AuthorMap::parse(map.to_text().as_bytes()), Ok(map));
        let latin1 = AuthorMap::parse(b"J\xf6hn = John <j@d>").unwrap();
        assert_eq!(latin1.find("J\u{f6}hn"), Some("John <j@d>"));
    }

    /// What the rules of hg-fast-export's `-A` make of users: quotes go first, then the map is asked,
    /// and what it says is fixed up like any user.
    #[test]
    fn hg_fast_export_asks_its_map_as_it_does() {
        let text = "# comment\n\
            \"John Doe\" = \"J D <j@d>\"\n\
            \"John\\\" <j@d>\" = \"Quotes inside <j@d>\"\n\
            \"joe\" = \"Somebody\"\n\
            \"jim\" = \"x.y@z\"\n\
            \"kim\" = \"K\\u00e4m <k@m>\"\n\
            raw user <r@u> = R = U <r@u>\n\
            \"jane\" = \"First <a@b>\"\n\
            \"jane\" = \"Last <c@d>\"\n";
        let identity = *IDENTITIES.iter().find(|one| one.name() == "fast-export").unwrap();
        let rules = Rules { identity, authors: map(text).into() };
        for (user, author) in [
            ("\"John Doe\"", "J D <j@d>"),
            ("John Doe", "J D <j@d>"),
            ("John Doe <j@d>", "John Doe <j@d>"),
            ("\"John\" <j@d>", "Quotes inside <j@d>"),
            ("joe", "Somebody <devnull@localhost>"),
            ("jim", "x y <x.y@z>"),
            ("kim", "K\u{e4}m <k@m>"),
            ("raw user <r@u>", "R = U <r@u>"),
            ("jane", "Last <c@d>"),
            ("Jane", "Jane <devnull@localhost>"),
        ] {
            assert_eq!(rules.author(user.as_bytes()), author, "{user:?}");
        }
    }

    #[test]
    fn a_whole_user_comes_before_an_address() {
        let map = map("a@b = Address <x@y>\nA <a@b> = User <x@y>");
        assert_eq!(map.find("A <a@b>"), Some("User <x@y>"));
        assert_eq!(map.find("B <a@b>"), Some("Address <x@y>"));
    }

    #[test]
    fn wrong_lines_are_named() {
        for (text, line) in [
            ("joe", 1),
            ("# x\n\njoe\n", 3),
            ("= x", 1),
            ("joe =", 1),
            ("joe = ", 1),
            ("\"joe\" = \"x\" y", 1),
            ("\"joe\" = \"x", 1),
            ("\"joe\" = \"\\ud800\"", 1),
            ("\"joe\" = \"a\\nb\"", 1),
            ("\"joe\" = \"\"", 1),
        ] {
            assert_eq!(AuthorMap::parse(text.as_bytes()).unwrap_err().0, line, "{text:?}");
        }
    }

    proptest::proptest! {
        /// Whatever people typed, a template is read again and changes no commit.
        #[test]
        fn templates_change_nothing(users: Vec<String>, bytes: Vec<u8>) {
            let users = users.into_iter().map(String::into_bytes).chain([bytes]);
            let typed: Vec<Vec<u8>> = users
                .map(|user| user.into_iter().filter(|byte| *byte != b'\n').collect())
                .collect();
            for identity in IDENTITIES {
                let rules = Rules { identity: *identity, authors: Arc::default() };
                let text = rules.author_map_template(typed.iter().map(|user| user.as_slice().into()));
                let map = AuthorMap::parse(text.as_bytes()).unwrap();
                let rules = Rules { identity: *identity, authors: map.into() };
                // Two users that are known by one name may be two authors.
                for user in typed.iter().filter(|user| !user.contains(&b'"')) {
                    let mapped = rules.user(user);
                    assert_eq!(author(*identity, &mapped), author(*identity, user), "{text}");
                }
            }
        }

        #[test]
        fn parsing_never_panics(text: Vec<u8>) {
            if let Ok(map) = AuthorMap::parse(&text) {
                assert_eq!(AuthorMap::parse(map.to_text().as_bytes()), Ok(map));
            }
        }
    }
}
