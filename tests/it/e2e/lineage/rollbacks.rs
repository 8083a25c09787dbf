//! Ways back that people took themselves.

use super::*;
use crate::e2e::table::deploy;

/// `v2` three hours after `v1`, two hours ago, and for now nothing wrong with it.
fn at_v2() -> (Stage, String) {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -110);
    (stage, second)
}

/// A person takes the last commit back on a branch of its own, as a forge's button does.
fn revert_on_a_branch(stage: &Stage, minutes: i64) {
    stage.git(&["switch", "-q", "-c", "revert-7"]);
    stage.dated(minutes, PERSON, &["revert", "--no-edit", "main"]);
    stage.git(&["switch", "-q", "main"]);
}

#[test]
fn a_rollback_by_the_revert_button_is_left_to_people_however_it_is_merged() {
    for way in ["merge", "squash", "rebase"] {
        let (stage, bad) = at_v2();
        revert_on_a_branch(&stage, -14);
        match way {
            "merge" => {
                let subject = "Merge pull request #8 from shop/revert-7";
                stage.dated(-12, PERSON, &["merge", "-q", "--no-ff", "-m", subject, "revert-7"]);
            }
            "squash" => {
                stage.git(&["merge", "-q", "--squash", "revert-7"]);
                stage.dated(-12, PERSON, &["commit", "-q", "-m", "Revert \"Deploy v2\" (#8)"]);
            }
            _ => {
                stage.git(&["merge", "-q", "--ff-only", "revert-7"]);
                stage.dated(-12, PERSON, &["commit", "-q", "--amend", "--no-edit", "--reset-author"]);
            }
        }
        stage.push();
        assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
        fails_since(&stage, -11);
        let back = stage.tip();
        is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
    }
}

#[test]
fn a_rollback_under_any_subject_is_one() {
    let (stage, bad) = at_v2();
    let back = write_as(&stage, &app("v1"), -12, PERSON, "v2 leaks data of customers");
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
}

#[test]
fn a_rollback_that_writes_the_value_otherwise_is_one() {
    let (stage, bad) = at_v2();
    let quoted = app("v1").replace("tag: v1", "tag: \"v1\" # as before");
    let back = write_as(&stage, &quoted, -12, PERSON, "Back");
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
}

#[test]
fn a_rollback_over_two_versions_is_one() {
    let (stage, second) = at_v2();
    release(&stage, "v3", -60);
    let back = release_by(&stage, "v1", -12, PERSON);
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&second)]);
}

#[test]
fn a_rollback_that_changes_something_else_is_one() {
    let (stage, bad) = at_v2();
    let more = app("v1").replace("replicas: 2", "replicas: 6");
    let back = write_as(&stage, &more, -12, PERSON, "Back, with more replicas");
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
}

#[test]
fn a_rollback_that_a_pipeline_makes_is_one() {
    let (stage, bad) = at_v2();
    let back = release(&stage, "v1", -12);
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
}

#[test]
fn a_good_rollback_is_told_to_nobody() {
    let (stage, _) = at_v2();
    let back = release_by(&stage, "v1", -12, PERSON);
    errors(&stage, &[("checkout", &[]), ("search", &[])]);
    is_left_alone(&stage, &back, "pending wait");
}

/// Two images go back to what they were, each from a release of its own.
#[test]
fn a_rollback_of_two_releases_at_once_is_one() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    write_as(&stage, &two("v2", "w1"), -110, BOT, "Deploy web v2");
    write_as(&stage, &two("v2", "w2"), -60, BOT, "Deploy worker w2");
    let back = write_as(&stage, &two("v1", "w1"), -12, PERSON, "Back to last week");
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback"]);
}

/// The version of another service is no way back for this one.
#[test]
fn a_version_that_another_service_ran_is_none() {
    let other = "apps/search/values.yaml";
    let stage = stage(&rules(), &[(VALUES, &app("v1")), (other, &app("v5"))]);
    deploy(&stage, &[(other, &app("v6"))], -100);
    // Nobody has watched that one, which is told.
    errors(&stage, &[("checkout", &[]), ("search", &[])]);
    stage.pass(4);
    let bad = release(&stage, "v5", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &bad, &app("v1"));
}

#[test]
fn a_bad_version_that_comes_again_after_a_rollback_is_no_rollback() {
    for who in [BOT, PERSON] {
        let (stage, _) = at_v2();
        release_by(&stage, "v1", -60, PERSON);
        let again = release_by(&stage, "v2", -12, who);
        fails_since(&stage, -11);
        is_reverted_to(&stage, &again, &app("v1"));
        assert!(!message(&stage).contains("Backout-With"), "{}", message(&stage));
    }
}

