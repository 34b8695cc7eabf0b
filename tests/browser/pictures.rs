//! Pictures of pages, for who wants to look at them, and for the documents.

use std::path::PathBuf;

use crate::browser::{Browser, Theme, with_browser};
use crate::real::{ADMIN, Real};

/// Keeps a picture of the whole page, if pictures of all pages are wanted.
pub(crate) async fn keep(browser: &Browser, theme: Theme, path: &str) {
    let Some(folder) = std::env::var_os("SYNCHRONISER_LOOKS") else { return };
    let is_plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = path.chars().map(is_plain).take(40).collect();
    browser.picture_of_all(&PathBuf::from(folder).join(format!("{theme:?}{name}.png"))).await;
}

/// The pictures in the documents, made anew where a folder for them is named.
#[test]
fn pictures_of_the_main_pages() {
    if std::env::var_os("SYNCHRONISER_SCREENSHOTS").is_none() {
        return;
    }
    with_browser(async |browser| {
        let real = Real::for_pictures();
        // One that runs, half-way.
        real.pace.set(20);
        real.until("/api/v1/mirrors/lighthouse", |it| it["progress"]["done"].as_u64() > Some(90));
        real.pace.hold();
        real.settle_but(1);
        browser.log_in(&real, ADMIN).await;
        for (path, theme, name) in [
            ("/", Theme::Light, "mirrors"),
            ("/mirrors/sextant", Theme::Dark, "mirror"),
            (&real.last_run("lighthouse"), Theme::Phone, "run"),
        ] {
            browser.set_theme(theme).await;
            browser.open(&real, path).await;
            browser.picture(name).await;
        }
    });
}
