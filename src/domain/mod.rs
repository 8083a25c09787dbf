//! The rules of `backout`, as pure functions.
//!
//! ```text
//! Snapshot ─detect→ Deployment ─ask→ Question ─gather→ Evidence ─judge→ Verdict ─decide→ Decision ─plan→ Change
//! ```
//!
//! The modules stand in the order of that flow, and each imports only from those above it:
//!
//! | module | what it holds |
//! | --- | --- |
//! | [`ids`], [`time`], `text` | names, times, and untrusted text made harmless |
//! | [`lease`] | which agent works on which environments, where several share them |
//! | [`field`] | finding, comparing and restoring the bytes of a field in a file |
//! | [`environment`] | what is watched, and by which rules: patterns, policies, signals |
//! | [`history`] | the commits of a branch, and the reverts among them |
//! | [`schema`] | migrations of database schemas, and what they mean for the release before them |
//! | [`artifact`] | what release fields name: images, charts, revisions of Git |
//! | [`deployment`] | which commits are deployments, and of what |
//! | [`judge`] | question, evidence, verdict |
//! | [`chart`] | what a chart of a signal shows, for every pen |
//! | [`decision`] | the guards, in the order in which they are asked |
//! | [`pin`] | edits that keep automation from putting back what was backed out |
//! | [`change`] | the revert: its bytes, its message, and what became of it |
//! | [`review`] | pull requests: what is next for one, and what people read there |
//!
//! Everything here is deterministic: time is an argument, and the same inputs give the same outputs. The module
//! may use text, glob, template and serialisation crates. It never does I/O, never reads a clock, never logs, and
//! knows neither [`crate::ports`] nor any adapter.

pub mod artifact;
pub mod change;
pub mod chart;
pub mod decision;
pub mod deployment;
pub mod environment;
pub mod field;
pub mod history;
pub mod ids;
pub mod judge;
pub mod lease;
pub mod pin;
pub mod review;
pub mod schema;
pub mod text;
pub mod time;
