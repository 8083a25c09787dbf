//! What every end-to-end test plays on: an environment repo with people and bots in it, a configuration, and the built
//! program.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use backout::domain::judge::evidence::Found;
use serde_json::Value;

use super::metrics::{Metrics, clock, metrics};
use crate::support::command;
use crate::support::git::{WorkTree, bare, git, git_command, note_on, notes_refs, try_git};

/// Who commits, besides the agent.
pub(super) const PERSON: &str = "Dana Ops";
/// A program that does.
pub(super) const BOT: &str = "renovate[bot]";

/// The usual policy. What was deployed twelve minutes ago is watched for half an hour more, so that a verdict of this
/// moment is still the same when a busy machine comes to it.
pub(super) const POLICY: &str = "settle: 60s, watch: 40m, baseline: 30m";

/// The configuration in parts, for a test to change.
#[derive(Clone)]
pub(super) struct Config {
    /// More lines of `repository`.
    pub(super) repository: String,
    pub(super) environments: String,
    /// The address of the metric source; none for the stage's own.
    pub(super) metrics_url: Option<String>,
    /// More keys of the metric source.
    pub(super) metrics: String,
    pub(super) signals: String,
    pub(super) policy: String,
    pub(super) services: String,
    pub(super) run: String,
}

impl Config {
    /// Services at `apps/NAME/values.yaml` whose metrics are in `namespace`, judged by errors and latency, in one
    /// environment, `production`, on `main`.
    pub(super) fn of(namespace: &str) -> Self {
        Self {
            repository: String::new(),
            environments: "  production: {branch: main, mode: auto}\n".to_owned(),
            metrics_url: None,
            metrics: String::new(),
            signals: ERRORS.to_owned(),
            policy: POLICY.to_owned(),
            services: format!(
                "  - {{pattern: \"apps/{{service}}/values.yaml\", labels: {{namespace: {namespace}}}}}\n"
            ),
            run: String::new(),
        }
    }

    fn text(&self, url: &str, cache: &Path, own_metrics: &str) -> String {
        let repository = &self.repository;
        let repositories = format!("repository:\n  url: {url}\n  cache: {}\n{repository}", cache.display());
        self.text_with(&repositories, own_metrics)
    }

    /// The configuration with these lines for its repositories.
    pub(super) fn text_with(&self, repositories: &str, own_metrics: &str) -> String {
        let Self { environments, metrics_url, metrics, signals, policy, services, run, repository: _ } = self;
        let metrics_url = metrics_url.as_deref().unwrap_or(own_metrics);
        format!(
            "{repositories}environments:\n{environments}metrics:\n  \
             prom: {{kind: prometheus, url: \"{metrics_url}\"{metrics}}}\nsignals:\n{signals}policies:\n  \
             default: {{{policy}}}\nservices:\n{services}{run}"
        )
    }
}

/// A limit on the share of failed requests.
pub(super) const ERRORS: &str = r#"  errors:
    query: |
      sum by (app) (rate(requests_total{namespace="{{ namespace }}",code=~"5.."}[1m]))
      / sum by (app) (rate(requests_total{namespace="{{ namespace }}"}[1m]))
    by: app
    kind: error-ratio
    above: 5%
    for: 1m
    step: 30s
"#;

/// A signal that draws its own line.
pub(super) const LATENCY: &str = r#"  latency:
    query: |
      sum by (app) (rate(request_seconds_total{namespace="{{ namespace }}"}[1m]))
      / sum by (app) (rate(requests_total{namespace="{{ namespace }}"}[1m]))
    by: app
    kind: latency
    min_difference: 0.02
    step: 30s
"#;

/// An environment repo and an agent for it.
pub(super) struct Stage {
    metrics: Arc<Metrics>,
    now: i64,
    people: WorkTree,
    /// The bare repository that everybody pushes to.
    pub(super) bare: PathBuf,
    /// The agent's own directory: its configuration and cache.
    pub(super) home: tempfile::TempDir,
    url: String,
    /// The agent's environment variables.
    pub(super) variables: Vec<(String, String)>,
}

