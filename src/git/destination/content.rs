//! What a target takes at most, and what is found before it is sent: a server that refuses a file says so
//! only after all has arrived, and refuses each ref of that push.

use super::{RefOutcome, RefUpdate, RefusalKind};
use crate::base::text::megabytes;
use crate::git::pack::{LargeFile, Watch};
use crate::git::repository::{BareRepository, RepositoryError};
use crate::net::TargetUrl;
use crate::net::host::is_github;

/// The largest file that GitHub takes, in bytes, as its page "About large files on GitHub" says.
const GITHUB_FILE: u64 = 100 << 20;
/// How many large files refs are asked for.
const MAX_ASKED: usize = 20;

/// What a target takes at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PushLimits {
    /// Bytes of one file; `None` if any is taken. From half of that on a file is told.
    pub file: Option<u64>,
    /// Bytes of one push, about. What is more goes in several.
    pub push: u64,
}

impl PushLimits {
    /// Bytes of one push where nothing else is known: GitHub and others take no more than 2 GiB.
    pub const PUSH: u64 = 3 << 29;

    /// Those of the server at `url`, as far as they are known.
    pub fn of(url: &TargetUrl) -> Self {
        Self { file: url.host().is_some_and(is_github).then_some(GITHUB_FILE), push: Self::PUSH }
    }

    /// What has to be looked for in what is sent.
    pub(super) fn watch(&self) -> Watch {
        Watch { large_from: self.file.map(|most| most / 2), ..Watch::default() }
    }
}

/// Gives a refusal to each of `updates` that is not `decided` yet and brings one of the `large` files
/// that is larger than the target takes. Says whether there are any.
pub(super) fn refuse_large(
    limits: PushLimits,
    large: &[LargeFile],
    updates: &[RefUpdate],
    decided: &mut [Option<RefOutcome>],
    source: &BareRepository,
) -> Result<bool, RepositoryError> {
    let Some(most) = limits.file else { return Ok(false) };
    let too_large: Vec<_> = large.iter().filter(|file| file.size > most).take(MAX_ASKED).collect();
    let mut any = false;
    for (update, place) in updates.iter().zip(decided) {
        let (Some(tip), None) = (update.new, place.as_ref()) else { continue };
        for file in &too_large {
            let has = match source.is_ancestor(file.commit, tip) {
                Err(RepositoryError::Object { .. }) => false,
                has => has?,
            };
            if has {
                let reason = format!(
                    "the file {} in the commit {} has {}, and the target takes {}",
                    file.path,
                    file.commit,
                    megabytes(file.size),
                    megabytes(most)
                );
                *place = Some(RefOutcome::refused(update, RefusalKind::TooLarge, reason));
                any = true;
                break;
            }
        }
    }
    Ok(any)
}
