//! Tells of each commit of a branch which deployments `backout` finds in it and why, or why it finds none: to check on a history that one
//! knows what is taken for a deployment and what is missed.
//!
//! ```text
//! cargo run --release --example detect_history -- REPO [--since DATE] [--branch NAME] [--pattern PATTERN] [--none]
//! ```
//!
//! `REPO` is the path of a local clone. Without `--pattern` (such as `apps/{service}/**`) the first directory of a file is its
//! service. `--since`
//! takes a date (`2026-01-31`). `--none` tells only of commits in which nothing was found. A line that begins with `+` is a release field,
//! `!` what a person has to put back, `-` a value that changed and is none. Nothing is written, but for a temporary clone.
#![expect(clippy::print_stdout, reason = "printing what was found is what this program is for")]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use backout::adapters::clock::SystemClock;
use backout::adapters::git::{GitAuth, GitOptions, GitRepository, SshOptions};
use backout::adapters::http::HttpOptions;
use backout::domain::deployment::{Deployment, Detector};
use backout::domain::environment::pattern::PathPattern;
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::field::{self, Document, FieldRule, File, Selection};
use backout::domain::history::scope::Tracked;
use backout::domain::history::snapshot::{Commit, FileDiff, Person};
use backout::domain::time::Time;
use backout::ports::{Clock as _, HistoryQuery, Repository as _};

/// The most values of a commit that are listed as none.
const MAX_NONE: usize = 10;

/// The arguments of the program.
struct Asked {
    repo: PathBuf,
    since: Time,
    branch: Option<String>,
    pattern: Option<String>,
    only_none: bool,
}

impl Asked {
    fn read() -> Result<Self> {
        let mut arguments = std::env::args().skip(1);
        let mut asked = Self {
            repo: PathBuf::new(),
            since: Time::from_unix(0),
            branch: None,
            pattern: None,
            only_none: false,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--since" => asked.since = day(&value()?)?,
                "--branch" => asked.branch = Some(value()?),
                "--pattern" => asked.pattern = Some(value()?),
                "--none" => asked.only_none = true,
                unknown if unknown.starts_with('-') => bail!("unknown option {unknown}"),
                repo => asked.repo = PathBuf::from(repo),
            }
        }
        ensure!(!asked.repo.as_os_str().is_empty(), "say which repository: detect_history REPO");
        Ok(asked)
    }
}

fn day(text: &str) -> Result<Time> {
    let date: jiff::civil::Date =
        text.parse().with_context(|| format!("{text} is no date such as 2026-01-31"))?;
    Ok(Time::from_unix(date.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp().as_second()))
}

fn main() -> Result<()> {
    let asked = Asked::read()?;
    let repo = asked.repo.canonicalize().with_context(|| format!("{} is not there", asked.repo.display()))?;
    let branch = match &asked.branch {
        Some(branch) => branch.clone(),
        None => checked_out(&repo)?,
    };
    let patterns = match &asked.pattern {
        Some(pattern) => vec![pattern.as_str()],
        None => vec!["{service}/**", "{service}"],
    };
    let rule = |pattern: &str| Ok(ServiceRule::new(ServiceFiles::Pattern(PathPattern::new(pattern)?)));
    let services = patterns.into_iter().map(rule).collect::<Result<_>>()?;
    let environment = Environment::new("all".parse()?, branch.parse()?, services);
    let cache = tempfile::tempdir()?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let repository = GitRepository::open(options(&repo, cache.path()), runtime.handle().clone())?;
    repository.fetch(std::slice::from_ref(&environment.branch))?;
    let now = SystemClock.now();
    let query = HistoryQuery {
        branch: &environment.branch,
        diffs_since: asked.since,
        diffs_until: now,
        commits_since: asked.since,
        now,
        scope: &Tracked::new(&environment, None),
    };
    let mut detector = Detector::new(&environment);
    let mut count = BTreeMap::new();
    let history = |next: &mut dyn FnMut(_) -> _| repository.walk(&query, next);
    detector.walk(history, |_, commit: &Commit, (found, reverts)| {
        let kind = match (found.is_empty(), reverts.is_empty(), commit.files.is_empty()) {
            (_, false, _) => "reverts of the agent",
            (false, true, _) => "deployments",
            (true, true, false) => "commits that deploy nothing",
            (true, true, true) => "commits that changed no file of a service",
        };
        *count.entry(kind).or_insert(0_u32) += 1;
        let is_asked_for = !asked.only_none || found.is_empty();
        if is_asked_for && !commit.files.is_empty() {
            tell(commit, &found);
        }
        ControlFlow::Continue(())
    })?;
    println!(
        "\n+ a release field   ! for a person to put back   - what else changed, where the commit deploys nothing"
    );
    for (kind, commits) in count {
        println!("{commits} {kind}");
    }
    Ok(())
}

