//! Where commits go.

/// A place to push to, with what is needed to get in.
#[derive(Clone, Debug)]
pub struct Target {}
