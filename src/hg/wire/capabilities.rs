//! What a server says it can do, and what we say that we can read.

use crate::base::text::printable;
use crate::base::{Limits, faults};
use crate::net::percent;

/// No server has more to say, in bytes.
const LONGEST: usize = 1 << 20;

/// Why a list of capabilities is not valid.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CapabilitiesError {
    /// It is too long.
    #[error("read what the server can do: its list has {length} bytes, the limit is {limit}")]
    TooLarge {
        /// How long it is, in bytes.
        length: usize,
        /// What is allowed.
        limit: usize,
    },
    /// It is not one line of words.
    #[error("read what the server can do: {entry:?} is no capability")]
    Malformed {
        /// What is wrong, made printable and cut.
        entry: String,
    },
}

faults!(CapabilitiesError => Corrupt);

/// What a server can do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    entries: Vec<(String, Option<String>)>,
    bundle2: Option<Bundle2Caps>,
}

impl Capabilities {
    /// Reads the answer to `capabilities`: words with blanks between them, each a name or
    /// `name=value`.
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, CapabilitiesError> {
        let limit = usize::try_from(limits.metadata_bytes).unwrap_or(LONGEST).min(LONGEST);
        if bytes.len() > limit {
            return Err(CapabilitiesError::TooLarge { length: bytes.len(), limit });
        }
        let mut entries = Vec::new();
        let mut bundle2 = None;
        let words = bytes.trim_ascii().split(|&byte| byte == b' ').filter(|word| !word.is_empty());
        for word in words {
            let text = std::str::from_utf8(word).ok();
            let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
            let text = text.ok_or_else(|| malformed(word))?;
            let (name, value) = match text.split_once('=') {
                Some((name, value)) => (name, Some(value)),
                None => (text, None),
            };
            if name.is_empty() {
                return Err(malformed(word));
            }
            if name == "bundle2" {
                let caps = Bundle2Caps::parse_quoted(value.unwrap_or_default());
                bundle2 = Some(caps.ok_or_else(|| malformed(word))?);
            }
            entries.push((name.to_owned(), value.map(str::to_owned)));
        }
        Ok(Self { entries, bundle2 })
    }

    /// The same list again, to be remembered.
    pub fn to_bytes(&self) -> Vec<u8> {
        let words = self.entries.iter().map(|(name, value)| match value {
            Some(value) => format!("{name}={value}"),
            None => name.clone(),
        });
        words.collect::<Vec<_>>().join(" ").into_bytes()
    }

    /// Whether it can do `name`.
    pub fn has(&self, name: &str) -> bool {
        self.entries.iter().any(|(entry, _)| entry == name)
    }

    /// What it says of `name`, behind the equals sign.
    pub fn value(&self, name: &str) -> Option<&str> {
        let entry = self.entries.iter().find(|(entry, _)| entry == name);
        entry.and_then(|(_, value)| value.as_deref())
    }

    /// What it says of `name`, taken apart at the commas.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let value = self.value(name).unwrap_or_default();
        value.split(',').filter(|value| !value.is_empty())
    }

    /// What it can do with bundles of the second kind; `None` if it does not know them.
    pub fn bundle2(&self) -> Option<&Bundle2Caps> {
        self.bundle2.as_ref()
    }

    /// How long a header with arguments may be, in bytes; `None` if arguments go into the address.
    pub fn header_limit(&self) -> Option<usize> {
        if !self.has("httpheader") {
            return None;
        }
        // What follows a comma is for the future.
        let limit = self.values("httpheader").next().and_then(|limit| limit.parse().ok());
        Some(limit.unwrap_or(DEFAULT_HEADER))
    }

    /// Whether it prefers arguments in the body of a request.
    pub fn takes_post_args(&self) -> bool {
        self.has("httppostargs")
    }

    /// Whether it answers in the media type of this version, such as `0.2`.
    pub fn sends_media_type(&self, version: &str) -> bool {
        let wanted = format!("{version}tx");
        self.values("httpmediatype").any(|value| value == wanted)
    }
}

/// What the length of a header is where a server says nothing of use.
const DEFAULT_HEADER: usize = 1024;

fn malformed(entry: &[u8]) -> CapabilitiesError {
    let entry = printable(entry.get(..100).unwrap_or(entry));
    CapabilitiesError::Malformed { entry }
}

/// Which parts of a `HG20` bundle the other side understands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle2Caps(Vec<(String, Vec<String>)>);

impl Bundle2Caps {
    /// Reads a list: a line for each capability, a name or `name=value,value`, both escaped. `None`
    /// if an escape is none.
    pub fn parse(text: &str) -> Option<Self> {
        let lines = text.split('\n').filter(|line| !line.is_empty());
        let entries = lines.map(|line| {
            let (name, values) = line.split_once('=').unwrap_or((line, ""));
            let values = values.split(',').filter(|value| !value.is_empty());
            let values = values.map(percent::decode_text).collect::<Option<_>>()?;
            Some((percent::decode_text(name)?, values))
        });
        entries.collect::<Option<_>>().map(Self)
    }

    /// The same where the whole is escaped again, as in the list of a server.
    fn parse_quoted(text: &str) -> Option<Self> {
        Self::parse(&percent::decode_text(text)?)
    }

