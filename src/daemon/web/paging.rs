//! Pages of long lists, and the addresses of what is shown.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::problem::Problem;
use super::request::Request;

/// How many lines a page has.
pub(super) const PAGE: usize = 100;
/// How many items an answer of the API has at most.
const MOST: usize = 1000;

/// What is escaped in a part of a path, and in a value of a query.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// `text` as one part of a path, or as a value of a query.
pub(super) fn escape(text: &str) -> String {
    utf8_percent_encode(text, ESCAPED).to_string()
}

/// The page of a mirror.
pub(super) fn mirror_path(name: &str) -> String {
    format!("/mirrors/{}", escape(name))
}

/// The page of a run.
pub(super) fn run_path(id: impl std::fmt::Display) -> String {
    format!("/runs/{id}")
}

/// A path with a query of those parameters that have a value.
pub(super) fn with_query(path: &str, parameters: &[(&str, Option<&str>)]) -> String {
    let given = parameters.iter().filter_map(|(name, value)| Some((name, (*value)?)));
    let mut text = path.to_owned();
    for (name, value) in given.filter(|(_, value)| !value.is_empty()) {
        text.push(if text.contains('?') { '&' } else { '?' });
        text.push_str(&format!("{name}={}", escape(value)));
    }
    text
}

/// A number in the query.
pub(super) fn number<T: std::str::FromStr>(
    request: &Request,
    name: &str,
) -> Result<Option<T>, Problem> {
    let Some(text) = request.given(name) else { return Ok(None) };
    let wrong = |_| Problem::bad_request(format!("The parameter \"{name}\" is not valid."));
    text.parse().map(Some).map_err(wrong)
}

/// How many items an answer of the API shall have.
pub(super) fn count(request: &Request) -> Result<usize, Problem> {
    match number(request, "count")?.unwrap_or(PAGE) {
        count if (1..=MOST).contains(&count) => Ok(count),
        _ => Err(Problem::bad_request(format!("The parameter \"count\" is from 1 to {MOST}."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_can_hold_every_name() {
        assert_eq!(mirror_path("bitbucket.org/ö/a b"), "/mirrors/bitbucket.org%2F%C3%B6%2Fa%20b");
        let query =
            [("state", Some("good")), ("q", None), ("owner", Some("")), ("after", Some("a&b"))];
        assert_eq!(with_query("/", &query), "/?state=good&after=a%26b");
    }
}
