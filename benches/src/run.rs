//! One command and what it took.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};

use crate::Outcome;

/// What a command took, with all that it started and waited for.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    pub(crate) wall: Duration,
    pub(crate) cpu: Duration,
    /// Bytes of memory of the largest of its processes.
    pub(crate) peak: u64,
    /// Bytes that went to the disk, or would have.
    pub(crate) written: u64,
}

/// A number of `/proc/PID/io`.
fn written(pid: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|number| number.parse().ok()).unwrap_or_default()
}

/// What the kernel counted of a child that has ended, and its exit code.
#[expect(unsafe_code, reason = "nothing that is safe says how much memory a child had")]
fn reap(pid: u32) -> Outcome<(i32, Duration, u64)> {
    let pid = libc::pid_t::try_from(pid)?;
    let mut status = 0;
    // SAFETY: all zeros are a value of this structure of numbers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both point to values of the types that the call fills in.
    if unsafe { libc::wait4(pid, &raw mut status, 0, &raw mut usage) } != pid {
        return Err(std::io::Error::last_os_error().into());
    }
    let time = |time: libc::timeval| {
        Duration::from_secs(time.tv_sec.unsigned_abs())
            + Duration::from_micros(time.tv_usec.unsigned_abs())
    };
    let code = if libc::WIFEXITED(status) { libc::WEXITSTATUS(status) } else { -1 };
    let kibibytes = usage.ru_maxrss.unsigned_abs();
    Ok((code, time(usage.ru_utime) + time(usage.ru_stime), kibibytes * 1024))
}

/// Runs a command to its end. What it prints goes to `log`.
pub(crate) fn run(command: &mut Command, log: &Path) -> Outcome<Spent> {
    let output = File::create(log)?;
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
    let begin = Instant::now();
    let id = command.spawn()?.id();
    let pid = Pid::from_raw(i32::try_from(id)?).ok_or("a child without a number")?;
    // Its counters can be read until it is waited for.
    waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT)?;
    let wall = begin.elapsed();
    let written = written(id);
    let (code, cpu, peak) = reap(id)?;
    if code != 0 {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        let last: Vec<&str> = said.lines().rev().take(5).collect();
        return Err(format!("{command:?} ended with {code}: {last:?}").into());
    }
    Ok(Spent { wall, cpu, peak, written })
}

/// The CPU time that a process has used, and those of its children that it waited for.
pub(crate) fn cpu_of(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let after = text.rsplit(") ").next().unwrap_or_default();
    let fields = after.split(' ').skip(11).take(4);
    // A hundredth of a second each, on every Linux that we run on.
    let ticks: u64 = fields.filter_map(|number| number.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks * 10)
}

/// Bytes of all files below `folder`.
pub(crate) fn size_of(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let size = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size_of(&entry.path()),
        Ok(metadata) => metadata.len(),
        Err(_) => 0,
    };
    entries.flatten().map(size).sum()
}

/// Removes a folder that may not be there.
pub(crate) fn remove(folder: &Path) {
    let _ = std::fs::remove_dir_all(folder);
}
