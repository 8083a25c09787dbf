//! What holds the agent back: pauses from the command line and from a file, and freeze windows.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backout::adapters::git::{GitAuth, GitOptions, GitRepository, SshOptions};
use backout::adapters::http::HttpOptions;
use backout::agent::{Estate, Intent, PassReport, Source, Stop, World, pass};
use backout::domain::environment::freeze::{Freeze, Schedule, Zone};
use backout::domain::environment::pattern::PathPattern;
use backout::domain::environment::policy::{Mode, Policy};
use backout::domain::environment::signal::{RangeQuery, Role, Rule, Signal, SignalKind};
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::snapshot::Person;
use backout::domain::ids::{BranchName, EnvironmentName, RepositoryName, SignalName, SourceName};
use backout::domain::judge::evidence::{Sample, Series};
use backout::domain::time::Time;
use backout::ports::{Answer, BoxFuture, Clock, MetricSource, Repository, SourceError};
use backout::record::keys::RecordKeys;
use serde_json::Value;

use super::metrics::clock;
use super::stage::{BOT, Config, PERSON, Stage, item, path_of, text, values, words};
use crate::support::command;
use crate::support::git::{WorkTree, bare, git};
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};

/// The pauses that a report shows, each as what is paused and why.
fn pauses(report: &Value) -> Vec<String> {
    let pauses = report["environments"][0]["brakes"]["pauses"].as_array().unwrap();
    let what = |pause: &Value| pause["service"].as_str().unwrap_or("all").to_owned();
    pauses.iter().map(|pause| format!("{}: {}", what(pause), text(pause, "why"))).collect()
}

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

#[test]
fn a_file_on_the_branch_pauses_and_a_broken_one_pauses_all() {
    let stage = Stage::with("pair", &["api", "web"]);
    let until = Time::from_unix(stage.now() + 86_400);
    let commit = |minutes: i64, text: &str| {
        stage.write(".backout/pause.yaml", text);
        stage.commit(minutes, PERSON, "Pause");
        stage.push();
    };
    commit(
        -19,
        &format!(
            "- {{service: api, until: {until}, why: a test}}\n- {{environment: other, until: {until}, why: x}}\n"
        ),
    );
    stage.deploy("api", "v2", -18, BOT);
    let report = stage.pass(1);
    let problems = report["environments"][0]["problems"].to_string();
    assert!(problems.contains("names the environment other, which is not on this branch"), "{problems}");
    assert_eq!(words(item(&report, "api")), "regressed hold");
    let why = format!("paused until {until} by .backout/pause.yaml on main: a test");
    assert_eq!(text(item(&report, "api"), "why"), why);
    // Nobody knows what was meant: nothing is done, and the line is told.
    commit(-13, "- service: api\n  until: soon\n  why: a test\n");
    stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(1);
    assert_eq!(words(item(&report, "web")), "regressed hold");
    let problems = report["environments"][0]["problems"].to_string();
    assert!(problems.contains(".backout/pause.yaml, line 2: `until: soon` is no time"), "{problems}");
    assert_eq!(stage.file("main", "web"), values("web", "v2"));
    // It is mended.
    commit(-11, "[]\n");
    stage.pass(3);
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    assert_eq!(stage.file("main", "api"), values("api", "v1"));
    stage.nothing_more();
}

/// What stands in the place of the file.
#[derive(Clone, Copy, Debug)]
enum InPlace {
    Link,
    LinkAbove,
    Directory,
    Submodule,
}

#[test]
fn what_is_no_plain_file_counts_as_a_pause() {
    for kind in [InPlace::Link, InPlace::LinkAbove, InPlace::Directory, InPlace::Submodule] {
        let stage = Stage::with("one", &["web"]);
        let until = Time::from_unix(stage.now() + 86_400);
        let entry = format!("- {{until: {until}, why: a move}}\n");
        let people = stage.clone_of_people();
        std::fs::create_dir_all(people.join("ops")).unwrap();
        match kind {
            InPlace::Link => {
                stage.write("ops/pause.yaml", &entry);
                std::fs::create_dir_all(people.join(".backout")).unwrap();
                std::os::unix::fs::symlink("../ops/pause.yaml", people.join(".backout/pause.yaml")).unwrap();
            }
            InPlace::LinkAbove => {
                stage.write("ops/pause.yaml", &entry);
                std::os::unix::fs::symlink("ops", people.join(".backout")).unwrap();
            }
            InPlace::Directory => stage.write(".backout/pause.yaml/web.yaml", &entry),
            InPlace::Submodule => {
                let module = people.join(".backout/pause.yaml");
                std::fs::create_dir_all(&module).unwrap();
                git(&module, &["init", "-q"]);
                let who = ["-c", "user.name=a", "-c", "user.email=a@example.com"];
                let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
                git(&module, &[&who[..], &commit].concat());
            }
        }
        stage.commit(-13, PERSON, "Pause");
        stage.push();
        let bad = stage.deploy("web", "v2", -12, BOT);
        let report = stage.pass(1);
        assert_eq!(words(item(&report, "web")), "regressed hold", "{kind:?}");
        assert!(
            text(item(&report, "web"), "why").starts_with("paused until a person has mended it"),
            "{kind:?}"
        );
        let problems = report["environments"][0]["problems"].to_string();
        assert!(problems.contains("make it a plain file, or remove it"), "{kind:?}: {problems}");
        let checked = stage.run(&["check"]).stdout;
        assert!(checked.contains("make it a plain file"), "{kind:?}: {checked}");
        assert_eq!(stage.tip(), bad, "{kind:?}");
    }
}

