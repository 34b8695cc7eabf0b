//! Whether an SSH server is the one it says it is.
//!
//! libgit2 could look into `~/.ssh/known_hosts` by itself. A daemon has no home folder worth the
//! name, so the operator names a file; without one the keys that GitHub publishes are known and no
//! others. A server that is not known is never trusted at first sight.
//!
//! All that libgit2 still takes from a `~/.ssh/known_hosts` is which kind of key it would rather
//! see; what it thinks of the key is not asked.

mod edit;

use std::path::PathBuf;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use wildmatch::WildMatch;

use crate::base::sha1;

use super::host::is_github;
use super::secret::SecretSource;

pub use edit::{Added, KnownKey, add, list};

/// The fingerprints of the host keys that GitHub publishes
/// (<https://docs.github.com/authentication/keeping-your-account-and-data-secure/githubs-ssh-key-fingerprints>):
/// Ed25519, ECDSA, RSA.
const GITHUB: [&str; 3] = [
    "+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU",
    "p2QAMXNIC1TJYWeIOttrVc98/R1BUFWu3/LiyKgUfQM",
    "uNiVztksCsDhcc0u9e8BujQXVUpKZIDTMczCvj3tD2s",
];

/// GitHub's RSA key until March 2023, whose private half was published by mistake. No file makes
/// it good again.
const LEAKED: &str = "nThbg6kXUpJWGl7E1IGOCspRomTxdCARLviKw6E5SY8";

/// Fingerprints are written without padding, keys with it.
const BASE64: GeneralPurpose =
    GeneralPurpose::new(&STANDARD, NO_PAD.with_decode_padding_mode(DecodePaddingMode::Indifferent));

/// The port that `known_hosts` leaves out.
const SSH_PORT: u16 = 22;

/// The key that a server showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostKey {
    /// The key in SSH's wire form, which begins with its type.
    pub blob: Vec<u8>,
    /// Its SHA-256 in base 64, as `ssh-keygen -l` shows it behind `SHA256:`.
    pub fingerprint: String,
}

impl HostKey {
    /// The key with this wire form and SHA-256.
    pub fn new(blob: &[u8], sha256: &[u8; 32]) -> Self {
        Self { blob: blob.to_owned(), fingerprint: BASE64.encode(sha256) }
    }

    /// The kind of key.
    pub fn key_type(&self) -> String {
        key_type(&self.blob)
    }
}

/// Why a server's key was not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostKeyError {
    /// Nothing is known about the server.
    #[error("no host key of {host} is known, and it shows {key_type} SHA256:{fingerprint}")]
    Unknown {
        /// The server, with its port if that is not 22.
        host: String,
        /// The kind of key that it shows.
        key_type: String,
        /// The SHA-256 of that key.
        fingerprint: String,
        /// The file that was looked into, if there is one.
        file: Option<PathBuf>,
    },
    /// Another key of the same kind is known: it has changed, or another machine intercepts the connection.
    #[error(
        "the host key of {host} is not one of those known for it: it shows {key_type} SHA256:{fingerprint}"
    )]
    Mismatch {
        /// The server, with its port if that is not 22.
        host: String,
        /// The kind of key that it shows.
        key_type: String,
        /// The SHA-256 of that key.
        fingerprint: String,
        /// The file that was looked into, if there is one.
        file: Option<PathBuf>,
    },
    /// The key has been withdrawn.
    #[error("the host key of {host} is revoked: SHA256:{fingerprint}")]
    Revoked {
        /// The server, with its port if that is not 22.
        host: String,
        /// The SHA-256 of the key it shows.
        fingerprint: String,
    },
    /// The file with the known keys is nowhere.
    #[error("find the known hosts: {problem}")]
    Nowhere {
        /// What is wrong.
        problem: String,
    },
    /// The file with the known keys cannot be read.
    #[error("read the known hosts in {}: {problem}", file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// What the system says.
        problem: String,
    },
}

impl HostKeyError {
    /// What the operator can do.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unknown { host, file: Some(file), .. } => Some(format!(
                "compare the fingerprint with the one its operator publishes, then run \
                 `synchroniser known-hosts add {} --file {}`",
                plain(host),
                file.display()
            )),
            Self::Unknown { host, file: None, .. } => Some(format!(
                "compare the fingerprint with the one its operator publishes, run \
                 `synchroniser known-hosts add {} --file FILE`, and name the file by \
                 `target.known_hosts`",
                plain(host)
            )),
            Self::Mismatch { host, file, .. } => Some(format!(
                "the connection may be intercepted; if the key was changed on purpose, replace \
                 the lines of {host} in {}",
                file.as_ref()
                    .map_or_else(|| "known_hosts".to_owned(), |file| file.display().to_string())
            )),
            Self::Revoked { .. } => Some("do not connect to that server".to_owned()),
            Self::Nowhere { .. } | Self::File { .. } => None,
        }
    }
}

