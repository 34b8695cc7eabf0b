//! A mail in plain text, by SMTP or by a program on this machine.

use std::fs;
use std::time::Duration;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Letter};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport as _};
use secrecy::ExposeSecret as _;

use super::command;
use super::error::NotifyError;
use super::message::Message;
use crate::base::Interrupt;
use crate::config::{Encryption, MailWay};
use crate::net::NetError;

/// Sends `message`, which has the id beside it, once.
pub(super) fn send(
    from: &str,
    to: &[String],
    by: &MailWay,
    (message, id): (&Message, &str),
    limit: Duration,
    interrupt: &Interrupt,
) -> Result<(), NotifyError> {
    interrupt.check()?;
    let letter = letter(from, to, message, id).map_err(|source| NotifyError::Letter { source })?;
    match by {
        MailWay::Sendmail(program) => {
            let options = ["-i", "-f", from, "--"].map(str::to_owned);
            let arguments: Vec<String> = options.into_iter().chain(to.iter().cloned()).collect();
            let input = &letter.formatted();
            let task =
                command::Task { program, arguments: &arguments, input, variables: &[], limit };
            command::run(&task, interrupt)
        }
        MailWay::Smtp { server, port, encryption, login, ca_file } => {
            let smtp = |source| NotifyError::Smtp { source };
            let mut tls = TlsParameters::builder(server.clone());
            if let Some(path) = ca_file {
                let pem = fs::read(path);
                let pem = pem.map_err(|source| NetError::File { path: path.clone(), source })?;
                let certificate = Certificate::from_pem(&pem).map_err(smtp)?;
                tls =
                    tls.certificate_store(CertificateStore::None).add_root_certificate(certificate);
            }
            let tls = match encryption {
                Encryption::StartTls => Tls::Required(tls.build().map_err(smtp)?),
                Encryption::Tls => Tls::Wrapper(tls.build().map_err(smtp)?),
                Encryption::None => Tls::None,
            };
            let mut transport = SmtpTransport::builder_dangerous(server.as_str())
                .port(*port)
                .tls(tls)
                .timeout(Some(limit));
            if let Some((user, password)) = login {
                let password = password.line()?.expose_secret().to_owned();
                transport = transport.credentials(Credentials::new(user.clone(), password));
            }
            transport.build().send(&letter).map(drop).map_err(smtp)
        }
    }
}

/// The mail itself.
fn letter(
    from: &str,
    to: &[String],
    message: &Message,
    id: &str,
) -> Result<Letter, Box<dyn std::error::Error + Send + Sync>> {
    let from: Mailbox = from.parse()?;
    let domain = from.email.domain().to_owned();
    // Nobody answers a machine, and no machine shall.
    let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
    let mut builder = Letter::builder()
        .from(from)
        .subject(format!("[synchroniser] {}", message.subject()))
        .message_id(Some(format!("<{id}@{domain}>")))
        .date_now()
        .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
        .header(ContentType::TEXT_PLAIN);
    for address in to {
        builder = builder.to(address.parse()?);
    }
    Ok(builder.body(message.text())?)
}
