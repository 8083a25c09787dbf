//! Before anything goes back: whether what ran before can run again, and whether it needs the schema that is there now.
//!
//! The registries are asked about deployments alone that would be reverted, once no guard objects.

use std::collections::{BTreeMap, BTreeSet};

use super::trace::{known_pasts, lead};
use crate::agent::decide::Decided;
use crate::agent::judge::judged::Judged;
use crate::agent::look::artifacts::{labels_of, look_for};
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::Past;
use crate::agent::look::state::State;
use crate::domain::artifact::named::MAX_ARTIFACTS;
use crate::domain::artifact::{Artifact, PassedOver};
use crate::domain::decision::{Decision, GuardAnswer, MODE_GUARD};
use crate::domain::deployment::artifacts::{Exchange, exchanged};
use crate::domain::deployment::lineage::Goal;
use crate::domain::environment::policy::SchemaDetector;
use crate::domain::ids::ServiceName;
use crate::domain::schema::images::label_changes;
use crate::ports::RepositoryError;

/// Asks about all reverts that are due and were not asked about yet. Returns whether that may change what is decided.
///
/// Where a registry does not answer, the revert is made all the same: the nodes of a cluster mostly still have the image that they ran
/// until a moment ago, and users suffer now. The plan and the message say what nobody has looked up.
pub(super) async fn ask_registries(
    pass: &Pass<'_>,
    state: &State,
    judged: &mut [Judged],
    decided: &[Decided],
) -> Result<bool, RepositoryError> {
    let is_open = |one: &Judged| one.artifacts.findings.is_none() && matches!(one.goal, Some(Goal::Undo(..)));
    let is_due = |(decision, guards): &Decided| would_go_back(decision, guards);
    // The others of its group go back with it.
    let due = judged.iter().zip(decided).filter(|(_, decided)| is_due(decided));
    let all = due.flat_map(|(one, _)| std::iter::once(one).chain(&one.members));
    let services: BTreeSet<ServiceName> =
        all.filter(|one| is_open(one)).map(|one| one.deployment.service.clone()).collect();
    if services.is_empty() {
        return Ok(false);
    }
    let asking = async {
        let pasts = known_pasts(pass, state, services).await?;
        for (one, _) in judged.iter_mut().zip(decided).filter(|(_, decided)| is_due(decided)) {
            for member in one.members.iter_mut().filter(|member| is_open(member)) {
                ask_past(pass, state, &pasts, member).await?;
            }
            if is_open(one) {
                ask_past(pass, state, &pasts, one).await?;
            }
        }
        Ok(true)
    };
    pass.stop.unless_set(asking).await.unwrap_or(Ok(false))
}

/// Asks about one of them, of which the past is among these where it is known.
async fn ask_past(
    pass: &Pass<'_>,
    state: &State,
    pasts: &BTreeMap<ServiceName, Past>,
    one: &mut Judged,
) -> Result<(), RepositoryError> {
    match pasts.get(&one.deployment.service) {
        Some(past) => ask_about(pass, state, past, one).await?,
        None => one.artifacts.findings = Some(Vec::new()),
    }
    one.checked = one.artifacts.told().lines();
    Ok(())
}

/// Whether a deployment is to go back, or would be if the mode allowed it.
fn would_go_back(decision: &Decision, guards: &[GuardAnswer]) -> bool {
    match decision {
        Decision::Revert | Decision::Propose => true,
        Decision::Hold(_) => guards.last().is_some_and(|last| last.guard == MODE_GUARD),
        Decision::Wait | Decision::Pass(_) | Decision::Escalate(_) => false,
    }
}

/// Finds the newest good state of which all can be had. Each state that it passes over is one less, so that it comes to an end.
async fn ask_about(
    pass: &Pass<'_>,
    state: &State,
    past: &Past,
    one: &mut Judged,
) -> Result<(), RepositoryError> {
    loop {
        let Some(Goal::Undo(changes, earlier)) = &one.goal else {
            one.artifacts.findings = Some(Vec::new());
            return Ok(());
        };
        let (changes, to) = (changes.clone(), earlier.commit);
        let exchanges = pass.git(move |_| Ok::<_, RepositoryError>(exchanged(&changes))).await?;
        let mut findings = Vec::new();
        for exchange in exchanges.iter().take(MAX_ARTIFACTS) {
            let then = past.digest_in(to, &exchange.back.to_string());
            findings.push(look_for(pass, &exchange.back, then).await);
        }
        if let Some(why) = findings.iter().find_map(|finding| finding.missing()) {
            one.artifacts.passed_over.push(PassedOver { state: to, why });
            lead(pass, state, past, one);
            continue;
        }
        one.artifacts.findings = Some(findings);
        if one.policy.schema.detectors.contains(&SchemaDetector::Images) {
            compare_labels(pass, &exchanges, one).await;
        }
        return Ok(());
    }
}

/// Holds the labels of the images that would run again against those of the images that run now.
async fn compare_labels(pass: &Pass<'_>, exchanges: &[Exchange], one: &mut Judged) {
    for exchange in exchanges.iter().take(MAX_ARTIFACTS) {
        let (Artifact::Image(old), Some(Artifact::Image(new))) = (&exchange.back, &exchange.replaced) else {
            continue;
        };
        let labels = match labels_of(pass, old).await {
            Ok(before) => labels_of(pass, new).await.map(|after| (before, after)),
            Err(why) => Err(why),
        };
        match labels {
            Ok((before, after)) => {
                let (old, new) = (old.to_string(), new.to_string());
                let keys = &one.policy.schema.image_labels;
                one.artifacts.schema.extend(label_changes(keys, (&old, &before), (&new, &after)));
            }
            Err(why) => one.artifacts.unseen = one.artifacts.unseen.take().or(Some(why)),
        }
    }
}
