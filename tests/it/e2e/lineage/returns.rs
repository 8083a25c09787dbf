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
