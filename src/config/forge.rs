//! What a target's keys say of its forge: where its API is, and which app logs in there.

use std::sync::Arc;

use super::endpoint::Resolver;
use super::file::Section;
use super::pending::What;
use super::problem::ProblemKind;
use super::sections::EndpointKeys;
use crate::forge::github::{self, App, AppOptions};
use crate::forge::{ForgeOptions, Project, Visibility};
use crate::git::destination::Target;
use crate::net::url::{Location, Scheme};
use crate::net::{Access, SourceUrl, TargetUrl, Token, TokenSource};

/// The keys that need an API.
const OF_A_FORGE: [&str; 4] = ["create", "visibility", "allow_public", "app_id"];
/// The keys that say where a token is.
const TOKENS: [&str; 3] = ["token_file", "token_credential", "token_env"];

impl Resolver<'_> {
    /// How the forge of a target is used; `None` if it has none that we know.
    pub(super) fn forge(
        &mut self,
        section: &Section<EndpointKeys>,
        target: &Target,
    ) -> Option<ForgeOptions> {
        let keys = &section.value;
        if let Some(written) = &keys.api {
            let plain = keys.plain_http.unwrap_or_default();
            let is_sound = SourceUrl::parse(written).is_ok_and(|url| match url.scheme {
                Scheme::Https => url.user.is_none(),
                Scheme::Http => url.user.is_none() && plain,
                Scheme::Ssh => false,
            });
            if !is_sound {
                section.wrong("api", ProblemKind::BadApi, self.problems);
            }
        }
        let Some(api) = api(section, &target.url) else {
            let mut of_no_use: Vec<&str> = OF_A_FORGE.to_vec();
            if matches!(target.url.location(), Location::Ssh { .. }) {
                of_no_use.extend(TOKENS);
            }
            for key in of_no_use.into_iter().filter(|key| section.sets(key)) {
                section.wrong(key, ProblemKind::NoForge, self.problems);
            }
            return None;
        };
        let visibility = keys.visibility.as_deref().and_then(Visibility::named);
        Some(ForgeOptions {
            api,
            create: keys.create.unwrap_or_default(),
            visibility: visibility.unwrap_or_default(),
            allow_public: keys.allow_public.unwrap_or_default(),
        })
    }

    /// The tokens of the app that a target's keys name.
    pub(super) fn app(
        &mut self,
        section: &Section<EndpointKeys>,
        url: &TargetUrl,
        access: &Access,
        user: &str,
    ) -> Option<Token> {
        let keys = &section.value;
        let key = self.secret(
            section,
            What::PrivateKey,
            ("app_key_file", &keys.app_key_file),
            ("app_key_credential", &keys.app_key_credential),
        );
        let Some(id) = keys.app_id.clone() else {
            let parts = ["app_key_file", "app_key_credential", "app_installation", "app_workflows"];
            for part in parts.into_iter().filter(|part| section.sets(part)) {
                section.wrong(part, ProblemKind::NoApp, self.problems);
            }
            return None;
        };
        if let Some(other) = TOKENS.into_iter().find(|key| section.sets(key)) {
            section.wrong("app_id", ProblemKind::SetTwice { other }, self.problems);
        }
        let Some(key) = key else {
            section.wrong("app_id", ProblemKind::NoAppKey, self.problems);
            return None;
        };
        let options = AppOptions {
            id,
            key,
            installation: keys.app_installation,
            workflows: keys.app_workflows.unwrap_or_default(),
        };
        // What has no API is found wrong with the forge.
        let (api, project) = (api(section, url)?, Project::of(url)?);
        let access = Access { token: None, ..access.clone() };
        let source = TokenSource::Made(Arc::new(App::new(api, access, project, options)));
        Some(Token { user: Some(user.to_owned()), source })
    }
}

/// Where the API of a target's forge is, as its keys or its address say.
fn api(section: &Section<EndpointKeys>, url: &TargetUrl) -> Option<SourceUrl> {
    match &section.value.api {
        Some(written) => SourceUrl::parse(written).ok(),
        None => github::api_of(url),
    }
}
