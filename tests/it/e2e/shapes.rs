//! Repos as people really keep them: several environments, commits of several services, merges, lists that move.

use super::stage::{BOT, Config, PERSON, Stage, item, items, path_of, text, values, words};

/// The names of the files that the last commit of a branch changed.
fn touched(stage: &Stage, branch: &str) -> String {
    stage.remote(&["diff", "--name-only", &format!("{branch}^"), branch])
}

/// Two environments: the metrics of production are bad, those of staging fine.
fn two_environments(environments: &str, pattern: &str) -> Config {
    let mut config = Config::of("one");
    config.environments = environments.to_owned();
    config.services = format!(
        "  - {{pattern: \"{pattern}\", environments: [production], labels: {{namespace: one}}}}
  - {{pattern: \"{pattern}\", environments: [staging], labels: {{namespace: fine}}}}\n"
    );
    config
}

#[test]
fn of_two_environments_on_one_branch_only_the_bad_one_goes_back() {
    let stage = Stage::on_path();
    stage.configure(&two_environments(
        "  production: {branch: main, paths: [\"apps/*/production/**\"], mode: auto}
  staging: {branch: main, paths: [\"apps/*/staging/**\"], mode: auto}\n",
        "apps/{service}/{environment}/values.yaml",
    ));
    let path = |environment: &str| format!("apps/web/{environment}/values.yaml");
    for (tag, minutes) in [("v1", -180), ("v2", -12)] {
        stage.write(&path("production"), &values("web", tag));
        stage.write(&path("staging"), &values("web", tag));
        stage.commit(minutes, BOT, &format!("Deploy web {tag} everywhere"));
    }
    stage.push();
    let report = stage.pass(3);
    let found: Vec<String> = items(&report).map(words).collect();
    assert_eq!(found, ["regressed revert", "pending wait"]);
    assert_eq!(touched(&stage, "main"), path("production"));
    let message = stage.remote(&["log", "-1", "--format=%s", "main"]);
    assert_eq!(message, "Revert web in production: v2 → v1");
    stage.nothing_more();
}

#[test]
fn of_two_branches_only_the_bad_one_goes_back() {
    let stage = Stage::with("one", &["web"]);
    stage.configure(&two_environments(
        "  production: {branch: main, mode: auto}\n  staging: {branch: env/staging, mode: auto}\n",
        "apps/{service}/values.yaml",
    ));
    stage.deploy("web", "v2", -12, BOT);
    stage.git(&["branch", "env/staging"]);
    stage.git(&["push", "-q", stage.bare.to_str().unwrap(), "env/staging"]);
    let before = stage.remote(&["rev-parse", "env/staging"]);
    let report = stage.pass(3);
    let found: Vec<String> = items(&report).map(words).collect();
    assert_eq!(found, ["regressed revert", "pending wait"]);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    assert_eq!(stage.remote(&["rev-parse", "env/staging"]), before);
    stage.nothing_more();
}

/// One commit that deploys `api` and `web`.
fn deployed_together(namespace: &str) -> Stage {
    let stage = Stage::with(namespace, &["api", "web"]);
    for service in ["api", "web"] {
        stage.write(&path_of(service), &values(service, "v2"));
    }
    stage.commit(-12, BOT, "Deploy api and web v2");
    stage.push();
    stage
}

#[test]
fn a_commit_of_two_services_goes_back_for_the_bad_one_alone() {
    let stage = deployed_together("half");
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "api")), "pending wait");
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(touched(&stage, "main"), path_of("web"));
    stage.nothing_more();
}

/// Nobody can tell whose doing it is: a person is told at once, with the names, and nothing is backed out.
#[test]
fn a_commit_of_two_services_that_both_get_worse_is_left_to_a_person() {
    let stage = deployed_together("trio");
    let bad = stage.tip();
    let report = stage.pass(4);
    for (service, other) in [("api", "web"), ("web", "api")] {
        let why = text(item(&report, service), "why").to_owned();
        assert_eq!(words(item(&report, service)), "inconclusive escalate", "{why}");
        assert!(why.contains(&format!("it may be the doing of {other}")), "{why}");
    }
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

/// The configuration says that it names every dependency, and none connects the two: each is judged for itself.
#[test]
fn services_that_no_dependency_connects_go_back_each_for_itself() {
    let stage = deployed_together("trio");
    let path = stage.home.path().join("backout.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    let partial = "{branch: main, mode: auto}";
    assert!(config.contains(partial), "{config}");
    let complete = "{branch: main, mode: auto, dependencies: complete}";
    std::fs::write(&path, config.replace(partial, complete)).unwrap();
    let report = stage.pass(3);
    for service in ["api", "web"] {
        assert_eq!(words(item(&report, service)), "regressed revert", "{report:#}");
    }
    stage.nothing_more();
}

/// What the one did before the other was deployed, it did without harm to it: both are bad, and both go back.
#[test]
fn two_bad_deployments_one_after_the_other_go_back_in_two_commits() {
    let stage = Stage::with("pair", &["api", "web"]);
    let first = stage.tip();
    stage.deploy("api", "v2", -18, BOT);
    stage.deploy("web", "v2", -12, BOT);
    let bad = stage.tip();
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "api")), "regressed revert");
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "2");
    let mut both = [touched(&stage, "main"), touched(&stage, "main^")];
    both.sort();
    assert_eq!(both, [path_of("api"), path_of("web")]);
    assert_eq!(stage.remote(&["diff", &first, "main"]), "", "all of it is as it was before");
    assert_eq!(stage.history().len(), 2);
    stage.nothing_more();
}

