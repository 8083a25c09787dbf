//! `backout plan`: what a pass would do and why, touching nothing.

use super::common::{Common, Ending, Format};
use super::{output, run, world};
use crate::agent::{Intent, Stop, pass};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {}

/// Runs the command.
pub(super) async fn run(common: &Common, _: PlanArgs) -> anyhow::Result<Ending> {
    let settings = world::settings(common)?;
    let world = world::connect(&settings)?;
    let report = output::progress("looking", pass(&world, Intent::Plan, &Stop::default())).await?;
    match common.format {
        Format::Json => output::json(&report)?,
        Format::Text => output::text(&run::describe(common, &report, true)),
    }
    Ok(if report.escalated() {
        Ending::Escalated
    } else if report.failed() {
        Ending::Error
    } else {
        Ending::Quiet
    })
}
