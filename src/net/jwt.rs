//! Signed claims (JSON Web Tokens, RFC 7519) with RS256 (RFC 7518, 3.3), by which an app proves to a
//! server that it is the one that the server gave a key to.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// What every token begins with: how it is signed.
const HEADER: &str = r#"{"alg":"RS256","typ":"JWT"}"#;

/// `claims`, signed with a private RSA key in PEM form; or what is wrong with the key.
pub fn sign(claims: &impl Serialize, key: &SecretString) -> Result<SecretString, String> {
    // OpenSSL's messages say what it expected of a key, and nothing of what it read.
    let wrong = |error: openssl::error::ErrorStack| match error.errors().first() {
        Some(first) => first.reason().unwrap_or("it cannot be used").to_owned(),
        None => "it cannot be used".to_owned(),
    };
    let claims = serde_json::to_vec(claims).map_err(|error| error.to_string())?;
    let text = format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims));
    // Without a question at a terminal for the passphrase of an encrypted key.
    let key = PKey::private_key_from_pem_callback(key.expose_secret().as_bytes(), |_| Ok(0));
    let key = key.map_err(wrong)?;
    if key.rsa().is_err() {
        return Err("it is not an RSA key".to_owned());
    }
    let mut signer = Signer::new(MessageDigest::sha256(), &key).map_err(wrong)?;
    signer.update(text.as_bytes()).map_err(wrong)?;
    let signature = signer.sign_to_vec().map_err(wrong)?;
    Ok(SecretString::from(format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

#[cfg(test)]
mod tests {
    use openssl::rsa::Rsa;
    use openssl::sign::Verifier;

    use super::*;

    #[test]
    fn what_is_signed_can_be_verified() {
        let pair = Rsa::generate(2048).unwrap();
        let pem = String::from_utf8(pair.private_key_to_pem().unwrap()).unwrap();
        let claims = serde_json::json!({ "iss": "12", "iat": 1, "exp": 2 });
        let token = sign(&claims, &SecretString::from(pem)).unwrap();
        let (signed, signature) = token.expose_secret().rsplit_once('.').unwrap();
        let public = PKey::public_key_from_pem(&pair.public_key_to_pem().unwrap()).unwrap();
        let mut verifier = Verifier::new(MessageDigest::sha256(), &public).unwrap();
        verifier.update(signed.as_bytes()).unwrap();
        assert!(verifier.verify(&URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap());
        let (header, payload) = signed.split_once('.').unwrap();
        assert_eq!(URL_SAFE_NO_PAD.decode(header).unwrap(), HEADER.as_bytes());
        let payload: serde_json::Value =
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(payload, claims);
    }

    #[test]
    fn other_keys_are_refused_without_being_shown() {
        let ec = openssl::ec::EcGroup::from_curve_name(openssl::nid::Nid::X9_62_PRIME256V1);
        let ec = PKey::from_ec_key(openssl::ec::EcKey::generate(&ec.unwrap()).unwrap()).unwrap();
        let ec = String::from_utf8(ec.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let text = "-----BEGIN RSA PRIVATE KEY-----\ngeheim\n-----END RSA PRIVATE KEY-----\n";
        for key in [ec.as_str(), text, "", "geheim"] {
            let problem = sign(&1, &SecretString::from(key)).unwrap_err();
            assert!(!problem.is_empty() && !problem.contains("geheim"), "{problem}");
        }
    }
}
