//! `caches`: what the caches take, and those of mirrors that are gone.

use super::{Outcome, config};
use crate::base::text::megabytes;
use crate::cli::args::CachesArgs;
use crate::cli::exit;
use crate::cli::table::Table;
use crate::cli::ui::Ui;
use crate::mirror::{self, CacheError};

pub(super) fn run(args: &CachesArgs, ui: &Ui) -> Outcome {
    let config = config::load(&args.config.config)?;
    let mut table = Table::new(["CACHE", "SIZE", ""]);
    let (mut all, mut unused) = (0, Vec::new());
    for cache in mirror::caches(&config.cache)? {
        let is_used = config.uses_cache(&cache.name);
        all += cache.bytes;
        let about = match (is_used, cache.is_empty()) {
            (true, false) => "",
            (true, true) => "emptied: the next sync makes it again",
            (false, false) => "no mirror is configured for it",
            (false, true) => "no mirror is configured for it; emptied, what was published is known",
        };
        table.row([cache.name.clone(), megabytes(cache.bytes), about.to_owned()]);
        if !is_used {
            unused.push(cache);
        }
    }
    for line in table.lines() {
        ui.result(&line);
    }
    let quota = config.caches.quota.map(|quota| format!(", {} are allowed", megabytes(quota)));
    let free: u64 = unused.iter().map(|cache| cache.bytes).sum();
    let (all, free) = (megabytes(all), megabytes(free));
    ui.say(&format!("{all} in all{}, {free} of them without a mirror", quota.unwrap_or_default()));
    if !args.remove_unused {
        return Ok(exit::OK);
    }
    if !args.yes {
        ui.say("nothing was removed; to empty those without a mirror, add --yes");
        return Ok(exit::OK);
    }
    for cache in unused {
        let (done, freed) = match args.ledgers {
            true => (cache.remove(), cache.bytes),
            false if cache.is_empty() => continue,
            false => (cache.empty(), cache.spare),
        };
        let (folder, freed) = (cache.path.display(), megabytes(freed));
        match done {
            Ok(()) => ui.say(&format!("{folder}: removed, {freed}")),
            Err(CacheError::InUse { .. }) => ui.warn(&format!("{folder}: in use, not removed")),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(exit::OK)
}