/// A host and port as people write them: without the brackets of `known_hosts` around a name.
fn plain(host: &str) -> String {
    match host.strip_prefix('[').and_then(|rest| rest.rsplit_once("]:")) {
        Some((host, port)) if !host.contains(':') => format!("{host}:{port}"),
        _ => host.to_owned(),
    }
}

/// Whether `key` is one of `host`'s, by the file `known_hosts`, or by what is built in if the file
/// says nothing about the host.
pub fn check(
    known_hosts: Option<&SecretSource>,
    host: &str,
    port: Option<u16>,
    key: &HostKey,
) -> Result<(), HostKeyError> {
    let file = known_hosts.map(SecretSource::path).transpose();
    let file = file.map_err(|error| HostKeyError::Nowhere { problem: error.to_string() })?;
    let text = match &file {
        Some(file) => std::fs::read(file).map_err(|error| HostKeyError::File {
            file: file.clone(),
            problem: error.to_string(),
        })?,
        None => Vec::new(),
    };
    let host = Host::new(host, port);
    let fingerprint = key.fingerprint.clone();
    let name = host.shown.clone();
    let key_type = key_type(&key.blob);
    match look_up(&text, &host, key) {
        Verdict::Good => Ok(()),
        Verdict::Revoked => Err(HostKeyError::Revoked { host: name, fingerprint }),
        Verdict::Other => Err(HostKeyError::Mismatch { host: name, key_type, fingerprint, file }),
        Verdict::Nothing => Err(HostKeyError::Unknown { host: name, key_type, fingerprint, file }),
    }
}

/// Whether the text of a `known_hosts` file, or what is built in, says that a key is the host's.
#[cfg(fuzzing)]
pub fn is_known(text: &[u8], host: &str, port: Option<u16>, blob: &[u8]) -> bool {
    look_up(text, &Host::new(host, port), &HostKey::new(blob, &[0; 32])) == Verdict::Good
}

/// What is known about a server and its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Good,
    Revoked,
    /// Other keys of the same kind are known.
    Other,
    Nothing,
}

/// A server as `known_hosts` writes it.
struct Host {
    /// Lower case, without the brackets of an IPv6 address.
    bare: String,
    /// `host`, or `[host]:port` where the port is not 22.
    shown: String,
}

impl Host {
    fn new(host: &str, port: Option<u16>) -> Self {
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let shown = match port {
            None | Some(SSH_PORT) => bare.clone(),
            Some(port) => format!("[{bare}]:{port}"),
        };
        Self { bare, shown }
    }
}

/// Looks for `key` in the text of a `known_hosts` file, then among the built-in ones.
fn look_up(text: &[u8], host: &Host, key: &HostKey) -> Verdict {
    if key.fingerprint == LEAKED {
        return Verdict::Revoked;
    }
    let mut verdict = Verdict::Nothing;
    for line in text.split(|&byte| byte == b'\n').filter_map(|line| std::str::from_utf8(line).ok())
    {
        let Some(line) = Line::parse(line).filter(|line| line.is_for(host)) else { continue };
        match (line.marker, line.key == key.blob) {
            (Some("@revoked"), true) => return Verdict::Revoked,
            (None, true) => verdict = Verdict::Good,
            // A server has keys of several kinds, and which it shows is not up to us.
            (None, false)
                if verdict == Verdict::Nothing && key_type(&line.key) == key_type(&key.blob) =>
            {
                verdict = Verdict::Other;
            }
            _ => {}
        }
    }
    if verdict == Verdict::Nothing && is_github(&host.bare) {
        let is_published = GITHUB.contains(&key.fingerprint.as_str());
        return if is_published { Verdict::Good } else { Verdict::Other };
    }
    verdict
}

/// A line of `known_hosts`: `[marker] hosts type key [comment]`.
struct Line<'a> {
    marker: Option<&'a str>,
    hosts: &'a str,
    key: Vec<u8>,
}

