//! Deployments that would not be blamed without a record of when one landed.

use super::controls::add_controls;
use super::gather::gather;
use super::judged::Judged;
use crate::agent::look::context::Pass;
use crate::agent::look::state::State;
use crate::domain::deployment::Deployment;
use crate::domain::history::landing::LandedBy;
use crate::domain::judge::question::Subject;
use crate::domain::judge::verdict::{Judgement, Verdict, judge};
use crate::domain::time::Time;

/// Finds those that are blamed only because a record says when they landed. They are judged once more as an agent would that
/// knows of no record: by the time that the committer gave, and not at all where its watch window has passed. Where that
/// blames them too, the record was no reason to act. Whoever is blamed because a record has moved somebody else to after
/// the damage is found too. `subjects` are what the first of `judged` were asked about. In an incident
/// services without a deployment are not asked about, as nothing is reverted.
pub(super) async fn find_told(
    pass: &Pass<'_>,
    state: &State,
    subjects: &[(Subject, Time)],
    judged: &mut [Judged],
    is_incident: bool,
) {
    let mut again = Vec::new();
    for (index, (one, (subject, until))) in judged.iter_mut().zip(subjects).enumerate() {
        one.told = one.judgement.verdict == Verdict::Regressed
            && rests_on_record(state, &one.deployment, &one.judgement);
        let deployed_at = one.deployment.landing.committed;
        let age = pass.now.secs_since(deployed_at);
        if one.told
            && !lets_another_off(state, &one.judgement)
            && (0..=i64::from(one.policy.watch_secs)).contains(&age)
        {
            again.push((index, (Subject { deployed_at, ..subject.clone() }, *until)));
        }
    }
    if again.is_empty() {
        return;
    }
    let (places, asked): (Vec<usize>, Vec<(Subject, Time)>) = again.into_iter().unzip();
    let mut found = gather(pass, &asked, &state.deployed).await;
    if !is_incident {
        add_controls(pass, state, &asked, &mut found).await;
    }
    for (index, found) in places.into_iter().zip(found) {
        if let Some(one) = judged.get_mut(index) {
            one.told = judge(&found).verdict != Verdict::Regressed;
        }
    }
}

/// Whether a record says when a deployment landed that is blamed, or that another landed after the damage had begun.
pub(super) fn rests_on_record(state: &State, deployment: &Deployment, judgement: &Judgement) -> bool {
    deployment.landing.by == LandedBy::Record || lets_another_off(state, judgement)
}

fn lets_another_off(state: &State, judgement: &Judgement) -> bool {
    let lets_off = |since: Time| state.watched.iter().any(|other| other.landing.is_let_off(since));
    judgement.since.is_some_and(lets_off)
}
