//! The other services of a group that one commit deployed: with each that is bad, what goes back together with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::judge::judged::Judged;
use crate::agent::judge::turns::{Key, key};
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::pasts;
use crate::agent::look::search::deployments_at;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::history::trailers::MAX_BLOCKS;
use crate::domain::ids::ServiceName;
use crate::domain::judge::verdict::Verdict;
use crate::ports::RepositoryError;

/// What one commit deployed of each group, with what was found out about it: none of those that the agent has taken back. `judged` are
/// those that were judged in this pass. Of more than go back together by machine it is enough to know that there are more.
pub(in crate::agent) fn find_members<'j>(
    pass: &Pass<'_>,
    state: &State,
    judged: &(impl Iterator<Item = &'j Judged> + Clone),
) -> BTreeMap<Key, Vec<Judged>> {
    let of_groups = judged.clone().map(|one| &one.deployment).filter(|one| one.group.is_some());
    let keys: BTreeSet<Key> = of_groups.map(key).collect();
    let is_back = |other: &Deployment| state.landed.iter().any(|entry| other.was_taken_back_by(entry));
    let of_group = |(group, commit): Key| {
        let is_of = |other: &&Deployment| {
            // Which services of such a file were deployed is not known: one of them may be of the group.
            let may_be =
                || other.beyond.is_some() && pass.rule(other).is_some_and(|rule| rule.group.is_some());
            other.commit == commit && (other.group == group || may_be()) && !is_back(other)
        };
        let found: Vec<&Deployment> = state.detected.iter().filter(is_of).take(MAX_BLOCKS + 1).collect();
        let member = |other: &&Deployment| {
            let known = judged.clone().find(|one| one.deployment.id == other.id);
            match known.filter(|_| found.len() <= MAX_BLOCKS) {
                Some(known) => Judged { members: Vec::new(), ..known.clone() },
                None => Judged::unjudged(pass.policy(other), pass.now, other),
            }
        };
        let mut members: Vec<Judged> = found.iter().map(member).collect();
        members.sort_by(|a, b| a.deployment.service.cmp(&b.deployment.service));
        ((group, commit), members)
    };
    keys.into_iter().map(of_group).collect()
}

/// Those of them that go back with this deployment.
pub(in crate::agent) fn members_of(all: &BTreeMap<Key, Vec<Judged>>, own: &Deployment) -> Vec<Judged> {
    let of_commit = all.get(&key(own)).into_iter().flatten();
    of_commit.filter(|one| one.deployment.service != own.service).cloned().collect()
}

/// The names of these services.
pub(super) fn services_of(members: &[Judged]) -> impl Iterator<Item = &ServiceName> {
    members.iter().map(|one| &one.deployment.service)
}

/// The other services of its group that go back with a deployment, as when that was decided: without what came later.
pub(in crate::agent) async fn members_then(
    pass: &Pass<'_>,
    state: &State,
    own: &Deployment,
) -> Result<Vec<Judged>, RepositoryError> {
    if own.group.is_none() {
        return Ok(Vec::new());
    }
    let mut others: Vec<Deployment> =
        state.detected.iter().filter(|other| other.goes_with(own)).cloned().collect();
    if !state.detected.iter().any(|one| one.id == own.id) {
        // What cannot be found here does not go back, and what was prepared with it is not taken for the same.
        let found = deployments_at(pass, own.commit).await.map(|(_, found)| found);
        others = found.unwrap_or_default().into_iter().filter(|other| other.goes_with(own)).collect();
    }
    others.sort_by(|a, b| a.service.cmp(&b.service));
    let services = others.iter().map(|other| other.service.clone()).collect();
    let mut pasts = pasts(pass, services, Some(state.snapshot.head)).await?;
    let then = |other: Deployment| {
        let mut past = pasts.remove(&other.service).unwrap_or_default();
        past.know(&other.service, &state.dropped);
        let past = past.when_decided(&other, &BTreeSet::new());
        let mut member = Judged::unjudged(pass.policy(&other), pass.now, &other);
        if let Some(told) =
            state.verdicts(&other).filter(|told| told.judgement.verdict == Verdict::Regressed).last()
        {
            (member.judgement, member.evidence) = (told.judgement.clone(), told.evidence.clone());
        }
        member.goal = past.goal(&member.policy, &other, pass.now, &[]);
        member.crossed = past.crossed((&other, &member.policy), member.goal.as_ref());
        member
    };
    Ok(others.into_iter().map(then).collect())
}
