//! The template of a configuration, and the reference page: what `sections` defines, as text.

use std::fmt::Write as _;

use super::keys::{Key, Keys, Shape, Ways};
use super::sections::nodes::NodesKeys;
use super::sections::{
    CareKeys, CommitKeys, DaemonKeys, EndpointKeys, HistoryKeys, HookEndpointKeys, HookKeys,
    LimitsKeys, NamingKeys, NotifyKeys, PublishKeys, QueueKeys, RuleKeys, ScheduleKeys,
    ServiceKeys, TokenKeys, TopKeys, WebKeys,
};

/// How wide the comments of the template are.
const WIDTH: usize = 100;

/// A table of the file with what people must know of it.
struct Table {
    /// Its header; empty above the first table.
    header: &'static str,
    /// What `NAME` is in the example of it.
    name: &'static str,
    about: &'static str,
    /// Headings, and the keys below each.
    parts: Vec<(&'static str, Vec<&'static Key>)>,
    /// Whether the template shows it as an example.
    is_example: bool,
    /// What is before the names of its flags.
    flag: &'static str,
}

/// All tables.
#[expect(clippy::too_many_lines, reason = "a table")]
fn tables() -> Vec<Table> {
    let table = |header, about, keys| Table {
        header,
        name: "",
        about,
        parts: vec![("", keys)],
        is_example: false,
        flag: "--",
    };
    vec![
        table("", "", TopKeys::keys()),
        table("daemon", "What `synchroniser serve` needs.", DaemonKeys::keys()),
        table(
            "queue",
            "Where the daemon keeps what it has to do, and what it has done.",
            QueueKeys::keys(),
        ),
        table(
            "nodes",
            "How daemons that share a queue give each other their caches, where a mirror moves.",
            NodesKeys::keys(),
        ),
        table("schedule", "When mirrors are synced.", ScheduleKeys::keys()),
        table(
            "limits",
            "What the files of a source may cost. Whatever declares more is refused.",
            LimitsKeys::keys(),
        ),
        table("web", "The pages, and the API for programs.", WebKeys::keys()),
        Table {
            header: "tokens.NAME",
            name: "ops",
            about: "One table for each token that opens the pages and the API. The configuration holds no \
                    token, only what one is recognised by.",
            parts: vec![("", TokenKeys::keys())],
            is_example: true,
            flag: "--",
        },
        Table {
            header: "hooks.NAME",
            name: "forge",
            about: "One table for each endpoint that hooks are sent to, at `/hook/` and its path. Without \
                    any, no hook is taken, and what is new at the sources is found by the schedule alone. \
                    Only `format` is required, and a secret: `secret_file` or `secret_credential`, or \
                    `public_keys`.",
            parts: vec![("", HookEndpointKeys::keys())],
            is_example: true,
            flag: "--",
        },
        Table {
            header: "notify.NAME",
            name: "ops",
            about: "One table for each receiver that is told when a mirror gets into trouble, and when it is \
                    well again; of each streak once. Only `kind` is required, and what that kind needs: \
                    `url`; or `from`, `to` and `server` or `sendmail`; or `command`. Keys of other kinds \
                    are refused.",
            parts: vec![("", NotifyKeys::keys())],
            is_example: true,
            flag: "--",
        },
        Table {
            header: "mirrors.NAME",
            name: "rocket",
            about: "One table for each mirror. The name is yours: letters, digits, \".\", \"_\" and \
                    \"-\"; it is also the name of the folder in the cache. Only `source` and `target` \
                    are required: each is an address, or a table with the address as `url` and the \
                    keys for access, as below.",
            parts: vec![
                ("Commits", CommitKeys::keys()),
                ("A target with a history", HistoryKeys::keys()),
                ("What is published", PublishKeys::keys()),
                ("Names and refs", NamingKeys::keys()),
                ("Damage and verification", CareKeys::keys()),
                ("Hooks", HookKeys::keys()),
                ("In the daemon", ServiceKeys::keys()),
            ],
            is_example: true,
            flag: "--",
        },
        Table {
            header: "mirrors.NAME.source",
            name: "rocket",
            about: "The Mercurial repository, and how it is reached. `[mirrors.NAME.target]`, the Git \
                    repository, has the same keys. Keys that are of no use for the address are \
                    refused. Files are read when they are used: one that is missing fails only \
                    its mirror, and a new one needs no restart.",
            parts: vec![("", EndpointKeys::keys())],
            is_example: true,
            flag: "--source-",
        },
        Table {
            header: "patterns.NAME",
            name: "forge",
            about: "One table for many mirrors: whatever repository of a server a hook tells of, if it is \
                    allowed, has a mirror called `NAME/OWNER/SLUG`. `source` and `target` are addresses or \
                    tables as those of a mirror, with `{owner}` and `{slug}`, or `{path}`, in the place of \
                    what differs. The target follows from the source alone, whoever sends the hook. All keys \
                    of a mirror but `user`, `project` and `was` are keys of a pattern too.",
            parts: vec![("", RuleKeys::keys())],
            is_example: true,
            flag: "--",
        },
    ]
}

