//! One error stays one error: of a deployment, of an environment. What was done is told and written down.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use backout::agent::{Estate, Intent, PassReport, Share, Source, Stop, Wakes, World, pass, run};
use backout::domain::environment::pattern::PathPattern;
use backout::domain::environment::policy::{Budget, Mode, Policy};
use backout::domain::environment::signal::{RangeQuery, Role, Rule, Signal, SignalKind};
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::snapshot::Person;
use backout::domain::ids::{BranchName, EnvironmentName, FilePath, RepositoryName, SignalName, SourceName};
use backout::domain::judge::evidence::{Sample, Series};
use backout::domain::time::Time;
use backout::ports::{Answer, BoxFuture, Clock, MetricSource, Repository, SourceError};

use crate::support::process::{Fate, Fates, Process};
use crate::support::simulated::{Clone as AgentClone, Node, Remote, Tree};

/// Now, in seconds since 1970.
const NOW: i64 = 1_800_000_000;

/// When a service was deployed. It is bad from a minute later on.
fn deployed_at(service: &str) -> i64 {
    if service == "cart" { NOW - 900 } else { NOW - 600 }
}

struct Now;

impl Clock for Now {
    fn now(&self) -> Time {
        Time::from_unix(NOW)
    }
}

/// Services that are bad since their deployment. `answer` comes before each answer, and is told the query.
struct Metrics(Box<dyn Fn(&str) -> bool + Send + Sync>);

impl MetricSource for Metrics {
    fn range<'a>(&'a self, query: &'a RangeQuery) -> BoxFuture<'a, Result<Answer, SourceError>> {
        Box::pin(async move {
            if !(self.0)(&query.query) {
                std::future::pending::<()>().await;
            }
            let at = |step: i64| query.window.start.unix() + step * i64::from(query.step_secs);
            let times = (0..).map(at).take_while(|at| *at <= query.window.end.unix());
            let series = |service: &str| {
                let bad_since = deployed_at(service) + 60;
                let sample = |at: i64| Sample {
                    at: Time::from_unix(at),
                    value: if at > bad_since { 0.4 } else { 0.001 },
                };
                let labels = BTreeMap::from([("service".to_owned(), service.to_owned())]);
                Series { labels, samples: times.clone().map(sample).collect() }
            };
            Ok(Answer {
                series: ["cart", "shop"].map(series).to_vec(),
                warnings: Vec::new(),
                is_narrowed: false,
            })
        })
    }
}

/// An environment whose services are in a directory of its name, with a query of its name.
fn environment(name: &str) -> Arc<Environment> {
    let (signal, source) = (SignalName::new("errors").unwrap(), SourceName::new("sim").unwrap());
    let signal = Signal {
        by: Some("service".to_owned()),
        rule: Rule::Limit { limit: 0.05, for_secs: 60 },
        step_secs: 30,
        role: Role::Critical,
        ..Signal::new(signal, source, name, SignalKind::ErrorRatio)
    };
    let policy = Policy {
        mode: Mode::Auto,
        settle_secs: 0,
        watch_secs: 1_200,
        baseline_secs: 600,
        quorum: 1,
        ..Policy::default()
    };
    let files = ServiceFiles::Pattern(PathPattern::new(&format!("{name}/{{service}}/**")).unwrap());
    let rule = ServiceRule { signals: vec![signal], policy, ..ServiceRule::new(files) };
    let branch = BranchName::new("main").unwrap();
    Arc::new(Environment {
        budget: Budget { max_reverts: 5, window_secs: 3_600, incident_services: 9 },
        ..Environment::new(EnvironmentName::new(name).unwrap(), branch, vec![rule])
    })
}

fn path(environment: &str, service: &str) -> FilePath {
    FilePath::new(format!("{environment}/{service}/values.yaml")).unwrap()
}

/// A remote on which each of these services was deployed, each by a commit of its own.
fn remote(services: &[(&str, &str)]) -> Arc<Mutex<Remote>> {
    let person = || Person { name: "ann".to_owned(), email: "ann@example.com".to_owned() };
    let text = |tag: &str| Arc::from(format!("image:\n  tag: {tag}\n").as_bytes());
    let branch = BranchName::new("main").unwrap();
    let mut remote = Remote::default();
    let mut tree: Tree = services.iter().map(|(env, service)| (path(env, service), text("v1"))).collect();
    let begin = Time::from_unix(NOW - 86_400);
    remote.put(&branch, Node::new(Vec::new(), tree.clone(), person(), "begin\n", begin));
    for (environment, service) in services {
        tree.insert(path(environment, service), text("v2"));
        let parent = remote.tip(&branch).id;
        let (message, at) = (format!("Deploy {service}\n"), Time::from_unix(deployed_at(service)));
        remote.put(&branch, Node::new(vec![parent], tree.clone(), person(), &message, at));
    }
    Arc::new(Mutex::new(remote))
}

