//! `backout revert`: a person asks for the same surgical revert. Works on any clone, without a configuration, too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;

use super::{Common, Ending, Format, output, world};
use crate::adapters::clock::SystemClock;
use crate::adapters::forge::BranchForge;
use crate::adapters::git::{GitAuth, GitOptions, GitRepository, SshOptions, current_branch};
use crate::adapters::http::HttpOptions;
use crate::agent::World;
use crate::agent::request::{Prepared, Wanted, deliver, prepare};
use crate::domain::environment::{Environment, ServiceFiles, ServiceRule};
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::pattern::PathGlobs;
use crate::domain::policy::{Budget, Delivery, Policy};
use crate::domain::snapshot::Person;
use crate::ports::Repository;

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
        without_config(args.repository.as_deref().unwrap_or(Path::new(".")))?
    };
    let environments = chosen(&world, &args)?;
    output::progress("fetching", world::fetch(&world)).await?;
    let wanted = wanted(&world, &args.target).await?;
    let who = requester();
    let now = world.clock.now();
    let mut found: Vec<(Arc<Environment>, Vec<Prepared>)> = Vec::new();
    let mut reasons = Vec::new();
    for environment in environments {
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
    if args.dry_run {
        show(common, &prepared)?;
        return Ok(Ending::Quiet);
    }
    for one in prepared {
        let delivery = deliver(&world, &environment, one, &who, now);
        let (change, commit) = output::progress("reverting", delivery).await?;
        match common.format {
            Format::Json => output::json(&serde_json::json!({
                "environment": change.environment, "service": change.service,
                "deployment": change.reverts, "revert": commit,
            }))?,
            Format::Text => {
                output::text(&output::plain_lines(&change.to_string()));
                output::line(&format!("pushed {commit} to {}", change.branch));
            }
        }
    }
    Ok(Ending::Acted)
}

fn show(common: &Common, prepared: &[Prepared]) -> anyhow::Result<()> {
    for one in prepared {
        let diff = one.change.diff(&one.current);
        match common.format {
            Format::Json => output::json(&serde_json::json!({
                "environment": one.change.environment, "service": one.change.service,
                "deployment": one.change.reverts, "plan": one.change.to_string(),
                "diff": diff, "message": one.change.message,
            }))?,
            Format::Text => {
                for line in one.change.to_string().lines() {
                    output::line(&format!("# {}", output::plain(line)));
                }
                output::text(&diff);
            }
        }
    }
    Ok(())
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

/// A world of one local repository: its current branch is the environment, and all of its files are one service.
fn without_config(path: &Path) -> anyhow::Result<World> {
    let branch = current_branch(path).with_context(|| format!("{}", path.display()))?;
    let person = Person { name: "backout".to_owned(), email: "backout@localhost".to_owned() };
    let options = GitOptions {
        url: path.to_string_lossy().into_owned(),
        cache_dir: std::env::temp_dir(),
        auth: GitAuth::None,
        ssh: SshOptions::default(),
        author: person.clone(),
        committer: person,
        sign_off: false,
        signing: None,
        http: HttpOptions::default(),
    };
    let repository: Arc<dyn Repository> =
        Arc::new(GitRepository::open(options, tokio::runtime::Handle::current())?);
    let directory =
        path.canonicalize().ok().and_then(|p| Some(p.file_name()?.to_string_lossy().into_owned()));
    let service = directory.and_then(|name| ServiceName::new(name.trim_end_matches(".git")).ok());
    let service = service.map_or_else(|| ServiceName::new("repository"), Ok)?;
    let environment = Environment {
        name: EnvironmentName::new(branch.as_str()).or_else(|_| EnvironmentName::new("repository"))?,
        branch,
        paths: None,
        delivery: Delivery::Push,
        budget: Budget::default(),
        services: vec![ServiceRule {
            files: ServiceFiles::Named(service, PathGlobs::new(vec!["**".to_owned()])?),
            labels: BTreeMap::new(),
            signals: Vec::new(),
            policy: Policy::default(),
        }],
    };
    Ok(World {
        forge: Arc::new(BranchForge::new(Arc::clone(&repository))),
        repository,
        sources: BTreeMap::new(),
        clock: Arc::new(SystemClock),
        environments: vec![Arc::new(environment)],
        config: String::new(),
    })
}
