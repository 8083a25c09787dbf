//! What is known of artifacts in the other environments of the repository: from the agent's reverts on their branches, and from the
//! verdicts in the notes. Whoever may write notes can have the agent say something: nothing else comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::artifacts::look_for;
use super::context::Pass;
use super::records::read_records;
use crate::domain::artifact::{Artifact, Presence};
use crate::domain::deployment::artifacts::brought_by;
use crate::domain::deployment::precedent::{Became, KnownArtifact, Precedent, newest_of_each};
use crate::domain::deployment::{Documents, deployments_of};
use crate::domain::environment::Environment;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::snapshot::{Commit, Snapshot};
use crate::domain::ids::{CommitId, ServiceName, SignalName};
use crate::domain::judge::verdict::Verdict;
use crate::ports::RepositoryError;
use crate::record::{Record, VerdictRecord};

/// The most of them that are told of one deployment.
const MAX_TOLD: usize = 5;

/// Whether anything is known as bad in another environment.
pub(in crate::agent) async fn is_anything_bad(pass: &Pass<'_>) -> bool {
    for environment in others(pass) {
        if known_in(pass, environment).await.iter().any(|one| one.precedent.is_bad()) {
            return true;
        }
    }
    false
}

/// What became of these artifacts in the other environments, so many seconds back at most; what is bad comes first.
pub(in crate::agent) async fn precedents_of(
    pass: &Pass<'_>,
    artifacts: &BTreeSet<Artifact>,
    within_secs: u32,
) -> Vec<Precedent> {
    let mut found = Vec::new();
    for environment in others(pass).filter(|_| !artifacts.is_empty()) {
        for known in known_in(pass, environment).await.iter() {
            let is_old = pass.now.secs_since(known.precedent.at) > i64::from(within_secs);
            let Some(artifact) = artifacts.iter().find(|one| !is_old && known.is(one)) else { continue };
            if !was_moved(pass, artifact, known).await {
                found.push(known.precedent.clone());
            }
        }
    }
    found.sort_by_key(|one| !one.is_bad());
    found.truncate(MAX_TOLD);
    found
}

/// Whether another version of one of these artifacts, or this one at whatever time, is known as bad.
pub(in crate::agent) async fn is_near_bad(pass: &Pass<'_>, artifacts: &BTreeSet<Artifact>) -> bool {
    for environment in others(pass) {
        let known = known_in(pass, environment).await;
        let mut bad = known.iter().filter(|one| one.precedent.is_bad());
        if bad.any(|one| artifacts.iter().any(|artifact| one.has_name_of(artifact))) {
            return true;
        }
    }
    false
}

fn others<'p>(pass: &Pass<'p>) -> impl Iterator<Item = &'p Arc<Environment>> {
    let own = &pass.environment.name;
    pass.estate.environments.iter().filter(move |one| one.name != *own)
}

/// Whether what is called so now is not what was called so in the other environment.
async fn was_moved(pass: &Pass<'_>, artifact: &Artifact, known: &KnownArtifact) -> bool {
    let Some(then) = known.digest.as_deref().filter(|_| artifact.to_string() == known.precedent.artifact)
    else {
        return false;
    };
    matches!(look_for(pass, artifact, Some(then)).await.presence, Presence::Moved { .. })
}

async fn known_in(pass: &Pass<'_>, environment: &Arc<Environment>) -> Arc<[KnownArtifact]> {
    let reading = async {
        read(&Pass { environment, ..*pass }).await.unwrap_or_else(|error| {
            tracing::warn!(environment = %environment.name, %error, "what became of artifacts there is not known");
            Vec::new()
        })
    };
    pass.branches.known(&environment.name, reading).await
}

/// What is known of the artifacts of the pass's environment, as far back as its branch is read.
async fn read(pass: &Pass<'_>) -> Result<Vec<KnownArtifact>, RepositoryError> {
    let snapshot = pass.branches.history(pass.environment).await?;
    let reverts = pass.reverts(&snapshot).await?;
    let commits: BTreeSet<CommitId> = snapshot.commits.iter().map(|commit| commit.id).collect();
    let records = read_records(pass, commits.into_iter().collect()).await?;
    let verdicts = newest_verdicts(pass, &records);
    let (environment, documents) = (Arc::clone(pass.environment), pass.documents());
    let own: Vec<RevertEntry> = reverts.into_iter().filter(|entry| !entry.requested).collect();
    let shown = Arc::clone(&snapshot);
    let taken_back =
        pass.git(move |_| Ok::<_, RepositoryError>(taken_back(&shown, &environment, own, &documents)));
    let taken_back = taken_back.await?;
    let is_taken_back = |verdict: &&&VerdictRecord| {
        let is_it =
            |entry: &RevertEntry| entry.reverts == verdict.deployment && entry.service == verdict.service;
        taken_back.iter().any(|(entry, _)| is_it(entry))
    };
    // A revert says all that the verdict before it does.
    let others = verdicts.values().filter(|verdict| !is_taken_back(verdict));
    let mut known: Vec<KnownArtifact> =
        others.flat_map(|verdict| of_verdict(pass.environment, verdict)).collect();
    for (entry, artifacts) in taken_back {
        let verdict = verdicts.get(&(entry.service.clone(), entry.reverts)).copied();
        let signals = verdict.map(|verdict| signals_of(pass.environment, verdict)).unwrap_or_default();
        known.extend(artifacts.into_iter().map(|artifact| {
            let artifact = artifact.to_string();
            KnownArtifact {
                digest: verdict.and_then(|verdict| digest_of(verdict, &artifact)),
                precedent: Precedent {
                    environment: pass.environment.name.clone(),
                    service: entry.service.clone(),
                    deployment: entry.reverts,
                    artifact,
                    at: entry.at,
                    became: Became::Bad { signals: signals.clone(), revert: Some(entry.commit) },
                },
            }
        }));
    }
    Ok(newest_of_each(known))
}

