//! Who is told of mirrors in trouble, and how.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use wildmatch::WildMatch;

use super::endpoint::Resolver;
use super::file::Section;
use super::pending::What;
use super::problem::ProblemKind;
use super::sections::{NotifyKeys, is_plain_name};
use crate::base::text::named;
use crate::net::SecretSource;
use crate::net::host::parse_host;
use crate::net::http::WebAddress;
use crate::net::url::Scheme;

/// Every kind of receiver.
pub(super) const KINDS: [&str; 3] = ["webhook", "mail", "command"];
/// The keys that are for one kind alone.
const OF_KINDS: [(&str, &[&str]); 3] = [
    ("webhook", &["url", "plain_http", "secret_file", "secret_credential", "ca_file"]),
    ("mail", &["to", "from", "sendmail", "server", "ca_file", "port", "encryption", "user"]),
    ("command", &["command"]),
];
/// Further keys of mails, about the password.
const PASSWORDS: [&str; 2] = ["password_file", "password_credential"];
/// The keys of mails that are about a server.
const OF_A_SERVER: [&str; 6] =
    ["ca_file", "port", "encryption", "user", "password_file", "password_credential"];
/// After so many failed runs in a row a mirror is in trouble, unless the file says otherwise.
const FAILURES: u64 = 3;
/// In seconds.
const TIMEOUT: u64 = 30;

/// One receiver of notifications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotifyConfig {
    /// Its name in the configuration.
    pub name: String,
    /// Patterns over the names of the mirrors that it is told of; all if there are none.
    pub mirrors: Vec<String>,
    /// So many runs in a row must have failed.
    pub failures: u32,
    /// How long one attempt may take.
    pub timeout: Duration,
    /// How it is told.
    pub way: NotifyWay,
}

/// How a receiver is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotifyWay {
    /// By a POST of JSON.
    Webhook {
        /// Where to. Its path may be as good as a secret: it is not shown.
        address: WebAddress,
        /// Whether `http://` was allowed.
        plain_http: bool,
        /// What messages are signed with.
        secret: Option<SecretSource>,
        /// Certificates that are trusted instead of those of the system.
        ca_file: Option<PathBuf>,
    },
    /// By mail.
    Mail {
        /// Who it is from.
        from: String,
        /// Who gets it; at least one.
        to: Vec<String>,
        /// What takes it.
        by: MailWay,
    },
    /// By a program: its path, and its arguments.
    Command {
        /// The program.
        program: PathBuf,
        /// Its arguments.
        arguments: Vec<String>,
    },
}

/// What takes a mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailWay {
    /// A program that understands what `sendmail` does.
    Sendmail(PathBuf),
    /// A server.
    Smtp {
        /// Its host.
        server: String,
        /// Its port.
        port: u16,
        /// How the way there is encrypted.
        encryption: Encryption,
        /// Who we are there: a user, and where the password is.
        login: Option<(String, SecretSource)>,
        /// Certificates that are trusted instead of those of the system.
        ca_file: Option<PathBuf>,
    },
}

/// How the way to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// After a greeting, and never without.
    #[default]
    StartTls,
    /// From the beginning.
    Tls,
    /// Not at all.
    None,
}

impl Encryption {
    /// All, with their names in the configuration.
    pub const ALL: [(&'static str, Self); 3] =
        [("starttls", Self::StartTls), ("tls", Self::Tls), ("none", Self::None)];

    /// The port that is usual for it.
    fn port(self) -> u16 {
        match self {
            Self::StartTls => 587,
            Self::Tls => 465,
            Self::None => 25,
        }
    }
}

/// Why a receiver cannot be told. The texts go on after `key: `.
#[derive(Debug, thiserror::Error)]
pub enum NotifyProblem {
    /// The name of a receiver of notifications that would not read well.
    #[error(
        "the name of a receiver is of letters, digits, \".\", \"_\" and \"-\", \
         and begins with neither \".\" nor \"-\""
    )]
    BadReceiverName,
    /// What no notification can be sent to. It is not repeated: its path may be as good as a secret.
    #[error(
        "not the address of a web server: it begins with https:// (with http:// too beside \
         `plain_http = true`) and has no user"
    )]
    BadWebhook,
    /// What is no address of mail.
    #[error("{value:?} is not an address of mail, such as \"ops@example.org\"")]
    NotAMailbox {
        /// What was written.
        value: String,
    },
    /// A mail that nobody takes.
    #[error("name the host that takes mail by SMTP, or set `sendmail` in place of it")]
    NoMailServer,
    /// A password that everybody on the way could read.
    #[error("a password is not sent without encryption: `starttls` or `tls`")]
    OpenPassword,
}

