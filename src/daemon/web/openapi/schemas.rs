//! The types of the API as JSON Schema, each field with what it says.

mod more;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::of;
use crate::base::{Fault, Severity, Side, Stage, Unit};
use crate::queue::model::{Cause, RunState, Verdict};
use crate::service::view::{ColdStart, MirrorState, NodeState};

/// A field: its name, its schema, what it says.
type Field = (&'static str, Value, &'static str);

/// All schemas, by their names.
pub(super) fn all() -> Map<String, Value> {
    let mut schemas = Map::new();
    for (name, schema) in plain()
        .into_iter()
        .chain(names())
        .chain(mirrors())
        .chain(runs())
        .chain(others())
        .chain(more::kept())
        .chain(more::overview())
        .chain(more::more())
    {
        schemas.insert(name.to_owned(), schema);
    }
    schemas
}

fn object(fields: Vec<Field>) -> Value {
    let names: Vec<_> = fields.iter().map(|(name, ..)| *name).collect();
    let mut properties = Map::new();
    for (name, mut schema, about) in fields {
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), about.into());
        }
        properties.insert(name.to_owned(), schema);
    }
    json!({
        "type": "object",
        "properties": properties,
        "required": names,
        "additionalProperties": false,
    })
}

fn list(schema: &str) -> Value {
    json!({ "type": "array", "items": of(schema) })
}

fn or_null(schema: &str) -> Value {
    json!({ "anyOf": [of(schema), { "type": "null" }] })
}

/// One of the names that a type has in JSON.
fn one_of<T: Serialize>(values: &[T]) -> Value {
    let names: Vec<_> =
        values.iter().filter_map(|value| serde_json::to_value(value).ok()).collect();
    json!({ "type": "string", "enum": names })
}

fn plain() -> Vec<(&'static str, Value)> {
    let unsigned = json!({ "type": "integer", "minimum": 0 });
    vec![
        ("Any", json!({ "type": "object" })),
        ("Text", json!({ "type": "string" })),
        ("Name", json!({ "type": "string", "minLength": 1 })),
        ("RequestKey", json!({ "type": "string", "pattern": "^[!-~]{1,255}$" })),
        ("Flag", json!({ "type": "boolean" })),
        ("Unsigned", unsigned),
        ("Number", json!({ "type": "integer", "format": "int64" })),
        ("Count", json!({ "type": "integer", "minimum": 1, "maximum": 1000 })),
        ("Seconds", json!({ "type": "integer", "minimum": 0, "maximum": u32::MAX })),
        (
            "Time",
            json!({
                "type": "integer",
                "format": "int64",
                "description": "Milliseconds since 1970, UTC.",
            }),
        ),
    ]
}

/// Types that have a name in JSON.
fn names() -> Vec<(&'static str, Value)> {
    vec![
        ("RunId", json!({ "type": "string", "pattern": "^[0-9a-f]{32}$" })),
        ("MirrorState", one_of(&MirrorState::ALL)),
        ("NodeState", one_of(&NodeState::ALL)),
        ("ColdStart", one_of(&ColdStart::ALL)),
        (
            "RunState",
            one_of(&[
                RunState::Queued,
                RunState::Running,
                RunState::Done,
                RunState::Partial,
                RunState::Failed,
                RunState::Interrupted,
            ]),
        ),
        (
            "Cause",
            one_of(&[
                Cause::Hook,
                Cause::Schedule,
                Cause::Person,
                Cause::Retry,
                Cause::Configuration,
            ]),
        ),
        (
            "Verdict",
            one_of(&[
                Verdict::Accepted,
                Verdict::Repeated,
                Verdict::Ignored,
                Verdict::Unverified,
                Verdict::Malformed,
                Verdict::Unmatched,
            ]),
        ),
        ("Fault", one_of(&Fault::ALL)),
        ("Side", one_of(&Side::ALL)),
        ("Severity", one_of(&[Severity::Note, Severity::Warning, Severity::Error])),
        ("Stage", one_of(Stage::ALL)),
        (
            "Unit",
            one_of(&[
                Unit::Changesets,
                Unit::Revisions,
                Unit::FileRevisions,
                Unit::Files,
                Unit::Commits,
                Unit::Objects,
                Unit::Refs,
                Unit::Bytes,
                Unit::Seconds,
            ]),
        ),
    ]
}

