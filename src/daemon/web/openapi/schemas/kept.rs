//! The types of what is kept over the years: caches and credentials.

use serde_json::Value;

use super::{list, object, of, or_null};

/// All of them, by their names.
pub(super) fn kept() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Caches",
            object(vec![
                ("measured", or_null("Time"), "When they were last looked at, since the start."),
                ("bytes", of("Unsigned"), "What all of them take, in bytes."),
                (
                    "unused",
                    of("Unsigned"),
                    "What those take whose mirrors are configured no more, in bytes.",
                ),
                ("quota", or_null("Unsigned"), "What all may take, in bytes; null for no limit."),
                ("free", or_null("Unsigned"), "What is free on their disk, in bytes."),
                ("reserve", of("Unsigned"), "What has to stay free there, in bytes."),
                ("mirrors", list("Cache"), "The cache of each mirror that is configured."),
            ]),
        ),
        (
            "Cache",
            object(vec![
                ("mirror", of("Text"), "The mirror."),
                ("bytes", of("Unsigned"), "What its cache takes, in bytes."),
            ]),
        ),
        (
            "CredentialList",
            object(vec![("credentials", list("Credential"), "The next to end first.")]),
        ),
        (
            "Credential",
            object(vec![
                ("name", of("Text"), "What it is, and where it is kept."),
                ("ends", of("Time"), "When it ends."),
                ("mirrors", list("Text"), "The mirrors that use it."),
            ]),
        ),
    ]
}
