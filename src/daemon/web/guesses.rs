//! How often a token may be guessed: whoever sends too many that are not known has to wait, and until then none is
//! looked at, so that guessing faster brings nothing.

use std::net::IpAddr;
use std::time::Duration;

use crate::base::time::Timestamp;
use crate::net::network::one_sender;
use crate::service::Rates;

/// So many tokens that are not known may all senders together give to `/login` in a minute. For headers there is no
/// such limit: programs shall not suffer from what others do.
const AT_LOGIN: u64 = 300;

/// The guesses of late.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    of_sender: Rates<(IpAddr, Given)>,
    at_login: Rates<()>,
}

/// Where a token was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Given {
    /// In the form of `/login`.
    Form,
    /// In a header.
    Header,
}

impl Given {
    /// How many tokens that are not known one sender may give so in a minute. A program with an old token
    /// says so again and again, perhaps at the address of others.
    fn of_sender(self) -> u64 {
        match self {
            Self::Form => 10,
            Self::Header => 60,
        }
    }
}

impl Guesses {
    /// Whether a token is looked at that `from` gives; otherwise after how long it would be.
    pub(super) fn may_try(
        &self,
        from: IpAddr,
        given: Given,
        now: Timestamp,
    ) -> Result<(), Duration> {
        self.of_sender.look(&(one_sender(from), given), given.of_sender(), now)?;
        match given {
            Given::Form => self.at_login.look(&(), AT_LOGIN, now),
            Given::Header => Ok(()),
        }
    }

    /// A token was not known.
    pub(super) fn failed(&self, from: IpAddr, given: Given, now: Timestamp) {
        tracing::warn!(%from, "a token that is not known was given");
        // What is refused here was counted as far as it can be.
        let _ = self.of_sender.take(&(one_sender(from), given), given.of_sender(), now);
        if given == Given::Form {
            let _ = self.at_login.take(&(), AT_LOGIN, now);
        }
        if let Err(wait) = self.may_try(from, given, now) {
            let seconds = wait.as_secs() + 1;
            tracing::warn!(%from, seconds, "no more tokens are looked at from there for a while");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr};

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_000_000 + seconds)
    }

    #[test]
    fn one_sender_waits_and_nobody_else_does() {
        let guesses = Guesses::default();
        let one = |last: u16| Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into();
        for (given, most, wait) in [(Given::Form, 10, 6), (Given::Header, 60, 1)] {
            for last in 0..most {
                assert_eq!(guesses.may_try(one(last), given, at(0)), Ok(()));
                guesses.failed(one(last), given, at(0));
            }
            let seconds = Duration::from_secs(wait);
            assert_eq!(guesses.may_try(one(most), given, at(0)), Err(seconds));
            assert_eq!(guesses.may_try(Ipv4Addr::LOCALHOST.into(), given, at(0)), Ok(()));
            assert_eq!(guesses.may_try(one(most), given, at(0).after(seconds)), Ok(()));
        }
    }

    #[test]
    fn many_senders_together_wait_at_the_form_alone() {
        let guesses = Guesses::default();
        let from = |number: u32| IpAddr::from(Ipv4Addr::from(number));
        for number in 0..300 {
            assert_eq!(guesses.may_try(from(number), Given::Form, at(0)), Ok(()));
            guesses.failed(from(number), Given::Form, at(0));
        }
        assert!(guesses.may_try(from(1000), Given::Form, at(0)).is_err());
        assert_eq!(guesses.may_try(from(1000), Given::Header, at(0)), Ok(()));
        assert_eq!(guesses.may_try(from(1000), Given::Form, at(1)), Ok(()));
    }
}