#[test]
fn the_next_version_after_a_rollback_is_reverted_to_what_the_person_went_back_to() {
    let (stage, _) = at_v2();
    release_by(&stage, "v1", -60, PERSON);
    let next = release(&stage, "v3", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &next, &app("v1"));
}

/// A person takes the bad version back, a bot puts it out again, and the next version is bad as well.
#[test]
fn what_a_person_took_back_is_not_where_a_revert_leads() {
    let (stage, _) = at_v2();
    release_by(&stage, "v1", -90, PERSON);
    let again = release(&stage, "v2", -60);
    let next = release(&stage, "v3", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &next, &app("v1"));
    assert!(message(&stage).contains(&format!("\nBackout-With: {again}\n")), "{}", message(&stage));
}

/// A rollback is judged where it stands, and so is a release on top of it.
#[test]
fn damage_since_a_rollback_under_a_later_release_is_for_a_person() {
    let (stage, _) = at_v2();
    let back = release_by(&stage, "v1", SECOND, PERSON);
    release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback"]);
}

/// One image goes back and another goes on, in one commit: taking that back would put out what was taken away.
#[test]
fn a_commit_that_goes_back_with_one_image_and_on_with_another_is_a_rollback() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    let bad = write_as(&stage, &two("v2", "w1"), -110, BOT, "Deploy web v2");
    let back = write_as(&stage, &two("v1", "w2"), -12, PERSON, "Web back, worker on");
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
}

#[test]
fn a_release_on_top_of_such_a_commit_goes_back_to_it() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    write_as(&stage, &two("v2", "w1"), -110, BOT, "Deploy web v2");
    write_as(&stage, &two("v1", "w2"), -60, PERSON, "Web back, worker on");
    let next = write_as(&stage, &two("v3", "w2"), -12, BOT, "Deploy web v3");
    fails_since(&stage, -11);
    is_reverted_to(&stage, &next, &two("v1", "w2"));
}

/// The person suspected the wrong image. The bad one still runs, and the state before it would put the other out again.
#[test]
fn a_rollback_of_the_other_image_does_not_settle_the_bad_one() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    write_as(&stage, &two("v1", "w2"), -110, BOT, "Deploy worker w2");
    let bad = write_as(&stage, &two("v2", "w2"), -20, BOT, "Deploy web v2");
    let back = write_as(&stage, &two("v2", "w1"), -12, PERSON, "Worker back");
    fails_since(&stage, -19);
    is_left_to_a_person(&stage, &bad, &[short(&back), "took something else back, or a part of it"]);
}

#[test]
fn a_rollback_of_one_of_two_bad_images_leaves_the_other_to_a_person() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    let bad = write_as(&stage, &two("v2", "w2"), -20, BOT, "Deploy both");
    let back = write_as(&stage, &two("v1", "w2"), -12, PERSON, "Web back");
    fails_since(&stage, -19);
    is_left_to_a_person(&stage, &bad, &[short(&back), "took something else back, or a part of it"]);
}

#[test]
fn a_rollback_of_both_images_one_by_one_settles_them() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    let bad = write_as(&stage, &two("v2", "w2"), -20, BOT, "Deploy both");
    write_as(&stage, &two("v1", "w2"), -14, PERSON, "Web back");
    write_as(&stage, &two("v1", "w1"), -12, PERSON, "Worker back");
    fails_since(&stage, -19);
    is_left_alone(&stage, &bad, "regressed pass");
}

/// Somebody went back at once, and that was not the end of it.
#[test]
fn a_rollback_that_did_not_help_is_told() {
    for who in [BOT, PERSON] {
        let stage = at_v1(&rules());
        let bad = release(&stage, "v2", SECOND);
        let back = release_by(&stage, "v1", THIRD, who);
        fails_since(&stage, DAMAGE);
        let report = stage.pass(4);
        assert_eq!(said(&report, &bad), "regressed pass");
        assert_eq!(said(&report, &back), "preexisting escalate", "{report:#}");
        assert!(text(of(&report, &back), "why").contains("this one did not mend it"), "{report:#}");
        assert_eq!(stage.tip(), back);
        stage.nothing_more();
    }
}

const LIST: &str = "versions.yaml";

fn list(checkout: &str, search: &str) -> String {
    format!("checkout:\n  tag: {checkout}\nsearch:\n  tag: {search}\n")
}

#[test]
fn a_rollback_in_a_file_that_services_share_is_one() {
    let services = r#"[{paths: ["versions.yaml"], each: "{service}"}]"#;
    let stage = stage(&Rules { services, ..rules() }, &[(LIST, &list("v1", "s1"))]);
    let bad = deploy(&stage, &[(LIST, &list("v2", "s1"))], -110);
    deploy(&stage, &[(LIST, &list("v2", "s2"))], -100);
    let back = deploy(&stage, &[(LIST, &list("v1", "s2"))], -12);
    fails_since(&stage, -11);
    is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&bad)]);
}
