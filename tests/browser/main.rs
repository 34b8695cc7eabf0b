//! The pages in a real browser: Debian's chromium, driven through its own driver. `.ci/run` runs this; alone,
//! it is `cargo test --package synchroniser-browser`.
//!
//! | variable | is |
//! | --- | --- |
//! | `SYNCHRONISER_AXE` | `axe.min.js` of axe-core, which judges whether everybody can use a page |
//! | `SYNCHRONISER_SCREENSHOTS` | a folder for pictures of the main pages: with `docs` those of the documents are made anew, which `tests/browser/smaller.py` makes small |
//! | `SYNCHRONISER_LOOKS` | a folder for pictures of all pages from top to end, to be looked at |
//! | `SYNCHRONISER_STRICT` | 1: what would be skipped fails |

#![expect(
    clippy::panic,
    clippy::print_stderr,
    clippy::unwrap_used,
    reason = "a test that meets what it does not expect has failed, and says so"
)]

mod browser;
mod daemon;
#[path = "../it/support/fake_service.rs"]
#[expect(dead_code, reason = "the tests without a browser use more of it")]
mod fake_service;
mod pictures;
mod real;
mod site;

use std::time::Duration;

use serde_json::{Value, json};
use synchroniser::queue::model::RunId;
use synchroniser::service::view::{MirrorState, ServiceEvent};
use thirtyfour::prelude::*;

use browser::{Theme, with_browser};
use fake_service::{HOSTILE, ago};
use site::{Site, TOKEN};

/// Every kind of page.
fn pages() -> Vec<String> {
    let escaped = |name: &str| name.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let mut pages: Vec<_> = [
        "/",
        "/?q=nothing",
        "/mirrors/good",
        "/mirrors/parked",
        "/mirrors/running",
        "/mirrors/new",
        "/runs/000000000000000000000000000000ff",
        "/runs/00000000000000000000000000000005",
        "/deliveries",
        "/queue",
        "/api",
        "/about",
        "/login",
        "/nothing",
    ]
    .map(str::to_owned)
    .to_vec();
    pages.extend(HOSTILE.map(|name| format!("/mirrors/{}", escaped(name))));
    pages
}

/// What makes the page wider than the window: what sticks out, and is in nothing that can be scrolled.
pub(crate) const STICKS_OUT: &str = "
    if (document.documentElement.scrollWidth <= window.innerWidth) return [];
    return [...document.querySelectorAll('body *')]
        .filter((it) => it.getBoundingClientRect().right > window.innerWidth && !it.closest('.wide'))
        .map((it) => it.outerHTML.slice(0, 200));";

#[test]
fn everybody_can_use_every_page() {
    with_browser(async |browser| {
        let site = Site::start();
        browser.log_in(&site, TOKEN).await;
        for theme in Theme::ALL {
            browser.set_theme(theme).await;
            for path in pages() {
                browser.open(&site, &path).await;
                let problems = browser.axe(theme).await;
                assert!(problems.is_empty(), "{path} {theme:?}: {problems:#?}");
                let wide = browser.script(STICKS_OUT).await;
                assert_eq!(wide, json!([]), "{path} {theme:?}: it has to be scrolled sideways");
                browser.assert_quiet(&path).await;
            }
        }
    });
}

#[test]
fn pages_do_all_they_can_without_scripts() {
    with_browser(async |browser| {
        let site = Site::start();
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        browser.log_in(&site, TOKEN).await;
        for path in pages() {
            browser.open_without_scripts(&site, &path).await;
            assert!(!browser.text("h1").await.is_empty(), "{path}");
            assert_eq!(browser.find_all("#pause:not([hidden])").await.len(), 0, "{path}");
        }
        browser.open_without_scripts(&site, "/").await;
        browser.find("#q").await.send_keys("park").await.unwrap();
        browser.find(".search button").await.click().await.unwrap();
        browser.wait_for("tbody tr:first-child:last-child th a", "parked").await;
        browser.find("tbody th a").await.click().await.unwrap();
        browser.find(".buttons form[action$='/retry'] button").await.click().await.unwrap();
        // The click does not wait for what it has sent.
        for _ in 0..600 {
            if !site.asked().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(site.asked(), ["retry parked"]);
    });
}

/// What has the focus, and whether one can see that it has.
const FOCUS: &str = "
    const at = document.activeElement, style = getComputedStyle(at), place = at.getBoundingClientRect();
    return { name: at.nodeName, text: (at.innerText || at.value || at.id || '').trim(),
             seen: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0
                   && place.bottom > 0 && place.top < innerHeight };";

#[test]
fn the_keyboard_is_enough() {
    with_browser(async |browser| {
        let site = Site::start();
        browser.open(&site, "/login").await;
        browser.tab_to("INPUT", "token").await;
        browser.keys("token-of-admin").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "Mirrors").await;

        browser.keys(Key::Tab).await;
        let first = browser.script(FOCUS).await;
        assert_eq!(first["text"], "Skip to the content");
        browser.keys(Key::Enter).await;
        assert_eq!(browser.script("return location.hash;").await, "#main");

        // Every link, button and field comes to the focus, in the order of the page, and is seen.
        browser.open(&site, "/").await;
        let all = "return [...document.querySelectorAll('a[href], button, input:not([type=hidden]), \
                   [tabindex=\"0\"]')].filter((it) => it.offsetParent || it.className === 'skip').length;";
        let all = browser.script(all).await.as_u64().unwrap();
        for _ in 0..all {
            browser.keys(Key::Tab).await;
            let focus = browser.script(FOCUS).await;
            assert_ne!(focus["name"], "BODY", "{all}");
            assert_eq!(focus["seen"], true, "{focus}");
        }

        browser.open(&site, "/mirrors/good").await;
        browser.tab_to("BUTTON", "Sync now").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "Not found").await;
        assert_eq!(site.asked(), ["sync good"]);
    });
}

