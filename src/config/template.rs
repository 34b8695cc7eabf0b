//! Addresses with placeholders, and the values that stand for them.
//!
//! A placeholder is in the path, at most one in each of its segments, so that the values can be read
//! out of an address in one way only, and two lists of values never give one address. Values are plain
//! names: nothing that is made of one leaves its segment, hides, or is an option.

use crate::base::faults;
use crate::net::TargetUrl;
use crate::net::url::{PlainHttp, RepositoryId, SourceUrl};

/// The most segments of a value of `{path}`.
const MOST_SEGMENTS: usize = 16;
/// The most characters of one segment.
const LONGEST_SEGMENT: usize = 100;
/// The most characters of all values together: they are the name of a folder, too.
const LONGEST: usize = 140;

/// What stands for a part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placeholder {
    /// `{owner}`: one name.
    Owner,
    /// `{slug}`: one name.
    Slug,
    /// `{path}`: names with slashes between.
    Path,
}

impl Placeholder {
    const ALL: [Self; 3] = [Self::Owner, Self::Slug, Self::Path];

    /// What stands in its braces.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Slug => "slug",
            Self::Path => "path",
        }
    }

    /// As it stands in an address.
    pub(super) fn written(self) -> String {
        format!("{{{}}}", self.name())
    }
}

/// Why a text is no template. It is not repeated: an address may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// There is a brace that belongs to no placeholder.
    #[error("read a template: only {{owner}}, {{slug}} and {{path}} may be in braces")]
    Brace,
    /// A placeholder stands before the path.
    #[error("read a template: placeholders are for the path alone, not for servers or users")]
    NotInPath,
    /// Two placeholders are in one segment.
    #[error("read a template: a slash must be between two placeholders")]
    Together,
    /// A path beside another placeholder.
    #[error("read a template: {{path}} is all that may vary, so no other placeholder is beside it")]
    PathAndMore,
    /// A placeholder is there twice.
    #[error("read a template: each placeholder may be there once")]
    Twice,
}

faults!(TemplateError => Config.at(Here));

/// An address with placeholders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Template {
    text: String,
    /// What the address leads to, the placeholders still in its path.
    place: Option<RepositoryId>,
    /// Those that are in it, in their order.
    placeholders: Vec<Placeholder>,
}

/// What stands for the placeholders of a source, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values(pub(super) Vec<(Placeholder, String)>);

impl Template {
    /// Reads the address of a source.
    pub(super) fn of_source(text: &str) -> Result<Self, TemplateError> {
        let place = match text.contains("://") {
            true => SourceUrl::parse(text).ok().map(|url| RepositoryId::of_source(&url)),
            false => Some(RepositoryId::local(text.as_ref())),
        };
        Self::parse(text, place)
    }

    /// Reads the address of a target.
    pub(super) fn of_target(text: &str) -> Result<Self, TemplateError> {
        let url = TargetUrl::parse(text, PlainHttp::Allow).ok();
        Self::parse(text, url.map(|url| RepositoryId::of_target(&url)))
    }

    fn parse(text: &str, place: Option<RepositoryId>) -> Result<Self, TemplateError> {
        let mut placeholders = Vec::new();
        for part in text.split('/') {
            let found = placeholders_of(part)?;
            if found.len() > 1 {
                return Err(TemplateError::Together);
            }
            placeholders.extend(found);
        }
        if Placeholder::ALL
            .iter()
            .any(|one| placeholders.iter().filter(|it| *it == one).count() > 1)
        {
            return Err(TemplateError::Twice);
        }
        if placeholders.contains(&Placeholder::Path) && placeholders.len() > 1 {
            return Err(TemplateError::PathAndMore);
        }
        // The parsers of addresses take no brace but in a path.
        let in_path =
            place.as_ref().map(|place| placeholders_of(&path_of(place)).map_or(0, |it| it.len()));
        if in_path.is_none_or(|count| count != placeholders.len()) && !placeholders.is_empty() {
            return Err(TemplateError::NotInPath);
        }
        Ok(Self { text: text.to_owned(), place, placeholders })
    }

