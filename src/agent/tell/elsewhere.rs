//! The status of commits that bring a version which is known as bad from another environment: the heads of open pull requests, and the
//! commits of deployments. It decides nothing.

use std::collections::{BTreeMap, BTreeSet};

use crate::agent::look::context::Pass;
use crate::agent::look::precedents::{is_near_bad, precedents_of};
use crate::agent::look::state::State;
use crate::agent::report::EnvironmentReport;
use crate::domain::artifact::Artifact;
use crate::domain::deployment::Deployment;
use crate::domain::deployment::precedent::Precedent;
use crate::domain::environment::policy::{KnownElsewhere, Policy};
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::review::{CommitStatus, MAX_DESCRIPTION, StatusState};
use crate::domain::text::{inert, one_line};
use crate::ports::{Forge, ForgeError};

/// What a head shows that was said to bring something bad, and does so no more.
const NOTHING_KNOWN: &str = "nothing comes that is known as bad from another environment";

/// What is known as bad that a commit brings, each with the service and what the policy makes of it.
type Known = Vec<(ServiceName, KnownElsewhere, Precedent)>;

/// Tells of the deployments that this pass has looked at.
pub(in crate::agent) async fn tell_known_elsewhere(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    let Some(forge) = pass.estate.forge.as_deref() else { return };
    let mut commits: BTreeMap<CommitId, Known> = BTreeMap::new();
    for item in &report.items {
        let Some(bad) = item.elsewhere.first().filter(|one| one.is_bad()) else { continue };
        let is_it = |one: &&Deployment| one.commit == item.deployment && one.service == item.service;
        let policy = state.detected.iter().find(is_it).map_or_else(Policy::default, |one| pass.policy(one));
        commits.entry(item.deployment).or_default().push((
            item.service.clone(),
            policy.elsewhere,
            bad.clone(),
        ));
    }
    for (commit, known) in commits {
        if let Err(error) = show(pass, forge, commit, &known).await {
            report.facts.push(format!(
                "what is known from other environments cannot be shown beside {}: {error}",
                commit.short()
            ));
        }
    }
}

/// Tells of what the head of an open pull request would bring.
pub(super) async fn tell_of_head(
    pass: &Pass<'_>,
    forge: &dyn Forge,
    head: CommitId,
    brought: &[(ServiceName, usize, BTreeSet<Artifact>)],
) -> Result<(), ForgeError> {
    let (mut known, mut is_near) = (Known::new(), false);
    for (service, rule, artifacts) in brought {
        let rule = pass.environment.services.get(*rule);
        let policy = rule.map_or_else(Policy::default, |rule| rule.policy.clone());
        let precedents = precedents_of(pass, artifacts, policy.quarantine_secs).await;
        if let Some(bad) = precedents.into_iter().find(Precedent::is_bad) {
            known.push((service.clone(), policy.elsewhere, bad));
        }
        is_near |= is_near_bad(pass, artifacts).await;
    }
    if !known.is_empty() {
        return show(pass, forge, head, &known).await;
    }
    // Only where such a thing may have been said before it is looked whether it was.
    if !is_near {
        return Ok(());
    }
    let description = NOTHING_KNOWN.to_owned();
    forge.restate(&status(pass, head, StatusState::Success, description)).await
}

async fn show(
    pass: &Pass<'_>,
    forge: &dyn Forge,
    commit: CommitId,
    known: &[(ServiceName, KnownElsewhere, Precedent)],
) -> Result<(), ForgeError> {
    let is_blocked = |(_, policy, _): &&(_, KnownElsewhere, _)| *policy == KnownElsewhere::Block;
    let blocked = known.iter().find(is_blocked);
    let Some((service, _, bad)) = blocked.or(known.first()) else { return Ok(()) };
    let state = if blocked.is_some() { StatusState::Failure } else { StatusState::Success };
    let others = match known.len() - 1 {
        0 => String::new(),
        count => format!(" (and {count} more)"),
    };
    let text = one_line(&format!("{service}{others}: {}", inert(&bad.line())), MAX_DESCRIPTION);
    forge.status(&status(pass, commit, state, text)).await
}

fn status(pass: &Pass<'_>, commit: CommitId, state: StatusState, description: String) -> CommitStatus {
    let context = format!("backout/elsewhere/{}", pass.environment.name);
    CommitStatus { commit, context, state, description, url: None }
}
