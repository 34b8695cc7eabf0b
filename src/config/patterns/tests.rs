use std::path::Path;

use super::*;
use crate::config::{Config, ConfigError};
use crate::hg::pull::Source;

const FORGE: &str = r#"
    cache = "/cache"

    [patterns.forge]
    source = "https://hg.example.org/{owner}/{slug}"
    target = "https://github.com/{owner}/hg-{slug}.git"
    allow = ["acme/*", "ada/Core", "~bob/x"]
"#;

fn config(text: &str) -> Config {
    Config::parse(text, Path::new("/etc/x.toml"), None).unwrap()
}

fn problems(text: &str) -> Vec<String> {
    match Config::parse(text, Path::new("/etc/x.toml"), None) {
        Err(ConfigError::Invalid { problems, .. }) => {
            problems.iter().map(|problem| format!("{}: {}", problem.key, problem.kind)).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// The source, the target and the folder of the mirror called `key`.
fn derived(config: &Config, key: &str) -> Result<(String, String, PathBuf), DeriveError> {
    let MirrorConfig { mirror, .. } = config.derive(key)?;
    let source = match &mirror.source {
        Source::Server { url, .. } => url.to_string(),
        Source::Path(path) => path.display().to_string(),
    };
    let target = mirror.target.unwrap().url.to_string();
    Ok((source, target, mirror.cache.path().to_owned()))
}

fn at(address: &str) -> RepositoryId {
    RepositoryId::of_hint(address).unwrap()
}

#[test]
fn the_key_alone_gives_the_mirror() {
    let config = config(FORGE);
    for (key, source, target, folder) in [
        (
            "forge/acme/rocket",
            "https://hg.example.org/acme/rocket",
            "https://github.com/acme/hg-rocket.git",
            "/cache/forge+acme+rocket",
        ),
        (
            "forge/ada/Core",
            "https://hg.example.org/ada/Core",
            "https://github.com/ada/hg-Core.git",
            "/cache/forge+ada+Core",
        ),
        (
            "forge/~bob/x",
            "https://hg.example.org/~bob/x",
            "https://github.com/~bob/hg-x.git",
            "/cache/forge+~bob+x",
        ),
    ] {
        let expected = (source.to_owned(), target.to_owned(), folder.into());
        assert_eq!(derived(&config, key).unwrap(), expected, "{key}");
        assert_eq!(config.derive(key).unwrap().mirror.name, key);
        assert_eq!(config.derived_at(&at(source)), [key], "{source}");
        assert_eq!(config.derived_at(&at(&format!("{}/", source.replace("https", "ssh")))), [key]);
    }
}

#[test]
fn what_a_pattern_does_not_stand_for() {
    let config = config(FORGE);
    for key in ["", "forge", "forge/", "forge/acme", "forge/acme/", "forge//x", "other/acme/x"] {
        assert!(matches!(config.derive(key), Err(DeriveError::NoPattern { .. })), "{key}");
    }
    for values in [
        "acme/../x",
        "acme/..",
        "acme/.x",
        "acme/-x",
        "acme/x.",
        "acme/x..y",
        "acme/x.git",
        "acme/x.GIT",
        "acme/x.wiki",
        "acme/x/y",
        "acme/x%2fy",
        "acme/x y",
        "acme/x\n",
        "acme/x\0",
        "acme/ü",
        "acme/{slug}",
        "acme/*",
        "acme/~",
        "acme/x~y",
        "-acme/x",
        &format!("acme/{}", "x".repeat(101)),
    ] {
        let found = config.derive(&format!("forge/{values}"));
        assert!(matches!(found, Err(DeriveError::NoPattern { .. })), "{values}: {found:?}");
        if let Some(repository) = RepositoryId::of_hint(&format!("https://hg.example.org/{values}"))
        {
            let keys = config.derived_at(&repository);
            // The server has the same repository with and without `.git`.
            assert!(keys.iter().all(|key| key == "forge/acme/x"), "{values}: {keys:?}");
        }
    }
    for values in ["eve/x", "acme2/x", "ada/core", "ada/Other", "ADA/Core", "acme/X", "Acme/x"] {
        let found = config.derive(&format!("forge/{values}"));
        assert!(matches!(found, Err(DeriveError::NotAllowed { .. })), "{values}: {found:?}");
        assert!(config.derived_at(&at(&format!("https://hg.example.org/{values}"))).is_empty());
    }
    for address in [
        "https://hg.example.org:8443/acme/x",
        "https://hg.example.org/a/acme/x",
        "https://evil.example/acme/x",
        "https://hg.example.org.evil.example/acme/x",
        "/acme/x",
    ] {
        assert!(config.derived_at(&at(address)).is_empty(), "{address}");
    }
    assert_eq!(config.derived_with_path("acme/x"), ["forge/acme/x"]);
    assert!(config.derived_with_path("eve/x").is_empty());
}

/// On many forges names that differ in case are one repository: of two sources that differ in case, both
/// would be published to it.
#[test]
fn two_sources_never_have_one_target_by_case() {
    let text = |allow: &str, more: &str| {
        format!(
            r#"
            [patterns.a]
            source = "https://hg.example.org/{{owner}}/{{slug}}"
            target = "https://git.example.org/{{owner}}/{{slug}}"
            allow = {allow}
            {more}
            "#
        )
    };
    let may = |config: &Config, values: &str| config.derive(&format!("a/{values}")).is_ok();
    let both = config(&text(r#"["Acme/*", "acme/rocket"]"#, ""));
    assert!(!may(&both, "Acme/rocket") && !may(&both, "acme/rocket"));
    assert!(may(&both, "Acme/engine"));
    let wild = config(&text(r#"["*/*", "Acme/engine"]"#, ""));
    assert!(may(&wild, "acme/rocket") && !may(&wild, "Acme/rocket"));
    assert!(!may(&wild, "Acme/engine"), "acme/engine would be another source");
    let mixed = config(&text(r#"["*/*"]"#, "mixed_case = true"));
    assert!(may(&mixed, "acme/rocket") && may(&mixed, "Acme/Rocket"));
}

#[test]
fn paths_of_any_depth() {
    let config = config(
        r#"
        [patterns.moz]
        source = "https://hg.example.org/{path}"
        target = "/srv/git/{path}.git"
        allow = ["releases/*", "build"]
        "#,
    );
    let (source, target, folder) = derived(&config, "moz/releases/l10n/beta").unwrap();
    assert_eq!(source, "https://hg.example.org/releases/l10n/beta");
    assert_eq!(target, "/srv/git/releases/l10n/beta.git");
    assert_eq!(folder, Path::new("/var/cache/synchroniser/moz+releases+l10n+beta"));
    assert!(config.derive("moz/build").is_ok());
    for values in ["releases", "releases/", "releases//x", "releases/../x", "builds", "build/x"] {
        assert!(config.derive(&format!("moz/{values}")).is_err(), "{values}");
    }
    let deep = vec!["x"; 40].join("/");
    assert!(config.derive(&format!("moz/releases/{deep}")).is_err());
    let key = ["moz/releases/l10n/beta"];
    assert_eq!(config.derived_at(&at("https://hg.example.org/releases/l10n/beta/")), key);
}

#[test]
fn sources_and_targets_on_this_machine() {
    let config = config(
        r#"
        [patterns.local]
        source = "/srv/hg/{slug}"
        target = "git/{slug}.git"
        allow = ["*"]
        "#,
    );
    let (source, target, _) = derived(&config, "local/rocket").unwrap();
    assert_eq!((source.as_str(), target.as_str()), ("/srv/hg/rocket", "/etc/git/rocket.git"));
    assert_eq!(config.derived_at(&at("/srv/hg/./rocket/")), ["local/rocket"]);
    assert!(config.derived_at(&at("/srv/hg/rocket/x")).is_empty());
    assert!(config.derived_at(&at("/srv/rocket")).is_empty());
}

/// What a mirror or another pattern publishes, a pattern does not publish too.
#[test]
fn what_others_publish_is_left_to_them() {
    let more = r#"
        [mirrors.special]
        source = "/srv/hg/special"
        target = "git@github.com:ACME/hg-special"

        [mirrors.beside]
        source = "/srv/hg/beside"
        target = "git@github.com:acme/hg-beside"
        ref_prefix = "old/"

        [patterns.other]
        source = "https://other.example.org/{slug}"
        target = "https://github.com/acme/{slug}"
        allow = ["hg-shared*"]
    "#
    .replace("git@", "https://git@")
    .replace("github.com:", "github.com/")
    .replace("git@", "");
    let config = config(&format!("{FORGE}{more}"));
    for (key, other) in [
        ("forge/acme/special", "the mirror \"special\" publishes to the same repository"),
        ("forge/acme/beside", "the mirror \"beside\" publishes to the same repository"),
        ("forge/acme/shared-1", "the mirror \"other/{slug}\" publishes to the same repository"),
        (
            "other/hg-shared-1",
            "the mirror \"forge/{owner}/{slug}\" publishes to the same repository",
        ),
    ] {
        let found = config.derive(key);
        let error = found.unwrap_err().to_string();
        assert!(error.contains(other), "{key}: {error}");
    }
    assert!(config.derive("forge/acme/rocket").is_ok());
    assert!(config.derive("other/hg-shared").is_err(), "forge/acme/shared has that target");
}

#[test]
fn a_target_follows_from_its_source_alone() {
    let pattern = |source: &str, target: &str, allow: &str| {
        format!("[patterns.a]\nsource = \"{source}\"\ntarget = \"{target}\"\nallow = {allow}\n")
    };
    let (source, flat) = ("https://h.example/{owner}/{slug}", "https://g.example/acme/{slug}");
    let all = "[\"*/*\"]";
    assert!(
        config(&pattern(source, flat, "[\"acme/*\", \"acme/Core\"]")).derive("a/acme/x").is_ok()
    );
    for (source, target, allow, expected) in [
        (
            source,
            flat,
            all,
            "patterns.a.target: sources that differ in {owner} would have one target",
        ),
        (source, flat, "[\"acme/*\", \"ada/*\"]", "sources that differ in {owner}"),
        (source, flat, "[\"acme/*\", \"Acme/x\"]", "sources that differ in {owner}"),
        (source, "https://g.example/{owner}/{path}", all, "{path} is all that may vary"),
        (source, "https://g.example/a/{path}", all, "{path} is not in the source"),
        (source, "https://g.example/acme/{owner}-{slug}", all, "a slash must be between"),
        (source, "https://g.example/{slug}/{slug}", all, "may be there once"),
        (source, "https://{owner}.example/a/{slug}", all, "placeholders are for the path alone"),
        ("https://{owner}.example/{slug}", flat, all, "placeholders are for the path alone"),
        ("https://h.example/{user}/{slug}", flat, all, "only {owner}, {slug} and {path}"),
        ("https://h.example/}/{slug}", flat, all, "only {owner}, {slug} and {path}"),
        ("https://h.example/x", flat, all, "no placeholder is in it"),
        (source, "https://g.example/{owner}/{slug}", "[\"acme\"]", "\"acme\" is not owner/slug"),
        (source, "https://g.example/{owner}/{slug}", "[\"acme/\"]", "\"acme/\" is not owner/slug"),
        (source, "https://g.example/{owner}/{slug}", "[\"a/b/c\"]", "\"a/b/c\" is not owner/slug"),
        (source, "https://g.example/{owner}/{slug}", "[]", "patterns.a.allow: empty"),
    ] {
        let found = problems(&pattern(source, target, allow));
        assert!(found.iter().any(|problem| problem.contains(expected)), "{expected}: {found:#?}");
    }
    let missing =
        problems("[patterns.-a]\nuser = \"x\"\nwas = \"y\"\nsource = \"http://h/{slug}\"\n");
    assert_eq!(missing.len(), 6, "{missing:#?}");
}

/// Two lists of values never give one address, and are read out of it again.
#[test]
fn values_are_read_back() {
    let config = config(FORGE);
    let pattern = &config.patterns[0];
    for values in ["acme/a-b", "acme/a_b", "acme/hg-x", "acme/x-hg", "ada/Core", "acme/x.y"] {
        let parsed = Values::parse(pattern.source.placeholders(), values).unwrap();
        assert_eq!(parsed.written(), values);
        for template in [&pattern.source, &pattern.target] {
            let address = at(&template.expand(&parsed));
            let found = template.values_of(&address).unwrap();
            // github.com takes upper and lower case as the same.
            assert_eq!(found.written().to_lowercase(), values.to_lowercase());
        }
    }
}
