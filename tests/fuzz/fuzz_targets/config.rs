//! The operator's file, and the addresses in it.
#![no_main]

use std::collections::HashSet;
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use synchroniser::config::Config;
use synchroniser::net::TargetUrl;
use synchroniser::net::url::PlainHttp;
use synchroniser_fuzz::told;

fn address(text: &str) {
    for plain_http in [PlainHttp::Allow, PlainHttp::Refuse] {
        match TargetUrl::parse(text, plain_http) {
            Ok(url) => {
                let shown = url.to_string();
                let again = TargetUrl::parse(&shown, plain_http);
                assert_eq!(again.map(|url| url.to_string()).ok(), Some(shown));
                let _ = (url.local_path(), url.owner(), url.project());
            }
            Err(error) => told(&error),
        }
    }
}

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    address(text.lines().next().unwrap_or_default());
    // A file that is not there, in a folder without others: what it names is not there either.
    match Config::parse(text, Path::new("/nonexistent/folder/synchroniser.toml"), None) {
        Ok(config) => {
            let mut names = HashSet::new();
            for mirror in &config.mirrors {
                assert!(names.insert(&mirror.mirror.name));
                assert!(config.mirror(&mirror.mirror.name).is_some());
            }
        }
        Err(error) => told(&error),
    }
});
