//! The other services of a group that one commit deployed: what the guards say to taking them back.

use super::answer::GuardAnswer;
use super::guards::{GUARDS, GuardRow, MODE_GUARD};
use super::types::{Case, Decision, Member, Situation};
use crate::domain::environment::policy::Mode;
use crate::domain::history::ledger::RevertEntry;

/// Asks about a service that would go back only because another one of its group does. Nothing has to be wrong with it: so the guards that ask
/// what its signals say, and those that hold for the whole environment, are left out.
///
/// `mode` is that of the other one: the guard `mode` is asked only where this one may do less.
#[must_use]
pub fn ask_member(case: &Case<'_>, situation: &Situation<'_>, mode: Mode) -> Member {
    // What only went back with another one was not bad, and says nothing against it.
    let reverts: Vec<RevertEntry> =
        situation.reverts.iter().filter(|entry| entry.is_of_bad()).cloned().collect();
    let situation = &Situation { reverts: &reverts, ..*situation };
    let service = case.deployment.service.clone();
    let (mut held, mut proposed) = (case.way_of_group(), None);
    let is_asked =
        |guard: &&GuardRow| guard.of_member && (guard.name != MODE_GUARD || case.policy.mode < mode);
    for guard in GUARDS.iter().filter(is_asked) {
        if held.is_some() {
            break;
        }
        let facts = (guard.collect)(case, situation);
        let doubt = facts.doubt();
        match GuardAnswer::to(facts).decision {
            None => {}
            Some(Decision::Propose | Decision::Revert) => {
                proposed = proposed
                    .or(doubt)
                    .or_else(|| Some(format!("the guard `{}` wants a person to say yes", guard.name)));
            }
            Some(Decision::Wait) => held = Some(format!("the guard `{}` waits", guard.name)),
            Some(Decision::Pass(why) | Decision::Escalate(why) | Decision::Hold(why)) => held = Some(why),
        }
    }
    Member { service, held, proposed }
}
