//! The pages. Each is whole without scripts and without styles; the script only keeps it fresh.

mod actions;
mod chart;
mod layout;
mod lists;
mod mirror;
mod mirrors;
mod nodes;
mod parts;
mod run;
mod texts;
mod words;

pub(super) use actions::{log_in, log_out, login, pause, resume, retry, sync};
pub(super) use layout::problem;
pub(super) use lists::{deliveries, queue};
pub(super) use mirror::mirror;
pub(super) use mirrors::mirrors;
pub(super) use run::run;
pub(super) use texts::{about, api, token};
