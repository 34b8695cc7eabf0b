//! Files that never change: styles, the script, and an icon for each state. Their names hold a hash of what
//! is in them, so that a browser keeps them, and gets new ones after an update.

use std::sync::OnceLock;

use warp::http::header;

use super::Visit;
use super::answer::{Answer, short_hash};
use super::icon::sign;
use super::problem::Problem;
use crate::service::view::MirrorState;

struct Asset {
    /// The name in our sources.
    name: String,
    /// The path that it is served under.
    path: String,
    content_type: &'static str,
    text: String,
}

fn assets() -> &'static [Asset] {
    static ASSETS: OnceLock<Vec<Asset>> = OnceLock::new();
    ASSETS.get_or_init(|| {
        let asset = |stem: &str, ending: &str, content_type, text: String| {
            let path = format!("/assets/{stem}.{}.{ending}", short_hash(text.as_bytes()));
            Asset { name: format!("{stem}.{ending}"), path, content_type, text }
        };
        let style = include_str!("assets/style.css").to_owned();
        let script = include_str!("assets/live.js").to_owned();
        let mut assets = vec![
            asset("style", "css", "text/css; charset=utf-8", style),
            asset("live", "js", "text/javascript; charset=utf-8", script),
        ];
        for state in MirrorState::ALL {
            assets.push(asset(state.name(), "svg", "image/svg+xml", sign(state).file()));
        }
        assets
    })
}

/// The path that the file called `name` is served under.
pub(super) fn path(name: &str) -> &'static str {
    let found = assets().iter().find(|asset| asset.name == name);
    found.map_or("/", |asset| asset.path.as_str())
}

/// The path of the icon of a state.
pub(super) fn icon_path(state: MirrorState) -> &'static str {
    path(&format!("{}.svg", state.name()))
}

pub(super) fn asset(visit: &Visit<'_>) -> Result<Answer, Problem> {
    let path = format!("/assets/{}", visit.name);
    let Some(asset) = assets().iter().find(|asset| asset.path == path) else {
        return Err(Problem::not_found("There is no such file; an update may have replaced it."));
    };
    let answer = Answer::new(asset.content_type, asset.text.as_str());
    Ok(answer.header(header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
}
