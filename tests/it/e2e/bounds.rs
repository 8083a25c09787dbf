//! What is in the way of a pass, or more than it works on: named, and left to a person, while everything else goes on.

use std::process::Stdio;

use super::daemon::{ended, terminate};
use super::stage::{BOT, Config, PERSON, Stage, item, items, path_of, text, values, words};
use crate::support::eventually;
use crate::support::proxy::{Proxy, Turn};

/// Reverts of `web` wait on branches; `cart` is fine.
fn proposing() -> Stage {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production: {branch: main, mode: propose}\n".to_owned();
    stage.configure(&config);
    stage.deploy("web", "v2", -12, BOT);
    stage
}

fn problems(report: &serde_json::Value) -> String {
    report["environments"][0]["problems"].to_string()
}

#[test]
fn a_branch_in_the_way_of_proposals_is_named_and_they_are_made_once_it_is_gone() {
    for there in ["backout", "backout/production", "backout/production/web"] {
        let stage = proposing();
        stage.remote(&["branch", there, "main"]);
        // A tag of the same name is in nobody's way.
        stage.remote(&["tag", "backout/production/web"]);
        let before = stage.refs();
        for _ in 0..2 {
            let report = stage.pass(1);
            assert_eq!(words(item(&report, "web")), "regressed wait");
            let told = format!("the branch {there} is in the way of the branch backout/production/web/");
            assert!(problems(&report).contains(&told), "{}", problems(&report));
            assert_eq!(stage.refs(), before, "nothing is said for good");
        }
        let checked = stage.run(&["check"]).ended(1).stdout;
        assert!(checked.contains(&format!("rename the branch {there}, or remove it")), "{checked}");
        stage.remote(&["branch", "-D", there]);
        let report = stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed propose");
        stage.nothing_more();
        assert!(stage.run(&["check"]).ended(0).stdout.contains("production"));
    }
}

#[test]
fn a_branch_in_the_way_of_proposals_is_in_nobody_elses() {
    let stage = Stage::with("one", &["web"]);
    stage.remote(&["branch", "backout", "main"]);
    stage.deploy("web", "v2", -12, BOT);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    stage.nothing_more();
}

#[test]
fn an_environment_on_a_branch_that_is_called_like_a_proposal_is_watched_like_any() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production: {branch: backout/live, mode: auto}\n".to_owned();
    stage.configure(&config);
    stage.git(&["checkout", "-q", "-b", "backout/live"]);
    stage.deploy("web", "v2", -12, BOT);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
    assert_eq!(stage.file("backout/live", "web"), values("web", "v1"));
    stage.nothing_more();
}

/// More bytes than are read of a file.
fn too_much() -> String {
    "# filler\n".repeat((4 << 20) / 9 + 1)
}

#[test]
fn a_file_that_has_grown_past_what_is_read_is_its_services_trouble_alone() {
    let stage = Stage::with("one", &["web", "cart"]);
    stage.deploy("cart", "v2", -13, BOT);
    stage.deploy("web", "v2", -12, BOT);
    stage.write(&path_of("web"), &(values("web", "v2") + &too_much()));
    let grown = stage.commit(-3, PERSON, "Fill a file");
    stage.push();
    let report = stage.pass(4);
    assert_eq!(report["environments"][0]["problems"], serde_json::json!([]));
    let of_web: Vec<_> = items(&report).filter(|item| item["service"] == "web").collect();
    let [bad, growth] = of_web.as_slice() else { panic!("{report:#}") };
    assert_eq!([words(bad), words(growth)], ["regressed escalate", "inconclusive escalate"]);
    assert!(text(bad, "why").contains("has grown past what is read of one"), "{bad:#}");
    assert!(text(growth, "why").contains("apps/web/values.yaml is, or was before, larger than 4 MiB"));
    assert_eq!(growth["deployment"], grown.as_str());
    stage.nothing_more();
}

#[test]
fn more_than_is_compared_of_one_commit_is_left_to_a_person_and_told_once() {
    let stage = Stage::with("one", &["web", "cart"]);
    let filler = "# filler\n".repeat(220_000);
    for part in 0..9 {
        stage.write(&format!("apps/part-{part}/values.yaml"), &(values("part", "v1") + &filler));
    }
    stage.commit(-120, PERSON, "Add large parts");
    for part in 0..9 {
        stage.write(&format!("apps/part-{part}/values.yaml"), &(values("part", "v2") + &filler));
    }
    let beyond = stage.commit(-13, BOT, "Deploy all parts at once");
    stage.push();
    let bad = stage.deploy("web", "v2", -12, BOT);
    // The policy finds every file under its pattern; what was too much is the one commit's trouble.
    let report = stage.pass(4);
    let told = item(&report, "part-0");
    assert_eq!(
        (words(told), told["deployment"].as_str()),
        ("inconclusive escalate".to_owned(), Some(&*beyond))
    );
    assert!(text(told, "why").contains("9 files of services, with 34 MiB"), "{told:#}");
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "1");
    stage.nothing_more();
    let refused = stage.run(&["revert", &beyond]).ended(1).stderr;
    assert!(refused.contains("deploy in smaller commits"), "{refused}");
}

#[test]
fn one_pass_that_is_told_to_end_says_that_it_was_cut_short() {
    let stage = Stage::with("one", &["web"]);
    let proxy = Proxy::start(stage.metrics_url());
    let metrics = ", timeout: 1h".to_owned();
    stage.configure(&Config { metrics_url: Some(proxy.url()), metrics, ..Config::of("one") });
    stage.deploy("web", "v2", -12, BOT);
    proxy.turn(Turn::Hang);
    let mut pass = stage.program(&["run", "--once"]);
    let pass = pass.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(eventually(|| !proxy.requests().is_empty()));
    terminate(&pass);
    let output = ended(pass);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("production not examined\n  cut short: the pass was asked to end"), "{output:?}");
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    proxy.turn(Turn::Forward);
    assert_eq!(words(item(&stage.pass(3), "web")), "regressed revert");
}