    /// The same in lower case, but for its placeholders, which are anyway.
    pub(super) fn to_lower_case(&self) -> Self {
        Self { place: self.place.as_ref().map(RepositoryId::to_lower_case), ..self.clone() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn placeholders(&self) -> &[Placeholder] {
        &self.placeholders
    }

    /// The address with `values` in place of its placeholders.
    pub(super) fn expand(&self, values: &Values) -> String {
        values.0.iter().fold(self.text.clone(), |text, (placeholder, value)| {
            text.replace(&placeholder.written(), value)
        })
    }

    /// The values with which this is the address of `repository`; `None` if there are none.
    pub(super) fn values_of(&self, repository: &RepositoryId) -> Option<Values> {
        match (self.place.as_ref()?, repository) {
            (RepositoryId::Local(_), RepositoryId::Local(_)) => {}
            (RepositoryId::Remote { host, .. }, RepositoryId::Remote { host: other, .. })
                if host == other => {}
            _ => return None,
        }
        self.values_in(&path_of(repository))
    }

    /// The values with which its path is `path`, on whatever server.
    pub(super) fn values_in(&self, path: &str) -> Option<Values> {
        let template = path_of(self.place.as_ref()?);
        let values = if self.placeholders == [Placeholder::Path] {
            vec![value_in(&template, path)?]
        } else {
            let (templates, segments) = (template.split('/'), path.split('/'));
            if templates.clone().count() != segments.clone().count() {
                return None;
            }
            let mut values = Vec::new();
            for (template, segment) in templates.zip(segments) {
                match template.contains('{') {
                    true => values.push(value_in(template, segment)?),
                    false if template == segment => {}
                    false => return None,
                }
            }
            values
        };
        let values = Values(values);
        values.are_plain().then_some(values)
    }
}

/// The path of a repository, without a slash before it.
fn path_of(repository: &RepositoryId) -> String {
    match repository {
        RepositoryId::Local(path) => path.to_string_lossy().trim_start_matches('/').to_owned(),
        RepositoryId::Remote { path, .. } => path.clone(),
    }
}

/// The placeholders in one segment.
fn placeholders_of(mut segment: &str) -> Result<Vec<Placeholder>, TemplateError> {
    let mut found = Vec::new();
    while let Some((before, rest)) = segment.split_once('{') {
        let (name, rest) = rest.split_once('}').ok_or(TemplateError::Brace)?;
        let placeholder = Placeholder::ALL.into_iter().find(|one| one.name() == name);
        found.push(placeholder.ok_or(TemplateError::Brace)?);
        if before.contains('}') {
            return Err(TemplateError::Brace);
        }
        segment = rest;
    }
    if segment.contains('}') { Err(TemplateError::Brace) } else { Ok(found) }
}

/// The one placeholder of `template`, and what stands for it in `text`.
fn value_in(template: &str, text: &str) -> Option<(Placeholder, String)> {
    let (before, rest) = template.split_once('{')?;
    let (name, after) = rest.split_once('}')?;
    let placeholder = Placeholder::ALL.into_iter().find(|one| one.name() == name)?;
    let value = text.strip_prefix(before)?.strip_suffix(after)?;
    Some((placeholder, value.to_owned()))
}

impl Values {
    /// The values of `placeholders` that are written as `text`, with slashes between.
    pub(super) fn parse(placeholders: &[Placeholder], text: &str) -> Option<Self> {
        let values = match placeholders {
            [one] => vec![(*one, text.to_owned())],
            several => {
                let texts: Vec<&str> = text.split('/').collect();
                if texts.len() != several.len() {
                    return None;
                }
                several.iter().copied().zip(texts.into_iter().map(str::to_owned)).collect()
            }
        };
        let values = Self(values);
        values.are_plain().then_some(values)
    }

    /// All of them with slashes between.
    pub(super) fn written(&self) -> String {
        self.0.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join("/")
    }

    fn are_plain(&self) -> bool {
        let is_plain = |(placeholder, value): &(Placeholder, String)| match placeholder {
            Placeholder::Owner | Placeholder::Slug => is_plain(value),
            Placeholder::Path => {
                value.split('/').count() <= MOST_SEGMENTS && value.split('/').all(is_plain)
            }
        };
        self.0.iter().all(is_plain) && self.written().len() <= LONGEST
    }
}

/// Whether `name` is the name of one repository or of its owner, and can be nothing else. Servers that
/// leave out `.git` would have one repository for two names, and `.wiki` is a part of another one.
fn is_plain(name: &str) -> bool {
    let rest = name.strip_prefix('~').unwrap_or(name);
    let lower = rest.to_ascii_lowercase();
    (1..=LONGEST_SEGMENT).contains(&rest.len())
        && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        && !rest.starts_with(['.', '-'])
        && !rest.ends_with('.')
        && !rest.contains("..")
        && !matches!(lower.rsplit_once('.'), Some((_, "git" | "wiki")))
}
