//! A world within the test, with one service whose clock stands where a test puts it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use backout::adapters::git::{GitAuth, GitOptions, GitRepository, SshOptions};
use backout::adapters::http::HttpOptions;
use backout::agent::{Estate, Intent, PassReport, Source, Stop, World, pass};
use backout::domain::environment::freeze::Freeze;
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

use crate::e2e::stage::{path_of, values};
use crate::support::git::{WorkTree, bare};

/// A service that is bad since a moment.
pub(super) struct Metrics {
    pub(super) bad_since: i64,
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
pub(super) struct At(Time);

impl Clock for At {
    fn now(&self) -> Time {
        self.0
    }
}

pub(super) fn moment(text: &str) -> Time {
    serde_json::from_value(text.into()).unwrap()
}

/// A repository, with its cache beside it.
pub(super) fn repository(home: &tempfile::TempDir, url: &str, auth: GitAuth) -> Arc<dyn Repository> {
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
pub(super) fn world(home: &tempfile::TempDir, now: Time, bad_since: Time, freezes: Vec<Freeze>) -> World {
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
pub(super) fn deployed(at: Time) -> (tempfile::TempDir, String) {
    let home = tempfile::tempdir().unwrap();
    let bad = deploy_to(&bare(home.path(), "env.git"), at);
    (home, bad)
}

pub(super) fn deploy_to(bare: &Path, at: Time) -> String {
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
pub(super) async fn decided(world: &World) -> (Option<&'static str>, PassReport) {
    let report = pass(world, Intent::Act, &Stop::default()).await.unwrap();
    let action = report.items().next().map(|item| item.decision.word());
    (action, report)
}
