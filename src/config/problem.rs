//! What can be wrong with one key.

mod words;

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::notify::NotifyProblem;
use super::template::TemplateError;
use crate::base::similar::similar;
use crate::convert::AuthorMapError;
use crate::hook::PublicKeyError;
use crate::net::url::{SourceUrlError, UrlError};
use crate::net::{NetworkError, SecretError};
use words::{cannot, quoted, suggestion};

/// One thing that is wrong, and where.
#[derive(Debug)]
pub struct Problem {
    /// The line in the file, counted from 1.
    pub line: usize,
    /// The full key, such as `daemon.listen` or `mirrors.rocket`; empty if no key is concerned.
    pub key: String,
    /// What is wrong there.
    pub kind: ProblemKind,
}

impl Problem {
    /// Whether a list of all keys helps.
    pub(super) fn is_of_keys(&self) -> bool {
        matches!(
            self.kind,
            ProblemKind::UnknownKey { .. }
                | ProblemKind::KeyOfAnEnd { .. }
                | ProblemKind::WrongType { .. }
                | ProblemKind::NotATable { .. }
                | ProblemKind::Missing
        )
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        write!(f, "{}", self.kind)
    }
}

/// What is wrong with one key. The texts go on after `key: `.
#[derive(Debug, thiserror::Error)]
pub enum ProblemKind {
    /// No hash of a token.
    #[error("is no SHA-256 in hex (64 digits): `synchroniser config token` prints one")]
    NotAHash,
    /// Other daemons are counted on, and there can be none.
    #[error("needs a PostgreSQL database in `queue.store`, which several daemons share")]
    NotShared,
    /// The file is not TOML.
    #[error("not TOML: {message}")]
    Syntax {
        /// What the parser said.
        message: String,
    },
    /// A key that nobody reads.
    #[error("no such key{}", suggestion(*similar))]
    UnknownKey {
        /// The key that may have been meant.
        similar: Option<&'static str>,
    },
    /// A key about one end of a mirror that stands in the table of the mirror.
    #[error(
        "write it into the table of the {end}, as `{key}`: \
         {end} = {{ url = \"ADDRESS\", {key} = … }}, or below [mirrors.NAME.{end}]"
    )]
    KeyOfAnEnd {
        /// The end: `source` or `target`.
        end: &'static str,
        /// What the key is called there.
        key: &'static str,
    },
    /// A value of the wrong type.
    #[error("not {expected}")]
    WrongType {
        /// What it must be.
        expected: &'static str,
    },
    /// A value where a table must be.
    #[error("write it as a table, [{name}]")]
    NotATable {
        /// The full name of the table.
        name: String,
    },
    /// A word that is none of those that there are.
    #[error("{value:?} is not one of {}{}", quoted(allowed), suggestion(*similar))]
    NotOneOf {
        /// What was written.
        value: String,
        /// The words that there are.
        allowed: Vec<&'static str>,
        /// The one that may have been meant.
        similar: Option<&'static str>,
    },
    /// A key that has no default is not there.
    #[error("missing")]
    Missing,
    /// A number that is not allowed here.
    #[error("{value} is not between {least} and {most}")]
    OutOfRange {
        /// What was written.
        value: u64,
        /// The least that is allowed.
        least: u64,
        /// The most that is allowed.
        most: u64,
    },
    /// A value that is there and empty.
    #[error("empty")]
    Empty,
    /// Not an address to listen on.
    #[error(
        "{value:?} is not an address with a port, such as \"127.0.0.1:8377\" or \"[::1]:8377\""
    )]
    NotAnAddress {
        /// What was written.
        value: String,
    },
    /// An address of the queue that cannot be used.
    #[error("{problem}")]
    Queue {
        /// What is wrong with it. Does not repeat it: it may hold a password.
        problem: String,
    },
    /// The name of a mirror that cannot be a folder.
    #[error(
        "the name of a mirror is of letters, digits, \".\", \"_\" and \"-\", \
         and begins with neither \".\" nor \"-\""
    )]
    BadMirrorName,
    /// A source that is no address we can fetch from.
    #[error("{}", cannot(source))]
    Source {
        /// What is wrong with it. Does not repeat it: it may hold a secret.
        source: SourceUrlError,
    },
    /// A source whose history everybody on the way can read and change.
    #[error(
        "over http:// anybody on the way can read and change what is fetched; if that is meant, {}",
        match is_alone {
            true => "write source = { url = \"http://…\", plain_http = true }",
            false => "set `plain_http = true` beside it",
        }
    )]
    PlainHttp {
        /// Whether it is written without a table.
        is_alone: bool,
    },
    /// A key that does not fit the address.
    #[error("of no use for {here}")]
    NoUse {
        /// What the address leads to.
        here: &'static str,
    },
    /// An author map that cannot be used.
    #[error("{}", cannot(source))]
    AuthorMap {
        /// What is wrong with it.
        source: AuthorMapError,
    },
    /// A receiver of notifications that cannot be told.
    #[error("{0}")]
    Notify(#[from] NotifyProblem),
    /// A prefix that Git would refuse.
    #[error("no name that Git allows begins with {value:?}")]
    BadPrefix {
        /// What was written.
        value: String,
    },
    /// A main branch that Git would refuse.
    #[error("{value:?} is not a name that Git allows for a branch")]
    BadBranch {
        /// What was written.
        value: String,
    },
    /// A target that is no address we can push to.
    #[error("{}", cannot(source))]
    Target {
        /// What is wrong with it. Does not repeat it: it may hold a secret.
        source: UrlError,
    },
    /// Half of a selector.
    #[error("missing: the target does not tell it, and `{other}` is set")]
    HalfASelector {
        /// The other half.
        other: &'static str,
    },
    /// Two mirrors that one hook would mean.
    #[error("user {user:?} and project {project:?} already select the mirror {other:?}")]
    SameSelector {
        /// The user of both.
        user: String,
        /// The project of both.
        project: String,
        /// The mirror that came first.
        other: String,
    },
    /// Two keys that answer the same question.
    #[error("set already by `{other}`")]
    SetTwice {
        /// The other key.
        other: &'static str,
    },
    /// Two mirrors that move the same refs.
    #[error(
        "the mirror {other:?} publishes to the same repository, and {}",
        match notes {
            true => "both write refs/notes/hg; set `notes` for one of them only".to_owned(),
            false => format!(
                "both move refs that begin with {prefix:?}; give each a `ref_prefix` of its own"
            ),
        }
    )]
    SameTarget {
        /// The mirror that came first.
        other: String,
        /// What the refs of both begin with.
        prefix: String,
        /// Whether it is the notes that both write.
        notes: bool,
    },
    /// A user without a token.
    #[error("of no use without `token_file`, `token_credential` or `token_env`")]
    NoToken,
    /// An ssh target without a key.
    #[error(
        "a target that is reached over SSH needs a key: set `key_file`, `key_credential` or `ssh_agent`"
    )]
    NoKey,
    /// The name of a credential that would leave the folder.
    #[error("{value:?} is not the name of a credential")]
    BadCredentialName {
        /// What was written.
        value: String,
    },
    /// What is no address of an API.
    #[error("not the address of an API: it begins with https://, and has neither user nor query")]
    BadApi,
    /// A key about the API of a forge, for a target of which none is known.
    #[error("of no use without `api`: only that of github.com is known")]
    NoForge,
    /// A key of an app without the app.
    #[error("of no use without `app_id`")]
    NoApp,
    /// An app without its key.
    #[error("an app needs its private key: set `app_key_file` or `app_key_credential`")]
    NoAppKey,
    /// What no environment variable is called. It is not repeated: it may be the secret itself.
    #[error("not the name of an environment variable; the token itself must not stand here")]
    BadVariableName,
    /// The name of an endpoint, or its path, that cannot stand in an address.
    #[error(
        "the name of an endpoint and its path are of letters, digits, \".\", \"_\" and \"-\", \
         and begin with neither \".\" nor \"-\""
    )]
    BadEndpointName,
    /// A path that is for another format.
    #[error("`synchronise` is for the format `{format}` alone")]
    PathOfOneFormat {
        /// The format.
        format: &'static str,
    },
    /// Two endpoints at one path.
    #[error("the endpoint {other:?} has the path {path:?} already")]
    SamePath {
        /// The path of both.
        path: String,
        /// The endpoint that came first.
        other: String,
    },
    /// What no header is called.
    #[error("{value:?} is not the name of a header")]
    BadHeader {
        /// What was written.
        value: String,
    },
    /// What is no network.
    #[error("{value:?}: {}", cannot(source))]
    Network {
        /// What was written.
        value: String,
        /// What is wrong with it.
        source: NetworkError,
    },
    /// What is no public key.
    #[error("{}", cannot(source))]
    PublicKey {
        /// What is wrong with it.
        source: PublicKeyError,
    },
    /// A scheme that the senders of a format do not have.
    #[error("senders of the format `{format}` can prove a hook by {}", quoted(allowed))]
    NotOfFormat {
        /// The format.
        format: &'static str,
        /// The schemes that they have.
        allowed: Vec<&'static str>,
    },
    /// A key that is for other schemes.
    #[error("of no use for the scheme `{scheme}`")]
    NoUseForScheme {
        /// The scheme.
        scheme: &'static str,
    },
    /// An endpoint that says how a hook is proven, and that none has to be.
    #[error("of no use beside `allow_unauthenticated = true`")]
    NothingToProve,
    /// An endpoint that would take whatever arrives.
    #[error(
        "anybody could ask for syncs: set `{wanted}`{}, or say `allow_unauthenticated = true`",
        if *wanted == "secret_file" { " or `secret_credential`" } else { "" }
    )]
    NoSecret {
        /// The key with what proves a hook.
        wanted: &'static str,
    },
    /// An endpoint that lists a mirror that there is not.
    #[error("there is no mirror {name:?}, and no pattern that stands for it{}", suggestion(similar.as_deref()))]
    UnknownMirror {
        /// What was written.
        name: String,
        /// The mirror that may have been meant.
        similar: Option<String>,
    },
    /// The name of a pattern that cannot be a part of names.
    #[error(
        "the name of a pattern is of letters, digits, \".\", \"_\" and \"-\", \
         and begins with neither \".\" nor \"-\""
    )]
    BadPatternName,
    /// A source or target that is no template.
    #[error("{}", cannot(source))]
    Template {
        /// What is wrong with it.
        source: TemplateError,
    },
    /// A source without a placeholder: it is that of a mirror.
    #[error("no placeholder is in it: write it as a mirror, [mirrors.NAME]")]
    NoPlaceholder,
    /// A target with a placeholder whose value nobody knows.
    #[error("{{{placeholder}}} is not in the source, so its value is not known")]
    UnknownPlaceholder {
        /// The placeholder.
        placeholder: &'static str,
    },
    /// Sources that would be published to one target.
    #[error(
        "sources that differ in {{{placeholder}}} would have one target: write {{{placeholder}}} into \
         it, or one value of it in `allow`"
    )]
    SharedByValues {
        /// The placeholder.
        placeholder: &'static str,
    },
    /// An entry of `allow` that fits no value.
    #[error("{value:?} is not {wanted}, a name or a pattern of names each")]
    BadAllow {
        /// What was written.
        value: String,
        /// The placeholders, with slashes between.
        wanted: String,
    },
    /// A file that is named and cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file that should hold a secret.
    #[error("{}", cannot(source))]
    Secret {
        /// What is wrong with it.
        source: SecretError,
    },
}

impl ProblemKind {
    /// What is wrong with `value` if it is none of `allowed`.
    pub(super) fn not_one_of(value: &str, allowed: Vec<&'static str>) -> Option<Self> {
        if allowed.contains(&value) {
            return None;
        }
        let similar = similar(value, allowed.iter().copied());
        Some(Self::NotOneOf { value: value.to_owned(), allowed, similar })
    }
}
