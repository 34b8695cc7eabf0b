//! Manifests: which file revision is at which path, one line a file, sorted by path.
//!
//! That is the flat form, which all of this program reads. [`Manifests`] makes it from what a
//! repository has, which may be one manifest for each directory.

mod diff;
mod directories;
mod reader;
mod tree;

pub use diff::{Change, diff};
pub use directories::DirectoryManifests;
pub use reader::{ManifestReader, Manifests};

use bstr::ByteSlice as _;

use super::Node;
use crate::base::RepoPath;

/// What a path is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A plain file.
    Regular,
    /// A file that can be run.
    Executable,
    /// A symbolic link, whose contents are its target.
    Symlink,
}

/// One line of a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'m> {
    /// Where.
    pub path: &'m RepoPath,
    /// Which revision of the file.
    pub node: Node,
    /// What it is.
    pub kind: FileKind,
}

/// The digits of a node.
const DIGITS: usize = 40;

/// What is wrong with a manifest whose bytes are otherwise sound.
pub type Malformed = &'static str;

impl<'m> Line<'m> {
    /// Parses one line, its newline included: `path NUL 40 hex digits [x|l] newline`.
    fn parse(line: &'m [u8]) -> Result<Self, Malformed> {
        let (path, node, flag) = fields(line)?;
        let kind = match flag {
            b"" => FileKind::Regular,
            b"x" => FileKind::Executable,
            b"l" => FileKind::Symlink,
            b"t" => return Err("it has a tree manifest's subtree"),
            _ => return Err("a line has an unknown flag"),
        };
        Ok(Self { path, node, kind })
    }
}

/// The path, the node and the flag in a line, its newline included.
fn fields(line: &[u8]) -> Result<(&RepoPath, Node, &[u8]), Malformed> {
    let line = line.strip_suffix(b"\n").ok_or("the last line does not end")?;
    let end = line.find_byte(0).ok_or("a line has no NUL")?;
    let (path, rest) = line.split_at(end);
    let (hex, flag) = rest
        .get(1..)
        .and_then(|rest| rest.split_at_checked(DIGITS))
        .ok_or("a line has no whole node")?;
    let node = Node::from_hex(hex).ok_or("a node is not hexadecimal")?;
    Ok((path.into(), node, flag))
}

/// A whole manifest.
#[derive(Clone, Copy, Debug)]
pub struct Manifest<'m>(&'m [u8]);

impl<'m> Manifest<'m> {
    /// The manifest with this text.
    pub fn new(text: &'m [u8]) -> Self {
        Self(text)
    }