fn world(
    remote: &Arc<Mutex<Remote>>,
    environments: &[&str],
    answer: impl Fn(&str) -> bool + Send + Sync + 'static,
    fates: Fates,
) -> World {
    let repository: Arc<dyn Repository> = Arc::new(AgentClone::new(remote, &Process::new(fates, None)));
    let source: Arc<dyn MetricSource> = Arc::new(Metrics(Box::new(answer)));
    let estate = Estate {
        name: RepositoryName::new("repository").unwrap(),
        repository,
        forge: None,
        environments: environments.iter().map(|name| environment(name)).collect(),
    };
    World {
        estates: vec![Arc::new(estate)],
        sources: BTreeMap::from([(SourceName::new("sim").unwrap(), Source::new(source, &[]))]),
        registries: None,
        source_code: None,
        clock: Arc::new(Now),
        config: String::new(),
        records_proven: false,
        memo: Arc::default(),
    }
}

fn calm() -> Fates {
    Box::new(|_, _| Fate::Go)
}

/// The tag of a service at the tip of the remote's branch.
fn tag(remote: &Arc<Mutex<Remote>>, environment: &str, service: &str) -> String {
    let remote = remote.lock().unwrap();
    let bytes = &remote.tip(&BranchName::new("main").unwrap()).tree[&path(environment, service)];
    String::from_utf8(bytes.to_vec()).unwrap().rsplit(' ').next().unwrap().trim().to_owned()
}

/// The services of whose deployments something is written down, but for where the branch was seen.
fn noted(remote: &Arc<Mutex<Remote>>) -> Vec<String> {
    let remote = remote.lock().unwrap();
    let has_verdict = |note: &str| note.lines().any(|line| line.contains("\"kind\":\"verdict\""));
    let noted = remote.notes.iter().filter(|(_, note)| has_verdict(note));
    noted.map(|(commit, _)| remote.commits[commit].message.trim().replace("Deploy ", "")).collect()
}

/// The problems of each environment of a report.
fn problems(report: &PassReport) -> Vec<String> {
    report.environments.iter().map(|one| one.problems.join("; ")).collect()
}

const BOTH: [(&str, &str); 2] = [("one", "shop"), ("two", "shop")];

#[tokio::test]
async fn a_panic_of_a_metric_source_ends_the_pass_of_its_environment_and_no_other() {
    let remote = remote(&BOTH);
    let answer = |query: &str| {
        assert!(query != "one", "the source broke");
        true
    };
    let world = world(&remote, &["one", "two"], answer, calm());
    let report = pass(&world, Intent::Act, &Stop::default()).await.unwrap();
    let told = problems(&report);
    assert!(told[0].contains("backout itself failed") && told[0].contains("the source broke"), "{told:?}");
    assert_eq!(told[1], "");
    assert!(report.failed() && report.acted());
    assert_eq!([tag(&remote, "one", "shop"), tag(&remote, "two", "shop")], ["v2", "v1"]);
    // With nothing done the error is all that there is to tell.
    let again = pass(&world, Intent::Act, &Stop::default()).await.unwrap();
    assert!(again.failed() && !again.acted() && !again.escalated());
}

#[tokio::test]
async fn a_panic_over_one_revert_is_that_ones_alone() {
    let remote = remote(&[("one", "cart"), ("one", "shop"), ("two", "shop")]);
    let first = AtomicUsize::new(0);
    let fates: Fates = Box::new(move |_, name| match name {
        "commit_and_push" if first.fetch_add(1, Ordering::SeqCst) == 0 => Fate::Panic,
        _ => Fate::Go,
    });
    let world = world(&remote, &["one", "two"], |_| true, fates);
    let report = pass(&world, Intent::Act, &Stop::default()).await.unwrap();
    let told = problems(&report);
    assert!(told[0].contains("the revert of cart") && told[0].contains("the port broke"), "{told:?}");
    assert_eq!(told[1], "");
    let tags = [tag(&remote, "one", "cart"), tag(&remote, "one", "shop"), tag(&remote, "two", "shop")];
    assert_eq!(tags, ["v2", "v1", "v1"]);
    assert_eq!(noted(&remote), ["shop", "shop"], "nothing is said for good of the other");
    let again = pass(&world, Intent::Act, &Stop::default()).await.unwrap();
    assert!(again.acted() && !again.failed());
    assert_eq!(tag(&remote, "one", "cart"), "v1");
}

