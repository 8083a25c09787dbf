//! What the guards said, in one line.

use super::answer::GuardAnswer;

/// The name under which it is recorded that a person must look at a revert because of what was found when it was worked out. It
/// is no guard: what it looks at is the plan.
pub const PLAN_GUARD: &str = "plan";

/// Says in one line how many guards passed, and which one decided: `23 guards passed`, `3 guards passed, then decided by the guard: budget`.
#[must_use]
pub fn summary(answers: &[GuardAnswer]) -> String {
    let passed = match answers.iter().filter(|answer| answer.decision.is_none()).count() {
        0 => None,
        1 => Some("1 guard passed".to_owned()),
        count => Some(format!("{count} guards passed")),
    };
    let decisive = answers.iter().find(|answer| answer.decision.is_some());
    let decisive = decisive.map(|answer| match answer.guard.as_str() {
        PLAN_GUARD => "decided by what the revert would change (plan)".to_owned(),
        guard => format!("decided by the guard: {guard}"),
    });
    passed.into_iter().chain(decisive).collect::<Vec<_>>().join(", then ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::decision::Decision;

    #[test]
    fn what_decided_is_named_also_where_it_was_no_guard() {
        let said = |guard: &str, decision| GuardAnswer::without_facts(guard, decision);
        let passed = || said("verdict", None);
        for (answers, expected) in [
            (vec![], ""),
            (vec![passed()], "1 guard passed"),
            (
                vec![passed(), said("budget", Some(Decision::Propose))],
                "1 guard passed, then decided by the guard: budget",
            ),
            (
                vec![passed(), passed(), said("plan", Some(Decision::Propose))],
                "2 guards passed, then decided by what the revert would change (plan)",
            ),
        ] {
            assert_eq!(summary(&answers), expected);
        }
    }
}
