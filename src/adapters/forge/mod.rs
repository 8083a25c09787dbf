//! Bringing changes before people.

mod branch;

pub use branch::BranchForge;
