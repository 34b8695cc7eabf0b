//! Where changesets come from, as typed: flags with the names and meanings of a mirror's keys.

use std::path::{Path, PathBuf};

use crate::hg::pull::Source;
use crate::net::url::SourceUrlError;
use crate::net::{Access, Key, SourceUrl, Token};

/// The way in, if the source is an address.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Sources that are addresses")]
pub(super) struct SourceArgs {
    /// The user name for a web server, if the address has none
    #[arg(long = "source-token-user", value_name = "NAME", requires = "token_file")]
    token_user: Option<String>,
    /// A file that holds a token or a password for a web server, and nothing else
    #[arg(long = "source-token-file", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) to trust in place of the system's
    #[arg(long = "source-ca-file", value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// The web proxy on the way, as `http://host:port`
    #[arg(long = "source-proxy", value_name = "URL")]
    proxy: Option<String>,
    /// Take `http://` too, which everybody on the way can read and change
    #[arg(long = "source-plain-http")]
    plain_http: bool,
    /// Take bundles for first fetches from private networks too
    #[arg(long = "source-private-downloads")]
    private_downloads: bool,
    /// The private key for SSH, without a passphrase
    #[arg(long = "source-key-file", value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// The host keys that SSH servers must show, in the form of OpenSSH's `known_hosts`
    #[arg(long = "source-known-hosts", value_name = "FILE")]
    known_hosts: Option<PathBuf>,
}

impl SourceArgs {
    /// The source that is `written`: an address if it looks like one, a path otherwise.
    pub(super) fn source(&self, written: &Path) -> Result<Source, SourceUrlError> {
        let Some(address) = written.to_str().filter(|text| text.contains("://")) else {
            if !written.exists() {
                SourceUrl::refuse_short_form(&written.to_string_lossy())?;
            }
            return Ok(Source::Path(written.to_owned()));
        };
        let url = SourceUrl::parse(address)?;
        let token = self
            .token_file
            .clone()
            .map(|token_file| Token { user: self.token_user.clone(), file: token_file.into() });
        let access = Access {
            token,
            ca_file: self.ca_file.clone(),
            proxy: self.proxy.clone(),
            plain_http: self.plain_http,
            private_downloads: self.private_downloads,
            key: self.key_file.clone().map(Key::at),
            known_hosts: self.known_hosts.clone().map(Into::into),
            ..Access::default()
        };
        Ok(Source::Server { url, access: Box::new(access) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_paths() {
        let source = |text: &str| SourceArgs::default().source(Path::new(text));
        for path in ["repository", "/srv/hg/rocket", "a:b", "../x.hg"] {
            assert!(matches!(source(path), Ok(Source::Path(_))), "{path}");
        }
        let server = source("https://hg.example.org/acme/rocket").unwrap();
        assert_eq!(server.to_string(), "https://hg.example.org/acme/rocket");
        assert!(matches!(source("hg@example.org:x"), Err(SourceUrlError::Short { .. })));
        assert!(matches!(source("ftp://example.org/x"), Err(SourceUrlError::Scheme { .. })));
    }
}
