//! `backout revert`: a person asks for the same surgical revert. Works on any clone, without a configuration, too.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::common::{self, Common, Ending, Format};
use super::{output, world};
use crate::agent::request::{Prepared, PreparedAll, Request, RequestError, Wanted};
use crate::agent::{EnvironmentBrakes, Estate, World, brakes, fetch};
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Asked, NoChange};
use crate::domain::deployment::lineage::Earlier;
use crate::domain::environment::Environment;
use crate::domain::ids::{RepositoryName, ServiceName};
use crate::domain::time::human_secs;
use crate::ports::RepositoryError;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct RevertArgs {
    /// The name of a service (its last deployment is meant), or a commit
    target: String,
    /// The environment; needed when several hold the deployment
    #[arg(long)]
    environment: Option<String>,
    /// Of a commit that deployed several services, only this one
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Go back to the newest state that is known to be good, as the agent does by itself, and not to the one just before
    #[arg(long)]
    to_good: bool,
    /// Why, for the commit message
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the diff and change nothing
    #[arg(long)]
    dry_run: bool,
    /// A local clone to work on without a configuration [default: the current directory, where there is no backout.yaml]
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    repository: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: RevertArgs) -> anyhow::Result<Ending> {
    let world = if args.repository.is_none() && world::has_config(common) {
        world::connect(&world::settings(common)?)?
    } else {
        world::only(world::without_config(args.repository.as_deref().unwrap_or(Path::new(".")))?)
    };
    let who = common::requester(args.repository.as_deref().unwrap_or(Path::new(".")));
    let asked = Asked { who: &who, why: args.reason.as_deref() };
    let (request, PreparedAll { reverts: prepared, back }, held_back) = prepare(&world, &args, asked).await?;
    for line in held_back {
        output::warning(&format!(
            "{line}. That holds for the agent: what a person asks for is done all the same"
        ));
    }
    for (service, why) in &back {
        output::warning(&format!("{service} is left as it is: {why}"));
    }
    for one in &prepared {
        if let Some(words) = one.deployment.schema_words() {
            let service = &one.change.service;
            output::warning(&format!("this deployment of {service} {words}: going back may lose data"));
        }
    }
    if args.dry_run {
        show(common, &prepared, &states(&request, &prepared).await?)?;
        return Ok(Ending::Quiet);
    }
    make(common, &request, &prepared).await
}

