//! Acting: a revert is worked out against the head of its branch, and delivered by a push, through a branch of its own, or
//! through a pull request.

mod artifacts;
pub(super) mod branch;
pub(super) mod deliver;
pub(super) mod due;
pub(super) mod error;
mod made;
pub(super) mod members;
mod next;
pub(super) mod pins;
pub(super) mod pull_request;
pub(super) mod revert;
mod trace;
pub(super) mod unpin;
