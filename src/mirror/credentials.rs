//! The credentials and certificates of a mirror whose end is known.

use super::Mirror;
use crate::base::time::Timestamp;
use crate::forge;
use crate::hg::pull::Source;
use crate::net::Access;
use crate::net::certificate::certificates_end;

/// A credential, or a certificate, whose end is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialEnd {
    /// What it is, and where it is kept: the same for all mirrors that use it.
    pub name: String,
    /// When it ends.
    pub ends: Timestamp,
    /// When that was found out: of two that differ, the later one is right.
    pub found: Timestamp,
}

impl Mirror {
    /// The credentials and certificates whose end is known. Nobody is asked: what the forge of the target said
    /// last is read, and the files with certificates.
    pub fn credential_ends(&self) -> Vec<CredentialEnd> {
        let source = match &self.source {
            Source::Path(_) => None,
            Source::Server { access, .. } => Some(&**access),
        };
        let target = self.target.as_ref().map(|target| &target.access);
        let certificates = source.into_iter().chain(target).filter_map(certificates);
        self.token().into_iter().chain(certificates).collect()
    }

    /// The token of the target, if its forge has told when that ends.
    fn token(&self) -> Option<CredentialEnd> {
        let target = self.target.as_ref().filter(|_| self.forge.is_some())?;
        let token = &target.access.token.as_ref()?.source;
        let name = format!("token {}", token.place()?);
        let record = self.cache.layout().forge();
        let (found, ends) = forge::token_ends(&record, &target.url, token)?;
        Some(CredentialEnd { name, ends, found })
    }
}

fn certificates(access: &Access) -> Option<CredentialEnd> {
    let path = access.ca_file.as_ref()?;
    let ends = certificates_end(path)?;
    Some(CredentialEnd { name: format!("certificates {}", path.display()), ends, found: ends })
}
