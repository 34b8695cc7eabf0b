//! Subrepositories: what `.hgsub` and `.hgsubstate` say together.
//!
//! `.hgsub` has the syntax of a configuration file: `path = [kind]source`, and a section
//! `[subpaths]` of patterns that rewrite sources. A line of `.hgsubstate` is a revision, a space and
//! a path. Source of the rules: `hg help subrepos`, and what Mercurial does with files written by
//! hand. What a user's own configuration adds is none of our business.

use std::collections::HashMap;

use bstr::{BString, ByteSlice};
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::util::syntax;

use super::manifest::Malformed;
use super::store::config_text::{Entry, parse};
use super::store::files::lines;
use crate::base::{RepoPath, RepoPathBuf};

/// The file that names subrepositories and where they come from.
pub const SUB: &str = ".hgsub";
/// The file that says at which revision each of them is.
pub const STATE: &str = ".hgsubstate";

/// One subrepository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subrepository {
    /// Where it is checked out.
    pub path: RepoPathBuf,
    /// What it is: `hg`, `git`, `svn`, or anything else that was written there.
    pub kind: BString,
    /// Where it comes from, rewritten by `[subpaths]`. What is relative stays so.
    pub source: BString,
    /// The revision it is at, as it is written; empty if none is recorded.
    pub revision: BString,
}

/// Why the subrepositories of a changeset are not known.
#[derive(Debug)]
pub enum SubrepoError<E> {
    /// A file cannot be read.
    Read(E),
    /// The files are malformed. Mercurial stops at them too.
    Malformed(Malformed),
}

impl<E> From<Malformed> for SubrepoError<E> {
    fn from(what: Malformed) -> Self {
        Self::Malformed(what)
    }
}

/// Gives the contents of a changeset's file; `None` for one that is not there.
pub type ReadFile<'r, E> = dyn FnMut(&RepoPath) -> Result<Option<Vec<u8>>, E> + 'r;

/// The largest file that is looked at. Real ones have a few lines.
const MAX_BYTES: usize = 16 << 20;
/// How many files may include one another.
const MAX_INCLUDES: usize = 64;
/// How many patterns may rewrite sources.
const MAX_PATTERNS: usize = 1000;
/// The most memory that one pattern may take when it is compiled, in bytes.
const MAX_PATTERN_BYTES: usize = 1 << 20;

/// The subrepositories of a changeset, in the order of `.hgsub`.
pub fn subrepositories<E>(
    read: &mut ReadFile<'_, E>,
) -> Result<Vec<Subrepository>, SubrepoError<E>> {
    let Some(text) = read(SUB.into()).map_err(SubrepoError::Read)? else { return Ok(Vec::new()) };
    let mut spec = Spec::default();
    spec.add(&text, SUB.into(), read)?;
    let state = read(STATE.into()).map_err(SubrepoError::Read)?.unwrap_or_default();
    let revisions = revisions(&state)?;
    let patterns = spec.patterns()?;
    let mut all = Vec::new();
    for (path, value) in spec.paths.into_items() {
        if value.is_empty() {
            continue;
        }
        let (kind, source) = match value.strip_prefix(b"[") {
            Some(rest) => rest.split_once_str("]").ok_or("a kind of subrepository does not end")?,
            None => (&b"hg"[..], value.as_slice()),
        };
        let mut source = BString::from(source.trim_ascii_start());
        for pattern in &patterns {
            source = pattern.rewrite(source);
        }
        let revision = revisions.get(path.as_bstr()).copied().unwrap_or_default();
        all.push(Subrepository { path, kind: kind.into(), source, revision: revision.into() });
    }
    Ok(all)
}

/// Path and revision of each line of `.hgsubstate`; the last of two for one path holds.
fn revisions(state: &[u8]) -> Result<HashMap<&RepoPath, &[u8]>, Malformed> {
    check_size(state)?;
    let mut revisions = HashMap::new();
    for line in lines(state).map(<[u8]>::trim_ascii_start).filter(|line| !line.is_empty()) {
        let (revision, path) = line.split_once_str(" ").ok_or("a line has no revision and path")?;
        revisions.insert(path.as_bstr(), revision);
    }
    Ok(revisions)
}

fn check_size(text: &[u8]) -> Result<(), Malformed> {
    if text.len() > MAX_BYTES { Err("a file is larger than 16 MiB") } else { Ok(()) }
}

/// Names with values; one that is set again moves to the end.
#[derive(Default)]
struct Items {
    values: HashMap<BString, (usize, BString)>,
    next: usize,
}

impl Items {
    fn set(&mut self, name: &[u8], value: BString) {
        self.values.insert(name.into(), (self.next, value));
        self.next += 1;
    }

