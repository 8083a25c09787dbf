//! One pass, from the state of the repositories to what was done about it, on one screen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::act::due::make_due_reverts;
use super::caught::caught;
use super::decide::used;
use super::follow::pins::lift_pins;
use super::follow::pull_requests::follow_pull_requests;
use super::follow::recovery::watch_recoveries;
use super::follow::withdrawn::withdraw_branches;
use super::judge::elsewhere::find_known_elsewhere;
use super::judge::fallback::add_fallbacks;
use super::judge::judged::Judged;
use super::judge::open::judge_open;
use super::judge::turns::add_begun;
use super::look::branches::{Branches, Fetched, fetch};
use super::look::context::{Intent, Pass};
use super::look::gone::gone_reverts;
use super::look::landed::remember_tips;
use super::look::left::left_alone;
use super::look::lineage::fetch_ahead;
use super::look::pins::standing_pins;
use super::look::proposals::Proposals;
use super::look::state::State;
use super::look::waiting::waiting_of_watched;
use super::queue::Queue;
use super::report::{EnvironmentReport, PassReport};
use super::share::Share;
use super::tell::elsewhere::tell_known_elsewhere;
use super::tell::issues::close_issues;
use super::tell::pulls::warn_pull_requests;
use super::tell::write_down::write_down;
use super::took::{Laps, Stage};
use super::world::{Estate, Stop, World};
use crate::domain::decision::Decision;
use crate::domain::ids::{BranchName, EnvironmentName};
use crate::ports::RepositoryError;

/// How many reverts of an environment its report names.
const SHOWN_REVERTS: usize = 20;

/// Looks at every environment of every estate once. So many estates are worked on at the same time.
///
/// # Errors
/// When the only estate's repository cannot be fetched at all. Where there are several, that is in the reports of the
/// estate's environments. So is whatever goes wrong in one environment.
pub async fn pass(world: &World, intent: Intent, stop: &Stop) -> Result<PassReport, RepositoryError> {
    if let [only] = world.estates.as_slice() {
        let passed = caught(pass_estate(world, only, (intent, &Share::default()), stop)).await;
        return passed.unwrap_or_else(|panic| Err(RepositoryError::Broken(panic)));
    }
    let at = world.clock.now();
    let (queue, mut passes) = (Arc::new(Queue::new()), JoinSet::new());
    for (index, estate) in world.estates.iter().enumerate() {
        let (world, estate, stop) = (world.clone(), Arc::clone(estate), stop.clone());
        let queue = Arc::clone(&queue);
        passes.spawn(async move {
            let share = Share::default();
            let turn = queue.turn(Duration::ZERO).await;
            let passed = caught(turn.pass(pass_estate(&world, &estate, (intent, &share), &stop))).await;
            (index, passed.unwrap_or_else(|panic| Err(RepositoryError::Broken(panic))))
        });
    }
    let cut_short = || Err(RepositoryError::Broken("the pass was cut short".to_owned()));
    let mut done: Vec<_> = world.estates.iter().map(|_| cut_short()).collect();
    while let Some(ended) = passes.join_next().await {
        if let Ok((index, report)) = ended
            && let Some(slot) = done.get_mut(index)
        {
            *slot = report;
        }
    }
    let mut report = PassReport { at, ..PassReport::default() };
    for (estate, of_estate) in world.estates.iter().zip(done) {
        report.environments.extend(match of_estate {
            Ok(of_estate) => of_estate.environments,
            Err(error) => not_examined(estate, &error),
        });
    }
    Ok(report)
}

/// What is reported where a repository cannot be fetched at all.
fn not_examined(estate: &Estate, error: &RepositoryError) -> Vec<EnvironmentReport> {
    let of_environment = |name: &EnvironmentName| {
        let mut report = EnvironmentReport::new(name.clone());
        report.problems.push(error.to_string());
        report
    };
    estate.environments.iter().map(|environment| of_environment(&environment.name)).collect()
}

/// Looks at every environment of one estate once that is in the share when its turn comes. The others are read where these need it, and
/// are not in the report.
pub(super) async fn pass_estate(
    world: &World,
    estate: &Estate,
    (intent, share): (Intent, &Share),
    stop: &Stop,
) -> Result<PassReport, RepositoryError> {
    let now = world.clock.now();
    let mut report = PassReport { at: now, ..PassReport::default() };
    let mut laps = Laps::begin();
    let Some(fetched) = stop.unless_set(fetch(estate)).await else {
        return Ok(cut_short(estate, share, report));
    };
    let Fetched { tips, missing } = fetched?;
    let Some(seen) = stop.unless_set(remember_tips(estate, &tips, now, intent)).await else {
        return Ok(cut_short(estate, share, report));
    };
    laps.end(Stage::Fetch, &mut report.took);
    let branches = Branches::new(estate, &estate.environments, now, (tips, seen?));
    for environment in &estate.environments {
        if stop.is_set() {
            return Ok(cut_short(estate, share, report));
        }
        if !share.has(&estate.name, &environment.name) {
            continue;
        }
        let mut of_environment = EnvironmentReport::new(environment.name.clone());
        let pass = Pass { world, estate, environment, branches: &branches, now, intent, stop };
        if let Some(problem) = missing.get(&environment.branch) {
            of_environment.problems.push(problem.clone());
        } else {
            // Its state is 60 KB: on the heap it is not copied from caller to caller.
            match caught(Box::pin(pass_environment(&pass, &mut of_environment))).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => of_environment.problems.push(error.to_string()),
                Err(panic) => of_environment.problems.push(panic),
            }
            of_environment.cut_short = stop.is_set();
        }
        report.environments.push(of_environment);
    }
    if intent == Intent::Act && !stop.is_set() {
        let walked = branches.walked().await;
        stop.unless_set(fetch_ahead(estate, branches_ahead(estate, &report, &walked), now)).await;
    }
    Ok(report)
}

