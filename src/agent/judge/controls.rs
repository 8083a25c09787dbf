//! Controls for signals that are asked service by service. Looked for only where something is about to be blamed on a
//! deployment, and never more than [`MAX_QUERIES`] of them in an environment.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::sources::read_all;
use crate::agent::look::context::Pass;
use crate::agent::look::services::find_services;
use crate::agent::look::state::State;
use crate::domain::deployment::Detector;
use crate::domain::deployment::reverts::reverts;
use crate::domain::environment::{Environment, ServiceFiles};
use crate::domain::history::scope::Tracked;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::evidence::{Control, Evidence, Found};
use crate::domain::judge::peer::{Peer, control_questions, needs_peers, peers, queries_of};
use crate::domain::judge::question::{MAX_CONTROLS, Subject};
use crate::domain::judge::verdict::{Verdict, judge};
use crate::domain::time::Time;
use crate::ports::{HistoryQuery, RepositoryError};

/// The most queries for controls in one environment of a pass.
const MAX_QUERIES: usize = 64;

/// Asks the signals of regressed subjects about services that had no deployment too: others of the environment first, then
/// the same service elsewhere. What does not answer is no control.
pub(super) async fn add_controls(
    pass: &Pass<'_>,
    state: &State,
    subjects: &[(Subject, Time)],
    found: &mut [Evidence],
) {
    let is_wanted = |evidence: &Evidence| {
        evidence.signals.iter().any(needs_peers) && judge(evidence).verdict == Verdict::Regressed
    };
    let wanted: Vec<usize> =
        found.iter().enumerate().filter(|(_, one)| is_wanted(one)).map(|(index, _)| index).collect();
    if wanted.is_empty() {
        return;
    }
    let neighbours = neighbours(pass, state).await;
    let taken = queries_of(&state.watched, pass.environment, pass.now);
    let mut questions = Vec::new();
    let mut places = Vec::new();
    for index in wanted {
        let (Some((subject, until)), Some(evidence)) = (subjects.get(index), found.get(index)) else {
            continue;
        };
        let elsewhere = elsewhere(pass, subject).await;
        let all: Vec<&Peer> = neighbours.iter().chain(&elsewhere).collect();
        for (signal, control, question) in control_questions(subject, *until, evidence, &all, &taken) {
            places.push((index, signal, control));
            questions.push(question);
        }
    }
    questions.truncate(MAX_QUERIES);
    let readings = read_all(pass, questions, &BTreeSet::new()).await;
    for ((index, signal, service), (_, reading)) in places.into_iter().zip(readings) {
        let signal = found.get_mut(index).and_then(|evidence| evidence.signals.get_mut(signal));
        if let (Some(signal), Found::Samples(samples)) = (signal, reading.found) {
            signal.controls.push(Control { service, samples });
        }
    }
}

/// The services of the environment without a deployment in what was read of its history.
async fn neighbours(pass: &Pass<'_>, state: &State) -> Vec<Peer> {
    let mut all = services(pass, pass.environment, state.snapshot.head).await;
    for deployment in &state.detected {
        all.remove(&deployment.service);
    }
    for entry in state.reverts.iter().filter(|entry| entry.at >= state.snapshot.diffs_since) {
        all.remove(&entry.service);
    }
    all.into_values().collect()
}

/// The same service in other environments in which it had no deployment.
async fn elsewhere(pass: &Pass<'_>, subject: &Subject) -> Vec<Peer> {
    let mut found = Vec::new();
    let since = subject.deployed_at.minus_secs(subject.policy.baseline_secs.into());
    let others = pass.estate.environments.iter().filter(|other| other.name != pass.environment.name);
    for other in others.take(MAX_CONTROLS) {
        let quiet = undeployed_head(pass, other, &subject.service, since).await;
        let Ok(Some(head)) = quiet else { continue };
        if let Some(peer) = services(pass, other, head).await.remove(&subject.service) {
            found.push(Peer { shown: format!("{} ({})", peer.service, other.name), ..peer });
        }
    }
    found
}

/// The head of an environment's branch, where nothing was deployed or reverted there of the service since a time.
async fn undeployed_head(
    pass: &Pass<'_>,
    environment: &Arc<Environment>,
    service: &ServiceName,
    since: Time,
) -> Result<Option<CommitId>, RepositoryError> {
    let (environment, service, now) = (Arc::clone(environment), service.clone(), pass.now);
    let documents = pass.documents();
    pass.git(move |repository| {
        let snapshot = repository.history(&HistoryQuery {
            branch: &environment.branch,
            diffs_since: since,
            diffs_until: now,
            commits_since: since,
            now,
            scope: &Tracked::new(&environment, Some(&service)),
        })?;
        let mut detector = Detector::with(&environment, documents);
        let found = detector.all(&snapshot);
        let deployed = found.iter().any(|one| one.service == service || one.beyond.is_some());
        let reverted = reverts(&snapshot, &environment)
            .iter()
            .any(|entry| entry.service == service && entry.at >= since);
        Ok((!deployed && !reverted).then_some(snapshot.head))
    })
    .await
}

/// The services of an environment. Its files are listed only where a pattern finds some by a signal without `by`.
async fn services(
    pass: &Pass<'_>,
    environment: &Arc<Environment>,
    head: CommitId,
) -> BTreeMap<ServiceName, Peer> {
    let asks = environment.services.iter().any(|rule| {
        !matches!(rule.files, ServiceFiles::Named(..))
            && rule.signals.iter().any(|signal| signal.by.is_none())
    });
    let mut found = Vec::new();
    if asks {
        let of_environment = Arc::clone(environment);
        let all = pass.git(move |repository| find_services(repository, &of_environment, head, None)).await;
        found = all.unwrap_or_default();
    }
    peers(environment, found)
}
