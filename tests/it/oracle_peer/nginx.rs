//! hgweb behind nginx, as most that are public are: TLS, a password, a path that is not the root.

use super::*;
use crate::support::nginx::Nginx;

const USER: (&str, &str) = ("reader", "geheim");

/// What is asked of `path` below nginx, as `user`.
fn options_for(nginx: &Nginx, env: &TestEnv, password: &str) -> Access {
    use std::os::unix::fs::PermissionsExt as _;
    let token_file = env.path("token");
    std::fs::write(&token_file, password).unwrap();
    std::fs::set_permissions(&token_file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let token = Some(Token { user: Some(USER.0.to_owned()), source: token_file.into() });
    let ca_file = Some(nginx.certificate());
    Access { token, ca_file, plain_http: false, ..options() }
}

#[test]
fn behind_nginx() {
    let Some(program) = env::hg() else { return skip("SYNCHRONISER_HG names no hg") };
    let env = TestEnv::new();
    let hg = Hg { env: &env, program };
    let repository = Fixture::named("heads").unpack(&env);
    let at_root = serve(&hg, &repository, &[]);
    let posts = serve(&hg, &repository, &["experimental.httppostargs=true"]);
    let locations = format!(
        "location /hg/repository {{ proxy_pass {}; }}
        location /posts/ {{ proxy_pass {}; }}
        location /down {{ return 502; }}
        location /page {{ default_type text/html; return 200 '<html>'; }}
        location /moved/ {{ rewrite ^/moved/(.*)$ /hg/repository/$1 redirect; }}
        location /away {{ return 302 http://192.0.2.1/hg; }}",
        at_root.url, posts.url
    );
    let Some(nginx) = Nginx::start(USER, &locations) else { return };
    let url = |path: &str| format!("https://127.0.0.1:{}/{path}", nginx.port);
    for path in ["hg/repository", "hg/repository/", "posts/"] {
        let mut peer = peer(&url(path), &options_for(&nginx, &env, USER.1)).unwrap();
        assert_eq!(check(&hg, &repository, &mut *peer), Ok(()), "{path}");
    }

    let error = |path: &str, options: &Access| {
        let error = peer(&url(path), options).and_then(|mut peer| peer.capabilities()).unwrap_err();
        (error.fault(), text(error))
    };
    let known = options_for(&nginx, &env, USER.1);
    for (path, fault, part) in [
        ("down", Fault::Unavailable, "502"),
        ("page", Fault::Corrupt, "text/html"),
        ("away", Fault::Config, "192.0.2.1"),
    ] {
        let (actual, text) = error(path, &known);
        assert!(actual == fault && text.contains(part), "{path}: {actual:?} {text}");
    }
    let wrong = options_for(&nginx, &env, "falsch");
    let (fault, text) = error("hg/repository", &wrong);
    assert!(fault == Fault::Auth && !text.contains("falsch"), "{fault:?} {text}");
    let (fault, text) = error("hg/repository", &Access { ca_file: None, ..known });
    assert!(fault == Fault::Config && text.contains("certificate"), "{fault:?} {text}");
}
