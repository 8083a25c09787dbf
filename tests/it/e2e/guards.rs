//! Modes, budgets and guards, as a person sees them: what is on the branch, what is said, and the exit code.

use super::stage::{BOT, Config, PERSON, Stage, item, items, path_of, text, values, words};
use super::table;

#[test]
fn observe_records_and_changes_no_branch() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production: {branch: main}\n".to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "regressed hold");
    assert!(text(item(&report, "web"), "why").contains("mode observe"));
    assert_eq!(stage.tip(), bad);
    assert_eq!(stage.refs().lines().count(), 2, "main and the notes: {}", stage.refs());
    assert_eq!(stage.history()[0]["decision"]["action"], "hold");
    stage.nothing_more();
    // The person has seen enough, and lets it act: what is still watched is decided anew.
    config.environments = "  production: {branch: main, mode: auto}\n".to_owned();
    stage.configure(&config);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
}

#[test]
fn a_proposal_is_made_once_and_not_again_when_it_was_deleted() {
    for environment in ["{branch: main, mode: propose}", "{branch: main, mode: auto, delivery: branch}"] {
        let stage = Stage::with("one", &["web"]);
        let mut config = Config::of("one");
        config.environments = format!("  production: {environment}\n");
        stage.configure(&config);
        let bad = stage.deploy("web", "v2", -12, BOT);
        let branch = format!("backout/production/web/{}", stage.git(&["rev-parse", "--short=10", &bad]));
        let report = stage.pass(3);
        assert_eq!(words(item(&report, "web")), "regressed propose");
        assert_eq!(item(&report, "web")["outcome"]["proposed"]["branch"], branch.as_str());
        assert_eq!(stage.tip(), bad, "only the proposal's own branch is pushed");
        assert_eq!(stage.file(&branch, "web"), values("web", "v1"));
        assert_eq!(stage.remote(&["rev-parse", &format!("{branch}^")]), bad);
        stage.nothing_more();
        stage.remote(&["branch", "-D", &branch]);
        stage.nothing_more();
        assert!(!stage.refs().contains("backout/production"), "{}", stage.refs());
        assert_eq!(stage.history()[0]["proposal"]["branch"], branch.as_str());
    }
}

#[test]
fn a_merged_proposal_counts_as_the_revert() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production: {branch: main, mode: propose}\n".to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    stage.pass(3);
    let branch = format!("backout/production/web/{}", stage.git(&["rev-parse", "--short=10", &bad]));
    stage.git(&["fetch", "-q", stage.bare.to_str().unwrap(), &branch]);
    stage.dated(-1, PERSON, &["merge", "-q", "--no-ff", "-m", "Merge the revert", "FETCH_HEAD"]);
    stage.push();
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
}

/// What was only proposed is made when the agent may make it, whoever can prove the record of the proposal.
#[test]
fn what_was_proposed_is_made_when_the_mode_becomes_auto() {
    for key in ["", "record: {key: {env: RECORD_KEY}}\n"] {
        let mut stage = Stage::with("one", &["web"]);
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has".to_owned()));
        let mut config = Config { run: key.to_owned(), ..Config::of("one") };
        config.environments = "  production: {branch: main, mode: propose}\n".to_owned();
        stage.configure(&config);
        stage.deploy("web", "v2", -12, BOT);
        assert_eq!(words(item(&stage.pass(3), "web")), "regressed propose");
        stage.nothing_more();
        config.environments = "  production: {branch: main, mode: auto}\n".to_owned();
        stage.configure(&config);
        let run = stage.run(&["run", "--once"]).ended(3);
        assert!(run.stdout.contains("regressed, reverted by"), "{run:?}");
        assert!(!run.stderr.contains("does not follow"), "{run:?}");
        assert_eq!(stage.file("main", "web"), values("web", "v1"));
        stage.nothing_more();
    }
}

#[test]
fn the_budget_leaves_the_second_service_to_a_person() {
    let stage = Stage::with("pair", &["api", "web"]);
    let mut config = Config::of("pair");
    config.environments = "  production: {branch: main, mode: auto, budget: {max_reverts: 1}}\n".to_owned();
    stage.configure(&config);
    stage.deploy("api", "v2", -18, BOT);
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "api")), "regressed revert");
    assert_eq!(words(item(&report, "web")), "regressed escalate");
    assert!(text(item(&report, "web"), "why").contains("budget of 1 revert in"));
    assert_eq!(stage.file("main", "api"), values("api", "v1"));
    assert_eq!(stage.file("main", "web"), values("web", "v2"));
    stage.nothing_more();
}

