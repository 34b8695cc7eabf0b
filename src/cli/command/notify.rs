//! `notify`: the sending side, a hook of Mercurial. It never keeps anybody waiting who pushes, and never fails a
//! push.

use std::io::Write as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde::Serialize;

use super::Outcome;
use crate::base::clean::with_causes;
use crate::base::time::Timestamp;
use crate::base::{Fault, HasFault as _, Interrupt, faults};
use crate::cli::args::NotifyArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::hook::{Scheme, Unsigned, sign, synchroniser};
use crate::net::http::{ApiClient, ApiRequest, Introduction, WebAddress};
use crate::net::url::{SourceUrl, SourceUrlError};
use crate::net::{Access, NetError, SecretError, SecretSource, Timeouts};

/// How long one try may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What is waited between tries, as the daemon may be started again just now.
const PAUSES: [Duration; 4] = [
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
];
const INTRODUCTION: Introduction =
    Introduction { user_agent: concat!("synchroniser/", env!("CARGO_PKG_VERSION")), accept: "*/*" };
/// The header with the signature, in the manner of GitHub.
const SIGNATURE: &str = "X-Hub-Signature-256";
/// Where logs go on every Linux.
const LOG: &str = "/dev/log";
/// `user.err`, as syslog writes it.
const PRIORITY: u8 = 11;

