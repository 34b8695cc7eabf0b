//! The host key of an SSH server, shown to a person who decides about it.

use std::cell::RefCell;

use git2::{Direction, ErrorClass, ErrorCode, Remote, RemoteCallbacks};

use super::failure::explain;
use super::session::Session;
use super::{PublishError, Target};
use crate::base::Interrupt;
use crate::git::init;
use crate::net::known_hosts::HostKey;
use crate::net::url::PlainHttp;
use crate::net::{Access, TargetUrl};

/// The key that a server shows to us, by the kinds of keys that we prefer. Nothing is logged in to.
pub fn host_key(
    host: &str,
    port: Option<u16>,
    interrupt: &Interrupt,
) -> Result<HostKey, PublishError> {
    init::ensure()?;
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let url = TargetUrl::parse(&format!("ssh://{host}{port}/x"), PlainHttp::Refuse);
    let url = url.map_err(PublishError::Address)?;
    let address = url.connection(None);
    let target = Target::new(url, Access::default());
    let session = Session::new(&target, interrupt)?;
    let shown = RefCell::new(None);
    let seen = session.run(|| {
        let mut callbacks = RemoteCallbacks::new();
        callbacks.certificate_check(|certificate, _| {
            let key = certificate.as_hostkey();
            let key = key.and_then(|key| Some((key.hostkey()?, key.hash_sha256()?)));
            *shown.borrow_mut() = key.map(|(blob, sha256)| HostKey::new(blob, sha256));
            // Enough was seen.
            Err(git2::Error::new(ErrorCode::Certificate, ErrorClass::Callback, "its key was seen"))
        });
        let mut remote = Remote::create_detached(address.as_str())?;
        remote.connect_auth(Direction::Fetch, Some(callbacks), None).map(drop)
    });
    match (shown.into_inner(), seen) {
        (Some(key), _) => Ok(key),
        (None, Err(failure)) => Err(explain(failure, &target, &session)),
        (None, Ok(())) => Err(PublishError::Unreachable {
            target: target.url.to_string(),
            source: super::Said("it shows no host key".to_owned()),
        }),
    }
}
