//! Forges that refuse, and agents that die.

use super::{Scene, Setting};
use crate::e2e::stage::{BOT, PERSON, item, text, values, words};
use crate::support::forge::{Face, Fate, Reply};
use crate::support::git::{remove_notes, try_git};

#[test]
fn what_is_not_merged_in_time_is_told_with_what_is_in_the_way_once() {
    let scene = Scene::new(&Setting::environment("mode: auto, delivery: pull-request, deadline: 15m"));
    scene.stage.pass(3);
    let number = scene.pull().number;
    scene.forge.state().rules.approvals = 1;
    scene.forge.state().check(number, "failure");
    scene.stage.pass(0);
    scene.age(16);
    let report = scene.stage.pass(4);
    assert_eq!(scene.review(&report)["outcome"], "overdue");
    let state = text(scene.review(&report), "state");
    assert!(state.contains("not merged within 16 min"), "{state}");
    assert!(state.contains("the required check `ci/test` is failure"), "{state}");
    assert!(state.contains("an approval is missing"), "{state}");
    // It is told once, and followed on.
    scene.stage.pass(0);
    scene.is_quiet();
    scene.forge.state().pulls[0].approved_by.insert("dana".to_owned());
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    assert_eq!(scene.outcomes(), ["overdue", "merged"]);
    assert_eq!(scene.stage.file("main", "web"), values("web", "v1"));
    scene.is_quiet();
}

#[test]
fn who_asks_to_try_again_gets_the_whole_time_again() {
    let scene = Scene::new(&Setting::environment("mode: auto, delivery: pull-request, deadline: 15m"));
    scene.stage.pass(3);
    scene.age(16);
    scene.stage.pass(4);
    let number = scene.pull().number;
    scene.forge.state().comment(number, "dana", "/backout retry");
    scene.stage.pass(0);
    scene.forge.state().comments[0].at -= 16 * 60;
    remove_notes(&scene.stage.bare);
    let report = scene.stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate", "{report:#}");
}

#[test]
fn a_conflict_is_resolved_by_moving_the_branch_forward() {
    let scene = Scene::new(&Setting::default());
    scene.stage.pass(3);
    let branch = scene.branch();
    let before = scene.stage.remote(&["rev-parse", &branch]);
    // The line after the tag changes: the two changes conflict, the field does not.
    let moved = values("web", "v2").replace("replicas: 3", "replicas: 5");
    scene.stage.write("apps/web/values.yaml", &moved);
    scene.stage.commit(-2, PERSON, "Two more");
    scene.stage.push();
    let head = scene.stage.tip();
    assert_eq!(standing(&scene), "dirty");
    scene.stage.pass(0);
    let ancestor = try_git(&scene.stage.bare, &["merge-base", "--is-ancestor", &before, &branch]);
    assert!(ancestor.status.success(), "it only goes forward");
    assert_eq!(scene.stage.file(&branch, "web"), moved.replace("v2", "v1"));
    assert_eq!(scene.stage.remote(&["rev-parse", &format!("{branch}^1")]), head, "made on the head");
    assert_ne!(standing(&scene), "dirty");
    scene.is_quiet();
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    assert_eq!(scene.stage.file("main", "web"), moved.replace("v2", "v1"));
    assert_eq!(scene.forge.state().merges, 1);
    scene.is_quiet();
}

#[test]
fn a_branch_that_must_be_up_to_date_is_brought_up_to_date() {
    let scene = Scene::new(&Setting::default());
    scene.forge.state().rules.up_to_date = true;
    scene.stage.pass(3);
    scene.stage.write("README.md", "Something else\n");
    scene.stage.commit(-2, PERSON, "Something else");
    scene.stage.push();
    assert_eq!(standing(&scene), "behind");
    scene.stage.pass(0);
    assert_eq!(standing(&scene), "blocked", "by its check alone");
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    scene.is_over();
}

#[test]
fn a_limit_of_requests_is_waited_for_where_it_is_short_and_told_where_it_is_long() {
    let scene = Scene::new(&Setting::default());
    let limited = |secs: &'static str| {
        let mut times = 0;
        move |_: usize, asked: &crate::support::forge::Asked| {
            times += usize::from(asked.line().ends_with("/pulls"));
            match times {
                1 if asked.line().ends_with("/pulls") => Fate::Instead(
                    Reply::no(403, "You have exceeded a secondary rate limit.").with("Retry-After", secs),
                ),
                _ => Fate::Go,
            }
        }
    };
    scene.forge.fates(limited("3600"));
    let report = scene.stage.run(&["run", "--once", "--format", "json"]).ended(1).json();
    assert!(scene.problems(&report).contains("more are taken in 3600 s"), "{report:#}");
    assert!(scene.forge.state().pulls.is_empty());
    assert_eq!(scene.stage.history().len(), 0, "nothing is settled: the next pass goes on");
    scene.forge.fates(limited("1"));
    scene.stage.pass(3);
    assert!(scene.pull().auto.is_some());
}

