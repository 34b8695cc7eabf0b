//! OpenSSH on both sides.

use std::fs;

use synchroniser::net::Key;

use super::*;
use crate::support::hg_server::Sshd;

/// How the server is reached with the key that it lets in.
fn good_options(sshd: &Sshd) -> Access {
    let (key, known_hosts) = (sshd.key(), sshd.known_hosts());
    Access { key: Some(Key::at(key)), known_hosts: Some(known_hosts.into()), ..options() }
}

#[test]
fn keys_of_users_and_of_hosts() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let repository = Fixture::named("bookmark-names").unpack(&env);
    let hg = Hg { env: &env, program };
    let Some(sshd) = Sshd::start(&env, &hg.program) else { return };
    let url = sshd.url(&repository);
    let mut good = peer(&url, &good_options(&sshd)).unwrap();
    assert_eq!(check(&hg, &repository, &mut *good), Ok(()));

    let error = |options: &Access| peer(&url, options).err().unwrap();
    let other = Access { key: Some(Key::at(sshd.at("other"))), ..good_options(&sshd) };
    let denied = error(&other);
    assert!(matches!(denied, PeerError::Net(NetError::Denied { .. })), "{denied:?}");
    assert_eq!(denied.fault(), Fault::Auth);
    let public = Access { key: Some(Key::at(sshd.at("user.pub"))), ..good_options(&sshd) };
    assert!(matches!(error(&public), PeerError::Net(NetError::Secret(_))), "{:?}", error(&public));

    let key = fs::read_to_string(sshd.at("other.pub")).unwrap();
    fs::write(env.path("wrong_hosts"), format!("[127.0.0.1]:{} {key}", sshd.port)).unwrap();
    fs::write(env.path("no_hosts"), "").unwrap();
    for name in ["wrong_hosts", "no_hosts"] {
        let before = fs::read(env.path(name)).unwrap();
        let distrusting =
            Access { known_hosts: Some(env.path(name).into()), ..good_options(&sshd) };
        let untrusted = error(&distrusting);
        assert!(matches!(untrusted, PeerError::Net(NetError::Untrusted { .. })), "{untrusted:?}");
        let keyscan = format!("ssh-keyscan -p {} 127.0.0.1", sshd.port);
        assert!(untrusted.hint().unwrap().contains(&keyscan));
        assert_eq!(fs::read(env.path(name)).unwrap(), before, "{name}");
    }

    let gone = format!("ssh://{}@127.0.0.1:{}/x", sshd.user, free_port());
    let unreachable = peer(&gone, &good_options(&sshd)).err().unwrap();
    assert!(matches!(unreachable, PeerError::Net(NetError::Unreachable { .. })), "{unreachable:?}");
    let missing = peer(&sshd.url(Path::new("/nowhere")), &good_options(&sshd)).err().unwrap();
    assert!(matches!(missing, PeerError::Net(NetError::Denied { .. })), "{missing:?}");
}
