//! Encryption for protocols that are not HTTP: the server must prove its name with a certificate.

use std::path::{Path, PathBuf};

use openssl::error::ErrorStack;
use openssl::ssl::{SslConnector, SslMethod};

use crate::base::faults;

/// Where distributions have the authorities that everybody trusts.
const AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Encryption that cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("read the certificates in {}", path.display())]
pub struct TlsError {
    /// The file with the certificates.
    path: PathBuf,
    /// What OpenSSL says.
    source: ErrorStack,
}

faults!(TlsError {
    Self { .. } => Config.at(Here).hint("name a file with certificates in PEM form"),
});

/// What connects to servers that prove their name with a certificate of an authority in the file `ca`; without
/// it, of one that this machine trusts.
pub fn verified(ca: Option<&Path>) -> Result<SslConnector, TlsError> {
    let known = AUTHORITIES.iter().map(Path::new).find(|path| path.is_file());
    let path = ca.or(known).unwrap_or(Path::new("/etc/ssl"));
    let failed = |source| TlsError { path: path.to_owned(), source };
    // Verifies certificate and name unless told otherwise.
    let mut builder = SslConnector::builder(SslMethod::tls_client()).map_err(failed)?;
    if let Some(ca) = ca {
        // This authority and no other.
        let store = openssl::x509::store::X509StoreBuilder::new().map_err(failed)?;
        builder.set_cert_store(store.build());
        builder.set_ca_file(ca).map_err(failed)?;
    } else if let Some(known) = known {
        builder.set_ca_file(known).map_err(failed)?;
    }
    Ok(builder.build())
}
