//! A bad deployment under a later one that needs a person: it was made by one, or it changed a database.

use super::*;
use crate::e2e::table::LATELY;

const SCHEMA: &str = "Deploy it\n\nSchema-Change: true";

#[test]
fn a_version_of_a_person_on_top_of_the_bad_one_goes_back_only_by_a_person() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    let third = release_by(&stage, "v3", THIRD, PERSON);
    fails_since(&stage, DAMAGE);
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed propose", "{report:#}");
    assert_eq!(said(&report, &third), "preexisting hold");
    let plan = items(&report).find_map(|item| item["plan"].as_str()).unwrap();
    let named = format!("{} (Deploy v3), with which {PERSON} changed the same fields later", short(&third));
    assert!(plan.contains(&named), "{plan}");
    assert_eq!(stage.tip(), third);
    stage.nothing_more();
}

#[test]
fn a_schema_change_on_top_of_the_bad_version_is_for_a_person() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    let third = write_as(&stage, &app("v3"), THIRD, BOT, SCHEMA);
    fails_since(&stage, DAMAGE);
    let words = ["which would be taken back with it, changed a database schema", short(&third)];
    is_left_to_a_person(&stage, &second, &words);
}

/// The command in the message makes the revert that the plan showed, and not another one.
#[test]
fn the_command_that_a_person_is_told_does_what_the_plan_says() {
    let stage = at_v1(&rules());
    release(&stage, "v2", SECOND);
    write_as(&stage, &app("v3"), THIRD, BOT, SCHEMA);
    fails_since(&stage, DAMAGE);
    let shown = stage.run(&["plan"]).ended(4).stdout;
    assert!(shown.contains("v3 → v1"), "{shown}");
    let command = shown.lines().find_map(|line| line.trim().strip_prefix("to do that by hand: backout "));
    // The stage names its configuration itself.
    let (command, _) =
        command.and_then(|all| all.split_once(" --config ")).unwrap_or_else(|| panic!("{shown}"));
    let arguments: Vec<&str> = command.split(' ').collect();
    let dry = stage.run(&[&arguments[..], &["--dry-run"]].concat()).ended(0).stdout;
    assert!(dry.contains("v3 → v1"), "{dry}");
    stage.run(&arguments).ended(3);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    assert!(message(&stage).contains("Backout-Requested-By"), "{}", message(&stage));
}

#[test]
fn no_good_state_is_made_up_for_a_person() {
    let stage = at_v1(&rules());
    // Each ran for a minute only, and `targets` is 3.
    for (version, minute) in [("v2", -20), ("v3", -19), ("v4", -18), ("v5", -17)] {
        release(&stage, version, minute);
    }
    fails_since(&stage, -16);
    let to_good = ["revert", "checkout", "--to-good"];
    let error = stage.run(&to_good).ended(1).stderr;
    assert!(error.contains("is known to be good") && error.contains("leave out --to-good"), "{error}");
    stage.run(&to_good[..2]).ended(3);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v4"));
}

#[test]
fn a_schema_change_of_the_bad_version_is_for_a_person() {
    let stage = at_v1(&rules());
    let second = write_as(&stage, &app("v2"), SECOND, BOT, SCHEMA);
    release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    is_left_to_a_person(&stage, &second, &["it changed a database schema"]);
}

/// The later one is the bad one, and below it lies a schema change that was hardly tried.
#[test]
fn a_schema_change_below_the_bad_version_is_for_a_person() {
    let stage = at_v1(&rules());
    let second = write_as(&stage, &app("v2"), -20, BOT, SCHEMA);
    let third = release(&stage, "v3", -12);
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &third, &[short(&second), "changed a database schema"]);
}

#[test]
fn a_schema_change_that_stays_is_in_nobodys_way() {
    let stage = at_v1(&rules());
    write_as(&stage, &app("v2"), -60, BOT, SCHEMA);
    let third = release(&stage, "v3", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &third, &app("v2"));
}

#[test]
fn a_person_who_went_back_from_the_later_version_has_settled_it() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    release(&stage, "v3", -16);
    let back = release_by(&stage, "v1", -3, PERSON);
    fails_since(&stage, DAMAGE);
    let report = is_left_alone(&stage, &second, "regressed pass");
    assert!(text(of(&report, &second), "why").contains(short(&back)), "{report:#}");
}

/// A person tried v3, and went back to v2, which is the bad one.
#[test]
fn a_person_who_went_back_to_the_bad_version_did_not_settle_it() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    release(&stage, "v3", -44);
    release_by(&stage, "v2", THIRD, PERSON);
    fails_since(&stage, DAMAGE);
    is_reverted_to(&stage, &second, &app("v1"));
}

/// A person asks for the revert of the one below: what is on top of it is not theirs to lose unasked.
#[test]
fn a_request_for_the_lower_version_says_that_it_was_replaced() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -20);
    release(&stage, "v3", -12);
    errors(&stage, &[("checkout", LATELY)]);
    let tip = stage.tip();
    let refused = stage.run(&["revert", &second]).ended(1);
    assert!(refused.stderr.contains("v3 now"), "{refused:?}");
    assert_eq!(stage.tip(), tip);
}
