//! The secret itself. It proves who sends, not what: whoever can read one delivery can send others.

use super::digest::same;
use super::{Secrets, Unproven};

/// What is compared.
pub(super) const TOKEN: &str = "the token";

/// Whether `sent` is one of `secrets`.
pub(super) fn verify(sent: &[u8], secrets: &Secrets<'_>) -> Result<(), Unproven> {
    secrets.any(TOKEN, |secret| Ok(same(sent, secret.as_bytes())))
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::super::{Delivery, Proof, Scheme, verify};
    use super::*;
    use crate::base::time::Timestamp;

    fn prove(
        scheme: &Scheme,
        query: &str,
        authorization: &str,
        body: &str,
    ) -> Result<Proof, Unproven> {
        let headers = [("authorization", authorization.as_bytes())];
        let delivery = Delivery { headers: &headers, query, body: body.as_bytes() };
        verify(scheme, &["topsecret".into()], &delivery, Timestamp::from_seconds(0))
    }

    /// The token must be the one of the outermost object, once, and text.
    #[test]
    fn a_token_in_the_body_is_taken_out_strictly() {
        for (body, expected) in [
            (r#"{"token":"topsecret"}"#, Ok(())),
            (r#"{"event":{"token":"x"},"token":"topsecret"}"#, Ok(())),
            (r#"{"event":{"token":"topsecret"}}"#, Err("missing")),
            (r#"{"token":null}"#, Err("missing")),
            (r#"{"token":""}"#, Err("missing")),
            (r#"{"token":"x","token":"topsecret"}"#, Err("malformed")),
            (r#"{"token":["topsecret"]}"#, Err("malformed")),
            (r#"{"token":"topsecret"} x"#, Err("malformed")),
            (r#"{"token":"topsecret""#, Err("malformed")),
            (r#"{"token":"TOPSECRET"}"#, Err("wrong")),
            (r#"{"token":"topsecret "}"#, Err("wrong")),
        ] {
            let found = prove(&Scheme::TokenInBody, "", "", body);
            let found = found.map(drop).map_err(|unproven| match unproven {
                Unproven::Missing { .. } => "missing",
                Unproven::Malformed { .. } => "malformed",
                Unproven::Wrong { .. } => "wrong",
                _ => "other",
            });
            assert_eq!(found, expected, "{body}");
        }
        let (open, close) = ("[".repeat(50_000), "]".repeat(50_000));
        let deep = format!("{{\"x\":{open}{close},\"token\":\"topsecret\"}}");
        assert!(prove(&Scheme::TokenInBody, "", "", &deep).is_ok());
    }

    #[test]
    fn tokens_in_addresses_and_passwords() {
        for (query, expected) in [
            ("token=topsecret", true),
            ("user=x&t%6fken=topsecret", true),
            ("token=topsecret&token=topsecret", false),
            ("token=", false),
            ("Token=topsecret", false),
            ("token=topsecret%00", false),
        ] {
            let found = prove(&Scheme::TokenInQuery, query, "", "{}");
            assert_eq!(found.is_ok(), expected, "{query}");
        }
        for (value, expected) in [
            (format!("Basic {}", STANDARD.encode("u:topsecret")), true),
            (format!("bAsIc  {}", STANDARD.encode(":topsecret")), true),
            (format!("Basic {}", STANDARD.encode("u:v:topsecret")), false),
            (format!("Basic {}", STANDARD.encode("topsecret")), false),
            (format!("Basic {}", STANDARD.encode("topsecret:")), false),
            ("Bearer topsecret".to_owned(), false),
            ("Basic".to_owned(), false),
            ("topsecret".to_owned(), false),
        ] {
            let found = prove(&Scheme::Basic, "", &value, "{}");
            assert_eq!(found.is_ok(), expected, "{value}");
        }
    }
}