impl NotifyConfig {
    /// Whether it is told of the mirror called `name`.
    pub fn is_about(&self, name: &str) -> bool {
        let fits = |pattern: &String| WildMatch::new(pattern).matches(name);
        self.mirrors.is_empty() || self.mirrors.iter().any(fits)
    }
}

/// Whether `text` is one plain address of mail, without a name before it.
pub(super) fn is_mailbox(text: &str) -> bool {
    let is_part = |part: &str| {
        !part.is_empty()
            && part
                .bytes()
                .all(|byte| byte.is_ascii_graphic() && !br#"<>()[]\,;:"@"#.contains(&byte))
    };
    text.len() <= 254
        && !text.starts_with('-')
        && text.split_once('@').is_some_and(|(user, host)| is_part(user) && is_part(host))
}

/// The receivers that the file describes. What is wrong is noted.
pub(super) fn receivers(
    sections: &BTreeMap<String, Section<NotifyKeys>>,
    mut resolver: Resolver<'_>,
) -> Vec<NotifyConfig> {
    let sections = sections.iter();
    sections.filter_map(|(name, section)| receiver(name, section, &mut resolver)).collect()
}

fn receiver(
    name: &str,
    section: &Section<NotifyKeys>,
    resolver: &mut Resolver<'_>,
) -> Option<NotifyConfig> {
    let keys = &section.value;
    if !is_plain_name(name) {
        section.wrong("", NotifyProblem::BadReceiverName.into(), resolver.problems);
    }
    if !section.sets("kind") {
        section.wrong("kind", ProblemKind::Missing, resolver.problems);
    }
    let kind = keys.kind.as_deref()?;
    refuse_other_kinds(section, kind, resolver);
    let way = match kind {
        "webhook" => webhook(section, resolver)?,
        "mail" => mail(section, resolver)?,
        _ => command(section, resolver)?,
    };
    Some(NotifyConfig {
        name: name.to_owned(),
        mirrors: keys.mirrors.clone().unwrap_or_default(),
        failures: u32::try_from(keys.failures.unwrap_or(FAILURES)).unwrap_or(u32::MAX),
        timeout: Duration::from_secs(keys.timeout.unwrap_or(TIMEOUT)),
        way,
    })
}

/// Refuses keys of other kinds: whoever wrote them believes that they do something.
fn refuse_other_kinds(section: &Section<NotifyKeys>, kind: &str, resolver: &mut Resolver<'_>) {
    let of_kind = OF_KINDS.iter().filter(|(name, _)| *name == kind);
    let mut ours: Vec<&str> = of_kind.flat_map(|(_, keys)| *keys).copied().collect();
    let here = match kind {
        "webhook" => "a webhook",
        "mail" => {
            ours.extend(PASSWORDS);
            "a mail"
        }
        _ => "a command",
    };
    let all = OF_KINDS.iter().flat_map(|(_, keys)| *keys).copied().chain(PASSWORDS);
    let mut others: Vec<&str> = all.filter(|key| !ours.contains(key)).collect();
    others.sort_unstable();
    others.dedup();
    for key in others.into_iter().filter(|key| section.sets(key)) {
        section.wrong(key, ProblemKind::NoUse { here }, resolver.problems);
    }
}

fn webhook(section: &Section<NotifyKeys>, resolver: &mut Resolver<'_>) -> Option<NotifyWay> {
    let keys = &section.value;
    let secret = resolver.secret(
        section,
        What::Token,
        ("secret_file", &keys.secret_file),
        ("secret_credential", &keys.secret_credential),
    );
    let ca_file = resolver.certificates(section, keys.ca_file.as_ref());
    let plain_http = keys.plain_http.unwrap_or_default();
    let Some(url) = keys.url.as_deref() else {
        section.wrong("url", ProblemKind::Missing, resolver.problems);
        return None;
    };
    let is_sound = |address: &WebAddress| match address.server.scheme {
        Scheme::Https => address.server.user.is_none(),
        Scheme::Http => address.server.user.is_none() && plain_http,
        Scheme::Ssh => false,
    };
    let address = WebAddress::parse(url).ok().filter(is_sound);
    if address.is_none() {
        section.wrong("url", NotifyProblem::BadWebhook.into(), resolver.problems);
    }
    Some(NotifyWay::Webhook { address: address?, plain_http, secret, ca_file })
}

fn mail(section: &Section<NotifyKeys>, resolver: &mut Resolver<'_>) -> Option<NotifyWay> {
    let keys = &section.value;
    let password = resolver.secret(
        section,
        What::Token,
        ("password_file", &keys.password_file),
        ("password_credential", &keys.password_credential),
    );
    let ca_file = resolver.certificates(section, keys.ca_file.as_ref());
    for key in ["from", "to"] {
        if !section.sets(key) {
            section.wrong(key, ProblemKind::Missing, resolver.problems);
        }
    }
    let to = keys.to.clone().unwrap_or_default();
    if section.sets("to") && to.is_empty() {
        section.wrong("to", ProblemKind::Empty, resolver.problems);
    }
    for value in to.iter().filter(|to| !is_mailbox(to)) {
        let kind = NotifyProblem::NotAMailbox { value: value.clone() };
        section.wrong("to", kind.into(), resolver.problems);
    }
    if let Some(program) = &keys.sendmail {
        for key in OF_A_SERVER.iter().chain(&["server"]).filter(|key| section.sets(key)) {
            section.wrong(key, ProblemKind::NoUse { here: "`sendmail`" }, resolver.problems);
        }
        let by = MailWay::Sendmail(resolver.folders.folder.join(program));
        return Some(NotifyWay::Mail { from: keys.from.clone()?, to, by });
    }
    let server = keys.server.as_deref().and_then(|server| parse_host(server).ok());
    if server.is_none() {
        section.wrong("server", NotifyProblem::NoMailServer.into(), resolver.problems);
    }
    let encryption = keys.encryption.as_deref().and_then(|name| named(&Encryption::ALL, name));
    let encryption = encryption.unwrap_or_default();
    let has_password = PASSWORDS.iter().any(|key| section.sets(key));
    match (keys.user.is_some(), has_password) {
        (true, false) => section.wrong("password_file", ProblemKind::Missing, resolver.problems),
        (false, true) => section.wrong("user", ProblemKind::Missing, resolver.problems),
        _ => {}
    }
    if has_password && encryption == Encryption::None {
        section.wrong("encryption", NotifyProblem::OpenPassword.into(), resolver.problems);
    }
    let port = keys.port.and_then(|port| u16::try_from(port).ok());
    let by = MailWay::Smtp {
        server: server?,
        port: port.unwrap_or_else(|| encryption.port()),
        encryption,
        login: keys.user.clone().zip(password),
        ca_file,
    };
    Some(NotifyWay::Mail { from: keys.from.clone()?, to, by })
}

fn command(section: &Section<NotifyKeys>, resolver: &mut Resolver<'_>) -> Option<NotifyWay> {
    let mut words = section.value.command.clone().unwrap_or_default().into_iter();
    let Some(program) = words.next().filter(|program| !program.is_empty()) else {
        section.wrong("command", ProblemKind::Missing, resolver.problems);
        return None;
    };
    // A program without a slash would be looked for wherever a variable says.
    let program = resolver.folders.folder.join(program);
    Some(NotifyWay::Command { program, arguments: words.collect() })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, ConfigError};

    fn parse(text: &str) -> Result<Vec<NotifyConfig>, String> {
        match Config::parse(text, Path::new("/etc/x.toml"), None) {
            Ok(config) => Ok(config.notify),
            Err(ConfigError::Invalid { problems, .. }) => {
                Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
            }
            Err(error) => panic!("{error}"),
        }
    }

    #[test]
    fn receivers_of_every_kind() {
        let text = r#"
            notify.a = { kind = "webhook", url = "https://h/x?y", secret_file = "s", mirrors = ["a*"] }
            notify.b = { kind = "mail", from = "a@b", to = ["c@d"], server = "m", encryption = "tls", user = "u", password_file = "p" }
            notify.c = { kind = "mail", from = "a@b", to = ["c@d"], sendmail = "/usr/sbin/sendmail", failures = 7 }
            notify.d = { kind = "command", command = ["tell", "-x"], timeout = 5 }
        "#;
        let config = Config::parse(text, Path::new("/etc/x.toml"), None).unwrap();
        let [a, b, c, d] = &config.notify[..] else { panic!("{:?}", config.notify) };
        assert!(a.is_about("a1") && !a.is_about("b") && b.is_about("b"));
        assert_eq!((a.failures, a.timeout, c.failures), (3, Duration::from_secs(30), 7));
        let NotifyWay::Mail { by: MailWay::Smtp { port, login, .. }, .. } = &b.way else {
            panic!("{b:?}")
        };
        assert_eq!((*port, login.as_ref().unwrap().0.as_str()), (465, "u"));
        let program = PathBuf::from("/etc/tell");
        assert_eq!(d.way, NotifyWay::Command { program, arguments: vec!["-x".to_owned()] });
        // Both secrets are looked for by `config check`.
        let keys: Vec<_> = config.check().into_iter().map(|it| it.problem.key).collect();
        assert_eq!(keys, ["notify.a.secret_file", "notify.b.password_file"]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, expected) in [
            ("x = {}", "notify.x.kind: missing"),
            (r#"x = { kind = "webhook" }"#, "notify.x.url: missing"),
            (
                r#"x = { kind = "webhook", url = "http://geheim/" }"#,
                "url: not the address of a web",
            ),
            (r#"x = { kind = "webhook", url = "https://u@geheim/" }"#, "url: not the address of a"),
            (
                r#"x = { kind = "webhook", url = "https://h", to = ["a@b"] }"#,
                "to: of no use for a w",
            ),
            (r#"x = { kind = "mail", from = "a@b", to = ["c@d"] }"#, "server: name the host"),
            (
                r#"x = { kind = "mail", from = "a", to = ["c@d"], server = "m" }"#,
                "from: \"a\" is not",
            ),
            (
                r#"x = { kind = "mail", from = "a@b", to = ["-c@d"], server = "m" }"#,
                "to: \"-c@d\" is",
            ),
            (r#"x = { kind = "mail", from = "a@b", to = [], server = "m" }"#, "to: empty"),
            (
                r#"x = { kind = "mail", from = "a@b", to = ["c@d"], server = "m", user = "u" }"#,
                "password_file: missing",
            ),
            (
                r#"x = { kind = "mail", from = "a@b", to = ["c@d"], server = "m", user = "u", password_file = "p", encryption = "none" }"#,
                "encryption: a password is not sent without",
            ),
            (
                r#"x = { kind = "mail", from = "a@b", to = ["c@d"], sendmail = "s", port = 25 }"#,
                "port: of no use for `sendmail`",
            ),
            (r#"x = { kind = "command" }"#, "command: missing"),
            (r#""a b" = { kind = "command", command = ["x"] }"#, "the name of a receiver is of"),
        ] {
            let said = parse(&format!("[notify]\n{text}")).unwrap_err();
            assert!(said.contains(expected), "{text}: {said}");
            assert!(!said.contains("geheim"), "{said}");
        }
    }
}
