//! Going further back, in worlds where something else happens too.

use super::fallback::*;
use super::*;

#[test]
fn what_began_after_the_revert_had_helped_is_no_reason_to_go_back() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    errors(&stage, &[("checkout", &[(BAD + 1, -26), (-19, 99)]), ("search", &[])]);
    stage.pass(4);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

/// The rollout of the revert takes longer than the signal's limit allows.
#[test]
fn what_came_back_late_is_no_reason_to_go_back() {
    for (kind, until) in [("error-ratio, above: 5%, for: 1m", -24), ("error-ratio", -12)] {
        let stage = at_v1(&Rules { policy: ONCE, ..rules() });
        let file_of = stage.home.path().join("backout.yaml");
        let config = std::fs::read_to_string(&file_of).unwrap();
        std::fs::write(&file_of, config.replace("kind: error-ratio", &format!("kind: {kind}"))).unwrap();
        release(&stage, "v2", -150);
        let third = release(&stage, "v3", BAD);
        fails_since(&stage, BAD + 1);
        assert_eq!(said(&stage.pass(3), &third), "regressed revert");
        stage.backdate(-28);
        errors(&stage, &[("checkout", &[(BAD + 1, until)]), ("search", &[])]);
        stage.pass(4);
        stage.nothing_more();
        assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    }
}

#[test]
fn what_everybody_has_since_the_revert_is_no_reason_to_go_back() {
    let others = ["cart", "mail", "search", "stock"];
    let paths = others.map(|name| format!("apps/{name}/values.yaml"));
    let mut files: Vec<(&str, String)> = vec![(VALUES, app("v1"))];
    files.extend(paths.iter().map(|path| (path.as_str(), app("v1"))));
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    let stage = stage(&Rules { policy: ONCE, ..rules() }, &files);
    release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    let fail = |begin: i64| {
        let own: &[(i64, i64)] = &[(BAD + 1, 99)];
        let all: &[(i64, i64)] = &[(begin, 99)];
        errors(&stage, &[("checkout", own), ("cart", all), ("mail", all), ("search", all), ("stock", all)]);
    };
    fail(100);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    fail(-28);
    stage.pass(4);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

#[test]
fn a_service_that_is_found_twice_since_is_left_alone() {
    let (stage, _) = in_vain(ONCE);
    configure(
        &stage,
        &Rules {
            policy: ONCE,
            services: r#"[{pattern: "apps/{service}/**"}, {pattern: "more/{service}/**"}]"#,
            ..rules()
        },
    );
    stage.write("more/checkout/values.yaml", &app("v9"));
    stage.commit(-2, PERSON, "More");
    stage.push();
    let tip = stage.tip();
    let report = stage.run(&["run", "--once", "--format", "json"]);
    println!("{:?} {}", report.code, report.stdout);
    assert_eq!(stage.tip(), tip);
}

#[test]
fn what_was_told_of_it_before_does_not_hide_what_is_told_now() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -150);
    stage.pass(4);
    stage.forget_looks();
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    did_not_help(&stage);
    configure(
        &stage,
        &Rules {
            environments: "{production: {branch: main, mode: auto, budget: {max_reverts: 1, window: 1h}}}",
            policy: ONCE,
            ..rules()
        },
    );
    is_left_to_a_person(&stage, &second, &["the budget of 1 revert"]);
}

#[test]
fn by_branches_that_a_person_squashes() {
    let environments = "{production: {branch: main, mode: auto, delivery: branch}}";
    let stage = at_v1(&Rules { environments, policy: TWICE, ..rules() });
    let second = release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    stage.pass(3);
    stage.nothing_more();
    let branch = |bad: &str| format!("backout/production/checkout/{}", short(bad));
    let squash = |bad: &str, minutes: i64| {
        let message = stage.remote(&["log", "-1", "--format=%B", &branch(bad)]);
        stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch(bad)]);
        stage.git(&["merge", "-q", "--squash", "FETCH_HEAD"]);
        let squashed = stage.commit(minutes, PERSON, &format!("Squashed (#12)\n\n* {message}"));
        stage.push();
        squashed
    };
    squash(&third, -28);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    did_not_help(&stage);
    let report = stage.pass(3);
    assert!(["regressed revert", "regressed propose"].contains(&said(&report, &second).as_str()));
    stage.nothing_more();
    squash(&second, -1);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    stage.nothing_more();
}