#[test]
fn an_entry_that_names_what_is_not_there_is_told() {
    let stage = Stage::with("pair", &["api", "web"]);
    let until = Time::from_unix(stage.now() + 86_400);
    let past = Time::from_unix(stage.now() - 60);
    let commit = |text: &str| {
        stage.write(".backout/pause.yaml", text);
        stage.commit(-3, PERSON, "Pause");
        stage.push();
    };
    let none = "";
    for (entry, told) in [
        (
            format!("environment: prod, until: {until}"),
            "names the environment prod, which is not on this branch",
        ),
        (format!("environment: prod, service: web, until: {until}"), "names the environment prod"),
        (
            format!("service: wed, until: {until}"),
            "names the service wed, which is not there in an environment on main",
        ),
        (format!("environment: production, service: wed, until: {until}"), "not there in production now"),
        (format!("environment: production, service: web, until: {until}"), none),
        (format!("service: api, until: {until}"), none),
        (format!("environment: production, until: {until}"), none),
        (format!("environment: prod, service: wed, until: {past}"), none),
    ] {
        commit(&format!("- {{{entry}, why: x}}\n"));
        let is_told = told != none;
        let report = stage.pass(i32::from(is_told));
        let problems = report["environments"][0]["problems"].to_string();
        assert!(
            problems.contains(told) && problems.contains("pauses nothing") == is_told,
            "{entry}: {problems}"
        );
        let checked = stage.run(&["check"]).stdout;
        assert!(
            checked.contains("pauses of production") == is_told && checked.contains(told),
            "{entry}: {checked}"
        );
    }
    commit("- until: soon\n");
    let checked = stage.run(&["check"]).ended(1).stdout;
    assert!(checked.contains(".backout/pause.yaml, line 1: `why` is missing"), "{checked}");
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

#[test]
fn in_a_freeze_the_agent_proposes_and_pushes_when_it_is_over() {
    let stage = Stage::with("one", &["web"]);
    let mut config = Config::of("one");
    config.environments = "  production:\n    branch: main\n    mode: auto\n    freeze:\n      \
        - {schedule: \"* * * * *\", duration: 1h, time_zone: Europe/Berlin, why: the sales}\n"
        .to_owned();
    stage.configure(&config);
    let bad = stage.deploy("web", "v2", -12, BOT);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed propose");
    assert_eq!(report["environments"][0]["brakes"]["frozen"]["why"], "the sales");
    assert_eq!(stage.tip(), bad);
    let branch = format!("backout/production/web/{}", stage.git(&["rev-parse", "--short=10", &bad]));
    assert_eq!(stage.file(&branch, "web"), values("web", "v1"));
    stage.nothing_more();
    let told = stage.run(&["plan"]).ended(0).stdout;
    assert!(told.contains("production is frozen") && told.contains("(the sales)"), "{told}");
    // It is over, as the configuration says.
    config.environments = "  production: {branch: main, mode: auto}\n".to_owned();
    stage.configure(&config);
    let report = stage.pass(3);
    assert_eq!(words(item(&report, "web")), "regressed revert");
    assert_eq!(stage.file("main", "web"), values("web", "v1"));
    stage.nothing_more();
}

/// A service that is bad since a moment.
struct Metrics {
    bad_since: i64,
}

impl MetricSource for Metrics {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        let at = |step: i64| query.window.start.unix() + step * i64::from(query.step_secs);
        let times = (0..).map(at).take_while(|at| *at <= query.window.end.unix());
        let value = |at: i64| if at > self.bad_since { 0.4 } else { 0.001 };
        let samples = times.map(|at| Sample { at: Time::from_unix(at), value: value(at) }).collect();
        let labels = BTreeMap::from([("service".to_owned(), "web".to_owned())]);
        let answer =
            Answer { series: vec![Series { labels, samples }], warnings: Vec::new(), is_narrowed: false };
        Box::pin(async move { Ok(answer) })
    }
}

/// A clock that stands where a test puts it.
struct At(Time);

impl Clock for At {
    fn now(&self) -> Time {
        self.0
    }
}