#[test]
fn of_a_mixed_commit_only_the_tag_goes_back_where_the_policy_says_so_and_the_rest_is_named() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.policy = format!("{}, mixed: fields", config.policy);
    stage.configure(&config);
    let more = |text: String| text.replace("replicas: 3", "replicas: 5");
    stage.write(&path_of("web"), &more(values("web", "v2")));
    stage.commit(-12, BOT, "Deploy web v2 with more replicas");
    stage.push();
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), more(values("web", "v1")));
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("which stays as it is:\n\n- apps/web/values.yaml: replicas\n"), "{message}");
}

#[test]
fn a_merge_is_one_deployment_at_the_time_of_the_merge() {
    let stage = Stage::with("one", &["web"]);
    stage.git(&["checkout", "-q", "-b", "topic"]);
    stage.write(&path_of("web"), &values("web", "v1.5"));
    stage.commit(-100, BOT, "Try v1.5");
    stage.write(&path_of("web"), &values("web", "v2"));
    stage.commit(-90, BOT, "No, v2");
    stage.git(&["checkout", "-q", "main"]);
    stage.write("README.md", "Meanwhile, on main\n");
    stage.commit(-80, PERSON, "Explain");
    stage.dated(-12, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge v2 of web", "topic"]);
    stage.push();
    let merge = stage.tip();
    let report = stage.pass(3);
    assert_eq!(items(&report).count(), 1, "{report:#}");
    assert_eq!(item(&report, "web")["deployment"], merge.as_str());
    assert_eq!(stage.file("main", "web"), values("web", "v1"), "the first parent's value");
    assert_eq!(touched(&stage, "main"), path_of("web"));
    stage.nothing_more();
}

#[test]
fn a_later_edit_of_the_same_file_stays() {
    let stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let edited = |text: String| {
        text.replace("# web, by hand", "# web\n# looked after by Dana").replace("256Mi", "512Mi")
    };
    stage.write(&path_of("web"), &edited(values("web", "v2")));
    stage.commit(-3, PERSON, "More memory");
    stage.push();
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), edited(values("web", "v1")));
    stage.nothing_more();
}

#[test]
fn a_list_item_that_moved_since_is_found_again() {
    let stage = Stage::on_path();
    let mut config = Config::of("one");
    config.services = config.services.replace("values.yaml", "kustomization.yaml");
    stage.configure(&config);
    let path = "apps/web/kustomization.yaml";
    let file = |images: &[(&str, &str)]| {
        let image = |(name, tag): &(&str, &str)| format!("  - name: {name}\n    newTag: {tag}\n");
        format!("resources: [../base]\nimages:\n{}", images.iter().map(image).collect::<String>())
    };
    stage.write(path, &file(&[("shop/proxy", "v7"), ("shop/web", "v1"), ("shop/cache", "v2")]));
    stage.commit(-180, PERSON, "Set up");
    stage.write(path, &file(&[("shop/proxy", "v7"), ("shop/web", "v2"), ("shop/cache", "v2")]));
    stage.commit(-12, BOT, "Deploy web v2");
    stage.write(path, &file(&[("shop/web", "v2"), ("shop/cache", "v2"), ("shop/proxy", "v7")]));
    stage.commit(-3, PERSON, "Sort");
    stage.push();
    let report = stage.pass(3);
    let now = stage.remote(&["show", &format!("main:{path}")]) + "\n";
    assert_eq!(now, file(&[("shop/web", "v1"), ("shop/cache", "v2"), ("shop/proxy", "v7")]));
    let item = items(&report).find(|item| item["subject"] == "Deploy web v2").unwrap();
    assert!(text(item, "plan").contains("v2 → v1"), "{item:#}");
    stage.nothing_more();
}

