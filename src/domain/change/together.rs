//! Taking back what several services of a group got by one commit: by one commit, or by one for each service.

use super::{Change, Motive, Together, message};
use crate::domain::decision::Turn;
use crate::domain::deployment::Deployment;
use crate::domain::judge::verdict::Verdict;

/// The revert of a bad deployment with those of the other services of its group, worked out one on top of the other. `others` are the
/// changes with why each is made: of those that were not bad themselves nothing is in quarantine. `is_pinned`: the policy of one of them
/// asks for pins.
#[must_use]
pub fn together(
    mut lead: Change,
    (bad, motive): (&Deployment, Motive<'_>),
    others: Vec<(Change, Motive<'_>)>,
    is_pinned: bool,
) -> Change {
    let Some(group) = bad.group.clone().filter(|_| !others.is_empty()) else { return lead };
    let mut joined = Vec::new();
    for (mut other, why) in others {
        lead.files.append(&mut other.files);
        let of_service = |line: &String| format!("{}: {line}", other.service);
        lead.doubts.extend(other.doubts.iter().map(of_service));
        other.doubts.clear();
        if why.judgement().is_none_or(|judgement| judgement.verdict != Verdict::Regressed) {
            other.bad_values.clear();
        }
        other.message = message::block(&other, why, Some(&lead.service));
        joined.push(other);
    }
    if is_pinned {
        lead.pins.without.push("what goes back as a group is not pinned".to_owned());
    }
    lead.together = Some(Together { group, others: joined, turn: None });
    lead.message = message::compose(&lead, bad, motive);
    lead
}

/// The revert of the next service of a group whose services go back one after another. Where the service was not bad itself nothing is in
/// quarantine. Where a person decides, the others that are left are in it already. `is_pinned`: the policy of the service asks for pins.
#[must_use]
pub fn in_turn(
    mut change: Change,
    (bad, motive): (&Deployment, Motive<'_>),
    mut turn: Turn,
    is_pinned: bool,
) -> Change {
    let Some(group) = bad.group.clone() else { return change };
    let is_bad = motive.judgement().is_some_and(|judgement| judgement.verdict == Verdict::Regressed);
    // The one because of which all go back may look well by now: others of its group are back already.
    if !is_bad && turn.with != change.service {
        change.bad_values.clear();
    }
    let others = change.together.take().map_or_else(Vec::new, |together| together.others);
    if !others.is_empty() {
        turn.then.clear();
    } else if is_pinned {
        change.pins.without.push("what goes back as a group is not pinned".to_owned());
    }
    change.together = Some(Together { group, others, turn: Some(turn) });
    change.message = message::compose(&change, bad, motive);
    change
}
