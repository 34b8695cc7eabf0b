//! Each way to tell a receiver, over loopback.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver as Inbox, channel};
use std::thread;
use std::time::{Duration, Instant};

use secrecy::SecretString;

use super::parked;
use crate::base::clean::with_causes;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Interrupt};
use crate::config::{Config, Encryption, MailWay, NotifyConfig};
use crate::daemon::notify::error::NotifyError;
use crate::daemon::notify::memory::{Memory, Told};
use crate::daemon::notify::receiver::{Receiver, deliver};
use crate::daemon::notify::waiting::Letter;
use crate::daemon::notify::{command, mail, webhook};
use crate::hook::{DEFAULT_TOLERANCE, Delivery, Scheme, verify};
use crate::net::SecretSource;
use crate::net::http::WebAddress;
use crate::service::view::{MirrorState, MirrorSummary};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(20);
/// A secret, as Standard Webhooks has them; the word in it is looked for in messages.
const SECRET: &str = "whsec_geheimgeheimgeheimgeheimgeheimAA";

/// One request that came.
struct Posted {
    head: String,
    body: Vec<u8>,
}

impl Posted {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A web server that answers one request after the other so.
fn server(answers: &'static [&'static str]) -> (u16, Inbox<Posted>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, posted) = channel();
    thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                reader.read_line(&mut head).unwrap();
            }
            let mut one = Posted { head, body: Vec::new() };
            let length = one.header("content-length").unwrap().parse().unwrap();
            one.body.resize(length, 0);
            reader.read_exact(&mut one.body).unwrap();
            sender.send(one).unwrap();
            let text =
                format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            stream.write_all(text.as_bytes()).unwrap();
        }
    });
    (port, posted)
}

fn secret_file(folder: &Path, text: &str) -> SecretSource {
    let path = folder.join("secret");
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    SecretSource::File(path)
}

fn receiver(text: &str, folder: &Path) -> NotifyConfig {
    let text = format!("[notify.x]\n{text}");
    let config = Config::parse(&text, &folder.join("x.toml"), None).unwrap();
    config.notify.into_iter().next().unwrap()
}

#[test]
fn a_webhook_is_signed_and_tried_again_with_the_same_id() {
    let folder = tempfile::tempdir().unwrap();
    secret_file(folder.path(), SECRET);
    let (port, posted) = server(&["503 Service Unavailable", "204 No Content"]);
    let config = receiver(
        &format!(
            "kind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/hooks/x?y=z\"\nplain_http = true\n\
             secret_file = \"secret\""
        ),
        folder.path(),
    );
    let (letter, pauses) = (Letter::new(parked()), [Duration::from_millis(10)]);
    assert_eq!(deliver(&config, &letter, &pauses, &Interrupt::default(), &|| true), Ok(true));
    let (first, second) = (posted.recv_timeout(LONG).unwrap(), posted.recv_timeout(LONG).unwrap());
    assert!(second.head.starts_with("POST /hooks/x?y=z HTTP/1.1\r\n"), "{}", second.head);
    assert_eq!(second.header("content-type"), Some("application/json"));
    assert_eq!(first.header("webhook-id"), second.header("webhook-id"));
    assert_eq!(second.body, parked().json().as_bytes());
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers = names.map(|name| (name, second.header(name).unwrap().as_bytes()));
    let scheme = Scheme::StandardWebhooks { tolerance: DEFAULT_TOLERANCE };
    let proven = |secret: &str, body: &[u8]| {
        let delivery = Delivery { headers: &headers, query: "", body };
        verify(&scheme, &[SecretString::from(secret)], &delivery, Timestamp::now()).is_ok()
    };
    assert!(proven(SECRET, &second.body));
    assert!(!proven("whsec_b3RoZXI=", &second.body));
    assert!(!proven(SECRET, b"{}"));
}

/// Tells it, and tries that once.
fn deliver_once(config: &NotifyConfig) {
    let letter = Letter::new(parked());
    assert_eq!(deliver(config, &letter, &[], &Interrupt::default(), &|| true), Ok(true));
}