#[test]
fn two_stacked_and_then_one_more() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    release(&stage, "v4", BAD + 8);
    fails_since(&stage, BAD + 1);
    let report = stage.pass(3);
    assert_eq!(said(&report, &third), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.nothing_more();
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn a_state_that_a_person_went_back_to() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    release(&stage, "v2", -170);
    release(&stage, "v2x", -120);
    let back = release_by(&stage, "v2", -100, PERSON);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    let report = stage.pass(3);
    assert_eq!(said(&report, &third), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-28);
    did_not_help(&stage);
    is_left_to_a_person(&stage, &back, &["rollback"]);
}

#[test]
fn mixed_commits_go_back_step_by_step() {
    let text = |version: &str, port: u32, env: &str| {
        format!(
            "image:\n  repository: r.example/checkout\n  tag: {version}\nport: {port}\nenv: {env}\na: 1\nb: 2\nteam: x\n"
        )
    };
    let stage = stage(&Rules { policy: ONCE, ..rules() }, &[(VALUES, &text("v1", 80, "a"))]);
    let second = write_as(&stage, &text("v2", 81, "b"), -150, BOT, "v2");
    write_as(&stage, &text("v2", 81, "b").replace("team: x", "team: y"), -140, PERSON, "team");
    let third = write_as(&stage, &text("v3", 82, "c").replace("team: x", "team: y"), BAD, BOT, "v3");
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.backdate(-28);
    did_not_help(&stage);
    is_reverted_to(&stage, &second, &text("v1", 80, "a").replace("team: x", "team: y"));
}

#[test]
fn observed_and_then_auto() {
    let (stage, second) = in_vain(ONCE);
    let observing =
        Rules { environments: "{production: {branch: main, mode: observe}}", policy: ONCE, ..rules() };
    configure(&stage, &observing);
    is_left_alone(&stage, &second, "regressed hold");
    configure(&stage, &Rules { policy: ONCE, ..rules() });
    is_reverted_to(&stage, &second, &app("v1"));
}

#[test]
fn two_agents_at_once() {
    let (stage, _) = in_vain(ONCE);
    let config = std::fs::read_to_string(stage.home.path().join("backout.yaml")).unwrap();
    let other = stage.home.path().join("other.yaml");
    std::fs::write(&other, config.replace("cache: cache", "cache: cache2")).unwrap();
    let tip = stage.tip();
    let mut children = Vec::new();
    for name in ["backout.yaml", "other.yaml", "backout.yaml", "other.yaml"] {
        let mut program = crate::support::command(env!("CARGO_BIN_EXE_backout"));
        program.args(["run", "--once", "--config"]).arg(stage.home.path().join(name));
        program.current_dir(stage.home.path()).env("HOME", stage.home.path());
        children.push(program.spawn().unwrap());
    }
    for mut child in children {
        println!("{:?}", child.wait().unwrap().code());
    }
    assert_eq!(commits_since(&stage, &tip), "1");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    stage.nothing_more();
}

/// Reverts go by pull requests that wait for a check.
fn by_pull_requests(second_at: i64) -> (Stage, crate::support::forge::SimForge, String) {
    use crate::support::forge::{Face, REPOSITORY, SimForge, TOKEN};
    let mut stage = Stage::on_path().starting_now();
    let forge = SimForge::start(Face::GitHub, &stage.bare);
    forge.state().rules.auto_merge = false;
    stage.variables.push(("FORGE_TOKEN".to_owned(), TOKEN.to_owned()));
    let more = format!(
        "forge: {{kind: github, url: {}, repository: {REPOSITORY}, auth: {{kind: token, token: {{env: FORGE_TOKEN}}}}}}",
        forge.url()
    );
    let environments = "{production: {branch: main, mode: auto, delivery: pull-request}}";
    configure(&stage, &Rules { environments, policy: TWICE, more: &more, ..rules() });
    write_as(&stage, &app("v1"), second_at - 600, PERSON, "Begin");
    let second = release(&stage, "v2", second_at);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    stage.nothing_more();
    let number = forge.state().pulls[0].number;
    forge.state().check(number, "success");
    stage.pass(3);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-28);
    (stage, forge, second)
}

#[test]
fn a_pull_request_for_an_old_state_is_followed_to_its_end() {
    for second_at in [-150, -1_440 * 20] {
        let (stage, forge, second) = by_pull_requests(second_at);
        did_not_help(&stage);
        let report = stage.pass(3);
        assert_eq!(said(&report, &second), "regressed revert", "{report:#}");
        stage.nothing_more();
        stage.nothing_more();
        let number = forge.state().pulls[1].number;
        forge.state().check(number, "success");
        stage.pass(3);
        assert_eq!(file(&stage, VALUES).unwrap(), app("v1"), "{second_at}");
        stage.nothing_more();
        assert!(!stage.refs().contains("refs/heads/backout/"), "{}", stage.refs());
    }
}
