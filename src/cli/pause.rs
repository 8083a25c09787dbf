//! `backout pause` and `backout resume`: people have all agents make no revert for a while.

use std::path::Path;
use std::sync::Arc;

use serde_json::json;

use super::common::{Common, Ending, Format, requester};
use super::{output, world};
use crate::agent::{Estate, Fetched, World, brakes, fetch};
use crate::config::duration_secs;
use crate::domain::environment::Environment;
use crate::domain::environment::brakes::Brakes;
use crate::domain::environment::pause::{
    Lifted, MAX_PAUSE_SECS, MAX_WHY, Pause, USUAL_PAUSE_SECS, kept, lifted,
};
use crate::domain::history::scope::Tracked;
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::text::one_line;
use crate::domain::time::Time;
use crate::ports::PushError;
use crate::record::pause::PauseList;

/// What the help of both says at its end.
pub(super) const AFTER_HELP: &str = "A paused environment or service is still watched, judged and recorded. No agent pushes a revert for \
it, and none opens or merges a pull request. All agents obey from their next pass on. `backout revert` works all the same.\n\nThe list of \
pauses is in the repository, in refs/backout/pauses. Who has no command at hand writes a pause into the file .backout/pause.yaml on the \
environment's branch.";

/// What `backout pause` takes.
#[derive(Debug, clap::Args)]
pub(super) struct PauseArgs {
    #[command(flatten)]
    what: What,
    /// Until when, such as 2026-12-01T18:00:00Z: at most 30 days ahead
    #[arg(long, value_name = "TIME", conflicts_with = "length")]
    until: Option<String>,
    /// For how long, such as 30m, 2h or 3d: at most 30d [default: 4h]
    #[arg(long = "for", value_name = "DURATION", id = "length")]
    length: Option<String>,
    /// Why: people read it in every report
    #[arg(long, value_name = "TEXT")]
    why: String,
}

/// What `backout resume` takes.
#[derive(Debug, clap::Args)]
pub(super) struct ResumeArgs {
    #[command(flatten)]
    what: What,
    /// Why, for the record
    #[arg(long, value_name = "TEXT")]
    why: Option<String>,
}

/// What is paused.
#[derive(Debug, clap::Args)]
struct What {
    /// This environment [default: each of the configuration]
    #[arg(long)]
    environment: Option<String>,
    /// This service alone [default: the environment as a whole]
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
}

impl What {
    /// The service, and each estate with those of its environments that are meant.
    fn find<'w>(&self, world: &'w World) -> anyhow::Result<(Option<ServiceName>, Vec<Meant<'w>>)> {
        world::ensure_known(world, self.environment.as_deref())?;
        let is_meant = |environment: &&Arc<Environment>| {
            self.environment.as_ref().is_none_or(|name| environment.name.as_str() == name)
        };
        let of = |estate: &'w Arc<Estate>| Meant {
            estate,
            environments: estate.environments.iter().filter(is_meant).cloned().collect(),
        };
        let mut meant: Vec<Meant<'w>> = world.estates.iter().map(of).collect();
        meant.retain(|one| !one.environments.is_empty());
        Ok((self.service.as_deref().map(ServiceName::new).transpose()?, meant))
    }
}

/// Environments of one estate.
struct Meant<'w> {
    estate: &'w Arc<Estate>,
    environments: Vec<Arc<Environment>>,
}

/// Runs `backout pause`.
pub(super) async fn pause(common: &Common, args: PauseArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    let now = world.clock.now();
    let until = end_of(&args, now)?;
    let why = one_line(&args.why, MAX_WHY);
    anyhow::ensure!(!why.is_empty(), "--why is empty: say why, so that others know when they may resume");
    let (service, all) = args.what.find(&world)?;
    let by = requester(Path::new("."));
    let (mut done, mut ending) = (Vec::new(), Ending::Quiet);
    if let Some(service) = &service {
        ensure_known(&all, service, "paused").await?;
    }
    for Meant { estate, environments } in &all {
        let of = |environment: &Arc<Environment>| Pause {
            environment: environment.name.clone(),
            service: service.clone(),
            at: Some(now),
            until,
            by: by.clone(),
            why: why.clone(),
            lifted: None,
        };
        let new: Vec<Pause> = environments.iter().map(of).map(Pause::harmless).collect();
        match pause_in(estate, new.clone(), now).await {
            Ok(_) => done.extend(new),
            Err(error) if all.len() == 1 => return Err(error),
            // The others are paused.
            Err(error) => {
                output::problem(&format!("{} is NOT paused: {error:#}", estate.name));
                ending = Ending::Error;
            }
        }
    }
    match common.format {
        Format::Json => output::json(&done)?,
        Format::Text => {
            for pause in &done {
                output::line(&format!("{} is {pause}", pause.what()));
            }
            output::line("All agents obey from their next pass on.");
        }
    }
    Ok(ending)
}

