//! A delivery of a forge about a repository, made of one that is kept in `fixtures/hooks`, so that an endpoint
//! can be tried without its forge.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

/// The shape of a delivery.
#[derive(Debug)]
pub(super) struct Sample {
    /// The headers, a line each.
    pub(super) headers: &'static str,
    /// The JSON, or the form with it in its field `payload`.
    pub(super) body: &'static str,
    /// Where in the JSON the repository is named.
    pub(super) names: &'static [(&'static str, Part)],
}

/// What a place of the JSON says of the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// `acme/rocket`
    Path,
    /// `acme`
    Owner,
    /// `rocket`
    Slug,
    /// `/acme/rocket/`
    AbsolutePath,
    /// `https://hg.example.org/acme/rocket`
    Address,
    /// `https://hg.example.org`
    Server,
    /// The name of the mirror.
    Mirror,
}

/// The repository that a sample is to be about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleRepository<'a> {
    /// The mirror's name.
    pub mirror: &'a str,
    /// The path on its server, without a slash before it or behind it.
    pub path: &'a str,
    /// The address of its server; `None` if it is not known from outside.
    pub server: Option<&'a str>,
}

/// A delivery that is not proven yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SampleDelivery {
    /// Names as they are sent, and values.
    pub headers: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
}

impl SampleRepository<'_> {
    fn part(&self, part: Part) -> Value {
        let (owner, slug) = self.path.rsplit_once('/').unwrap_or(("", self.path));
        match part {
            Part::Path => self.path.into(),
            Part::Owner => owner.into(),
            Part::Slug => slug.into(),
            Part::AbsolutePath => format!("/{}/", self.path).into(),
            Part::Address => match self.server {
                Some(server) => format!("{server}/{}", self.path).into(),
                None => Value::Null,
            },
            Part::Server => self.server.unwrap_or_default().into(),
            Part::Mirror => self.mirror.into(),
        }
    }
}

impl Sample {
    /// The delivery about `repository` that calls itself `id` in each of the headers `id_headers` (in lower
    /// case) that it has.
    pub(super) fn of(
        &self,
        repository: &SampleRepository<'_>,
        id_headers: &[&str],
        id: &str,
    ) -> SampleDelivery {
        let headers = self.headers.lines().filter_map(|line| line.split_once(": "));
        let headers = headers.map(|(name, value)| {
            let is_id = id_headers.contains(&name.to_ascii_lowercase().as_str());
            (name.to_owned(), if is_id { id } else { value }.to_owned())
        });
        let mut headers: Vec<_> = headers.collect();
        let form = super::form::field(self.body.as_bytes(), "payload");
        let json = form.as_deref().unwrap_or(self.body.as_bytes());
        // A fixture: a test reads every one of them.
        let mut value: Value = serde_json::from_slice(json).unwrap_or_default();
        for &(pointer, part) in self.names {
            if let Some(place) = value.pointer_mut(pointer) {
                *place = repository.part(part);
            }
        }
        let json = value.to_string();
        let body = match form {
            Some(_) => format!("payload={}", utf8_percent_encode(&json, NON_ALPHANUMERIC)),
            None => json,
        };
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
            let kind = if form_like(&body) { FORM } else { "application/json" };
            headers.push(("Content-Type".to_owned(), kind.to_owned()));
        }
        SampleDelivery { headers, body: body.into_bytes() }
    }
}

const FORM: &str = "application/x-www-form-urlencoded";

fn form_like(body: &str) -> bool {
    body.starts_with("payload=")
}
