//! Deployments in quick succession, of which not the last is the bad one.

use super::*;
use crate::e2e::table::{FINE, deploy, told};

/// v1, v2 twenty minutes ago and v3 twelve minutes ago; it fails since v2.
fn stacked() -> (Stage, String, String) {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    let third = release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    (stage, second, third)
}

#[test]
fn one_commit_goes_back_past_the_deployment_that_came_after_the_bad_one() {
    let (stage, second, third) = stacked();
    let planned = stage.run(&["plan"]).ended(0).stdout;
    assert!(planned.contains("takes back with it: ") && planned.contains("v2 → v3"), "{planned}");
    let report = is_reverted_to(&stage, &second, &app("v1"));
    assert_eq!(said(&report, &third), "preexisting hold");
    assert!(text(of(&report, &third), "why").contains(short(&second)), "{report:#}");
    let message = message(&stage);
    assert!(message.starts_with("Revert checkout in production: v3 → v1\n"), "{message}");
    assert!(message.contains("the following is taken back too:"), "{message}");
    assert!(message.contains(&format!("- {} (Deploy v3)", short(&third))), "{message}");
    for trailer in [
        format!("Backout-Reverts: {second}"),
        format!("Backout-With: {third}"),
        "Backout-From: v2".to_owned(),
        "Backout-From: v3".to_owned(),
        "Backout-To: v1".to_owned(),
    ] {
        assert!(message.lines().any(|line| line == trailer), "{trailer}: {message}");
    }
}

#[test]
fn three_on_top_of_each_other_go_back_together() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -54);
    let others = [release(&stage, "v3", -48), release(&stage, "v4", THIRD)];
    fails_since(&stage, -53);
    let report = is_reverted_to(&stage, &second, &app("v1"));
    let message = message(&stage);
    assert_eq!(others.each_ref().map(|other| said(&report, other)), ["preexisting hold", "preexisting hold"]);
    for other in &others {
        assert!(message.contains(&format!("\nBackout-With: {other}\n")), "{message}");
    }
}

#[test]
fn the_bad_one_waits_as_long_as_nothing_is_known_of_the_next() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -20);
    let third = release(&stage, "v3", -1);
    fails_since(&stage, -19);
    let report = is_left_alone(&stage, &second, "regressed wait");
    assert_eq!(said(&report, &third), "pending wait");
}

#[test]
fn what_the_next_version_mended_is_not_reverted() {
    let (stage, second, third) = stacked();
    errors(&stage, &[("checkout", &[(DAMAGE, -39)]), ("search", FINE)]);
    let report = is_left_alone(&stage, &second, "healthy pass");
    assert!(text(of(&report, &second), "why").contains("has replaced what it deployed"), "{report:#}");
    assert_eq!(said(&report, &third), "healthy pass");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v3"));
}

#[test]
fn where_the_later_one_is_bad_it_goes_back_to_the_newest_state_that_was_tried() {
    // v2 ran for eight minutes only.
    let (stage, second, third) = stacked();
    fails_since(&stage, -11);
    let report = is_reverted_to(&stage, &third, &app("v1"));
    assert!(said(&report, &second).ends_with(" hold"), "{report:#}");
    assert!(text(of(&report, &second), "why").contains(short(&third)), "{report:#}");
    assert!(message(&stage).contains(&format!("\nBackout-With: {second}\n")), "{}", message(&stage));
}

#[test]
fn where_the_later_one_is_bad_and_the_earlier_was_tried_only_the_later_goes() {
    let stage = at_v1(&rules());
    release(&stage, "v2", -40);
    let third = release(&stage, "v3", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &third, &app("v2"));
    assert!(!message(&stage).contains("Backout-With"), "{}", message(&stage));
}

