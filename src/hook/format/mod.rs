//! The formats: what each forge sends, a file for each.

mod allura;
mod bitbucket_cloud;
mod bitbucket_dc;
pub mod bitbucket_post;
mod gitea;
mod github;
mod gitlab;
mod phorge;
mod rhodecode;
mod scm_manager;
mod sourcehut;
pub mod synchroniser;

use super::delivery::is_id;
use super::sample::{Part, Sample, SampleDelivery, SampleRepository};
use super::setup::{Query, Setup};
use super::{Delivery, Event, PayloadError, SchemeKind};

/// Every format that is understood.
pub static FORMATS: &[&Format] = &[
    &bitbucket_post::FORMAT,
    &bitbucket_cloud::FORMAT,
    &bitbucket_dc::FORMAT,
    &gitlab::FORMAT,
    &rhodecode::FORMAT,
    &allura::FORMAT,
    &scm_manager::FORMAT,
    &sourcehut::FORMAT,
    &gitea::FORGEJO,
    &gitea::GITEA,
    &gitea::GOGS,
    &github::FORMAT,
    &phorge::FORMAT,
    &synchroniser::FORMAT,
];

/// One way in which a forge tells of a push. The path of an endpoint alone decides which: guessing it
/// from headers would let a sender pick the weakest check.
#[derive(Debug)]
pub struct Format {
    /// As it is written in the configuration.
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// How its senders can prove a delivery, beside a token in the address and a password, which all can
    /// that send to an address that somebody has typed. The first is the usual one.
    pub schemes: &'static [SchemeOffer],
    /// The headers with what tells its deliveries apart, the best first. Not signed.
    id_headers: &'static [&'static str],
    /// Reads a delivery.
    pub parse: fn(&Delivery<'_>) -> Result<Event, PayloadError>,
    /// What is typed into the forge.
    pub setup: Setup,
    /// What it sends after a push.
    sample: Sample,
}

/// A scheme that the senders of a format can use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SchemeOffer {
    /// The scheme.
    pub kind: SchemeKind,
    /// The header that they use for it, in lower case; empty if there is none to choose.
    pub header: &'static str,
}

impl SchemeOffer {
    const fn new(kind: SchemeKind, header: &'static str) -> Self {
        Self { kind, header }
    }
}

/// What every sender can do that sends to an address that somebody has typed.
const FOR_ALL: [SchemeOffer; 2] =
    [SchemeOffer::new(SchemeKind::TokenInQuery, ""), SchemeOffer::new(SchemeKind::Basic, "")];

impl Format {
    /// The format called `name` in the configuration.
    pub fn named(name: &str) -> Option<&'static Self> {
        FORMATS.iter().copied().find(|format| format.name == name)
    }

    /// All schemes that its senders can use, the usual one first.
    pub fn offers(&self) -> impl Iterator<Item = SchemeOffer> + '_ {
        let more = FOR_ALL.into_iter().filter(|offer| !self.schemes.contains(offer));
        self.schemes.iter().copied().chain(more)
    }

    /// What it sends after a push to `repository`, without a proof; `id` is what it calls the delivery, if it
    /// calls deliveries something.
    pub fn sample(&self, repository: &SampleRepository<'_>, id: &str) -> SampleDelivery {
        self.sample.of(repository, self.id_headers, id)
    }

    /// What the sender calls this delivery, and calls it again if it sends it once more; `None` if it
    /// says nothing that can be kept. A nonce that is proven goes before it.
    pub fn delivery_id<'a>(&self, delivery: &Delivery<'a>) -> Option<&'a str> {
        self.id_headers.iter().find_map(|name| delivery.text_header(name).filter(|id| is_id(id)))
    }
}

/// The event that the header called `name` says.
fn event_header<'a>(delivery: &Delivery<'a>, name: &'static str) -> Result<&'a str, PayloadError> {
    delivery.text_header(name).ok_or(PayloadError::NoEvent { header: name })
}

#[cfg(test)]
mod tests;
