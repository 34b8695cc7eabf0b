//! The secret as the password of HTTP's Basic authentication (RFC 7617): what `https://user:secret@host/`
//! becomes. The user is not looked at.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Delivery, Secrets, Unproven, sole, token};

const PASSWORD: &str = "the password";

/// Whether the password is the secret.
pub(super) fn verify(secrets: &Secrets<'_>, delivery: &Delivery<'_>) -> Result<(), Unproven> {
    let malformed = Unproven::Malformed { what: PASSWORD };
    let sent = sole(delivery, "authorization", PASSWORD)?;
    let (scheme, sent) = sent.split_at_checked("basic ".len()).ok_or(malformed)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return Err(malformed);
    }
    let sent = STANDARD.decode(sent.trim_ascii()).map_err(|_| malformed)?;
    let mut halves = sent.splitn(2, |&byte| byte == b':');
    let password = halves.nth(1).ok_or(malformed)?;
    token::verify(password, secrets).map_err(|unproven| match unproven {
        Unproven::Wrong { .. } => Unproven::Wrong { what: PASSWORD },
        other => other,
    })
}
