//! Just enough of a repository's own configuration to know whether it publishes.
//!
//! Source: `hg help config.syntax`, and `hg config` over files written by hand. The files of the
//! system and of the user are none of our business: a mirror's result must not depend on the
//! machine that makes it.

use std::path::{Path, PathBuf};

use bstr::BString;

use crate::base::{Limits, faults};

use super::config_text::{Entry, parse};
use super::files::{Note, Notes, ReadError, read_bounded};

/// A repository's configuration could not be understood. Mercurial stops at such a file too.
#[derive(Debug, thiserror::Error)]
pub enum HgrcError {
    /// A configuration file could not be read.
    #[error("read the configuration of the repository")]
    Read {
        /// Which, and why.
        #[from]
        source: ReadError,
    },
    /// A line is neither a section, nor an item, nor anything else that is known.
    #[error("read {}: line {line} cannot be understood", file.display())]
    Syntax {
        /// The configuration file.
        file: PathBuf,
        /// The line's number, from 1.
        line: usize,
    },
    /// `phases.publish` is neither true nor false.
    #[error("read {}: phases.publish is not a boolean: {value:?}", file.display())]
    NotABoolean {
        /// The configuration file.
        file: PathBuf,
        /// What it is set to.
        value: BString,
    },
}

faults!(HgrcError {
    Self::Read { source } => of(source),
    Self::Syntax { .. } => Config.hint("`hg config` says what is wrong with it"),
    Self::NotABoolean { .. } => Config.hint("write `publish = yes` or `publish = no`"),
});

/// Whether a repository with these configuration files publishes: it does unless they say
/// `[phases] publish = no`.
///
/// Later files win over earlier ones, and missing ones are skipped. Included files are not read
/// but noted.
pub fn publishes(files: &[PathBuf], limits: &Limits) -> Result<(bool, Vec<Note>), HgrcError> {
    let mut texts = Vec::new();
    for file in files {
        if let Some(text) = read_bounded(file, limits.metadata_bytes)? {
            texts.push((file.as_path(), text));
        }
    }
    publishes_by(&texts)
}

/// The same by the texts of such files, each with the name that errors call it.
pub fn publishes_by(texts: &[(&Path, Vec<u8>)]) -> Result<(bool, Vec<Note>), HgrcError> {
    let mut notes = Notes::default();
    let mut publish: Option<(&Path, BString)> = None;
    for (file, text) in texts {
        let syntax = |line| HgrcError::Syntax { file: file.to_path_buf(), line };
        let lines = parse(text).map_err(syntax)?;
        for (line, entry) in lines {
            match entry {
                Entry::Set { section, name, value } if is_publish(section, name) => {
                    publish = Some((file, value));
                }
                Entry::Unset { section, name } if is_publish(section, name) => publish = None,
                Entry::Include { target } => {
                    let target = target.into();
                    notes.push(Note::IncludeNotRead { file: file.to_path_buf(), line, target });
                }
                Entry::Set { .. } | Entry::Unset { .. } => {}
            }
        }
    }
    let Some((file, value)) = publish else { return Ok((true, notes.finish())) };
    match boolean(&value) {
        Some(publish) => Ok((publish, notes.finish())),
        None => Err(HgrcError::NotABoolean { file: file.to_owned(), value }),
    }
}

fn is_publish(section: &[u8], name: &[u8]) -> bool {
    section == b"phases" && name == b"publish"
}

