//! Before anything goes back: whether what ran before can run again, and whether it needs the schema that is there now.
//!
//! The registries are asked about deployments alone that would be reverted, once no guard objects.

use std::collections::{BTreeMap, BTreeSet};

use super::trace::{bad_of, known_pasts, lead};
use crate::agent::decide::Decided;
use crate::agent::judge::judged::Judged;
use crate::agent::look::artifacts::{labels_of, look_for};
use crate::agent::look::context::Pass;
use crate::agent::look::lineage::Past;
use crate::agent::look::state::State;
use crate::domain::artifact::image::Image;
use crate::domain::artifact::named::MAX_ARTIFACTS;
use crate::domain::artifact::source::SourceRange;
use crate::domain::artifact::{Artifact, PassedOver};
use crate::domain::decision::{Decision, GuardAnswer, MODE_GUARD};
use crate::domain::deployment::artifacts::{Exchange, exchanged};
use crate::domain::deployment::lineage::Goal;
use crate::domain::environment::policy::{SchemaDetector, SchemaRules};
use crate::domain::ids::ServiceName;
use crate::domain::schema::change::SchemaChange;
use crate::domain::schema::images::{ImageLabels, label_changes};
use crate::domain::text::one_line;
use crate::ports::{RepositoryError, SourceCode};

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
    let bad = bad_of(judged.iter());
    let asking = async {
        let pasts = known_pasts(pass, state, services, &bad).await?;
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
        compare_images(pass, &exchanges, one).await;
        return Ok(());
    }
}

/// How much is told of why the source was not looked at, in characters.
const MAX_WHY: usize = 400;

/// The labels of an image that would run again and of the one that runs now, or why nobody knows them.
type LabelsOfBoth = Result<(ImageLabels, ImageLabels), String>;

/// Holds the images that would run again against those that run now: what their labels say, and the source between them.
async fn compare_images(pass: &Pass<'_>, exchanges: &[Exchange], one: &mut Judged) {
    let rules = one.policy.schema.clone();
    let by_labels = rules.detectors.contains(&SchemaDetector::Images);
    let source_code = pass.world.source_code.as_ref();
    let source_code = source_code.filter(|_| rules.detectors.contains(&SchemaDetector::Sources));
    if !by_labels && source_code.is_none() {
        return;
    }
    let filled = |template: &String| {
        let unfilled = || format!("{template} names what {} does not have", one.deployment.service);
        one.deployment.fill(template).ok_or_else(unfilled)
    };
    let configured = rules.source.as_ref().map(filled).transpose();
    for exchange in exchanges.iter().take(MAX_ARTIFACTS) {
        let (Artifact::Image(old), Some(Artifact::Image(new))) = (&exchange.back, &exchange.replaced) else {
            continue;
        };
        let labels: LabelsOfBoth = match labels_of(pass, old).await {
            Ok(before) => labels_of(pass, new).await.map(|after| (before, after)),
            Err(why) => Err(why),
        };
        let artifacts = &mut one.artifacts;
        if by_labels {
            match &labels {
                Ok((before, after)) => {
                    let (old, new) = (old.to_string(), new.to_string());
                    let changes = label_changes(&rules.image_labels, (&old, before), (&new, after));
                    artifacts.schema.extend(changes);
                }
                Err(why) => artifacts.unseen = artifacts.unseen.take().or_else(|| Some(why.clone())),
            }
        }
        if let Some(source_code) = source_code {
            match look_into(source_code.as_ref(), &rules, configured.clone(), ((old, new), &labels)).await {
                Ok((found, told)) => artifacts.add_source(found, told),
                Err(why) => {
                    // It may have words of an image or a server in it, and goes into the message.
                    let why = one_line(&why, MAX_WHY);
                    artifacts.unseen_source = artifacts.unseen_source.take().or(Some(why));
                }
            }
        }
    }
}

/// What the source between two images says of the schema, and the same in words, or why nobody knows. Without labels it can still be told
/// where the configuration names the source and the images have tags.
async fn look_into(
    source_code: &dyn SourceCode,
    rules: &SchemaRules,
    configured: Result<Option<String>, String>,
    ((old, new), labels): ((&Image, &Image), &LabelsOfBoth),
) -> Result<(Vec<SchemaChange>, String), String> {
    let unlabelled = (ImageLabels::new(), ImageLabels::new());
    let (before, after) = labels.as_ref().unwrap_or(&unlabelled);
    let range = SourceRange::between(configured?, [(old, before), (new, after)]);
    // Why the labels were not read is then why it is not known.
    let range = range.map_err(|unknown| labels.as_ref().err().cloned().unwrap_or(unknown))?;
    let migrations = source_code.migrations(&range, &rules.paths).await;
    let migrations = migrations.map_err(|error| error.to_string())?;
    let changes = range.changes(&migrations);
    let told = range.told(&changes);
    Ok((changes, told))
}
