//! Going further back, by branches, pull requests and several agents.

use super::fallback::*;
use super::*;

#[test]
fn by_branches_that_a_person_squashes() {
    let environments = "{production: {branch: main, mode: auto, delivery: branch}}";
    let stage = at_v1(&Rules { environments, policy: TWICE, ..rules() });
    let second = release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed propose");
    stage.nothing_more();
    let branch = |bad: &str| format!("backout/production/checkout/{}", short(bad));
    // Squash
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
    assert_eq!(said(&report, &second), "regressed propose", "{report:#}");
    stage.nothing_more();
    squash(&second, -1);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    stage.nothing_more();
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
        program
            .current_dir(stage.home.path())
            .env("HOME", stage.home.path())
            .stdout(std::process::Stdio::null());
        children.push(program.spawn().unwrap());
    }
    let codes: Vec<_> = children.into_iter().map(|mut child| child.wait().unwrap().code()).collect();
    assert!(codes.contains(&Some(3)), "{codes:?}");
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

#[test]
fn a_person_who_closes_the_pull_request_of_a_step_is_heard_once() {
    let (stage, forge, second) = by_pull_requests(-150);
    did_not_help(&stage);
    assert_eq!(said(&stage.pass(3), &second), "regressed revert");
    let number = forge.state().pulls[1].number;
    {
        let mut state = forge.state();
        let pull = state.pulls.iter_mut().find(|pull| pull.number == number).unwrap();
        pull.open = false;
        pull.closed_by = Some("dana".to_owned());
    }
    let report = stage.pass(0);
    assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "declined", "{report:#}");
    stage.nothing_more();
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

#[test]
fn a_deployment_while_the_pull_request_of_a_step_waits_ends_it() {
    let (stage, forge, second) = by_pull_requests(-150);
    did_not_help(&stage);
    assert_eq!(said(&stage.pass(3), &second), "regressed revert");
    stage.git(&["pull", "-q", "--ff-only", stage.bare.to_str().unwrap(), "main"]);
    release_by(&stage, "v4", -1, PERSON);
    let report = stage.pass(0);
    assert_eq!(report["environments"][0]["reviews"][0]["outcome"], "superseded", "{report:#}");
    let pull = forge.state().pulls[1].clone();
    assert!(!pull.open && !pull.merged, "{pull:?}");
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v4"));
}

#[test]
fn agents_without_a_memory_do_the_same() {
    let (stage, second) = in_vain(TWICE);
    let forget = || {
        for entry in std::fs::read_dir(stage.home.path()).unwrap().flatten() {
            if entry.file_name().to_string_lossy().starts_with("cache") {
                let path = entry.path();
                if path.is_dir() {
                    std::fs::remove_dir_all(path).unwrap()
                } else {
                    std::fs::remove_file(path).unwrap()
                }
            }
        }
    };
    forget();
    let plan = stage.plan(0);
    assert_eq!(said(&plan, &second), "regressed revert", "{plan:#}");
    forget();
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed revert", "{report:#}");
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
    for _ in 0..2 {
        forget();
        stage.nothing_more();
    }
    stage.backdate(-17);
    forget();
    did_not_help(&stage);
    for _ in 0..2 {
        forget();
        stage.nothing_more();
    }
}

/// Has the agent remember that it has seen the branch at these commits, from one minute to another.
fn remember(stage: &Stage, looks: &[(&str, i64, i64)]) {
    let cache = std::fs::read_dir(stage.home.path().join("cache")).unwrap();
    let mut found = cache.map(|entry| entry.unwrap().path());
    let file = found.find(|path| path.to_string_lossy().ends_with(".seen")).unwrap();
    let at = |minute: i64| stage.now() + 60 * minute;
    let line =
        |(tip, first, last): &(&str, i64, i64)| format!("seen {tip} {} {} main\n", at(*first), at(*last));
    std::fs::write(file, looks.iter().map(line).collect::<String>()).unwrap();
}

/// The agent only proposed the first revert, as the damage may have begun before the deployment landed. So it proposes the next.
#[test]
fn where_the_first_revert_was_in_doubt_the_next_one_is_proposed() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -150);
    stage.run(&["run", "--once"]);
    stage.forget_looks();
    stage.pass(0);
    let third = {
        stage.write(VALUES, &app("v3"));
        let commit = stage.commit(BAD, BOT, "Deploy v3");
        stage.land();
        commit
    };
    fails_since(&stage, BAD + 1);
    remember(&stage, &[(&second, -120, -70), (&third, -30, -29)]);
    let report = stage.pass(3);
    assert_eq!(said(&report, &third), "regressed propose", "{report:#}");
    // A person merges it.
    let branch = format!("backout/production/checkout/{}", short(&third));
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
    stage.dated(-28, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge it", "FETCH_HEAD"]);
    stage.land();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    let tip = stage.tip();
    let looks = [(second.as_str(), -120, -70), (third.as_str(), -30, -29), (tip.as_str(), -28, -27)];
    remember(&stage, &looks);
    did_not_help(&stage);
    let report = stage.pass(3);
    assert_eq!(said(&report, &second), "regressed propose", "{report:#}");
    assert_eq!(stage.tip(), tip);
    let branch = format!("backout/production/checkout/{}", short(&second));
    let message = stage.remote(&["log", "-1", "--format=%B", &branch]);
    assert!(message.contains("For a person to look at: "), "{message}");
    stage.nothing_more();
}