#[test]
fn a_version_that_ran_briefly_but_was_tried_before_is_good() {
    let stage = at_v1(&rules());
    release(&stage, "v2", -100);
    release(&stage, "v3", -60);
    // A person takes v3 back, for other reasons.
    release_by(&stage, "v2", -20, PERSON);
    let fourth = release(&stage, "v4", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &fourth, &app("v2"));
    assert!(!message(&stage).contains("Backout-With"), "{}", message(&stage));
}

/// What the later commit changed besides goes back with it: the state is one that the service ran.
#[test]
fn what_else_the_later_commit_changed_goes_back_too() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    let more = app("v3").replace("replicas: 2", "replicas: 4");
    let third = write_as(&stage, &more, THIRD, BOT, "Deploy v3 with more replicas");
    fails_since(&stage, DAMAGE);
    is_reverted_to(&stage, &second, &app("v1"));
    assert!(message(&stage).contains(&format!("\nBackout-With: {third}\n")), "{}", message(&stage));
}

#[test]
fn what_else_the_bad_commit_changed_goes_back_from_below_the_later_one() {
    let stage = at_v1(&rules());
    let more = |version: &str| app(version).replace("replicas: 2", "replicas: 4");
    let second = write_as(&stage, &more("v2"), SECOND, BOT, "Deploy v2 with more replicas");
    write_as(&stage, &more("v3"), THIRD, BOT, "Deploy v3");
    fails_since(&stage, DAMAGE);
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn what_a_person_changed_elsewhere_in_the_file_stays() {
    let (stage, second, _) = stacked();
    let edited = |version: &str| app(version).replace("port: 8080", "port: 9090");
    write_as(&stage, &edited("v3"), -4, PERSON, "Another port");
    is_reverted_to(&stage, &second, &edited("v1"));
}

#[test]
fn a_commit_of_another_service_in_between_stays() {
    let other = "apps/search/values.yaml";
    let stage = stage(&rules(), &[(VALUES, &app("v1")), (other, &app("s1"))]);
    let second = release(&stage, "v2", SECOND);
    deploy(&stage, &[(other, &app("s2"))], -44);
    release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    is_reverted_to(&stage, &second, &app("v1"));
    assert_eq!(file(&stage, other).unwrap(), app("s2"));
}

/// One commit deploys both services on top of the bad version of one.
#[test]
fn a_commit_for_two_services_goes_back_for_one_of_them() {
    let other = "apps/search/values.yaml";
    let stage = stage(&rules(), &[(VALUES, &app("v1")), (other, &app("s1"))]);
    let second = release(&stage, "v2", SECOND);
    deploy(&stage, &[(VALUES, &app("v3")), (other, &app("s2"))], THIRD);
    fails_since(&stage, DAMAGE);
    let report = is_reverted_to(&stage, &second, &app("v1"));
    assert!(told(&report).contains(&"search healthy pass".to_owned()), "{report:#}");
    assert_eq!(file(&stage, other).unwrap(), app("s2"));
}

/// Two images of a service: the bad commit brought both, the next one only one of them.
#[test]
fn a_later_version_of_one_of_two_images_goes_back_with_both() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    let second = write_as(&stage, &two("v2", "w2"), -20, BOT, "Deploy both");
    write_as(&stage, &two("v3", "w2"), -12, BOT, "Deploy web v3");
    fails_since(&stage, -19);
    is_reverted_to(&stage, &second, &two("v1", "w1"));
}

/// The next commit deployed the other image, and nothing of what the bad one brought.
#[test]
fn what_was_deployed_beside_the_bad_image_is_told_apart() {
    let stage = stage(&rules(), &[(VALUES, &two("v1", "w1"))]);
    let second = write_as(&stage, &two("v2", "w1"), -20, BOT, "Deploy web v2");
    let third = write_as(&stage, &two("v2", "w2"), -12, BOT, "Deploy worker w2");
    fails_since(&stage, -19);
    let report = is_reverted_to(&stage, &second, &two("v1", "w1"));
    assert_eq!(said(&report, &third), "pending hold");
    assert!(text(of(&report, &third), "why").contains(short(&second)), "{report:#}");
}

