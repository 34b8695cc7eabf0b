//! Whether the other daemons that share the queue reach the one of this machine, to take its caches.

use std::time::Duration;

use super::Check;
use crate::base::Interrupt;
use crate::config::Config;
use crate::net::http::{ApiClient, ApiRequest, Introduction};
use crate::net::{Access, NetError, SourceUrl, Timeouts};
use crate::service::{CACHE_PATH, own_url};

const NAME: &str = "nodes";
/// How long it may take.
const PATIENCE: Duration = Duration::from_secs(10);
const INTRODUCTION: Introduction =
    Introduction { user_agent: concat!("synchroniser/", env!("CARGO_PKG_VERSION")), accept: "*/*" };

pub(super) fn check(config: &Config, offline: bool, interrupt: &Interrupt) -> Option<Check> {
    let url = own_url(config)?;
    if offline {
        return Some(Check::skipped(NAME, format!("{url} was not asked: --offline")));
    }
    Some(match status(config, &url, interrupt) {
        // A daemon that wants to know who asks.
        Ok(401) => Check::ok(NAME, format!("other daemons get caches at {url}{CACHE_PATH}")),
        Ok(status) => Check::wrong(
            NAME,
            format!(
                "{url}{CACHE_PATH} answers with status {status}, and so no daemon with a secret"
            ),
            "a web server there passes /nodes/cache on to `daemon.listen`; docs/many-nodes.md shows how",
        ),
        Err(error) => Check::failed(NAME, &error),
    })
}

fn status(config: &Config, url: &str, interrupt: &Interrupt) -> Result<u16, NetError> {
    let timeouts = Timeouts { connect: PATIENCE, first_byte: PATIENCE, idle: PATIENCE };
    let (ca_file, plain_http) = (config.nodes.ca_file.clone(), config.nodes.plain_http);
    let access = Access { ca_file, plain_http, timeouts, ..Access::default() };
    let base = SourceUrl::parse(url).map_err(|error| NetError::Setting {
        url: url.to_owned(),
        problem: error.to_string(),
        hint: None,
    })?;
    let client = ApiClient::new(&base, &access, INTRODUCTION, interrupt)?;
    let answer = client.send(&ApiRequest {
        method: "GET",
        path: &format!("{CACHE_PATH}?mirror="),
        command: "whether caches are there",
        headers: &[],
        bearer: None,
        body: None,
    })?;
    Ok(answer.status)
}
