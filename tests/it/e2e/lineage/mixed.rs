//! Commits that changed more than a version.

use super::*;
use crate::e2e::table::{commit, deploy, paths};

const CONFIG: &str = "apps/checkout/config.yaml";

const OLD: &str = "image:\n  repository: r.example/checkout\n  tag: v1.4.2\nenv:\n  DB_HOST: old-db\n  LEGACY_MODE: \"true\"\nport: 8080\nlogs: json\nteam: shop\n";
const NEW: &str = "image:\n  repository: r.example/checkout\n  tag: v2.0.0\nenv:\n  DB_HOST: new-db\nport: 9090\nlogs: json\nteam: shop\n";

/// The new version came with its configuration, and is bad.
fn mixed(policy: &str) -> (Stage, String) {
    let stage = stage(&Rules { policy, ..rules() }, &[(VALUES, OLD)]);
    let bad = write_as(&stage, NEW, -12, BOT, "v2 with its configuration");
    fails_since(&stage, -11);
    (stage, bad)
}

#[test]
fn all_that_the_commit_changed_goes_back() {
    let (stage, bad) = mixed(POLICY);
    is_reverted_to(&stage, &bad, OLD);
    assert!(!message(&stage).contains("stays as it is"), "{}", message(&stage));
}

#[test]
fn a_later_change_elsewhere_in_the_file_stays() {
    let (stage, bad) = mixed(POLICY);
    let edit = |text: &str| text.replace("team: shop", "team: payments");
    write_as(&stage, &edit(NEW), -4, PERSON, "Another team");
    is_reverted_to(&stage, &bad, &edit(OLD));
}

/// The branch of the proposal for a deployment of `checkout`.
fn branch_of(bad: &str) -> String {
    format!("backout/production/checkout/{}", short(bad))
}

/// A pass proposes the revert on a branch, where the file has this text.
#[track_caller]
fn is_proposed(stage: &Stage, bad: &str, text: &str) {
    let tip = stage.tip();
    let report = stage.pass(3);
    assert_eq!(said(&report, bad), "regressed propose", "{report:#}");
    assert_eq!(of(&report, bad)["outcome"]["proposed"]["branch"], branch_of(bad).as_str(), "{report:#}");
    assert_eq!(stage.tip(), tip);
    assert_eq!(stage.remote(&["show", &format!("{}:{VALUES}", branch_of(bad))]) + "\n", text);
    let message = stage.remote(&["log", "-1", "--format=%B", &branch_of(bad)]);
    assert!(message.contains("For a person to look at: "), "{message}");
    stage.nothing_more();
}

#[test]
fn a_later_change_of_the_same_lines_makes_it_a_proposal_of_the_version_alone() {
    let (stage, bad) = mixed(POLICY);
    write_as(&stage, &NEW.replace("port: 9090", "port: 9443"), -4, PERSON, "Another port");
    let only_the_version = NEW.replace("port: 9090", "port: 9443").replace("v2.0.0", "v1.4.2");
    is_proposed(&stage, &bad, &only_the_version);
}

/// The lines could be merged, but what a person did there is an answer to what the commit did.
#[test]
fn a_person_who_put_a_part_back_is_asked() {
    let (stage, bad) = mixed(POLICY);
    write_as(&stage, &NEW.replace("port: 9090", "port: 8080"), -4, PERSON, "The old port");
    is_proposed(&stage, &bad, &NEW.replace("port: 9090", "port: 8080").replace("v2.0.0", "v1.4.2"));
}

#[test]
fn the_fields_alone_go_back_where_the_policy_says_so() {
    let (stage, bad) = mixed(&format!("{POLICY}, mixed: fields"));
    is_reverted_to(&stage, &bad, &NEW.replace("v2.0.0", "v1.4.2"));
    let message = message(&stage);
    assert!(message.contains("stays as it is") && message.contains("port"), "{message}");
}

/// Where only the fields go back, nobody cares about the rest.
#[test]
fn later_changes_of_what_stays_make_no_proposal() {
    let (stage, bad) = mixed(&format!("{POLICY}, mixed: fields"));
    let edit = |text: &str| text.replace("port: 9090", "port: 9443");
    write_as(&stage, &edit(NEW), -4, PERSON, "Another port");
    is_reverted_to(&stage, &bad, &edit(NEW).replace("v2.0.0", "v1.4.2"));
}

#[test]
fn a_person_is_asked_where_the_policy_says_so() {
    let (stage, bad) = mixed(&format!("{POLICY}, mixed: manual"));
    is_left_to_a_person(&stage, &bad, &["the commit also changed "]);
}

