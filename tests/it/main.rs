//! The one integration binary: the crate against real counterparts.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a test's helper ends the test"
)]

mod counterparts;
mod crash;
mod demo;
mod dependencies;
mod deploy;
mod e2e;
mod examples;
mod fields;
mod forges;
mod git;
mod hostile;
mod http_json;
mod install;
mod invariants;
mod judge;
mod judge_file;
mod metrics;
mod one_error;
mod race;
mod registries;
mod safety;
mod support;
mod tidy;