/// What could not be told before a stop is told by the next daemon, with the id that it had.
#[test]
fn what_waits_at_a_stop_is_told_later() {
    let folder = tempfile::tempdir().unwrap();
    let (port, posted) = server(&["503 Service Unavailable", "204 No Content", "204 No Content"]);
    let text = format!("kind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nplain_http = true");
    let config = receiver(&text, folder.path());
    let start = || {
        let memory = Arc::new(Memory::read(folder.path()));
        memory.begin(&["x"], |_| Told::default()).unwrap();
        (Receiver::start(config.clone(), None, &memory).unwrap(), memory)
    };
    let waiting = |memory: &Memory| memory.known_of("x", |told| told.waiting.len());
    let (before, memory) = start();
    let now = Timestamp::from_seconds(100);
    let trouble = |name: &str| MirrorSummary {
        name: name.to_owned(),
        ..super::mirror(MirrorState::Parked, 3, 10)
    };
    before.look(&[trouble("a"), trouble("b")], &[], (None, now)).unwrap();
    let first = posted.recv_timeout(LONG).unwrap();
    assert_eq!(waiting(&memory), 2, "the first waits to be told again");
    drop(before);
    assert!(posted.try_recv().is_err());
    let (after, memory) = start();
    after.look(&[trouble("a"), trouble("b")], &[], (None, now)).unwrap();
    let again = posted.recv_timeout(LONG).unwrap();
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    assert_eq!(again.body, first.body);
    let other = posted.recv_timeout(LONG).unwrap();
    assert_ne!(other.header("webhook-id"), first.header("webhook-id"));
    let begin = Instant::now();
    while waiting(&memory) > 0 {
        assert!(begin.elapsed() < LONG, "it is told, and waits");
        thread::sleep(Duration::from_millis(5));
    }
    let (_after, memory) = start();
    assert_eq!(waiting(&memory), 0, "that it was told is kept");
}

/// One that is configured otherwise is told the rest, and nothing twice.
#[test]
fn what_waits_for_a_receiver_goes_where_it_is_now() {
    let folder = tempfile::tempdir().unwrap();
    let (port, posted) = server(&["503 Service Unavailable"]);
    let (other_port, moved) = server(&["204 No Content"]);
    let at = |port| {
        let text =
            format!("kind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/\"\nplain_http = true");
        receiver(&text, folder.path())
    };
    let memory = Arc::new(Memory::read(folder.path()));
    memory.begin(&["x"], |_| Told::default()).unwrap();
    let before = Receiver::start(at(port), None, &memory).unwrap();
    let trouble = [super::mirror(MirrorState::Parked, 3, 10)];
    before.look(&trouble, &[], (None, Timestamp::from_seconds(100))).unwrap();
    let first = posted.recv_timeout(LONG).unwrap();
    let after = Receiver::start(at(other_port), Some(before), &memory).unwrap();
    let told = moved.recv_timeout(LONG).unwrap();
    assert_eq!(told.header("webhook-id"), first.header("webhook-id"));
    drop(after);
}

#[test]
fn a_webhook_goes_nowhere_else_and_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (answer, fault) in [
        ("302 Found\r\nLocation: /other", Fault::Refused),
        ("404 Not Found", Fault::Refused),
        ("429 Too Many Requests\r\nRetry-After: 7", Fault::Unavailable),
    ] {
        let answers: &'static [&'static str] = Box::leak(Box::new([answer]));
        let (port, posted) = server(answers);
        let address = WebAddress::parse(&format!("http://127.0.0.1:{port}/geheim")).unwrap();
        let secret = secret_file(folder.path(), SECRET);
        let way = webhook::Way {
            address: &address,
            plain_http: true,
            secret: Some(&secret),
            ca_file: None,
        };
        let letter = webhook::Letter { id: "msg_1", body: "{}", seconds: 1 };
        let limit = Duration::from_secs(5);
        let error = webhook::post(&way, &letter, limit, &Interrupt::default()).unwrap_err();
        assert_eq!(error.fault(), fault, "{answer}");
        if let NotifyError::Status { wait, status: 429 } = error {
            assert_eq!(wait, Some(Duration::from_secs(7)));
        }
        assert!(!with_causes(&error).contains("geheim"), "{}", with_causes(&error));
        assert!(posted.recv_timeout(LONG).is_ok(), "{answer}");
        assert!(posted.recv_timeout(LONG).is_err(), "{answer}");
    }
    // Nobody is there, and what signs is no key.
    let address = WebAddress::parse("http://127.0.0.1:1/geheim").unwrap();
    for (text, fault) in [(SECRET, Fault::Unavailable), ("geheim!", Fault::Config)] {
        let secret = secret_file(folder.path(), text);
        let way = webhook::Way {
            address: &address,
            plain_http: true,
            secret: Some(&secret),
            ca_file: None,
        };
        let letter = webhook::Letter { id: "msg_1", body: "{}", seconds: 1 };
        let limit = Duration::from_secs(5);
        let error = webhook::post(&way, &letter, limit, &Interrupt::default()).unwrap_err();
        assert_eq!(error.fault(), fault, "{text}");
        assert!(!with_causes(&error).contains("geheim"), "{}", with_causes(&error));
    }
}

/// A mail server that takes one mail, or answers what it is told to the recipient.
fn mail_server(to_recipient: &'static str) -> (u16, Inbox<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, mails) = channel();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut heard = String::new();
        stream.write_all(b"220 here\r\n").unwrap();
        let mut is_data = false;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                break;
            }
            heard.push_str(&line);
            let answer = match line.trim_end() {
                "." if is_data => {
                    is_data = false;
                    "250 taken"
                }
                _ if is_data => continue,
                "DATA" => {
                    is_data = true;
                    "354 go on"
                }
                "QUIT" => "221 bye",
                line if line.starts_with("RCPT") => to_recipient,
                _ => "250 fine",
            };
            stream.write_all(format!("{answer}\r\n").as_bytes()).unwrap();
        }
        sender.send(heard).unwrap();
    });
    (port, mails)
}

