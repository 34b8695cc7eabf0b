//! The systemd unit: who it runs as, and what its sandbox keeps the daemon from.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Check;
use super::files::{daemon_user, us};
use crate::base::users::{shown_user, user_id};
use crate::config::{Config, MirrorConfig};
use crate::hg::pull::Source;
use crate::net::url::Location;

/// The unit that a package installs.
const UNIT: &str = "synchroniser.service";
/// What is asked for of it.
const PROPERTIES: &str = "LoadState,ActiveState,UnitFileState,User,ProtectHome,ProtectSystem,ReadWritePaths,\
                          CacheDirectory,StateDirectory,ExecStart";

pub(super) fn check(path: &Path, config: &Config, mirrors: &[&MirrorConfig]) -> Vec<Check> {
    let unit = match Unit::read() {
        Ok(unit) => unit,
        Err(why) => return vec![Check::skipped("unit", why)],
    };
    let mut checks = vec![unit.state()];
    checks.extend(unit.user(path, config));
    checks.extend(unit.configuration(path));
    let problems: Vec<_> = mirrors.iter().flat_map(|mirror| unit.paths_of(mirror)).collect();
    match problems.is_empty() {
        true => checks.push(Check::ok("sandbox", "no mirror needs a path that the unit hides")),
        false => checks.extend(problems),
    }
    checks
}

/// The unit as systemd knows it.
struct Unit(HashMap<String, String>);

impl Unit {
    /// The unit; or why it cannot be looked at.
    fn read() -> Result<Self, &'static str> {
        // As systemd itself says that it is there.
        if !Path::new("/run/systemd/system").is_dir() {
            return Err("systemd does not run here");
        }
        let shown = Command::new("systemctl")
            .args(["show", UNIT, "--property", PROPERTIES])
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .filter(|shown| shown.status.success());
        let Some(shown) = shown else {
            return Err(match us() {
                0 => "systemd does not say how it is",
                _ => "systemd says how it is to root alone here",
            });
        };
        let unit = Self::parse(&String::from_utf8_lossy(&shown.stdout));
        match unit.value("LoadState") {
            "loaded" => Ok(unit),
            _ => Err("there is no synchroniser.service here"),
        }
    }

    fn parse(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Self(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
    }

    fn value(&self, key: &str) -> &str {
        self.0.get(key).map_or("", String::as_str)
    }

    fn state(&self) -> Check {
        let (active, file) = (self.value("ActiveState"), self.value("UnitFileState"));
        match (active, file) {
            ("active", "enabled") => Check::ok("unit", "it is active, and starts at boot"),
            ("active", _) => Check::warning(
                "unit",
                "it is active, and does not start at boot",
                "systemctl enable synchroniser",
            ),
            ("failed", _) => Check::wrong(
                "unit",
                "it has failed",
                "its log says why: `journalctl -u synchroniser -n 50`; then `systemctl restart synchroniser`",
            ),
            _ => Check::warning(
                "unit",
                format!("it is {active}"),
                "systemctl enable --now synchroniser",
            ),
        }
    }

    fn user(&self, path: &Path, config: &Config) -> Option<Check> {
        let user = self.value("User");
        let owner = daemon_user(path, config);
        let id = user_id(user)?;
        (id != owner).then(|| {
            Check::wrong(
                "unit",
                format!("it runs as {user}, and the state belongs to {}", shown_user(owner)),
                format!("chown -R {user} {}", config.daemon.state.display()),
            )
        })
    }

    fn configuration(&self, path: &Path) -> Option<Check> {
        let start = self.value("ExecStart");
        let named = start.split_once("--config ").map(|(_, rest)| rest);
        let named =
            named.and_then(|rest| rest.split([' ', ';']).next()).filter(|it| !it.is_empty())?;
        (Path::new(named) != path).then(|| {
            Check::warning(
                "unit",
                format!("it runs with {named}, and this is {}", path.display()),
                format!("for the one of the unit: `synchroniser doctor --config {named}`"),
            )
        })
    }

    /// What the sandbox keeps a mirror from.
    fn paths_of(&self, mirror: &MirrorConfig) -> Vec<Check> {
        let name = &mirror.mirror.name;
        let mut checks = Vec::new();
        if let Source::Path(path) = &mirror.mirror.source
            && self.hides(path)
        {
            checks.push(hidden(&format!("source of {name}"), path, "BindReadOnlyPaths"));
        }
        let target = mirror.mirror.target.as_ref().map(|target| target.url.location());
        if let Some(Location::Path(path)) = target {
            if self.hides(path) {
                checks.push(hidden(&format!("target of {name}"), path, "BindPaths"));
            } else if !self.may_write(path) {
                checks.push(Check::wrong(
                    format!("sandbox: target of {name}"),
                    format!("the unit may not write to {}", path.display()),
                    format!(
                        "systemctl edit synchroniser, and add: [Service] ReadWritePaths={}",
                        path.display()
                    ),
                ));
            }
        }
        checks
    }

    fn hides(&self, path: &Path) -> bool {
        let homes = ["/home", "/root", "/run/user"];
        matches!(self.value("ProtectHome"), "yes" | "tmpfs")
            && homes.iter().any(|home| path.starts_with(home))
    }

    fn may_write(&self, path: &Path) -> bool {
        if self.value("ProtectSystem") != "strict" {
            return true;
        }
        let of_unit = [("CacheDirectory", "/var/cache"), ("StateDirectory", "/var/lib")];
        let of_unit = of_unit.into_iter().flat_map(|(key, below)| {
            self.value(key).split_whitespace().map(move |name| Path::new(below).join(name))
        });
        let listed = self.value("ReadWritePaths").split_whitespace();
        let listed = listed.map(|listed| PathBuf::from(listed.trim_start_matches(['-', '+'])));
        of_unit.chain(listed).any(|folder| path.starts_with(folder))
    }
}

