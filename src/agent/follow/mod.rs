//! Following what earlier passes began: pull requests to their end, and reverts until their effect is clear.

pub(super) mod pull_requests;
pub(super) mod recovery;
