//! `doctor`: all that a new administrator gets wrong, one line a check, with what to do.

mod clock;
mod daemon;
mod ends;
mod files;
mod nodes;
mod queue;
mod unit;

use serde::Serialize;

use super::{Outcome, config, interrupted_by_signals};
use crate::base::clean::clean;
use crate::base::fault::one_line;
use crate::base::{Fault, HasFault};
use crate::cli::args::DoctorArgs;
use crate::cli::exit;
use crate::cli::mirrors;
use crate::cli::ui::Ui;
use crate::config::{Config, ConfigError, MirrorConfig};

/// How it is with one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// As it should be.
    Ok,
    /// Cannot be looked at from here.
    Skipped,
    /// Works, and somebody should look at it.
    Warning,
    /// Does not work.
    Wrong,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

/// One thing that was looked at. Field names are an interface: they are added to, not changed.
#[derive(Clone, Debug, Serialize)]
struct Check {
    /// What was looked at.
    #[serde(rename = "check")]
    name: String,
    state: State,
    /// What was found.
    message: String,
    /// What to do about it, if there is something.
    hint: Option<String>,
    #[serde(skip)]
    fault: Fault,
}

impl Check {
    fn new(name: impl Into<String>, state: State, message: impl Into<String>) -> Self {
        let (name, message) = (name.into(), message.into());
        Self { name, state, message, hint: None, fault: Fault::Config }
    }

    fn ok(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, State::Ok, message)
    }

    fn skipped(name: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(name, State::Skipped, message)
    }

    fn warning(
        name: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(name, State::Warning, message) }
    }

    fn wrong(name: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..Self::new(name, State::Wrong, message) }
    }

    /// What an error says.
    fn failed(name: impl Into<String>, error: &dyn HasFault) -> Self {
        let (message, hint) = (one_line(error), error.hint());
        Self { hint, fault: error.fault(), ..Self::new(name, State::Wrong, message) }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    ok: usize,
    skipped: usize,
    warnings: usize,
    wrong: usize,
    checks: &'a [Check],
}

pub(super) fn run(args: &DoctorArgs, ui: &Ui) -> Outcome {
    let path = &args.daemon.config.config;
    let interrupt = interrupted_by_signals(ui)?;
    let mut checks: Vec<Check> = Vec::new();
    let tell = |check: &Check| {
        if !args.json {
            say(check, ui);
        }
    };
    let mut add = |more: Vec<Check>, is_told: bool| {
        if !is_told {
            more.iter().for_each(tell);
        }
        checks.extend(more);
    };
    match config::load(path) {
        Ok(config) => {
            let found = match args.mirrors.is_empty() {
                true => mirrors::all(&config),
                false => mirrors::select(&config, &args.mirrors)?,
            };
            let mirrors: Vec<&MirrorConfig> = found.iter().map(AsRef::as_ref).collect();
            add(vec![summary(&config, path)], false);
            let files = files::check(path, &config);
            let exposed = files::exposed(&files);
            add(files, false);
            add(queue::check(&config).into_iter().collect(), false);
            add(daemon::check(args, &config), false);
            add(nodes::check(&config, args.offline, &interrupt).into_iter().collect(), false);
            add(unit::check(path, &config, &mirrors), false);
            add(ends::check(&config, &mirrors, &exposed, args.offline, &tell, &interrupt), true);
            if args.mirrors.is_empty() {
                add(ends::not_named(&config), false);
            }
            let clock = match args.offline {
                true => Check::skipped("clock", "not compared with that of a server: --offline"),
                false => clock::check(&mirrors, &interrupt),
            };
            add(vec![clock], false);
            interrupt.check()?;
        }
        Err(error) => {
            let rest = Check::skipped("everything else", "it needs a configuration that is sound");
            add(unsound(&error), false);
            add(vec![rest], false);
        }
    }
    summarise(args, &checks, ui);
    let first = checks.iter().find(|check| check.state == State::Wrong);
    Ok(first.map_or(exit::OK, |check| exit::code(check.fault)))
}

fn summary(config: &Config, path: &std::path::Path) -> Check {
    let found = format!(
        "{}: {}, {}",
        path.display(),
        config::counted(config),
        super::report::count(
            config.hooks.len() as u64,
            "endpoint for hooks",
            "endpoints for hooks"
        ),
    );
    match config.is_bare() {
        true => Check::warning("configuration", found, "`synchroniser init` adds a first mirror"),
        false => Check::ok("configuration", found),
    }
}

/// A check for each mistake of a configuration.
fn unsound(error: &ConfigError) -> Vec<Check> {
    match error {
        ConfigError::Invalid { path, problems } | ConfigError::Unusable { path, problems } => {
            let checks = problems.iter().map(|problem| {
                let hint = "`synchroniser config check` lists all mistakes; docs/configuration-keys.md has every key";
                Check::wrong("configuration", format!("{}:{problem}", path.display()), hint)
            });
            checks.collect()
        }
        other @ (ConfigError::Read { .. } | ConfigError::Alone { .. }) => {
            let mut check = Check::failed("configuration", other);
            check.hint = check.hint.or_else(|| {
                Some(
                    "name the file with --config; `synchroniser init` writes a first one"
                        .to_owned(),
                )
            });
            vec![check]
        }
    }
}

/// One check as a person reads it.
fn say(check: &Check, ui: &Ui) {
    let Check { name, state, message, hint, .. } = check;
    ui.result(&format!("{:<8} {name}: {}", state.name(), clean(message)));
    for line in hint.iter().flat_map(|hint| hint.lines()) {
        ui.result(&format!("         do: {}", clean(line)));
    }
}

fn summarise(args: &DoctorArgs, checks: &[Check], ui: &Ui) {
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let report = Report {
        ok: count(State::Ok),
        skipped: count(State::Skipped),
        warnings: count(State::Warning),
        wrong: count(State::Wrong),
        checks,
    };
    let Report { ok, skipped, warnings, wrong, .. } = report;
    match args.json {
        // Strings and numbers only: nothing that JSON has no form for.
        true => ui.result(&serde_json::to_string_pretty(&report).unwrap_or_default()),
        false => {
            ui.say(&format!("{ok} ok, {skipped} skipped, {warnings} to look at, {wrong} wrong"));
        }
    }
}