type Verdicts<'r> = BTreeMap<(ServiceName, CommitId), &'r VerdictRecord>;

/// The newest verdict on each deployment.
fn newest_verdicts<'r>(pass: &Pass<'_>, records: &'r BTreeMap<CommitId, Vec<Record>>) -> Verdicts<'r> {
    let mut newest = Verdicts::new();
    let all = records.iter().flat_map(|(on, records)| records.iter().map(move |one| (on, one)));
    for (on, verdict) in all.filter_map(|(on, record)| Some((on, record.as_verdict()?))) {
        let is_its = verdict.environment == pass.environment.name && verdict.deployment == *on;
        let known = newest.get(&(verdict.service.clone(), *on)).is_some_and(|known| known.at > verdict.at);
        if is_its && !known && verdict.at <= pass.now {
            newest.insert((verdict.service.clone(), *on), verdict);
        }
    }
    newest
}

/// What a verdict says of the artifacts that its deployment brought.
fn of_verdict(environment: &Environment, verdict: &VerdictRecord) -> Vec<KnownArtifact> {
    let became = match &verdict.judgement.verdict {
        Verdict::Regressed => Became::Bad { signals: signals_of(environment, verdict), revert: None },
        Verdict::Healthy => Became::Healthy,
        Verdict::Preexisting | Verdict::Inconclusive(_) | Verdict::Pending => return Vec::new(),
    };
    let brought = verdict.artifacts.iter().flat_map(|told| &told.brought);
    let known = brought.map(|artifact| KnownArtifact {
        digest: digest_of(verdict, artifact),
        precedent: Precedent {
            environment: verdict.environment.clone(),
            service: verdict.service.clone(),
            deployment: verdict.deployment,
            artifact: artifact.clone(),
            at: verdict.at,
            became: became.clone(),
        },
    });
    known.collect()
}

/// The signals that got worse, as far as the configuration still has them.
fn signals_of(environment: &Environment, verdict: &VerdictRecord) -> Vec<SignalName> {
    let configured = environment.services.iter().flat_map(|rule| &rule.signals);
    let configured: BTreeSet<&SignalName> = configured.map(|signal| &signal.name).collect();
    let findings = verdict.judgement.findings.iter();
    let regressed = findings.filter(|one| one.verdict == Verdict::Regressed).map(|one| &one.signal);
    regressed.filter(|signal| configured.contains(signal)).cloned().collect()
}

fn digest_of(verdict: &VerdictRecord, artifact: &str) -> Option<String> {
    let mut ran = verdict.artifacts.iter().flat_map(|told| &told.ran);
    ran.find(|one| one.artifact == artifact).map(|one| one.digest.clone())
}

/// The artifacts that the reverted deployments had brought, by what their commits changed.
fn taken_back(
    snapshot: &Snapshot,
    environment: &Environment,
    reverts: Vec<RevertEntry>,
    documents: &Documents,
) -> Vec<(RevertEntry, BTreeSet<Artifact>)> {
    let of = |entry: &RevertEntry| {
        let revert = snapshot.commits.iter().find(|commit| commit.id == entry.commit)?;
        let bad = revert.taken_back.iter().find(|one| one.commit == entry.reverts)?;
        let files = bad.files.clone()?;
        // Of the deployment itself only what it changed is at hand: the artifacts need no more.
        let commit = Commit { id: bad.commit, files, taken_back: Vec::new(), ..revert.clone() };
        let deployments = deployments_of(&commit, environment, documents);
        deployments.iter().find(|one| one.service == entry.service).map(brought_by)
    };
    let found = reverts.into_iter().map(|entry| (of(&entry), entry));
    found.filter_map(|(artifacts, entry)| Some((entry, artifacts?))).collect()
}
