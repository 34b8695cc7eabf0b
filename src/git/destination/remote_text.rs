//! What a server says while it receives a push: lines for people, which are not trusted.

use super::credential::Credential;

/// What is kept of it, in bytes: the first part, where a refusal says its reason.
const LONGEST_TEXT: usize = 64 << 10;

/// What is shown of it, in lines and in characters.
const SHOWN_LINES: usize = 20;
const SHOWN_CHARS: usize = 2000;

/// Text that arrives in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct RemoteText(Vec<u8>);

impl RemoteText {
    /// Adds a piece.
    pub(super) fn add(&mut self, piece: &[u8]) {
        let room = LONGEST_TEXT.saturating_sub(self.0.len());
        self.0.extend(piece.iter().take(room));
    }

    /// The lines that are worth showing, in one.
    pub(super) fn summary(&self, credential: &Credential) -> String {
        self.lines(credential).join("; ").chars().take(SHOWN_CHARS).collect()
    }

    /// The lines that are worth showing: without the progress that a terminal would have
    /// overwritten, without what a terminal would obey, without our secrets.
    pub(super) fn lines(&self, credential: &Credential) -> Vec<String> {
        let text = String::from_utf8_lossy(&self.0);
        let lines = text.split('\n').filter_map(|line| {
            // Only what follows the last carriage return is left on a terminal's line.
            let line = line.trim_end_matches('\r').rsplit('\r').next()?;
            let line = clean(line, credential);
            (!line.is_empty() && !is_progress(&line)).then_some(line)
        });
        lines.take(SHOWN_LINES).collect()
    }
}

/// One line of untrusted text, made safe to show: without control characters, terminal sequences and
/// marks that turn the direction of writing, and without our secrets.
pub(super) fn clean(line: &str, credential: &Credential) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            // A terminal sequence: ESC [ parameters letter.
            '\u{1b}' => {
                if chars.next() == Some('[') {
                    chars.by_ref().find(|c| ('\u{40}'..='\u{7e}').contains(c));
                }
            }
            '\t' => shown.push(' '),
            c if c.is_control() || is_direction_mark(c) => {}
            c => shown.push(c),
        }
    }
    credential.redact(shown.trim())
}

/// Marks that change the order in which text is shown, so that it reads as something else.
fn is_direction_mark(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Whether a line only says how far the server is: `Resolving deltas: 100% (3/3), done.`
fn is_progress(line: &str) -> bool {
    line.contains("% (") && line.contains("): ") | line.ends_with(')') | line.ends_with("done.")
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    fn summary(pieces: &[&[u8]]) -> String {
        let mut text = RemoteText::default();
        for piece in pieces {
            text.add(piece);
        }
        let token = SecretString::from("geheim");
        text.summary(&Credential::Token { user: "u".to_owned(), token })
    }

    #[test]
    fn pieces_become_lines() {
        let pieces: [&[u8]; 4] =
            [b"error: GH0", b"06: Protected\r\nerror: Cannot ", b"push", b"\n\n"];
        assert_eq!(summary(&pieces), "error: GH006: Protected; error: Cannot push");
    }

    #[test]
    fn progress_is_left_out() {
        let text =
            b"Resolving deltas:   0% (0/3)\rResolving deltas: 100% (3/3), done.\nno \rrefused\n";
        assert_eq!(summary(&[text]), "refused");
    }

    #[test]
    fn nothing_a_terminal_obeys_and_no_secret() {
        let text = "\u{1b}[31;1mred\u{1b}[0m \u{1b}]bel\u{7} \u{202e}back geheim\u{0}\n";
        assert_eq!(summary(&[text.as_bytes()]), "red bel back [secret]");
        assert_eq!(summary(&[b"\xff\n"]), "\u{fffd}");
    }

    #[test]
    fn a_flood_is_cut() {
        let line = "x".repeat(100) + "\n";
        let shown = summary(&vec![line.as_bytes(); 10_000]);
        assert_eq!(shown.len(), 2000);
    }
}
