//! `authors`: every user of a repository and what they become, as an author map to edit.

use super::{Outcome, interrupted_by_signals};
use crate::cli::args::AuthorsArgs;
use crate::cli::exit;
use crate::cli::ui::Ui;
use crate::convert::authors::users;

pub(super) fn run(args: &AuthorsArgs, ui: &Ui) -> Outcome {
    let options = args.commits.options()?;
    let (source, interrupt) = (&args.source, interrupted_by_signals(ui)?);
    let opened = source.way.open(&source.written, &options, ui, &interrupt)?;
    let rules = options.rules(options.identity.for_new_targets());
    ui.result(&format!(
        "# The users of {}, and the authors that they become under the identity {}.",
        source.written.display(),
        rules.identity.name()
    ));
    ui.result(rules.author_map_template(users(&opened)?).trim_end());
    Ok(exit::OK)
}
