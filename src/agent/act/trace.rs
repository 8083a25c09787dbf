//! What the services of bad deployments ran before, and where a revert of each leads.

use std::collections::{BTreeMap, BTreeSet};

use super::members::{find_members, members_of, services_of};
use crate::agent::judge::judged::Judged;
use crate::agent::judge::turns::{in_turn, key};
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::{FoundBad, Past, pasts};
use crate::agent::look::state::State;
use crate::domain::artifact::TargetArtifacts;
use crate::domain::decision::{is_open, is_unsure, may_be_of};
use crate::domain::deployment::lineage::Goal;
use crate::domain::deployment::{ChangeKind, Deployment};
use crate::domain::environment::policy::Mixed;
use crate::domain::history::landing::LandedBy;
use crate::domain::ids::ServiceName;
use crate::domain::judge::verdict::Verdict;
use crate::ports::RepositoryError;

/// Of how many services the past is read in one pass.
const MAX_TRACED: usize = 50;

/// Finds out what the services of regressed deployments ran before: whether the deployment is a rollback, and where its revert
/// leads. Where many are red nothing is reverted, and their pasts are not read.
pub(super) async fn trace(
    pass: &Pass<'_>,
    state: &State,
    judged: impl Iterator<Item = &mut Judged>,
) -> Result<(), RepositoryError> {
    let judged: Vec<&mut Judged> = judged.collect();
    let bad = bad_of(judged.iter().map(|one| &**one));
    let members = find_members(pass, state, &judged.iter().map(|one| &**one));
    let in_turn = in_turn(pass, state, judged.iter().map(|one| &**one).filter(|one| is_red(one)));
    let is_due = |one: &Judged| is_red(one) || one.known_elsewhere.is_some();
    let is_traced = |one: &&mut Judged| is_due(one) || in_turn.contains(&key(&one.deployment));
    let mut red: Vec<&mut Judged> = judged.into_iter().filter(is_traced).collect();
    for one in &mut red {
        one.members = members_of(&members, &one.deployment);
    }
    let all =
        red.iter().flat_map(|one| std::iter::once(&one.deployment.service).chain(services_of(&one.members)));
    let services: BTreeSet<ServiceName> = all.cloned().collect();
    if services.len() > MAX_TRACED {
        return Ok(());
    }
    let reading = known_pasts(pass, state, services, &bad);
    let Some(pasts) = pass.stop.unless_set(reading).await else { return Ok(()) };
    let pasts = pasts?;
    for one in red {
        if let Some(past) = pasts.get(&one.deployment.service) {
            lead(pass, state, past, one);
        }
        for member in &mut one.members {
            if let Some(past) = pasts.get(&member.deployment.service) {
                lead(pass, state, past, member);
            }
        }
        one.members.retain(|member| !matches!(member.goal, Some(Goal::TakenBack(_))));
    }
    Ok(())
}

/// The deployments that this pass has found bad.
pub(super) fn bad_of<'a>(judged: impl Iterator<Item = &'a Judged>) -> Vec<FoundBad> {
    let bad = judged.filter(|one| one.judgement.verdict == Verdict::Regressed);
    let found = |one: &Judged| FoundBad {
        service: one.deployment.service.clone(),
        commit: one.deployment.commit,
        since: one.judgement.since,
    };
    bad.map(found).collect()
}

/// What services ran before, with what is known of reverts that the branch holds no more, and of what this pass has found bad.
pub(super) async fn known_pasts(
    pass: &Pass<'_>,
    state: &State,
    services: BTreeSet<ServiceName>,
    bad: &[FoundBad],
) -> Result<BTreeMap<ServiceName, Past>, RepositoryError> {
    let mut pasts = pasts(pass, services, Some(state.snapshot.head)).await?;
    for (service, past) in &mut pasts {
        past.know(service, &state.dropped);
        past.know_bad(service, bad);
    }
    Ok(pasts)
}

/// Says where the revert of a deployment leads, and why a person should look at it.
pub(super) fn lead(pass: &Pass<'_>, state: &State, past: &Past, one: &mut Judged) {
    let watched = &state.watched;
    if let Some(known) = past.lineage.of(one.deployment.commit) {
        one.deployment.kind = known.kind;
    }
    // Where the revert of a rollback leads is not for the agent to say.
    let is_release = one.deployment.kind == ChangeKind::Release;
    let missing = &one.artifacts.passed_over;
    let goal = is_release.then(|| past.goal(&one.policy, &one.deployment, pass.now, missing)).flatten();
    if one.goal != goal {
        // What was said of another state says nothing about this one.
        let passed_over = std::mem::take(&mut one.artifacts.passed_over);
        one.artifacts = TargetArtifacts { passed_over, ..TargetArtifacts::default() };
    }
    one.goal = goal;
    one.crossed = past.crossed((&one.deployment, &one.policy), one.goal.as_ref());
    one.returns = past.lineage.returns(one.deployment.commit, one.policy.quarantine_secs);
    one.trust = past.trust(pass, &one.policy, &one.deployment);
    one.doubts = one.by_hand.iter().cloned().collect();
    // Where only the fields go back, what else was changed stays as it is anyway.
    if let Some(Goal::Undo(changes, _)) = &one.goal
        && one.policy.mixed == Mixed::Deployment
    {
        one.doubts.extend(past.doubts(changes));
    }
    if is_unsure(&one.case(), watched) {
        let before = may_be_of(&one.case(), watched).map(|other| other.commit.short());
        let landing = one.deployment.landing;
        let then = before.map(|before| format!(", when {before} was there already")).unwrap_or_default();
        one.doubts.push(format!(
            "{} came to the branch between {} and {}, and it is not known whether the damage began before that{then}",
            one.deployment.commit.short(),
            landing.earliest,
            landing.latest
        ));
    } else if one.told {
        one.doubts.push(told_alone(&one.deployment));
    }
}

/// Why a person should look at what is blamed only because a record says when something landed.
fn told_alone(deployment: &Deployment) -> String {
    let (commit, landing) = (deployment.commit.short(), deployment.landing);
    match landing.by {
        LandedBy::Record => format!(
            "{commit} was committed at {}, and only a record in the notes says that it landed at {}",
            landing.committed, landing.at
        ),
        LandedBy::Forge | LandedBy::Sighting | LandedBy::Committer => {
            "only a record in the notes says that another deployment landed after the damage had begun"
                .to_owned()
        }
    }
}

/// Whether its past and what can be done about it are looked at.
pub(super) fn is_red(one: &Judged) -> bool {
    let is_open = one.judgement.verdict == Verdict::Preexisting && is_open(&one.case());
    one.judgement.verdict == Verdict::Regressed || is_open
}