    fn into_items(self) -> Vec<(BString, BString)> {
        let mut items: Vec<_> = self.values.into_iter().collect();
        items.sort_unstable_by_key(|(_, (at, _))| *at);
        items.into_iter().map(|(name, (_, value))| (name, value)).collect()
    }
}

/// What `.hgsub` and the files that it includes say.
#[derive(Default)]
struct Spec {
    paths: Items,
    patterns: Items,
    files: usize,
}

impl Spec {
    fn add<E>(
        &mut self,
        text: &[u8],
        file: &RepoPath,
        read: &mut ReadFile<'_, E>,
    ) -> Result<(), SubrepoError<E>> {
        check_size(text)?;
        self.files += 1;
        if self.files > MAX_INCLUDES {
            return Err(SubrepoError::Malformed("it includes too many files"));
        }
        for (_, entry) in parse(text).map_err(|_| "a line cannot be understood")? {
            match entry {
                Entry::Set { section, name, value } => {
                    if let Some(items) = self.section(section) {
                        items.set(name, value);
                    }
                }
                Entry::Unset { section, name } => {
                    if let Some(items) = self.section(section) {
                        items.values.remove(name.as_bstr());
                    }
                }
                Entry::Include { target } => {
                    let folder = file.rfind_byte(b'/').and_then(|at| file.get(..=at));
                    let path = RepoPathBuf::from([folder.unwrap_or_default(), target].concat());
                    let text = read(path.as_ref()).map_err(SubrepoError::Read)?;
                    let text = text.ok_or("it includes a file that is not there")?;
                    self.add(&text, path.as_ref(), read)?;
                }
            }
        }
        Ok(())
    }

    fn section(&mut self, name: &[u8]) -> Option<&mut Items> {
        match name {
            b"" => Some(&mut self.paths),
            b"subpaths" => Some(&mut self.patterns),
            _ => None,
        }
    }

    fn patterns(&mut self) -> Result<Vec<Pattern>, Malformed> {
        let items = std::mem::take(&mut self.patterns).into_items();
        if items.len() > MAX_PATTERNS {
            return Err("it has too many patterns");
        }
        items.iter().map(|(pattern, by)| Pattern::new(pattern, by)).collect()
    }
}

/// A pattern of `[subpaths]` and what replaces the first place where it matches.
struct Pattern {
    regex: PikeVM,
    replacement: Vec<Part>,
}

/// A part of a replacement.
enum Part {
    Text(Vec<u8>),
    /// What a group of the pattern matched.
    Group(usize),
}

impl Pattern {
    fn new(pattern: &[u8], replacement: &[u8]) -> Result<Self, Malformed> {
        const BAD: Malformed = "a pattern cannot be understood";
        let nfa = regex_automata::nfa::thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(MAX_PATTERN_BYTES));
        let regex = PikeVM::builder()
            .syntax(syntax::Config::new().unicode(false).utf8(false))
            .thompson(nfa)
            .build(pattern.to_str().map_err(|_| BAD)?)
            .map_err(|_| BAD)?;
        let groups = regex.get_nfa().group_info().group_len(regex_automata::PatternID::ZERO);
        let replacement = parts(replacement);
        let exists = |part: &Part| !matches!(part, Part::Group(group) if *group >= groups);
        match replacement.iter().all(exists) {
            true => Ok(Self { regex, replacement }),
            false => Err("a replacement names a group that its pattern does not have"),
        }
    }

    fn rewrite(&self, source: BString) -> BString {
        let mut found = self.regex.create_captures();
        self.regex.captures(&mut self.regex.create_cache(), source.as_slice(), &mut found);
        let Some(all) = found.get_match() else { return source };
        let mut text = source.get(..all.start()).unwrap_or_default().to_vec();
        for part in &self.replacement {
            text.extend_from_slice(match part {
                Part::Text(text) => text,
                Part::Group(group) => {
                    let span = found.get_group(*group);
                    span.and_then(|span| source.get(span.range())).unwrap_or_default()
                }
            });
        }
        text.extend_from_slice(source.get(all.end()..).unwrap_or_default());
        text.into()
    }
}

