//! The words of a first configuration.

use std::fmt::Write as _;
use std::net::SocketAddr;

/// All that a first configuration says.
#[derive(Clone, Debug)]
pub(super) struct FirstConfig<'a> {
    /// The name of the mirror.
    pub(super) name: &'a str,
    /// The source, as it was typed.
    pub(super) source: &'a str,
    /// The target, as it was typed.
    pub(super) target: &'a str,
    /// The keys that say how the source is reached, and their values as TOML.
    pub(super) source_keys: Vec<(&'static str, String)>,
    /// The same of the target.
    pub(super) target_keys: Vec<(&'static str, String)>,
    /// The format of the endpoint for hooks, and the file with its secret, if it has one.
    pub(super) hook: Option<(&'static str, Option<String>)>,
    /// What the token of the pages is recognised by.
    pub(super) token_sha256: String,
    /// The address of the pages.
    pub(super) public_url: Option<&'a str>,
    /// Where the daemon listens, unless it is the default.
    pub(super) listen: Option<SocketAddr>,
    /// Whether everything stays in the folder of the configuration, as for whoever is not root.
    pub(super) is_local: bool,
}

/// `text` as a string of TOML.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// An end of a mirror: its address, or a table with that and what else is said of it.
fn end(address: &str, keys: &[(&'static str, String)]) -> String {
    if keys.is_empty() {
        return quoted(address);
    }
    let keys = keys.iter().map(|(key, value)| format!(", {key} = {value}"));
    format!("{{ url = {}{} }}", quoted(address), keys.collect::<String>())
}

impl FirstConfig<'_> {
    /// What stands before everything else: keys that no later line may repeat.
    fn head(&self) -> String {
        let mut text = "# `synchroniser config reference` tells of every key; relative paths start at the folder of this \
                        file.\n\n"
            .to_owned();
        if self.is_local {
            text += "cache = \"cache\"\n\n";
        }
        let listen = self.listen.map(|listen| format!("listen = \"{listen}\"\n"));
        if self.is_local || listen.is_some() {
            let _ = write!(text, "[daemon]\n{}", listen.unwrap_or_default());
            if self.is_local {
                text += "state = \"state\"\nsocket = \"admin.sock\"\n";
            }
            text += "\n";
        }
        if let Some(url) = self.public_url {
            let _ = write!(text, "[web]\npublic_url = {}\n\n", quoted(url));
        }
        text
    }

    /// The tables of the mirror, its hooks and the token.
    fn tables(&self) -> String {
        let mut text = format!(
            "[mirrors.{}]\nsource = {}\ntarget = {}\n",
            self.name,
            end(self.source, &self.source_keys),
            end(self.target, &self.target_keys),
        );
        if let Some((format, secret)) = &self.hook {
            let _ = write!(
                text,
                "\n# Forges post to /hook/{format}\n[hooks.{format}]\nformat = \"{format}\"\n"
            );
            if let Some(file) = secret {
                let _ = writeln!(text, "secret_file = {}", quoted(file));
            }
        }
        let _ = write!(
            text,
            "\n# Whose token has this hash may do everything on the pages\n[tokens.admin]\nscope = \"admin\"\n\
             sha256 = \"{}\"\n",
            self.token_sha256
        );
        text
    }

    /// The text of a new file.
    pub(super) fn text(&self) -> String {
        self.head() + &self.tables()
    }

    /// What is added to `before`, a file that configures no mirror and no hook.
    pub(super) fn added_to(&self, before: &str) -> String {
        let end = if before.is_empty() || before.ends_with('\n') { "" } else { "\n" };
        format!("{before}{end}\n{}", self.tables())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::{Config, template};

    fn first() -> FirstConfig<'static> {
        FirstConfig {
            name: "rocket",
            source: "https://hg.example.org/acme/rocket",
            target: "https://github.com/acme/rocket.git",
            source_keys: vec![("plain_http", "true".to_owned())],
            target_keys: vec![
                ("token_file", quoted("secrets/rocket-target-token")),
                ("token_user", quoted("mirror-bot")),
            ],
            hook: Some(("gitlab", Some("secrets/hook-gitlab".to_owned()))),
            token_sha256: "ab".repeat(32),
            public_url: Some("https://sync.example.org"),
            listen: Some("127.0.0.1:9000".parse().unwrap()),
            is_local: true,
        }
    }

    #[test]
    fn what_is_written_is_a_configuration() {
        let text = first().text();
        let config = Config::parse(&text, Path::new("/x/y.toml"), None).unwrap();
        assert_eq!(config.cache, Path::new("/x/cache"));
        assert_eq!(config.daemon.listen.port(), 9000);
        assert_eq!(config.mirror("rocket").unwrap().mirror.source.host(), "hg.example.org");
        assert_eq!(config.hooks.len(), 1);
        assert_eq!(config.web.access.tokens.len(), 1);
    }

    /// The file that a package installs keeps what it says.
    #[test]
    fn what_is_added_to_the_file_of_a_package_is_one_too() {
        for before in [template(), String::new(), "# nothing".to_owned()] {
            let text = first().added_to(&before);
            assert!(text.starts_with(&before));
            let config = Config::parse(&text, Path::new("/x/y.toml"), None).unwrap();
            assert!(config.mirror("rocket").is_some());
        }
    }

    #[test]
    fn strings_are_those_of_toml() {
        let odd = "a\"b\\c\u{1}d é";
        let text = FirstConfig { source: odd, source_keys: Vec::new(), ..first() }.text();
        let config = Config::parse(&text, Path::new("/x/y.toml"), None).unwrap();
        let source = config.mirror("rocket").unwrap().mirror.source.to_string();
        assert!(source.ends_with(odd), "{source}");
    }
}
