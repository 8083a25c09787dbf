//! Which earlier state is good enough to go back to.

use super::*;

/// Under these rules fifteen minutes are enough to have been tried, and a revert of half an hour ago is no pause any more.
const QUICK: &str = "settle: 60s, watch: 20m, baseline: 10m, cooldown: 10m";
/// Under these the agent acts on what was deployed forty minutes ago.
const SLOW: &str = "settle: 60s, watch: 1h, baseline: 15m";

/// Bad for ten minutes since v2, and again since the last deployment.
const TWICE: &[(&str, &[(i64, i64)])] = &[("checkout", &[(-40, -30), (-11, 99)]), ("search", &[])];

/// The agent has reverted v2 half an hour ago.
fn v2_reverted() -> Stage {
    let stage = at_v1(&Rules { policy: SLOW, ..rules() });
    let bad = release(&stage, "v2", -41);
    errors(&stage, TWICE);
    let report = stage.pass(3);
    assert_eq!(said(&report, &bad), "regressed revert", "{report:#}");
    stage.backdate(-29);
    configure(&stage, &Rules { policy: QUICK, ..rules() });
    stage
}

/// A person put it back, and it seemed to do.
#[test]
fn what_the_agent_reverted_is_not_where_a_revert_leads() {
    let stage = v2_reverted();
    let again = release_by(&stage, "v2", -27, PERSON);
    let next = release(&stage, "v3", -12);
    errors(&stage, TWICE);
    is_reverted_to(&stage, &next, &app("v1"));
    assert!(message(&stage).contains(&format!("\nBackout-With: {again}\n")), "{}", message(&stage));
}

#[test]
fn what_runs_since_the_agents_revert_is_where_the_next_one_leads() {
    let stage = v2_reverted();
    let next = release(&stage, "v3", -12);
    errors(&stage, TWICE);
    is_reverted_to(&stage, &next, &app("v1"));
    assert!(!message(&stage).contains("Backout-With"), "{}", message(&stage));
}

/// The quarantine is over, and the agent still knows that it was bad.
#[test]
fn what_was_reverted_stays_bad_after_its_quarantine() {
    let stage = v2_reverted();
    configure(&stage, &Rules { policy: &format!("{QUICK}, quarantine: 5m"), ..rules() });
    release_by(&stage, "v2", -27, PERSON);
    let next = release(&stage, "v3", -12);
    errors(&stage, TWICE);
    is_reverted_to(&stage, &next, &app("v1"));
}

/// Where everything is put back to v1 in one commit, v1 is what was tried long ago.
#[test]
fn a_state_that_ran_only_briefly_since_the_revert_was_tried_before_it() {
    let stage = v2_reverted();
    release(&stage, "v2b", -20);
    let next = release(&stage, "v3", -12);
    errors(&stage, TWICE);
    is_reverted_to(&stage, &next, &app("v1"));
}

/// The agent only watched when v2 was bad, and wrote it down.
#[test]
fn what_was_found_bad_and_left_is_not_where_a_revert_leads() {
    let watching = Rules { environments: "{production: {branch: main}}", policy: SLOW, ..rules() };
    let stage = at_v1(&watching);
    let bad = release(&stage, "v2", -41);
    errors(&stage, TWICE);
    is_left_alone(&stage, &bad, "regressed hold");
    configure(&stage, &Rules { policy: QUICK, ..rules() });
    let next = release(&stage, "v3", -12);
    errors(&stage, TWICE);
    is_reverted_to(&stage, &next, &app("v1"));
    assert!(message(&stage).contains(&format!("\nBackout-With: {bad}\n")), "{}", message(&stage));
}

/// Each version ran for four minutes.
fn four_in_a_row(policy: &str) -> (Stage, Vec<String>) {
    let stage = at_v1(&Rules { policy, ..rules() });
    let all = [("v2", -24), ("v3", -20), ("v4", -16), ("v5", -12)]
        .map(|(version, minutes)| release(&stage, version, minutes));
    fails_since(&stage, -11);
    (stage, all.to_vec())
}

#[test]
fn where_no_state_within_reach_is_good_a_person_gets_the_candidates() {
    let (stage, all) = four_in_a_row(POLICY);
    let candidates = ["v4 of ", "v3 of ", "v2 of "];
    let words =
        [&["no earlier state within reach is known to be good (`targets: 3`)"][..], &candidates].concat();
    let report = is_left_to_a_person(&stage, &all[3], &words);
    let why = text(of(&report, &all[3]), "why");
    assert!(all[..3].iter().all(|commit| why.contains(short(commit))), "{why}");
}

#[test]
fn one_state_further_there_is_a_good_one() {
    let (stage, all) = four_in_a_row(&format!("{POLICY}, targets: 4"));
    is_reverted_to(&stage, &all[3], &app("v1"));
    let message = message(&stage);
    let with: Vec<&str> = message.lines().filter_map(|line| line.strip_prefix("Backout-With: ")).collect();
    assert_eq!(with, [&all[2], &all[1], &all[0]]);
}

#[test]
fn one_target_is_the_state_before_and_no_other() {
    let one = format!("{POLICY}, targets: 1");
    let rules = Rules { policy: &one, ..rules() };
    let stage = at_v1(&rules);
    release(&stage, "v2", -20);
    let third = release(&stage, "v3", -12);
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &third, &["`targets: 1`", "v2 of "]);
    // Where the state before was tried, it is the target.
    let stage = at_v1(&rules);
    let bad = release(&stage, "v2", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &bad, &app("v1"));
}

/// How far back counts from the bad deployment, not from the newest.
#[test]
fn one_target_lies_below_the_bad_deployment_also_where_others_came_after_it() {
    let one = format!("{POLICY}, targets: 1");
    let stage = at_v1(&Rules { policy: &one, ..rules() });
    let second = release(&stage, "v2", SECOND);
    release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    is_reverted_to(&stage, &second, &app("v1"));
}
