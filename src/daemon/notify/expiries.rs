//! Which ends of credentials were told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::service::view::CredentialView;

/// Within how many days of its end a credential is told of: again each time that it is nearer, and when it
/// has ended.
const TOLD_WITHIN: [i64; 4] = [1, 3, 7, 14];

/// What was told of credentials, by their names: their end, and within how many days of it; 0 once it is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Expiries(BTreeMap<String, (Timestamp, i64)>);

impl Expiries {
    /// Those that end soon, as if that had been told.
    pub(super) fn known(credentials: &[CredentialView], now: Timestamp) -> Self {
        let mut expiries = Self::default();
        for credential in credentials {
            expiries.look(credential, now);
        }
        expiries
    }

    /// Whether a credential is to be told of now.
    pub(super) fn look(&mut self, credential: &CredentialView, now: Timestamp) -> bool {
        let days = credential.ends.days_from(now);
        let is_over = credential.ends <= now;
        let within = if is_over { Some(0) } else { TOLD_WITHIN.into_iter().find(|it| days < *it) };
        let Some(within) = within else {
            self.0.remove(&credential.name);
            return false;
        };
        let told = (credential.ends, within);
        let before = self.0.insert(credential.name.clone(), told);
        before.is_none_or(|(ends, before)| ends != credential.ends || within < before)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_when_it_comes_nearer() {
        let day = |days: i64| Timestamp::from_seconds(days * 86_400);
        let credential = |ends| CredentialView {
            name: "token /etc/x".to_owned(),
            ends: day(ends),
            mirrors: vec!["a".to_owned()],
        };
        let mut expiries = Expiries::default();
        let mut told = Vec::new();
        for now in 0..60 {
            for _ in 0..2 {
                if expiries.look(&credential(50), day(now)) {
                    told.push(now);
                }
            }
        }
        assert_eq!(told, [37, 44, 48, 50]);
        assert!(!expiries.look(&credential(400), day(60)), "it was replaced");
        assert!(expiries.look(&credential(400), day(390)));
        let mut known = Expiries::known(&[credential(50)], day(45));
        assert!(!known.look(&credential(50), day(46)));
        assert!(known.look(&credential(50), day(48)));
    }
}