#[tokio::test(start_paused = true)]
async fn the_daemon_goes_on_after_a_panic() {
    let remote = remote(&[("one", "shop")]);
    let asked = AtomicUsize::new(0);
    let answer = move |_: &str| {
        assert!(asked.fetch_add(1, Ordering::SeqCst) > 0, "the source broke");
        true
    };
    let world = world(&remote, &["one"], answer, calm());
    let stop = Stop::default();
    let mut reports = Vec::new();
    run(&world, 10, (&stop, &Wakes::default(), &Share::default()), |_, report| {
        reports.push(report.unwrap());
        if reports.len() == 2 {
            stop.set();
        }
    })
    .await;
    assert!(problems(&reports[0])[0].contains("the source broke"));
    assert!(reports[1].acted() && !reports[1].failed());
    assert_eq!(tag(&remote, "one", "shop"), "v1");
}

#[tokio::test]
async fn a_revert_that_was_pushed_is_told_and_written_down_whatever_fails_after_it() {
    // Whether the branch cannot be fetched again, or its history cannot be read then.
    for failing in ["fetch", "history", "notes"] {
        for fate in [Fate::Fail, Fate::Panic] {
            let remote = remote(&[("one", "cart"), ("one", "shop")]);
            let (mut pushed, mut failed) = (false, false);
            let fates: Fates = Box::new(move |_, name| {
                let fails = pushed && !failed && name == failing;
                pushed |= name == "commit_and_push";
                failed |= fails;
                if fails { fate } else { Fate::Go }
            });
            let world = world(&remote, &["one"], |_| true, fates);
            let report = pass(&world, Intent::Act, &Stop::default()).await.unwrap();
            let what = format!("{failing} {fate:?}: {:?}", problems(&report));
            assert!(report.acted() && report.failed(), "{what}");
            assert_eq!(tag(&remote, "one", "cart"), "v1", "{what}");
            let of_cart = report.items().find(|item| item.service.as_str() == "cart").unwrap();
            assert!(of_cart.revert.is_some(), "{what}");
            assert!(noted(&remote).contains(&"cart".to_owned()), "{what}");
            let again = pass(&world, Intent::Act, &Stop::default()).await.unwrap();
            assert!(!again.failed(), "{what}");
            assert_eq!(tag(&remote, "one", "shop"), "v1", "{what}");
        }
    }
}

#[tokio::test]
async fn a_pass_that_is_cut_short_says_so_of_every_environment() {
    let remote = remote(&BOTH);
    let stop = Stop::default();
    let on_question = stop.clone();
    let answer = move |_: &str| {
        on_question.set();
        false
    };
    let world = world(&remote, &["one", "two"], answer, calm());
    let report = pass(&world, Intent::Act, &stop).await.unwrap();
    let told: Vec<bool> = report.environments.iter().map(|one| one.cut_short).collect();
    assert_eq!(told, [true, true]);
    assert!(report.failed() && !report.acted() && report.items().next().is_none());
    assert!(noted(&remote).is_empty());
}

#[tokio::test]
async fn what_was_done_before_a_pass_was_cut_short_is_told_and_written_down() {
    let remote = remote(&[("one", "cart"), ("one", "shop"), ("two", "shop")]);
    let stop = Stop::default();
    let on_push = stop.clone();
    let fates: Fates = Box::new(move |_, name| {
        if name == "commit_and_push" {
            on_push.set();
        }
        Fate::Go
    });
    let world = world(&remote, &["one", "two"], |_| true, fates);
    let report = pass(&world, Intent::Act, &stop).await.unwrap();
    assert!(report.acted() && report.environments.iter().all(|one| one.cut_short));
    assert_eq!([tag(&remote, "one", "cart"), tag(&remote, "one", "shop")], ["v1", "v2"]);
    assert_eq!(noted(&remote), ["cart"]);
}