impl<'a> Line<'a> {
    /// Reads a line; `None` for comments and for what is none of ours.
    fn parse(line: &'a str) -> Option<Self> {
        let mut words = line.split_ascii_whitespace();
        let mut hosts = words.next().filter(|word| !word.starts_with('#'))?;
        let marker = Some(hosts).filter(|word| word.starts_with('@'));
        if marker.is_some() {
            hosts = words.next()?;
        }
        let key = BASE64.decode(words.nth(1)?).ok()?;
        Some(Self { marker, hosts, key })
    }

    /// Whether the line speaks about `host`.
    fn is_for(&self, host: &Host) -> bool {
        if let Some(hashed) = self.hosts.strip_prefix("|1|") {
            return is_hash_of(hashed, &host.shown);
        }
        let mut found = false;
        for pattern in self.hosts.split(',') {
            match pattern.strip_prefix('!') {
                Some(pattern) if matches(pattern, &host.shown) => return false,
                Some(_) => {}
                None => found |= matches(pattern, &host.shown),
            }
        }
        found
    }
}

/// Whether `hashed`, which is `salt|hash`, was made of `host`.
fn is_hash_of(hashed: &str, host: &str) -> bool {
    let Some((salt, hash)) = hashed.split_once('|') else { return false };
    let (Ok(salt), Ok(hash)) = (BASE64.decode(salt), BASE64.decode(hash)) else {
        return false;
    };
    hmac_sha1(&salt, host.as_bytes()) == hash.as_slice()
}

/// HMAC-SHA1 (RFC 2104). Here it only hides names in a file, so there is nothing to time.
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0; 64];
    if key.len() > block.len() {
        block[..20].copy_from_slice(&sha1::digest(&[key]));
    } else {
        block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    }
    let inner = sha1::digest(&[&block.map(|byte| byte ^ 0x36), message]);
    sha1::digest(&[&block.map(|byte| byte ^ 0x5c), &inner])
}

/// Whether `text` fits a pattern in which `*` is anything and `?` any one character.
fn matches(pattern: &str, text: &str) -> bool {
    WildMatch::new_case_insensitive(pattern).matches(text)
}

