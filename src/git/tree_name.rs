//! Names that Git does not allow in a tree: those that `git fsck --strict` refuses, and with it
//! every server that checks what it is sent.
//!
//! On some file systems other names reach the same files: HFS+ ignores certain characters and
//! case, NTFS ignores case and trailing dots and spaces, cuts at a colon, and has short names.

use super::tree::Mode;
use crate::base::RepoPath;
use crate::base::repo_path::components;

/// Why a name is not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Forbidden {
    /// The name is empty, as between two slashes.
    Empty,
    /// `.` or `..`.
    Dots,
    /// `.git` in one of its spellings.
    DotGit,
    /// `.gitmodules` in one of its spellings, and not a plain file.
    Gitmodules,
    /// `.gitattributes` in one of its spellings, and a directory.
    Gitattributes,
    /// Longer than 4096 bytes.
    TooLong,
    /// In more directories than Git descends into.
    TooDeep,
}

impl Forbidden {
    /// What is wrong, as the end of a sentence that begins with the path.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Empty => "has an empty component",
            Self::Dots => "has a component `.` or `..`",
            Self::DotGit => "has a component that is a spelling of `.git`",
            Self::Gitmodules => "is a spelling of `.gitmodules` and not a plain file",
            Self::Gitattributes => "is a spelling of `.gitattributes` and a directory",
            Self::TooLong => "has a component of more than 4096 bytes",
            Self::TooDeep => "lies in more than 2048 directories",
        }
    }
}

/// The longest name that `git fsck` lets pass.
const MAX_LENGTH: usize = 4096;

/// The most directories, one in the other, that Git descends into (`core.maxTreeDepth`): it refuses
/// to list or check out a tree with more.
pub const MAX_DEPTH: usize = 2048;

/// A file that Git itself reads, and its names on NTFS.
struct Special {
    /// The name after the dot, in lower case.
    name: &'static [u8],
    /// What its first four short names begin with.
    short: &'static [u8],
    /// What its later short names begin with.
    late_short: &'static [u8],
    /// Whether it may be a symbolic link.
    may_be_link: bool,
    /// Whether Git looks for it behind backslashes, which separate on NTFS.
    behind_backslash: bool,
    why: Forbidden,
}

const SPECIAL: [Special; 2] = [
    Special {
        name: b"gitmodules",
        short: b"gitmod~",
        late_short: b"gi7eba",
        may_be_link: false,
        behind_backslash: true,
        why: Forbidden::Gitmodules,
    },
    Special {
        name: b"gitattributes",
        short: b"gitatt~",
        late_short: b"gi7d29",
        may_be_link: true,
        behind_backslash: false,
        why: Forbidden::Gitattributes,
    },
];

/// Why Git forbids a tree entry of this name and mode, if it does.
pub fn forbidden(name: &[u8], mode: Mode) -> Option<Forbidden> {
    match name {
        b"" => return Some(Forbidden::Empty),
        b"." | b".." => return Some(Forbidden::Dots),
        _ if name.len() > MAX_LENGTH => return Some(Forbidden::TooLong),
        _ => {}
    }
    if is_hfs(name, b"git") || ntfs_names(name).any(is_ntfs_dotgit) {
        return Some(Forbidden::DotGit);
    }
    let allowed = |special: &Special| match mode {
        Mode::Regular | Mode::Executable => true,
        Mode::Symlink => special.may_be_link,
        Mode::Directory | Mode::Gitlink => false,
    };
    let is = |special: &&Special| {
        let mut ntfs_names =
            ntfs_names(name).take(if special.behind_backslash { usize::MAX } else { 1 });
        is_hfs(name, special.name) || ntfs_names.any(|name| special.is_ntfs(name))
    };
    SPECIAL.iter().filter(|special| !allowed(special)).find(is).map(|special| special.why)
}

