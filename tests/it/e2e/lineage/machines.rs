//! Who is a machine, where a bad version comes back.

use super::*;

const SLOW: &str = "settle: 60s, watch: 1h, baseline: 15m";
/// Under this name a pipeline of the house commits.
const TRAIN: &str = "Release Train";

/// The agent has reverted v2 half an hour ago, and somebody puts it back.
fn put_back_by(who: &str, more: &str) -> (Stage, String) {
    let rules = Rules { policy: SLOW, more, ..rules() };
    let stage = at_v1(&rules);
    release(&stage, "v2", -41);
    errors(&stage, &[("checkout", &[(-40, -30), (-11, 99)]), ("search", &[])]);
    stage.pass(3);
    stage.backdate(-29);
    let again = release_by(&stage, "v2", -12, who);
    (stage, again)
}

#[test]
fn who_is_not_known_as_a_machine_means_it() {
    let (stage, again) = put_back_by(TRAIN, "");
    is_proposed(&stage, &again);
}

#[test]
fn the_configuration_names_machines() {
    for more in [
        "automation: [Release Train]\n",
        "automation: [\"release train\"]\n",
        "automation: [Somebody Else, someone@example.com]\n",
    ] {
        let (stage, again) = put_back_by(TRAIN, more);
        is_reverted_to(&stage, &again, &app("v1"));
    }
}

#[test]
fn a_part_of_a_name_is_no_name() {
    for more in ["automation: [Train]\n", "automation: [example.com]\n", "automation: [Release Train Two]\n"]
    {
        let (stage, again) = put_back_by(TRAIN, more);
        is_proposed(&stage, &again);
    }
}

#[test]
fn the_accounts_of_delivery_tools_are_known() {
    for who in ["Kargo", "Harness", "GitHub Actions", "gitlab-ci", "Jenkins", "argocd-image-updater"] {
        let (stage, again) = put_back_by(who, "");
        is_reverted_to(&stage, &again, &app("v1"));
    }
}

#[test]
fn a_list_that_is_none_is_refused() {
    let stage = at_v1(&Rules { more: "automation: Release Train\n", ..rules() });
    let refused = stage.run(&["check"]).ended(1);
    assert!(format!("{}{}", refused.stdout, refused.stderr).contains("automation"), "{refused:?}");
}