fn send_mail(by: &MailWay) -> Result<(), NotifyError> {
    let to = ["ops@example.org".to_owned(), "ada@example.org".to_owned()];
    let limit = Duration::from_secs(5);
    mail::send("mirrors@example.org", &to, by, (&parked(), "msg_1"), limit, &Interrupt::default())
}

fn smtp(port: u16, encryption: Encryption) -> MailWay {
    let server = "127.0.0.1".to_owned();
    MailWay::Smtp { server, port, encryption, login: None, ca_file: None }
}

#[test]
fn a_mail_is_sent_by_smtp() {
    let (port, mails) = mail_server("250 known");
    send_mail(&smtp(port, Encryption::None)).unwrap();
    let mail = mails.recv_timeout(LONG).unwrap();
    for part in [
        "MAIL FROM:<mirrors@example.org>",
        "RCPT TO:<ops@example.org>",
        "RCPT TO:<ada@example.org>",
        "Subject: [synchroniser] forge/a b is parked at its target\r\n",
        "Message-ID: <msg_1@example.org>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "To do:     give it another token",
    ] {
        assert!(mail.contains(part), "{part:?} is not in {mail}");
    }
}

#[test]
fn a_mail_that_is_not_taken_says_why() {
    for (answer, fault) in [("550 no such user", Fault::Refused), ("451 later", Fault::Unavailable)]
    {
        let (port, _mails) = mail_server(answer);
        let error = send_mail(&smtp(port, Encryption::None)).unwrap_err();
        assert_eq!(error.fault(), fault, "{answer}: {}", with_causes(&error));
    }
    // A server that offers no encryption gets no mail.
    let (port, mails) = mail_server("250 known");
    assert!(send_mail(&smtp(port, Encryption::StartTls)).is_err());
    assert!(!mails.recv_timeout(LONG).unwrap().contains("DATA"));
}

fn script(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("tell");
    std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn a_mail_is_given_to_sendmail() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let text = format!("echo \"$@\" > {0}; cat >> {0}", out.display());
    send_mail(&MailWay::Sendmail(script(folder.path(), &text))).unwrap();
    let mail = std::fs::read_to_string(out).unwrap();
    assert!(mail.starts_with("-i -f mirrors@example.org -- ops@example.org ada@example.org\n"));
    assert!(mail.contains("Subject: [synchroniser] forge/a b is parked"), "{mail}");
}

#[test]
fn a_command_gets_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    script(
        folder.path(),
        &format!("(echo \"$1|$SYNCHRONISER_MIRROR|$SYNCHRONISER_SIDE\"; cat) > {}", out.display()),
    );
    let text = "kind = \"command\"\ncommand = [\"tell\", \"a; b\"]";
    deliver_once(&receiver(text, folder.path()));
    let told = std::fs::read_to_string(out).unwrap();
    assert_eq!(told, format!("a; b|forge/a b|target\n{}", parked().json()));
}

#[test]
fn a_command_that_fails_or_hangs_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let run = |text: &str, limit| {
        let program = script(folder.path(), text);
        let task = command::Task {
            program: &program,
            arguments: &[],
            input: b"{}",
            variables: &[],
            limit,
        };
        command::run(&task, &Interrupt::default())
    };
    let error = run("echo no such room >&2; exit 3", Duration::from_secs(5)).unwrap_err();
    let text = with_causes(&error);
    assert!(text.ends_with("exit status: 3: no such room"), "{text}");
    let begin = Instant::now();
    let error = run("sleep 60 & sleep 60", Duration::from_millis(200)).unwrap_err();
    assert!(matches!(error, NotifyError::Slow { .. }), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(20));
    let stopped = Interrupt::default();
    stopped.raise();
    let program = script(folder.path(), "sleep 60");
    let limit = Duration::from_mins(1);
    let task =
        command::Task { program: &program, arguments: &[], input: b"{}", variables: &[], limit };
    assert_eq!(command::run(&task, &stopped).unwrap_err().fault(), Fault::Interrupted);
}

/// Only the operator says where messages go.
#[test]
fn a_redirect_of_a_webhook_is_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let (elsewhere, taken) = server(&["204 No Content"]);
    let answer = format!("302 Found\r\nLocation: http://127.0.0.1:{elsewhere}/x");
    let (port, posted) = server(vec![&*answer.leak()].leak());
    let text =
        format!("kind = \"webhook\"\nurl = \"http://127.0.0.1:{port}/x\"\nplain_http = true");
    deliver_once(&receiver(&text, folder.path()));
    posted.recv_timeout(LONG).unwrap();
    assert!(taken.recv_timeout(Duration::from_millis(100)).is_err());
}
