//! The `OpenAPI` document: operations from the table of routes, schemas from one table of our types. A test
//! holds real answers against it.

mod schemas;

use serde_json::{Map, Value, json};

use super::pages::token;
use super::routes::{Content, Kind, Need, Parameter, ROUTES, Route};

/// The document, as `docs/openapi.json` has it.
pub fn document() -> String {
    let described = ROUTES.iter().filter(|route| is_described(route));
    let mut paths = Map::new();
    for route in described {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(path) = path.as_object_mut() {
            path.insert(route.method.to_ascii_lowercase(), operation(route));
        }
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "synchroniser",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Git mirrors of Mercurial repositories: how they are, and what can be asked for. \
                            Times are milliseconds since 1970, UTC. A name with slashes is one part \
                            of a path, with the slashes escaped.",
            "license": { "name": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": problems(),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A token with the scope read, trigger or admin.",
                },
            },
        },
    });
    // Whatever is a `Value` can be written.
    let text = serde_json::to_string_pretty(&document).unwrap_or_default();
    format!("{text}\n")
}

/// Pages are for people, and files of pages too.
fn is_described(route: &Route) -> bool {
    route.kind == Kind::Api || (route.kind == Kind::File && route.need != Need::Nothing)
}

fn of(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn operation(route: &Route) -> Value {
    let mut parameters: Vec<_> = name_in_path(route).into_iter().collect();
    parameters.extend(route.query.iter().map(|it| parameter(it, "query")));
    parameters.extend(route.headers.iter().map(|it| parameter(it, "header")));
    let mut answers = Map::new();
    answers.insert(route.status.to_string(), answer(route));
    if !route.is_change() && route.content != Content::Events {
        let known =
            json!({ "description": "The client has it already, as its If-None-Match says." });
        answers.insert("304".to_owned(), known);
    }
    for status in statuses(route) {
        let name = problem_name(route.is_page(), status);
        let problem = json!({ "$ref": format!("#/components/responses/{name}") });
        answers.insert(status.to_string(), problem);
    }
    let security = match route.need {
        Need::Nothing => json!([]),
        // Nobody needs a token if looking is open.
        Need::AnyToken | Need::Read => json!([{ "token": [] }, {}]),
        Need::Trigger | Need::Admin => json!([{ "token": [] }]),
    };
    json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "description": format!("Token: {}.", token(route.need)),
        "parameters": parameters,
        "responses": answers,
        "security": security,
    })
}

fn operation_id(route: &Route) -> String {
    let path = route.path.trim_start_matches("/api/v1");
    let words = path.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let words: Vec<_> = words.collect();
    format!("{}_{}", route.method.to_ascii_lowercase(), words.join("_"))
}

fn name_in_path(route: &Route) -> Option<Value> {
    let (_, rest) = route.path.split_once('{')?;
    let (name, _) = rest.split_once('}')?;
    let schema = if name == "id" { of("RunId") } else { of("Name") };
    Some(json!({ "name": name, "in": "path", "required": true, "schema": schema }))
}

fn parameter(parameter: &Parameter, place: &str) -> Value {
    json!({
        "name": parameter.name,
        "in": place,
        "required": false,
        "description": parameter.about,
        "schema": of(parameter.schema),
    })
}

fn answer(route: &Route) -> Value {
    let text = json!({ "schema": { "type": "string" } });
    let (content_type, content) = match route.content {
        Content::Json(schema) => ("application/json", json!({ "schema": of(schema) })),
        Content::File("application/json") => ("application/json", json!({ "schema": of("Badge") })),
        Content::File(content_type) => (content_type, text),
        Content::Events => ("text/event-stream", text),
        Content::Html => ("text/html", text),
        Content::Redirect | Content::Empty => return json!({ "description": "It is done." }),
    };
    json!({ "description": "What was asked for.", "content": { content_type: content } })
}

/// Why a request may not be answered as it was meant, each with the header that says more.
const PROBLEMS: [(u16, &str, Option<&str>); 11] = [
    (400, "The request is not valid.", None),
    (401, "A token is needed, or the one that was sent is not known.", Some("WWW-Authenticate")),
    (403, "The token is for something else.", None),
    (404, "There is nothing with this name or id, or not any more.", None),
    (405, "The address does not take this method.", Some("Allow")),
    (408, "The request did not arrive in time.", None),
    (413, "The body of the request is too large.", None),
    (421, "The host in the address is not that of \"public_url\" in the configuration.", None),
    (429, "There were too many requests of this kind.", Some("Retry-After")),
    (500, "It failed; the log says why.", None),
    (
        503,
        "It cannot be answered now, since the queue cannot be used or the service is stopping.",
        Some("Retry-After"),
    ),
];

/// The statuses of problems that a request to this line of the table can meet.
fn statuses(route: &Route) -> impl Iterator<Item = u16> {
    let has_name = route.path.contains('{');
    // Any token will do to see a run.
    let has_scope = !matches!(route.need, Need::Nothing | Need::AnyToken);
    let can_be = move |status: &u16| match status {
        403 => has_scope,
        404 => has_name,
        _ => true,
    };
    PROBLEMS.iter().map(|(status, ..)| *status).filter(can_be)
}

fn problem_name(is_page: bool, status: u16) -> String {
    format!("{}{status}", if is_page { "Page" } else { "Problem" })
}

/// The problems, as JSON and as pages.
fn problems() -> Map<String, Value> {
    let mut problems = Map::new();
    for (is_page, (status, about, header)) in
        [false, true].into_iter().flat_map(|is_page| PROBLEMS.map(|problem| (is_page, problem)))
    {
        let content = match is_page {
            false => json!({ "application/problem+json": { "schema": of("Problem") } }),
            true => json!({ "text/html": { "schema": { "type": "string" } } }),
        };
        let mut problem = json!({ "description": about, "content": content });
        if let (Some(header), Some(problem)) = (header, problem.as_object_mut()) {
            let text = json!({ "required": true, "schema": { "type": "string" } });
            problem.insert("headers".to_owned(), json!({ header: text }));
        }
        problems.insert(problem_name(is_page, status), problem);
    }
    problems
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn collect(value: &Value, named: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                if key == "$ref" {
                    let path = value.as_str().unwrap().strip_prefix("#/components/").unwrap();
                    named.insert(path.to_owned());
                }
                collect(value, named);
            }),
            Value::Array(items) => items.iter().for_each(|item| collect(item, named)),
            _ => {}
        }
    }

    #[test]
    fn all_that_is_named_is_there_and_each_is_named() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let mut named = BTreeSet::new();
        collect(&document, &mut named);
        let there = ["schemas", "responses"].into_iter().flat_map(|kind| {
            let components = document["components"][kind].as_object().unwrap();
            components.keys().map(move |name| format!("{kind}/{name}")).collect::<Vec<_>>()
        });
        assert_eq!(there.collect::<BTreeSet<_>>(), named);
    }
}
