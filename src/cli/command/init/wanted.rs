//! What is to be configured: from the flags, or from whoever is at the terminal.

use std::path::{Path, PathBuf};

use super::InitError;
use super::ask::Question;
use super::text::quoted;
use crate::cli::args::InitArgs;
use crate::cli::endpoint::format_called;
use crate::cli::ui::Ui;
use crate::hook::Format;
use crate::net::TargetUrl;
use crate::net::url::{Location, PlainHttp, SourceUrl};

/// What says that no hook, or no file, is wanted.
const NONE: &str = "none";

/// The key of what is no secret.
pub(super) const CA_FILE: &str = "ca_file";

/// What was asked for, typed or told.
pub(super) struct Wanted {
    pub(super) source: String,
    pub(super) target: String,
    pub(super) name: String,
    pub(super) format: Option<&'static Format>,
    /// The file with what opens an end, by the end and its key.
    pub(super) files: Vec<(&'static str, &'static str, PathBuf)>,
    /// What else is said of an end: the end, the key, and its value as TOML.
    words: Vec<(&'static str, &'static str, String)>,
}

impl Wanted {
    /// The keys of an end with their values as TOML; `place` says where a file is.
    pub(super) fn keys_of(
        &self,
        side: &str,
        place: impl Fn(&'static str, &Path) -> String,
    ) -> Vec<(&'static str, String)> {
        let files = self.files.iter().filter(|(end, ..)| *end == side);
        let files = files.map(|(_, key, file)| (*key, quoted(&place(key, file))));
        let words = self.words.iter().filter(|(end, ..)| *end == side);
        files.chain(words.map(|(_, key, value)| (*key, value.clone()))).collect()
    }

    /// The same, as a configuration anywhere names the files where they are now.
    pub(super) fn keys_here(&self, side: &str) -> Vec<(&'static str, String)> {
        self.keys_of(side, |_, file| absolute(&file.display().to_string()))
    }
}

/// What is wanted: from the flags, or from whoever is at the terminal.
pub(super) fn wanted(args: &InitArgs, ui: &Ui) -> Result<Wanted, InitError> {
    let ask = |typed: &Option<String>, question: &Question<'_>| match typed {
        Some(typed) => Ok(typed.clone()),
        None => question
            .ask(ui)
            .ok_or(InitError::NoTerminal { what: question.what, flag: question.flag }),
    };
    let source = ask(
        &args.source,
        &Question::new(
            "source",
            "--source",
            "The Mercurial repository, as a path or an address (https://, ssh://)",
        ),
    )?;
    let target = ask(
        &args.target,
        &Question::new(
            "target",
            "--target",
            "The Git repository to publish to, which must be there and may be empty",
        ),
    )?;
    let (source, target) = (absolute_source(&source), absolute_target(&target));
    let files = files(args, &target, ui);
    let called = name_of(&target);
    let name = match (&args.name, args.target.is_some()) {
        (Some(name), _) => name.clone(),
        // Whoever types flags is asked nothing that has a good answer.
        (None, true) => called,
        (None, false) => {
            let question = Question::new("name", "--name", "The name of the mirror");
            question.or(&called).ask(ui).unwrap_or(called)
        }
    };
    let guess = guess(&source);
    let hook = match (&args.hook, args.source.is_some()) {
        (Some(hook), _) => hook.clone(),
        (None, true) => guess.to_owned(),
        (None, false) => {
            let text = "The forge that tells of pushes there, or none";
            Question::new("forge", "--hook", text).or(guess).ask(ui).unwrap_or(guess.to_owned())
        }
    };
    let format = match hook.as_str() {
        NONE => None,
        name => Some(
            format_called(name).ok_or_else(|| InitError::UnknownForge { name: name.to_owned() })?,
        ),
    };
    let words = words(args);
    Ok(Wanted { source, target, name, format, files, words })
}

/// What is said of the ends beside their files.
fn words(args: &InitArgs) -> Vec<(&'static str, &'static str, String)> {
    let users =
        [("source", &args.source_token_user), ("target", &args.target_token_user)].into_iter();
    let users = users.filter_map(|(side, user)| Some((side, "token_user", quoted(user.as_ref()?))));
    let plain = [("source", args.source_plain_http), ("target", args.target_plain_http)];
    let plain = plain.into_iter().filter(|(_, is_plain)| *is_plain);
    users.chain(plain.map(|(side, _)| (side, "plain_http", "true".to_owned()))).collect()
}

