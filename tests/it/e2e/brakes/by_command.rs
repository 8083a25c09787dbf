//! Pauses from the command line, which stand in a list in the repository.

use std::collections::BTreeMap;
use std::sync::Arc;

use backout::adapters::git::GitAuth;
use backout::agent::{Estate, Source};
use backout::domain::environment::signal::RangeQuery;
use backout::domain::ids::SourceName;
use backout::domain::time::Time;
use backout::ports::{Answer, BoxFuture, MetricSource, Repository, SourceError};

use super::pauses;
use super::world::{Metrics, decided, deploy_to, deployed, moment, repository, world};
use crate::e2e::metrics::clock;
use crate::e2e::stage::{BOT, Config, Stage, item, text, values, words};
use crate::support::command;
use crate::support::git::git;
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};

/// An agent of its own, with its own cache, for the services of a namespace in a repository behind a web server.
fn agent(remote: &HttpRemote, namespace: &str) -> Stage {
    let mut stage = Stage::on(remote.repository(), remote.url());
    stage.variables.push(("GIT_PASSWORD".to_owned(), PASSWORD.to_owned()));
    let repository = format!("  auth: {{kind: basic, username: {USER}, password: {{env: GIT_PASSWORD}}}}\n");
    stage.configure(&Config { repository, ..Config::of(namespace) });
    stage
}

/// A pause that lasts longer than a deployment is watched: a person hears of what the agent did not revert, once.
#[test]
fn what_regressed_under_a_long_pause_is_told_when_its_watch_window_is_over() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    let policy = |watch: &str| format!("settle: 60s, watch: {watch}, baseline: 15m");
    config.policy = policy("30m");
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    stage.run(&["pause", "--environment", "production", "--for", "5h", "--why", "a move"]).ended(0);
    assert_eq!(words(item(&stage.pass(0), "web")), "regressed hold");
    stage.nothing_more();
    // As if it had been watched for so short a time: its window is over by now, and its verdict may still be due.
    let age_secs = clock() - (stage.now() - 12 * 60);
    config.policy = policy(&format!("{}s", age_secs * 55 / 100));
    stage.configure(&config);
    let report = stage.pass(4);
    assert_eq!(words(item(&report, "web")), "regressed escalate", "{report:#}");
    assert!(text(item(&report, "web"), "why").contains("its watch window is over"), "{report:#}");
    assert_eq!(stage.tip(), bad);
    stage.nothing_more();
}

#[test]
fn a_pause_from_the_command_line_is_obeyed_by_an_agent_elsewhere_until_somebody_resumes() {
    let remote = HttpRemote::start();
    let (person, stage) = (agent(&remote, "one"), agent(&remote, "one"));
    stage.begin(&["web"]);
    // It has a cache before there is any pause.
    stage.pass(0);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let paused = person.run(&["pause", "--environment", "production", "--for", "2h", "--why", "a move"]);
    let paused = paused.ended(0).stdout;
    assert!(paused.contains("production is paused until 20") && paused.contains(": a move"), "{paused}");
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "web")), "regressed hold");
    assert!(text(item(&report, "web"), "why").starts_with("paused until 20"), "{report:#}");
    assert_eq!(pauses(&report), ["all: a move"]);
    assert_eq!(stage.tip(), bad);
    // It is recorded once, and every report shows it.
    let report = stage.nothing_more();
    assert_eq!(pauses(&report), ["all: a move"]);
    let told = stage.run(&["plan"]).ended(0).stdout;
    assert!(told.contains("production is paused until 20"), "{told}");
    let records = stage.history();
    let verdict = records.iter().find(|one| one["kind"] == "verdict").unwrap();
    assert_eq!(verdict["decision"]["action"], "hold");
    let resumed =
        person.run(&["resume", "--environment", "production", "--why", "it is over"]).ended(0).stdout;
    assert!(resumed.contains("resumed: production was paused until 20"), "{resumed}");
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(pauses(&report), [""; 0]);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
    // Who paused and who resumed is in the history of the ref.
    let log = stage.remote(&["log", "--format=%B", "refs/backout/pauses"]);
    assert!(log.contains("Resume production") && log.contains("Pause production"), "{log}");
    let history = stage.run(&["history"]).ended(0).stdout;
    assert!(
        history.contains("production paused by") && history.contains(": a move; resumed by"),
        "{history}"
    );
    assert!(history.contains(": it is over"), "{history}");
    let again = person.run(&["resume"]).ended(0).stdout;
    assert!(again.contains("nothing to do: no pause of "), "{again}");
}

