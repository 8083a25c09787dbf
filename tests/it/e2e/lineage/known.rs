//! The agent knows its own reverts again, whatever the deployment had changed.

use super::*;

const DIGEST: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// A bad deployment goes back, and what took it back is no deployment of its own.
#[track_caller]
fn is_known_again(policy: &str, (old, new): (&str, &str), values: &[&str]) {
    let stage = stage(&Rules { policy, ..rules() }, &[(VALUES, old)]);
    let bad = write_as(&stage, new, -12, BOT, "Deploy it");
    fails_since(&stage, -11);
    is_reverted_to(&stage, &bad, old);
    let says = message(&stage);
    assert!(values.iter().all(|value| says.contains(&format!("\nBackout-From: {value}\n"))), "{says}");
    let next = stage.nothing_more();
    assert_eq!(items(&next).count(), 0, "{next:#}");
    assert_eq!(stage.run(&["history", "--format", "json"]).ended(0).json().as_array().unwrap().len(), 1);
}

#[test]
fn where_a_digest_came_beside_the_tag() {
    let old = app("v1");
    let new = app("v2").replace("  tag: v2\n", &format!("  tag: v2\n  digest: {DIGEST}\n"));
    is_known_again(POLICY, (&old, &new), &["v2", DIGEST]);
}

#[test]
fn where_only_a_field_of_the_configuration_changed() {
    let text = |flag: &str| format!("{}featureX: {flag}\n", app("v1"));
    let policy = format!("{POLICY}, fields: {{add: [featureX]}}");
    is_known_again(&policy, (&text("off1"), &text("on2")), &["on2"]);
}

#[test]
fn where_a_forge_ends_the_lines_of_messages_as_web_forms_do() {
    let stage = at_v1(&rules());
    let bad = release(&stage, "v2", -12);
    fails_since(&stage, -11);
    is_reverted_to(&stage, &bad, &app("v1"));
    let (says, tip) = (message(&stage).replace('\n', "\r\n"), stage.tip());
    stage.remote(&["update-ref", "refs/heads/main", &format!("{tip}^")]);
    write_as(&stage, &app("v1"), 0, PERSON, &says);
    let next = stage.pass(0);
    assert_eq!(items(&next).count(), 0, "{next:#}");
}
