//! The pages of the daemon itself: what an administrator does with them from the first login on, by keyboard
//! and without scripts, and that names from outside are shown and do nothing.

use std::time::Duration;

use serde_json::json;
use thirtyfour::prelude::*;

use crate::browser::{Browser, Theme, with_browser};
use crate::real::{ADMIN, FLEET, LONG_NAME, READER, Real};
use crate::{STICKS_OUT, pictures};

/// What the pages say that would have been done by names, if they were more than names.
const TOUCHED: &str = "return document.title.includes('owned') \
                       || document.querySelectorAll('main img:not([alt]), main script, main b').length > 0;";

/// The pages whose content is all real: of mirrors that are good, parked, failing, partial, running and
/// paused, of their runs, of hooks of every fate.
fn pages(real: &Real) -> Vec<String> {
    let mut pages = [
        "/",
        "/?q=light",
        "/?state=parked",
        "/?owner=coastguard",
        "/deliveries",
        "/queue",
        "/api",
        "/about",
    ]
    .map(str::to_owned)
    .to_vec();
    for mirror in ["lighthouse", "almanac", "sextant", "tide-tables", "logbook", LONG_NAME] {
        pages.push(format!("/mirrors/{mirror}"));
        pages.push(real.last_run(mirror));
    }
    pages
}

#[test]
fn everybody_can_use_every_page_of_the_daemon() {
    with_browser(async |browser| {
        let real = Real::start("open", 0);
        // One of each state: a long run, and one that is paused.
        real.pace.hold();
        real.settle_but(1);
        real.post_hooks();
        real.settle_but(1);
        browser.log_in(&real, ADMIN).await;
        browser.open(&real, "/mirrors/astrolabe").await;
        browser.find(".buttons form[action$='/pause'] button").await.click().await.unwrap();
        real.until_state("astrolabe", "paused");
        for theme in Theme::ALL {
            browser.set_theme(theme).await;
            for path in pages(&real) {
                browser.open(&real, &path).await;
                let problems = browser.axe(theme).await;
                assert!(problems.is_empty(), "{path} {theme:?}: {problems:#?}");
                let wide = browser.script(STICKS_OUT).await;
                assert_eq!(wide, json!([]), "{path} {theme:?}: it has to be scrolled sideways");
                assert_eq!(browser.script(TOUCHED).await, false, "{path}");
                browser.assert_quiet(&path).await;
                pictures::keep(browser, theme, &path).await;
            }
        }
    });
}

/// The name of the mirror in the first row.
async fn first_row(browser: &Browser) -> String {
    browser.text("tbody tr th a").await
}

#[test]
fn an_administrator_does_everything_by_keyboard() {
    with_browser(async |browser| {
        let real = Real::start("token", FLEET);
        real.settle();

        // Who has no token sees nothing but where to give one.
        browser.open(&real, "/").await;
        assert_eq!(browser.text("h1").await, "Log in");
        browser.tab_to("INPUT", "token").await;
        browser.keys("a guess").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("#wrong", "This token is not known.").await;
        browser.tab_to("INPUT", "token").await;
        browser.keys(ADMIN).await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "Mirrors").await;

        // To the next page of the list, and back.
        let first = first_row(browser).await;
        browser.tab_to("A", "Next page").await;
        browser.keys(Key::Enter).await;
        browser.until("the next page", "return location.search.includes('after=');").await;
        assert_ne!(first_row(browser).await, first);
        browser.tab_to("A", "First page").await;
        browser.keys(Key::Enter).await;
        browser.until("the first page", "return !location.search.includes('after=');").await;

        // What is parked, by its filter.
        browser.tab_to("A", "Parked 2").await;
        browser.keys(Key::Enter).await;
        browser.until("a filter", "return location.search.includes('state=parked');").await;
        assert_eq!(first_row(browser).await, "logbook");
        assert_eq!(browser.find_all("tbody tr").await.len(), 2);
        browser.tab_to("A", "sextant").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "sextant").await;
        let failure = browser.text(".failure").await;
        assert!(failure.contains("at the source") && failure.contains("frobnicate"), "{failure}");

        // It is mended, tried again, and its run is seen to end without loading the page again.
        real.mend("sextant");
        browser.tab_to("BUTTON", "Try again").await;
        browser.keys(Key::Enter).await;
        browser.until("the run", "return location.pathname.startsWith('/runs/');").await;
        browser.script("window.kept = true;").await;
        browser.until("its end", "return document.title.startsWith('Done');").await;
        assert_eq!(browser.script("return window.kept;").await, true);
        browser.tab_to("A", "sextant").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "sextant").await;
        browser.until("good", "return document.title.startsWith('Good');").await;

        // Found by its name, and synced while one looks.
        browser.tab_to("A", "Mirrors").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "Mirrors").await;
        browser.tab_to("INPUT", "q").await;
        browser.keys("HOUSE").await;
        browser.keys(Key::Enter).await;
        browser.until("a search", "return location.search.includes('q=HOUSE');").await;
        assert_eq!(first_row(browser).await, "lighthouse");
        browser.tab_to("A", "lighthouse").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "lighthouse").await;
        browser.tab_to("BUTTON", "Sync now").await;
        browser.keys(Key::Enter).await;
        browser.until("the run", "return location.pathname.startsWith('/runs/');").await;
        browser.until("its end", "return document.title.startsWith('Done');").await;

        // Paused, and resumed.
        browser.open(&real, "/mirrors/lighthouse").await;
        browser.tab_to("BUTTON", "Pause").await;
        browser.keys(Key::Enter).await;
        browser.until("paused", "return document.title.startsWith('Paused');").await;
        browser.tab_to("BUTTON", "Resume").await;
        browser.keys(Key::Enter).await;
        browser.until("good", "return document.title.startsWith('Good');").await;

        // The other pages, and out.
        for (link, heading) in [("Queue", "Queue"), ("Deliveries", "Deliveries")] {
            browser.tab_to("A", link).await;
            browser.keys(Key::Enter).await;
            browser.wait_for("h1", heading).await;
        }
        assert_eq!(browser.text("main p:last-of-type").await, "None.");
        real.post_hooks();
        browser
            .until("the hooks", "return document.querySelectorAll('tbody tr').length === 5;")
            .await;
        browser.assert_quiet("/deliveries").await;
        browser.tab_to("BUTTON", "Log out").await;
        browser.keys(Key::Enter).await;
        browser.wait_for("h1", "Log in").await;
        browser.open(&real, "/queue").await;
        assert_eq!(browser.text("h1").await, "Log in");
    });
}

