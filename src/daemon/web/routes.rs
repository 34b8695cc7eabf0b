//! The one table of what is served. It routes requests, and makes the `OpenAPI` document and the page that
//! shows it.

mod table;

use super::Visit;
use super::answer::Answer;
use super::problem::Problem;
use super::request::{Request, decode};
pub(super) use table::ROUTES;

/// What a request must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Need {
    /// Nothing: what is answered says nothing of mirrors.
    Nothing,
    /// Any token, unless looking is open: who was told the id of a run may see the run.
    AnyToken,
    /// A token to look, unless looking is open.
    Read,
    /// A token to ask for syncs.
    Trigger,
    /// A token for everything.
    Admin,
}

/// For whom an answer is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A person with a browser.
    Page,
    /// A program that sends a token.
    Api,
    /// Whatever shows pictures or reads feeds.
    File,
}

/// What an answer consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A page.
    Html,
    /// A file of this type.
    File(&'static str),
    /// JSON of this schema.
    Json(&'static str),
    /// A stream of events.
    Events,
    /// Nothing: another page is named.
    Redirect,
    /// Nothing.
    Empty,
}

/// A parameter of the query, or a header.
#[derive(Debug)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    /// The name of its schema.
    pub(super) schema: &'static str,
    pub(super) about: &'static str,
}

/// Who answers.
pub(super) enum Handler {
    /// A function, now; it may block.
    Now(fn(&Visit<'_>) -> Result<Answer, Problem>),
    /// A function, once the run that the path names is over or the time is up.
    OnceOver(fn(&Visit<'_>) -> Result<Answer, Problem>),
    /// The stream of events.
    Stream,
}

/// One line of the table.
pub(super) struct Route {
    /// `GET` or `POST`.
    pub(super) method: &'static str,
    /// The path; `{name}` or `{id}` stands for one part of it, with escapes for slashes.
    pub(super) path: &'static str,
    /// What it does, for who reads the documentation.
    pub(super) summary: &'static str,
    pub(super) need: Need,
    pub(super) kind: Kind,
    pub(super) query: &'static [Parameter],
    /// The headers that change what it does.
    pub(super) headers: &'static [Parameter],
    /// The status of an answer that tells of no problem.
    pub(super) status: u16,
    pub(super) content: Content,
    pub(super) handler: Handler,
}

impl Route {
    /// Whether problems are told as a page.
    pub(super) fn is_page(&self) -> bool {
        self.kind != Kind::Api
    }

    /// Whether it changes something.
    pub(super) fn is_change(&self) -> bool {
        self.method != "GET"
    }

    /// What stands for the name in its path, decoded; empty for a path without one.
    fn name_in(&self, path: &str) -> Option<String> {
        let mut name = String::new();
        let mut parts = path.split('/');
        for pattern in self.path.split('/') {
            let part = parts.next()?;
            let Some((before, rest)) = pattern.split_once('{') else {
                if pattern == part {
                    continue;
                }
                return None;
            };
            let (_, after) = rest.split_once('}')?;
            let part = part.strip_prefix(before)?.strip_suffix(after)?;
            if part.is_empty() {
                return None;
            }
            name = decode(part);
        }
        parts.next().is_none().then_some(name)
    }
}

/// What a request is for.
pub(super) enum Find {
    /// A line of the table.
    Route { route: &'static Route, name: String },
    /// A path that there is, with a method that it does not take; and those that it does.
    Method { allow: String },
    /// Nothing.
    Nothing,
}

/// Finds the line of the table.
pub(super) fn find(request: &Request) -> Find {
    let mut allow = Vec::new();
    for route in ROUTES {
        let Some(name) = route.name_in(&request.path) else { continue };
        if route.method == request.method.as_str() {
            return Find::Route { route, name };
        }
        let methods = if route.is_change() { route.method } else { "GET, HEAD" };
        allow.push(methods);
    }
    match allow.is_empty() {
        true => Find::Nothing,
        false => Find::Method { allow: allow.join(", ") },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_taken_from_paths() {
        let name = |pattern: &'static str, path: &str| {
            let route = ROUTES.iter().find(|route| route.path == pattern).unwrap();
            route.name_in(path)
        };
        for (pattern, path, expected) in [
            ("/", "/", Some("")),
            ("/mirrors/{name}", "/mirrors/a%2Fb%20%C3%B6", Some("a/b ö")),
            ("/mirrors/{name}", "/mirrors/", None),
            ("/mirrors/{name}", "/mirrors/a/b", None),
            ("/mirrors/{name}/sync", "/mirrors/a/sync", Some("a")),
            ("/badge/{name}.svg", "/badge/a.b.svg", Some("a.b")),
            ("/badge/{name}.svg", "/badge/.svg", None),
            ("/badge/{name}.svg", "/badge/a.json", None),
        ] {
            assert_eq!(name(pattern, path).as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn each_line_is_for_something_else() {
        let lines: HashSet<_> = ROUTES.iter().map(|it| (it.method, it.path)).collect();
        assert_eq!(lines.len(), ROUTES.len());
        for route in ROUTES {
            assert_eq!(route.kind == Kind::Api, route.path.starts_with("/api/"), "{}", route.path);
            assert!(route.summary.ends_with('.'), "{}", route.summary);
        }
    }
}
