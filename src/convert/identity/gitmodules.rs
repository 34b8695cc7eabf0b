//! The file `.gitmodules` as hg-git writes it, on top of a committed one.
//!
//! What it keeps of such a file are sections and settings; comments and layout are lost. Where it
//! cannot read one, we begin without.

use bstr::{BStr, BString, ByteSlice};

use super::submodules::GitSubrepository;

/// A file of settings, in the order in which they were first said.
#[derive(Debug, Default, PartialEq, Eq)]
struct Config(Vec<Section>);

#[derive(Debug, PartialEq, Eq)]
struct Section {
    /// `submodule`, in any case.
    kind: BString,
    /// The name between quotes, with its escapes.
    name: Option<BString>,
    settings: Vec<(BString, BString)>,
}

/// The file for these subrepositories, `tracked` being what the changeset itself has in its place.
pub(super) fn gitmodules(tracked: Option<&[u8]>, all: &[GitSubrepository]) -> Vec<u8> {
    let mut config = tracked.and_then(Config::parse).unwrap_or_default();
    let named: Vec<(BString, BString)> = config
        .0
        .iter()
        .filter_map(|section| Some((section.path()?, section.name.clone()?)))
        .collect();
    for sub in all {
        // A section that has the path keeps its name, and both its old settings and the new ones.
        let known = named.iter().rfind(|(path, _)| *path == sub.path);
        let name = known.map_or(&sub.path, |(_, name)| name);
        let section = config.section(b"submodule".as_bstr(), Some(name.as_bstr()));
        config.set(section, b"path", sub.path.clone());
        config.set(section, b"url", sub.source.clone());
    }
    config.to_bytes()
}

impl Section {
    fn is(&self, kind: &BStr, name: Option<&BStr>) -> bool {
        self.kind.eq_ignore_ascii_case(kind) && self.name.as_ref().map(AsRef::as_ref) == name
    }

    fn last(&self, key: &str) -> Option<&BString> {
        let is_it = |(name, _): &&(BString, BString)| name.eq_ignore_ascii_case(key.as_bytes());
        self.settings.iter().rfind(is_it).map(|(_, value)| value)
    }

    /// The path of a submodule; one without a URL does not count.
    fn path(&self) -> Option<BString> {
        self.last("url").filter(|_| self.kind.eq_ignore_ascii_case(b"submodule"))?;
        self.last("path").cloned()
    }
}

impl Config {
    /// Where the section of this kind and name is; it is made if it is not there.
    fn section(&mut self, kind: &BStr, name: Option<&BStr>) -> usize {
        let Self(sections) = self;
        let found = sections.iter().position(|section| section.is(kind, name));
        found.unwrap_or_else(|| {
            let (kind, name) = (kind.to_owned(), name.map(ToOwned::to_owned));
            sections.push(Section { kind, name, settings: Vec::new() });
            sections.len() - 1
        })
    }

    fn set(&mut self, section: usize, key: &[u8], value: BString) {
        if let Some(section) = self.0.get_mut(section) {
            section.settings.push((key.into(), value));
        }
    }

    /// Reads a file; `None` if it is malformed.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
        let mut config = Self::default();
        let mut section = None;
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let mut line = line.trim_ascii();
            if let Some(header) = line.strip_prefix(b"[") {
                let (inside, rest) = header_end(header)?;
                let (kind, name) = header_names(inside)?;
                section = Some(config.section(kind, name));
                line = rest.trim_ascii();
            }
            if matches!(line.first(), None | Some(b'#' | b';')) {
                continue;
            }
            let section = section?;
            let (key, value) = line.split_once_str("=").unwrap_or((line, b"true"));
            let key = key.trim_ascii_end();
            let mut value = value.to_vec();
            while value.ends_with(b"\\") && !value.ends_with(b"\\\\") {
                value.pop();
                value.extend_from_slice(lines.next()?.trim_ascii());
            }
            let is_key = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            if key.is_empty() || !key.iter().all(is_key) {
                return None;
            }
            config.set(section, key, unquoted(value.trim_ascii())?);
        }
        Some(config)
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut text = Vec::new();
        for Section { kind, name, settings } in &self.0 {
            let header: &[&[u8]] = match name {
                Some(name) => &[b"[", kind, b" \"", name, b"\"]\n"],
                None => &[b"[", kind, b"]\n"],
            };
            text.extend(header.concat());
            for (key, value) in settings {
                text.extend([b"\t", key.as_slice(), b" = ", &quoted(value), b"\n"].concat());
            }
        }
        text
    }
}

