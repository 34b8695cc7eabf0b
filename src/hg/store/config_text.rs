//! The syntax that Mercurial's configuration shares with `.hgsub`.
//!
//! Source: `hg help config.syntax`, and `hg config` over files written by hand. The tests are those
//! of [`super::hgrc`].

use bstr::{BString, ByteSlice};

use super::files::{is_space, lines, strip};

/// One thing that a configuration file says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::hg) enum Entry<'a> {
    /// A name has a value in a section.
    Set { section: &'a [u8], name: &'a [u8], value: BString },
    /// What was said of a name before does not hold.
    Unset { section: &'a [u8], name: &'a [u8] },
    /// What another file says stands here.
    Include { target: &'a [u8] },
}

/// The entries of a configuration file with the numbers of their lines, or the number of a line
/// that cannot be understood.
pub(in crate::hg) fn parse(text: &[u8]) -> Result<Vec<(usize, Entry<'_>)>, usize> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut entries: Vec<(usize, Entry<'_>)> = Vec::new();
    let mut section: &[u8] = b"";
    // Whether an indented line goes on with the last entry.
    let mut open = false;
    for (i, line) in lines(text).enumerate() {
        let number = i + 1;
        if line.first().is_some_and(|&byte| is_space(byte)) {
            let rest = strip(line);
            match entries.last_mut() {
                _ if rest.is_empty() => open = false,
                Some((_, Entry::Set { value, .. })) if open => {
                    value.push(b'\n');
                    value.extend_from_slice(rest);
                }
                _ => return Err(number),
            }
        } else if line.is_empty() {
            open = false;
        } else if !line.starts_with(b"#") && !line.starts_with(b";") {
            open = false;
            match parse_line(line, section).ok_or(number)? {
                Line::Section(name) => section = name,
                Line::Entry(entry) => {
                    open = matches!(entry, Entry::Set { .. });
                    entries.push((number, entry));
                }
            }
        }
    }
    Ok(entries)
}

enum Line<'a> {
    Section(&'a [u8]),
    Entry(Entry<'a>),
}

/// A line that is neither empty, nor indented, nor a comment.
fn parse_line<'a>(line: &'a [u8], section: &'a [u8]) -> Option<Line<'a>> {
    if let Some(target) = directive(line, b"%include") {
        return Some(Line::Entry(Entry::Include { target }));
    }
    if let Some(header) = line.strip_prefix(b"[") {
        // What follows the last bracket that can close it is ignored: a comment, usually.
        let name = header.split(|&byte| byte == b'[').next()?;
        let end = name.iter().rposition(|&byte| byte == b']').filter(|&end| end > 0);
        return Some(Line::Section(name.get(..end?)?));
    }
    if let Some((name, value)) = line.split_once_str(b"=") {
        let (name, value) = (strip(name), strip(value).into());
        return (!name.is_empty()).then_some(Line::Entry(Entry::Set { section, name, value }));
    }
    let name = directive(line, b"%unset")?;
    Some(Line::Entry(Entry::Unset { section, name: name.fields_with(char::is_whitespace).next()? }))
}

/// What follows `word` and some space.
fn directive<'a>(line: &'a [u8], word: &[u8]) -> Option<&'a [u8]> {
    let rest = line.strip_prefix(word).filter(|rest| rest.first().is_some_and(|&b| is_space(b)))?;
    Some(strip(rest)).filter(|rest| !rest.is_empty())
}
