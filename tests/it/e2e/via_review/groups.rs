//! Services of a group through one pull request.

use super::Setting;
use crate::e2e::stage::{BOT, Stage, item, path_of, text, values, words};
use crate::support::forge::{Face, SimForge, TOKEN};
use crate::support::git::notes_refs;

/// A stage with services of a group that one commit has deployed, its forge, and that commit.
fn scene(face: Face, services: &[&str], namespace: &str, environment: &str) -> (Stage, SimForge, String) {
    let mut stage = Stage::on_path();
    stage.begin(services);
    let forge = SimForge::start(face, &stage.bare);
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    let mut config = Setting::environment(environment).config(face, &forge);
    config.services = format!(
        "  - {{pattern: \"apps/{{service}}/values.yaml\", labels: {{namespace: {namespace}}}, group: shop}}\n"
    );
    stage.configure(&config);
    for service in services {
        stage.write(&path_of(service), &values(service, "v2"));
    }
    let bad = stage.commit(-12, BOT, "Deploy the shop v2");
    stage.push();
    (stage, forge, bad)
}

#[test]
fn one_pull_request_takes_all_of_a_group_back() {
    let services = ["calm-1", "calm-2", "web"];
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        let (stage, forge, bad) = scene(face, &services, "one", "mode: auto, delivery: pull-request");
        let report = stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed revert", "{face:?}: {report:#}");
        let pull = forge.state().pulls[0].clone();
        assert_eq!(forge.state().pulls.len(), 1);
        assert_eq!(pull.branch, format!("backout/production/web/{}", &bad[..10]));
        assert!(pull.title.starts_with("Revert web and 2 more of shop in production"), "{}", pull.title);
        assert!(pull.body.contains("### Services that go back with it"), "{}", pull.body);
        assert!(pull.body.contains("| `calm-1` | `v2` | `v1` | not bad |"), "{}", pull.body);
        assert_eq!(stage.tip(), bad);
        stage.nothing_more();
        forge.state().check(pull.number, "success");
        let report = stage.pass(3);
        assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "merged", "{face:?}: {report:#}");
        for service in services {
            assert_eq!(stage.file("main", service), values(service, "v1"), "{face:?}: {service}");
        }
        assert_eq!(forge.state().merges, 1);
        // What is known of the others by now is written down once.
        stage.pass(0);
        stage.nothing_more();
    }
}

/// Each of three is bad: one pull request, which a person has to accept, and the others point to it.
#[test]
fn several_that_are_bad_have_one_pull_request() {
    let services = ["api", "jobs", "web"];
    let (stage, forge, bad) = scene(Face::GitHub, &services, "trio", "mode: propose");
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "api")), "regressed propose", "{report:#}");
    for other in ["jobs", "web"] {
        assert_eq!(text(item(&report, other), "why"), "it goes back with api, of the same group shop");
    }
    assert_eq!(forge.state().pulls.len(), 1, "{:?}", forge.state().pulls);
    assert_eq!(forge.state().pulls[0].branch, format!("backout/production/api/{}", &bad[..10]));
    stage.nothing_more();
    // Without the notes the next agent finds the same pull request.
    for notes in notes_refs(&stage.bare) {
        stage.remote(&["update-ref", "-d", &notes]);
    }
    stage.pass(3);
    assert_eq!(forge.state().pulls.len(), 1, "{:?}", forge.state().pulls);
    stage.nothing_more();
    assert_eq!(stage.tip(), bad);
}