fn mirror_fields() -> Vec<Field> {
    vec![
        ("name", of("Text"), "Its name."),
        ("owner", of("Text"), "Whose it is."),
        ("source", of("Text"), "The address of the source, without secrets."),
        ("target", or_null("Text"), "The address of the target; null if only the cache is kept."),
        ("state", of("MirrorState"), "How it is."),
        ("paused", of("Flag"), "Whether a person has paused it, whatever else its state says."),
        ("failure", or_null("Failure"), "Why it is not good, if it is not."),
        ("failures", of("Unsigned"), "How many runs have failed in a row."),
        ("since", or_null("Time"), "Since when it is in trouble, parked or paused."),
        ("last_tried", or_null("Time"), "When a run last ended, however."),
        ("last_good", or_null("Time"), "When a run last ended well."),
        ("last_change", or_null("Time"), "When a run last found something new at the source."),
        ("lag", or_null("Unsigned"), "How many changesets the target lacks, as far as is known."),
        ("running", or_null("RunId"), "The run that is under way."),
        ("progress", or_null("Progress"), "How far it is."),
        ("due", or_null("Time"), "When it is due next."),
        ("nodes", list("Text"), "Patterns over the machines that alone may sync it; any if none."),
        ("no_node", of("Flag"), "Whether no daemon is there that may sync it."),
    ]
}

fn detail_fields() -> Vec<Field> {
    let mut detail = mirror_fields();
    detail.extend([
        (
            "refs",
            list("Ref"),
            "Its refs at the target, as the last run that came to its end saw them.",
        ),
        ("runs", list("RunSummary"), "Its last runs, the newest first."),
        ("configuration", list("Setting"), "Its configuration, without secrets."),
        ("cache_bytes", or_null("Unsigned"), "What its cache takes, in bytes, if that is known."),
        (
            "credentials",
            list("Credential"),
            "Those of its credentials and certificates whose end is known, the next to end first.",
        ),
    ]);
    detail
}

fn mirrors() -> Vec<(&'static str, Value)> {
    vec![
        ("MirrorSummary", object(mirror_fields())),
        ("MirrorDetail", object(detail_fields())),
        (
            "MirrorList",
            object(vec![
                (
                    "mirrors",
                    list("MirrorSummary"),
                    "Those of this page, in the order of their names.",
                ),
                ("found", of("Unsigned"), "How many the filter leaves in all."),
                ("next", or_null("Text"), "Where the next page begins: after this name."),
            ]),
        ),
        (
            "Failure",
            object(vec![
                ("fault", of("Fault"), "Its class."),
                ("side", of("Side"), "On which side it is to be mended."),
                ("message", of("Text"), "What failed, and because of what."),
                ("hint", or_null("Text"), "What can be done about it."),
            ]),
        ),
        (
            "Progress",
            object(vec![
                ("stage", of("Stage"), "What is being done."),
                ("unit", of("Unit"), "What is counted."),
                ("done", of("Unsigned"), "How many of them are done."),
                ("total", or_null("Unsigned"), "How many there are, if that is known."),
            ]),
        ),
        (
            "Ref",
            object(vec![
                ("name", of("Text"), "The full name."),
                ("old", or_null("Text"), "What it was; null if it was not there."),
                ("new", or_null("Text"), "What it is; null if it is not there."),
                ("refused", or_null("Text"), "Why it is not as the source wants it, if it is not."),
            ]),
        ),
        (
            "Setting",
            object(vec![
                ("key", of("Text"), "The key, with the table that it is in."),
                ("value", of("Text"), "Its value."),
            ]),
        ),
    ]
}

