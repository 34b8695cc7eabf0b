//! The documents: each command in them runs, each configuration is one, each link leads somewhere.
//!
//! A document is a session: its blocks run in order, in a folder of their own. Names of other machines
//! and of this one stand for what is in that folder.

mod proxies;
mod recipes;
mod session;
mod yaml;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use session::Session;
use synchroniser::cli::exit;

use crate::support::TestEnv;

/// A fenced block of a document.
struct Block {
    /// The line of its fence, from 1.
    line: usize,
    language: String,
    text: String,
}

/// How many blocks that begin so are not run, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("cargo run --release -- demo\n", "`.ci/run` runs both; here a build would wait for this one"),
    ("cargo install --locked --path .\n", "it builds everything once more, into the home folder"),
    ("packaging/build", "`.ci/run` runs it"),
    ("benches/peers.sh", "it builds other tools and runs for minutes"),
    ("sudo apt install ./", "`packaging/test` installs the packages"),
    ("podman build", "it needs podman, and an image from the network"),
    (
        "synchroniser fetch --source-token-user",
        "it needs a server that asks for a token; `oracle_peer` has one",
    ),
    (
        "synchroniser mirror https://hg.example.org/acme/rocket https://github.com",
        "it needs GitHub; `github::syncs` has a substitute",
    ),
    ("synchroniser known-hosts add", "it needs an SSH server; `oracle_destination` has one"),
    ("sudo systemctl enable --now synchroniser\n", "it needs systemd and an installed package"),
    (
        "for repository in tools-build",
        "it needs a server with these; `service::reload` asks for a mirror of a pattern",
    ),
    (
        "[hooks]\ntxnclose.synchroniser = ",
        "a configuration of Mercurial; `oracle_hg_hook` has the same",
    ),
    (
        "curl -X POST -H \"Authorization: Bearer $TOKEN\"",
        "it needs a daemon with a token; `web::api` asks for the same",
    ),
    (
        "sudo systemctl stop synchroniser\nsudo synchroniser restore",
        "it needs systemd; `first_steps` puts a backup back",
    ),
    (
        "install -m 600 /dev/null github-token\ncat >",
        "somebody has to type; the session has the file",
    ),
    ("sudo -u postgres createuser", "it needs a server of the machine; tests have their own"),
    (
        "sudo systemctl stop synchroniser\nsudo -u synchroniser synchroniser queue move",
        "it needs systemd and a database; `daemon::nodes` moves one",
    ),
    ("POST /hook/hg HTTP/1.1\n", "a request; `oracle_hg_hook` looks at one"),
    ("curl -sS https://sync.example.org/healthz\n", "`documents::proxies` runs it"),
    ("secret=$(cat /etc/synchroniser/secrets/hook)\n", "`documents::proxies` runs it"),
    (
        "# /etc/cron.d/synchroniser-backup\n",
        "it needs root and a night; its command is the block before it",
    ),
    ("#!/bin/sh\n# /usr/local/bin/mirror-rocket\n", "`documents::recipes` runs it as cron does"),
    (
        "#!/bin/sh\n# /usr/local/bin/mirror-rocket-env\n",
        "`documents::recipes` runs it as cron does",
    ),
];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The documents whose blocks are for users, by their paths in the project.
fn documents() -> Vec<String> {
    let pages = fs::read_dir(root().join("docs")).unwrap();
    let pages = pages.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let pages =
        pages.filter(|name| Path::new(name).extension().is_some_and(|ending| ending == "md"));
    let mut all: Vec<_> = pages.map(|name| format!("docs/{name}")).collect();
    all.push("README.md".to_owned());
    all.sort();
    all
}

/// Every document that has links.
fn all_documents() -> Vec<String> {
    let more = ["SHORTCOMINGS.md", "src/README.md", "fixtures/README.md", "packaging/README.md"];
    let mut all = documents();
    all.extend(more.map(str::to_owned));
    all.push("packaging/CHANGELOG.md".to_owned());
    all
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

/// The fenced blocks of a document. Those in a list are indented.
fn blocks(text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let inner = line.trim_start();
        let Some(language) = inner.strip_prefix("```") else { continue };
        let indent = line.len() - inner.len();
        let body = lines.by_ref().map(|(_, line)| line.get(indent..).unwrap_or_default());
        let body: Vec<_> = body.take_while(|line| *line != "```").collect();
        let text = body.join("\n") + "\n";
        blocks.push(Block { line: number + 1, language: language.to_owned(), text });
    }
    blocks
}