/// The next version came when the watch of the bad one was nearly over: there is time until that of the next one is.
#[test]
fn a_next_version_late_in_the_watch_is_waited_for_too() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -75);
    release(&stage, "v3", THIRD);
    fails_since(&stage, -43);
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn a_pass_long_after_the_watch_of_the_next_version_asks_a_person() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", SECOND);
    let third = release(&stage, "v3", -46);
    fails_since(&stage, DAMAGE);
    let report = is_left_to_a_person(&stage, &second, &["too late to act alone"]);
    assert_eq!(said(&report, &third), "preexisting hold");
}

/// A bot that goes on with what went back is told from a person who does.
#[test]
fn what_went_back_with_the_bad_version_must_not_come_back_by_itself() {
    for who in [BOT, PERSON] {
        let stage = at_v1(&Rules { policy: "settle: 60s, watch: 30m, baseline: 30m", ..rules() });
        let second = release(&stage, "v2", -38);
        release(&stage, "v3", -30);
        fails_since(&stage, -37);
        is_reverted_to(&stage, &second, &app("v1"));
        stage.backdate(-24);
        errors(&stage, &[("checkout", &[(-37, -24), (-11, 99)]), ("search", FINE)]);
        let again = release_by(&stage, "v3", -12, who);
        if who == BOT {
            is_reverted_to(&stage, &again, &app("v1"));
        } else {
            is_proposed(&stage, &again);
        }
    }
}

#[test]
fn in_a_file_that_services_share_only_the_bad_one_goes_back() {
    let list =
        |checkout: &str, search: &str| format!("checkout:\n  tag: {checkout}\nsearch:\n  tag: {search}\n");
    let services = r#"[{paths: ["versions.yaml"], each: "{service}"}]"#;
    let at = "versions.yaml";
    let stage = stage(&Rules { services, ..rules() }, &[(at, &list("v1", "s1"))]);
    let second = deploy(&stage, &[(at, &list("v2", "s1"))], SECOND);
    deploy(&stage, &[(at, &list("v2", "s2"))], -44);
    deploy(&stage, &[(at, &list("v3", "s2"))], THIRD);
    fails_since(&stage, DAMAGE);
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, at).unwrap(), list("v1", "s2"));
    stage.nothing_more();
}

/// A person takes the proposal over by a plain merge.
#[test]
fn a_proposal_of_both_is_on_one_branch_and_its_merge_ends_it() {
    let stage = at_v1(&Rules { environments: "{production: {branch: main, mode: propose}}", ..rules() });
    let second = release(&stage, "v2", SECOND);
    let third = release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed propose", "{report:#}");
    let branch = format!("backout/production/checkout/{}", short(&second));
    assert_eq!(stage.remote(&["show", &format!("{branch}:{VALUES}")]) + "\n", app("v1"));
    assert_eq!(stage.remote(&["rev-parse", &format!("{branch}^")]), third);
    stage.nothing_more();
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
    stage.dated(-1, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge the revert", "FETCH_HEAD"]);
    stage.push();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    stage.nothing_more();
}

/// The bad version ran so long that the next one looks as usual beside it.
#[test]
fn a_next_version_that_is_as_bad_is_told_where_it_looks_as_usual() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -58);
    let third = release(&stage, "v3", THIRD);
    fails_since(&stage, -57);
    let report = is_left_to_a_person(&stage, &second, &[short(&third), "the signals are still as bad"]);
    assert_eq!(said(&report, &third), "healthy pass");
}

#[test]
fn a_next_version_that_mended_what_was_bad_for_long_is_told_to_nobody() {
    let stage = at_v1(&rules());
    let second = release(&stage, "v2", -76);
    let third = release(&stage, "v3", THIRD);
    errors(&stage, &[("checkout", &[(-75, -37)]), ("search", FINE)]);
    let report = is_left_alone(&stage, &second, "regressed pass");
    assert_eq!(said(&report, &third), "healthy pass");
}