/// When the pause ends.
fn end_of(args: &PauseArgs, now: Time) -> anyhow::Result<Time> {
    let until = match (&args.until, &args.length) {
        (Some(until), _) => {
            let until: jiff::Timestamp = until.parse().map_err(|_no_time| {
                anyhow::anyhow!("--until {until:?} is no time: write it like 2026-12-01T18:00:00Z")
            })?;
            Time::from_unix(until.as_second())
        }
        (None, length) => {
            let length = length.as_deref().map(|text| {
                let secs = duration_secs(text);
                secs.ok_or_else(|| anyhow::anyhow!("--for {text:?} is no duration: write 30m, 2h or 3d"))
            });
            now.plus_secs(length.transpose()?.unwrap_or(USUAL_PAUSE_SECS).into())
        }
    };
    let days = MAX_PAUSE_SECS / 86_400;
    anyhow::ensure!(until > now, "the pause would end at {until}, and it is {now}: name a later time");
    anyhow::ensure!(
        until.secs_since(now) <= MAX_PAUSE_SECS.into(),
        "the pause would end at {until}, more than {days} days ahead: name an earlier time, or set `mode: observe` in the configuration"
    );
    Ok(until)
}

/// Puts pauses into the list of one repository. Returns where its branches are.
async fn pause_in(estate: &Estate, new: Vec<Pause>, now: Time) -> anyhow::Result<Fetched> {
    let fetched = output::progress("fetching", fetch(estate)).await?;
    let repository = Arc::clone(&estate.repository);
    let pausing = tokio::task::spawn_blocking(move || {
        let names: Vec<String> = new.iter().map(Pause::what).collect();
        let first = new.first().map(Pause::to_string).unwrap_or_default();
        let message = format!("Pause {}\n\n{first}\n", names.join(", "));
        repository.change_pauses(&message, now, &|text| {
            let list = PauseList::read(text);
            let pauses = list.pauses.iter().chain(&new).cloned().collect();
            list.with(kept(pauses, now)?).map(Some)
        })
    });
    output::progress("pausing", pausing).await??;
    Ok(fetched)
}

