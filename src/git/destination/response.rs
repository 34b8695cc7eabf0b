//! What a web server says to a request that it refuses, of which libgit2 keeps no more than a number.

/// What is kept of it, in bytes: its head, and the first of its words.
const LONGEST: usize = 16 << 10;

/// How a server begins.
const PROTOCOL: &[u8] = b"HTTP/1.";

/// The answer to the last request, while it is a refusal.
#[derive(Debug, Default)]
pub(super) struct Response {
    /// Something was asked since.
    is_asked: bool,
    /// Empty for an answer that is no refusal.
    bytes: Vec<u8>,
}

impl Response {
    /// Notes that something was asked.
    pub(super) fn asked(&mut self) {
        self.is_asked = true;
    }

    /// Notes what the server says.
    pub(super) fn heard(&mut self, bytes: &[u8]) {
        if std::mem::take(&mut self.is_asked) {
            self.bytes.clear();
            if !matches!(status(bytes), Some(300..)) {
                return;
            }
        } else if self.bytes.is_empty() {
            return;
        }
        let room = LONGEST.saturating_sub(self.bytes.len());
        self.bytes.extend(bytes.iter().take(room));
    }

    /// Where the server sends us, if it does.
    pub(super) fn location(&self) -> Option<String> {
        matches!(status(&self.bytes)?, 300..=399).then_some(())?;
        let (head, _) = self.parts()?;
        Some(field(&head, "location").unwrap_or_default().to_owned())
    }

    /// What the server says to people; empty if it says nothing, or in a language of browsers.
    pub(super) fn text(&self) -> String {
        let Some((head, body)) = self.parts() else { return String::new() };
        let is_plain =
            field(&head, "content-type").is_some_and(|kind| kind.starts_with("text/plain"));
        let is_whole = field(&head, "transfer-encoding").is_none();
        if is_plain && is_whole {
            String::from_utf8_lossy(body).into_owned()
        } else {
            String::new()
        }
    }

    /// The head as text, and the beginning of the body.
    fn parts(&self) -> Option<(String, &[u8])> {
        let at = self.bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(self.bytes.get(..at)?).into_owned();
        Some((head, self.bytes.get(at + 4..)?))
    }
}

/// The number in the first line of an answer.
fn status(bytes: &[u8]) -> Option<u16> {
    let rest = bytes.strip_prefix(PROTOCOL)?.get(2..5)?;
    std::str::from_utf8(rest).ok()?.parse().ok()
}

/// The value of a field of a head.
fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let fields = head.lines().filter_map(|line| line.split_once(':'));
    let mut values = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
    values.next().map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(pieces: &[&str]) -> Response {
        let mut response = Response::default();
        response.asked();
        for piece in pieces {
            response.heard(piece.as_bytes());
        }
        response
    }

    #[test]
    fn the_words_of_a_refusal() {
        let head = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain; charset=utf-8\r\n";
        let mut response = heard(&[head, "Content-Length: 2\r\n\r\nno", "!"]);
        assert_eq!(response.text(), "no!");
        assert_eq!(response.location(), None);
        response.asked();
        response.heard(b"HTTP/1.1 200 OK\r\n\r\nfine");
        assert_eq!(response.text(), "");
        for other in ["HTTP/1.1 403 x\r\nContent-Type: text/html\r\n\r\n<p>", "nonsense", "HTTP/1."]
        {
            assert_eq!(heard(&[other]).text(), "", "{other}");
        }
    }

    #[test]
    fn where_it_sends_us() {
        let moved = heard(&["HTTP/1.1 301 Moved\r\nlocation:  https://b/x \r\n\r\n"]);
        assert_eq!(moved.location().as_deref(), Some("https://b/x"));
        assert_eq!(heard(&["HTTP/1.1 302 Moved\r\n\r\n"]).location().as_deref(), Some(""));
        assert_eq!(heard(&["HTTP/1.1 301 Mo"]).location(), None);
    }

    #[test]
    fn a_flood_is_cut() {
        let response = heard(&["HTTP/1.1 500 x\r\n", &"x".repeat(LONGEST)]);
        assert_eq!(response.bytes.len(), LONGEST);
    }
}