#[test]
fn what_a_forge_refuses_is_told_with_what_to_do() {
    let answers = [
        (401, "check `forge.auth`"),
        (403, "give them the right to"),
        (404, "check `forge.repository`"),
        (500, "500"),
        (503, "503"),
    ];
    for (status, advice) in answers {
        let scene = Scene::new(&Setting::default());
        scene.forge.fates(move |_, _| Fate::Instead(Reply::no(status, "no \u{1b}[31m way")));
        let report = scene.stage.run(&["run", "--once", "--format", "json"]).ended(1).json();
        let problems = scene.problems(&report);
        assert!(problems.contains(advice), "{status}: {problems}");
        assert!(
            problems.contains("no  [31m way"),
            "what the forge says is passed on, as plain text: {problems}"
        );
        assert_eq!(scene.stage.tip(), scene.bad);
        scene.forge.fates(|_, _| Fate::Go);
        scene.stage.pass(3);
        assert_eq!(scene.pull().number, 1);
    }
}

#[test]
fn a_refused_pull_request_goes_to_a_person_and_is_tried_again() {
    for key in ["", "record: {key: {env: RECORD_KEY}}\n"] {
        refused_once(key);
    }
}

fn refused_once(key: &str) {
    let setting = Setting::default();
    let mut scene = Scene::new(&setting);
    let secret = "a key that nobody else has, 32 bytes";
    scene.stage.variables.push(("RECORD_KEY".to_owned(), secret.to_owned()));
    let mut config = setting.config(scene.face, &scene.forge);
    config.run.push_str(key);
    scene.stage.configure(&config);
    scene.forge.fates(|_, asked| match asked.line().as_str() {
        line if line.starts_with("POST") && line.ends_with("/pulls") => {
            Fate::Instead(Reply::no(422, "Pull requests are disabled"))
        }
        _ => Fate::Go,
    });
    let report = scene.stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate");
    assert!(text(item(&report, "web"), "why").contains("Pull requests are disabled"), "{report:#}");
    // A person was told, and is not told again.
    let told = scene.stage.run(&["run", "--once"]).ended(0);
    assert!(!told.stdout.contains("a person must look") && !told.stderr.contains("WARN"), "{told:?}");
    scene.forge.fates(|_, _| Fate::Go);
    let report = scene.stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert", "{report:#}");
    let number = scene.pull().number;
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    scene.is_over();
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    let scene = Scene::new(&Setting::default());
    let number = {
        scene.forge.fates(|_, asked| match asked.writes() {
            true => Fate::Lost(Reply::no(502, "Bad gateway")),
            false => Fate::Go,
        });
        scene.stage.run(&["run", "--once", "--format", "json"]).ended(1);
        scene.pull().number
    };
    scene.forge.fates(|_, _| Fate::Go);
    scene.stage.pass(3);
    assert_eq!(scene.pull().number, number);
    scene.forge.state().check(number, "success");
    scene.stage.pass(3);
    scene.is_over();
}

/// Kills the agent before and after every request of its way that changes something, each time on a new stage, and lets another
/// pass follow. Killed at a request that changes nothing it leaves what it leaves after the one before.
fn killed_at_every_request(face: Face, prepare: fn(&Scene)) {
    let probe = Scene::on(face, &Setting::default());
    prepare(&probe);
    probe.forge.fates(|_, _| Fate::Go);
    probe.stage.pass(3);
    let requests = probe.forge.log();
    assert!(requests.len() > 5);
    for (number, _) in requests.iter().enumerate().filter(|(_, asked)| asked.writes()) {
        for after in [false, true] {
            let scene = Scene::on(face, &Setting::default());
            prepare(&scene);
            scene.forge.fates(move |current, _| match (current == number, after) {
                (false, _) => Fate::Go,
                (true, false) => Fate::DieBefore,
                (true, true) => Fate::DieAfter,
            });
            let status = scene.forge.run_victim(scene.stage.program(&["run", "--once"]));
            assert_eq!(status.code(), None, "it was killed at request {number}");
            scene.forge.fates(|_, _| Fate::Go);
            scene.stage.run(&["run", "--once"]);
            let pull = scene.pull();
            if !pull.merged {
                scene.forge.state().check(pull.number, "success");
                scene.stage.run(&["run", "--once"]);
            }
            scene.stage.run(&["run", "--once"]);
            assert_eq!(scene.forge.state().merges, 1, "killed at {number}, after {after}");
            let comments = scene.forge.state().comments.len();
            assert!(comments <= 1, "{comments} comments, killed at {number}, after {after}");
            scene.is_over();
        }
    }
}

#[test]
fn an_agent_killed_between_any_two_requests_is_followed_by_one_that_goes_on() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        killed_at_every_request(face, |_| {});
    }
}