const OLD_CONFIG: &str =
    "kind: ConfigMap\ndata:\n  mode: slow\n  limit: \"5\"\n  colour: red\n  size: small\n";
const NEW_CONFIG: &str =
    "kind: ConfigMap\ndata:\n  mode: fast\n  limit: \"5\"\n  colour: red\n  size: small\n";

/// The new version came with a change in another file of the service, and is bad.
fn with_config(policy: &str) -> (Stage, String) {
    let stage = stage(&Rules { policy, ..rules() }, &[(VALUES, &app("v1")), (CONFIG, OLD_CONFIG)]);
    let bad = deploy(&stage, &[(VALUES, &app("v2")), (CONFIG, NEW_CONFIG)], -12);
    fails_since(&stage, -11);
    (stage, bad)
}

#[test]
fn another_file_of_the_service_goes_back_too() {
    let (stage, bad) = with_config(POLICY);
    is_reverted_to(&stage, &bad, &app("v1"));
    assert_eq!(file(&stage, CONFIG).unwrap(), OLD_CONFIG);
}

#[test]
fn another_file_stays_where_only_the_fields_go_back() {
    let (stage, bad) = with_config(&format!("{POLICY}, mixed: fields"));
    is_reverted_to(&stage, &bad, &app("v1"));
    assert_eq!(file(&stage, CONFIG).unwrap(), NEW_CONFIG);
}

#[test]
fn another_file_keeps_what_was_changed_elsewhere_in_it() {
    let (stage, bad) = with_config(POLICY);
    let edit = |text: &str| text.replace("size: small", "size: large");
    commit(&stage, &[(CONFIG, &edit(NEW_CONFIG))], -4, PERSON);
    is_reverted_to(&stage, &bad, &app("v1"));
    assert_eq!(file(&stage, CONFIG).unwrap(), edit(OLD_CONFIG));
}

#[test]
fn another_file_that_was_changed_again_at_the_same_place_makes_it_a_proposal() {
    let (stage, bad) = with_config(POLICY);
    let last = NEW_CONFIG.replace("mode: fast", "mode: turbo");
    commit(&stage, &[(CONFIG, &last)], -4, PERSON);
    is_proposed(&stage, &bad, &app("v1"));
    let branch = branch_of(&bad);
    assert_eq!(stage.remote(&["show", &format!("{branch}:{CONFIG}")]) + "\n", last);
}

#[test]
fn another_file_that_is_gone_since_makes_it_a_proposal() {
    let (stage, bad) = with_config(POLICY);
    stage.git(&["rm", "-q", CONFIG]);
    stage.commit(-4, PERSON, "No configuration any more");
    stage.push();
    is_proposed(&stage, &bad, &app("v1"));
    assert_eq!(stage.remote(&["ls-tree", "-r", "--name-only", &branch_of(&bad)]), VALUES);
}

/// A file that the commit added goes, one that it removed comes back, and what is no file of the service stays.
#[test]
fn files_that_came_and_went_with_the_commit_go_and_come_back() {
    let (gone, new, readme) = ("apps/checkout/gone.yaml", "apps/checkout/new.yaml", "docs/readme.md");
    let config = "kind: ConfigMap\n";
    let stage = stage(&rules(), &[(VALUES, &app("v1")), (gone, OLD_CONFIG), (readme, "old\n")]);
    stage.git(&["rm", "-q", gone]);
    let bad = deploy(&stage, &[(VALUES, &app("v2")), (new, config), (readme, "new\n")], -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &bad, &app("v1"));
    assert_eq!(paths(&stage), [gone, VALUES, readme].join("\n"));
    assert_eq!(file(&stage, readme).unwrap(), "new\n");
}

/// The same commit changed another service: that one's files stay.
#[test]
fn what_the_commit_changed_of_another_service_stays() {
    let other = "apps/search/values.yaml";
    let stage = stage(&rules(), &[(VALUES, OLD), (other, OLD)]);
    let bad = deploy(&stage, &[(VALUES, NEW), (other, NEW)], -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &bad, OLD);
    assert_eq!(file(&stage, other).unwrap(), NEW);
}

/// Of what the earlier commit changed, the later one changed some again: all of both goes back.
#[test]
fn two_commits_that_changed_the_same_lines_go_back_one_after_the_other() {
    let stage = stage(&rules(), &[(VALUES, OLD)]);
    let second = write_as(&stage, NEW, SECOND, BOT, "v2 with its configuration");
    let third = NEW.replace("v2.0.0", "v2.0.1").replace("port: 9090", "port: 9443");
    write_as(&stage, &third, THIRD, BOT, "v2.0.1 with another port");
    fails_since(&stage, DAMAGE);
    is_reverted_to(&stage, &second, OLD);
}
