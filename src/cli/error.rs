//! Turns every error into what a person reads: what failed, because of what, and what to do.

use std::fmt::Write as _;

use crate::base::{Fault, HasFault, Side};

/// Any error, on its way to the person who typed the command.
#[derive(Debug)]
pub(super) struct Failure(Box<dyn HasFault>);

impl<E: HasFault + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(Box::new(error))
    }
}

impl Failure {
    /// Whose fault it is.
    pub(super) fn fault(&self) -> Fault {
        self.0.fault()
    }

    /// The lines that a person reads, without a line feed at the end.
    pub(super) fn text(&self) -> String {
        render(self.0.as_ref())
    }
}

/// `error: failed to …`, with the side where it is not this machine; then the causes with numbers,
/// then the hint.
fn render(error: &dyn HasFault) -> String {
    let at = match error.side() {
        Side::Source => " at the source",
        Side::Target => " at the target",
        Side::Here => "",
    };
    let mut text = format!("error{at}: failed to {error}");
    let mut said = error.to_string();
    let mut cause = error.source();
    let mut number = 0;
    while let Some(error) = cause {
        let message = error.to_string();
        // An error that passes its source on, or repeats it, adds nothing.
        if !said.contains(&message) {
            number += 1;
            let _ = write!(text, "\n  {number}: {message}");
            said = message;
        }
        cause = error.source();
    }
    // Several causes can come with a hint each.
    for hint in error.hint().iter().flat_map(|hint| hint.lines()) {
        let _ = write!(text, "\nhint: {hint}");
    }
    text
}

/// `text` with its lines broken for a terminal that is `width` columns wide, between words: not
/// within a path, an address or what stands between backticks, which is to be copied. What a line
/// goes on with is indented to where its own text begins.
pub(super) fn wrapped(text: &str, width: usize) -> String {
    let lines: Vec<_> = text.lines().map(|line| wrapped_line(line, width)).collect();
    lines.join("\n")
}

fn wrapped_line(line: &str, width: usize) -> String {
    let blanks = line.len() - line.trim_start().len();
    let mark = line.get(blanks..).and_then(|rest| rest.split_once(": "));
    let indent = match mark {
        Some((mark, _)) if mark == "hint" || mark.bytes().all(|byte| byte.is_ascii_digit()) => {
            blanks + mark.len() + 2
        }
        _ => blanks + 2,
    };
    let mut broken = " ".repeat(blanks);
    let mut column = blanks;
    let mut is_first = true;
    for word in words(line.trim_start()) {
        let length = word.chars().count();
        if !is_first && column + 1 + length > width {
            broken.push('\n');
            broken.push_str(&" ".repeat(indent));
            column = indent;
        } else if !is_first {
            broken.push(' ');
            column += 1;
        }
        broken.push_str(word);
        column += length;
        is_first = false;
    }
    broken
}

/// The parts of `line` between blanks, but not those between backticks.
fn words(line: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    line.split(move |c: char| {
        is_quoted ^= c == '`';
        c == ' ' && !is_quoted
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::faults;

    #[derive(Debug, thiserror::Error)]
    enum Sample {
        #[error("sync the mirror rocket")]
        Sync(#[source] Box<Sample>),
        #[error("read {path}: {source}")]
        Read { path: &'static str, source: std::io::Error },
        #[error(transparent)]
        Same(Box<Sample>),
    }

    faults!(Sample {
        Self::Sync(_) => Corrupt.hint("run `hg verify`"),
        _ => Corrupt,
    });

    fn read() -> Sample {
        Sample::Read { path: "a.i", source: std::io::Error::other("no disk") }
    }

    #[test]
    fn a_chain_is_numbered_and_says_nothing_twice() {
        let failure = Failure::from(Sample::Sync(Box::new(Sample::Same(Box::new(read())))));
        assert_eq!(
            failure.text(),
            "error: failed to sync the mirror rocket\n  1: read a.i: no disk\nhint: run `hg verify`"
        );
        assert_eq!(failure.fault(), Fault::Corrupt);
    }

    #[test]
    fn lines_are_broken_between_words() {
        let text = "error at the target: failed to publish refs/heads/main\n  \
                    1: open /srv/git/rocket.git/with/a/long/name\nhint: make one with \
                    `git init --bare rocket.git`, or take another";
        insta::assert_snapshot!(wrapped(text, 40), @r"
        error at the target: failed to publish
          refs/heads/main
          1: open
             /srv/git/rocket.git/with/a/long/name
        hint: make one with
              `git init --bare rocket.git`, or
              take another
        ");
        assert_eq!(wrapped(text, 200), text);
    }

    #[test]
    fn a_lone_error_is_one_line() {
        assert_eq!(Failure::from(read()).text(), "error: failed to read a.i: no disk");
    }
}
