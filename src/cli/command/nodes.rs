//! The daemons that share a queue, as `status` lists them.

use super::daemon::ago;
use crate::base::clean::clean;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::service::view::Overview;

/// The daemons that share the queue.
pub(super) fn list(overview: &Overview, ui: &Ui) {
    let mut table = Table::new(["NODE", "ROLE", "STATE", "LAST HEARD OF", "VERSION", "ID", "RUNS"]);
    for node in &overview.nodes {
        let here = if node.here { ", this one" } else { "" };
        table.row([
            clean(&node.name),
            clean(&node.role),
            format!("{}{here}", node.state.name()),
            ago(node.beat, overview.now),
            clean(&node.version),
            node.id.get(..8).unwrap_or(&node.id).to_owned(),
            node.runs.len().to_string(),
        ]);
    }
    for line in table.lines() {
        ui.result(&line);
    }
}
