//! The world: implementations of [`crate::ports`].

pub mod clock;
pub mod forge;
pub mod git;
pub mod http;
pub mod kubernetes;
pub mod metrics;
pub mod registry;
mod trust;
