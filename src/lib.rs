//! `backout` watches an environment repo and the metrics of what it deploys, and backs a deployment that hurts
//! users out with a Git commit that restores exactly the fields which that deployment changed.
//!
//! Read the modules in this order:
//!
//! 1. [`domain`]: the rules. Pure functions from a snapshot of the repo and evidence to a verdict, a decision and
//!    a change. No I/O, no clock, no log.
//! 2. [`record`]: the wire form of what is remembered in Git (trailers and notes).
//! 3. [`ports`]: what the rules need from the world, as traits.
//! 4. [`agent`]: one pass, and the loop around it. It has no rules of its own.
//! 5. [`adapters`]: Git, forges, metric sources, the clock.
//! 6. [`page`]: what people read in a browser: pages and pictures, drawn from values alone.
//! 7. [`serve`]: the daemon's HTTP server.
//! 8. [`config`]: from `backout.yaml` to the domain's types, every error at once with its place.
//! 9. [`cli`]: one file a command; the only code that prints.

pub mod adapters;
pub mod agent;
pub mod cli;
pub mod config;
pub mod domain;
pub mod page;
pub mod ports;
pub mod record;
pub mod serve;
pub mod telemetry;
