//! `test-hook`: a delivery as a forge sends it, signed and sent to the own daemon, and what became of it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;

use super::{Outcome, config, daemon, interrupted_by_signals};
use crate::base::clean::clean;
use crate::base::faults;
use crate::base::time::Timestamp;
use crate::cli::args::TestHookArgs;
use crate::cli::client::Client;
use crate::cli::endpoint::HookedMirror;
use crate::cli::exit;
use crate::cli::post::{Answer, Post, post};
use crate::cli::ui::Ui;
use crate::config::HookEndpoint;
use crate::hook::{Unsigned, sign};
use crate::net::SecretError;
use crate::queue::model::{RunId, Verdict};

/// How long the daemon may take, beside the time that it lets senders of old wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a hook cannot be tried, or was not taken.
#[derive(Debug, thiserror::Error)]
enum TestHookError {
    /// The secret of the endpoint cannot be read.
    #[error("read the secret of [hooks.{endpoint}]")]
    Secret { endpoint: String, source: SecretError },
    /// The delivery cannot be made.
    #[error("make a hook for [hooks.{endpoint}]")]
    Sign { endpoint: String, source: Unsigned },
    /// The daemon listens at a port that it chose.
    #[error("find the daemon: `listen` in [daemon] leaves its port to the system")]
    AnyPort,
    /// The daemon has not taken it.
    #[error("have the hook taken: the daemon answers {status}{}", reason.as_ref().map_or_else(
        String::new, |reason| format!(" ({reason})")
    ))]
    NotTaken { status: u16, reason: Option<String>, meaning: String },
    /// It was taken, and asks for nothing.
    #[error("find the mirror {mirror} by the hook: {reason}")]
    NothingAsked { mirror: String, reason: String, meaning: String },
}

faults!(TestHookError {
    Self::Secret { source, .. } => of(source),
    Self::Sign { source, .. } => of(source),
    Self::AnyPort => Config.at(Here).hint("set `listen` to an address with a port"),
    Self::NotTaken { status: 401, meaning, .. } => Auth.at(Here).hint(meaning.clone()),
    Self::NotTaken { status: 429 | 503, meaning, .. } => Unavailable.at(Here).hint(meaning.clone()),
    Self::NotTaken { meaning, .. } | Self::NothingAsked { meaning, .. } => {
        Config.at(Here).hint(meaning.clone())
    },
});

/// What the daemon says of a hook that it has taken.
#[derive(Deserialize)]
struct Taken {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    runs: Vec<TakenRun>,
}

#[derive(Deserialize)]
struct TakenRun {
    mirror: String,
    run: String,
    state: String,
}

pub(super) fn run(args: &TestHookArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.daemon.config.config)?;
    let hooked = HookedMirror::find(&config, &args.of.forge, &args.of.mirror)?;
    let address = reached_at(config.daemon.listen)?;
    // Without the admin socket the answer is all that can be shown.
    let client = daemon::client(&args.daemon).ok();
    let interrupt = interrupted_by_signals(ui)?;
    let (target, request) = delivery(&hooked)?;
    let request = Post { target, headers: request.0, body: &request.1 };
    ui.say(&format!(
        "sending a hook in the format {}: POST http://{address}{}",
        hooked.endpoint.format.name,
        request.target.split('?').next().unwrap_or_default(),
    ));
    let patience = Some(PATIENCE + config.daemon.wait);
    let answer = post(address, &request, patience, &interrupt)?;
    ui.say(&format!("answer: {}", answer.status));
    for line in answer.body.lines() {
        ui.say(&format!("  {}", clean(line)));
    }
    if !(200..300).contains(&answer.status) {
        return Err(not_taken(&answer, hooked.endpoint, client.as_ref()).into());
    }
    let taken: Option<Taken> = serde_json::from_str(&answer.body).ok();
    let Some(Taken { reason, runs }) = taken else { return Ok(exit::OK) };
    if let (Some(reason), true) = (reason, runs.is_empty()) {
        let meaning = format!(
            "the hook names {}, and the source of the mirror is another repository: give the mirror the keys `user` \
             and `project`, and put them behind the address; `synchroniser hook-config {} {}` shows it",
            hooked.repository().path,
            args.of.forge,
            args.of.mirror
        );
        let (mirror, reason) = (args.of.mirror.clone(), clean(&reason));
        return Err(TestHookError::NothingAsked { mirror, reason, meaning }.into());
    }
    let mut outcome = exit::OK;
    for TakenRun { mirror, run, state } in runs {
        let Some((client, id)) = client.as_ref().zip(run.parse::<RunId>().ok()) else {
            ui.say(&format!(
                "{}: its sync is shown at http://{address}{}",
                clean(&mirror),
                clean(&state)
            ));
            continue;
        };
        if args.no_wait {
            ui.say(&format!("{}: asked for, run {id}", clean(&mirror)));
            continue;
        }
        let code = daemon::follow_run(client, id, ui)?;
        if outcome == exit::OK {
            outcome = code;
        }
    }
    Ok(outcome)
}

