//! Following what earlier passes began: pull requests to their end, reverts until their effect is clear, and pins until they are taken off.

pub(super) mod pins;
pub(super) mod pull_requests;
pub(super) mod recovery;
pub(super) mod withdrawn;
