//! The endpoint that a forge sends the hooks of a mirror to, as the configuration has it.

use super::mirrors::{self, NoMirrorError};
use crate::base::faults;
use crate::base::similar::similar;
use crate::config::{Config, HookEndpoint, MirrorConfig, SYNCHRONISE};
use crate::hg::pull::Source;
use crate::hook::{FORMATS, Format, Query, SampleRepository};
use crate::net::url::Scheme;

/// What people call formats beside their names in the configuration.
const NICKNAMES: [(&str, &str); 7] = [
    ("heptapod", "gitlab"),
    ("codeberg", "forgejo"),
    ("bitbucket", "bitbucket_cloud"),
    ("sourceforge", "allura"),
    ("scmmanager", "scm_manager"),
    ("phabricator", "phorge"),
    ("hg", "synchroniser"),
];

/// There is no endpoint for what was asked for.
#[derive(Debug, thiserror::Error)]
pub(super) enum EndpointError {
    /// No forge is called so, and no endpoint.
    #[error("find the forge {name}: no format and no endpoint is called so")]
    UnknownForge { name: String, similar: Option<&'static str> },
    /// The configuration has no endpoint for the forge.
    #[error("find an endpoint for {title}: the configuration has none")]
    None { title: &'static str, format: &'static str },
    /// The mirror may not be asked for there.
    #[error("ask for the mirror {mirror} at [hooks.{endpoint}]: its `mirrors` does not list it")]
    NotListed { mirror: String, endpoint: String },
    /// There is no such mirror.
    #[error(transparent)]
    Mirror(#[from] NoMirrorError),
}

faults!(EndpointError {
    Self::UnknownForge { similar: Some(similar), .. } => {
        Config.hint(format!("is `{similar}` meant?"))
    },
    Self::UnknownForge { .. } => {
        let names: Vec<_> = FORMATS.iter().map(|format| format.name).collect();
        Config.hint(format!("forges are {}; or name an endpoint of [hooks]", names.join(", ")))
    },
    Self::None { format, .. } => Config.hint(format!(
        "add a table [hooks.{format}] with `format = \"{format}\"` and `secret_file = \
         \"secrets/{format}\"` to the configuration, and reload the daemon"
    )),
    Self::NotListed { .. } => {
        Config.hint("add the name of the mirror to `mirrors` there, or take that key away")
    },
    Self::Mirror(source) => of(source),
});

/// The format that a person means.
pub(super) fn format_called(name: &str) -> Option<&'static Format> {
    let name = name.to_ascii_lowercase().replace('-', "_");
    let nickname = NICKNAMES.iter().find(|(nickname, _)| *nickname == name);
    Format::named(nickname.map_or(name.as_str(), |(_, format)| format))
}

/// A mirror, and where its hooks are sent to.
#[derive(Debug)]
pub(super) struct HookedMirror<'c> {
    pub(super) endpoint: &'c HookEndpoint,
    mirror: MirrorConfig,
    /// The path of the repository on its server.
    path: String,
    /// The address of the server, if there is one.
    server: Option<String>,
}

impl<'c> HookedMirror<'c> {
    /// The endpoint of `config` that `forge`, a format or the name of an endpoint, sends the hooks of the
    /// mirror called `name` to.
    pub(super) fn find(config: &'c Config, forge: &str, name: &str) -> Result<Self, EndpointError> {
        let mirror = mirrors::named(config, name)?.into_owned();
        let called = config.hooks.iter().find(|endpoint| endpoint.name == forge);
        let endpoints: Vec<&HookEndpoint> = match (format_called(forge), called) {
            (_, Some(endpoint)) => vec![endpoint],
            (Some(format), None) => {
                config.hooks.iter().filter(|it| it.format.name == format.name).collect()
            }
            (None, None) => {
                let similar = similar(forge, FORMATS.iter().map(|format| format.name));
                return Err(EndpointError::UnknownForge { name: forge.to_owned(), similar });
            }
        };
        if let Some(endpoint) = endpoints.iter().find(|endpoint| endpoint.may_ask_for(name)) {
            let (path, server) = place(&mirror);
            return Ok(Self { endpoint, mirror, path, server });
        }
        Err(match (endpoints.first(), format_called(forge)) {
            (Some(endpoint), _) => EndpointError::NotListed {
                mirror: name.to_owned(),
                endpoint: endpoint.name.clone(),
            },
            (None, Some(Format { title, name: format, .. })) => {
                EndpointError::None { title, format }
            }
            (None, None) => EndpointError::UnknownForge { name: forge.to_owned(), similar: None },
        })
    }

    /// What a delivery of its forge is about.
    pub(super) fn repository(&self) -> SampleRepository<'_> {
        let mirror = &self.mirror.mirror.name;
        SampleRepository { mirror, path: &self.path, server: self.server.as_deref() }
    }

    /// The path that hooks are posted to.
    pub(super) fn path(&self) -> String {
        match self.endpoint.path.as_str() {
            SYNCHRONISE => "/synchronise/".to_owned(),
            path => format!("/hook/{path}"),
        }
    }

    /// What stands behind the `?` of the address, as it is typed into the forge; empty if nothing has to.
    pub(super) fn typed_query(&self) -> String {
        match self.endpoint.format.setup.query {
            Query::None => String::new(),
            Query::Filled { user, project } => format!("user={user}&project={project}"),
            Query::OfMirror => self.selector().unwrap_or_default(),
        }
    }

    /// The same, as the forge sends it.
    pub(super) fn sent_query(&self) -> String {
        match self.endpoint.format.setup.query {
            Query::Filled { .. } => {
                let (user, project) = self.path.rsplit_once('/').unwrap_or(("", &self.path));
                format!("user={user}&project={project}")
            }
            _ => self.typed_query(),
        }
    }

    fn selector(&self) -> Option<String> {
        let selector = self.mirror.selector.as_ref()?;
        Some(format!("user={}&project={}", selector.user, selector.project))
    }

    /// What keeps the hooks of this forge from finding the mirror, if something is known that does.
    pub(super) fn obstacle(&self) -> Option<String> {
        let name = &self.mirror.mirror.name;
        let is_listed = self.endpoint.listed().any(|listed| listed == name);
        match self.endpoint.format.setup.query {
            Query::OfMirror if self.mirror.selector.is_none() && !is_listed => Some(format!(
                "what {} sends does not say what the source is called: give the mirror {name} the keys `user` \
                 and `project`",
                self.endpoint.format.title
            )),
            _ => None,
        }
    }
}

/// Where the source of a mirror is, as a forge would say it: the path, and the address of the server.
fn place(mirror: &MirrorConfig) -> (String, Option<String>) {
    match &mirror.mirror.source {
        Source::Server { url, .. } => {
            let path = url.path.trim_matches('/').to_owned();
            let server = match url.scheme {
                // Its pages are on the web, and the same for us.
                Scheme::Ssh => format!("https://{}", url.host),
                Scheme::Http | Scheme::Https => url.origin(),
            };
            (path, Some(server))
        }
        // A forge in front of it calls it whatever it likes: most likely what the target is called.
        Source::Path(_) => {
            let selector = mirror.selector.as_ref();
            let path = selector.map(|selector| format!("{}/{}", selector.user, selector.project));
            (path.unwrap_or_else(|| mirror.mirror.name.clone()), None)
        }
    }
}
