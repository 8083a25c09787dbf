//! `backout history`.

use super::{Common, Ending};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {}

/// Runs the command.
pub(super) async fn run(_: &Common, _: Args) -> anyhow::Result<Ending> {
    anyhow::bail!("not there yet")
}