/// The name of a key's type, which its wire form begins with.
fn key_type(blob: &[u8]) -> String {
    let length = blob.first_chunk().map_or(0, |length| u32::from_be_bytes(*length));
    let name = usize::try_from(length).ok().and_then(|length| blob.get(4..)?.get(..length));
    let is_name = |name: &&[u8]| name.iter().all(u8::is_ascii_graphic) && name.len() < 64;
    let name = name.filter(is_name).unwrap_or(b"unknown");
    String::from_utf8_lossy(name).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::testing::every_cut_and_flip;

    const ED25519: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn key(blob: &str, fingerprint: &str) -> HostKey {
        HostKey { blob: BASE64.decode(blob).unwrap(), fingerprint: fingerprint.to_owned() }
    }

    fn verdict(text: &str, host: &str, port: Option<u16>) -> Verdict {
        look_up(text.as_bytes(), &Host::new(host, port), &key(ED25519, "x"))
    }

    #[test]
    fn hmac_known_answers() {
        // RFC 2202, cases 2 and 6.
        let hex = |bytes: &[u8]| crate::base::hex::encode(bytes);
        assert_eq!(
            hex(&hmac_sha1(b"Jefe", b"what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let text = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(hex(&hmac_sha1(&[0xaa; 80], text)), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    }

    #[test]
    fn lines_of_every_kind() {
        let line = |hosts: &str| format!("# comment\n\n{hosts} ssh-ed25519 {ED25519} me@here\n");
        assert_eq!(verdict(&line("h"), "h", None), Verdict::Good);
        assert_eq!(verdict(&line("h"), "H", Some(22)), Verdict::Good);
        assert_eq!(verdict(&line("h"), "h", Some(2222)), Verdict::Nothing);
        assert_eq!(verdict(&line("[h]:2222"), "h", Some(2222)), Verdict::Good);
        assert_eq!(verdict(&line("[::1]:2222"), "[::1]", Some(2222)), Verdict::Good);
        assert_eq!(verdict(&line("::1"), "[::1]", None), Verdict::Good);
        assert_eq!(verdict(&line("a,h,b"), "h", None), Verdict::Good);
        assert_eq!(verdict(&line("*.org"), "a.org", None), Verdict::Good);
        assert_eq!(verdict(&line("?.org"), "ab.org", None), Verdict::Nothing);
        assert_eq!(verdict(&line("*.org,!a.org"), "a.org", None), Verdict::Nothing);
        assert_eq!(verdict(&line("@revoked h"), "h", None), Verdict::Revoked);
        assert_eq!(verdict(&line("@cert-authority h"), "h", None), Verdict::Nothing);
        assert_eq!(verdict(&format!("h ssh-ed25519 {OTHER}"), "h", None), Verdict::Other);
        let both = format!("h ssh-ed25519 {OTHER}\n{}", line("h"));
        assert_eq!(verdict(&both, "h", None), Verdict::Good);
        assert_eq!(verdict("h ssh-rsa AAAAB3NzaC1yc2E=", "h", None), Verdict::Nothing);
        assert_eq!(verdict("h ssh-ed25519 !!!\nh\n@revoked\n\u{1}", "h", None), Verdict::Nothing);
    }

    /// The names are what `ssh-keygen -H` made of `h.example` and `[h.example]:2222`.
    #[test]
    fn hashed_names() {
        let plain = "|1|mTu61vmiYfqzTOIrXHNH058u2IA=|zSDXbD4imwIjHLRobJ3Ha7IVAC4=";
        let with_port = "|1|WJ3DRTC2D7nWDHXID2jbcGB8kNQ=|zqLVzdU+SFvYiCOinN90vw79c3w=";
        let line = |hosts: &str| format!("{hosts} ssh-ed25519 {ED25519}\n");
        assert_eq!(verdict(&line(plain), "H.example", None), Verdict::Good);
        assert_eq!(verdict(&line(plain), "h.example", Some(2222)), Verdict::Nothing);
        assert_eq!(verdict(&line(plain), "g.example", None), Verdict::Nothing);
        assert_eq!(verdict(&line(with_port), "h.example", Some(2222)), Verdict::Good);
    }

    #[test]
    fn github_is_known_and_its_leaked_key_is_not() {
        let look = |text: &str, fingerprint| {
            look_up(text.as_bytes(), &Host::new("github.com", None), &key(ED25519, fingerprint))
        };
        for current in GITHUB {
            assert_eq!(look("", current), Verdict::Good);
        }
        let published = openssl::sha::sha256(&BASE64.decode(ED25519).unwrap());
        assert_eq!(BASE64.encode(published), GITHUB[0]);
        assert_eq!(look("", "x"), Verdict::Other);
        assert_eq!(look("", LEAKED), Verdict::Revoked);
        assert_eq!(look(&format!("github.com ssh-ed25519 {ED25519}"), LEAKED), Verdict::Revoked);
        assert_eq!(look(&format!("github.com ssh-ed25519 {ED25519}"), "x"), Verdict::Good);
        assert_eq!(look(&format!("github.com ssh-ed25519 {OTHER}"), GITHUB[0]), Verdict::Other);
    }

    /// Whatever is cut or flipped, a sound line beside it is still one.
    #[test]
    fn every_cut_and_every_flip_is_another_file() {
        let hashed = "|1|mTu61vmiYfqzTOIrXHNH058u2IA=|zSDXbD4imwIjHLRobJ3Ha7IVAC4=";
        let text = format!("@revoked !a,[b]:22,*.c {hashed} ssh-ed25519 {OTHER} # c\n");
        let sound = format!("\nh ssh-ed25519 {ED25519}\n");
        let look = |text: &[u8]| {
            let text = [text, sound.as_bytes()].concat();
            let host = Host::new("h", None);
            assert_eq!(look_up(&text, &host, &key(ED25519, "x")), Verdict::Good);
        };
        every_cut_and_flip(text.into_bytes(), look);
    }

    #[test]
    fn an_unknown_host_comes_with_a_way_out() {
        let shown = key(ED25519, "abc");
        let error = check(None, "h.example", Some(2222), &shown).unwrap_err();
        insta::assert_snapshot!(error, @"no host key of [h.example]:2222 is known, and it shows ssh-ed25519 SHA256:abc");
        insta::assert_snapshot!(error.hint().unwrap(), @"compare the fingerprint with the one its operator publishes, run `synchroniser known-hosts add h.example:2222 --file FILE`, and name the file by `target.known_hosts`");
        let error = check(Some(&PathBuf::from("/nowhere").into()), "h", None, &shown).unwrap_err();
        assert!(matches!(error, HostKeyError::File { .. }));
    }
}
