//! Controls for signals that are asked service by service. Looked for only where something is about to be blamed on a
//! deployment, and never more than [`MAX_QUERIES`] of them in an environment.

use std::collections::BTreeSet;

use super::sources::read_all;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::ids::ServiceName;
use crate::domain::judge::evidence::{Control, Evidence, Found};
use crate::domain::judge::peer::{Peer, control_questions, needs_peers, queries_of};
use crate::domain::judge::question::{MAX_CONTROLS, Subject};
use crate::domain::judge::verdict::{Verdict, judge};
use crate::domain::time::Time;

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
        if questions.len() >= MAX_QUERIES {
            break;
        }
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
    let all = pass.branches.elsewhere.services(pass.environment, state.snapshot.head).await;
    let mut changed: BTreeSet<&ServiceName> = state.detected.iter().map(|one| &one.service).collect();
    let reverts = state.reverts.iter().filter(|entry| entry.at >= state.snapshot.diffs_since);
    changed.extend(reverts.map(|entry| &entry.service));
    all.values().filter(|peer| !changed.contains(&peer.service)).cloned().collect()
}

/// The same service in other environments in which it had no deployment.
async fn elsewhere(pass: &Pass<'_>, subject: &Subject) -> Vec<Peer> {
    let mut found = Vec::new();
    let since = subject.deployed_at.minus_secs(subject.policy.baseline_secs.into());
    let others = pass.estate.environments.iter().filter(|other| other.name != pass.environment.name);
    for other in others.take(MAX_CONTROLS) {
        let changes = pass.branches.elsewhere.changes(other, since, pass.documents()).await;
        let Some(changes) = changes.filter(|changes| changes.is_quiet(&subject.service, since)) else {
            continue;
        };
        let services = pass.branches.elsewhere.services(other, changes.head).await;
        if let Some(peer) = services.get(&subject.service) {
            found.push(Peer { shown: format!("{} ({})", peer.service, other.name), ..peer.clone() });
        }
    }
    found
}