/// A configuration with every key, its default and its meaning: a file to start from.
pub fn template() -> String {
    let mut text = String::new();
    comment(
        &mut text,
        "The configuration of synchroniser. A line that sets a key shows its default. Lines that \
         begin with \"#\" and go on without a space are examples: take the \"#\" away to use them. \
         Keys that are not listed here are refused. Paths that are not absolute start at the folder \
         of this file.",
    );
    text.push('\n');
    let (patterns, others): (Vec<_>, Vec<_>) =
        tables().into_iter().partition(|table| table.header == "patterns.NAME");
    for table in &others {
        block(&mut text, table);
    }
    text.push('\n');
    comment(&mut text, "The Git repository: the same keys.");
    text.push_str(
        "#[mirrors.rocket.target]\n\
         #url = \"https://github.com/acme/rocket.git\"\n\
         #token_file = \"secrets/github-token\"\n",
    );
    for table in &patterns {
        block(&mut text, table);
    }
    text.push_str(
        "#source = \"https://hg.example.org/{owner}/{slug}\"\n\
         #[patterns.forge.target]\n\
         #url = \"https://github.com/{owner}/{slug}.git\"\n\
         #token_file = \"secrets/github-token\"\n",
    );
    text
}

/// Adds one table with its keys.
fn block(text: &mut String, table: &Table) {
    let mark = if table.is_example { "#" } else { "" };
    if !table.header.is_empty() {
        text.push('\n');
        comment(text, table.about);
        let _ = writeln!(text, "{mark}[{}]", table.header.replace("NAME", table.name));
    }
    if table.header == "mirrors.NAME" {
        comment(
            text,
            "source = \"/srv/hg/rocket\" and target = \"git@github.com:acme/rocket.git\" are the \
             short form of the two tables at the end.",
        );
    }
    for key in table.parts.iter().flat_map(|(_, keys)| keys) {
        comment(text, &key.paragraphs().join(" "));
        let mark = if key.default.is_none() { "#" } else { mark };
        let value = key.default.or(key.example).unwrap_or_default();
        let _ = writeln!(text, "{mark}{} = {value}", key.name);
    }
}

