//! What Git tells of a branch: its commits, where its files have moved, and the reverts among them.

pub mod automation;
pub mod ledger;
pub mod moves;
pub mod scope;
pub mod snapshot;
pub mod trailers;