#[test]
fn a_pause_of_one_service_leaves_the_others() {
    let stage = Stage::with("pair", &["api", "web"]);
    stage.deploy("api", "v2", -18, BOT);
    stage.deploy("web", "v2", -12, BOT);
    let run = stage.run(&["pause", "--service", "api", "--why", "a test of the load"]).ended(0);
    assert!(run.stdout.contains("api in production is paused until"), "{run:?}");
    assert_eq!(run.stderr, "");
    let unknown = stage.run(&["pause", "--service", "apo", "--why", "x", "--for", "1m"]).ended(1).stderr;
    assert!(unknown.contains("there is no service apo in production, so nothing is paused"), "{unknown}");
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "api")), "regressed hold");
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "api"), values("api", "v2"));
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    // The environment as a whole was never paused: that ends nothing.
    let other = stage.run(&["resume", "--environment", "production"]).ended(0).stdout;
    assert!(
        other.contains("nothing to do: no pause of ") && other.contains("still: api in production is paused"),
        "{other}"
    );
    // A person's own revert works, and says so.
    let revert = stage.run(&["revert", "api"]).ended(3);
    assert!(revert.stderr.contains("api in production is paused until"), "{revert:?}");
    assert!(revert.stderr.contains("what a person asks for is done all the same"), "{revert:?}");
    assert_eq!(stage.file("main", "api"), values("api", "v1"));
}

#[test]
fn a_pause_that_makes_no_sense_is_refused() {
    let stage = Stage::with("one", &["web"]);
    for (arguments, told) in [
        (&["--why", " "][..], "--why is empty"),
        (&["--why", "x", "--for", "5"], "is no duration: write 30m, 2h or 3d"),
        (&["--why", "x", "--for", "0s"], "name a later time"),
        (&["--why", "x", "--for", "31d"], "more than 30 days ahead"),
        (&["--why", "x", "--until", "tomorrow"], "is no time: write it like"),
        (&["--why", "x", "--until", "2026-01-01T00:00:00Z"], "name a later time"),
        (&["--why", "x", "--environment", "prod"], "there is no environment prod: there are production"),
        (&["--why", "x", "--service", "../x\n"], "service"),
    ] {
        let refused = stage.run(&[&["pause"], arguments].concat()).ended(1).stderr;
        assert!(refused.contains(told), "{arguments:?}: {refused}");
    }
    assert!(!stage.refs().contains("refs/backout/"), "{}", stage.refs());
    stage.run(&["pause"]).ended(2);
    stage.run(&["pause", "--why", "x", "--for", "1h", "--until", "2026-12-01T00:00:00Z"]).ended(2);
}