#[test]
fn three_red_services_are_one_incident_and_none_is_reverted() {
    let services = ["api", "jobs", "web"];
    let stage = Stage::with("trio", &services);
    for service in services {
        stage.deploy(service, "v2", -12, BOT);
    }
    let before = stage.tip();
    let report = stage.pass(4);
    for service in services {
        assert_eq!(words(item(&report, service)), "regressed escalate");
        assert!(text(item(&report, service), "why").contains("3 services are red at once (api, jobs, web)"));
    }
    let incident = &report["environments"][0]["incident"];
    assert_eq!(incident["services"], serde_json::json!(services), "{report:#}");
    assert!(text(incident, "why").contains("3 services are red at once (api, jobs, web)"));
    assert_eq!(stage.tip(), before);
    stage.nothing_more();
}

/// Whoever reads the report is told of an incident once, with its services below.
#[test]
fn an_incident_is_one_message_with_its_services() {
    let services = ["api", "jobs", "web"];
    let stage = Stage::with("trio", &services);
    for service in services {
        stage.deploy(service, "v2", -12, BOT);
    }
    let told = stage.run(&["run", "--once"]).ended(4).stdout;
    assert_eq!(told.matches("a person must look").count(), 1, "{told}");
    assert_eq!(told.matches("are red at once").count(), 1, "{told}");
    for service in services {
        assert_eq!(told.matches(&format!("\n    {service} ")).count(), 1, "{told}");
        assert_eq!(told.matches(&format!("--service {service} ")).count(), 1, "{told}");
    }
    // Who asks later what a pass would do is told that nothing is over.
    let planned = stage.run(&["plan"]).ended(0).stdout;
    assert!(planned.contains("nothing new"), "{planned}");
    let note = planned.lines().find(|line| line.contains("told before, and still bad: ")).unwrap();
    assert!(services.iter().all(|service| note.contains(&format!("{service} "))), "{note}");
    assert!(!stage.run(&["run", "--once"]).ended(0).stdout.contains("still bad"), "a pass repeats nothing");
}

#[test]
fn the_history_of_an_environment_that_is_not_there_says_so() {
    let stage = Stage::with("one", &["web"]);
    let refused = stage.run(&["history", "--environment", "prod"]).ended(1).stderr;
    assert!(refused.contains("there is no environment prod: there are production"), "{refused}");
    stage.run(&["history", "--environment", "production"]).ended(0);
}

/// Two services, of which the agent has reverted one. Two red ones are an incident.
fn pair_with_api_reverted() -> Stage {
    let stage = Stage::with("pair", &["api", "web"]);
    let mut config = Config::of("pair");
    config.environments =
        "  production: {branch: main, mode: auto, budget: {incident_services: 2}}\n".to_owned();
    stage.configure(&config);
    stage.deploy("api", "v2", -18, BOT);
    stage.pass(3);
    stage
}

