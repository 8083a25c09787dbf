//! Every configuration under `examples/` loads, and its environment repo is understood: `backout plan` finds the
//! deployment of each service, and touches nothing.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use regex::Regex;
use tempfile::TempDir;

use crate::support::prometheus::{program, run};

/// Every example, with the services that `plan` must find, each as `environment/service`.
const EXAMPLES: [(&str, &[&str]); 6] = [
    (
        "argocd-applications",
        &["production/invoices", "production/mailer", "staging/invoices", "staging/mailer"],
    ),
    ("csv-metrics", &["production/checkout", "production/search"]),
    ("flux-helmreleases", &["production/shop/basket", "production/payments/ledger"]),
    ("helm-monorepo", &["production/catalog", "production/checkout", "staging/catalog", "staging/checkout"]),
    ("image-tags", &["prod/api", "prod/thumbnails", "prod/worker"]),
    ("kustomize-overlays", &["production/frontend", "production/search"]),
];

fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

fn variable(name: &str) -> Option<String> {
    Some(if name == "HOME" { "/nonexistent" } else { "x" }.to_owned())
}

#[test]
fn every_example_is_in_the_list() {
    let directories: BTreeSet<String> = std::fs::read_dir(examples())
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| entry.path().join("backout.yaml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    let listed: BTreeSet<String> = EXAMPLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(directories, listed, "add the new example to EXAMPLES, with its services");
}

#[test]
fn every_configuration_loads_as_it_stands() {
    for (name, _) in EXAMPLES {
        let file = examples().join(name).join("backout.yaml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(
            text.starts_with("# yaml-language-server: $schema=../../schemas/config.schema.json\n"),
            "{name}: the first line must name the schema, for editors"
        );
        backout::config::load(&[file], &variable).unwrap_or_else(|errors| panic!("{errors}"));
    }
}

/// A bare repository with two commits on each branch: what the example holds, and a new version of everything.
struct Repo {
    directory: TempDir,
}

impl Repo {
    fn of(example: &Path, branches: &BTreeSet<String>) -> Self {
        let repo = Self { directory: tempfile::tempdir().unwrap() };
        let work = repo.directory.path().join("work");
        run(program("cp").arg("-r").arg(example.join("repo")).arg(&work));
        repo.git(&["init", "-q", "-b", "start"]);
        repo.commit("first", 3 * 3_600);
        for file in files(&work) {
            let text = std::fs::read_to_string(&file).unwrap();
            std::fs::write(&file, bumped(&text)).unwrap();
        }
        repo.commit("deploy new versions", 900);
        for branch in branches {
            repo.git(&["branch", branch]);
        }
        run(program("git").args(["clone", "-q", "--bare"]).arg(&work).arg(repo.bare()));
        repo
    }

    fn bare(&self) -> PathBuf {
        self.directory.path().join("bare.git")
    }

    fn git(&self, arguments: &[&str]) {
        run(program("git").arg("-C").arg(self.directory.path().join("work")).args(arguments));
    }

    fn commit(&self, subject: &str, secs_ago: u64) {
        self.git(&["add", "-A"]);
        let at = format!("@{} +0000", now() - secs_ago);
        run(program("git")
            .arg("-C")
            .arg(self.directory.path().join("work"))
            .args(["-c", "user.name=bot", "-c", "user.email=bot@example.com", "-c", "commit.gpgSign=false"])
            .args(["commit", "-q", "-m", subject])
            .env("GIT_COMMITTER_DATE", &at)
            .env("GIT_AUTHOR_DATE", &at));
    }

    /// Everything that a write would change: each ref, and how many objects there are.
    fn state(&self) -> String {
        let say = |arguments: &[&str]| {
            let output = program("git").arg("-C").arg(self.bare()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        say(&["for-each-ref"]) + &say(&["count-objects", "-v"])
    }
}

#[expect(clippy::disallowed_methods, reason = "the program under test reads the clock too")]
fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with(".git") {
            found.extend(files(&path));
        } else if path.is_file() {
            found.push(path);
        }
    }
    found
}

/// As a bot does it with `sed`: the last number of each version goes up by one.
fn bumped(text: &str) -> String {
    let version =
        Regex::new(r#"(?m)^(\s*(?:tag|newTag|image_tag|targetRevision|version): *"?v?(?:\d+\.)*)(\d+)"#)
            .unwrap();
    let up = |found: &regex::Captures<'_>| format!("{}{}", &found[1], found[2].parse::<u64>().unwrap() + 1);
    version.replace_all(text, up).into_owned()
}

/// The configuration for another repository, with metric sources that are not there.
fn elsewhere(text: &str, url: &Path) -> String {
    let repository = Regex::new(r"(?m)^repository:\n(?:(?:[ #].*)?\n)*").unwrap();
    let text = repository.replace(text, format!("repository:\n  url: {}\n\n", url.display()));
    // Nobody is there either; a plan does not ask.
    let text = text.replace("\nforge:\n", "\nforge:\n  url: http://127.0.0.1:1\n  repository: made/up\n");
    let source = Regex::new(r"(?m)^    url: \S+$").unwrap();
    source.replace_all(&text, "    url: http://127.0.0.1:1").into_owned()
}

#[expect(clippy::disallowed_methods, reason = "tests start the program under test")]
fn plan(config: &Path) -> Output {
    let key = std::fs::read_to_string(crate::support::forge::app_key(config.parent().unwrap())).unwrap();
    Command::new(env!("CARGO_BIN_EXE_backout"))
        .args(["plan", "--format", "json", "--config"])
        .arg(config)
        .envs(["MIMIR_TOKEN", "GITLAB_TOKEN"].map(|name| (name, "x")))
        .env("GITHUB_APP_KEY", key)
        .env_remove("BACKOUT_LOG")
        .output()
        .unwrap()
}

#[track_caller]
fn check(name: &str) {
    let (_, expected) = EXAMPLES.iter().find(|(example, _)| *example == name).unwrap();
    let example = examples().join(name);
    let file = example.join("backout.yaml");
    let settings = backout::config::load(std::slice::from_ref(&file), &variable)
        .unwrap_or_else(|errors| panic!("{errors}"));
    let [estate] = settings.estates.as_slice() else { panic!("one repository") };
    let branches: BTreeSet<String> = estate.environments.iter().map(|e| e.branch.to_string()).collect();
    let repo = Repo::of(&example, &branches);
    let config = repo.directory.path().join("backout.yaml");
    std::fs::write(&config, elsewhere(&std::fs::read_to_string(&file).unwrap(), &repo.bare())).unwrap();

    let before = repo.state();
    let output = plan(&config);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{name}: {}: {errors}", output.status);
    let report: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{name}: {e}: {errors}"));
    let mut found = BTreeSet::new();
    for environment in report["environments"].as_array().unwrap() {
        assert_eq!(environment["problems"], serde_json::json!([]), "{name}");
        for item in environment["items"].as_array().unwrap() {
            let name = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
            found.insert(format!("{}/{}", name(&environment["environment"]), name(&item["service"])));
            assert_eq!(item["plan"], serde_json::Value::Null, "no data is never a reason to revert");
        }
    }
    let expected: BTreeSet<String> = expected.iter().map(|&service| service.to_owned()).collect();
    assert_eq!(found, expected, "{name}");
    assert_eq!(repo.state(), before, "{name}: plan must not write");
}

#[test]
fn argocd_applications() {
    check("argocd-applications");
}

#[test]
fn csv_metrics() {
    check("csv-metrics");
}

#[test]
fn flux_helmreleases() {
    check("flux-helmreleases");
}

#[test]
fn helm_monorepo() {
    check("helm-monorepo");
}

#[test]
fn image_tags() {
    check("image-tags");
}

#[test]
fn kustomize_overlays() {
    check("kustomize-overlays");
}
