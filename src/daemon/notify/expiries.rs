//! Which ends of credentials were told.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::time::Timestamp;
use crate::service::view::CredentialView;

/// Within how many days of its end a credential is told of: again each time that it is nearer, and when it
/// has ended.
const TOLD_WITHIN: [i64; 4] = [1, 3, 7, 14];

/// So many days after its end nothing is known any more of what was told.
const FORGOTTEN: i64 = 60;

/// What was told of credentials, by their names: their ends, and within how many days of each; 0 once it is over. One
/// name may have several: a credential that is replaced is not so on all machines at the same moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Expiries(BTreeMap<String, BTreeMap<Timestamp, i64>>);

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
        let is_old = |ends: Timestamp| now.days_from(ends) > FORGOTTEN && ends != credential.ends;
        if let Some(told) = self.0.get_mut(&credential.name) {
            told.retain(|ends, _| !is_old(*ends));
        }
        let Some(within) = within else { return false };
        let told = self.0.entry(credential.name.clone()).or_default();
        let before = told.get(&credential.ends).copied();
        let is_nearer = before.is_none_or(|before| within < before);
        if is_nearer {
            told.insert(credential.ends, within);
        }
        is_nearer
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
        // Two machines of which one still has the old one.
        for now in 390..400 {
            let told = [395, 400].map(|ends| expiries.look(&credential(ends), day(now)));
            let again = [395, 400].map(|ends| expiries.look(&credential(ends), day(now)));
            let expected = [[390, 393, 395].contains(&now), [394, 398].contains(&now)];
            assert_eq!((told, again), (expected, [false; 2]), "{now}");
        }
        let text = serde_json::to_string(&expiries).unwrap();
        assert_eq!(serde_json::from_str::<Expiries>(&text).unwrap(), expiries);
        expiries.look(&credential(600), day(470));
        assert!(
            !serde_json::to_string(&expiries).unwrap().contains(&day(395).millis().to_string())
        );
        let mut known = Expiries::known(&[credential(50)], day(45));
        assert!(!known.look(&credential(50), day(46)));
        assert!(known.look(&credential(50), day(48)));
    }
}