/// Adds `words` as a comment.
fn comment(text: &mut String, words: &str) {
    let mut line = String::from("#");
    for word in words.split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// The reference page of the configuration, in Markdown.
pub fn reference() -> String {
    let mut text = String::from(
        "# Configuration reference\n\n\
         The file is TOML. `synchroniser config default` prints one with every key to start from, and\n\
         `synchroniser config check` says what is wrong with one: file, line, key, and the known key \
         that is\nnearest to an unknown one. Paths that are not absolute start at the folder of the \
         file. Keys that are\nnot listed here are refused. The flags of commands have the names and \
         meanings of the keys.\n\n\
         This page is made by `synchroniser config reference`.\n",
    );
    for table in tables() {
        let heading = match table.header {
            "" => "Above the first table".to_owned(),
            header => format!("`[{header}]`"),
        };
        let _ = write!(text, "\n## {heading}\n");
        if !table.about.is_empty() {
            let _ = write!(text, "\n{}\n", table.about);
        }
        for (part, keys) in &table.parts {
            if !part.is_empty() {
                let _ = write!(text, "\n### {part}\n");
            }
            for key in keys {
                entry(&mut text, key, table.flag);
            }
        }
    }
    text
}

/// One key of the reference page.
fn entry(text: &mut String, key: &Key, flag: &str) {
    let mut facts = vec![values(key)];
    facts.extend(key.default.map(|default| format!("default `{default}`")));
    facts.extend(match key.ways {
        Ways::All => None,
        Ways::Http => Some("for web servers".to_owned()),
        Ways::Plain => Some("for web servers and `git://`".to_owned()),
        Ways::HttpSource => Some("for web servers that are a source".to_owned()),
        Ways::HttpTarget => Some("for web servers that are a target".to_owned()),
        Ways::Token => Some("for web servers, and targets over SSH".to_owned()),
        Ways::Target => Some("for targets".to_owned()),
        Ways::Ssh => Some("for SSH".to_owned()),
        Ways::SshTarget => Some("for targets over SSH".to_owned()),
        Ways::Servers => Some("for servers".to_owned()),
    });
    if key.is_flag {
        let flag = if key.ways.are_of_targets() { "--target-" } else { flag };
        facts.push(format!("flag `{flag}{}`", key.name.replace('_', "-")));
    }
    let _ = write!(text, "\n#### `{}`\n\n{}.\n", key.name, facts.join("; "));
    for paragraph in key.paragraphs() {
        let _ = write!(text, "\n{paragraph}\n");
    }
    if key.default.is_none()
        && let Some(example) = key.example
    {
        let _ = write!(text, "\nExample: `{} = {example}`\n", key.name);
    }
}

/// What the values of a key are, in words.
fn values(key: &Key) -> String {
    match key.shape {
        Shape::Text { name, .. } => format!("text: {name}"),
        Shape::Choice(words) => {
            let words: Vec<_> = words().iter().map(|word| format!("`\"{word}\"`")).collect();
            words.join(", ")
        }
        Shape::Path(name) => format!("path of a {}", name.to_lowercase()),
        Shape::Switch => "`true` or `false`".to_owned(),
        Shape::Number { unit, least, most } => format!("{unit}, {least} to {most}"),
        Shape::List(name) => format!("list of texts: {name}"),
        Shape::Names(_) => "table of names".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::error::Problems;
    use super::super::file::read;
    use super::*;

    /// The template with its examples taken out of their comments.
    fn with_examples() -> String {
        let lines = template()
            .lines()
            .map(|line| match line.strip_prefix('#') {
                Some(example) if !example.is_empty() && !example.starts_with(' ') => {
                    example.to_owned()
                }
                _ => line.to_owned(),
            })
            .collect::<Vec<_>>();
        lines.join("\n")
    }

    #[test]
    fn the_template_shows_every_key_and_each_is_read() {
        let mut problems = Problems::default();
        let file = read(&with_examples(), &mut problems);
        let problems = problems.sorted();
        assert!(problems.is_empty(), "{problems:?}");
        let rocket = file.mirrors.get("rocket").unwrap();
        let forge = file.hooks.get("forge").unwrap();
        let keys = tables().into_iter().flat_map(|table| table.parts).flat_map(|(_, keys)| keys);
        for key in keys {
            let shown = file.top.sets(key.name)
                || file.daemon.sets(key.name)
                || file.queue.sets(key.name)
                || file.nodes.sets(key.name)
                || file.schedule.sets(key.name)
                || file.limits.sets(key.name)
                || forge.sets(key.name)
                || file.web.sets(key.name)
                || file.tokens["ops"].sets(key.name)
                || file.notify["ops"].sets(key.name)
                || file.patterns["forge"].keys.sets(key.name)
                || rocket.keys.sets(key.name)
                || rocket.source.as_ref().unwrap().sets(key.name);
            assert!(shown, "{} is not in the template", key.name);
        }
        assert!(template().lines().all(|line| line.chars().count() <= WIDTH));
    }

    #[test]
    fn the_reference_names_every_key_with_its_flag() {
        let page = reference();
        assert!(page.contains("#### `answer_timeout`\n\nseconds, 1 to 3600; default `600`; for servers; flag `--source-answer-timeout`.\n"), "{page}");
        assert!(page.contains("`\"auto\"`, `\"native\"`"), "{page}");
        for table in tables() {
            for key in table.parts.iter().flat_map(|(_, keys)| keys) {
                assert!(page.contains(&format!("\n#### `{}`\n", key.name)), "{}", key.name);
            }
        }
    }
}
