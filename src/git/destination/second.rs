//! The connection over which a target is listed again after a push, made while the push goes on: with
//! SSH that takes longer than to push one commit.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use super::Target;
use super::connection::Connection;
use super::receive_pack::Advertisement;
use super::session::Session;
use crate::base::Interrupt;
use crate::git::reference::{Reference, is_mirrored};

/// A connection that is logged in, and was asked for nothing yet; or is about to be.
///
/// The server starts `receive-pack`, and so looks at its refs, only once it is asked.
pub(super) struct Second {
    go: Sender<()>,
    listed: Receiver<Vec<Reference>>,
    interrupt: Interrupt,
}

impl Second {
    /// Begins to connect to `target`, at `address`, on a thread of its own. It ends when nobody waits for
    /// it any more.
    pub(super) fn begin(target: &Target, address: &str, interrupt: &Interrupt) -> Option<Self> {
        let ((go, wait), (found, listed)) = (channel(), channel());
        let (target, address) = (target.clone(), address.to_owned());
        let interrupt = interrupt.clone();
        let asked = interrupt.clone();
        let work = move || {
            let Ok(session) = Session::new(&target, &asked) else { return };
            let open = || Connection::open_when(&address, session.callbacks(), Some(wait));
            if let Ok(connection) = session.run(open) {
                // Nobody may wait for it any more.
                let _ = found.send(listed_refs(&connection.advertisement()));
            }
        };
        thread::Builder::new().name("second".to_owned()).spawn(work).ok()?;
        Some(Self { go, listed, interrupt })
    }

    /// What the target has now; `None` if that did not come, for whatever reason: a connection that is
    /// made for it will tell why.
    pub(super) fn list(self, interrupt: &Interrupt) -> Option<Vec<Reference>> {
        if !self.interrupt.is(interrupt) || self.go.send(()).is_err() {
            return None;
        }
        self.listed.recv().ok()
    }
}

/// The refs of a list that has been read, but for hidden and foreign ones.
pub(super) fn listed_refs(server: &Advertisement) -> Vec<Reference> {
    let mut found: Vec<Reference> =
        server.refs.iter().filter(|found| is_mirrored(&found.name)).cloned().collect();
    found.sort();
    found
}