/// Why nobody was told of a push.
#[derive(Debug, thiserror::Error)]
enum NotifyError {
    /// The address is none.
    #[error("read the address of the endpoint")]
    Address(#[source] SourceUrlError),
    /// There is no secret.
    #[error("read the secret of the endpoint")]
    Secret(#[source] SecretError),
    /// It cannot be signed.
    #[error(transparent)]
    Sign(#[from] Unsigned),
    /// The server cannot be reached.
    #[error("tell {host} of a push to {mapping}")]
    Send { host: String, mapping: String, source: NetError },
    /// The server says no.
    #[error("tell {host} of a push to {mapping}: it answers {status}")]
    Status { host: String, mapping: String, status: u16 },
    /// The process in the background cannot be started.
    #[error("tell of a push in the background")]
    Background(#[source] std::io::Error),
}

faults!(NotifyError {
    Self::Address(source) => of(source).at(Here),
    Self::Secret(source) => of(source),
    Self::Sign(source) => of(source),
    Self::Send { source, .. } => of(source).at(Here),
    Self::Status { status: 401, .. } => Auth.at(Here).hint(
        "the file has another secret than the endpoint, or the endpoint takes no hooks from this machine (`networks`)"
    ),
    Self::Status { status: 404, .. } => Config.at(Here).hint(
        "there is no such endpoint: `synchroniser hook-config synchroniser MIRROR` on the other machine shows the address"
    ),
    Self::Status { .. } => Unavailable.at(Here),
    Self::Background(source) => io(source).at(Here),
});

/// What is sent. `packaging/hg-hook` sends the same.
#[derive(Serialize)]
struct Body<'a> {
    schema: &'a str,
    event: &'a str,
    mapping: &'a str,
    vcs: &'a str,
    node: &'a str,
    node_last: &'a str,
    source: &'a str,
    txnid: &'a str,
    bookmark_moved: bool,
    phases_moved: bool,
}

pub(super) fn run(args: &NotifyArgs, ui: &Ui) -> Outcome {
    if args.wait {
        let status = send(args)?;
        ui.say(&format!("the endpoint answers {status}: it is told"));
        return Ok(exit::OK);
    }
    if args.in_background {
        if let Err(error) = send(args) {
            complain(&with_causes(&error));
        }
        return Ok(exit::OK);
    }
    // Whoever pushes has nothing to do with what goes wrong here.
    if let Err(error) = start(args) {
        ui.warn(&format!("synchroniser: {}", with_causes(&error)));
    }
    Ok(exit::OK)
}

/// Starts a process that goes on when the push is over. Whoever pushes waits until all is closed that it could hear
/// something from.
fn start(args: &NotifyArgs) -> Result<(), NotifyError> {
    let program = std::env::current_exe().map_err(NotifyError::Background)?;
    let mut command = Command::new(program);
    command.args(["notify", "--in-background"]).arg(&args.url).arg(&args.secret_file);
    command.args(&args.mapping);
    if let Some(file) = &args.ca_file {
        command.arg("--ca-file").arg(file);
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // What ends the push from a terminal does not end this.
    command.process_group(0);
    command.spawn().map(drop).map_err(NotifyError::Background)
}

/// What Mercurial says in its environment; empty if it says nothing.
fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_default()
}

/// What is told, in the words that Mercurial has put into the environment.
fn body(mapping: &str, txnid: &str) -> String {
    let moved = |name: &str| variable(name) == "1";
    let body = Body {
        schema: synchroniser::SCHEMA,
        event: "push",
        mapping,
        vcs: "hg",
        node: &variable("HG_NODE"),
        node_last: &variable("HG_NODE_LAST"),
        source: &variable("HG_SOURCE"),
        txnid,
        bookmark_moved: moved("HG_BOOKMARK_MOVED"),
        phases_moved: moved("HG_PHASES_MOVED"),
    };
    // Strings and truth values only: nothing that JSON has no form for.
    serde_json::to_string(&body).unwrap_or_default()
}

/// Tells the endpoint, now and a few times more if it cannot be reached; the status of the answer.
fn send(args: &NotifyArgs) -> Result<u16, NotifyError> {
    let address = WebAddress::parse(&args.url).map_err(NotifyError::Address)?;
    let secret =
        SecretSource::File(args.secret_file.clone()).line().map_err(NotifyError::Secret)?;
    let here = std::env::current_dir().unwrap_or_default().display().to_string();
    let mapping = args.mapping.as_deref().unwrap_or(&here);
    let txnid = variable("HG_TXNID");
    let body = body(mapping, &txnid);
    let id = if txnid.is_empty() { std::process::id().to_string() } else { txnid };
    let scheme = Scheme::HmacSha256 { header: SIGNATURE.to_owned() };
    let signed = sign(&scheme, &secret, &id, body.as_bytes(), Timestamp::now())?;
    let signature = signed.headers.first().map_or("", |(_, value)| value);
    let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE };
    // The secret is not in what is sent, so that it may go to a machine of the same network as it is.
    let access =
        Access { ca_file: args.ca_file.clone(), plain_http: true, timeouts, ..Access::default() };
    let server = SourceUrl { path: String::new(), ..address.server.clone() };
    let host = address.server.host.clone();
    let failed =
        |source| NotifyError::Send { host: host.clone(), mapping: mapping.to_owned(), source };
    let interrupt = Interrupt::default();
    let client = ApiClient::new(&server, &access, INTRODUCTION, &interrupt).map_err(failed)?;
    let path = address.to_string();
    let headers = [(SIGNATURE, signature), ("Idempotency-Key", id.as_str())];
    let request = ApiRequest {
        method: "POST",
        path: &path,
        command: "a hook",
        headers: &headers,
        bearer: None,
        body: Some(&body),
    };
    let mut pauses = PAUSES.iter();
    loop {
        let error = match client.send(&request) {
            Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer.status),
            Ok(answer) => NotifyError::Status {
                host: host.clone(),
                mapping: mapping.to_owned(),
                status: answer.status,
            },
            Err(source) => failed(source),
        };
        let is_busy = !matches!(error, NotifyError::Status { status: 100..=428 | 430..=499, .. });
        match pauses.next().filter(|_| is_busy && error.fault() == Fault::Unavailable) {
            Some(pause) if interrupt.pause(*pause).is_ok() => {}
            _ => return Err(error),
        }
    }
}

/// Tells syslog; where there is none, nobody.
fn complain(text: &str) {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let message = format!("<{PRIORITY}>synchroniser-notify: {line}");
    let log = UnixDatagram::unbound().and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.send_to(message.as_bytes(), Path::new(LOG))
    });
    if log.is_err() {
        // Standard error is closed to whoever pushes, and open where somebody tries it by hand.
        let _ = std::io::stderr().write_all(format!("{line}\n").as_bytes());
    }
}