fn moment(text: &str) -> Time {
    serde_json::from_value(text.into()).unwrap()
}

/// A repository, with its cache beside it.
fn repository(home: &tempfile::TempDir, url: &str, auth: GitAuth) -> Arc<dyn Repository> {
    let person = Person { name: "backout".to_owned(), email: "backout@example.com".to_owned() };
    let options = GitOptions {
        url: url.to_owned(),
        cache_dir: home.path().join("cache"),
        auth,
        ssh: SshOptions::default(),
        author: person.clone(),
        committer: person,
        sign_off: false,
        signing: None,
        record_keys: RecordKeys::default(),
        http: HttpOptions::default(),
    };
    Arc::new(GitRepository::open(options, tokio::runtime::Handle::current()).unwrap())
}

/// A world of one repository at a time, with the service `web`, which is bad since `bad_since`.
fn world(home: &tempfile::TempDir, now: Time, bad_since: Time, freezes: Vec<Freeze>) -> World {
    let (signal, source) = (SignalName::new("errors").unwrap(), SourceName::new("sim").unwrap());
    let signal = Signal {
        by: Some("service".to_owned()),
        rule: Rule::Limit { limit: 0.05, for_secs: 60 },
        step_secs: 30,
        role: Role::Critical,
        ..Signal::new(signal, source.clone(), "errors", SignalKind::ErrorRatio)
    };
    let policy = Policy {
        mode: Mode::Auto,
        settle_secs: 0,
        watch_secs: 3_600,
        baseline_secs: 600,
        ..Policy::default()
    };
    let files = ServiceFiles::Pattern(PathPattern::new("apps/{service}/**").unwrap());
    let rule = ServiceRule { signals: vec![signal], policy, ..ServiceRule::new(files) };
    let (name, branch) = (EnvironmentName::new("production").unwrap(), BranchName::new("main").unwrap());
    let environment = Environment { freezes, ..Environment::new(name, branch, vec![rule]) };
    let estate = Estate {
        name: RepositoryName::new("repository").unwrap(),
        repository: repository(home, home.path().join("env.git").to_str().unwrap(), GitAuth::None),
        forge: None,
        environments: vec![Arc::new(environment)],
    };
    World {
        estates: vec![Arc::new(estate)],
        sources: BTreeMap::from([(
            source,
            Source::new(Arc::new(Metrics { bad_since: bad_since.unix() }), &[]),
        )]),
        clock: Arc::new(At(now)),
        config: String::new(),
        registries: None,
        source_code: None,
        records_proven: false,
        memo: Arc::default(),
    }
}

/// A repository in which a bad version of `web` was deployed at a moment.
fn deployed(at: Time) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let bad = deploy_to(&bare(home.path(), "env.git"), at);
    (home, bad)
}

fn deploy_to(bare: &Path, at: Time) -> String {
    let mut people = WorkTree::new();
    people.now = at.unix() - 86_400;
    people.write(&path_of("web"), &values("web", "v1"));
    people.commit("Set up");
    people.now = at.unix();
    people.write(&path_of("web"), &values("web", "v2"));
    let bad = people.commit("Deploy web v2");
    people.push(bare);
    bad
}

/// What one pass decides about `web`, and the whole report.
async fn decided(world: &World) -> (Option<&'static str>, PassReport) {
    let report = pass(world, Intent::Act, &Stop::default()).await.unwrap();
    let action = report.items().next().map(|item| item.decision.word());
    (action, report)
}

/// The clocks of Berlin went back in the night: the weekend ends at seven by the clock, 64 hours after it began.
#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_over_a_change_of_the_clocks_ends_when_its_hours_are_over() {
    let weekend = || Freeze {
        schedule: Schedule::parse("0 16 * * FRI").unwrap(),
        duration_secs: 64 * 3_600,
        zone: Zone::named("Europe/Berlin").unwrap(),
        why: "the weekend".to_owned(),
    };
    let at = moment("2026-10-26T05:40:00Z");
    let (home, bad) = deployed(at);
    let world_at = |now: &str| world(&home, moment(now), at.plus_secs(60), vec![weekend()]);
    let (action, report) = decided(&world_at("2026-10-26T05:59:00Z")).await;
    assert_eq!(action, Some("propose"), "{report:?}");
    let frozen = report.environments[0].brakes.frozen.clone().unwrap();
    assert_eq!(frozen.to_string(), "frozen until 2026-10-26T06:00:00Z (the weekend)");
    let repository = home.path().join("env.git");
    assert_eq!(git(&repository, &["rev-parse", "main"]), bad);
    let (action, report) = decided(&world_at("2026-10-26T06:00:00Z")).await;
    assert_eq!(action, Some("revert"), "{report:?}");
    assert_eq!(git(&repository, &["rev-parse", "main^"]), bad);
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