/// Runs the blocks of one document.
fn run(document: &str) -> Vec<String> {
    let mut session = Session::new();
    session.prepare(document);
    let mut problems = Vec::new();
    let mut printed = String::new();
    for block in blocks(&read(document)) {
        if NOT_RUN.iter().any(|(begin, _)| block.text.starts_with(begin)) {
            continue;
        }
        printed = session.check(&block, &printed).unwrap_or_else(|problem| {
            problems.push(format!("{document}:{}: {problem}", block.line));
            String::new()
        });
    }
    problems
}

/// One test for each document, so that they run beside each other.
macro_rules! documents {
    ($($test:ident: $document:literal,)*) => {
        const TESTED: &[&str] = &[$($document),*];
        $(
            #[test]
            fn $test() {
                let problems = run($document);
                assert!(problems.is_empty(), "{}", problems.join("\n"));
            }
        )*
    };
}

documents! {
    the_readme_runs: "README.md",
    contents_run: "docs/README.md",
    adoption_runs: "docs/adoption.md",
    authors_phases_notes_run: "docs/authors-phases-notes.md",
    backup_runs: "docs/backup.md",
    behind_a_proxy_runs: "docs/behind-a-proxy.md",
    coming_from_runs: "docs/coming-from.md",
    commands_run: "docs/commands.md",
    configuration_keys_run: "docs/configuration-keys.md",
    configuration_runs: "docs/configuration.md",
    errors_run: "docs/errors.md",
    exit_codes_run: "docs/exit-codes.md",
    github_runs: "docs/github.md",
    hooks_run: "docs/hooks.md",
    how_it_works_runs: "docs/how-it-works.md",
    identities_run: "docs/identities.md",
    installation_runs: "docs/installation.md",
    limits_run: "docs/limits.md",
    many_nodes_run: "docs/many-nodes.md",
    many_run: "docs/many.md",
    monitoring_runs: "docs/monitoring.md",
    names_and_refs_run: "docs/names-and-refs.md",
    pages_run: "docs/pages.md",
    performance_runs: "docs/performance.md",
    service_runs: "docs/service.md",
    sizing_runs: "docs/sizing.md",
    sources_run: "docs/sources.md",
    start_runs: "docs/start.md",
    targets_run: "docs/targets.md",
    threats_run: "docs/threats.md",
    troubleshooting_runs: "docs/troubleshooting.md",
    verification_runs: "docs/verification.md",
    without_a_server_runs: "docs/without-a-server.md",
}

#[test]
fn every_document_is_run() {
    assert_eq!(documents(), TESTED.iter().copied().map(str::to_owned).collect::<Vec<_>>());
}

/// A reason that no block needs any more is a mistake too.
#[test]
fn every_block_that_is_not_run_is_there() {
    let all: Vec<_> = documents().iter().flat_map(|document| blocks(&read(document))).collect();
    for (begin, reason) in NOT_RUN {
        assert!(all.iter().any(|block| block.text.starts_with(begin)), "{begin:?}: {reason}");
    }
}

/// The manual is a site whose pages are in the order of its contents.
#[test]
fn every_page_is_in_the_contents() {
    let contents = links(&read("docs/README.md"));
    let pages =
        documents().into_iter().filter_map(|page| page.strip_prefix("docs/").map(str::to_owned));
    for page in pages.filter(|page| page != "README.md") {
        assert_eq!(
            contents.iter().filter(|link| **link == page).count(),
            1 + usize::from(page == "start.md"),
            "{page}"
        );
    }
}

#[test]
fn every_alarm_is_documented() {
    let page = read("docs/monitoring.md");
    let rules = read("packaging/alerts.yml");
    let names: Vec<_> = rules.lines().filter_map(|line| line.split_once("alert: ")).collect();
    assert!(names.len() > 5, "{names:?}");
    for (_, name) in names {
        assert!(page.contains(&format!("`{name}`")), "{name}");
    }
}

#[test]
fn the_readme_is_read_in_five_minutes() {
    assert!(read("README.md").lines().count() <= 150);
}

