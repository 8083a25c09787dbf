//! `backout check`: the configuration, the right to read and push, and every metric query, each problem with its fix.

use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::agent::check::{Checked, check};

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct CheckArgs {}

/// Runs the command.
pub(super) async fn run(common: &Common, _: CheckArgs) -> anyhow::Result<Ending> {
    let settings = match world::load(common) {
        Ok(settings) => settings,
        Err(errors) => {
            match common.format {
                Format::Json => output::json(&serde_json::json!({"configuration": errors, "checks": []}))?,
                Format::Text => output::problem(&format!("the configuration cannot be used\n\n{errors}")),
            }
            return Ok(Ending::Error);
        }
    };
    let world = world::connect(&settings)?;
    let checked = output::progress("checking", check(&world, &|key| settings.written.place(key))).await;
    match common.format {
        Format::Json => output::json(&serde_json::json!({"configuration": [], "checks": checked}))?,
        Format::Text => output::text(&describe(&checked)),
    }
    Ok(if checked.iter().any(Checked::is_bad) { Ending::Error } else { Ending::Quiet })
}

fn describe(checked: &[Checked]) -> String {
    let line = |one: &Checked| {
        let found = output::plain(&one.found);
        match &one.fix {
            None => format!("{} {}: {found}\n", output::coloured("32", "ok  "), one.what),
            Some(fix) => {
                let mark = match one.is_bad() {
                    true => output::coloured("31;1", "FAIL"),
                    false => output::coloured("33", "note"),
                };
                format!("{mark} {}: {found}\n     fix: {fix}\n", one.what)
            }
        }
    };
    let config = format!("{} configuration: loads\n", output::coloured("32", "ok  "));
    std::iter::once(config).chain(checked.iter().map(line)).collect()
}