fn hidden(what: &str, path: &Path, key: &str) -> Check {
    Check::wrong(
        format!("sandbox: {what}"),
        format!("the unit does not see {}: ProtectHome hides it", path.display()),
        format!(
            "move it to /srv; or systemctl edit synchroniser, and add: [Service] ProtectHome=tmpfs {key}={}",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    const SHOWN: &str = "LoadState=loaded\nActiveState=inactive\nUnitFileState=disabled\nUser=synchroniser\n\
                         ProtectHome=yes\nProtectSystem=strict\nReadWritePaths=/srv/git -/opt/git\n\
                         CacheDirectory=synchroniser\nStateDirectory=synchroniser\n\
                         ExecStart={ path=/usr/bin/synchroniser ; argv[]=/usr/bin/synchroniser serve --config \
                         /etc/synchroniser/synchroniser.toml ; ignore_errors=no }\n";

    #[test]
    fn what_the_sandbox_keeps_mirrors_from_is_told() {
        let unit = Unit::parse(SHOWN);
        for (path, may) in [
            ("/srv/git/rocket.git", true),
            ("/opt/git/rocket.git", true),
            ("/var/cache/synchroniser/x", true),
            ("/var/cache/other", false),
            ("/srv/other.git", false),
        ] {
            assert_eq!(unit.may_write(Path::new(path)), may, "{path}");
        }
        let config = "[mirrors.a]\nsource = \"/run/user/7/rocket\"\ntarget = \"/srv/other.git\"\n";
        let config = Config::parse(config, Path::new("/etc/x.toml"), None).unwrap();
        let checks = unit.paths_of(config.mirror("a").unwrap());
        let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ["sandbox: source of a", "sandbox: target of a"]);
        assert!(checks[1].hint.as_ref().unwrap().contains("ReadWritePaths=/srv/other.git"));
        let state = unit.state();
        assert_eq!(state.hint.as_deref(), Some("systemctl enable --now synchroniser"));
        assert!(unit.configuration(Path::new("/etc/synchroniser/synchroniser.toml")).is_none());
        assert!(unit.configuration(Path::new("/etc/other.toml")).is_some());
        let open = Unit::parse("ProtectSystem=full\n");
        assert!(open.may_write(Path::new("/x")) && !open.hides(Path::new("/run/user/7")));
    }
}
