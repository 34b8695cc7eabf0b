//! Hooks: the bytes of a delivery in, an event out. Pure; knows no network and no mirror.
//!
//! Two steps, each a function of bytes and apart from the other:
//!
//! 1. [`verify`]: whether the delivery comes from somebody who knows the secret of its endpoint, by the
//!    one [`Scheme`] that the endpoint has, over the raw body and before anything looks inside;
//! 2. [`Format::parse`]: what the delivery tells of, as an [`Event`].
//!
//! An event is a hint that something may have happened to a source. It is used to find a configured
//! mirror and for nothing else: no address, no ref and no changeset of it is ever believed.
//!
//! To add a format: one file in `format/`, one line in [`FORMATS`], one folder in `fixtures/hooks/`. To
//! add a way to prove a delivery: one file in `scheme/`, one line in each of [`Scheme`]'s tables.

mod delivery;
mod event;
pub mod form;
mod format;
mod json;
mod sample;
mod scheme;
mod setup;

pub use delivery::{Delivery, LONGEST_ID};
pub use event::{Event, PayloadError, PushEvent};
pub use format::{FORMATS, Format, SchemeOffer, bitbucket_post, synchroniser};
pub use sample::{SampleDelivery, SampleRepository};
pub use scheme::{
    DEFAULT_TOLERANCE, Proof, PublicKey, PublicKeyError, SOURCEHUT_KEY, Scheme, SchemeKind, Signed,
    Unproven, Unsigned, hmac_sha256, sign, sign_standard_webhook, verify,
};
pub use setup::{Query, Setup};
