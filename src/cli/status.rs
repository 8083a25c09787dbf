//! `backout status`: what each service runs, since when, and what is kept out of it.

use super::common::{Common, Ending, Format};
use super::{output, world};
use crate::agent::{BudgetStatus, EnvironmentStatus, ServiceStatus, WaitingProposal, fetch, status};
use crate::domain::time::human_secs;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct StatusArgs {
    /// Only this service
    #[arg(long)]
    service: Option<String>,
    /// Only this environment
    #[arg(long)]
    environment: Option<String>,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: StatusArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    world::ensure_known(&world, args.environment.as_deref())?;
    let (mut all, mut ending) = (Vec::new(), Ending::Quiet);
    for estate in &world.estates {
        let mut environments = estate.environments.iter().filter(|environment| {
            args.environment.as_ref().is_none_or(|name| environment.name.as_str() == name)
        });
        let Some(first) = environments.next() else { continue };
        let fetched = match output::progress("fetching", fetch(estate)).await {
            Ok(fetched) => fetched,
            Err(error) if world.estates.len() == 1 => return Err(error.into()),
            // The others are shown.
            Err(error) => {
                output::problem(&format!("{}: {error}", estate.name));
                ending = Ending::Error;
                continue;
            }
        };
        for environment in std::iter::once(first).chain(environments) {
            let read = match fetched.missing.get(&environment.branch) {
                Some(problem) => Err(problem.clone()),
                None => {
                    let reading = status(&world, estate, environment);
                    output::progress("reading", reading).await.map_err(|error| error.to_string())
                }
            };
            match read {
                Ok(mut status) => {
                    let is_meant = |one: &ServiceStatus| {
                        args.service.as_ref().is_none_or(|name| one.service.as_str() == name)
                    };
                    status.services.retain(is_meant);
                    let is_of = |name: &String, one: &WaitingProposal| one.service.as_str() == name;
                    status.proposals.retain(|one| args.service.as_ref().is_none_or(|name| is_of(name, one)));
                    all.push(status);
                }
                Err(problem) => {
                    output::problem(&format!("{}: {problem}", environment.name));
                    ending = Ending::Error;
                }
            }
        }
    }
    match common.format {
        Format::Json => output::json(&all)?,
        Format::Text => all.iter().for_each(|status| output::text(&describe(status))),
    }
    Ok(ending)
}

/// The services of an environment as a table.
fn describe(status: &EnvironmentStatus) -> String {
    let mut out = format!("{} at {}\n", status.environment, status.head.short());
    let BudgetStatus { used, max_reverts, window_secs } = status.budget;
    let window = human_secs(window_secs.into());
    out.push_str(&format!("  budget: {used} of {max_reverts} reverts used in the last {window}\n"));
    for line in status.brakes.iter().chain(&status.waiting) {
        out.push_str(&format!("  {}\n", output::plain(line)));
    }
    for line in status.proposals.iter().flat_map(output::waiting) {
        out.push_str(&format!("  {line}\n"));
    }
    let row = |one: &ServiceStatus| {
        let versions: Vec<String> = one.versions.iter().map(|version| output::plain(version)).collect();
        let version = if versions.is_empty() { "-".to_owned() } else { versions.join(", ") };
        let since = one.since.map_or_else(|| "-".to_owned(), |since| since.to_string());
        [one.service.to_string(), version, since, one.state.to_owned()]
    };
    let head = ["SERVICE", "VERSION", "SINCE", "STATE"].map(str::to_owned);
    let rows: Vec<[String; 4]> = status.services.iter().map(row).collect();
    let width = |column: usize| {
        let cells = std::iter::once(&head).chain(&rows).filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &[String; 4]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned() + "\n"
    };
    if rows.is_empty() {
        out.push_str("  no services\n");
        return out;
    }
    out.push_str(&line(&head));
    for (one, row) in status.services.iter().zip(&rows) {
        out.push_str(&line(row));
        if let Some(trust) = &one.trust {
            let what = if trust.is_earned() { "reverts by itself" } else { "proposes reverts" };
            out.push_str(&format!("    mode earn, the agent {what}: {}\n", output::plain(&trust.line())));
        }
        for value in &one.quarantine {
            let (what, revert) = (output::plain(&value.value), value.revert.short());
            out.push_str(&format!(
                "    in quarantine until {}: {what}, backed out by {revert}\n",
                value.until
            ));
        }
        for pin in &one.pins {
            let (what, reason) = (output::plain(&pin.pin), output::plain(&pin.reason));
            let changed = if pin.is_changed { ", changed by somebody since" } else { "" };
            out.push_str(&format!("    pinned until {}{changed}: {what} ({reason})\n", pin.until));
        }
    }
    out
}