fn set_state(site: &Site, mirror: &str, state: MirrorState) {
    let mut shown = site.service.shown();
    let found = shown.mirrors.iter_mut().find(|it| it.summary.name == mirror).unwrap();
    found.summary.state = state;
    drop(shown);
    site.state.publish(&ServiceEvent::Changed { mirror: mirror.to_owned() });
}

#[test]
fn a_page_follows_what_happens_and_leaves_the_focus_alone() {
    with_browser(async |browser| {
        let site = Site::start();
        browser.open(&site, "/").await;
        browser.tab_to("A", "good").await;
        browser.script("window.kept = document.activeElement;").await;
        set_state(&site, "good", MirrorState::Parked);
        // The row is found by its name, whatever its place.
        let row = "[...document.querySelectorAll('tbody tr')].find((it) => it.querySelector('a').innerText === 'good')";
        let is_parked =
            format!("return {row}.querySelector('.state').innerText.trim() === 'Parked';");
        browser.until("the row is not parked", &is_parked).await;
        assert_eq!(browser.script("return document.activeElement === window.kept;").await, true);
        let title = browser.script("return document.title;").await;
        assert!(title.as_str().unwrap().starts_with("2 parked"), "{title}");
        browser
            .until(
                "it is not announced",
                "return document.getElementById('said').innerText.startsWith('2 parked');",
            )
            .await;

        // A mirror that is new moves the rows; the focus stays on its row.
        let added = fake_service::good("a new one");
        site.service.shown().mirrors.insert(0, added);
        site.state.publish(&ServiceEvent::Changed { mirror: "a new one".to_owned() });
        browser
            .until(
                "the row is not there",
                "return document.querySelector('tbody tr a').innerText === 'a new one';",
            )
            .await;
        assert_eq!(browser.script("return document.activeElement === window.kept;").await, true);
        assert_eq!(browser.script("return document.activeElement.innerText;").await, "good");

        // What somebody types stays.
        browser.find("#q").await.send_keys("typed").await.unwrap();
        set_state(&site, "good", MirrorState::Good);
        browser.until("the row is not good", &is_parked.replace("Parked", "Good")).await;
        assert_eq!(browser.script("return document.getElementById('q').value;").await, "typed");

        // Paused, nothing changes.
        browser.find("#pause").await.click().await.unwrap();
        set_state(&site, "good", MirrorState::Failing);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(browser.script(&is_parked.replace("Parked", "Good")).await, true);
        browser.find("#pause").await.click().await.unwrap();
        browser.until("the row is not failing", &is_parked.replace("Parked", "Failing")).await;
        browser.assert_quiet("/").await;
    });
}

#[test]
fn progress_moves_while_a_run_goes_on() {
    with_browser(async |browser| {
        let site = Site::start();
        browser.open(&site, &format!("/runs/{}", RunId(5))).await;
        let value = "return document.querySelector('progress').value === 4000;";
        assert_eq!(browser.script(value).await, false);
        let mut progress = fake_service::CONVERTING;
        progress.done = 4000;
        {
            let mut shown = site.service.shown();
            let run = shown.runs.iter_mut().find(|it| it.summary.id == RunId(5)).unwrap();
            run.progress = Some(progress);
        }
        let mirror = "good".to_owned();
        site.state.publish(&ServiceEvent::Progress { mirror, run: RunId(5), progress });
        browser.until("no progress", value).await;
        let ended = {
            let mut shown = site.service.shown();
            let run = shown.runs.iter_mut().find(|it| it.summary.id == RunId(5)).unwrap();
            run.progress = None;
            run.summary.state = synchroniser::queue::model::RunState::Done;
            run.summary.ended = Some(ago(0));
            run.summary.clone()
        };
        site.state.publish(&ServiceEvent::Ended { run: ended });
        browser.until("no end", "return document.title.startsWith('Done');").await;
        assert_eq!(browser.find_all("progress").await.len(), 0);
    });
}

#[test]
fn tabs_have_one_stream_each_and_none_while_hidden() {
    with_browser(async |browser| {
        let site = Site::start();
        browser.open(&site, "/").await;
        for _ in 0..3 {
            browser.driver.new_tab().await.unwrap();
            let tabs = browser.driver.windows().await.unwrap();
            browser.driver.switch_to_window(tabs.last().unwrap().clone()).await.unwrap();
            browser.open(&site, "/queue").await;
        }
        let count: Value = browser
            .script(
                "return performance.getEntriesByType('resource')
                     .filter((it) => it.name.includes('/events')).length <= 1;",
            )
            .await;
        assert_eq!(count, true);
        // With more tabs than a browser has connections to one host, each still loads.
        for _ in 0..5 {
            browser.driver.new_tab().await.unwrap();
            let tabs = browser.driver.windows().await.unwrap();
            browser.driver.switch_to_window(tabs.last().unwrap().clone()).await.unwrap();
            browser.open(&site, "/").await;
        }
        assert!(!browser.text("h1").await.is_empty());
    });
}
