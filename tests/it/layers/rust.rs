//! Just enough of Rust's grammar to see which paths a file names.

use std::collections::BTreeSet;

/// A path: its segments. `crate::base::Fault` has three.
pub(crate) type SourcePath = Vec<String>;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Name(String),
    /// `::`
    Colons,
    Sign(char),
}

/// Identifiers and signs, without comments, texts and lifetimes.
fn tokens(source: &str) -> Vec<Token> {
    let chars: Vec<char> = source.chars().collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(&c) = chars.get(at) {
        let next = chars.get(at + 1).copied().unwrap_or(' ');
        at = match (c, next) {
            ('/', '/') => find(&chars, at, |rest| rest[0] == '\n'),
            ('/', '*') => find(&chars, at + 2, |rest| rest.starts_with(&['*', '/'])) + 2,
            ('r', '"' | '#') if raw_text(&chars, at).is_some() => raw_text(&chars, at).unwrap(),
            ('b', '"') => text(&chars, at + 1),
            ('"', _) => text(&chars, at),
            ('b', '\'') => character(&chars, at + 1),
            ('\'', _) => character(&chars, at),
            (':', ':') => {
                tokens.push(Token::Colons);
                at + 2
            }
            _ if c.is_alphabetic() || c == '_' => {
                let end = find(&chars, at, |rest| !(rest[0].is_alphanumeric() || rest[0] == '_'));
                tokens.push(Token::Name(chars[at..end].iter().collect()));
                end
            }
            _ => {
                if !c.is_whitespace() {
                    tokens.push(Token::Sign(c));
                }
                at + 1
            }
        };
    }
    tokens
}

/// The first position from `at` on whose rest is wanted, or the end.
fn find(chars: &[char], at: usize, wanted: impl Fn(&[char]) -> bool) -> usize {
    (at..chars.len()).find(|&at| wanted(&chars[at..])).unwrap_or(chars.len())
}

/// The end of the text whose opening quote is at `at`.
fn text(chars: &[char], mut at: usize) -> usize {
    at += 1;
    while at < chars.len() && chars[at] != '"' {
        at += if chars[at] == '\\' { 2 } else { 1 };
    }
    at + 1
}

/// The end of the raw text that begins with the `r` at `at`, if one does.
fn raw_text(chars: &[char], at: usize) -> Option<usize> {
    let quote = find(chars, at + 1, |rest| rest[0] != '#');
    if chars.get(quote) != Some(&'"') {
        return None;
    }
    let mut end = vec!['"'];
    end.resize(quote - at, '#');
    Some(find(chars, quote + 1, |rest| rest.starts_with(&end)) + end.len())
}

/// The end of the character at `at`, or of the quote of a lifetime.
fn character(chars: &[char], at: usize) -> usize {
    match (chars.get(at + 1), chars.get(at + 2)) {
        (Some('\\'), _) => find(chars, at + 3, |rest| rest[0] == '\'') + 1,
        (_, Some('\'')) => at + 3,
        _ => at + 1,
    }
}

/// Every path in the file; those in `use {..}` groups written out.
pub(crate) fn paths(source: &str) -> Vec<SourcePath> {
    let tokens = tokens(source);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match &tokens[at] {
            Token::Name(word) if word == "use" => {
                at = use_tree(&tokens, at + 1, &[], &mut paths);
            }
            Token::Name(_) if at == 0 || tokens[at - 1] != Token::Colons => {
                let (path, end) = plain_path(&tokens, at);
                paths.push(path);
                at = end;
            }
            _ => at += 1,
        }
    }
    paths
}

fn plain_path(tokens: &[Token], mut at: usize) -> (SourcePath, usize) {
    let mut path = Vec::new();
    while let Some(Token::Name(name)) = tokens.get(at) {
        path.push(name.clone());
        at += 1;
        if tokens.get(at) != Some(&Token::Colons) {
            break;
        }
        at += 1;
    }
    (path, at)
}

/// Reads one tree of a `use` after `prefix`; returns where it ends.
fn use_tree(
    tokens: &[Token],
    mut at: usize,
    prefix: &[String],
    paths: &mut Vec<SourcePath>,
) -> usize {
    if tokens.get(at) == Some(&Token::Colons) {
        at += 1;
    }
    let (rest, end) = plain_path(tokens, at);
    let mut path = [prefix, &rest].concat();
    at = end;
    if tokens.get(at) == Some(&Token::Sign('{')) {
        at += 1;
        while at < tokens.len() && tokens[at] != Token::Sign('}') {
            at = use_tree(tokens, at, &path, paths);
            if tokens.get(at) == Some(&Token::Sign(',')) {
                at += 1;
            }
        }
        return at + 1;
    }
    if tokens.get(at) == Some(&Token::Sign('*')) {
        at += 1;
    }
    if path.last().is_some_and(|name| name == "self") && path.len() > 1 {
        path.pop();
    }
    // `as name`: the name is what the file knows it by.
    if let (Some(Token::Name(word)), Some(Token::Name(_))) = (tokens.get(at), tokens.get(at + 1))
        && word == "as"
    {
        at += 2;
    }
    paths.push(path);
    at
}

/// The first name after the crate's root, if the path starts there: by `crate`, or by more `super`
/// than the module is deep.
pub(crate) fn in_crate(path: &SourcePath, depth: usize) -> Option<String> {
    let supers = path.iter().take_while(|name| *name == "super").count();
    match path.first()?.as_str() {
        "crate" => path.get(1).cloned(),
        "super" if supers >= depth => path.get(supers).cloned(),
        _ => None,
    }
}

/// Crates that the file names: what paths begin with, unless it is a name of the file's own.
pub(crate) fn crates(source: &str) -> BTreeSet<String> {
    let paths = paths(source);
    let inside = |name: &String| ["crate", "super", "self"].contains(&name.as_str());
    let own: BTreeSet<&String> = paths
        .iter()
        .filter(|path| path.first().is_some_and(inside))
        .filter_map(|path| path.last())
        .collect();
    let declared = |name: &String| source.contains(&format!("mod {name};"));
    let roots = paths.iter().filter(|path| path.len() > 1).map(|path| &path[0]);
    roots.filter(|name| !inside(name) && !own.contains(name) && !declared(name)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layers(source: &str) -> Vec<String> {
        paths(source).iter().filter_map(|path| in_crate(path, 2)).collect()
    }

    #[test]
    fn groups_and_plain_paths_are_seen() {
        let source = "use crate::{base::{self, hex}, hg::Node as N};\n\
                      fn f() -> crate::git::Id { super::super::mirror::x() }";
        assert_eq!(layers(source), ["base", "base", "hg", "git", "mirror"]);
    }

    #[test]
    fn comments_and_texts_are_not() {
        let source = "// crate::a\n/* crate::b */ /// crate::c\n\
                      fn f<'a>(_: &'a str) { (\"crate::d\", r#\"crate::\"e\"#, '\"', b'\\'', b\"crate::f\") }\n\
                      use crate::seen;";
        assert_eq!(layers(source), ["seen"]);
    }

    #[test]
    fn a_module_of_our_own_is_not_a_crate() {
        let source =
            "use crate::base::sha1;\nuse git2::Oid;\nfn f() { sha1::digest(); toml::from_str() }";
        let found: Vec<String> = crates(source).into_iter().collect();
        assert_eq!(found, ["git2", "toml"]);
        assert!(crates("use zstd::bulk;").contains("zstd"));
        assert!(!crates("let zstd = 1; x.zstd(1)").contains("zstd"));
    }
}