#[test]
fn where_a_person_asked_for_the_revert_nothing_goes_further_back() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    stage.run(&["revert", &third]).ended(3);
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
    stage.backdate(-28);
    did_not_help(&stage);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

/// The deployment and its revert are of the same second.
#[test]
fn what_was_reverted_at_once_makes_no_trouble() {
    let stage = at_v1(&Rules { policy: ONCE, ..rules() });
    let second = release(&stage, "v2", -20);
    fails_since(&stage, -19);
    stage.run(&["revert", &second]).ended(3);
    stage.backdate(-20);
    stage.pass(4);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v1"));
}

/// Whoever may push notes writes that the revert did not help, and that it was told already: the metrics say otherwise.
#[test]
fn a_record_alone_makes_nobody_go_further_back() {
    let stage = at_v1(&Rules { policy: TWICE, ..rules() });
    release(&stage, "v2", -150);
    let third = release(&stage, "v3", BAD);
    fails_since(&stage, BAD + 1);
    assert_eq!(said(&stage.pass(3), &third), "regressed revert");
    let revert = stage.backdate(-28);
    errors(&stage, &[("checkout", &[(BAD + 1, -28)]), ("search", &[])]);
    let note = stage.note(&third);
    let id = serde_json::from_str::<Value>(&note[0]).unwrap()["id"].as_str().unwrap().to_owned();
    let at = backout::domain::time::Time::from_unix(stage.now() - 600);
    let line = format!(
        "{{\"kind\":\"recovery\",\"version\":1,\"id\":\"{id}\",\"environment\":\"production\",\"service\":\"checkout\",\
         \"deployment\":\"{third}\",\"revert\":\"{revert}\",\"at\":\"{at}\",\"outcome\":\"not-recovered\",\"reason\":\"r\"}}"
    );
    stage.remote(&["notes", "--ref", "refs/notes/backout", "append", "-m", &line, &third]);
    stage.nothing_more();
    assert_eq!(file(&stage, VALUES).unwrap(), app("v2"));
}

const CLUSTERS: &str = r#"[{pattern: "clusters/{cluster}/{service}.yaml"}]"#;

#[test]
fn each_cluster_goes_back_for_itself() {
    let rules = Rules { policy: ONCE, ..Rules::of_clusters(CLUSTERS) };
    let paths = ["clusters/eu/checkout.yaml", "clusters/us/checkout.yaml"];
    let at = |version: &str| app(version);
    let both = |version: &str, stage: &Stage, minutes: i64| {
        crate::e2e::table::deploy(stage, &[(paths[0], &at(version)), (paths[1], &at(version))], minutes)
    };
    let stage = stage(&rules, &[(paths[0], &at("v1")), (paths[1], &at("v1"))]);
    let second = both("v2", &stage, -150);
    let third = both("v3", &stage, BAD);
    errors(&stage, &[("eu-checkout", &[(BAD + 1, 99)]), ("us-checkout", &[])]);
    let report = stage.pass(3);
    let of_third = items(&report).filter(|item| item["deployment"] == third.as_str());
    assert_eq!(of_third.map(words).collect::<Vec<_>>(), ["regressed revert", "healthy wait"], "{report:#}");
    stage.backdate(-28);
    did_not_help(&stage);
    let report = stage.pass(3);
    let back = items(&report).filter(|item| item["deployment"] == second.as_str());
    assert_eq!(back.map(words).collect::<Vec<_>>(), ["regressed revert"], "{report:#}");
    assert_eq!(file(&stage, paths[0]).unwrap(), at("v1"));
    assert_eq!(file(&stage, paths[1]).unwrap(), at("v3"));
    stage.nothing_more();
}