/// The branch that a clone has checked out.
fn checked_out(repo: &Path) -> Result<String> {
    let head = std::fs::read_to_string(repo.join(".git/HEAD"))
        .or_else(|_| std::fs::read_to_string(repo.join("HEAD")));
    let head = head.with_context(|| format!("{} is no clone", repo.display()))?;
    let branch = head.trim().strip_prefix("ref: refs/heads/");
    Ok(branch
        .with_context(|| format!("{} has no branch checked out: say --branch", repo.display()))?
        .to_owned())
}

fn options(repo: &Path, cache: &Path) -> GitOptions {
    let nobody = Person::default();
    GitOptions {
        url: repo.to_string_lossy().into_owned(),
        cache_dir: cache.join("cache"),
        auth: GitAuth::None,
        ssh: SshOptions::default(),
        author: nobody.clone(),
        committer: nobody,
        sign_off: false,
        signing: None,
        record_keys: backout::record::keys::RecordKeys::default(),
        http: HttpOptions::default(),
    }
}

fn tell(commit: &Commit, found: &[Deployment]) {
    println!("{} {} {}", commit.id.short(), commit.at, shown(commit.subject()));
    for deployment in found {
        println!("  {}", deployment.service);
        for field in &deployment.fields {
            let mark = if field.rule == FieldRule::ByHand || field.engine { '!' } else { '+' };
            let (path, address, rule) = (&field.path, &field.address, field.rule);
            println!("    {mark} {path}: {address}: {} -> {} ({rule})", shown(&field.old), shown(&field.new));
        }
        for change in &deployment.schema {
            println!("    schema, {}: {}", change.detector.name(), shown(&change.what));
        }
        for (what, why) in [("whole", &deployment.bound), ("beyond", &deployment.beyond)] {
            if let Some(why) = why {
                println!("    {what}: {}", shown(why));
            }
        }
    }
    if found.is_empty() {
        let none: Vec<String> = commit.files.iter().flat_map(why_none).collect();
        for line in none.iter().take(MAX_NONE) {
            println!("    - {line}");
        }
        if none.len() > MAX_NONE {
            println!("    - and {} more", none.len() - MAX_NONE);
        }
    }
}

/// A line for each value that a commit changed in a file, with the reason why it is no release field.
fn why_none(file: &FileDiff) -> Vec<String> {
    let path = &file.path;
    let (old, new) = match (&file.old, &file.new) {
        (Some(old), Some(new)) => (old, new),
        (None, Some(_)) => return vec![format!("{path}: is new")],
        (Some(_), None) => return vec![format!("{path}: is gone")],
        (None, None) => return vec![format!("{path}: is no file")],
    };
    let document = |bytes: &Option<std::sync::Arc<[u8]>>| Document::new(bytes.clone()?);
    let (Some(old), Some(new)) = (document(&old.bytes), document(&new.bytes)) else {
        return vec![format!("{path}: is no text, or larger than what is read")];
    };
    let compared = field::compare(&File { path: path.as_str(), fields: &Selection::default() }, &old, &new);
    let changed = compared.changes.iter().map(|change| {
        format!(
            "{path}: {}: {} -> {}: no release field",
            change.address,
            shown(change.old_shown()),
            shown(change.new_shown())
        )
    });
    let came_or_went: Vec<String> = compared
        .left_behind()
        .skip(compared.changes.len())
        .map(|address| format!("{path}: {address}: came or went"))
        .collect();
    let all: Vec<String> = changed.chain(came_or_went).collect();
    if all.is_empty() { vec![format!("{path}: nothing but spaces, quotes and comments")] } else { all }
}

/// Untrusted text in one line.
fn shown(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect()
}
