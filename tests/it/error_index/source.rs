//! Errors and their diagnoses, read out of the sources: the attributes of `thiserror`, and the tables of `faults!`.

/// A message, and all that its diagnosis may say.
#[derive(Clone, Debug)]
pub(super) struct Diagnosed {
    pub(super) message: String,
    pub(super) classes: Vec<String>,
    pub(super) sides: Vec<String>,
    pub(super) hints: Vec<String>,
}

/// What names a class.
const CLASSES: [(&str, &str); 13] = [
    ("Config", "config"),
    ("Auth", "auth"),
    ("Unavailable", "unavailable"),
    ("Refused", "refused"),
    ("Corrupt", "corrupt"),
    ("Unsupported", "unsupported"),
    ("Interrupted", "interrupted"),
    ("Internal", "internal"),
    ("NOT_THERE", "config"),
    ("UNTRUSTED", "config"),
    ("MOVED", "config"),
    ("UNENCRYPTED", "config"),
    ("UNINTELLIGIBLE", "corrupt"),
];
/// What takes the class of something else.
const PASSED_ON: [&str; 3] = ["of", "io", "fault"];
const SIDES: [(&str, &str); 3] = [("Source", "source"), ("Target", "target"), ("Here", "here")];
/// The class of what has none.
const DETAIL: &str = "*detail*";
/// A hint that is made elsewhere.
const ELSEWHERE: &str = "depends on the cause: the error says it";
/// Nothing shorter is a hint: what joins a list, say.
const SHORTEST: usize = 12;

/// An error as its definition has it.
struct Defined {
    /// The enum or the struct.
    of: String,
    /// The variant; `None` for a struct.
    variant: Option<String>,
    message: String,
}

/// All errors of `files`, names and texts, that have a message of their own, in the order of the sources.
pub(super) fn errors(files: &[(String, String)]) -> Vec<Diagnosed> {
    let tables: Vec<_> = files.iter().map(|(_, text)| tables(text)).collect();
    let mut found = Vec::new();
    for ((_, text), own) in files.iter().zip(&tables) {
        for error in defined(text) {
            // Names are not unique, but in their files, which most tables are in.
            let elsewhere = tables.iter().flatten();
            let table = own.iter().chain(elsewhere).find(|(of, _)| *of == error.of);
            found.push(match table {
                Some((_, arms)) => diagnosed(&error, arms),
                // What stands behind another message has no class of its own.
                None => Diagnosed {
                    message: error.message,
                    classes: vec![DETAIL.to_owned()],
                    sides: Vec::new(),
                    hints: Vec::new(),
                },
            });
        }
    }
    found
}

/// The errors that a file defines.
fn defined(text: &str) -> Vec<Defined> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("#[error(") {
        let open = at + "#[error".len();
        let inside = balanced(text, open);
        let Some(message) = first_literal(inside).map(|literal| placeheld(&literal)) else {
            continue;
        };
        // One that shows nothing but what is inside of it.
        if message.trim() == "…" {
            continue;
        }
        let rest = &text[open + inside.len() + 2..];
        let rest = after_attributes(rest.trim_start_matches(']'));
        let words: Vec<_> =
            rest.split(|c: char| !is_word(c)).filter(|it| !it.is_empty()).take(6).collect();
        let kind = words.iter().position(|word| matches!(*word, "struct" | "enum"));
        let is_definition = rest.starts_with("pub") || kind == Some(0);
        found.push(match kind.filter(|_| is_definition) {
            Some(place) => Defined { of: words[place + 1].to_owned(), variant: None, message },
            None => Defined {
                of: enum_before(&text[..at]).unwrap_or_default(),
                variant: Some(words[0].to_owned()),
                message,
            },
        });
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// `text` after attributes and comments.
fn after_attributes(text: &str) -> &str {
    let mut rest = text.trim_start();
    loop {
        if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, rest)| rest).trim_start();
        } else if rest.starts_with("#[") {
            let inside = balanced(rest, 1);
            rest = rest[inside.len() + 3..].trim_start();
        } else {
            return rest;
        }
    }
}

/// The enum that is defined last in `text`.
fn enum_before(text: &str) -> Option<String> {
    let at = text.rfind("enum ")?;
    text[at + 5..].split(|c: char| !is_word(c)).next().map(str::to_owned)
}

/// Arms of a table: the pattern with its guard, and the diagnosis.
type Arms = Vec<(String, String)>;

/// The tables of a file, each with its type.
fn tables(text: &str) -> Vec<(String, Arms)> {
    let mut found = Vec::new();
    // At the beginning of a line: not in a comment.
    for (at, _) in text.match_indices("\nfaults!(") {
        let inside = balanced(text, at + "\nfaults!".len());
        let of =
            inside.trim_start().split(|c: char| !is_word(c) && c != ':').next().unwrap_or_default();
        let of = of.rsplit("::").next().unwrap_or_default().to_owned();
        let rest = inside.trim_start()[of.len()..].trim_start();
        let arms = match rest.strip_prefix("=>") {
            Some(diagnosis) => vec![("_".to_owned(), diagnosis.to_owned())],
            None => match rest.find('{') {
                Some(open) => arms(balanced(rest, open)),
                None => continue,
            },
        };
        found.push((of, arms));
    }
    found
}

fn arms(text: &str) -> Arms {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(arrow) = at_top(rest, "=>") {
        let (pattern, after) = (&rest[..arrow], rest[arrow + 2..].trim_start());
        // A block needs no comma behind it.
        let end = match after.starts_with('{') {
            true => balanced(after, 0).len() + 2,
            false => at_top(after, ",").unwrap_or(after.len()),
        };
        found.push((pattern.trim_matches([',', ' ', '\n']).to_owned(), after[..end].to_owned()));
        rest = &after[end..];
    }
    found
}

