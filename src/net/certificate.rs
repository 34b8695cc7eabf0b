//! When the certificates in a file end.

use std::fs;
use std::path::Path;

use openssl::asn1::Asn1Time;
use openssl::x509::X509;

use crate::base::time::Timestamp;

/// When the last of the certificates (PEM) in the file at `path` ends; `None` if there is none that can be
/// read. A file with several authorities is of use for as long as one of them is.
pub fn certificates_end(path: &Path) -> Option<Timestamp> {
    let certificates = X509::stack_from_pem(&fs::read(path).ok()?).ok()?;
    let epoch = Asn1Time::from_unix(0).ok()?;
    let ends = certificates.iter().filter_map(|certificate| {
        let since = epoch.diff(certificate.not_after()).ok()?;
        Some(Timestamp::from_seconds(i64::from(since.days) * 86_400 + i64::from(since.secs)))
    });
    ends.max()
}

#[cfg(test)]
mod tests {
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::rsa::Rsa;
    use openssl::x509::X509Builder;

    use super::*;

    fn certificate(ends: i64) -> Vec<u8> {
        let key = PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap();
        let mut builder = X509Builder::new().unwrap();
        builder.set_not_before(&Asn1Time::from_unix(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::from_unix(ends).unwrap()).unwrap();
        builder.set_pubkey(&key).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        builder.build().to_pem().unwrap()
    }

    #[test]
    fn the_last_one_counts() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(certificates_end(file.path()), None);
        let both = [certificate(1_900_000_000), certificate(1_800_000_000)].concat();
        fs::write(file.path(), both).unwrap();
        assert_eq!(certificates_end(file.path()), Some(Timestamp::from_seconds(1_900_000_000)));
        fs::write(file.path(), "no certificate").unwrap();
        assert_eq!(certificates_end(file.path()), None);
        assert_eq!(certificates_end(Path::new("/nowhere/ca.pem")), None);
    }
}
