//! The rules of `backout`, as pure functions.
//!
//! ```text
//! Snapshot ─detect→ Deployment ─ask→ Question ─gather→ Evidence ─judge→ Verdict ─decide→ Decision ─plan→ Change
//! ```
//!
//! Everything here is deterministic: time is an argument, and the same inputs give the same outputs. The module
//! may use text, glob, template and serialisation crates. It never does I/O, never reads a clock, never logs, and
//! knows neither [`crate::ports`] nor any adapter.

pub mod change;
pub mod codeowners;
pub mod decision;
pub mod deployment;
pub mod earlier;
pub mod environment;
pub mod evidence;
pub mod field;
pub mod ids;
mod inert;
pub mod layout;
pub mod ledger;
mod message;
pub mod moves;
pub mod pattern;
pub mod peer;
pub mod policy;
pub mod question;
pub mod receipt;
pub mod relation;
pub mod review;
pub mod scope;
pub mod signal;
pub mod snapshot;
pub mod stats;
pub mod time;
pub mod usual;
pub mod verdict;
