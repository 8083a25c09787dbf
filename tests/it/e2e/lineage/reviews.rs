//! Reverts of more than one deployment through pull requests.

use super::*;
use crate::e2e::table::{Files, deploy, paths};
use crate::support::forge::{Face, REPOSITORY, SimForge, TOKEN};

/// These files since three hours, on a forge whose pull requests the agent merges in mode `auto`.
fn on_forge(mode: &str, files: Files<'_>) -> (Stage, SimForge) {
    let environments = format!("{{production: {{branch: main, mode: {mode}, delivery: pull-request}}}}");
    let mut stage = stage(&rules(), files);
    let forge = SimForge::start(Face::GitHub, &stage.bare);
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    let more = format!(
        "forge: {{kind: github, url: \"{}\", repository: {REPOSITORY}, auth: {{kind: token, token: {{env: FORGE_TOKEN}}}}}}\n",
        forge.url()
    );
    configure(&stage, &Rules { environments: &environments, more: &more, ..rules() });
    (stage, forge)
}

/// v1, v2 and v3, failing since v2.
fn stacked(mode: &str) -> (Stage, SimForge, String, String) {
    let (stage, forge) = on_forge(mode, &[(VALUES, &app("v1"))]);
    let second = release(&stage, "v2", SECOND);
    let third = release(&stage, "v3", THIRD);
    fails_since(&stage, DAMAGE);
    (stage, forge, second, third)
}

/// The pull request says what of the later deployment is lost.
#[track_caller]
fn tells_what_is_lost(forge: &SimForge, third: &str) {
    let state = forge.state();
    assert_eq!(state.pulls.len(), 1, "{:?}", state.pulls);
    let body = &state.pulls[0].body;
    assert!(body.contains(short(third)) && body.contains("v2 → v3"), "{body}");
}

#[test]
fn the_pull_request_says_what_is_lost_and_merges_when_it_may() {
    for way in ["merge", "squash", "rebase"] {
        let (stage, forge, second, third) = stacked("auto");
        forge.state().rules.ways = vec![way.to_owned()];
        let report = stage.pass(3);
        assert_eq!(said(&report, &second), "regressed revert", "{report:#}");
        assert_eq!(said(&report, &third), "preexisting hold", "{report:#}");
        tells_what_is_lost(&forge, &third);
        assert_eq!(stage.tip(), third);
        stage.nothing_more();
        forge.state().check(1, "success");
        let report = stage.pass(3);
        assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "merged", "{way}: {report:#}");
        assert_eq!(file(&stage, VALUES).unwrap(), app("v1"), "{way}");
        stage.nothing_more();
        assert_eq!(forge.state().merges, 1);
    }
}

#[test]
fn a_recommendation_says_it_too_and_a_person_merges_it() {
    let (stage, forge, second, third) = stacked("propose");
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed propose", "{report:#}");
    tells_what_is_lost(&forge, &third);
    forge.state().check(1, "success");
    stage.nothing_more();
    assert_eq!(stage.tip(), third);
    forge.state().merge(1, "merge", "Merge pull request #1 from shop/backout", "Yes").unwrap();
    let report = stage.pass(3);
    assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "merged", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    stage.nothing_more();
}

/// While the pull request waits, the bot goes on.
#[test]
fn a_next_version_while_it_waits_is_not_hit_by_the_merge() {
    let (stage, forge, second, _) = stacked("auto");
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed revert", "{report:#}");
    let fourth = release(&stage, "v4", -2);
    stage.pass(0);
    assert!(!forge.state().pulls[0].open, "what it would take back runs no more");
    assert_eq!(forge.state().merges, 0);
    assert_eq!(stage.tip(), fourth);
    stage.nothing_more();
}

/// A person edits another line of the file while the pull request waits.
#[test]
fn an_edit_while_it_waits_stays() {
    let (stage, forge, _, third) = stacked("auto");
    stage.pass(3);
    let edited = |version: &str| app(version).replace("port: 8080", "port: 9090");
    write_as(&stage, &edited("v3"), -2, PERSON, "Another port");
    stage.pass(0);
    tells_what_is_lost(&forge, &third);
    forge.state().check(1, "success");
    stage.pass(3);
    assert_eq!(file(&stage, VALUES).unwrap(), edited("v1"));
    assert_eq!(forge.state().merges, 1);
    stage.nothing_more();
}

/// A person merges it, and the forge removes its branch: the message of the merge is all that is left.
#[test]
fn a_merge_whose_branch_is_gone_is_known_too() {
    for way in ["merge", "squash", "rebase"] {
        let (stage, forge, second, _) = stacked("propose");
        stage.pass(3);
        forge.state().check(1, "success");
        let text = if way == "squash" { message_of(&stage, &second) } else { "Yes".to_owned() };
        forge.state().merge(1, way, "Revert checkout (#1)", &text).unwrap();
        stage.remote(&["branch", "-D", &branch_of(&second)]);
        let report = stage.pass(3);
        assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "merged", "{way}: {report:#}");
        assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
        stage.nothing_more();
    }
}

fn branch_of(bad: &str) -> String {
    format!("backout/production/checkout/{}", short(bad))
}

/// What the agent wrote on the branch of its proposal.
fn message_of(stage: &Stage, bad: &str) -> String {
    stage.remote(&["log", "-1", "--format=%B", &branch_of(bad)])
}

#[test]
fn closing_it_is_a_no_to_all_of_it() {
    let (stage, forge, second, third) = stacked("auto");
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed revert", "{report:#}");
    {
        let mut state = forge.state();
        let pull = &mut state.pulls[0];
        (pull.open, pull.auto, pull.closed_by) = (false, None, Some("dana".to_owned()));
    }
    let report = stage.pass(0);
    assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "declined", "{report:#}");
    assert_eq!(stage.tip(), third);
    assert_eq!(forge.state().pulls.len(), 1);
    stage.nothing_more();
}

/// The version is in the names of the files.
#[test]
fn files_that_were_replaced_come_back_by_a_pull_request() {
    let place = |version: &str| format!("apps/checkout/checkout-{version}.yaml");
    let manifest = |version: &str| {
        format!("kind: Deployment\nspec:\n  image: r.example/checkout:{version}\n  replicas: 2\n")
    };
    let (stage, forge) = on_forge("auto", &[(&place("1.0.0"), &manifest("1.0.0"))]);
    stage.git(&["rm", "-q", &place("1.0.0")]);
    deploy(&stage, &[(&place("1.1.0"), &manifest("1.1.0"))], SECOND);
    stage.git(&["rm", "-q", &place("1.1.0")]);
    deploy(&stage, &[(&place("1.2.0"), &manifest("1.2.0"))], THIRD);
    fails_since(&stage, DAMAGE);
    stage.pass(3);
    stage.nothing_more();
    forge.state().check(1, "success");
    let report = stage.pass(3);
    assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "merged", "{report:#}");
    assert_eq!(paths(&stage), place("1.0.0"));
    stage.nothing_more();
}
