//! The configured mirrors, as the queue knows them.

use std::fmt::Write as _;
use std::path::Path;
use std::time::UNIX_EPOCH;

use crate::base::{hex, sha1};
use crate::config::{Config, MirrorConfig};
use crate::hg::pull::Source;
use crate::queue::model::Member;

/// What the queue has to know of each mirror of `config`.
pub(super) fn members(config: &Config) -> Vec<Member> {
    config.mirrors.iter().map(|mirror| member(config, mirror)).collect()
}

fn member(config: &Config, configured: &MirrorConfig) -> Member {
    let mirror = &configured.mirror;
    let source_host = match &mirror.source {
        Source::Path(_) => String::new(),
        Source::Server { url, .. } => url.host.clone(),
    };
    let target = mirror.target.as_ref().map(|target| target.url.to_string()).unwrap_or_default();
    let target_host = mirror.target.as_ref().and_then(|target| target.url.host());
    Member {
        key: mirror.name.clone(),
        was: configured.was.clone(),
        owner: configured.owner().to_owned(),
        source_host,
        target_host: target_host.unwrap_or_default().to_owned(),
        target,
        fingerprint: fingerprint(config, configured),
    }
}

/// Changes with everything that decides how a sync of the mirror goes, as far as this machine can tell.
fn fingerprint(config: &Config, configured: &MirrorConfig) -> String {
    let mut text = format!("{configured:?}");
    for file in config.files_of(&configured.mirror.name) {
        let _ = write!(text, "\n{}", stamp(&file));
    }
    hex::encode(&sha1::digest(&[text.as_bytes()]))
}

/// What changes when a file is written to; the file is not read.
fn stamp(file: &Path) -> String {
    let Ok(metadata) = std::fs::metadata(file) else { return "missing".to_owned() };
    let since = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    format!("{} {:?}", metadata.len(), since)
}