#[test]
fn the_same_where_the_agent_merges_at_once() {
    for face in [Face::GitHub, Face::GitLab, Face::Gitea] {
        killed_at_every_request(face, |scene| scene.forge.state().rules.required.clear());
    }
}

#[test]
fn a_schema_change_opens_an_issue_once_which_is_closed_when_it_is_replaced() {
    let setting = Setting {
        policy: "settle: 60s, watch: 40m, baseline: 30m, schema: {paths: [\"db/**\"]}".to_owned(),
        ..Setting::default()
    };
    let scene = Scene::new(&setting);
    scene.stage.write("db/0042_orders.sql", "alter table orders drop column note;\n");
    scene.stage.write("apps/web/values.yaml", &values("web", "v3"));
    let flagged = scene.stage.commit(-12, BOT, "Deploy web v3");
    scene.stage.push();
    let report = scene.stage.pass(4);
    assert_eq!(words(item_of(&report, &flagged)), "regressed escalate");
    let issue = {
        let state = scene.forge.state();
        assert_eq!(state.issues.len(), 1);
        assert!(state.pulls.is_empty());
        state.issues[0].clone()
    };
    assert!(issue.labels.contains("needs-manual-rollback"));
    assert!(issue.body.contains("db/0042_orders.sql"), "{}", issue.body);
    scene.is_quiet();
    // Found again where nothing was written down.
    remove_notes(&scene.stage.bare);
    scene.stage.pass(4);
    assert_eq!(scene.forge.state().issues.len(), 1);
    scene.stage.deploy("web", "v4", 0, PERSON);
    scene.stage.pass(0);
    assert!(!scene.forge.state().issues[0].open);
    scene.is_quiet();
}

fn item_of<'r>(report: &'r serde_json::Value, commit: &str) -> &'r serde_json::Value {
    crate::e2e::stage::items(report).find(|item| item["deployment"] == commit).unwrap()
}

/// What keeps the pull request from being merged, as the forge sees it.
fn standing(scene: &Scene) -> &'static str {
    let pull = scene.pull();
    scene.forge.state().standing(&pull)
}

#[test]
fn what_merges_itself_counts_against_the_budget_before_it_is_merged() {
    let setting =
        Setting::environment("mode: auto, delivery: pull-request, budget: {max_reverts: 1, window: 2h}");
    let stage = {
        let mut stage = crate::e2e::stage::Stage::on_path();
        stage.begin(&["api", "web"]);
        stage.variables.push(("FORGE_TOKEN".to_owned(), crate::support::forge::TOKEN.to_owned()));
        stage
    };
    let forge = crate::support::forge::SimForge::start(Face::GitHub, &stage.bare);
    let mut config = setting.config(Face::GitHub, &forge);
    config.services = config.services.replace("namespace: one", "namespace: pair");
    stage.configure(&config);
    stage.deploy("api", "v2", -18, BOT);
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "api")), "regressed revert");
    assert_eq!(words(item(&report, "web")), "regressed escalate");
    assert!(text(item(&report, "web"), "why").contains("budget"), "{report:#}");
    assert_eq!(forge.state().pulls.len(), 1);
    stage.nothing_more();
}
