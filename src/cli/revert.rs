//! `backout revert`: a person asks for the same surgical revert. Works on any clone, without a configuration, too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::{Common, Ending, Format, output, world};
use crate::agent::request::{Prepared, Wanted, deliver, earlier, prepare};
use crate::agent::{World, fetch};
use crate::domain::change::receipt::Receipt;
use crate::domain::deployment::earlier::Earlier;
use crate::domain::environment::Environment;
use crate::domain::ids::ServiceName;
use crate::domain::time::human_secs;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of a service (its last deployment is meant), or a commit
    target: String,
    /// The environment; needed when several hold the deployment
    #[arg(long)]
    environment: Option<String>,
    /// Print the diff and change nothing
    #[arg(long)]
    dry_run: bool,
    /// A local clone to work on without a configuration [default: the current directory, where there is no backout.yaml]
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    repository: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: Args) -> anyhow::Result<Ending> {
    let world = if args.repository.is_none() && world::has_config(common) {
        world::connect(&world::settings(common)?)?
    } else {
        world::without_config(args.repository.as_deref().unwrap_or(Path::new(".")))?
    };
    let environments = chosen(&world, &args)?;
    let missing = output::progress("fetching", fetch(&world)).await?;
    let wanted = wanted(&world, &args.target).await?;
    let who = requester();
    let now = world.clock.now();
    let mut found: Vec<(Arc<Environment>, Vec<Prepared>)> = Vec::new();
    let mut reasons = Vec::new();
    for environment in environments {
        if let Some(problem) = missing.get(&environment.branch) {
            reasons.push(format!("{}: {problem}", environment.name));
            continue;
        }
        match prepare(&world, &environment, &wanted, &who, now).await {
            Ok(prepared) => found.push((environment, prepared)),
            Err(error) => reasons.push(format!("{}: {error}", environment.name)),
        }
    }
    let (environment, prepared) = match found.len() {
        0 => anyhow::bail!("{}", reasons.join("\n")),
        1 => found.remove(0),
        _ => {
            let names: Vec<&str> = found.iter().map(|(environment, _)| environment.name.as_str()).collect();
            anyhow::bail!("several environments hold it: say which with --environment ({})", names.join(", "))
        }
    };
    for one in &prepared {
        if let Some(flag) = &one.deployment.schema {
            let service = &one.change.service;
            output::warning(&format!(
                "this deployment of {service} changed a database schema ({flag}): going back may lose data"
            ));
        }
    }
    if args.dry_run {
        show(common, &prepared, &states(&world, &environment, &prepared).await?)?;
        return Ok(Ending::Quiet);
    }
    make(common, &world, &environment, prepared, &who).await
}

/// Makes the reverts, and prints what became of each.
async fn make(
    common: &Common,
    world: &World,
    environment: &Arc<Environment>,
    prepared: Vec<Prepared>,
    who: &str,
) -> anyhow::Result<Ending> {
    let mut done = Vec::new();
    for one in prepared {
        let delivery = deliver(world, environment, one, who, world.clock.now());
        let (change, receipt) = output::progress("reverting", delivery).await?;
        let (branch, commit) = match &receipt {
            Receipt::Pushed(commit) => (Some(change.branch.clone()), Some(*commit)),
            Receipt::Proposed { branch, commit, .. } => (Some(branch.clone()), Some(*commit)),
            Receipt::Merged(_) => (Some(change.branch.clone()), None),
            Receipt::Superseded(why) | Receipt::Refused(why) => anyhow::bail!("{why}"),
            Receipt::Declined { .. } | Receipt::Stuck { .. } => anyhow::bail!("{receipt}"),
        };
        match common.format {
            Format::Json => done.push(serde_json::json!({
                "environment": change.environment, "service": change.service, "deployment": change.reverts,
                "revert": commit, "branch": branch, "review": receipt.review(),
            })),
            Format::Text => {
                output::text(&output::plain_lines(&change.to_string()));
                output::line(&match (&receipt, branch, commit) {
                    (Receipt::Pushed(_), Some(branch), Some(commit)) => {
                        format!("pushed {commit} to {branch}")
                    }
                    _ => output::plain(&receipt.to_string()),
                });
            }
        }
    }
    if common.format == Format::Json {
        output::json(&done)?;
    }
    Ok(Ending::Acted)
}

/// What each service ran well before.
async fn states(
    world: &World,
    environment: &Arc<Environment>,
    prepared: &[Prepared],
) -> anyhow::Result<Vec<Vec<Earlier>>> {
    let mut states = Vec::new();
    for one in prepared {
        states.push(earlier(world, environment, &one.deployment, world.clock.now()).await?);
    }
    Ok(states)
}

fn show(common: &Common, prepared: &[Prepared], states: &[Vec<Earlier>]) -> anyhow::Result<()> {
    let mut shown = Vec::new();
    for (one, earlier) in prepared.iter().zip(states) {
        let diff = one.change.diff(&one.current.files);
        match common.format {
            Format::Json => shown.push(serde_json::json!({
                "environment": one.change.environment, "service": one.change.service,
                "deployment": one.change.reverts, "plan": one.change.to_string(),
                "diff": diff, "message": one.change.message, "earlier": earlier,
            })),
            Format::Text => {
                for line in one.change.to_string().lines() {
                    output::line(&format!("# {}", output::plain(line)));
                }
                let further = earlier.iter().filter(|state| state.until < one.deployment.at);
                for state in further {
                    output::line(&format!("# {}", output::plain(&told(state))));
                }
                output::diff(&diff);
            }
        }
    }
    if common.format == Format::Json {
        output::json(&shown)?;
    }
    Ok(())
}

/// An earlier state in one line.
fn told(state: &Earlier) -> String {
    let values: Vec<&str> = state.fields.iter().map(|(_, _, text)| text.as_str()).collect();
    let length = human_secs(state.until.secs_since(state.since));
    format!("  ran well before, for {length}: {} (deployed by {})", values.join(", "), state.commit.short())
}

fn chosen(world: &World, args: &Args) -> anyhow::Result<Vec<Arc<Environment>>> {
    let Some(name) = &args.environment else { return Ok(world.environments.clone()) };
    let named = world.environments.iter().find(|environment| environment.name.as_str() == name);
    let known = || world.environments.iter().map(|e| e.name.as_str()).collect::<Vec<_>>().join(", ");
    Ok(vec![
        named.cloned().with_context(|| format!("there is no environment {name}: there are {}", known()))?,
    ])
}

/// A commit where the text is one, and a service otherwise.
async fn wanted(world: &World, target: &str) -> anyhow::Result<Wanted> {
    let hex = target.len() >= 7 && target.bytes().all(|b| b.is_ascii_hexdigit());
    let revision = hex || target.contains("HEAD") || target.contains(['~', '^']);
    if revision {
        let (repository, text) = (Arc::clone(&world.repository), target.to_owned());
        if let Ok(commit) = tokio::task::spawn_blocking(move || repository.resolve(&text)).await? {
            return Ok(Wanted::Commit(commit));
        }
    }
    let service =
        ServiceName::new(target).with_context(|| format!("{target} is neither a commit nor a service"))?;
    Ok(Wanted::Service(service))
}

/// Who asks, for the commit message.
#[expect(clippy::disallowed_methods, reason = "the user's name is in the environment")]
fn requester() -> String {
    std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "a person".to_owned())
}
