//! How the C library looks up hosts and users.

use std::ffi::CStr;

use libc::{c_char, c_int};

/// What is asked for each kind of name, in this order: what glibc itself can do, without a plug-in. The others (Kerberos
/// realms, network groups, …) are never asked for here.
const SOURCES: [(&CStr, &CStr); 6] = [
    (c"hosts", c"files dns"),
    (c"passwd", c"files"),
    (c"group", c"files"),
    (c"shadow", c"files"),
    (c"services", c"files"),
    (c"protocols", c"files"),
];

/// Has hosts looked up in `/etc/hosts` and by DNS, users and groups in the files of this machine, and nowhere else; to
/// be called before there are threads, by a program that is linked statically.
///
/// glibc looks where `/etc/nsswitch.conf` says, with a library for each place that it loads then. These belong to the
/// glibc of the machine; a program with another one in it crashes when it loads them. Where glibc itself can look
/// (`files` and `dns`, from 2.34 on) it loads none. What is lost are names that only a plug-in knows: users of LDAP, hosts
/// of mDNS, containers of `systemd-machined`.
#[cfg_attr(
    target_env = "gnu",
    expect(unsafe_code, reason = "a function of the C library that no safe crate offers")
)]
pub fn use_no_plug_ins() {
    #[cfg(target_env = "gnu")]
    {
        unsafe extern "C" {
            // <nss.h>, glibc 2.2.5
            fn __nss_configure_lookup(kind: *const c_char, sources: *const c_char) -> c_int;
        }
        for (kind, sources) in SOURCES {
            // SAFETY: both are strings that end with a null byte and live as long as the program; it takes its own lock.
            let failed = unsafe { __nss_configure_lookup(kind.as_ptr(), sources.as_ptr()) };
            debug_assert_eq!(
                failed, 0,
                "{kind:?} is a kind of name, and {sources:?} can be asked for it"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs;

    use super::*;

    #[test]
    fn what_is_asked_is_taken() {
        use_no_plug_ins();
        let found: Vec<_> = ("localhost", 80).to_socket_addrs().unwrap().collect();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
    }
}
