//! What Git tells of a branch: its commits, where its files have moved, and the reverts among them. When commits came to it
//! is told by the forge.

pub mod automation;
pub mod landing;
pub mod ledger;
pub mod moves;
pub mod scope;
pub mod snapshot;
pub mod trailers;