/// Refuses a service that no environment has a file of: its name is wrong, and who pauses it believes that the agent holds still. What
/// cannot be read is paused all the same.
async fn ensure_known(all: &[Meant<'_>], service: &ServiceName, done: &str) -> anyhow::Result<()> {
    let mut unknown: Vec<&str> = Vec::new();
    for Meant { estate, environments } in all {
        let Ok(fetched) = output::progress("fetching", fetch(estate)).await else { return Ok(()) };
        for environment in environments {
            let Some(head) = fetched.tips.get(&environment.branch).copied() else { return Ok(()) };
            let (repository, own) = (Arc::clone(&estate.repository), Arc::clone(environment));
            let wanted = service.clone();
            let looking = tokio::task::spawn_blocking(move || {
                repository.list_files(head, &Tracked::new(&own, Some(&wanted)), 1)
            });
            match looking.await {
                Ok(Ok(files)) if files.is_empty() => unknown.push(environment.name.as_str()),
                Ok(_) | Err(_) => return Ok(()),
            }
        }
    }
    anyhow::bail!(
        "there is no service {service} in {}, so nothing is {done}: `backout status` lists the services",
        unknown.join(", ")
    )
}

/// Runs `backout resume`.
pub(super) async fn resume(common: &Common, args: ResumeArgs) -> anyhow::Result<Ending> {
    let world = world::connect(&world::settings(common)?)?;
    let (service, all) = args.what.find(&world)?;
    let why = args.why.as_deref().map(|why| one_line(why, MAX_WHY)).filter(|why| !why.is_empty());
    let by = Lifted { at: world.clock.now(), by: requester(Path::new(".")), why };
    let (mut ended, mut still, mut ending) = (Vec::new(), Vec::new(), Ending::Quiet);
    for meant in &all {
        match resume_in(&world, meant, service.clone(), by.clone()).await {
            Ok((of_estate, rest)) => {
                ended.extend(of_estate);
                still.extend(rest);
            }
            Err(error) if all.len() == 1 => return Err(error),
            // The others are resumed.
            Err(error) => {
                output::problem(&format!("{} is NOT resumed: {error:#}", meant.estate.name));
                ending = Ending::Error;
            }
        }
    }
    if let Some(service) = service.as_ref().filter(|_| ended.is_empty() && ending == Ending::Quiet) {
        ensure_known(&all, service, "resumed").await?;
    }
    if common.format == Format::Json {
        let brakes = |(environment, brakes): &(EnvironmentName, Brakes)| json!({"environment": environment, "brakes": brakes});
        output::json(&json!({"ended": ended, "still": still.iter().map(brakes).collect::<Vec<_>>()}))?;
        return Ok(ending);
    }
    for pause in &ended {
        output::line(&format!("resumed: {} was {pause}", pause.what()));
    }
    if ended.is_empty() {
        let environments = all.iter().flat_map(|meant| &meant.environments).map(|one| one.name.as_str());
        let environments = environments.collect::<Vec<_>>().join(" and ");
        let what = args.what.service.as_ref().map_or_else(
            || format!("{environments} as a whole"),
            |service| format!("{service} in {environments}"),
        );
        output::line(&format!("nothing to do: no pause of {what} is open"));
    }
    for line in still.iter().flat_map(|(environment, brakes)| brakes.lines(environment)) {
        output::line(&format!("still: {}", output::plain(&line)));
    }
    Ok(ending)
}

/// Ends the pauses of one repository that are open and meant. Returns them, and what holds there after that. A pause that somebody makes
/// meanwhile is not ended: whoever resumes has not seen it.
async fn resume_in(
    world: &World,
    Meant { estate, environments }: &Meant<'_>,
    service: Option<ServiceName>,
    by: Lifted,
) -> anyhow::Result<(Vec<Pause>, Vec<(EnvironmentName, Brakes)>)> {
    let fetched = output::progress("fetching", fetch(estate)).await?;
    let (repository, own) = (Arc::clone(&estate.repository), environments.clone());
    let resuming = tokio::task::spawn_blocking(move || {
        let text = repository.pauses().map_err(PushError::from)?.unwrap_or_default();
        let is_meant = |pause: &Pause| {
            let is_about = |one: &Arc<Environment>| pause.is_about(&one.name, service.as_ref());
            pause.is_open(by.at) && own.iter().any(is_about)
        };
        let meant: Vec<Pause> = PauseList::read(&text).pauses.into_iter().filter(is_meant).collect();
        if meant.is_empty() {
            return Ok(meant);
        }
        let names: Vec<String> = meant.iter().map(Pause::what).collect();
        let why = by.why.as_ref().map_or_else(String::new, |why| format!(": {why}"));
        let message = format!("Resume {}\n\nby {}{why}\n", names.join(", "), by.by);
        repository.change_pauses(&message, by.at, &|text| {
            let list = PauseList::read(text);
            let pauses = lifted(list.pauses.clone(), &meant, &by);
            list.with(kept(pauses, by.at)?).map(Some)
        })?;
        Ok::<_, PushError>(meant)
    });
    let ended = output::progress("resuming", resuming).await??;
    let is_meant = |name: &EnvironmentName| environments.iter().any(|one| one.name == *name);
    let rest = brakes(world, estate, &fetched.tips).await?.into_iter();
    let rest = rest.filter(|one| is_meant(&one.environment) && !one.brakes.is_empty());
    Ok((ended, rest.map(|one| (one.environment, one.brakes)).collect()))
}