fn run_fields() -> Vec<Field> {
    vec![
        ("id", of("RunId"), "Its id."),
        ("mirror", of("Text"), "The mirror."),
        ("state", of("RunState"), "What has become of it."),
        ("node", or_null("Text"), "The node that began it, where there may be several."),
        ("cause", of("Cause"), "What asked for it."),
        ("requests", of("Unsigned"), "How many requests it answers."),
        ("asked", of("Time"), "When it was asked for."),
        ("started", or_null("Time"), "When it began."),
        ("ended", or_null("Time"), "When it ended."),
        ("changesets", of("Unsigned"), "Changesets of the source."),
        ("converted", of("Unsigned"), "How many of them it converted."),
        ("changed", of("Unsigned"), "How many refs it changed."),
        ("refused", of("Unsigned"), "How many refs were refused."),
        (
            "cold",
            or_null("ColdStart"),
            "Where its cache came from, if there was none: made from the source, or another node's.",
        ),
        ("phases", list("Phase"), "Its stages so far, in their order."),
        ("failure", or_null("Failure"), "Why it did not end well."),
    ]
}

fn runs() -> Vec<(&'static str, Value)> {
    let mut detail = run_fields();
    detail.extend([
        ("refs", list("Ref"), "The refs that it changed, and those that were refused."),
        ("more_refs", of("Unsigned"), "How many refs were left out."),
        ("log", list("LogLine"), "What it had to say."),
        ("more_lines", of("Unsigned"), "How many lines of the log were left out."),
        ("progress", or_null("Progress"), "How far it is, while it runs."),
    ]);
    vec![
        ("RunSummary", object(run_fields())),
        ("RunDetail", object(detail)),
        (
            "RunList",
            object(vec![
                ("runs", list("RunSummary"), "The newest first."),
                ("next", or_null("RunId"), "Where the next page begins: before this run."),
            ]),
        ),
        (
            "Phase",
            object(vec![
                ("stage", of("Text"), "The stage."),
                ("title", of("Text"), "What was done, in words."),
                ("done", of("Unsigned"), "How many units were done."),
                ("millis", of("Unsigned"), "How long it took, in milliseconds."),
            ]),
        ),
        (
            "LogLine",
            object(vec![
                ("at", of("Time"), "When."),
                ("severity", of("Severity"), "How much it matters."),
                ("text", of("Text"), "The text."),
            ]),
        ),
        (
            "Receipt",
            object(vec![
                ("mirror", of("Name"), "The mirror that is asked for."),
                ("run", of("RunId"), "The run that does what was asked for."),
                ("folded", of("Flag"), "Whether an earlier request had asked for the same run."),
            ]),
        ),
    ]
}

fn others() -> Vec<(&'static str, Value)> {
    vec![
        (
            "Overview",
            object(vec![
                ("states", list("StateCount"), "How many mirrors are in each state."),
                ("running", of("Unsigned"), "How many runs are under way."),
                ("waiting", of("Unsigned"), "How many mirrors wait, and are due."),
                (
                    "oldest_due_millis",
                    or_null("Unsigned"),
                    "How long the one that is due longest has been so.",
                ),
                ("beat", of("Time"), "When the schedule last moved."),
                ("now", of("Time"), "Now, by the clock of the service."),
                ("stopping", of("Flag"), "Whether it is stopping."),
                ("trouble", or_null("Failure"), "Why the queue cannot be used, if it cannot."),
                ("version", of("Text"), "The version of the program."),
                (
                    "nodes",
                    list("Node"),
                    "The daemons that share the queue, where there may be several.",
                ),
                ("without_node", of("Unsigned"), "How many mirrors none of them may sync."),
                ("no_worker", of("Flag"), "Whether none of them is there that syncs."),
                (
                    "fenced",
                    of("Unsigned"),
                    "Runs kept from publishing, as their claims may be gone.",
                ),
            ]),
        ),
        (
            "DeliveryList",
            object(vec![
                ("deliveries", list("Delivery"), "The newest first."),
                ("next", or_null("Number"), "Where the next page begins: before this delivery."),
            ]),
        ),
        (
            "Delivery",
            object(vec![
                ("number", of("Number"), "Its number; later ones have larger numbers."),
                ("at", of("Time"), "When it arrived."),
                ("endpoint", of("Text"), "The endpoint."),
                (
                    "format",
                    of("Text"),
                    "The format of the endpoint; empty if that is not known any more.",
                ),
                ("from", of("Text"), "The address that it came from."),
                ("verdict", of("Verdict"), "What became of it."),
                ("about", of("Text"), "What it was about, or what is wrong with it."),
                ("asked", list("Asked"), "The mirrors that it asked for."),
            ]),
        ),
    ]
}
