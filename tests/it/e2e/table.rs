//! Services whose metrics are a table in a file: a test says since when they fail, and with which version is its own affair.

use std::fmt::Write as _;

use serde_json::Value;

use super::stage::{BOT, PERSON, POLICY, Stage, items, words};
use crate::support::git::try_git;

/// What a configuration says, besides where the repository is.
#[derive(Clone)]
pub(super) struct Rules<'a> {
    pub(super) environments: &'a str,
    /// What is asked about each service.
    pub(super) query: &'a str,
    pub(super) policy: &'a str,
    pub(super) services: &'a str,
    /// More keys of the configuration.
    pub(super) more: &'a str,
}

impl<'a> Rules<'a> {
    /// Services whose metrics go by their name alone.
    pub(super) fn new(services: &'a str) -> Self {
        Self {
            environments: "{production: {branch: main, mode: auto}}",
            query: r#"errors{service="{{ service }}"}"#,
            policy: POLICY,
            services,
            more: "",
        }
    }

    /// Services whose metrics go by their cluster, too.
    pub(super) fn of_clusters(services: &'a str) -> Self {
        Self { query: r#"errors{service="{{ cluster }}-{{ service }}"}"#, ..Self::new(services) }
    }
}

/// Files, each with its path and its text.
pub(super) type Files<'a> = &'a [(&'a str, &'a str)];

/// A repository with these files since three hours, and an agent with these rules.
pub(super) fn stage(rules: &Rules<'_>, files: Files<'_>) -> Stage {
    let stage = Stage::on_path().starting_now();
    configure(&stage, rules);
    commit(&stage, files, -180, PERSON);
    stage
}

pub(super) fn configure(stage: &Stage, rules: &Rules<'_>) {
    configure_with(stage, rules, &format!("url: {}", stage.bare.display()));
}

/// With these keys of the repository.
pub(super) fn configure_with(stage: &Stage, rules: &Rules<'_>, repository: &str) {
    let Rules { environments, query, policy, services, more } = rules;
    stage.write_config(&format!(
        "repository: {{{repository}, cache: cache}}
environments: {environments}
metrics: {{file: {{kind: csv, path: metrics.csv}}}}
signals: {{errors: {{query: '{query}', kind: error-ratio}}}}
policies: {{default: {{{policy}}}}}
services: {services}
{more}"
    ));
}

/// Commits these files, and pushes.
pub(super) fn commit(stage: &Stage, files: Files<'_>, minutes: i64, who: &str) -> String {
    for (path, text) in files {
        stage.write(path, text);
    }
    let paths: Vec<&str> = files.iter().map(|(path, _)| *path).collect();
    let commit = stage.commit(minutes, who, &format!("Change {}", paths.join(", ")));
    stage.push();
    commit
}

/// A bot deploys these files.
pub(super) fn deploy(stage: &Stage, files: Files<'_>, minutes: i64) -> String {
    commit(stage, files, minutes, BOT)
}

/// Writes two hours of errors for each service: many since the minute that is said, until the other one, and else few.
pub(super) fn errors(stage: &Stage, services: &[(&str, &[(i64, i64)])]) {
    let mut table = "timestamp,metric,service,value\n".to_owned();
    for minute in -120_i64..=0 {
        for (service, failing) in services {
            let fails = failing.iter().any(|(from, to)| (*from..*to).contains(&minute));
            let uneven = if minute % 3 == 0 { 0.0005 } else { 0.0 };
            let value = if fails { 0.3 } else { 0.002 } + uneven;
            writeln!(table, "{},errors,{service},{value}", stage.now() + minute * 60).unwrap();
        }
    }
    std::fs::write(stage.home.path().join("metrics.csv"), table).unwrap();
}

/// A service that never fails.
pub(super) const FINE: &[(i64, i64)] = &[];
/// One that fails since 11 minutes.
pub(super) const LATELY: &[(i64, i64)] = &[(-11, 99)];
/// One that fails since 17 minutes.
pub(super) const BEFORE: &[(i64, i64)] = &[(-17, 99)];

/// The bytes of a file at the tip of `main`, as text; none where there is no such file.
pub(super) fn file(stage: &Stage, path: &str) -> Option<String> {
    let output = try_git(&stage.bare, &["cat-file", "blob", &format!("main:{path}")]);
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// All files at the tip of `main`.
pub(super) fn paths(stage: &Stage) -> String {
    stage.remote(&["ls-tree", "-r", "--name-only", "main"])
}

/// What a report says of each service, in its order: `checkout regressed revert`.
pub(super) fn told(report: &Value) -> Vec<String> {
    items(report).map(|item| format!("{} {}", item["service"].as_str().unwrap(), words(item))).collect()
}

/// What a report says that went wrong.
pub(super) fn problems(report: &Value) -> String {
    report["environments"].as_array().unwrap().iter().map(|one| one["problems"].to_string()).collect()
}

/// The lines that the last commit on `main` took away and brought, in its order.
pub(super) fn changed_lines(stage: &Stage) -> Vec<String> {
    let diff = stage.remote(&["diff", "--no-renames", "main^", "main"]);
    let is_change =
        |line: &&str| line.starts_with(['+', '-']) && !line.starts_with("+++") && !line.starts_with("---");
    diff.lines().filter(is_change).map(str::to_owned).collect()
}

/// How many commits `main` has since.
pub(super) fn commits_since(stage: &Stage, commit: &str) -> String {
    stage.remote(&["rev-list", "--count", &format!("{commit}..main")])
}
