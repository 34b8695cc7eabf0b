//! `known-hosts`: the host keys of SSH servers, which are never trusted at first sight.

use std::collections::BTreeSet;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;

use super::{Outcome, config, interrupted_by_signals};
use crate::base::faults;
use crate::cli::args::{KnownHostsAddArgs, KnownHostsCommand, KnownHostsFile};
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::git::destination::{self, PublishError};
use crate::hg::pull::Source;
use crate::net::SecretSource;
use crate::net::host::parse_host_and_port;
use crate::net::known_hosts::{self, Added, HostKeyError};

/// Why no host key was added or listed.
#[derive(Debug, thiserror::Error)]
enum KnownHostsError {
    /// It is not clear which file is meant.
    #[error("choose the file with the host keys: the configuration names {}", match found {
        0 => "none".to_owned(),
        found => format!("{found} of them"),
    })]
    NoFile { found: usize },
    /// The host is none.
    #[error("read the host: it must be HOST or HOST:PORT")]
    Host,
    /// The server cannot be asked.
    #[error("ask {host} for its host key")]
    Scan {
        host: String,
        #[source]
        source: PublishError,
    },
    /// The key is not the one that was expected.
    #[error("add the host key of {host}: it shows {key_type} SHA256:{fingerprint}")]
    OtherFingerprint { host: String, key_type: String, fingerprint: String },
    /// Nobody can be asked.
    #[error("ask whether the host key is the right one: nobody is at a terminal")]
    NoTerminal { fingerprint: String },
    /// The file cannot be read or written, or has another key.
    #[error("keep the host key of {host}")]
    Keep {
        host: String,
        #[source]
        source: HostKeyError,
    },
    /// The file cannot be read.
    #[error(transparent)]
    List(HostKeyError),
}

faults!(KnownHostsError {
    Self::NoFile { .. } => Config.at(Here).hint("name one with --file"),
    Self::Host => Config.at(Here),
    Self::Scan { source, .. } => of(source),
    Self::OtherFingerprint { .. } => UNTRUSTED.hint(
        "that is not the expected fingerprint: the connection may be intercepted, or the server has \
         several keys; compare with what its operator publishes"
    ),
    Self::NoTerminal { fingerprint } => Config.at(Here).hint(format!(
        "if its operator publishes this fingerprint, add --fingerprint SHA256:{fingerprint}"
    )),
    Self::Keep { source, .. } => {
        Diagnosis { hint: source.hint(), ..UNTRUSTED.at(Here) }
    },
    Self::List(_) => Config.at(Here),
});

pub(super) fn run(command: &KnownHostsCommand, ui: &Ui) -> Outcome {
    match command {
        KnownHostsCommand::Add(args) => add(args, ui),
        KnownHostsCommand::List(file) => list(file, ui),
    }
}

/// The files that are named: on the command line, or by the configuration.
fn files(named: &KnownHostsFile) -> Result<BTreeSet<PathBuf>, crate::cli::error::Failure> {
    if let Some(file) = &named.file {
        return Ok([file.clone()].into());
    }
    let config = config::load(&named.config.config)?;
    let mirrors = config.mirrors.iter().map(|mirror| &mirror.mirror);
    let of_ends = mirrors.flat_map(|mirror| {
        let source = match &mirror.source {
            Source::Server { access, .. } => access.known_hosts.as_ref(),
            Source::Path(_) => None,
        };
        let target = mirror.target.as_ref().and_then(|target| target.access.known_hosts.as_ref());
        [source, target]
    });
    let files = of_ends.flatten().filter_map(|file| match file {
        SecretSource::File(path) => Some(path.clone()),
        SecretSource::Credential { .. } => None,
    });
    Ok(files.collect())
}

fn list(named: &KnownHostsFile, ui: &Ui) -> Outcome {
    let files = files(named)?;
    if files.is_empty() {
        return Err(KnownHostsError::NoFile { found: 0 }.into());
    }
    for file in files {
        for key in known_hosts::list(&file).map_err(KnownHostsError::List)? {
            let marker = key.marker.map(|marker| format!("{marker} ")).unwrap_or_default();
            let line = format!("{marker}{} {} SHA256:{}", key.hosts, key.key_type, key.fingerprint);
            ui.result(&line);
        }
    }
    Ok(exit::OK)
}

fn add(args: &KnownHostsAddArgs, ui: &Ui) -> Outcome {
    let (host, port) = parse_host_and_port(&args.host).map_err(|_| KnownHostsError::Host)?;
    let files = files(&args.file)?;
    let file = match files.first() {
        Some(file) if files.len() == 1 => file,
        _ => return Err(KnownHostsError::NoFile { found: files.len() }.into()),
    };
    let interrupt = interrupted_by_signals(ui)?;
    let key = destination::host_key(&host, port, &interrupt)
        .map_err(|source| KnownHostsError::Scan { host: args.host.clone(), source })?;
    let (key_type, fingerprint) = (key.key_type(), key.fingerprint.clone());
    ui.say(&format!("{} shows {key_type} SHA256:{fingerprint}", args.host));
    match &args.fingerprint {
        Some(wanted) if wanted.trim_start_matches("SHA256:") == fingerprint => {}
        Some(_) => {
            let host = args.host.clone();
            return Err(KnownHostsError::OtherFingerprint { host, key_type, fingerprint }.into());
        }
        None if !io::stdin().is_terminal() => {
            return Err(KnownHostsError::NoTerminal { fingerprint }.into());
        }
        None if !is_confirmed(ui) => {
            ui.say("nothing was added");
            return Ok(exit::OK);
        }
        None => {}
    }
    let kept = known_hosts::add(file, &host, port, &key);
    match kept.map_err(|source| KnownHostsError::Keep { host: args.host.clone(), source })? {
        Added::Now => ui.say(&format!("added to {}", file.display())),
        Added::Before => ui.say("it is known already"),
    }
    Ok(exit::OK)
}

/// Asks the person at the terminal.
fn is_confirmed(ui: &Ui) -> bool {
    ui.warn("Does the operator of that server publish this fingerprint? Type \"yes\" to add it:");
    let _ = io::stderr().flush();
    let mut answer = String::new();
    io::stdin().read_line(&mut answer).is_ok() && answer.trim().eq_ignore_ascii_case("yes")
}