/// The files with what opens the ends. Whoever types the address of a target at the terminal is asked for its.
fn files(args: &InitArgs, target: &str, ui: &Ui) -> Vec<(&'static str, &'static str, PathBuf)> {
    let given = [
        ("source", "token_file", &args.source_token_file),
        ("source", "key_file", &args.source_key_file),
        ("target", "token_file", &args.target_token_file),
        ("target", "key_file", &args.target_key_file),
        ("source", CA_FILE, &args.source_ca_file),
        ("target", CA_FILE, &args.target_ca_file),
    ];
    let given = given.into_iter().filter_map(|(side, key, file)| Some((side, key, file.clone()?)));
    let mut files: Vec<_> = given.collect();
    let has_target = files.iter().any(|(side, key, _)| *side == "target" && *key != CA_FILE);
    if args.target.is_none() && !has_target {
        let url = TargetUrl::parse(target, PlainHttp::Allow).ok();
        let (key, flag, text) = match url.as_ref().map(TargetUrl::location) {
            Some(Location::Http { .. }) => {
                let text = "A file with the token that may push there, or none";
                ("token_file", "--target-token-file", text)
            }
            Some(Location::Ssh { .. }) => {
                let text = "A file with the private key that may push there, or none";
                ("key_file", "--target-key-file", text)
            }
            Some(Location::Path(_) | Location::Git { .. }) | None => return files,
        };
        let file = Question::new("secret of the target", flag, text).or(NONE).ask(ui);
        let file = file.filter(|file| file != NONE).map(PathBuf::from);
        files.extend(file.map(|file| ("target", key, file)));
    }
    files
}

/// A path that does not depend on where a command is typed.
fn absolute_source(written: &str) -> String {
    match written.contains("://") || SourceUrl::refuse_short_form(written).is_err() {
        true => written.to_owned(),
        false => absolute(written),
    }
}

fn absolute_target(written: &str) -> String {
    match TargetUrl::parse(written, PlainHttp::Allow) {
        Ok(url) if matches!(url.location(), Location::Path(_)) => absolute(written),
        _ => written.to_owned(),
    }
}

fn absolute(path: &str) -> String {
    let absolute = std::path::absolute(path).ok();
    absolute.and_then(|path| path.to_str().map(str::to_owned)).unwrap_or(path.to_owned())
}

/// What a mirror with this target is called.
fn name_of(target: &str) -> String {
    let url = TargetUrl::parse(target, PlainHttp::Allow).ok();
    let project = url.as_ref().and_then(|url| url.project()).unwrap_or_default();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name: String = project.chars().map(|c| if is_plain(c) { c } else { '-' }).collect();
    let name = name.trim_start_matches(['.', '-']);
    if name.is_empty() { "mirror".to_owned() } else { name.to_owned() }
}

/// The forge that a source seems to be at.
fn guess(source: &str) -> &'static str {
    let host = SourceUrl::parse(source).map(|url| url.host).unwrap_or_default();
    let known = [
        ("heptapod", "gitlab"),
        ("gitlab", "gitlab"),
        ("sr.ht", "sourcehut"),
        ("sourceforge", "allura"),
        ("code.sf.net", "allura"),
        ("rhodecode", "rhodecode"),
    ];
    let found = known.iter().find(|(part, _)| host.contains(part));
    found.map_or("synchroniser", |(_, format)| format)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_forges_are_guessed() {
        for (target, name) in [
            ("https://github.com/acme/rocket.git", "rocket"),
            ("git@github.com:acme/Rocket.Core.git", "Rocket.Core"),
            ("/srv/git/a b.git", "a-b"),
            ("/", "mirror"),
        ] {
            assert_eq!(name_of(target), name);
        }
        for (source, format) in [
            ("https://foss.heptapod.net/acme/rocket", "gitlab"),
            ("https://hg.sr.ht/~ada/rocket", "sourcehut"),
            ("ssh://hg@hg.code.sf.net/p/rocket/code", "allura"),
            ("https://hg.example.org/rocket", "synchroniser"),
            ("/srv/hg/rocket", "synchroniser"),
        ] {
            assert_eq!(guess(source), format, "{source}");
            assert!(Format::named(format).is_some());
        }
    }

    #[test]
    fn paths_do_not_depend_on_where_one_is() {
        assert_eq!(
            absolute_target("git@github.com:acme/rocket.git"),
            "git@github.com:acme/rocket.git"
        );
        assert!(Path::new(&absolute_target("rocket.git")).is_absolute());
        assert!(Path::new(&absolute_source("rocket")).is_absolute());
        assert_eq!(absolute_source("https://hg.example.org/x"), "https://hg.example.org/x");
    }
}