/// What stands between the brackets of a section's header, and what follows them.
fn header_end(header: &[u8]) -> Option<(&[u8], &[u8])> {
    let (mut in_quotes, mut escaped) = (false, false);
    for (at, &byte) in header.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_quotes => escaped = true,
            b'"' => in_quotes = !in_quotes,
            b']' if !in_quotes => return Some((header.get(..at)?, header.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// The kind and the name in a section's header.
fn header_names(inside: &[u8]) -> Option<(&BStr, Option<&BStr>)> {
    let Some((kind, name)) = inside.split_once_str(" ") else {
        return Some(match inside.split_once_str(".") {
            Some((kind, name)) => (kind.into(), Some(name.into())),
            None => (inside.into(), None),
        });
    };
    let name = name.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    Some((kind.into(), Some(name.into())))
}

/// The value that is written so, without its comment; `None` if its quotes do not end.
fn unquoted(written: &[u8]) -> Option<BString> {
    let mut value = Vec::with_capacity(written.len());
    // Blanks count only if something follows them.
    let mut blanks = Vec::new();
    let mut in_quotes = false;
    let mut bytes = written.iter().copied();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'"' => {
                in_quotes = !in_quotes;
                continue;
            }
            b'#' | b';' if !in_quotes => break,
            b' ' | b'\t' => {
                blanks.push(byte);
                continue;
            }
            b'\\' => match bytes.next()? {
                b'n' => b'\n',
                b't' => b'\t',
                b'b' => 8,
                other => other,
            },
            other => other,
        };
        value.append(&mut blanks);
        value.push(byte);
    }
    (!in_quotes).then(|| value.into())
}

/// A value as it is written.
fn quoted(value: &[u8]) -> Vec<u8> {
    let blank = |byte: Option<&u8>| matches!(byte, Some(b' ' | b'\t'));
    let needs = blank(value.first()) || blank(value.last()) || value.contains(&b'#');
    let quote: &[u8] = if needs { b"\"" } else { b"" };
    let mut written = quote.to_vec();
    for &byte in value {
        match byte {
            b'\\' => written.extend(b"\\\\"),
            b'"' => written.extend(b"\\\""),
            b'\n' => written.extend(b"\\n"),
            b'\t' => written.extend(b"\\t"),
            b'\r' => written.extend(b"\\r"),
            byte => written.push(byte),
        }
    }
    written.extend(quote);
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::testing::every_cut_and_flip;
    use crate::git::ObjectId;

    fn made(tracked: &str, all: &[(&str, &str)]) -> String {
        let sub = |(path, source): &(&str, &str)| GitSubrepository {
            path: (*path).into(),
            source: (*source).into(),
            commit: ObjectId::NULL,
        };
        let all: Vec<_> = all.iter().map(sub).collect();
        String::from_utf8(gitmodules(Some(tracked.as_bytes()), &all)).unwrap()
    }

    /// What hg-git 1.2.0 wrote for these.
    #[test]
    fn values_are_quoted_as_hg_git_does() {
        for (path, url, expected) in [
            ("z", "https://e/a;b#c", "path = z\n\turl = \"https://e/a;b#c\"\n"),
            ("\"k\"", "\"u\"\\y", "path = \\\"k\\\"\n\turl = \\\"u\\\"\\\\y\n"),
            ("z\tq", "u\n# x", "path = z\\tq\n\turl = \"u\\n# x\"\n"),
            ("z", "", "path = z\n\turl = \n"),
        ] {
            let expected = format!("[submodule \"{path}\"]\n\t{expected}");
            assert_eq!(made("", &[(path, url)]), expected);
        }
    }

    /// Whatever was committed, and however it is cut or flipped, the new submodule is in what is written.
    #[test]
    fn every_cut_and_every_flip_is_another_file() {
        let text = b"[submodule \"t\\\"x\"] # c\r\n\tpath = t\n\turl = \"a;\" \\\n  b\\n\n[x]\nq\n";
        assert!(Config::parse(text).is_some());
        let look = |text: &[u8]| {
            let all =
                [GitSubrepository { path: "z".into(), source: "u".into(), commit: ObjectId::NULL }];
            let written = gitmodules(Some(text), &all);
            assert!(written.windows(3).any(|three| three == b"= u"), "{text:?}");
        };
        every_cut_and_flip(text.to_vec(), look);
    }

    #[test]
    fn what_was_committed_is_kept_as_hg_git_keeps_it() {
        let z = "[submodule \"z\"]\n\tpath = z\n\turl = u\n";
        for (tracked, expected) in [
            (
                "[submodule \"t\"] path = t\n\turl = a \\\n  b\n\tupdate\n\tB-c = \"x\" y\n\tq = a\\tb ; c\n",
                "[submodule \"t\"]\n\tpath = t\n\turl = a b\n\tupdate = true\n\tB-c = x y\n\tq = a\\tb\n",
            ),
            (
                "\u{feff}; c\r\n[submodule \"t\\\"x\\\\y\"] # x\r\n# y\r\n path=u v#\r\n\r\n",
                "[submodule \"t\\\"x\\\\y\"]\n\tpath = u v\n",
            ),
            (
                "[submodule.t]\n\tpath = t\n[foo \"bar\"]\n\tpath = z\n[submodule \"t\"]\n\tx = \" q \"\n",
                "[submodule \"t\"]\n\tpath = t\n\tx = \" q\"\n[foo \"bar\"]\n\tpath = z\n",
            ),
            ("[submodule \"\"]\n\turl = \"u;#x\"\n", "[submodule \"\"]\n\turl = \"u;#x\"\n"),
            ("", ""),
            // Here hg-git ends with an error.
            ("junk\n", ""),
            ("[core]\n\tx = y\n", "[core]\n\tx = y\n"),
            ("[submodule  \"t\"]\n", ""),
            ("[submodule \"t\"]\n\tpath = \"u\n", ""),
        ] {
            assert_eq!(made(tracked, &[("z", "u")]), format!("{expected}{z}"), "{tracked:?}");
        }
    }

    #[test]
    fn a_section_that_has_the_path_gets_the_new_settings_too() {
        for (tracked, expected) in [
            (
                "[submodule \"nm\"]\n\tpath = z\n\turl = old\n",
                "[submodule \"nm\"]\n\tpath = z\n\turl = old\n\tpath = z\n\turl = u\n",
            ),
            (
                "[submodule \"z\"]\n\tpath = q\n",
                "[submodule \"z\"]\n\tpath = q\n\tpath = z\n\turl = u\n",
            ),
            (
                "[SubModule \"T\"]\n\tPath = z\n\tURL = u\n",
                "[SubModule \"T\"]\n\tPath = z\n\tURL = u\n\tpath = z\n\turl = u\n",
            ),
            (
                "[submodule \"t\"]\n\tpath = t\n\tpath = z\n\turl = v\n",
                "[submodule \"t\"]\n\tpath = t\n\tpath = z\n\turl = v\n\tpath = z\n\turl = u\n",
            ),
        ] {
            assert_eq!(made(tracked, &[("z", "u")]), expected, "{tracked:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text: Vec<u8>) {
            Config::parse(&text);
        }

        #[test]
        fn what_is_written_is_read_again(value: Vec<u8>) {
            let is_kept = !value.iter().any(|byte| b"\r;".contains(byte)) && !value.ends_with(b" ")
                && !value.ends_with(b"\t");
            if is_kept {
                proptest::prop_assert_eq!(unquoted(&quoted(&value)), Some(value.into()));
            }
        }
    }
}