    /// Whether `name` is understood.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(entry, _)| entry == name)
    }

    /// What is said of `name`: versions, kinds. Nothing if there is nothing.
    pub fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        let entries = self.0.iter().filter(move |(entry, _)| entry == name);
        entries.flat_map(|(_, values)| values.iter().map(String::as_str))
    }

    /// The list as [`Bundle2Caps::parse`] reads it.
    pub fn to_text(&self) -> String {
        let lines = self.0.iter().map(|(name, values)| {
            let values: Vec<_> =
                values.iter().map(|value| percent::encode(value.as_bytes())).collect();
            let equals = if values.is_empty() { "" } else { "=" };
            format!("{}{equals}{}", percent::encode(name.as_bytes()), values.join(","))
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// What we can read: the names of parts, and of each the versions and kinds.
const OURS: &[(&str, &[&str])] = &[
    ("HG20", &[]),
    ("bookmarks", &[]),
    ("changegroup", &["01", "02", "03"]),
    ("digests", &[]),
    ("error", &["abort", "unsupportedcontent", "pushraced", "pushkey"]),
    ("hgtagsfnodes", &[]),
    ("listkeys", &[]),
    ("obsmarkers", &["V0", "V1"]),
    ("phases", &["heads"]),
    ("stream", &["v2"]),
];

/// What [`GetBundle::bundle_caps`](super::GetBundle) says of us.
pub fn our_bundle2() -> String {
    let ours = OURS.iter().map(|(name, values)| {
        ((*name).to_owned(), values.iter().map(|value| (*value).to_owned()).collect())
    });
    let text = Bundle2Caps(ours.collect()).to_text();
    format!("HG20,bundle2={}", percent::encode(text.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What Mercurial 7.2 says over HTTP.
    const REAL: &str = "batch branchmap bundle2=HG20%0Abookmarks%0Achangegroup%3D01%2C02%2C03%0A\
        checkheads%3Drelated%0Adigests%3Dmd5%2Csha1%2Csha512%0Aphases%3Dheads%0Astream%3Dv2 \
        compression=zstd,zlib getbundle httpheader=1024 httpmediatype=0.1rx,0.1tx,0.2tx known \
        lookup pushkey streamreqs=generaldelta,revlogv1 unbundle=HG10GZ,HG10BZ,HG10UN";

    fn parse(text: &[u8]) -> Result<Capabilities, CapabilitiesError> {
        Capabilities::parse(text, &Limits::default())
    }

    #[test]
    fn what_a_server_says() {
        let caps = parse(REAL.as_bytes()).unwrap();
        assert!(caps.has("known") && !caps.has("know") && !caps.takes_post_args());
        assert_eq!(caps.value("compression"), Some("zstd,zlib"));
        assert_eq!(caps.value("known"), None);
        assert_eq!(caps.header_limit(), Some(1024));
        assert!(caps.sends_media_type("0.2") && !caps.sends_media_type("0.3"));
        let bundle2 = caps.bundle2().unwrap();
        assert!(bundle2.has("HG20") && !bundle2.has("HG21"));
        assert_eq!(bundle2.values("changegroup").collect::<Vec<_>>(), ["01", "02", "03"]);
        assert_eq!(caps.to_bytes(), REAL.as_bytes());
        assert_eq!(parse(&caps.to_bytes()), Ok(caps));
    }

    #[test]
    fn little_and_strange() {
        let old = parse(b"  lookup changegroupsubset  stream=1\n").unwrap();
        assert_eq!(old.bundle2(), None);
        assert_eq!(old.header_limit(), None);
        assert_eq!(old.value("stream"), Some("1"));
        assert_eq!(parse(b"").unwrap(), Capabilities::default());
        for (text, limit) in
            [("httpheader=512,x", 512), ("httpheader", 1024), ("httpheader=x", 1024)]
        {
            assert_eq!(parse(text.as_bytes()).unwrap().header_limit(), Some(limit), "{text}");
        }
        for text in ["a\nb", "a =b", "a\tb", "bundle2=%", "bundle2=%25", "\u{e4}"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
        let long = "x ".repeat(LONGEST);
        assert!(matches!(parse(long.as_bytes()), Err(CapabilitiesError::TooLarge { .. })));
        let error = parse("\u{1b}".repeat(1000).as_bytes()).unwrap_err().to_string();
        assert!(error.len() < 1000 && !error.contains('\u{1b}'), "{error}");
    }

    #[test]
    fn every_cut_and_every_flip() {
        let check = |bytes: &[u8]| {
            let Ok(caps) = parse(bytes) else { return };
            assert_eq!(parse(&caps.to_bytes()), Ok(caps));
        };
        for at in 0..REAL.len() {
            check(&REAL.as_bytes()[..at]);
            for bit in 0..8 {
                let mut bytes = REAL.as_bytes().to_vec();
                bytes[at] ^= 1 << bit;
                check(&bytes);
            }
        }
    }

    #[test]
    fn lists_within_lists() {
        let caps = Bundle2Caps::parse("listvaluekey=value%201,value%2C2\nnovaluekey\n").unwrap();
        assert_eq!(caps.values("listvaluekey").collect::<Vec<_>>(), ["value 1", "value,2"]);
        assert!(caps.has("novaluekey"));
        assert_eq!(caps.to_text(), "listvaluekey=value%201,value%2C2\nnovaluekey");
        let ours = our_bundle2();
        let (first, ours) = ours.split_once(",bundle2=").unwrap();
        assert_eq!(first, "HG20");
        let ours = Bundle2Caps::parse_quoted(ours).unwrap();
        assert_eq!(ours.values("phases").collect::<Vec<_>>(), ["heads"]);
    }
}