impl Stage {
    /// On a bare repository in a directory of this machine.
    pub(super) fn on_path() -> Self {
        let home = tempfile::tempdir().unwrap();
        let bare = bare(home.path(), "env.git");
        let url = bare.to_str().unwrap().to_owned();
        let metrics = metrics();
        Self { now: metrics.now, metrics, people: WorkTree::new(), bare, home, url, variables: Vec::new() }
    }

    /// On a bare repository that the agent reaches through `url`.
    pub(super) fn on(bare: PathBuf, url: String) -> Self {
        let home = tempfile::tempdir().unwrap();
        let metrics = metrics();
        Self { now: metrics.now, metrics, people: WorkTree::new(), bare, home, url, variables: Vec::new() }
    }

    /// On a path, with the services of a namespace at v1 and the usual configuration.
    pub(super) fn with(namespace: &str, services: &[&str]) -> Self {
        let stage = Self::on_path();
        stage.begin(services);
        stage.configure(&Config::of(namespace));
        stage
    }

    /// The same with this configuration.
    pub(super) fn configured(namespace: &str, services: &[&str], config: &Config) -> Self {
        let stage = Self::with(namespace, services);
        stage.configure(config);
        stage
    }

    /// The directory of the people's clone.
    pub(super) fn clone_of_people(&self) -> &Path {
        self.people.path()
    }

    /// Where its metrics are.
    pub(super) fn metrics_url(&self) -> &str {
        &self.metrics.url
    }