    /// The lines in order. Stops after the first malformed one.
    pub fn lines(self) -> impl Iterator<Item = Result<Line<'m>, Malformed>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let line = first_line(rest)?;
            let parsed = Line::parse(line);
            rest = match parsed {
                Ok(_) => rest.get(line.len()..).unwrap_or_default(),
                Err(_) => &[],
            };
            Some(parsed)
        })
    }

    /// Where the first line begins whose path is not less than `path`, found by bisection: the
    /// manifest must be sorted for this to be meaningful.
    fn lower_bound(self, path: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.0.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let start = line_start(self.0, low, middle);
            let Some(line) = self.0.get(start..).and_then(first_line) else { break };
            match path_of(line) < RepoPath::new(path) {
                true => low = start + line.len(),
                false => high = start,
            }
        }
        low
    }

    /// The lines whose paths are not less than `path`, in order.
    pub fn lines_from(self, path: &[u8]) -> impl Iterator<Item = Result<Line<'m>, Malformed>> {
        Self(self.0.get(self.lower_bound(path)..).unwrap_or_default()).lines()
    }

    /// The first line whose path is not less than `path`.
    fn line_from(self, path: &[u8]) -> Option<&'m [u8]> {
        self.0.get(self.lower_bound(path)..).and_then(first_line)
    }

    /// The lines below the directory `prefix`, which ends in a slash, and those after them. The
    /// manifest must begin with the former.
    pub fn split_directory(self, prefix: &[u8]) -> (Self, Self) {
        let mut end = prefix.to_vec();
        // What follows the slash in byte order ends the directory.
        end.pop();
        end.push(b'/' + 1);
        let (below, after) = self.0.split_at(self.lower_bound(&end).min(self.0.len()));
        (Self(below), Self(after))
    }

    /// The lines below the directory `prefix`, which ends in a slash.
    fn below(self, prefix: &[u8]) -> Self {
        let from = self.0.get(self.lower_bound(prefix)..).unwrap_or_default();
        Self(from).split_directory(prefix).0
    }

    /// The manifest without its first line.
    #[must_use]
    pub fn after_first(self) -> Self {
        let first = first_line(self.0).unwrap_or_default();
        Self(self.0.get(first.len()..).unwrap_or_default())
    }

    /// The text.
    pub fn text(self) -> &'m [u8] {
        self.0
    }

    /// Whether there is a file at `path`.
    pub fn has_file(self, path: &RepoPath) -> bool {
        self.line_from(path).is_some_and(|line| path_of(line) == path)
    }

    /// The line of the file at `path`.
    pub fn file(self, path: &RepoPath) -> Option<Line<'m>> {
        let line = Line::parse(self.line_from(path)?).ok()?;
        (line.path == path).then_some(line)
    }

    /// Whether `path` is a directory, that is, whether a file lies below it.
    pub fn has_directory(self, path: &RepoPath) -> bool {
        let mut prefix = path.to_vec();
        prefix.push(b'/');
        self.line_from(&prefix).is_some_and(|line| line.starts_with(&prefix))
    }

    /// The files whose path is a directory too, which Mercurial lets happen and Git cannot have, in
    /// path order. A directory counts if a line below it does, and so does a file.
    ///
    /// Each line is looked at once. The lines must be sorted for this to be meaningful.
    pub fn clashes(self, counts: impl Fn(Line<'m>) -> bool) -> Vec<&'m RepoPath> {
        // Most lines are passed over by their paths alone: all of a large manifest is looked at in each small sync.
        let counts = |line| Line::parse(line).is_ok_and(&counts);
        // Files whose path the current one begins with, and whether they clash: in a sorted
        // manifest what begins with the same bytes stands together.
        let mut open: Vec<(&RepoPath, &[u8], bool)> = Vec::new();
        let mut found = Vec::new();
        let mut rest = self.0;
        while let Some((path, line)) = first_path(rest) {
            rest = rest.get(line.len()..).unwrap_or_default();
            while let Some((file, _, clashes)) = open.pop_if(|(file, ..)| !path.starts_with(file)) {
                found.extend(clashes.then_some(file));
            }
            for (file, of, clashes) in &mut open {
                let is_below = path.get(file.len()) == Some(&b'/');
                *clashes |= is_below && counts(of) && counts(line);
            }
            open.push((path, line, false));
        }
        found.extend(open.into_iter().filter(|(.., clashes)| *clashes).map(|(file, ..)| file));
        found.sort_unstable();
        found
    }

    /// Whether adding a file at `path` made some path a file and a directory at once. Each directory
    /// that the path lies in is looked up.
    pub fn clashes_at(self, path: &RepoPath) -> bool {
        let mut up = parent(path);
        while let Some(folder) = up {
            if self.has_file(folder.into()) {
                return true;
            }
            up = parent(folder.into());
        }
        self.has_directory(path)
    }
}

/// The directory that `path` is in; `None` at the top.
fn parent(path: &RepoPath) -> Option<&[u8]> {
    path.rfind_byte(b'/').and_then(|at| path.get(..at))
}

/// The first line of `text`, newline included; `None` if there is nothing left.
fn first_line(text: &[u8]) -> Option<&[u8]> {
    let end = text.find_byte(b'\n').map_or(text.len(), |at| at + 1);
    text.get(..end).filter(|line| !line.is_empty())
}

/// The path of the first line of `text`, and the line, newline included; `None` if there is nothing left.
fn first_path(text: &[u8]) -> Option<(&RepoPath, &[u8])> {
    // Nearly all lines end after the digits.
    if let Some(end) = text.find_byte(0)
        && let Some((line, _)) = text.split_at_checked(end + DIGITS + 2)
        && line.ends_with(b"\n")
    {
        return Some((line.get(..end).unwrap_or_default().into(), line));
    }
    first_line(text).map(|line| (path_of(line), line))
}

/// Where the line begins that holds the byte at `at`, not before `low`.
fn line_start(text: &[u8], low: usize, at: usize) -> usize {
    let before = text.get(low..at).unwrap_or_default();
    bstr::ByteSlice::rfind_byte(before, b'\n').map_or(low, |newline| low + newline + 1)
}

/// The path of a line, parsed or not: all before the NUL.
fn path_of(line: &[u8]) -> &RepoPath {
    let end = bstr::ByteSlice::find_byte(line, 0).unwrap_or(line.len());
    line.get(..end).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(paths: &[&str]) -> Vec<u8> {
        let line = |path: &&str| format!("{path}\0{}\n", "1".repeat(40)).into_bytes();
        paths.iter().flat_map(line).collect()
    }

    #[test]
    fn finds_files_and_directories() {
        let text = text(&["a", "a-b", "b/c/d", "b/c0", "z"]);
        let manifest = Manifest::new(&text);
        for path in ["a", "a-b", "b/c/d", "b/c0", "z"] {
            assert!(manifest.has_file(path.into()), "{path}");
            assert!(!manifest.has_directory(path.into()), "{path}");
        }
        for path in ["", "b", "b/c", "zz", "a-"] {
            assert!(!manifest.has_file(path.into()), "{path}");
        }
        assert!(manifest.has_directory("b".into()) && manifest.has_directory("b/c".into()));
        assert!(manifest.clashes(|_| true).is_empty());
    }

    #[test]
    fn a_file_that_is_a_directory_too() {
        let text =
            text(&["a", "a-b", "a.c", "a/b", "a/b.x", "a/b/c", "a/b/d", "a0", "b", "b/.git/x"]);
        let manifest = Manifest::new(&text);
        let any = |_: Line<'_>| true;
        assert_eq!(manifest.clashes(any), ["a", "a/b", "b"]);
        assert_eq!(manifest.clashes(|line| !line.path.ends_with(b".git/x")), ["a", "a/b"]);
        assert_eq!(manifest.clashes(|line| line.path != "a"), ["a/b", "b"]);
        assert!(manifest.clashes_at("a".into()) && manifest.clashes_at("a/b/c".into()));
        assert!(!manifest.clashes_at("a-b".into()));
    }

    proptest::proptest! {
        #[test]
        fn clashes_are_files_that_others_lie_below(
            paths in proptest::collection::btree_set("[ab/.-]{0,5}", 0..20),
        ) {
            let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
            let text = text(&paths);
            let lies_below = |file: &str| {
                paths.iter().any(|path| path.strip_prefix(file).is_some_and(|rest| rest.starts_with('/')))
            };
            let expected: Vec<_> = paths.iter().filter(|path| lies_below(path)).collect();
            assert_eq!(Manifest::new(&text).clashes(|_| true), expected);
        }
    }

    /// A path of a million directories, and many that begin alike: time that grows with the square
    /// of either would be minutes.
    #[test]
    fn clashes_are_found_in_bounded_time() {
        let deep = "d/".repeat(1 << 20) + "f";
        let alike: Vec<String> = (0..2000).map(|i| "x".repeat(i + 1)).collect();
        let mut paths: Vec<&str> = alike.iter().map(String::as_str).collect();
        paths.insert(0, &deep);
        let start = std::time::Instant::now();
        assert!(Manifest::new(&text(&paths)).clashes(|_| true).is_empty());
        assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    }

    #[test]
    fn malformed_lines() {
        let bad = |text: &[u8]| Manifest::new(text).lines().any(|line| line.is_err());
        assert!(bad(b"a\n") && bad(b"a\x000123\n") && bad(&text(&["a"])[..41]));
        let mut flag = text(&["a"]);
        flag.insert(42, b'q');
        assert!(bad(&flag));
    }
}
