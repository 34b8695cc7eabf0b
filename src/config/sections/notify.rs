//! The keys of `[notify.NAME]`: who is told of mirrors in trouble, and how.

use std::path::PathBuf;

use super::super::keys::{Key, Keys, Shape, Value, Written, keys};
use super::super::notify::{Encryption, KINDS, NotifyProblem, is_mailbox};
use super::super::problem::ProblemKind;
use super::access::credential;

keys! {
    /// `[notify.NAME]`
    struct NotifyKeys {
        /// How it is told: a POST of JSON to a web server, a mail, or a program that is run.
        kind: String = Key::choice(kinds).example("\"webhook\""),
        /// The mirrors that it is told of; all without it. `*` stands for any characters.
        mirrors: Vec<String> = Key::new(Shape::List("MIRROR")).example("[\"rocket\", \"forge/*\"]"),
        /// After so many failed syncs in a row it is told of a mirror that is tried again by itself.
        ///
        /// Of one that is parked, stale or published in part it is told at once.
        failures: u64 = Key::number("syncs", 1, 1000).default("3"),
        /// Seconds that one attempt to tell it may take.
        timeout: u64 = Key::number("seconds", 1, 600).default("30"),
        /// For `webhook`: where the JSON is sent. No redirect is followed.
        url: String = Key::text("URL").example("\"https://chat.example.org/hooks/mirrors\""),
        /// For `webhook`: allow http:// too, which anybody on the network path can read and change.
        plain_http: bool = Key::switch(),
        /// For `webhook`: a file with the secret that messages are signed with (Standard Webhooks, `v1`).
        ///
        /// `whsec_` and base64, and nothing else. Only its owner and its group may read it, and it is
        /// read again whenever it is used. Without a secret messages are not signed.
        secret_file: PathBuf = Key::file().example("\"secrets/notify\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        secret_credential: String = Key::checked("NAME", credential).example("\"notify\""),
        /// For `webhook` and a mail `server`: certificates (PEM) that are trusted in place of the system's.
        ca_file: PathBuf = Key::file().example("\"secrets/ca.pem\""),
        /// For `mail`: who gets it.
        to: Vec<String> = Key::new(Shape::List("ADDRESS")).example("[\"ops@example.org\"]"),
        /// For `mail`: who it is from.
        from: String = Key::checked("ADDRESS", mailbox).example("\"synchroniser@example.org\""),
        /// For `mail`: the server that takes mail by SMTP; or else `sendmail`.
        server: String = Key::text("HOST").example("\"mail.example.org\""),
        /// For a mail `server`: its port. Without it 587, 465 with `tls`, and 25 with `none`.
        port: u64 = Key::number("port", 1, 65535).example("587"),
        /// For a mail `server`: encrypted after a greeting (`starttls`), from the beginning (`tls`), or `none`.
        ///
        /// `none` is for a server on this machine: everybody on the way can read the mail. A password
        /// is never sent so.
        encryption: String = Key::choice(encryptions).default("\"starttls\""),
        /// For a mail `server`: the user to log in as.
        user: String = Key::text("NAME").example("\"synchroniser\""),
        /// For a mail `server`: a file with the password, and nothing else; read whenever it is used.
        password_file: PathBuf = Key::file().example("\"secrets/mail\""),
        /// The same from systemd: the name of a `LoadCredential=` of the unit.
        password_credential: String = Key::checked("NAME", credential).example("\"mail\""),
        /// For `mail`: the program that takes mail on this machine, in place of a server.
        sendmail: PathBuf = Key::file().example("\"/usr/sbin/sendmail\""),
        /// For `command`: the program with its arguments. No shell is involved.
        ///
        /// It gets the JSON on its standard input, and in its environment `SYNCHRONISER_EVENT`,
        /// `SYNCHRONISER_MIRROR`, `SYNCHRONISER_STATE`, `SYNCHRONISER_FAULT`, `SYNCHRONISER_SIDE`,
        /// `SYNCHRONISER_MESSAGE`, `SYNCHRONISER_HINT` and `SYNCHRONISER_LINK`, as far as they are known.
        command: Vec<String> = Key::new(Shape::List("WORD"))
            .example("[\"/usr/local/bin/tell\", \"--channel\", \"mirrors\"]"),
    }
}

fn kinds() -> Vec<&'static str> {
    KINDS.to_vec()
}

fn encryptions() -> Vec<&'static str> {
    Encryption::ALL.iter().map(|(name, _)| *name).collect()
}

fn mailbox(value: &str) -> Option<ProblemKind> {
    (!is_mailbox(value)).then(|| NotifyProblem::NotAMailbox { value: value.to_owned() }.into())
}
