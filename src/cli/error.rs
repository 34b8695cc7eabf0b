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
    if let Some(hint) = error.hint() {
        let _ = write!(text, "\nhint: {hint}");
    }
    text
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
    fn a_lone_error_is_one_line() {
        assert_eq!(Failure::from(read()).text(), "error: failed to read a.i: no disk");
    }
}
