//! Deciding: from a verdict to what is done about it, through guards that are asked in the order of [`GUARDS`].
//!
//! Each guard has a file in `guards/`: the facts that it looks at, the function that collects them, and the one that answers from
//! them alone. Facts are plain values, and are recorded with the answer: who has the record can ask the guard again.

mod answer;
mod guards;
mod members;
mod stack;
mod summary;
mod types;

pub use self::answer::{GuardAnswer, Replay};
use self::guards::INCIDENT_GUARD;
pub use self::guards::{
    FROZEN_GUARD, Facts, GUARDS, GuardRow, MODE_GUARD, PAUSED_GUARD, SCHEMA_GUARD, VERDICT_GUARD,
    facts_of_healthy, is_incident, used_of_budget,
};
pub use self::members::ask_member;
pub use self::stack::{is_open, is_unsure, may_be_of};
pub use self::summary::{PLAN_GUARD, summary};
pub use self::types::{Case, Decision, GoneRevert, LATE_SECS, Left, Member, Situation, Turn, VerdictKind};

/// Asks the guards; also returns what each said that was asked, with the facts that it looked at.
///
/// Where the version is known as bad from another environment, they are asked whether its revert may be proposed although nothing can be
/// said of it here yet. Where one of them holds that, it is decided as if nothing were known: the deployment is watched like any other.
#[must_use]
pub fn decide(case: &Case<'_>, situation: &Situation<'_>) -> (Decision, Vec<GuardAnswer>) {
    // With other services of its group nothing goes back of which nothing is known to be bad here.
    let is_alone = case.members.is_empty() && case.turn.is_none() && !case.is_fallback;
    if case.known_elsewhere.is_some() && is_alone {
        let (decision, answers) = ask_all(case, situation);
        if decision == Decision::Propose {
            return (decision, answers);
        }
    }
    ask_all(&Case { known_elsewhere: None, ..*case }, situation)
}

fn ask_all(case: &Case<'_>, situation: &Situation<'_>) -> (Decision, Vec<GuardAnswer>) {
    let mut answers = Vec::new();
    let is_asked = |guard: &&GuardRow| match case.turn {
        // Whether the group goes back at all was asked before the first of it did.
        Some(_) => guard.of_member || guard.in_turn,
        None => !case.is_fallback || !guard.by_time,
    };
    for guard in GUARDS.iter().filter(is_asked) {
        let answer = GuardAnswer::to((guard.collect)(case, situation));
        let decision = answer.decision.clone();
        answers.push(answer);
        if let Some(decision) = decision {
            return (decision, answers);
        }
    }
    (Decision::Revert, answers)
}

/// Whether a deployment was left to a person as a part of an incident.
#[must_use]
pub fn is_of_incident(decision: &Decision, guards: &[GuardAnswer]) -> bool {
    guards.last().is_some_and(|last| last.guard == INCIDENT_GUARD)
        && matches!(decision, Decision::Escalate(_))
}

#[cfg(test)]
mod tests;