/// Works out what is wanted in the one environment that holds it. What holds the agent back there comes with it, in words.
async fn prepare<'a>(
    world: &'a World,
    args: &RevertArgs,
    asked: Asked<'a>,
) -> anyhow::Result<(Request<'a>, PreparedAll, Vec<String>)> {
    world::ensure_known(world, args.environment.as_deref())?;
    let mut found: Vec<(&Arc<Environment>, Request<'a>, PreparedAll, Vec<EnvironmentBrakes>)> = Vec::new();
    let mut reasons = Vec::new();
    let is_meant = |environment: &&Arc<Environment>| {
        args.environment.as_ref().is_none_or(|name| environment.name.as_str() == name)
    };
    for estate in &world.estates {
        let environments: Vec<_> = estate.environments.iter().filter(is_meant).collect();
        if environments.is_empty() {
            continue;
        }
        let fetched = output::progress("fetching", fetch(estate)).await;
        let is_told = world.estates.len() == 1 || args.environment.is_some();
        let fetched = fetched.map_err(|error| match is_told {
            true => error.into(),
            false => unseen(&estate.name, &error),
        })?;
        let wanted = match wanted(estate, args).await {
            Ok(wanted) => wanted,
            Err(error) => {
                reasons.push(format!("{error:#}"));
                continue;
            }
        };
        for environment in environments {
            if let Some(problem) = fetched.missing.get(&environment.branch) {
                reasons.push(format!("{}: {problem}", environment.name));
                continue;
            }
            let request = Request::new(world, estate, environment, asked, args.to_good);
            match request.prepare(&wanted).await {
                Ok(prepared) => {
                    let brakes = brakes(world, estate, &fetched.tips).await?;
                    found.push((environment, request, prepared, brakes));
                }
                Err(error) => reasons.push(format!("{}: {error}", environment.name)),
            }
        }
    }
    let names: Vec<&str> = found.iter().map(|(environment, ..)| environment.name.as_str()).collect();
    anyhow::ensure!(!names.is_empty(), "{}", reasons.join("\n"));
    let several =
        format!("several environments hold it: say which with --environment ({})", names.join(", "));
    anyhow::ensure!(names.len() == 1, several);
    let (environment, request, prepared, brakes) = found.remove(0);
    let held_back = held_back(environment, &prepared, brakes);
    Ok((request, prepared, held_back))
}

/// What holds the agent back from reverts of these services, in words.
fn held_back(environment: &Environment, prepared: &PreparedAll, all: Vec<EnvironmentBrakes>) -> Vec<String> {
    let own = all.into_iter().find(|one| one.environment == environment.name);
    let mut brakes = own.map(|own| own.brakes).unwrap_or_default();
    let is_meant = |service: &ServiceName| prepared.reverts.iter().any(|one| one.change.service == *service);
    brakes.pauses.retain(|pause| pause.service.as_ref().is_none_or(is_meant));
    brakes.lines(&environment.name)
}

/// Makes the reverts, and prints what became of each.
async fn make(common: &Common, request: &Request<'_>, prepared: &[Prepared]) -> anyhow::Result<Ending> {
    let mut done = Vec::new();
    for one in prepared {
        let (change, receipt) = match output::progress("reverting", request.deliver(one)).await {
            Ok(done) => done,
            // Somebody was quicker with this one. The others are still there.
            Err(RequestError::NoChange { service, none: none @ NoChange::Restored(_) })
                if prepared.len() > 1 =>
            {
                output::problem(&output::plain(&format!("{service}: {none}")));
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        let (branch, commit) = match &receipt {
            Receipt::Pushed(commit) => (Some(change.branch.clone()), Some(*commit)),
            Receipt::Proposed { branch, commit, .. } => (Some(branch.clone()), Some(*commit)),
            Receipt::Merged(_) => (Some(change.branch.clone()), None),
            Receipt::Superseded(why) | Receipt::Refused(why) => anyhow::bail!("{why}"),
            Receipt::Planned | Receipt::Postponed | Receipt::Declined { .. } | Receipt::Stuck { .. } => {
                anyhow::bail!("{receipt}")
            }
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
async fn states(request: &Request<'_>, prepared: &[Prepared]) -> anyhow::Result<Vec<Vec<Earlier>>> {
    let mut states = Vec::new();
    for one in prepared {
        states.push(request.earlier(&one.deployment).await?);
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
    let length = state.since.map(|since| format!(", for {}", human_secs(state.until.secs_since(since))));
    let by = state.commit.map(|commit| format!(" (deployed by {})", commit.short()));
    format!(
        "  ran well before{}: {}{}",
        length.unwrap_or_default(),
        values.join(", "),
        by.unwrap_or_default()
    )
}

/// Where one of several repositories cannot be read, another must not be taken for the one that is meant.
fn unseen(name: &RepositoryName, error: &RepositoryError) -> anyhow::Error {
    anyhow::anyhow!(
        "{name} may hold it too, and cannot be read ({error}): say which is meant with --environment, or mend {name}"
    )
}

/// A commit where the text is one, and a service otherwise.
async fn wanted(estate: &Estate, args: &RevertArgs) -> anyhow::Result<Wanted> {
    let target = args.target.as_str();
    let only = args.service.as_deref().map(ServiceName::new).transpose()?;
    let hex = target.len() >= 7 && target.bytes().all(|b| b.is_ascii_hexdigit());
    let revision = hex || target.contains("HEAD") || target.contains(['~', '^']);
    if revision {
        let (repository, text) = (Arc::clone(&estate.repository), target.to_owned());
        if let Ok(commit) = tokio::task::spawn_blocking(move || repository.resolve(&text)).await? {
            return Ok(Wanted::Commit(commit, only));
        }
    }
    anyhow::ensure!(only.is_none(), "--service goes with a commit, and {target} is none");
    let service =
        ServiceName::new(target).with_context(|| format!("{target} is neither a commit nor a service"))?;
    Ok(Wanted::Service(service))
}