/// The address at which a daemon that listens at `listen` is reached from this machine.
fn reached_at(listen: SocketAddr) -> Result<SocketAddr, TestHookError> {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    match listen.port() {
        0 => Err(TestHookError::AnyPort),
        port => Ok(SocketAddr::new(ip, port)),
    }
}

type Headers = Vec<(String, String)>;

/// The path with its query, the headers, and the body.
fn delivery(hooked: &HookedMirror<'_>) -> Result<(String, (Headers, Vec<u8>)), TestHookError> {
    let endpoint = hooked.endpoint;
    let name = || endpoint.name.clone();
    let secrets = endpoint.read_secrets();
    let secrets = secrets.map_err(|source| TestHookError::Secret { endpoint: name(), source })?;
    let secret = secrets.into_iter().next().unwrap_or_default();
    let id = format!("test-{}", RunId::random());
    let mut sample = endpoint.format.sample(&hooked.repository(), &id);
    let signed = sign(&endpoint.scheme, &secret, &id, &sample.body, Timestamp::now())
        .map_err(|source| TestHookError::Sign { endpoint: name(), source })?;
    sample.headers.extend(signed.headers);
    let parts = [signed.query, hooked.sent_query()];
    let query: Vec<_> = parts.iter().filter(|part| !part.is_empty()).map(String::as_str).collect();
    let mark = if query.is_empty() { "" } else { "?" };
    // The senders of old wait for their sync there, and do not learn its run.
    let target = format!("/hook/{}{mark}{}", endpoint.path, query.join("&"));
    Ok((target, (sample.headers, signed.body)))
}

/// What an answer means that is no success, and what to do.
fn not_taken(answer: &Answer, endpoint: &HookEndpoint, client: Option<&Client>) -> TestHookError {
    let status = answer.status;
    let reason = client.and_then(|client| reason(client, endpoint));
    let name = &endpoint.name;
    let meaning = match status {
        401 => format!(
            "the daemon takes other secrets, or hooks from other networks, than [hooks.{name}] says now: if that \
             was changed, `systemctl reload synchroniser`; `networks` must have the address that a hook comes from, \
             here that of this machine"
        ),
        404 => format!(
            "the daemon has no endpoint [hooks.{name}]: it was started with another configuration; `systemctl reload \
             synchroniser` reads this one, and its log says what is wrong with it"
        ),
        400 => "the daemon does not understand the hook: `format` of the endpoint is another one than that of the \
                forge"
            .to_owned(),
        413 => "the hook is larger than `max_body` in [daemon]".to_owned(),
        429 => "too many hooks came from this address within a minute (`hooks_a_minute` in [daemon]): try again \
                later"
            .to_owned(),
        503 => "the queue of the daemon cannot be used, or it is stopping: its log says why".to_owned(),
        _ => "something else than the daemon answers at this address, such as a web server".to_owned(),
    };
    TestHookError::NotTaken { status, reason, meaning }
}

/// What the daemon has noted of the last hook that came to `endpoint`.
fn reason(client: &Client, endpoint: &HookEndpoint) -> Option<String> {
    let last = daemon::last_deliveries(client, 5).ok()?;
    let last = last.into_iter().find(|delivery| delivery.endpoint == endpoint.name)?;
    matches!(last.verdict, Verdict::Unverified | Verdict::Malformed).then(|| clean(&last.about))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemon_is_reached_from_here() {
        let reached = |text: &str| reached_at(text.parse().unwrap()).map(|it| it.to_string()).ok();
        assert_eq!(reached("0.0.0.0:8377").as_deref(), Some("127.0.0.1:8377"));
        assert_eq!(reached("[::]:8377").as_deref(), Some("[::1]:8377"));
        assert_eq!(reached("192.0.2.7:80").as_deref(), Some("192.0.2.7:80"));
        assert_eq!(reached("127.0.0.1:0"), None);
    }
}