/// Services that turn bad one after the other are one incident, though the agent has reverted the first.
#[test]
fn a_service_that_was_reverted_is_red_until_its_recovery_is_known() {
    let stage = pair_with_api_reverted();
    stage.backdate(-13);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate");
    assert!(text(item(&report, "web"), "why").contains("2 services are red at once (api, web)"));
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

/// So is one that a person reverted after the agent had told of it.
#[test]
fn a_service_that_a_person_reverted_is_red_until_its_recovery_is_known() {
    for more in ["", "record: {key: {env: RECORD_KEY}}"] {
        let names = ["cart", "checkout", "mail", "search"];
        let paths = names.map(|name| format!("apps/{name}/values.yaml"));
        let at = |version: &str| format!("image:\n  tag: {version}\n");
        let rules = table::Rules { more, ..table::Rules::new(r#"[{pattern: "apps/{service}/**"}]"#) };
        let first = at("v1");
        let mut stage = table::stage(&rules, &paths.each_ref().map(|path| (path.as_str(), first.as_str())));
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has, 32 bytes".to_owned()));
        let bad = paths.each_ref().map(|path| table::deploy(&stage, &[(path, &at("v2"))], -12));
        let red = |name: &'static str| (name, table::LATELY);
        table::errors(&stage, &[("cart", table::FINE), red("checkout"), red("mail"), red("search")]);
        stage.pass(4);
        for commit in &bad[2..] {
            stage.run(&["revert", commit]).ended(3);
        }
        table::errors(&stage, &names.map(red));
        // A person is at work on it: that one more is red is news to them.
        let report = stage.pass(4);
        let why = text(item(&report, "cart"), "why");
        assert!(why.contains("4 services are red at once (cart, checkout, mail, search)"), "{report:#}");
        let incident = &report["environments"][0]["incident"];
        assert_eq!(incident["services"], serde_json::json!(["cart"]), "{report:#}");
        assert_eq!(incident["told_before"], false, "{report:#}");
        stage.nothing_more();
    }
}

/// What one pass has told as an incident is one finding, however many join it later. What was no incident before is.
#[test]
fn services_that_join_an_incident_call_nobody_again() {
    for more in ["", "record: {key: {env: RECORD_KEY}}"] {
        let names = ["cart", "checkout", "mail", "search", "shop"];
        let paths = names.map(|name| format!("apps/{name}/values.yaml"));
        let at = |version: &str| format!("image:\n  tag: {version}\n");
        let rules = table::Rules { more, ..table::Rules::new(r#"[{pattern: "apps/{service}/**"}]"#) };
        let first = at("v1");
        let mut stage = table::stage(&rules, &paths.each_ref().map(|path| (path.as_str(), first.as_str())));
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has, 32 bytes".to_owned()));
        for path in &paths {
            table::deploy(&stage, &[(path, &at("v2"))], -12);
        }
        let red_are = |count: usize| {
            let of = |(place, name): (usize, &'static str)| {
                (name, if place < count { table::LATELY } else { table::FINE })
            };
            let services: Vec<_> = names.iter().copied().enumerate().map(of).collect();
            table::errors(&stage, &services);
        };
        red_are(3);
        let before = stage.tip();
        let told = stage.pass(4);
        assert_eq!(told["environments"][0]["incident"]["told_before"], false, "{told:#}");
        for (red, joins) in [(4, "search"), (5, "shop")] {
            red_are(red);
            let report = stage.pass(0);
            let why = format!("{red} services are red at once (");
            assert!(text(item(&report, joins), "why").starts_with(&why), "{report:#}");
            assert_eq!(words(item(&report, joins)), "regressed escalate");
            assert_eq!(report["environments"][0]["incident"]["told_before"], true, "{report:#}");
            stage.nothing_more();
        }
        assert_eq!(stage.tip(), before);
    }
}

/// A made-up record of an incident on one service tells nobody's incident before it happens.
#[test]
fn an_incident_that_only_a_made_up_record_tells_of_is_told() {
    let services = ["api", "jobs", "web"];
    let stage = Stage::with("trio", &services);
    let commits = services.map(|service| stage.deploy(service, "v2", -12, BOT));
    let copy = Stage::with("trio", &services);
    services.iter().for_each(|service| drop(copy.deploy(service, "v2", -12, BOT)));
    copy.pass(4);
    // What an agent wrote elsewhere about `api`, put on the deployment here.
    let line = copy.history().into_iter().find(|one| text(one, "service") == "api").unwrap();
    let environment = backout::domain::ids::EnvironmentName::new("production").unwrap();
    let service = backout::domain::ids::ServiceName::new("api").unwrap();
    let id =
        backout::domain::history::ledger::rollback_id(&environment, &service, commits[0].parse().unwrap());
    let mut line = line;
    line["deployment"] = commits[0].as_str().into();
    line["id"] = id.as_str().into();
    stage.remote(&[
        "-c",
        "user.name=mallory",
        "-c",
        "user.email=m@example.com",
        "notes",
        "--ref=backout",
        "append",
        "-m",
        &line.to_string(),
        &commits[0],
    ]);
    let report = stage.pass(4);
    assert_eq!(report["environments"][0]["incident"]["told_before"], false, "{report:#}");
}

/// A revert that did not help leaves its service red, until a person has answered.
#[test]
fn a_service_whose_revert_did_not_help_is_still_red() {
    let stage = pair_with_api_reverted();
    stage.backdate(-16);
    assert_eq!(stage.pass(4)["environments"][0]["recoveries"][0]["outcome"], "not-recovered");
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate");
    assert!(
        text(item(&report, "web"), "why").contains("2 services are red at once (api, web)"),
        "{report:#}"
    );
    stage.nothing_more();
}

/// The cause of an incident is not what the agent reverted: it stops, until a person has answered.
#[test]
fn after_a_revert_that_did_not_help_no_other_is_made_until_a_person_answers() {
    for is_answered in [false, true] {
        let stage = Stage::with("pair", &["api", "web"]);
        stage.deploy("api", "v2", -18, BOT);
        stage.pass(3);
        let in_vain = stage.backdate(-16);
        let report = stage.pass(4);
        assert_eq!(report["environments"][0]["recoveries"][0]["outcome"], "not-recovered", "{report:#}");
        if is_answered {
            stage.deploy("api", "v3", -13, PERSON);
        }
        let bad = stage.deploy("web", "v2", -12, BOT);
        let report = stage.pass(if is_answered { 3 } else { 4 });
        let web = item(&report, "web");
        if is_answered {
            assert_eq!(words(web), "regressed revert", "{report:#}");
        } else {
            assert_eq!(words(web), "regressed escalate", "{report:#}");
            let why = format!("the revert {} of api did not help", &in_vain[..10]);
            assert!(text(web, "why").contains(&why), "{web:#}");
            assert_eq!(stage.tip(), bad);
        }
    }
}

#[test]
fn damage_that_hits_untouched_services_too_is_not_blamed() {
    let stage = Stage::with("everywhere", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "pending wait");
    let finding = &item(&report, "web")["judgement"]["findings"][0];
    assert!(text(finding, "reason").contains("services that were not deployed too: api, jobs"), "{finding}");
    assert_eq!(stage.tip(), bad);
}

/// A service whose bad version the agent backed out half an hour ago.
fn reverted_before() -> Stage {
    let stage = Stage::with("again", &["web"]);
    let mut config = Config::of("again");
    config.policy = "settle: 60s, watch: 1h, baseline: 15m".to_owned();
    stage.configure(&config);
    stage.deploy("web", "v2", -41, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    stage.backdate(-29);
    stage
}

#[test]
fn another_bad_version_soon_after_a_revert_is_left_to_people() {
    let stage = reverted_before();
    let bad = stage.deploy("web", "v3", -12, BOT);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate");
    let why = text(item(&report, "web"), "why");
    assert!(why.contains("web was reverted") && why.contains("no new version of it is reverted"), "{why}");
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

#[test]
fn a_bot_that_brings_the_bad_version_back_is_reverted_again_but_not_for_ever() {
    let stage = reverted_before();
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    // Both reverts lie in the past, and the bot does not give up.
    stage.backdate(-25);
    let third = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(4);
    assert!(text(item(&report, "web"), "why").contains("the automation renovate[bot] keeps putting back"));
    assert_eq!(stage.tip(), third);
}

#[test]
fn a_person_who_puts_the_bad_version_back_means_it() {
    let stage = reverted_before();
    let again = stage.deploy("web", "v2", -12, PERSON);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose");
    assert!(text(item(&report, "web"), "put_back").contains("Dana Ops put back what"));
    assert_eq!(stage.tip(), again);
    stage.nothing_more();
}

#[test]
fn a_deployment_that_was_replaced_waits_for_what_comes_of_the_new_one() {
    let stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let newer = stage.deploy("web", "v3", -5, BOT);
    let report = stage.pass(0);
    let of = |tag: &str| {
        let subject = format!("Deploy web {tag}");
        items(&report).find(|item| item["subject"] == subject.as_str()).unwrap()
    };
    assert_eq!(words(of("v2")), "regressed wait");
    assert_eq!(words(of("v3")), "pending wait");
    assert_eq!(stage.tip(), newer);
    stage.nothing_more();
}

#[test]
fn a_value_that_a_person_put_back_already_is_left_alone() {
    let stage = Stage::with("one", &["web"]);
    stage.deploy("web", "v2", -12, BOT);
    let back = stage.deploy("web", "v1", -3, PERSON);
    let report = stage.pass(0);
    let item = items(&report).find(|item| item["subject"] == "Deploy web v2").unwrap();
    assert_eq!(words(item), "regressed pass");
    assert!(text(item, "why").contains(&stage.git(&["rev-parse", "--short=10", &back])));
    assert_eq!(stage.tip(), back);
    stage.nothing_more();
}

#[test]
fn a_request_shows_the_same_revert_and_changes_nothing() {
    let stage = Stage::with("one", &["web"]);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let before = stage.refs();
    let by_name = stage.run(&["revert", "web", "--dry-run"]).ended(0).stdout;
    assert_eq!(stage.run(&["revert", &bad, "--dry-run"]).ended(0).stdout, by_name);
    assert_eq!(stage.refs(), before);
    let changed = |diff: &str| -> Vec<String> {
        let line = |line: &&str| {
            line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---")
        };
        diff.lines().filter(line).map(str::to_owned).collect()
    };
    let truth = stage.remote(&["diff", &bad, &format!("{bad}^"), "--", &path_of("web")]);
    assert_eq!(changed(&by_name), changed(&truth));
}
