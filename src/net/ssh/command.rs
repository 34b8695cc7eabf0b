//! How OpenSSH is called.

use std::ffi::OsString;
use std::path::Path;

use crate::net::{Access, KeySource, NetError, SourceUrl};

/// What never changes: no configuration of the user, no questions, no host that is not known, nothing
/// forwarded, nothing run here, nothing shared, nothing written.
const ALWAYS: [&str; 12] = [
    "-F/dev/null",
    "-T",
    "-x",
    "-a",
    "-oBatchMode=yes",
    "-oStrictHostKeyChecking=yes",
    "-oClearAllForwardings=yes",
    "-oPermitLocalCommand=no",
    "-oControlMaster=no",
    "-oControlPath=none",
    "-oUpdateHostKeys=no",
    "-oLogLevel=ERROR",
];

/// The arguments of `ssh` that run a command on the server of `url`: the one that `remote` makes of the
/// quoted path there. Nothing in them is secret.
pub fn arguments(
    url: &SourceUrl,
    access: &Access,
    remote: impl FnOnce(&str) -> String,
) -> Result<Vec<OsString>, NetError> {
    let wrong = |problem: String| NetError::Setting { url: url.to_string(), problem, hint: None };
    let mut args: Vec<OsString> = ALWAYS.iter().map(OsString::from).collect();
    let seconds = access.timeouts.connect.as_secs().max(1);
    args.push(format!("-oConnectTimeout={seconds}").into());
    if let Some(file) = &access.known_hosts {
        let path = option_path(&file.path()?).map_err(wrong)?;
        args.push(format!("-oUserKnownHostsFile={path}").into());
        args.push("-oGlobalKnownHostsFile=/dev/null".into());
    }
    // An agent is asked by OpenSSH itself.
    if let Some(KeySource::Stored(key)) = access.key.as_ref().map(|key| &key.source) {
        // OpenSSH reads it again; what it would refuse, or should, is refused here with its name.
        key.private_key()?;
        let path = option_path(&key.path()?).map_err(wrong)?;
        args.push(format!("-oIdentityFile={path}").into());
        args.push("-oIdentitiesOnly=yes".into());
        args.push("-oIdentityAgent=none".into());
    }
    args.push(format!("-p{}", url.real_port()).into());
    if let Some(user) = &url.user {
        args.push(format!("-l{user}").into());
    }
    args.push("--".into());
    args.push(url.host.trim_matches(['[', ']']).into());
    let path = url.ssh_path().ok_or_else(|| wrong("there is no path".to_owned()))?;
    args.push(remote(&quoted(&path)).into());
    Ok(args)
}

/// A path as the value of an option: `%` begins a substitution there, and blanks end it.
fn option_path(path: &Path) -> Result<String, String> {
    let text = path.to_str().filter(|text| !text.contains(['"', '\\', '$']));
    let text = text.filter(|text| !text.contains(char::is_control));
    let text = text.ok_or_else(|| format!("ssh cannot be told of the file {}", path.display()))?;
    Ok(format!("\"{}\"", text.replace('%', "%%")))
}

/// A word for the shell on the other side.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::net::Key;

    fn hg(path: &str) -> String {
        format!("hg -R {path} serve --stdio")
    }

    fn text(url: &str, options: &Access) -> String {
        let args = arguments(&SourceUrl::parse(url).unwrap(), options, hg).unwrap();
        let words = args.iter().skip(ALWAYS.len()).map(|word| word.to_str().unwrap());
        words.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_is_run() {
        let plain = Access::default();
        assert_eq!(
            text("ssh://hg@host.example:2222//srv/a%20'b", &plain),
            r"-oConnectTimeout=30|-p2222|-lhg|--|host.example|hg -R '/srv/a '\''b' serve --stdio"
        );
        assert_eq!(
            text("ssh://[::1]/a;$(x)", &plain),
            "-oConnectTimeout=30|-p22|--|::1|hg -R 'a;$(x)' serve --stdio"
        );
        let known = Access { known_hosts: Some(PathBuf::from("/a b%").into()), ..plain.clone() };
        assert!(text("ssh://h/a", &known).contains("|-oUserKnownHostsFile=\"/a b%%\"|"));
        let url = SourceUrl::parse("ssh://h/a").unwrap();
        let known = Access { known_hosts: Some(PathBuf::from("/a\"b").into()), ..plain.clone() };
        assert!(matches!(arguments(&url, &known, hg), Err(NetError::Setting { .. })));
        let key = Access { key: Some(Key::at("/nowhere")), ..plain };
        assert!(matches!(arguments(&url, &key, hg), Err(NetError::Secret(_))));
    }

    #[test]
    fn every_word_before_the_host_is_an_option() {
        let url = SourceUrl::parse("ssh://hg@h/a").unwrap();
        let args = arguments(&url, &Access::default(), hg).unwrap();
        let end = args.iter().position(|word| word == "--").unwrap();
        assert!(args[..end].iter().all(|word| word.to_str().unwrap().starts_with('-')));
        assert_eq!(args.len(), end + 3);
    }
}
