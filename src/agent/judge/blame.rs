//! Who is to blame: deployments that regressed are judged once more, beside those that could have done it too.

use super::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::environment::ServiceRule;
use crate::domain::environment::policy::Declared;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::relation::{Dependencies, Red, causes, rivals};
use crate::domain::judge::verdict::{Judgement, Verdict, judge};

/// Judges those that regressed once more, each with the others that could be to blame in its evidence.
pub(super) fn blame(pass: &Pass<'_>, state: &State, open: &mut [Judged]) {
    let own: Vec<Option<Red>> =
        open.iter().map(|open| red(pass, state, &open.deployment, &open.judgement, &open.evidence)).collect();
    if own.iter().all(Option::is_none) {
        return;
    }
    let standing = open.iter().zip(&own).filter(|(open, _)| is_standing(pass, state, &open.deployment));
    let now = standing.filter_map(|(_, red)| red.clone());
    let all: Vec<Red> = now.chain(red_before(pass, state)).collect();
    // Many services red at once are one incident for a person, whoever came first.
    if causes(&all) >= usize::try_from(pass.environment.budget.incident_services).unwrap_or(usize::MAX) {
        return;
    }
    let dependencies = dependencies(pass, state);
    for (open, own) in open.iter_mut().zip(&own) {
        let Some(own) = own else { continue };
        let found = rivals(own, &all, &dependencies);
        if !found.is_empty() {
            open.evidence.rivals = found;
            open.judgement = judge(&open.evidence);
        }
    }
}

fn red(
    pass: &Pass<'_>,
    state: &State,
    deployment: &Deployment,
    judgement: &Judgement,
    evidence: &Evidence,
) -> Option<Red> {
    let closes_at = deployment.at.plus_secs(evidence.watch_secs.into());
    // A deployment does not cause what begins after it was reverted or replaced and that has settled.
    let settle_secs = pass.rule(deployment).map_or(0, |rule| rule.policy.settle_secs);
    let replaced = deployment.superseded_by.and_then(|by| state.snapshot.commits.iter().find(|c| c.id == by));
    let gone = state.revert_of(deployment).map(|entry| entry.at).into_iter().chain(replaced.map(|c| c.at));
    let gone_at = gone.min().map(|at| at.plus_secs(settle_secs.into()));
    (judgement.verdict == Verdict::Regressed).then_some(Red {
        service: deployment.service.clone(),
        deployed_at: deployment.at,
        watched_until: gone_at.map_or(closes_at, |gone| gone.min(closes_at)),
        since: judgement.since?,
        step_secs: evidence.step_secs(),
        together: deployment.group.clone().map(|group| (group, deployment.commit)),
    })
}

/// Whether a deployment may still do damage: it was not reverted, or that may not have shown yet.
pub(super) fn is_standing(pass: &Pass<'_>, state: &State, deployment: &Deployment) -> bool {
    let recovery_secs = pass.rule(deployment).map_or(0, |rule| rule.policy.recovery_secs);
    let is_recent = |entry: &RevertEntry| pass.now.secs_since(entry.at) <= i64::from(recovery_secs);
    state.revert_of(deployment).is_none_or(is_recent)
}

/// The deployments that earlier passes found to be bad, each taken alone, as long as they may do damage. What others may have
/// written down is believed of deployments that were reverted: every other one was judged again in this pass.
fn red_before<'a>(pass: &'a Pass<'_>, state: &'a State) -> impl Iterator<Item = Red> + 'a {
    let settled = state.watched.iter().filter(move |deployment| state.is_settled(pass, deployment));
    let red_one = move |deployment: &Deployment| {
        let verdict = state.verdicts(deployment).last()?;
        // With rivals in its evidence it was bad when taken alone, whatever came of it.
        let alone = match verdict.evidence.rivals.is_empty() {
            true => None,
            false => Some(judge(&Evidence { rivals: Vec::new(), ..verdict.evidence.clone() })),
        };
        red(pass, state, deployment, alone.as_ref().unwrap_or(&verdict.judgement), &verdict.evidence)
    };
    let is_believed =
        move |deployment: &&Deployment| pass.world.records_proven || state.revert_of(deployment).is_some();
    settled.filter(is_believed).filter(move |one| is_standing(pass, state, one)).filter_map(red_one)
}

/// The dependencies between the services that are named, and those whose files changed lately.
pub(in crate::agent) fn dependencies(pass: &Pass<'_>, state: &State) -> Dependencies {
    let is_declared = |rule: &ServiceRule| !rule.depends_on.is_empty();
    let environment = pass.environment;
    if environment.dependencies == Declared::Partial && !environment.services.iter().any(is_declared) {
        return Dependencies::default();
    }
    let files = state.snapshot.commits.iter().flat_map(|commit| &commit.files);
    let found = files.filter_map(|file| environment.service_of(file.path.as_str()));
    let found = found.map(|service| (service.name, (service.rule_index, service.labels)));
    let deployed = state.detected.iter().map(|one| (one.service.clone(), (one.rule, one.labels.clone())));
    Dependencies::new(environment, &found.chain(deployed).collect())
}
