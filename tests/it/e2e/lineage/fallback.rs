//! Going further back where a revert did not help.

use super::*;

/// The agent acts on what was deployed an hour ago, and sees after a quarter of an hour whether a revert helped.
pub(super) const ONCE: &str = "settle: 60s, watch: 1h, baseline: 30m, recovery: 15m, fallback: 1";
pub(super) const TWICE: &str = "settle: 60s, watch: 1h, baseline: 30m, recovery: 15m, fallback: 2";

/// When v3 came, and the errors with it.
pub(super) const BAD: i64 = -58;

/// v1, v2 and v3 have run, one after the other. The agent has reverted v3 to v2, and the errors went on: that is told.
pub(super) fn in_vain(policy: &str) -> (Stage, String) {
    let stage = at_v1(&Rules { policy, ..rules() });
    let second = release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    let report = stage.pass(3);
    assert_eq!(said(&report, &third), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-28);
    did_not_help(&stage);
    (stage, second)
}

/// A pass tells that the last revert did not help, and changes nothing.
#[track_caller]
pub(super) fn did_not_help(stage: &Stage) {
    let tip = stage.tip();
    let report = stage.pass(4);
    assert_eq!(report["environments"][0]["recoveries"][0]["outcome"], "not-recovered", "{report:#}");
    assert_eq!(stage.tip(), tip);
}

/// The agent has gone one state further back, from v2 to v1.
pub(super) fn at_v1_again(policy: &str) -> (Stage, String) {
    let (stage, second) = in_vain(policy);
    let report = is_reverted_to(&stage, &second, &app("v1"));
    let reason = text(&of(&report, &second)["judgement"], "reason").to_owned();
    assert!(reason.contains("after the revert"), "{reason}");
    (stage, second)
}

#[test]
fn where_a_revert_did_not_help_the_next_good_state_is_tried() {
    let (stage, second) = at_v1_again(ONCE);
    let message = message(&stage);
    assert!(message.starts_with("Revert checkout in production: v2 → v1\n"), "{message}");
    assert!(message.contains("led back to it and did not help: errors rose"), "{message}");
    assert!(message.contains(&format!("\nBackout-Reverts: {second}\n")), "{message}");
    let explained = stage.run(&["explain", &second]).ended(0).stdout;
    assert!(explained.contains("a revert that did not help"), "{explained}");
    // The errors end with it: that is told too.
    stage.backdate(-17);
    errors(&stage, &[("checkout", &[(BAD + 1, -17)]), ("search", &[])]);
    let report = stage.pass(0);
    assert_eq!(report["environments"][0]["recoveries"][0]["outcome"], "recovered", "{report:#}");
    stage.nothing_more();
}

#[test]
fn without_fallback_the_agent_stops() {
    let (stage, _) = in_vain("settle: 60s, watch: 1h, baseline: 30m, recovery: 15m");
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

/// The step back to v1 did not help either: that is told, and nothing more is done.
fn stops_at_v1(policy: &str) {
    let (stage, _) = at_v1_again(policy);
    stage.backdate(-17);
    did_not_help(&stage);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
}

#[test]
fn at_its_end_the_agent_stops() {
    stops_at_v1(ONCE);
}

/// v1 was there when the repository began: there is nothing before it.
#[test]
fn where_there_is_nothing_further_back_the_agent_stops() {
    stops_at_v1(TWICE);
}

#[test]
fn each_step_back_is_judged_and_none_is_taken_twice() {
    let stage = at_v1(&Rules { policy: TWICE, ..rules() });
    let second = release(&stage, "v2", -179);
    let third = release(&stage, "v3", -119);
    let fourth = release(&stage, "v4", BAD);
    fails_since(&stage, BAD + 1);
    is_reverted_to(&stage, &fourth, &app("v3"));
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &third, &app("v2"));
    stage.backdate(-17);
    did_not_help(&stage);
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn a_step_back_leads_to_the_newest_state_that_was_tried() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    release(&stage, "v2", -180);
    release(&stage, "v2b", -179);
    let third = release(&stage, "v3", -119);
    let fourth = release(&stage, "v4", BAD);
    fails_since(&stage, BAD + 1);
    is_reverted_to(&stage, &fourth, &app("v3"));
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &third, &app("v2b"));
}

#[test]
fn the_budget_counts_steps_back_too() {
    let (stage, second) = in_vain(ONCE);
    is_over_budget(&stage, &second);
}

/// The budget allows no step back: a person is asked, once.
#[track_caller]
pub(super) fn is_over_budget(stage: &Stage, bad: &str) {
    let environments = "{production: {branch: main, mode: auto, budget: {max_reverts: 1, window: 1h}}}";
    configure(stage, &Rules { environments, policy: ONCE, ..rules() });
    is_left_to_a_person(stage, bad, &["the budget of 1 revert"]);
}

#[test]
fn what_somebody_has_deployed_since_is_not_gone_back_on() {
    let (stage, _) = in_vain(ONCE);
    release_by(&stage, "v4", -1, PERSON);
    let report = stage.pass(0);
    assert!(items(&report).all(|item| words(item) == "pending wait"), "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v4"));
}

#[test]
fn what_changed_a_schema_is_for_a_person() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = write_as(&stage, &app("v2"), -150, BOT, "Deploy v2\n\nSchema-Change: true\n");
    release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    stage.pass(3);
    stage.backdate(-28);
    did_not_help(&stage);
    is_left_to_a_person(&stage, &second, &["database schema"]);
}

#[test]
fn where_the_agent_only_proposes_the_next_one_is_proposed() {
    let (stage, second) = in_vain(ONCE);
    let proposing =
        Rules { environments: "{production: {branch: main, mode: propose}}", policy: ONCE, ..rules() };
    configure(&stage, &proposing);
    let tip = stage.tip();
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed propose", "{report:#}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
}

#[test]
fn once_the_errors_are_over_nothing_goes_back() {
    let (stage, _) = in_vain(ONCE);
    // They ended after the record was written: the metrics count, and not what was written.
    errors(&stage, &[("checkout", &[(BAD + 1, -27)]), ("search", &[])]);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}
