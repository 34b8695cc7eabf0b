//! A program that is talked to through its standard input and output, with patience.

use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::base::{Interrupt, Interrupted};

/// What is read at once, and how often that may wait to be taken.
const PIECE: usize = 64 << 10;
const WAITING: usize = 4;
/// How often to check whether a stop was requested.
const GLANCE: Duration = Duration::from_millis(100);
/// A program that has said all gets so long to end, and to say why.
const FAREWELL: Duration = Duration::from_secs(1);
/// What is kept of its complaints, in bytes: the end, where the reason is.
const COMPLAINTS: usize = 16 << 10;

/// A running program. Ends with this value.
pub struct Process {
    child: Child,
    /// What is to be written; a thread does so, as a program that reads nothing would block us.
    input: Option<Sender<Vec<u8>>>,
    output: Receiver<Vec<u8>>,
    piece: Vec<u8>,
    taken: usize,
    complaints: Arc<Mutex<Complaints>>,
}

/// What became of waiting.
#[derive(Debug, PartialEq, Eq)]
pub enum Waited {
    /// So many bytes are there.
    Bytes(usize),
    /// The program has closed its output.
    End,
    /// Nothing has come.
    Nothing,
}

#[derive(Debug, Default)]
struct Complaints {
    bytes: Vec<u8>,
    is_over: bool,
}

impl Process {
    /// Starts a program. It is in a group of its own: an interrupt from a terminal is for us, and we
    /// end it in our own time.
    pub fn start(mut command: Command) -> io::Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).spawn()?;
        let missing = || io::Error::from(io::ErrorKind::BrokenPipe);
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (mut stdin, stdout) = (stdin.ok_or_else(missing)?, stdout.ok_or_else(missing)?);
        let stderr = child.stderr.take().ok_or_else(missing)?;
        let (input, written) = channel::<Vec<u8>>();
        thread::spawn(move || {
            // Whoever cannot be written to has closed its output too, and that is noticed.
            while let Ok(bytes) = written.recv() {
                if stdin.write_all(&bytes).and_then(|()| stdin.flush()).is_err() {
                    break;
                }
            }
        });
        let (read, output) = sync_channel(WAITING);
        thread::spawn(move || pass_on(stdout, &read));
        let complaints = Arc::new(Mutex::new(Complaints::default()));
        let kept = Arc::clone(&complaints);
        thread::spawn(move || collect(stderr, &kept));
        Ok(Self { child, input: Some(input), output, piece: Vec::new(), taken: 0, complaints })
    }

    /// Has `bytes` written.
    pub fn send(&mut self, bytes: Vec<u8>) {
        if let Some(input) = &self.input {
            // An error means that the thread has ended, see there.
            let _ = input.send(bytes);
        }
    }

    /// What has come and is not yet taken.
    pub fn buffered(&self) -> &[u8] {
        self.piece.get(self.taken..).unwrap_or_default()
    }

    /// Takes `count` bytes of that.
    pub fn take(&mut self, count: usize) {
        self.taken = self.taken.saturating_add(count).min(self.piece.len());
    }

    /// Waits until there is something in [`Process::buffered`].
    pub fn wait(
        &mut self,
        longest: Duration,
        interrupt: &Interrupt,
    ) -> Result<Waited, Interrupted> {
        let start = Instant::now();
        loop {
            if !self.buffered().is_empty() {
                return Ok(Waited::Bytes(self.buffered().len()));
            }
            interrupt.check()?;
            let left = longest.saturating_sub(start.elapsed());
            match self.output.recv_timeout(left.min(GLANCE)) {
                Ok(piece) => (self.piece, self.taken) = (piece, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(Waited::End),
                Err(RecvTimeoutError::Timeout) if left.is_zero() => return Ok(Waited::Nothing),
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// What it has complained of; waits a little until `is_enough` or it ends.
    pub fn complaints(&self, is_enough: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        let start = Instant::now();
        loop {
            let complaints = self.complaints.lock().unwrap_or_else(PoisonError::into_inner);
            let is_over = complaints.is_over || is_enough(&complaints.bytes);
            if is_over || start.elapsed() > FAREWELL {
                return complaints.bytes.clone();
            }
            drop(complaints);
            thread::sleep(GLANCE / 10);
        }
    }

    /// Ends it: kindly, then by force. `None` if it had to be forced.
    pub fn end(&mut self) -> Option<ExitStatus> {
        self.input = None;
        let start = Instant::now();
        while start.elapsed() < FAREWELL {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                Ok(None) => thread::sleep(GLANCE / 10),
                Err(_) => break,
            }
        }
        self.kill();
        None
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.input = None;
        // Errors mean that it has ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
    }
}

/// Passes on what `from` gives, until it ends or nobody takes it.
fn pass_on(mut from: impl Read, to: &SyncSender<Vec<u8>>) {
    loop {
        let mut piece = vec![0; PIECE];
        match from.read(&mut piece) {
            Ok(0) => return,
            Ok(read) => {
                piece.truncate(read);
                if to.send(piece).is_err() {
                    return;
                }
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

/// Keeps the last of what `from` gives.
fn collect(mut from: impl Read, kept: &Mutex<Complaints>) {
    let mut piece = [0; 4 << 10];
    loop {
        let read = match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Ok(read) => read,
            Err(_) => 0,
        };
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.bytes.extend_from_slice(piece.get(..read).unwrap_or_default());
        let old = kept.bytes.len().saturating_sub(COMPLAINTS);
        kept.bytes.drain(..old);
        if read == 0 {
            kept.is_over = true;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Process {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        Process::start(command).unwrap()
    }

    fn wait(process: &mut Process, millis: u64) -> Waited {
        process.wait(Duration::from_millis(millis), &Interrupt::default()).unwrap()
    }

    #[test]
    fn what_is_written_comes_back() {
        let mut process = shell("cat; echo no >&2");
        process.send(b"abc".to_vec());
        assert_eq!(wait(&mut process, 10_000), Waited::Bytes(3));
        process.take(2);
        assert_eq!(process.buffered(), b"c");
        process.take(5);
        assert_eq!(wait(&mut process, 10), Waited::Nothing);
        process.input = None;
        assert_eq!(wait(&mut process, 10_000), Waited::End);
        assert_eq!(process.complaints(|_| false), b"no\n");
        assert!(process.end().unwrap().success());
    }

    #[test]
    fn complaints_do_not_pile_up() {
        let mut process = shell("yes no | head -c 1000000 >&2; echo end >&2");
        assert_eq!(wait(&mut process, 10_000), Waited::End);
        let complaints = process.complaints(|_| false);
        assert_eq!(complaints.len(), COMPLAINTS);
        assert!(complaints.ends_with(b"end\n"));
    }

    #[test]
    fn who_does_not_end_is_ended() {
        let start = Instant::now();
        let mut process = shell("trap '' HUP TERM; exec sleep 100");
        process.send(vec![0; 1 << 20]);
        let interrupt = Interrupt::default();
        interrupt.raise();
        assert_eq!(process.wait(Duration::from_secs(100), &interrupt), Err(Interrupted));
        assert_eq!(process.end(), None);
        assert!(start.elapsed() < Duration::from_secs(10));
    }
}
