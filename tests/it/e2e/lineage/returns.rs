//! A bot that puts the bad version back at once: the time just before is bad, or nobody can say what it was.

use super::*;

/// Has the agent revert the newest deployment, as if that had been some minutes ago.
fn revert_at(stage: &Stage, minutes: i64) {
    let report = stage.pass(3);
    let newest = items(&report).last().unwrap();
    assert_eq!(words(newest), "regressed revert", "{report:#}");
    assert_eq!(file(stage, VALUES).unwrap(), app("v1"));
    stage.backdate(minutes);
}

#[test]
fn a_bot_that_puts_the_bad_version_back_does_not_win() {
    for delay in [0, 1, 5] {
        let stage = at_v1(&rules());
        release(&stage, "v2", -36);
        fails_since(&stage, -35);
        revert_at(&stage, -30);
        // A minute after it is back it does damage again.
        let again = delay - 30;
        release(&stage, "v2", again);
        errors(&stage, &[("checkout", &[(-35, -29), (again + 1, 99)]), ("search", &[])]);
        revert_at(&stage, -18);
        let third = delay - 18;
        let bad = release(&stage, "v2", third);
        errors(&stage, &[("checkout", &[(-35, -29), (again + 1, -17), (third + 1, 99)]), ("search", &[])]);
        let why = ["the automation renovate[bot] keeps putting back what was reverted 2 times"];
        is_left_to_a_person(&stage, &bad, &why);
    }
}

#[test]
fn a_version_that_is_put_back_and_well_this_time_is_left_alone() {
    let stage = at_v1(&rules());
    release(&stage, "v2", -36);
    fails_since(&stage, -35);
    revert_at(&stage, -30);
    let again = release(&stage, "v2", -29);
    errors(&stage, &[("checkout", &[(-35, -29)]), ("search", &[])]);
    let report = stage.run(&["run", "--once", "--format", "json"]).json();
    assert!(!said(&report, &again).starts_with("regressed"), "{report:#}");
    assert_eq!(stage.tip(), again);
}

/// `v2` has been bad for hours when a person asks for its revert, and `who` puts it back a minute later.
fn put_back_after_hours(who: &str) -> (Stage, String) {
    let stage = at_v1(&rules());
    let bad = release(&stage, "v2", -170);
    errors(&stage, &[("checkout", &[(-169, 99)]), ("search", &[])]);
    stage.run(&["revert", &bad]).ended(3);
    stage.backdate(-20);
    let again = release_by(&stage, "v2", -19, who);
    (stage, again)
}

#[test]
fn a_bot_that_puts_back_what_nobody_can_judge_is_told_at_once() {
    let (stage, again) = put_back_after_hours(BOT);
    let tip = stage.tip();
    let report = stage.pass(4);
    let why = text(of(&report, &again), "why");
    assert!(why.starts_with("the automation renovate[bot] put back what "), "{report:#}");
    assert!(why.contains(" had reverted 1 min before. Too little is known of the time before"), "{why}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
    stage.run(&["explain", &again]).ended(0);
}

#[test]
fn a_person_who_puts_back_what_nobody_can_judge_is_not_told_what_they_know() {
    let (stage, again) = put_back_after_hours("Ada <ada@example.com>");
    let report = stage.pass(0);
    assert_eq!(said(&report, &again), "pending wait", "{report:#}");
}

#[test]
fn what_a_source_does_not_answer_is_not_put_down_to_the_time_before() {
    let (stage, again) = put_back_after_hours(BOT);
    std::fs::remove_file(stage.home.path().join("metrics.csv")).unwrap();
    let report = stage.run(&["run", "--once", "--format", "json"]).json();
    assert!(!said(&report, &again).contains("escalate"), "{report:#}");
}

/// `v2` has been bad for longer than its time before counts when a person asks for its revert, and there is something from before.
#[test]
fn a_bot_that_puts_back_what_was_bad_just_before_is_told_when_its_damage_shows() {
    let stage = at_v1(&rules());
    let bad = release(&stage, "v2", -111);
    fails_since(&stage, -110);
    stage.run(&["revert", &bad]).ended(3);
    stage.backdate(-21);
    let again = release(&stage, "v2", -20);
    let report = stage.pass(4);
    assert!(
        text(of(&report, &again), "why").starts_with("the automation renovate[bot] put back"),
        "{report:#}"
    );
    stage.nothing_more();
}

/// Nobody knows what was usual just before a version that came within a minute of a revert.
#[test]
fn a_version_soon_after_a_revert_that_nobody_could_judge_is_told_at_the_end_of_its_watch() {
    for (bad_until, code, expected) in [(99, 4, "inconclusive escalate"), (-50, 0, "inconclusive pass")] {
        let stage = at_v1(&rules());
        let bad = release(&stage, "v2", -111);
        errors(&stage, &[("checkout", &[(-110, bad_until)]), ("search", &[])]);
        stage.run(&["revert", &bad]).ended(3);
        stage.backdate(-50);
        let next = release_by(&stage, "v3", -49, "Ada <ada@example.com>");
        let report = stage.pass(code);
        assert_eq!(said(&report, &next), expected, "{report:#}");
        if code == 4 {
            let why = text(of(&report, &next), "why");
            assert!(why.starts_with("it was deployed 1 min after the revert "), "{why}");
        }
        stage.nothing_more();
    }
}
