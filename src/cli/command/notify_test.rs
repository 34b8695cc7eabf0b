//! `notify-test`: whether those who are told of mirrors in trouble can be told.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::Outcome;
use super::daemon::client;
use crate::base::faults;
use crate::cli::args::NotifyTestArgs;
use crate::cli::error::Failure;
use crate::cli::exit;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::service::view::FailureView;

/// The daemon gives each receiver the time that is configured for it.
const PATIENCE: Duration = Duration::from_mins(10);

/// The answer of the daemon.
#[derive(Deserialize)]
struct Answer {
    receivers: Vec<Told>,
}

/// One receiver.
#[derive(Deserialize)]
struct Told {
    name: String,
    failure: Option<FailureView>,
}

/// A receiver was not told.
#[derive(Debug, thiserror::Error)]
#[error("tell the receiver {name}: {}", failure.message)]
struct NotToldError {
    name: String,
    failure: FailureView,
}

faults!(NotToldError {
    Self { failure, .. } => {
        Diagnosis { hint: failure.hint.clone(), ..failure.fault.into() }
    },
});

pub(super) fn run(args: &NotifyTestArgs, ui: &Ui) -> Outcome {
    let escaped = |name: &String| utf8_percent_encode(name, NON_ALPHANUMERIC).to_string();
    let query: Vec<_> =
        args.receivers.iter().map(|name| format!("receiver={}", escaped(name))).collect();
    let path = format!("/api/v1/notify-test?{}", query.join("&"));
    let text = client(&args.daemon)?.post_and_wait(&path, PATIENCE)?;
    let Answer { receivers } = crate::cli::client::read(&text)?;
    let failed = receivers.iter().find_map(|told| Some(told.failure.as_ref()?.fault));
    if args.json {
        ui.result(text.trim_end());
        return Ok(failed.map_or(exit::OK, exit::code));
    }
    let mut table = Table::new(["RECEIVER", "RESULT"]);
    for told in &receivers {
        let result = told.failure.as_ref();
        let result =
            result.map_or_else(|| "told".to_owned(), |it| format!("failed: {}", it.fault.name()));
        table.row([told.name.clone(), result]);
    }
    for line in table.lines() {
        ui.result(&line);
    }
    for told in receivers {
        if let Some(failure) = told.failure {
            ui.error(&Failure::from(NotToldError { name: told.name, failure }).text());
        }
    }
    Ok(failed.map_or(exit::OK, exit::code))
}