/// Where `wanted` stands outside of brackets and texts.
fn at_top(text: &str, wanted: &str) -> Option<usize> {
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with(wanted) {
            return Some(at);
        }
        at += step(text, at);
    }
    None
}

/// What is between the bracket at `open` and the one that closes it.
fn balanced(text: &str, open: usize) -> &str {
    &text[open + 1..open + step(text, open) - 1]
}

/// How long what begins at `at` is: a bracket with all that is in it, a text, a comment, or a character.
fn step(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let first = rest.chars().next().unwrap();
    match first {
        '(' | '[' | '{' => {
            let mut length = 1;
            while !rest[length..].starts_with([')', ']', '}']) {
                length += step(rest, length);
            }
            length + 1
        }
        '"' => {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, c)| {
                let is_end = *c == '"' && !escaped;
                escaped = *c == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |(end, _)| end + 1)
        }
        '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
        // A character such as '"' or '{'; a lifetime has no end.
        '\'' if rest.starts_with("'\\") => rest[2..].find('\'').map_or(1, |end| end + 3),
        '\'' => {
            let second = rest[1..].chars().next().map_or(0, char::len_utf8);
            if rest[1 + second..].starts_with('\'') { second + 2 } else { 1 }
        }
        other => other.len_utf8(),
    }
}

/// The texts in `code`, without what only layout puts into them.
fn literals(code: &str) -> Vec<String> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < code.len() {
        // Into brackets, over comments and characters.
        let length = match code[at..].starts_with(['(', '[', '{']) {
            true => 1,
            false if code[at..].starts_with([')', ']', '}']) => 1,
            false => step(code, at),
        };
        if code[at..].starts_with('"') {
            found.push(unescaped(&code[at + 1..at + length - 1]));
        }
        at += length;
    }
    found
}

fn first_literal(code: &str) -> Option<String> {
    code.trim_start().starts_with('"').then(|| literals(code).into_iter().next()).flatten()
}

fn unescaped(text: &str) -> String {
    let (mut out, mut chars) = (String::new(), text.chars().peekable());
    while let Some(c) = chars.next() {
        match (c, chars.peek()) {
            ('\\', Some('\n')) => while chars.next_if(|c| c.is_whitespace()).is_some() {},
            ('\\', Some('n')) => {
                chars.next();
                out.push(' ');
            }
            ('\\', Some(_)) => out.extend(chars.next()),
            _ => out.push(c),
        }
    }
    out
}

/// A format string with `…` for what is put into it.
fn placeheld(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out += &rest[..at];
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if rest.starts_with(brace) {
            out += brace;
            rest = &rest[1..];
        } else if let Some((_, after)) = rest.split_once('}').filter(|_| brace == "{") {
            out.push('…');
            rest = after;
        }
    }
    out + rest
}

fn diagnosed(error: &Defined, arms: &[(String, String)]) -> Diagnosed {
    let named = |pattern: &str, name: &str| {
        pattern.split("Self::").skip(1).any(|rest| rest.split(|c| !is_word(c)).next() == Some(name))
    };
    let for_all = |pattern: &str| !pattern.contains("Self::");
    let of_variant: Vec<_> = match &error.variant {
        Some(variant) => arms.iter().filter(|(pattern, _)| named(pattern, variant)).collect(),
        None => Vec::new(),
    };
    let arms = match of_variant.is_empty() {
        true => arms.iter().filter(|(pattern, _)| for_all(pattern)).collect(),
        false => of_variant,
    };
    let mut found = Diagnosed {
        message: error.message.clone(),
        classes: Vec::new(),
        sides: Vec::new(),
        hints: Vec::new(),
    };
    for (_, diagnosis) in arms {
        read(diagnosis, &mut found);
    }
    found
}

/// Adds what one arm says.
fn read(diagnosis: &str, found: &mut Diagnosed) {
    let add = |to: &mut Vec<String>, text: &str| {
        if !to.iter().any(|known| known == text) {
            to.push(text.to_owned());
        }
    };
    let hint_at = ["hint(", "hint:"].iter().filter_map(|name| diagnosis.find(name)).min();
    let before = &diagnosis[..hint_at.unwrap_or(diagnosis.len())];
    let words: Vec<_> = diagnosis.split(|c: char| !is_word(c)).collect();
    let of_before: Vec<_> = before.split(|c: char| !is_word(c)).collect();
    let mut has_class = false;
    for (name, class) in CLASSES {
        if words.contains(&name) && !literals(diagnosis).iter().any(|text| text.contains(name)) {
            add(&mut found.classes, class);
            has_class = true;
        }
    }
    if !has_class || PASSED_ON.iter().any(|name| of_before.contains(name)) {
        add(&mut found.classes, "*of the cause*");
    }
    for (name, side) in SIDES {
        if diagnosis.contains(&format!("at({name})"))
            || diagnosis.contains(&format!("Some({name})"))
        {
            add(&mut found.sides, side);
        }
    }
    let Some(at) = hint_at else { return };
    let hints: Vec<_> =
        literals(&diagnosis[at..]).into_iter().filter(|text| text.len() >= SHORTEST).collect();
    let is_none = diagnosis[at..].starts_with("hint: None");
    if hints.is_empty() && !is_none {
        add(&mut found.hints, ELSEWHERE);
    }
    for hint in hints {
        add(&mut found.hints, &placeheld(&hint));
    }
}