/// Why Git forbids a file at `path`, whatever kind of file it is: some component is forbidden.
pub fn forbidden_path(path: &RepoPath) -> Option<Forbidden> {
    if components(path).nth(MAX_DEPTH + 1).is_some() {
        return Some(Forbidden::TooDeep);
    }
    let mut components = components(path).peekable();
    while let Some(name) = components.next() {
        let mode = if components.peek().is_some() { Mode::Directory } else { Mode::Regular };
        if let Some(why) = forbidden(name, mode) {
            return Some(why);
        }
    }
    None
}

/// Why no tree can have a file at `path`, even one that `git fsck` objects to.
pub fn impossible_path(path: &RepoPath) -> Option<Forbidden> {
    let why = components(path).find_map(|name| match name {
        b"" => Some(Forbidden::Empty),
        b"." | b".." => Some(Forbidden::Dots),
        _ => None,
    });
    why.or_else(|| (components(path).count() > MAX_DEPTH + 1).then_some(Forbidden::TooDeep))
}

/// What NTFS may take for the name: it is cut at backslashes, which separate there.
fn ntfs_names(name: &[u8]) -> impl Iterator<Item = &[u8]> {
    let after_backslash = name.iter().enumerate().filter(|(_, byte)| **byte == b'\\');
    std::iter::once(name).chain(after_backslash.filter_map(|(at, _)| name.get(at + 1..)))
}

