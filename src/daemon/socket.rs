//! The sockets that the daemon listens on: of the network, and the one for administrators on this machine. Both
//! may come from systemd, which then made them.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use listenfd::ListenFd;
use tokio::net::{TcpListener, TcpSocket, UnixListener};

use super::DaemonError;
use super::fixed::Fixed;
use crate::base::durable;

/// So many connections may wait to be accepted, if the system allows it.
const BACKLOG: u32 = 1024;
/// The mode of the admin socket: who may use it is who may use the files of its owner and its group.
const MODE: u32 = 0o660;

/// What is listened on.
pub(super) struct Sockets {
    pub(super) network: Arc<TcpListener>,
    pub(super) address: SocketAddr,
    pub(super) admin: Option<UnixListener>,
    /// For who watches the daemon.
    pub(super) metrics: Option<TcpListener>,
    /// Removed when it is dropped.
    _file: Option<SocketFile>,
}

struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The next daemon removes one that is left.
        let _ = durable::remove_if_there(&self.0);
    }
}

impl Sockets {
    /// Listens as is configured, or on what systemd has passed.
    pub(super) async fn listen(fixed: &Fixed) -> Result<Self, DaemonError> {
        let mut passed = ListenFd::from_env();
        let failed = |source| DaemonError::Listen { address: fixed.listen, source };
        let network = match passed_network(&mut passed).map_err(failed)? {
            Some(listener) => listener,
            None => bind_network(fixed.listen).map_err(failed)?,
        };
        let address = network.local_addr().map_err(failed)?;
        let (admin, file) = match &fixed.socket {
            Some(path) => admin(path).await?,
            None => (None, None),
        };
        let metrics = match fixed.metrics_listen {
            Some(address) => {
                let failed = |source| DaemonError::Listen { address, source };
                Some(bind_network(address).map_err(failed)?)
            }
            None => None,
        };
        Ok(Self { network: Arc::new(network), address, admin, metrics, _file: file })
    }
}

/// A listener at which as many may knock at once as a forge with many repositories sends hooks: whoever finds no
/// room tries again after a second. The usual listener has room for 128.
fn bind_network(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The first socket that systemd has passed, if it has passed one.
fn passed_network(passed: &mut ListenFd) -> io::Result<Option<TcpListener>> {
    let Some(listener) = passed.take_tcp_listener(0)? else { return Ok(None) };
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener).map(Some)
}

/// The admin socket at `path`. Without it the daemon does its work all the same, so one that cannot be made is
/// told and no more.
async fn admin(path: &Path) -> Result<(Option<UnixListener>, Option<SocketFile>), DaemonError> {
    if tokio::net::UnixStream::connect(path).await.is_ok() {
        return Err(DaemonError::Running { socket: path.to_owned() });
    }
    match bind(path) {
        Ok(listener) => Ok((Some(listener), Some(SocketFile(path.to_owned())))),
        Err(error) => {
            tracing::warn!(
                socket = %path.display(),
                "there is no admin socket, so that `synchroniser status` and its like do not work: {error}"
            );
            Ok((None, None))
        }
    }
}

fn bind(path: &Path) -> io::Result<UnixListener> {
    durable::remove_if_there(path)?;
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(MODE))?;
    Ok(listener)
}
