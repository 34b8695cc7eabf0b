//! A look at what a source has: one round trip to a server, a few `stat`s for a path. Reads no history and
//! changes nothing.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use super::server::Server;
use super::{Copy, PullError, Source, State};
use crate::base::sha1::Sha1;
use crate::base::{Fault, HasFault as _, Interrupt, Limits, hex};
use crate::hg::peer::connect;
use crate::hg::store::Layout;
use crate::net::{Access, SourceUrl};

/// Looks at `source`, of which `copy` is the copy if it is not on this machine. Two looks give the same
/// text if nothing has changed in between: neither changesets nor bookmarks nor phases.
pub fn look(
    source: &Source,
    copy: &Copy,
    limits: &Limits,
    interrupt: &Interrupt,
) -> Result<String, PullError> {
    let digest = match source {
        Source::Path(path) => of_path(path, limits),
        Source::Server { url, access } => of_server(url, access, copy, (limits, interrupt))?,
    };
    Ok(hex::encode(&digest.finish()))
}

/// Everything that is written to whenever something changes in a repository.
fn of_path(path: &Path, limits: &Limits) -> Sha1 {
    let mut digest = Sha1::new();
    let files = match Layout::open(path, limits) {
        Ok(layout) => layout.files_that_change(),
        // A bundle file, or nothing that can be read, which the sync will tell.
        Err(_) => vec![path.to_owned()],
    };
    for file in files {
        let stamp = std::fs::metadata(file).ok().map(|metadata| {
            (metadata.ino(), metadata.len(), metadata.mtime(), metadata.mtime_nsec())
        });
        digest.update(format!("{stamp:?}\n").as_bytes());
    }
    digest
}

fn of_server(
    url: &SourceUrl,
    access: &Access,
    copy: &Copy,
    (limits, interrupt): (&Limits, &Interrupt),
) -> Result<Sha1, PullError> {
    let mut peer = connect(url, access, limits, interrupt)?;
    let remembered = copy.capabilities(&url.to_string());
    let was_remembered = remembered.is_some();
    let state = Server::new(&mut *peer, remembered).and_then(|mut server| server.state(&[]));
    let (state, _) = match state {
        Err(error) if was_remembered && error.fault() != Fault::Unavailable => {
            // What the server could do then it need not do now.
            let mut peer = connect(url, access, limits, interrupt)?;
            Server::new(&mut *peer, None)?.state(&[])?
        }
        other => other?,
    };
    Ok(of_state(&state))
}

fn of_state(state: &State) -> Sha1 {
    let State { shown, bookmarks, publishes, draft_roots } = state;
    let mut digest = Sha1::new();
    let mut say = |text: String| digest.update((text + "\n").as_bytes());
    for head in &shown.heads {
        say(format!("head {head}"));
    }
    for head in shown.branch_heads.iter().flatten() {
        say(format!("branch {head}"));
    }
    let mut bookmarks: Vec<_> = bookmarks.iter().collect();
    bookmarks.sort();
    for (name, node) in bookmarks {
        say(format!("bookmark {node} {name:?}"));
    }
    let mut roots = draft_roots.clone();
    roots.sort();
    for root in roots {
        say(format!("draft {root}"));
    }
    say(format!("publishes {publishes}"));
    digest
}