/// Whether HFS+ takes `name` for a dot followed by `word` (in lower case).
fn is_hfs(name: &[u8], word: &[u8]) -> bool {
    // Git stops at the first malformed byte and judges by what came before; the last two characters
    // of the basic plane are malformed to it.
    let text = std::str::from_utf8(name).unwrap_or_else(|error| {
        let valid = name.get(..error.valid_up_to()).unwrap_or_default();
        std::str::from_utf8(valid).unwrap_or_default()
    });
    let seen = text
        .chars()
        .take_while(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'))
        .filter(|c| !is_hfs_ignorable(*c))
        .map(|c| c.to_ascii_lowercase());
    seen.eq(std::iter::once('.').chain(word.iter().map(|&byte| char::from(byte))))
}

/// Characters that HFS+ leaves out when it compares names.
fn is_hfs_ignorable(c: char) -> bool {
    matches!(c, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{206a}'..='\u{206f}' | '\u{feff}')
}

/// Whether what is left of a name is nothing to NTFS: dots and spaces, up to a colon.
fn is_ntfs_nothing(rest: &[u8]) -> bool {
    let end = rest.iter().find(|byte| !matches!(byte, b'.' | b' '));
    matches!(end, None | Some(b':'))
}

fn strip_ignoring_case<'n>(name: &'n [u8], prefix: &[u8]) -> Option<&'n [u8]> {
    let (head, rest) = name.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// Whether NTFS takes `name` for `.git`, by its name or its short name.
fn is_ntfs_dotgit(name: &[u8]) -> bool {
    let rest = strip_ignoring_case(name, b".git").or_else(|| strip_ignoring_case(name, b"git~1"));
    // Here, and only here, a backslash ends the name as a colon does.
    rest.and_then(|rest| rest.split(|byte| *byte == b'\\').next()).is_some_and(is_ntfs_nothing)
}

impl Special {
    /// Whether NTFS takes `name` for this file: by its name, by the first four short names, or by
    /// the short names that follow when those are taken.
    fn is_ntfs(&self, name: &[u8]) -> bool {
        let dotted = name.strip_prefix(b".").and_then(|rest| strip_ignoring_case(rest, self.name));
        if dotted.is_some_and(is_ntfs_nothing) {
            return true;
        }
        match strip_ignoring_case(name, self.short) {
            Some([b'1'..=b'4', rest @ ..]) => is_ntfs_nothing(rest),
            _ => is_late_short_name(name, self.late_short),
        }
    }
}

/// Whether `name` is six letters and digits of `prefix`, some of its end replaced by `~` and a
/// number, eight characters together.
fn is_late_short_name(name: &[u8], prefix: &[u8]) -> bool {
    let Some((short, rest)) = name.split_at_checked(8) else { return false };
    let letters = short.iter().zip(prefix).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    let tail = short.get(letters..).unwrap_or_default();
    let [b'~', digits @ ..] = tail else { return false };
    let number = matches!(digits, [b'1'..=b'9', more @ ..] if more.iter().all(u8::is_ascii_digit));
    number && is_ntfs_nothing(rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::RepoPathBuf;

    const ALL: [Mode; 4] = [Mode::Regular, Mode::Executable, Mode::Symlink, Mode::Directory];

    /// Every verdict here was given by `git fsck --strict` 2.47; `tests/it/oracle_names.rs` asks again.
    #[test]
    fn spellings_of_dotgit() {
        for name in [
            ".git",
            ".GIT",
            ".gIt",
            "git~1",
            "GIT~1",
            ".git.",
            ".git ",
            ".git. .",
            ".git:stream",
            "git~1:x",
            ".g\u{200c}it",
            "\u{feff}.git",
            ".git\\x",
            "x\\.git",
            "x\\y\\git~1 ",
        ] {
            for mode in ALL {
                assert_eq!(forbidden(name.as_bytes(), mode), Some(Forbidden::DotGit), "{name:?}");
            }
        }
        for name in [&b".git\xff"[..], ".git\u{ffff}x".as_bytes()] {
            assert_eq!(forbidden(name, Mode::Regular), Some(Forbidden::DotGit));
        }
        for name in [
            "git",
            ".gitx",
            "git~2",
            ".git x",
            "x.git",
            ".gitignore",
            ".mailmap",
            "gitmod~5",
            "..git",
            "\u{200c}git",
            "git~1x",
            ".g it",
            "...",
            "a\\b",
            ".G\u{131}T",
            "gi7eba~0",
        ] {
            for mode in ALL {
                assert_eq!(forbidden(name.as_bytes(), mode), None, "{name:?}");
            }
        }
    }

    #[test]
    fn files_that_git_reads() {
        let gitmodules =
            [".gitmodules", ".GITmodules ", "gitmod~3", "gi7eba~1", "GI7EB~23", "a\\gitmod~1"];
        for name in gitmodules.map(str::as_bytes) {
            let why = ALL.map(|mode| forbidden(name, mode));
            assert_eq!(why, [None, None, Some(Forbidden::Gitmodules), Some(Forbidden::Gitmodules)]);
        }
        for name in
            [".gitattributes", "gitatt~4", "gi7d2~10", ".gitattributes:x"].map(str::as_bytes)
        {
            let why = ALL.map(|mode| forbidden(name, mode));
            assert_eq!(why, [None, None, None, Some(Forbidden::Gitattributes)]);
        }
    }

    #[test]
    fn backslashes_around_files_that_git_reads() {
        for name in
            [".gitmodules\\x", "gitmod~1\\", "a\\.gitattributes", "a\\gitatt~1", "gi7d29~1\\"]
        {
            for mode in ALL {
                assert_eq!(forbidden(name.as_bytes(), mode), None, "{name:?}");
            }
        }
    }

    #[test]
    fn other_names() {
        assert_eq!(forbidden(b"", Mode::Regular), Some(Forbidden::Empty));
        assert_eq!(forbidden(b"..", Mode::Regular), Some(Forbidden::Dots));
        assert_eq!(forbidden(&[b'x'; 4097], Mode::Regular), Some(Forbidden::TooLong));
        assert_eq!(forbidden(&[b'x'; 4096], Mode::Regular), None);
        let deep = |directories: usize| RepoPathBuf::from("d/".repeat(directories) + "f");
        assert_eq!(forbidden_path(deep(MAX_DEPTH).as_ref()), None);
        assert_eq!(forbidden_path(deep(MAX_DEPTH + 1).as_ref()), Some(Forbidden::TooDeep));
    }
}
