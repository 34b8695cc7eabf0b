//! One push over a connection: the commands, the pack as it is made, then the answer.

use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use git2::{ErrorClass, ErrorCode};

use super::RefUpdate;
use super::connection::Connection;
use super::receive_pack::{Answer, Heard, Reporting, Unreadable, commands};
use super::session::{Failure, Session};
use crate::base::Progress;
use crate::base::durable::{self, Step};
use crate::git::pack::{Outgoing, OutgoingError};
use crate::net::NetError;

/// What is sent at once, in bytes.
const PIECE: usize = 64 << 10;

/// How long to wait for what a server must have said already.
const LAST_WORD: Duration = Duration::from_secs(2);

/// How a push ended that has no answer.
pub(super) struct Unanswered {
    pub(super) failure: Failure,
    /// The server has said nothing, and the connection is gone.
    pub(super) is_silent: bool,
}

/// Asks for `updates`, and sends `pack` of the repository at `from` if they need one. The answer is
/// complete as far as the server gives one.
pub(super) fn push(
    connection: &mut Connection,
    session: &Session,
    updates: &[&RefUpdate],
    (from, pack): (&Path, Option<&Outgoing>),
    progress: &dyn Progress,
) -> Result<Answer, Unanswered> {
    let capabilities = connection.advertisement().capabilities;
    let names = updates.iter().map(|update| update.name.as_str());
    let mut exchange = Exchange {
        connection,
        session,
        from,
        answer: Answer::about(names, capabilities.side_band),
        is_heard: false,
    };
    let commands = commands(updates.iter().copied(), &capabilities).map_err(|broken| {
        Unanswered { failure: Failure::Unintelligible(broken.0), is_silent: false }
    })?;
    let has_report = capabilities.reporting != Reporting::Never;
    let result = session.line.during(|| exchange.run(&commands, pack, has_report, progress));
    let Exchange { answer, is_heard, .. } = exchange;
    match result {
        Ok(()) => Ok(answer),
        Err(failure) => {
            // What else the server wanted to say, or a hook after the push, changes nothing.
            if answer.report().is_some() && !matches!(failure, Failure::Interrupted) {
                session.line.abandon();
                return Ok(answer);
            }
            session.line.abandon();
            let is_silent = !is_heard && is_broken(&failure);
            Err(Unanswered { failure, is_silent })
        }
    }
}

/// Whether a failure says no more than that the connection is gone.
fn is_broken(failure: &Failure) -> bool {
    match failure {
        Failure::Cut => true,
        Failure::Connection(error) => {
            matches!(error, NetError::Cut { .. } | NetError::Unreachable { .. })
        }
        Failure::Error(error) => {
            let is_net = matches!(
                error.class(),
                ErrorClass::Net | ErrorClass::Os | ErrorClass::Ssh | ErrorClass::Http
            );
            is_net && !has_words(error) && !error.message().contains("timeout")
        }
        _ => false,
    }
}

/// Whether an error of libgit2 is about what the server said.
fn has_words(error: &git2::Error) -> bool {
    matches!(error.code(), ErrorCode::Eof | ErrorCode::Auth) || error.message().contains("status")
}

struct Exchange<'a> {
    connection: &'a mut Connection,
    session: &'a Session,
    /// The repository that is pushed from.
    from: &'a Path,
    answer: Answer,
    /// Something of an answer has come.
    is_heard: bool,
}