    /// The moment that all minutes count from, in seconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.now
    }

    /// The same stage, for a test with metrics of its own: all minutes count from this moment.
    pub(super) fn starting_now(self) -> Self {
        Self { now: clock(), ..self }
    }

    /// Commits every service at v1, three hours ago.
    pub(super) fn begin(&self, services: &[&str]) {
        for service in services {
            self.write(&path_of(service), &values(service, "v1"));
        }
        self.commit(-180, PERSON, "Set the shop up");
        self.push();
    }

    /// Writes a file for the next commit.
    pub(super) fn write(&self, path: &str, text: &str) {
        self.people.write(path, text);
    }

    /// Runs `git` in the people's clone.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        self.people.git(arguments)
    }

    /// Commits everything, as if it had been done so many minutes from the stage's now; returns the id.
    pub(super) fn commit(&self, minutes: i64, who: &str, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.dated(minutes, who, &["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs `git` in the people's clone as somebody, some minutes from the stage's now.
    pub(super) fn dated(&self, minutes: i64, who: &str, arguments: &[&str]) {
        let date = format!("{} +0000", self.now() + minutes * 60);
        let output = git_command(self.people.path())
            .args(arguments)
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env("GIT_AUTHOR_NAME", who)
            .env("GIT_AUTHOR_EMAIL", "someone@example.com")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    /// Sets one service to a version, commits and pushes.
    pub(super) fn deploy(&self, service: &str, tag: &str, minutes: i64, who: &str) -> String {
        self.write(&path_of(service), &values(service, tag));
        let commit = self.commit(minutes, who, &format!("Deploy {service} {tag}"));
        self.push();
        commit
    }

    /// Sets services to a version by one commit, so many minutes ago.
    pub(super) fn deploy_all(&self, services: &[&str], tag: &str, minutes: i64, who: &str) -> String {
        for service in services {
            self.write(&path_of(service), &values(service, tag));
        }
        let commit = self.commit(minutes, who, &format!("Deploy the shop {tag}"));
        self.push();
        commit
    }

    /// Pushes the branch that is checked out.
    pub(super) fn push(&self) {
        self.people.push(&self.bare);
        self.forget_looks();
    }

    /// Pushes the branch that is checked out, as something that the agent sees to land just now.
    pub(super) fn land(&self) {
        self.people.push(&self.bare);
    }

    /// Has the agent forget when it looked at the branches, and the notes too. On the stage much time goes by between two moments: what was
    /// committed minutes ago would be known to have landed just now.
    pub(super) fn forget_looks(&self) {
        let mut directories = vec![self.home.path().to_owned()];
        while let Some(directory) = directories.pop() {
            for entry in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    directories.push(entry.path());
                } else if entry.file_name().to_string_lossy().ends_with(".seen") {
                    // Another process may put it there anew at this moment.
                    drop(std::fs::remove_file(entry.path()));
                }
            }
        }
        self.change_notes(|note| {
            let kept = note.lines().filter(|line| !is_look(line));
            kept.map(|line| format!("{line}\n")).collect()
        });
    }

    /// Has somebody write other notes for those in which a look at a branch stands.
    pub(super) fn change_notes(&self, change: impl Fn(&str) -> String) {
        for notes in notes_refs(&self.bare) {
            self.change_notes_of(&notes, &change);
        }
    }

    fn change_notes_of(&self, notes: &str, change: &impl Fn(&str) -> String) {
        let found = try_git(&self.bare, &["grep", "-l", "-e", "^{\"kind\":\"seen\"", notes]);
        let found = String::from_utf8(found.stdout).unwrap();
        // All are read first: each that is written may move the others to other directories of the notes.
        let read = |name: &str| {
            let commit = name.trim_start_matches(notes).replace([':', '/'], "");
            (commit, change(&self.remote(&["show", name])))
        };
        let changed: Vec<(String, String)> = found.lines().map(read).collect();
        for (commit, text) in changed {
            let file = self.home.path().join("note");
            std::fs::write(&file, text).unwrap();
            let write = ["notes", "--ref", notes, "add", "--allow-empty", "-f", "-F"];
            self.remote(&[&write[..], &[file.to_str().unwrap(), &commit]].concat());
        }
    }

    /// The lines of the note on a commit, without those that say where the branch was seen.
    pub(super) fn note(&self, commit: &str) -> Vec<String> {
        let note = note_on(&self.bare, commit);
        note.lines().filter(|line| !is_look(line)).map(str::to_owned).collect()
    }

    /// The records of looks in the notes.
    pub(super) fn looks_in_notes(&self) -> Vec<Value> {
        let seen =
            |notes: String| try_git(&self.bare, &["grep", "-h", "-e", "^{\"kind\":\"seen\"", &notes]).stdout;
        let text = String::from_utf8(notes_refs(&self.bare).into_iter().flat_map(seen).collect()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Fetches what the agent pushed to a branch, and puts the people's clone there.
    pub(super) fn pull(&self) {
        self.git(&["pull", "-q", "--ff-only", self.bare.to_str().unwrap(), "main"]);
    }

    /// Makes the agent's last commit look as if it had been made some minutes from the stage's now, as if that much
    /// time had gone by since. Returns its new id.
    pub(super) fn backdate(&self, minutes: i64) -> String {
        self.pull();
        self.dated(minutes, "backout", &["commit", "-q", "--amend", "--no-edit", "--reset-author"]);
        self.git(&["push", "-q", "--force", self.bare.to_str().unwrap(), "HEAD"]);
        self.forget_looks();
        self.git(&["rev-parse", "HEAD"])
    }

    /// Runs `git` in the bare repository.
    pub(super) fn remote(&self, arguments: &[&str]) -> String {
        git(&self.bare, arguments)
    }

    /// A service's file on a branch of the remote.
    pub(super) fn file(&self, revision: &str, service: &str) -> String {
        self.remote(&["show", &format!("{revision}:{}", path_of(service))]) + "\n"
    }

    /// Every ref of the remote with what it points to.
    pub(super) fn refs(&self) -> String {
        self.remote(&["for-each-ref"])
    }

    /// The tip of `main` at the remote.
    pub(super) fn tip(&self) -> String {
        self.remote(&["rev-parse", "main"])
    }

    /// Writes the agent's configuration.
    pub(super) fn configure(&self, config: &Config) {
        self.write_config(&config.text(&self.url, &self.home.path().join("cache"), self.metrics_url()));
    }

    /// Writes the agent's configuration as a text.
    pub(super) fn write_config(&self, text: &str) {
        std::fs::write(self.home.path().join("backout.yaml"), text).unwrap();
    }

    /// The built program with these arguments, not started yet.
    pub(super) fn program(&self, arguments: &[&str]) -> Command {
        let mut program = command(env!("CARGO_BIN_EXE_backout"));
        program
            .args(arguments)
            .arg("--config")
            .arg(self.home.path().join("backout.yaml"))
            .current_dir(self.home.path())
            .env("HOME", self.home.path())
            .env_remove("BACKOUT_LOG")
            .env_remove("XDG_CACHE_HOME")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        program
    }

    /// Runs the built program to its end.
    pub(super) fn run(&self, arguments: &[&str]) -> Run {
        let Output { status, stdout, stderr } = self.program(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Run { code: status.code(), stdout: text(stdout), stderr: text(stderr) }
    }

    /// One pass, which must end with this exit code.
    #[track_caller]
    pub(super) fn pass(&self, code: i32) -> Value {
        self.run(&["run", "--once", "--format", "json"]).ended(code).json()
    }

    /// A plan, which must end with this exit code and change nothing.
    #[track_caller]
    pub(super) fn plan(&self, code: i32) -> Value {
        let before = self.refs();
        let report = self.run(&["plan", "--format", "json"]).ended(code).json();
        assert_eq!(self.refs(), before, "a plan changes nothing");
        report
    }

    /// One more pass, which must find nothing to do and change nothing.
    #[track_caller]
    pub(super) fn nothing_more(&self) -> Value {
        let before = self.refs();
        let report = self.pass(0);
        assert_eq!(self.refs(), before, "a second pass changes nothing: {report:#}");
        report
    }

    /// What is recorded in the notes, oldest first.
    #[track_caller]
    pub(super) fn history(&self) -> Vec<Value> {
        let records = self.run(&["history", "--format", "json"]).ended(0).json();
        records.as_array().unwrap().clone()
    }
}

/// How a run of the program ended.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Run {
    /// It must have ended with this exit code.
    #[track_caller]
    pub(super) fn ended(self, code: i32) -> Self {
        let Self { stdout, stderr, .. } = &self;
        assert_eq!(self.code, Some(code), "\n{stdout}\n{stderr}");
        self
    }

    /// What it printed, as JSON.
    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

fn is_look(line: &str) -> bool {
    line.starts_with("{\"kind\":\"seen\"")
}

/// Where a service's file is.
pub(super) fn path_of(service: &str) -> String {
    format!("apps/{service}/values.yaml")
}

/// The file of a service, as people write it: comments, quotes and odd spaces.
pub(super) fn values(service: &str, tag: &str) -> String {
    format!(
        "# {service}, by hand\nimage:\n  repository: registry.example.com/shop/{service}\n  tag:   \"{tag}\"  # by CI\n\
         replicas: 3\nresources:\n    limits: {{memory: 256Mi}}\n"
    )
}

/// What a report says about a service, in the environment where it is.
#[track_caller]
pub(super) fn item<'r>(report: &'r Value, service: &str) -> &'r Value {
    let mut items = items(report).filter(|item| item["service"] == service);
    let item = items.next().unwrap_or_else(|| panic!("nothing about {service}: {report:#}"));
    assert!(items.next().is_none(), "more than one item of {service}: {report:#}");
    item
}

/// All that a report is about.
pub(super) fn items(report: &Value) -> impl Iterator<Item = &Value> {
    report["environments"].as_array().unwrap().iter().flat_map(|one| one["items"].as_array().unwrap())
}

/// What was found out and what was decided, in two words.
pub(super) fn words(item: &Value) -> String {
    let word = |value: &Value| value.as_str().unwrap().to_owned();
    format!("{} {}", word(&item["judgement"]["verdict"]["verdict"]), word(&item["action"]))
}

/// The text of a field of an item.
pub(super) fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_else(|| panic!("no text {key} in {value:#}"))
}

/// The times and values of samples, as they stand in a record.
#[track_caller]
pub(super) fn samples(written: &Value) -> Vec<(i64, f64)> {
    let found: Found = serde_json::from_value(serde_json::json!({ "samples": written })).unwrap();
    let Found::Samples(samples) = found else { panic!("no samples in {written}") };
    samples.into_iter().map(|sample| (sample.at.unix(), sample.value)).collect()
}
