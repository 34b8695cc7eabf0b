//! The quoted form of a line: `"old" = "new"`, with the escapes of Python's strings.

/// The user and the author of a quoted line; `None` if the line has another form.
pub(super) fn pair(line: &str) -> Result<Option<(String, String)>, &'static str> {
    let Some((old, rest)) = string(line) else { return Ok(None) };
    let Some(new) = rest.trim_start().strip_prefix('=').map(str::trim_start) else {
        return Ok(None);
    };
    // A user in quotes before an author without is a whole line of hg-git's, quotes and all.
    if !new.starts_with('"') {
        return Ok(None);
    }
    match string(new) {
        Some((new, "")) => Ok(Some((unescaped(old)?, unescaped(new)?))),
        Some(_) => Err("something follows the quoted author"),
        None => Err("no quote at the end of the author"),
    }
}

/// The inside of the quoted string that `text` begins with, and what follows it.
fn string(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('"')?;
    let mut escaped = false;
    for (at, c) in inner.char_indices() {
        match c {
            '"' if !escaped => return Some((inner.get(..at)?, inner.get(at + 1..)?)),
            c => escaped = c == '\\' && !escaped,
        }
    }
    None
}

/// The text that is written with escapes. One that Python does not know is left as it is.
fn unescaped(text: &str) -> Result<String, &'static str> {
    const NO_CHARACTER: &str = "an escape that is no character";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let mut chars = escape.chars().skip(1);
        let (c, length) = match chars.next() {
            Some('a') => ('\u{7}', 2),
            Some('b') => ('\u{8}', 2),
            Some('f') => ('\u{c}', 2),
            Some('n') => ('\n', 2),
            Some('r') => ('\r', 2),
            Some('t') => ('\t', 2),
            Some('v') => ('\u{b}', 2),
            Some(c @ ('\\' | '"' | '\'')) => (c, 2),
            Some('x') => (hex(escape, 2).ok_or(NO_CHARACTER)?, 4),
            Some('u') => (hex(escape, 4).ok_or(NO_CHARACTER)?, 6),
            Some('U') => (hex(escape, 8).ok_or(NO_CHARACTER)?, 10),
            Some('0'..='7') => {
                let digits =
                    escape.bytes().skip(1).take(3).take_while(|b| matches!(b, b'0'..=b'7'));
                let (value, digits) = digits
                    .fold((0, 0), |(value, n), digit| (value * 8 + u32::from(digit - b'0'), n + 1));
                (char::from_u32(value).ok_or(NO_CHARACTER)?, 1 + digits)
            }
            _ => ('\\', 1),
        };
        out.push(c);
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(out)
}

/// The character whose number follows the first two characters of `escape`.
fn hex(escape: &str, digits: usize) -> Option<char> {
    let digits = escape.get(2..2 + digits)?;
    let all = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    char::from_u32(u32::from_str_radix(digits, 16).ok().filter(|_| all)?)
}

/// A quoted line, with its line feed.
pub(in crate::convert) fn line(old: &str, new: &str) -> String {
    format!("\"{}\" = \"{}\"\n", escaped(old), escaped(new))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out
}
