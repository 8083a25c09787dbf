//! What goes back, end to end: mixed commits by policy, deployments of which a part has moved on, moved files, fields that
//! the configuration names, and the states that a dry run tells of.

use super::stage::{BOT, Config, PERSON, Stage, item, path_of, text, values, words};

/// A stage whose policy says something more.
fn with_policy(more: &str) -> Stage {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.policy = format!("{}, {more}", config.policy);
    stage.configure(&config);
    stage
}

fn more_replicas(text: &str) -> String {
    text.replace("replicas: 3", "replicas: 5")
}

#[test]
fn a_mixed_commit_goes_back_as_a_whole_where_the_policy_says_so() {
    let stage = with_policy("mixed: deployment");
    stage.write(&path_of("web"), &more_replicas(&values("web", "v2")));
    stage.commit(-12, BOT, "Deploy web v2 with more replicas");
    let by_hand = |text: String| text.replace("256Mi", "512Mi");
    stage.write(&path_of("web"), &by_hand(more_replicas(&values("web", "v2"))));
    stage.commit(-3, PERSON, "More memory");
    stage.push();
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), by_hand(values("web", "v1")), "what came later stays");
    stage.nothing_more();
}

#[test]
fn a_mixed_commit_waits_for_a_person_where_the_policy_says_so() {
    let stage = with_policy("mixed: manual");
    stage.write(&path_of("web"), &more_replicas(&values("web", "v2")));
    stage.commit(-12, BOT, "Deploy web v2 with more replicas");
    stage.push();
    let bad = stage.tip();
    let report = stage.pass(4);
    let item = item(&report, "web");
    assert_eq!(words(item), "regressed escalate");
    assert!(text(item, "why").contains("also changed apps/web/values.yaml: replicas"), "{item:#}");
    assert!(text(item, "plan").contains("replicas: changed by the deployment too"), "{item:#}");
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

/// Both fields are the deployment's; one was changed again since.
fn half_moved_on(stage: &Stage) {
    let both = |tag: &str, digest: &str| {
        values("web", tag)
            .replace("replicas", &format!("sidecar: registry.example.com/proxy:{digest}\nreplicas"))
    };
    stage.write(&path_of("web"), &both("v1", "1.0"));
    stage.commit(-100, PERSON, "Add a sidecar");
    stage.write(&path_of("web"), &both("v2", "1.1"));
    stage.commit(-12, BOT, "Deploy web v2");
    stage.write(&path_of("web"), &both("v2", "1.2"));
    stage.commit(-3, PERSON, "A newer sidecar");
    stage.push();
}

#[test]
fn a_deployment_of_which_a_part_has_moved_on_is_left_to_people() {
    let stage = Stage::with("one", &["web"]);
    half_moved_on(&stage);
    let bad = stage.remote(&["rev-parse", "main^"]);
    let (before, run) = (stage.tip(), stage.run(&["revert", &bad]));
    assert_ne!(run.code, Some(0));
    assert!(run.stderr.contains("a part of the deployment has moved on"), "{}", run.stderr);
    assert_eq!(stage.tip(), before);
}

#[test]
fn a_part_goes_back_where_the_policy_allows_it() {
    let stage = with_policy("partial: true");
    half_moved_on(&stage);
    let bad = stage.remote(&["rev-parse", "main^"]);
    stage.run(&["revert", &bad]).ended(3);
    let now = stage.file("main", "web");
    assert!(now.contains("\"v1\"") && now.contains("proxy:1.2"), "{now}");
}

#[test]
fn a_file_that_was_moved_since_is_reverted_where_it_is() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.services = config.services.replace("apps/{service}/values.yaml", "apps/{service}/**");
    stage.configure(&config);
    stage.deploy("web", "v2", -12, BOT);
    stage.git(&["mv", &path_of("web"), "apps/web/production.yaml"]);
    stage.commit(-3, PERSON, "Call it what it is");
    stage.push();
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    let now = stage.remote(&["show", "main:apps/web/production.yaml"]) + "\n";
    assert_eq!(now, values("web", "v1"));
    stage.nothing_more();
}

#[test]
fn fields_that_the_configuration_names_count_and_others_do_not() {
    let stage = with_policy("mixed: fields, fields: {add: [replicas], exclude: [\"image.*\"]}");
    stage.write(&path_of("web"), &more_replicas(&values("web", "v2")));
    stage.commit(-12, BOT, "Deploy web v2 with more replicas");
    stage.push();
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), values("web", "v2"), "the replicas alone went back");
}

#[test]
fn a_dry_run_tells_what_ran_well_before() {
    let stage = Stage::with("one", &["web"]);
    for (tag, minutes) in [("v1.1", -900), ("v1.2", -600), ("v1.3", -300), ("v1.4", -290)] {
        stage.deploy("web", tag, minutes, BOT);
    }
    stage.deploy("web", "v2", -12, BOT);
    let shown = stage.run(&["revert", "web", "--dry-run"]).ended(0).stdout;
    let earlier: Vec<&str> = shown.lines().filter(|line| line.contains("ran well before")).collect();
    assert_eq!(earlier.len(), 3, "v1.3 ran for ten minutes only: {shown}");
    assert!(
        earlier[0].contains("v1.2 ") && earlier[1].contains("v1.1 ") && earlier[2].ends_with("v1"),
        "{shown}"
    );
    let json = stage.run(&["revert", "web", "--dry-run", "--format", "json"]).ended(0).json();
    assert_eq!(json[0]["earlier"][0]["fields"][0][2], "v1.4");
}

#[test]
fn a_file_that_is_no_text_is_named_and_left_to_a_person() {
    let stage = Stage::with("one", &["web"]);
    let path = stage.home.path().join("latin");
    for (tag, minutes) in [("v1", -100), ("v2", -12)] {
        std::fs::write(&path, [format!("tag: {tag} # ").as_bytes(), b"\xe9\n"].concat()).unwrap();
        let blob = stage.git(&["hash-object", "-w", path.to_str().unwrap()]);
        stage.git(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{}", path_of("web"))]);
        stage.dated(minutes, BOT, &["commit", "-q", "-m", tag]);
    }
    stage.push();
    let bad = stage.remote(&["rev-parse", "main"]);
    let run = stage.run(&["revert", &bad, "--dry-run"]).ended(1);
    assert!(
        run.stderr.contains("apps/web/values.yaml: its text, which is neither UTF-8 nor"),
        "{}",
        run.stderr
    );
}
