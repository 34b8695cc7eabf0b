//! How commands and answers are carried over HTTP.

use super::{Capabilities, Command};
use crate::base::decompress::Format;

/// What is sent for a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What follows the question mark of the address.
    pub query: String,
    /// Headers, in their order.
    pub headers: Vec<(String, String)>,
    /// What is posted; `None` for a GET.
    pub body: Option<String>,
}

/// Room that a header's name and its punctuation take of the limit for arguments, in bytes.
const HEADER_NAME: usize = "X-HgArg-9999: \r\n".len();
/// Headers are never cut shorter than this, in bytes, whatever a server says.
const SHORTEST_HEADER: usize = 64;

/// The request for `command` to a server of which this is known.
///
/// Arguments go into the body where the server wants them there, else into headers of at most the
/// length that it allows, else into the address.
pub fn request(command: &Command, server: &Capabilities) -> Request {
    let mut request =
        Request { query: format!("cmd={}", command.name()), headers: Vec::new(), body: None };
    let form = command.to_form();
    if !form.is_empty() {
        if server.takes_post_args() {
            request.headers.push(("X-HgArgs-Post".to_owned(), form.len().to_string()));
            request.headers.push(("Content-Type".to_owned(), PLAIN.to_owned()));
            request.body = Some(form);
        } else if let Some(limit) = server.header_limit() {
            spread(&form, limit, &mut request.headers);
        } else {
            request.query.push('&');
            request.query.push_str(&form);
        }
    }
    if server.sends_media_type("0.2") {
        let proto = "0.1 0.2 comp=zstd,zlib,none,bzip2".to_owned();
        request.headers.push(("X-HgProto-1".to_owned(), proto));
    }
    request
}

/// Puts `form` into as many headers as it needs.
fn spread(form: &str, limit: usize, headers: &mut Vec<(String, String)>) {
    let room = limit.saturating_sub(HEADER_NAME).max(SHORTEST_HEADER);
    let mut rest = form;
    let mut names = Vec::new();
    // All of it is ASCII, so it can be cut anywhere.
    while !rest.is_empty() {
        let (head, tail) = rest.split_at_checked(room).unwrap_or((rest, ""));
        let name = format!("X-HgArg-{}", names.len() + 1);
        headers.push((name.clone(), head.to_owned()));
        names.push(name);
        rest = tail;
    }
    headers.push(("Vary".to_owned(), names.join(",")));
}

/// The media type of answers as old servers give them.
const PLAIN: &str = "application/mercurial-0.1";

/// What an answer is, as its `Content-Type` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// The answer itself, where it is short, and compressed with zlib where it is long.
    Plain,
    /// The name of a compression and then the answer, compressed that way.
    Framed,
    /// What went wrong, as text.
    Error,
}

impl MediaType {
    /// Reads a `Content-Type`; `None` if no Mercurial server speaks.
    pub fn parse(text: &str) -> Option<Self> {
        let essence = text.split(';').next().unwrap_or_default().trim_ascii();
        match essence.to_ascii_lowercase().as_str() {
            PLAIN | "application/hg-0.1" | "application/hg-changegroup" => Some(Self::Plain),
            "application/mercurial-0.2" => Some(Self::Framed),
            "application/hg-error" => Some(Self::Error),
            _ => None,
        }
    }
}

/// The compression with this name; `None` if it is not known, `Some(None)` if it is none.
pub fn compression(name: &[u8]) -> Option<Option<Format>> {
    match name {
        b"none" => Some(None),
        b"zlib" => Some(Some(Format::Zlib)),
        b"bzip2" => Some(Some(Format::Bzip2)),
        b"zstd" => Some(Some(Format::Zstd)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Limits;
    use crate::hg::Node;

    fn server(text: &str) -> Capabilities {
        Capabilities::parse(text.as_bytes(), &Limits::default()).unwrap()
    }

    #[test]
    fn where_arguments_go() {
        let command = Command::lookup(b"a b");
        let query = |text: &str| request(&command, &server(text)).query;
        assert_eq!(query(""), "cmd=lookup&key=a%20b");
        assert_eq!(query("httpheader=1024"), "cmd=lookup");
        let post = request(&command, &server("httppostargs httpheader=1024"));
        assert_eq!(post.body.as_deref(), Some("key=a%20b"));
        assert_eq!(post.headers[0], ("X-HgArgs-Post".to_owned(), "9".to_owned()));
        let nothing = request(&Command::heads(), &server("httppostargs httpheader=1024"));
        assert_eq!(nothing.headers, []);
        assert_eq!(nothing.body, None);
        let new = request(&Command::heads(), &server("httpmediatype=0.1rx,0.1tx,0.2tx"));
        assert_eq!(new.headers[0].0, "X-HgProto-1");
    }

    #[test]
    fn headers_keep_to_their_limit() {
        let nodes: Vec<Node> = (0..100).map(|byte| Node::from_bytes([byte; 20])).collect();
        let command = Command::known(&nodes);
        for limit in [0, 1, 80, 200, 1024, usize::MAX] {
            let request = request(&command, &server(&format!("httpheader={limit}")));
            let (vary, args) = request.headers.split_last().unwrap();
            let whole: String = args.iter().map(|(_, value)| value.as_str()).collect();
            assert_eq!(whole, command.to_form());
            let longest = args.iter().map(|(name, value)| name.len() + value.len() + 4).max();
            assert!(longest.unwrap() <= limit.max(SHORTEST_HEADER + HEADER_NAME), "{limit}");
            let names: Vec<&str> = args.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!((vary.0.as_str(), vary.1.as_str()), ("Vary", names.join(",").as_str()));
        }
    }

    #[test]
    fn media_types() {
        for (text, expected) in [
            ("application/mercurial-0.1", Some(MediaType::Plain)),
            ("Application/Mercurial-0.2; x=y", Some(MediaType::Framed)),
            ("application/hg-error", Some(MediaType::Error)),
            ("text/html", None),
            ("application/mercurial-0.10", None),
            ("", None),
        ] {
            assert_eq!(MediaType::parse(text), expected, "{text}");
        }
        assert_eq!(compression(b"zstd"), Some(Some(Format::Zstd)));
        assert_eq!(compression(b"none"), Some(None));
        assert_eq!(compression(b"zst"), None);
    }
}