#[test]
fn a_branch_that_is_gone_holds_up_no_other_environment() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  another: {branch: gone}\n  production: {branch: main, mode: auto}\n".to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    stage.run(&["revert", "web", "--dry-run"]).ended(0);
    let report = stage.pass(3);
    let [another, production] = report["environments"].as_array().unwrap().as_slice() else { panic!() };
    assert!(another["problems"][0].as_str().unwrap().contains("the branch gone is not in the repository"));
    assert_eq!(production["problems"].as_array().unwrap().len(), 0);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.remote(&["rev-parse", "main^"]), bad);
    assert_eq!(stage.history().len(), 1);
    stage.run(&["explain", &bad]).ended(0);
}

#[test]
fn of_two_bad_environments_on_one_branch_both_go_back_in_one_pass() {
    let stage = Stage::on_path();
    let mut config = Config::of("one");
    config.environments =
        "  production: {branch: main, mode: auto}\n  staging: {branch: main, mode: auto}\n".to_owned();
    config.services = "  - {pattern: \"{environment}/{namespace}/{service}.yaml\"}\n".to_owned();
    stage.configure(&config);
    for (tag, minutes) in [("v1", -180), ("v2", -12)] {
        stage.write("production/one/web.yaml", &values("web", tag));
        stage.write("staging/one/web.yaml", &values("web", tag));
        stage.commit(minutes, BOT, &format!("Deploy web {tag} everywhere"));
    }
    stage.push();
    let bad = stage.tip();
    let report = stage.pass(3);
    assert_eq!(items(&report).map(words).collect::<Vec<_>>(), ["regressed revert", "regressed revert"]);
    assert_eq!(stage.remote(&["rev-list", "--count", &format!("{bad}..main")]), "2");
    assert_eq!(stage.remote(&["diff", &format!("{bad}^"), "main"]), "");
    assert_eq!(stage.note(&bad).len(), 2);
    stage.run(&["explain", &bad]).ended(0);
    stage.nothing_more();
}

#[test]
fn a_query_for_one_service_at_a_time_works_as_well() {
    let stage = Stage::with("half", &["api", "web"]);
    let mut config = Config::of("half");
    config.signals = config.signals.replace("    by: app\n", "").replace(
        "namespace=\"{{ namespace }}\"",
        "namespace=\"{{ namespace }}\",app=~\"{{ service | regex }}\"",
    );
    stage.configure(&config);
    stage.deploy("api", "v2", -12, BOT);
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "api")), "pending wait");
    assert_eq!(words(item(&report, "web")), "regressed revert");
    stage.nothing_more();
}

#[test]
fn a_revert_that_a_person_asks_for_is_made_and_then_respected() {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    stage.run(&["revert", "web"]).ended(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    let message = stage.remote(&["log", "-1", "--format=%B", "main"]);
    assert!(message.contains("Backout-Requested-By: "), "{message}");
    let again = stage.run(&["revert", &bad]).ended(1).stderr;
    assert!(again.contains("every field holds the good value already"), "{again}");
    let tip = stage.tip();
    let report = stage.pass(0);
    assert!(text(item(&report, "web"), "why").contains("already reverted"), "{report:#}");
    assert_eq!(stage.tip(), tip);
    stage.nothing_more();
}

#[test]
fn the_diff_of_a_dry_run_can_be_applied() {
    let stage = Stage::with("one", &["web"]);
    let path = "apps/web/values.yaml";
    // Line ends of another system, a tab and no end of the last line.
    let file = |tag: &str| format!("image:\r\n  tag: \"{tag}\"\t# keep\r\nreplicas: 2");
    stage.write(path, &file("v1"));
    stage.commit(-100, PERSON, "Another form");
    stage.write(path, &file("v2"));
    stage.commit(-12, BOT, "Deploy web v2");
    stage.push();
    let diff = stage.run(&["revert", "web", "--dry-run"]).ended(0).stdout;
    let patch = stage.home.path().join("back.patch");
    std::fs::write(&patch, diff).unwrap();
    stage.git(&["apply", patch.to_str().unwrap()]);
    assert_eq!(
        stage.git(&["hash-object", "--no-filters", path]),
        stage.git(&["rev-parse", &format!("HEAD^:{path}")])
    );
}