/// Two people at once: each push is a compare-and-swap, and no pause is lost.
#[test]
fn pauses_and_a_resume_at_the_same_time_lose_nothing() {
    let services = ["a", "b", "c", "d"];
    let stage = Stage::with("pair", &services);
    stage.run(&["pause", "--why", "before"]).ended(0);
    let quiet = || std::process::Stdio::null();
    let start =
        |arguments: &[&str]| stage.program(arguments).stdout(quiet()).stderr(quiet()).spawn().unwrap();
    let pauses = services.map(|service| start(&["pause", "--service", service, "--why", "at once"]));
    let resume = start(&["resume", "--why", "at once"]);
    for child in pauses.into_iter().chain([resume]) {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let report = stage.pass(0);
    let mut open = self::pauses(&report);
    open.sort();
    assert_eq!(open, services.map(|service| format!("{service}: at once")));
    assert_eq!(stage.remote(&["rev-list", "--count", "refs/backout/pauses"]), "6");
}

/// Puts a text in the place of the list of pauses.
fn write_list(stage: &Stage, list: &str) {
    let file = stage.home.path().join("list");
    std::fs::write(&file, list).unwrap();
    let blob = stage.remote(&["hash-object", "-w", file.to_str().unwrap()]);
    let tree = stage.home.path().join("tree");
    std::fs::write(&tree, format!("100644 blob {blob}\tpauses.jsonl\n")).unwrap();
    let made = format!("git mktree < {}", tree.display());
    let output = command("sh").args(["-c", &made]).current_dir(&stage.bare).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let who = ["-c", "user.name=mallory", "-c", "user.email=m@example.com"];
    let commit = stage.remote(&[&who[..], &["commit-tree", "-m", "hm", &tree]].concat());
    stage.remote(&["update-ref", "refs/backout/pauses", &commit]);
}

#[test]
fn who_may_push_can_pause_unless_a_key_proves_pauses() {
    for (key, expected) in
        [("", "regressed hold"), ("record: {key: {env: RECORD_KEY}}\n", "regressed revert")]
    {
        let mut stage = Stage::with("one", &["web"]);
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has".to_owned()));
        stage.configure(&Config { run: key.to_owned(), ..Config::of("one") });
        let (at, until) = (Time::from_unix(stage.now()), Time::from_unix(stage.now() + 86_400));
        let line = format!(
            r#"{{"kind":"pause","environment":"production","at":"{at}","until":"{until}","by":"\u001b[2Jmallory","why":"quiet"}}"#
        );
        write_list(&stage, &format!("{line}\n"));
        stage.deploy("web", "v2", -12, BOT);
        let run = stage.run(&["run", "--once"]);
        assert!(!run.stdout.contains('\u{1b}'), "{run:?}");
        let report = stage.plan(0);
        let is_told = report["environments"][0]["facts"].to_string().contains("proven by no key in `record`");
        assert_eq!(is_told, !key.is_empty(), "{report:#}");
        let decided = stage.history();
        let verdict = decided.iter().find(|one| one["kind"] == "verdict").unwrap();
        let words = format!("regressed {}", verdict["decision"]["action"].as_str().unwrap());
        assert_eq!(words, expected, "{report:#}");
        // A pause that the key proves counts, and takes the place of what nobody proves.
        stage.run(&["pause", "--why", "ours", "--service", "web"]).ended(0);
        assert!(pauses(&stage.plan(0)).contains(&"web: ours".to_owned()));
    }
}

#[test]
fn a_list_that_cannot_be_read_pauses_where_no_key_proves_records() {
    for (key, code, expected) in [("", 1, "hold"), ("record: {key: {env: RECORD_KEY}}\n", 3, "revert")] {
        let mut stage = Stage::with("one", &["web"]);
        stage.variables.push(("RECORD_KEY".to_owned(), "a key that nobody else has".to_owned()));
        stage.configure(&Config { run: key.to_owned(), ..Config::of("one") });
        let tree = stage.remote(&["rev-parse", "main^{tree}"]);
        stage.remote(&["update-ref", "refs/backout/pauses", &tree]);
        stage.deploy("web", "v2", -12, BOT);
        let report = stage.pass(code);
        assert_eq!(words(item(&report, "web")), format!("regressed {expected}"));
        let problems = report["environments"][0]["problems"].to_string();
        assert!(problems.contains("`git push origin :refs/backout/pauses` removes it"), "{problems}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_ends_by_itself_and_what_is_still_bad_is_reverted_then() {
    let at = moment("2026-12-01T12:00:00Z");
    let (home, bad) = deployed(at);
    let repository = home.path().join("env.git");
    let world_at = |now: &str| world(&home, moment(now), at.plus_secs(60), Vec::new());
    let paused = world_at("2026-12-01T11:00:00Z");
    let line = r#"{"kind":"pause","environment":"production","at":"2026-12-01T11:00:00Z","until":"2026-12-01T12:30:00Z","by":"Ann","why":"a move"}"#;
    let list = Arc::clone(&paused.estates[0].repository);
    let change = move |_: &str| Ok(Some(vec![line.to_owned()]));
    let write = move || list.change_pauses("Pause", moment("2026-12-01T11:00:00Z"), &change);
    tokio::task::spawn_blocking(write).await.unwrap().unwrap();
    for _ in 0..2 {
        let (action, report) = decided(&world_at("2026-12-01T12:29:59Z")).await;
        assert!(matches!(action, Some("hold") | None), "{report:?}");
        assert_eq!(report.environments[0].brakes.pauses.len(), 1);
    }
    assert_eq!(git(&repository, &["rev-parse", "main"]), bad);
    let (action, report) = decided(&world_at("2026-12-01T12:30:00Z")).await;
    assert_eq!(action, Some("revert"), "{report:?}");
    assert_eq!(git(&repository, &["rev-parse", "main^"]), bad);
}

/// A person changes the list of pauses while a pass asks its metrics.
struct Meanwhile {
    metrics: Metrics,
    repository: Arc<dyn Repository>,
    lines: Vec<String>,
    at: Time,
}

impl MetricSource for Meanwhile {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        let (list, lines, at) = (Arc::clone(&self.repository), self.lines.clone(), self.at);
        Box::pin(async move {
            let change = move |_: &str| Ok(Some(lines.clone()));
            let write = move || list.change_pauses("Meanwhile", at, &change);
            tokio::task::spawn_blocking(write).await.unwrap().unwrap();
            self.metrics.range(query).await
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_while_a_pass_asks_its_metrics_is_obeyed_by_that_pass() {
    let (at, now) = (moment("2026-12-01T12:00:00Z"), moment("2026-12-01T12:20:00Z"));
    let pause = |service: &str| {
        format!(
            r#"{{"kind":"pause","environment":"production",{service}"at":"{now}","until":"2026-12-01T14:00:00Z","by":"Ann","why":"a move"}}"#
        )
    };
    for (lines, expected) in [
        (vec![pause("")], "hold"),
        (vec![pause(r#""service":"web","#)], "hold"),
        (vec![pause(r#""service":"api","#)], "revert"),
        (Vec::new(), "revert"),
    ] {
        // The agent has a copy of what is behind a web server.
        let (home, remote) = (tempfile::tempdir().unwrap(), HttpRemote::start());
        let bad = deploy_to(&remote.repository(), at);
        std::os::unix::fs::symlink(remote.repository(), home.path().join("env.git")).unwrap();
        let bad_since = at.plus_secs(60);
        let mut world = world(&home, now, bad_since, Vec::new());
        let on_server = Arc::clone(&world.estates[0].repository);
        let auth = GitAuth::Basic { username: USER.to_owned(), password: PASSWORD.into() };
        let estate = Estate {
            name: world.estates[0].name.clone(),
            repository: repository(&home, &remote.url(), auth),
            forge: None,
            environments: world.estates[0].environments.clone(),
        };
        world.estates = vec![Arc::new(estate)];
        let source = Meanwhile {
            metrics: Metrics { bad_since: bad_since.unix() },
            repository: on_server,
            lines: lines.clone(),
            at: now,
        };
        world.sources =
            BTreeMap::from([(SourceName::new("sim").unwrap(), Source::new(Arc::new(source), &[]))]);
        let (action, report) = decided(&world).await;
        assert_eq!(action, Some(expected), "{lines:?}: {report:?}");
        assert_eq!(report.environments[0].brakes.pauses.len(), lines.len());
        let tip = git(&home.path().join("env.git"), &["rev-parse", "main"]);
        assert_eq!(tip == bad, expected == "hold", "{lines:?}");
    }
}