impl Exchange<'_> {
    fn run(
        &mut self,
        commands: &[u8],
        pack: Option<&Outgoing>,
        has_report: bool,
        progress: &dyn Progress,
    ) -> Result<(), Failure> {
        self.session.line.working();
        self.connection.limit(Some(self.session.line.idle()));
        let broken = match self.send(commands, pack, progress) {
            Ok(()) => {
                self.session.line.waiting();
                self.connection.limit(None);
                return self.listen(has_report);
            }
            Err(Unsent::Pack(error)) => return Err(Failure::Pack(error)),
            Err(Unsent::Connection(error)) => self.session.failure(error),
        };
        if matches!(broken, Failure::Interrupted) {
            return Err(broken);
        }
        // Who hangs up early may have said why. libgit2 first wants to end its request, and fails at
        // that; then it reads.
        self.session.line.ending();
        self.connection.limit(Some(LAST_WORD));
        let mut last = self.listen(true);
        if last.is_err() && !self.is_heard {
            last = self.listen(true);
        }
        match last {
            Ok(()) => Ok(()),
            Err(Failure::Interrupted) => Err(Failure::Interrupted),
            Err(Failure::Error(error)) if has_words(&error) => Err(Failure::Error(error)),
            Err(failure @ (Failure::Fatal(_) | Failure::Unintelligible(_))) => Err(failure),
            Err(_) => Err(broken),
        }
    }

    fn send(
        &mut self,
        commands: &[u8],
        pack: Option<&Outgoing>,
        progress: &dyn Progress,
    ) -> Result<(), Unsent> {
        let mut out = Sender {
            exchange: self,
            // The commands go out with the beginning of the pack.
            piece: commands.to_vec(),
            failure: None,
        };
        if let Some(pack) = pack {
            let interrupt = &out.exchange.session.interrupt.clone();
            if let Err(error) = pack.write(&mut out, progress, interrupt) {
                return Err(match out.failure.take() {
                    Some(failure) => Unsent::Connection(failure),
                    None => Unsent::Pack(error),
                });
            }
        }
        out.pass().map_err(Unsent::Connection)?;
        self.step().map_err(Unsent::Connection)
    }

    /// Announces what may change the target.
    fn step(&self) -> Result<(), git2::Error> {
        durable::step(Step::Send(self.from))
            .map_err(|error| git2::Error::from_str(&error.to_string()))
    }

    /// Reads the answer. A server that is silent for too long is given up, also one that says again
    /// and again that it is still there.
    fn listen(&mut self, has_report: bool) -> Result<(), Failure> {
        let session = self.session;
        let patience = session.line.patience();
        let (mut last, mut piece) = (Instant::now(), Vec::new());
        while !self.answer.is_complete() {
            if session.interrupt.is_raised() {
                return Err(Failure::Interrupted);
            }
            let received = self.connection.receive(&mut piece);
            let bytes = received.map_err(|error| session.failure(error))?;
            if bytes.is_empty() {
                let is_all = self.answer.report().is_some() || !has_report;
                return if is_all { Ok(()) } else { Err(Failure::Cut) };
            }
            self.is_heard = true;
            let heard = self.answer.feed(bytes, |text| session.state().text.add(text));
            match heard {
                Ok(Heard::Something) => last = Instant::now(),
                Ok(Heard::Nothing) if last.elapsed() < patience => {}
                Ok(Heard::Nothing) => return Err(Failure::Connection(session.line.timed_out())),
                Err(Unreadable::Broken(broken)) => return Err(Failure::Unintelligible(broken.0)),
                Err(Unreadable::Fatal(words)) => return Err(Failure::Fatal(words)),
            }
        }
        Ok(())
    }
}

/// Why not everything was sent.
enum Unsent {
    Connection(git2::Error),
    Pack(OutgoingError),
}

/// Sends what is written to it, in pieces of a good size.
struct Sender<'a, 'b> {
    exchange: &'a mut Exchange<'b>,
    piece: Vec<u8>,
    /// Why the connection takes no more.
    failure: Option<git2::Error>,
}

impl Sender<'_, '_> {
    fn pass(&mut self) -> Result<(), git2::Error> {
        self.exchange.step()?;
        self.exchange.session.line.working();
        let result = self.exchange.connection.send(&self.piece);
        self.piece.clear();
        result
    }
}

impl Write for Sender<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() >= PIECE
            && let Err(error) = self.pass()
        {
            self.failure = Some(error);
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let room = PIECE.saturating_sub(self.piece.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.piece.extend_from_slice(taken);
        Ok(taken.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
