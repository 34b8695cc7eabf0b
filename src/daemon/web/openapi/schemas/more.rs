//! Further types: caches and credentials, the queue, badges, problems.

use serde_json::Value;

use super::{list, object, of, or_null};

/// Those of caches and credentials.
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

/// What an overview has in it.
pub(super) fn overview() -> Vec<(&'static str, Value)> {
    vec![
        (
            "StateCount",
            object(vec![
                ("state", of("MirrorState"), "The state."),
                ("mirrors", of("Unsigned"), "How many mirrors are in it."),
            ]),
        ),
        (
            "Node",
            object(vec![
                ("id", of("Text"), "Its id, new for each process."),
                ("name", of("Text"), "The name of its machine."),
                ("role", of("Text"), "What it does: all, or a part of that."),
                ("version", of("Text"), "The version of its program."),
                ("state", of("NodeState"), "How it is."),
                ("here", of("Flag"), "Whether it is the one that answers."),
                ("started", of("Time"), "When it began."),
                ("beat", of("Time"), "When it was last heard of."),
                ("free", or_null("Unsigned"), "What is free on the disk of its caches, in bytes."),
                ("gives_caches", of("Flag"), "Whether it gives its caches to others."),
                ("runs", list("Asked"), "What is under way there."),
            ]),
        ),
    ]
}

/// All others.
pub(super) fn more() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Asked",
            object(vec![
                ("mirror", of("Text"), "The mirror."),
                ("run", of("RunId"), "The run that answers."),
            ]),
        ),
        ("Queue", object(vec![("queue", list("QueueEntry"), "In the order in which it is due.")])),
        (
            "QueueEntry",
            object(vec![
                ("mirror", of("Text"), "The mirror."),
                ("run", or_null("RunId"), "The run, if its id was given to somebody."),
                (
                    "node",
                    or_null("Text"),
                    "The node that it is under way at, where there may be several.",
                ),
                ("running", of("Flag"), "Whether it is under way."),
                ("requests", of("Unsigned"), "How many requests wait."),
                ("due", or_null("Time"), "When it may begin."),
            ]),
        ),
        (
            "Badge",
            object(vec![
                ("schemaVersion", of("Unsigned"), "1."),
                ("label", of("Text"), "The left side."),
                ("message", of("Text"), "The right side."),
                ("color", of("Text"), "The colour of the right side."),
                ("isError", of("Flag"), "Whether somebody has to look."),
            ]),
        ),
        (
            "Problem",
            object(vec![
                ("type", of("Text"), "about:blank: the status says it all."),
                ("title", of("Text"), "What the status means."),
                ("status", of("Unsigned"), "The status."),
                ("detail", of("Text"), "What is wrong, in whole sentences."),
            ]),
        ),
    ]
}