/// The parts of a replacement: a backslash before one or two digits names a group, any other stands
/// for itself.
fn parts(replacement: &[u8]) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = replacement;
    while !rest.is_empty() {
        let digits = rest
            .strip_prefix(b"\\")
            .map_or(0, |rest| rest.iter().take(2).take_while(|byte| byte.is_ascii_digit()).count());
        if digits > 0 {
            let number = rest.get(1..=digits).and_then(|digits| digits.to_str().ok()?.parse().ok());
            parts.push(Part::Group(number.unwrap_or(usize::MAX)));
            rest = rest.get(1 + digits..).unwrap_or_default();
            continue;
        }
        let next = rest.get(1..).and_then(|rest| rest.find_byte(b'\\'));
        let (text, after) = rest.split_at(next.map_or(rest.len(), |at| at + 1));
        parts.push(Part::Text(text.to_vec()));
        rest = after;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONES: &str = "1111111111111111111111111111111111111111";

    type Read = Result<Vec<Subrepository>, SubrepoError<()>>;

    fn read(files: &[(&str, &[u8])]) -> Read {
        subrepositories(&mut |path: &RepoPath| {
            let found = files.iter().find(|(name, _)| path == *name);
            Ok::<_, ()>(found.map(|(_, text)| text.to_vec()))
        })
    }

    /// Path, kind and source of each.
    fn listed(hgsub: &[u8]) -> Option<Vec<String>> {
        let all = read(&[(SUB, hgsub), ("more", b"m = [git]u://m\n")]).ok()?;
        Some(all.iter().map(|sub| format!("{}|{}|{}", sub.path, sub.kind, sub.source)).collect())
    }

    /// What hg-git and hg-fast-export, which ask Mercurial, made of these.
    #[test]
    fn files_as_mercurial_reads_them() {
        for (hgsub, expected) in [
            (&b"z = [git]u://z\na = u://a\n"[..], &["z|git|u://z", "a|hg|u://a"][..]),
            (b"z = [git]u://z\n  # more\nb = [git]b # t", &["z|git|u://z\n# more", "b|git|b # t"]),
            (b"z   =   [git]   u://z   \nq q=[git]u q\n", &["z|git|u://z", "q q|git|u q"]),
            (b"\xef\xbb\xbfz = [git]u://z\r\n", &["z|git|u://z"]),
            (b"z = [git]1\nb = [git]2\nz = [git]3\n", &["b|git|2", "z|git|3"]),
            (b"z = \nb = [git]2\n%unset b\nc = [git]\n", &["c|git|"]),
            (b"z = [git]1\n%include more\n[x]\ny = [git]2\n", &["z|git|1", "m|git|u://m"]),
            (b"z = [ git ]1\ny = []2\n", &["z| git |1", "y||2"]),
            (b"z = [git]u://old/z\n[subpaths]\nu://old/(.*) = v/\\1\n", &["z|git|v/z"]),
            (b"z = [git]old\n[subpaths]\nold = mid\nmid = new\n", &["z|git|new"]),
            (b"z = [git]aaa\n[subpaths]\na = b\n", &["z|git|baa"]),
            (b"z = [git]x-y\n[subpaths]\n(x)-(y) = \\g<q>\\2\\\\n$1\n", &["z|git|\\g<q>y\\\\n$1"]),
            (b"z = [git]u://x-y\n[subpaths]\n^u:(//)x = v:\\1\ny$ =\n", &["z|git|v://-"]),
        ] {
            assert_eq!(listed(hgsub).unwrap(), expected, "{:?}", BString::from(hgsub));
        }
        for hgsub in [
            &b"garbage\n"[..],
            b" = x\n",
            b"z = [git 1\n",
            b"%include nothere\n",
            b"%include .hgsub\n",
            b"z = x\n[subpaths]\n( = x\n",
            b"z = x\n[subpaths]\n(x) = \\2\n",
            b"z = x\n[subpaths]\n((a{999}){999}){999} = x\n",
        ] {
            assert!(listed(hgsub).is_none(), "{:?}", BString::from(hgsub));
        }
        assert_eq!(read(&[(STATE, b"x y\n")]).unwrap(), []);
    }

    #[test]
    fn states_as_mercurial_reads_them() {
        let revision = |state: &str| {
            let files = [(SUB, &b"s = [git]u\n"[..]), (STATE, state.as_bytes())];
            read(&files).ok().map(|all| all[0].revision.to_string())
        };
        let ones = || Some(ONES.to_owned());
        for state in
            ["1 s\n", "\n1 s\n\n", "  1 s\r\n", "2 s\n1 s", "1 s\r2 t\n", "# x y\n1 s\n2 t\n"]
        {
            assert_eq!(revision(&state.replace('1', ONES)), ones(), "{state:?}");
        }
        for state in ["", "1 t\n", "1  s\n", "1 s \n"] {
            assert_eq!(revision(state), Some(String::new()), "{state:?}");
        }
        assert_eq!(revision("one\n"), None);
        assert_eq!(revision("1\ts\n"), None);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(hgsub: Vec<u8>, pattern: String, by: Vec<u8>, source: Vec<u8>) {
            let _ = read(&[(SUB, &hgsub), (STATE, &hgsub)]);
            if let Ok(pattern) = Pattern::new(pattern.as_bytes(), &by) {
                pattern.rewrite(source.into());
            }
        }
    }
}