/// The booleans of Mercurial's configuration, in any case.
fn boolean(value: &[u8]) -> Option<bool> {
    match value.to_ascii_lowercase().as_slice() {
        b"1" | b"yes" | b"true" | b"on" | b"always" => Some(true),
        b"0" | b"no" | b"false" | b"off" | b"never" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Fault, HasFault};

    /// What `hg config phases.publish` says of a file: a value, nothing, or the line of an error.
    fn publish(text: &[u8]) -> Result<Option<String>, usize> {
        let mut value = None;
        for (_, entry) in parse(text)? {
            match entry {
                Entry::Set { section, name, value: new } if is_publish(section, name) => {
                    value = Some(new.to_string());
                }
                Entry::Unset { section, name } if is_publish(section, name) => value = None,
                _ => {}
            }
        }
        Ok(value)
    }

    #[test]
    fn files_as_mercurial_reads_them() {
        let no = || Ok(Some("no".to_owned()));
        for text in [
            &b"[phases]\npublish=no\n"[..],
            b"[phases]  \npublish = no  ",
            b"[phases] ; c\r\npublish\t=\tno\r\n",
            b"\xef\xbb\xbf[phases]\npublish=no\n\n  \nfoo=bar\n",
            b"[phases][x]\npublish=no\n",
            b"[phases]x\npublish=yes\npublish=no\r",
            b"[phases]\npublish=no\n[x]\n%unset publish\n",
            b"[phases]\n# c\n;c\npublish=no\n%include nothere\npublish:sub=yes\n",
            b"[phases]\npu=b=c\n%foo=bar\npublish=yes\n[x]\na=\n b\n\tc\n[phases]\npublish=no\n",
        ] {
            assert_eq!(publish(text), no(), "{:?}", BString::from(text));
        }
        for text in [
            &b"[ phases ]\npublish=no\n"[..],
            b"[PHASES]\npublish=no\n",
            b"[phases]\nPublish=no\n",
            b"publish=no\n",
            b"[a]b]\npublish=no\n",
            b"[phases]\npublish=no\n%unset  publish  \n",
            b"[phases]\nnew-commit=draft\n publish=no\n",
            b"[phases]\n;publish=no\n",
            b"",
        ] {
            assert_eq!(publish(text), Ok(None), "{:?}", BString::from(text));
        }
        for (text, value) in [
            (&b"[phases]\npublish=ye\n s\n"[..], "ye\ns"),
            (b"[phases]\npublish=\n no\n", "\nno"),
            (b"[phases]\npublish=no\n# x\n yes\n", "no\nyes"),
            (b"[phases]\npublish=no\n  # foo\n", "no\n# foo"),
            (b"[phases]\npublish=no ; comment\n", "no ; comment"),
            (b"[phases]\npublish = \n", ""),
        ] {
            assert_eq!(publish(text), Ok(Some(value.to_owned())));
        }
    }

    #[test]
    fn lines_that_mercurial_refuses() {
        for (text, line) in [
            (&b"[phases]\npublish\n"[..], 2),
            (b" [phases]\n", 1),
            (b"[phases]\n publish=no\n", 2),
            (b"[phases]\n\x0cpublish=no\n", 2),
            (b"[phases]\n#\n publish=no\n", 3),
            (b"[phases\npublish=no\n", 1),
            (b"[phases]\n[]\n", 2),
            (b"junk\n", 1),
            (b"[phases]\npublish : no\n", 2),
            (b"[phases]\n=x\n", 2),
            (b"%include\n", 1),
            (b"%includex foo\n", 1),
            (b"%unset\n", 1),
            (b"[phases]\npublish=no\n%unset x\n yes\n", 4),
            (b"[phases]\npublish=no\n[x]\n yes\n", 4),
            (b"[phases]\npublish=no\n\n  yes\n", 4),
            (b"[phases]\npublish=no\n   \n yes\n", 4),
            (b"[phases]\npublish=no\ryes\n", 3),
        ] {
            assert_eq!(publish(text), Err(line), "{:?}", BString::from(text));
        }
    }

    #[test]
    fn booleans_have_ten_spellings() {
        for (text, value) in [
            ("OFF", Some(false)),
            ("Never", Some(false)),
            ("0", Some(false)),
            ("always", Some(true)),
        ] {
            assert_eq!(boolean(text.as_bytes()), value);
        }
        for text in ["", "n", "f", "00", "\"no\"", "no\nyes", "maybe"] {
            assert_eq!(boolean(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn later_files_win_and_includes_are_noted() {
        let folder = tempfile::tempdir().unwrap();
        let limits = Limits::default();
        let files = ["a", "b", "missing"].map(|name| folder.path().join(name));
        let write = |i: usize, text: &str| std::fs::write(&files[i], text).unwrap();
        write(0, "[phases]\npublish = no\n");
        write(1, "%include more\n[x]\ny=z\n");
        let (publish, notes) = publishes(&files, &limits).unwrap();
        assert!(!publish);
        assert!(notes[0].to_string().ends_with("line 1 includes \"more\", which was not read"));
        write(1, "[phases]\n%unset publish\n");
        assert!(publishes(&files, &limits).unwrap().0);
        write(1, "[phases]\npublish = perhaps\n");
        let error = publishes(&files, &limits).unwrap_err();
        assert_eq!(error.fault(), Fault::Config);
        assert!(error.to_string().contains("/b: phases.publish is not a boolean: \"perhaps\""));
        write(1, "?\n");
        assert!(matches!(publishes(&files, &limits), Err(HgrcError::Syntax { line: 1, .. })));
    }
}
