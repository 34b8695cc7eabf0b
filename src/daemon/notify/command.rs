//! A program that is run, without a shell, for a limited time.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::error::NotifyError;
use super::message::Message;
use crate::base::Interrupt;
use crate::base::clean::clean_short;

/// How often is looked whether it has ended.
const GLANCE: Duration = Duration::from_millis(50);
/// So much of what it says is read, in bytes.
const WORDS: u64 = 4 << 10;
/// So much of it is logged, in characters.
const SHOWN: usize = 500;
/// What it gets of our environment.
const KEPT: [&str; 5] = ["PATH", "HOME", "LANG", "LC_ALL", "TZ"];

/// What is run.
pub(super) struct Task<'a> {
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [String],
    pub(super) input: &'a [u8],
    pub(super) variables: &'a [(&'static str, String)],
    pub(super) limit: Duration,
}

/// The fields of a message, for the environment of a program.
pub(super) fn variables(message: &Message) -> Vec<(&'static str, String)> {
    let failure = message.failure.as_ref();
    let known = [
        ("SYNCHRONISER_EVENT", Some(message.event.name().to_owned())),
        ("SYNCHRONISER_MIRROR", Some(message.mirror.clone())),
        ("SYNCHRONISER_STATE", Some(message.state.name().to_owned())),
        ("SYNCHRONISER_FAULT", failure.map(|failure| failure.fault.name().to_owned())),
        ("SYNCHRONISER_SIDE", failure.map(|failure| failure.side.name().to_owned())),
        ("SYNCHRONISER_MESSAGE", failure.map(|failure| failure.message.clone())),
        ("SYNCHRONISER_HINT", failure.and_then(|failure| failure.hint.clone())),
        ("SYNCHRONISER_LINK", message.link.clone()),
    ];
    known.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

/// Runs it once, and waits for its end. It, and whatever it has started, is killed when the time is up.
pub(super) fn run(task: &Task<'_>, interrupt: &Interrupt) -> Result<(), NotifyError> {
    let program = task.program;
    let failed = |source| NotifyError::Run { program: program.to_owned(), source };
    // Files, and no pipes: a program that reads nothing, or leaves something running, holds up nobody.
    let mut input = tempfile::tempfile().map_err(failed)?;
    input.write_all(task.input).and_then(|()| input.rewind()).map_err(failed)?;
    let words = tempfile::tempfile().map_err(failed)?;
    let kept = KEPT.iter().filter_map(|name| Some((*name, std::env::var_os(name)?)));
    let variables = task.variables.iter().map(|(name, value)| (*name, OsString::from(value)));
    let mut command = Command::new(program);
    command
        .args(task.arguments)
        .env_clear()
        .envs(kept.chain(variables))
        .stdin(Stdio::from(input))
        .stdout(Stdio::null())
        .stderr(Stdio::from(words.try_clone().map_err(failed)?))
        .process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().map_err(failed)? {
            break status;
        }
        if begin.elapsed() >= task.limit {
            kill(&mut child);
            return Err(NotifyError::Slow { program: program.to_owned(), limit: task.limit });
        }
        if let Err(stop) = interrupt.pause(GLANCE) {
            kill(&mut child);
            return Err(stop.into());
        }
    };
    if status.success() {
        return Ok(());
    }
    let text = said(words).map_err(failed)?;
    Err(NotifyError::Failed { program: program.to_owned(), status: status.to_string(), text })
}

/// Ends it with whatever it has started.
fn kill(child: &mut Child) {
    // Gone already is as good.
    let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
    let _ = child.wait();
}

fn said(mut words: File) -> io::Result<String> {
    words.rewind()?;
    let mut text = Vec::new();
    words.take(WORDS).read_to_end(&mut text)?;
    Ok(clean_short(String::from_utf8_lossy(&text).trim(), SHOWN))
}