#[test]
fn a_long_run_is_followed_without_loading_its_page_again() {
    with_browser(async |browser| {
        let real = Real::start("open", 0);
        real.pace.hold();
        // It is new, so it is synced without being asked for.
        real.until_state("lighthouse", "running");
        browser.open(&real, &real.last_run("lighthouse")).await;
        browser.script("window.kept = true;").await;
        assert!(
            browser.script("return document.title;").await.as_str().unwrap().starts_with("Running")
        );
        let progress =
            "const it = document.querySelector('.progress'); return it ? it.innerText : '';";
        let mut seen = vec![browser.script(progress).await];
        real.pace.set(200);
        for _ in 0..600 {
            let now = browser.script(progress).await;
            if seen.last() != Some(&now) && now != json!("") {
                seen.push(now);
            }
            if seen.len() == 4 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(seen.len(), 4, "{seen:?}");
        real.pace.set(0);
        browser.until("its end", "return document.title.startsWith('Done');").await;
        assert_eq!(browser.script("return window.kept;").await, true);
        assert!(browser.text("main").await.contains("300"), "its changesets");
        browser.assert_quiet("a run").await;

        // A mirror that is added is on the page without loading it again.
        browser.open(&real, "/").await;
        real.reconfigure("[mirrors.zenith]\nowner = \"observatory\"\nsource = \"hg/almanac\"\ntarget = \"git/astrolabe.git\"\n");
        browser
            .until(
                "the new mirror",
                "return [...document.querySelectorAll('tbody th a')].some((it) => it.innerText === 'zenith');",
            )
            .await;
    });
}

#[test]
fn forms_are_enough_without_scripts() {
    with_browser(async |browser| {
        let real = Real::start("token", 0);
        real.settle();
        browser.cdp("Emulation.setScriptExecutionDisabled", json!({ "value": true })).await;
        browser.log_in(&real, READER).await;
        browser.open_without_scripts(&real, "/mirrors/sextant").await;
        assert_eq!(browser.find_all(".buttons").await.len(), 0, "who only reads has no buttons");
        browser.find("header form button").await.click().await.unwrap();
        browser.wait_for("h1", "Log in").await;

        browser.log_in(&real, ADMIN).await;
        real.mend("sextant");
        browser.open_without_scripts(&real, "/mirrors/sextant").await;
        browser.find(".buttons form[action$='/retry'] button").await.click().await.unwrap();
        browser.wait_for_path("/runs/").await;
        assert!(browser.text("h1").await.contains("sextant"));
        real.until_state("sextant", "good");
        browser.driver.refresh().await.unwrap();
        assert!(browser.text(".lead").await.starts_with("Done"));
        for path in pages(&real) {
            browser.open_without_scripts(&real, &path).await;
            assert!(!browser.text("h1").await.is_empty(), "{path}");
        }
    });
}