/// The report of an estate's pass that was asked to end, with the environments that it has not begun with.
fn cut_short(estate: &Estate, share: &Share, mut report: PassReport) -> PassReport {
    let begun: BTreeSet<EnvironmentName> =
        report.environments.iter().map(|of| of.environment.clone()).collect();
    let names = estate.environments.iter().map(|environment| &environment.name);
    for name in names.filter(|name| !begun.contains(name) && share.has(&estate.name, name)) {
        let name = name.clone();
        report.environments.push(EnvironmentReport { cut_short: true, ..EnvironmentReport::new(name) });
    }
    report
}

/// The branches of which the past may be asked for in the next pass: a deployment is watched on there, or it was asked for in this
/// pass, for a pull request that is followed say.
fn branches_ahead(
    estate: &Estate,
    report: &PassReport,
    walked: &BTreeSet<EnvironmentName>,
) -> BTreeSet<BranchName> {
    let is_watched = |of: &EnvironmentReport| of.items.iter().any(|item| item.decision == Decision::Wait);
    let mut ahead: BTreeSet<&EnvironmentName> = walked.iter().collect();
    ahead.extend(report.environments.iter().filter(|of| is_watched(of)).map(|of| &of.environment));
    let environments = estate.environments.iter().filter(|environment| ahead.contains(&environment.name));
    environments.map(|environment| environment.branch.clone()).collect()
}

/// The story: look and judge, decide and act, write down, follow. What was done is written down before anything that can fail.
async fn pass_environment(pass: &Pass<'_>, report: &mut EnvironmentReport) -> Result<(), RepositoryError> {
    let mut laps = Laps::begin();
    let Some(examined) = pass.stop.unless_set(examine(pass, report)).await else { return Ok(()) };
    laps.end(Stage::Judge, &mut report.took);
    let (mut state, judged) = examined?;
    report.head = Some(state.snapshot.head);
    if !judged.is_empty() {
        let settled = make_due_reverts(pass, &mut state, judged, report).await;
        report.brakes = state.brakes.clone();
        laps.end(Stage::Act, &mut report.took);
        write_down(pass, &state, settled, report).await;
        laps.end(Stage::Tell, &mut report.took);
        // The verdicts that were written just now count too: else the next pass would find something left to do.
        state.read_records(pass).await?;
    }
    let followed = follow_forge(pass, &mut state, report).await;
    withdraw_branches(pass, &state, report).await;
    watch_recoveries(pass, &state, report).await;
    followed?;
    lift_pins(pass, &mut state, None, report).await?;
    if report.items.iter().any(|item| item.receipt.is_some()) {
        pass.branches.list_again().await;
    }
    match waiting_of_watched(pass, &state).await {
        Ok(waiting) => report.waiting = waiting,
        Err(error) => report.problems.push(format!("the branches on which reverts wait: {error}")),
    }
    report.left = left_alone(&state);
    report.reverts = state.landed.iter().take(SHOWN_REVERTS).cloned().collect();
    report.head = Some(state.snapshot.head);
    report.budget_left = Some(budget_left(pass, &state));
    laps.end(Stage::Follow, &mut report.took);
    Ok(())
}

/// How many reverts the environment's budget still allows.
fn budget_left(pass: &Pass<'_>, state: &State) -> u32 {
    let used = u32::try_from(used(pass, state, &state.gone)).unwrap_or(u32::MAX);
    pass.environment.budget.max_reverts.saturating_sub(used)
}

/// Looks at the environment and judges what is open. Nothing is changed yet: whatever goes wrong here, the next pass begins anew.
async fn examine(
    pass: &Pass<'_>,
    report: &mut EnvironmentReport,
) -> Result<(State, Vec<Judged>), RepositoryError> {
    let mut state = State::read(pass).await?;
    report.brakes = state.brakes.clone();
    report.facts.extend(state.pauses.fact());
    report.problems.extend(state.pauses.problems().cloned());
    report.problems.extend(state.proposals.problems.iter().cloned());
    report.problems.extend(state.leave_out_found_twice(pass).await?);
    report.problems.extend(state.unreadable_notes(pass).await?);
    (state.gone, state.sure_of_gone) = gone_reverts(pass, &state).await;
    let mut judged = judge_open(pass, &state).await;
    add_fallbacks(pass, &state, &mut judged, report).await;
    add_begun(pass, &state, &mut judged);
    find_known_elsewhere(pass, &state, &mut judged).await;
    if !judged.is_empty() {
        state.pins = standing_pins(pass, &state).await?;
    }
    Ok((state, judged))
}

/// Goes on with what is open on the forge.
async fn follow_forge(
    pass: &Pass<'_>,
    state: &mut State,
    report: &mut EnvironmentReport,
) -> Result<(), RepositoryError> {
    if pass.estate.forge.is_none() || pass.intent == Intent::Plan || pass.stop.is_set() {
        return Ok(());
    }
    // What this pass has begun is there now too.
    if report.items.iter().any(|item| item.receipt.is_some()) {
        pass.branches.list_again().await;
        state.proposals = Proposals::read(pass, &state.snapshot).await?;
    }
    follow_pull_requests(pass, state, report).await;
    close_issues(pass, state, report).await;
    tell_known_elsewhere(pass, state, report).await;
    warn_pull_requests(pass, state, report).await;
    Ok(())
}
