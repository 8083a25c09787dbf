//! `backout unpin`: a person has the pins of a service taken off before their time.

use std::path::Path;

use super::common::requester;
use super::common::{Common, Ending, Format};
use super::run::pin_news;
use super::{output, world};
use crate::agent::{EnvironmentReport, PinStep, fetch, unpin_service};
use crate::domain::ids::ServiceName;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct UnpinArgs {
    /// The name of a service
    service: String,
    /// The environment [default: all in which it has pins]
    #[arg(long)]
    environment: Option<String>,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: UnpinArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    world::ensure_known(&world, args.environment.as_deref())?;
    let service = ServiceName::new(args.service.as_str())?;
    let who = requester(Path::new("."));
    let (mut reports, mut missing): (Vec<EnvironmentReport>, Vec<String>) = (Vec::new(), Vec::new());
    for estate in &world.estates {
        let environments = estate.environments.iter().filter(|environment| {
            args.environment.as_ref().is_none_or(|name| environment.name.as_str() == name)
        });
        let environments: Vec<_> = environments.collect();
        if environments.is_empty() {
            continue;
        }
        let fetched = output::progress("fetching", fetch(estate)).await?;
        for environment in environments {
            if let Some(problem) = fetched.missing.get(&environment.branch) {
                missing.push(format!("{}: {problem}", environment.name));
                continue;
            }
            let unpinning = unpin_service(&world, (estate, environment), &service, &who);
            reports.push(output::progress("unpinning", unpinning).await?);
        }
    }
    let news = || reports.iter().flat_map(|report| &report.pins);
    match common.format {
        Format::Json => output::json(&reports)?,
        Format::Text if reports.is_empty() => {}
        Format::Text if news().next().is_none() => {
            let environments: Vec<&str> = reports.iter().map(|report| report.environment.as_str()).collect();
            let environments = environments.join(" and ");
            output::line(&format!(
                "nothing to do: {service} has no open pins in {environments}; `backout status` shows the open pins of all services"
            ));
        }
        Format::Text => {
            for report in &reports {
                for pin in &report.pins {
                    let told = output::plain(&pin_news(pin));
                    output::line(&format!("{} {} {told}", report.environment, pin.service));
                }
            }
        }
    }
    let problems: Vec<&str> =
        reports.iter().flat_map(|report| &report.problems).chain(&missing).map(String::as_str).collect();
    anyhow::ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(if news().any(|news| matches!(news.step, PinStep::Lifted | PinStep::Proposed)) {
        Ending::Acted
    } else {
        Ending::Quiet
    })
}