/// What GitHub makes of a heading: lower case, blanks as hyphens, nothing but letters, digits, `-`
/// and `_`.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(text: &str) -> BTreeSet<String> {
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.trim_start().starts_with("```");
        !fenced && line.starts_with('#')
    });
    headings.map(|line| anchor(line.trim_start_matches('#'))).collect()
}

/// The destinations of links, but for those outside of the project.
fn links(text: &str) -> Vec<String> {
    let after = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let links = after.map(|(link, _)| link.to_owned());
    links.filter(|link| !link.contains("://")).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut problems = Vec::new();
    let mut checked = 0;
    for document in all_documents() {
        let folder = root().join(&document);
        let folder = folder.parent().unwrap();
        for link in links(&read(&document)) {
            checked += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let path = if file.is_empty() { root().join(&document) } else { folder.join(file) };
            let Ok(bytes) = fs::read(&path) else {
                problems.push(format!("{document}: {link}"));
                continue;
            };
            // A picture has no headings.
            let text = String::from_utf8_lossy(&bytes);
            if !anchor.is_empty() && !anchors(&text).contains(anchor) {
                problems.push(format!("{document}: no heading for {link}"));
            }
        }
    }
    assert!(checked > 20 && problems.is_empty(), "of {checked} links:\n{}", problems.join("\n"));
}

/// What programs print of themselves.
fn printed(args: &[&str]) -> String {
    TestEnv::new().synchronise(args).ok().unwrap()
}

#[test]
fn every_exit_code_is_documented_as_the_help_has_it() {
    let page = read("docs/exit-codes.md").replace('`', "");
    let codes = exit::HELP.lines().skip(1).take_while(|line| !line.is_empty());
    for line in codes {
        let (code, meaning) = line.trim().split_once("  ").unwrap();
        assert!(page.contains(&format!("| {code} | {meaning} |")), "{line}");
    }
}

#[test]
fn every_command_is_documented() {
    let page = read("docs/commands.md");
    let help = printed(&["--help"]);
    let commands = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let commands: Vec<_> = commands.map_while(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 8, "{commands:?}");
    for command in commands.iter().filter(|command| **command != "help") {
        assert!(page.contains(&format!("| `{command}")), "{command}");
    }
}

/// The keys that `text` sets, in comments or not.
fn keys(text: &str) -> BTreeSet<String> {
    let lines = text.lines().map(|line| line.strip_prefix('#').unwrap_or(line));
    let keys = lines.filter_map(|line| line.split_once(" = ")).map(|(key, _)| key.to_owned());
    keys.filter(|key| key.chars().all(|c| c.is_ascii_lowercase() || c == '_')).collect()
}

#[test]
fn every_key_is_documented() {
    let all: String = documents().iter().map(|document| read(document)).collect();
    let keys = keys(&printed(&["config", "default"]));
    assert!(keys.len() > 25, "{keys:?}");
    let missing: Vec<_> = keys
        .iter()
        .filter(|key| !all.contains(&format!("`{key}`")) && !all.contains(&format!("{key} = ")))
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The page about threats names tests: those of files and modules that there are.
#[test]
fn every_test_that_a_threat_names_is_there() {
    let page = read("docs/threats.md");
    let rows = page.lines().filter(|line| line.starts_with("| ")).skip(1);
    let mut missing = Vec::new();
    for row in rows {
        let Some(cell) = row.trim_end_matches(" |").rsplit(" | ").next() else { continue };
        for name in cell.split('`').skip(1).step_by(2) {
            let parts: Vec<_> = name.split("::").collect();
            let places = ["tests/it", "src"];
            let is_file = |path: String| {
                let path = root().join(path);
                path.exists() || path.with_extension("rs").exists()
            };
            let modules = |n: usize| parts[..n].join("/");
            let whole =
                places.iter().any(|place| is_file(format!("{place}/{}", modules(parts.len()))));
            let function = parts.len() > 1 && {
                let last = parts[parts.len() - 1];
                let files =
                    [modules(parts.len() - 1), modules(parts.len().saturating_sub(2).max(1))];
                files.iter().any(|file| {
                    places.iter().any(|place| {
                        let path = root().join(format!("{place}/{file}.rs"));
                        fs::read_to_string(path)
                            .is_ok_and(|text| text.contains(&format!("fn {last}(")))
                    })
                })
            };
            if !whole && !function && !root().join(name).exists() {
                missing.push(name.to_owned());
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}
