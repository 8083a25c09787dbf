//! History shown commit by commit, and only as far as a question is about it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;

use backout::adapters::git::GitRepository;
use backout::domain::deployment::{Detector, detect};
use backout::domain::environment::pattern::{PathGlobs, PathPattern};
use backout::domain::environment::policy::{Budget, Delivery, Policy, ReviewRules};
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::scope::{Everything, Interest, Scope, Tracked};
use backout::domain::history::snapshot::{Commit, Snapshot};
use backout::domain::time::Time;
use backout::ports::{HistoryQuery, Repository};

use super::caches::directory;
use super::properties::random_history;
use super::{history_since, http_options, main_branch, open, options};
use crate::support::git::{WorkTree, bare, fast_import, git, linear_history};
use crate::support::http_remote::HttpRemote;

fn globs(text: &str) -> PathGlobs {
    PathGlobs::new(vec![text.to_owned()]).unwrap()
}

/// One rule that finds services by a pattern, and one service with a glob.
fn environment(paths: Option<&str>, pattern: &str, glob: &str, migrations: &str) -> Environment {
    let mut policy = Policy::default();
    policy.schema.paths = globs(migrations);
    let files = [
        ServiceFiles::Pattern(PathPattern::new(pattern).unwrap()),
        ServiceFiles::Named("named".parse().unwrap(), globs(glob)),
    ];
    let rule = |files| ServiceRule { policy: policy.clone(), ..ServiceRule::new(files) };
    Environment {
        name: "production".parse().unwrap(),
        branch: main_branch(),
        paths: paths.map(globs),
        delivery: Delivery::Push,
        review: ReviewRules::default(),
        budget: Budget::default(),
        services: files.into_iter().map(rule).collect(),
    }
}

fn all_since<'a>(branch: &'a backout::domain::ids::BranchName, scope: &'a dyn Scope) -> HistoryQuery<'a> {
    let (start, end) = (Time::from_unix(0), Time::from_unix(4_000_000_000));
    HistoryQuery { branch, diffs_since: start, commits_since: start, diffs_until: end, now: end, scope }
}

fn walked(repository: &GitRepository, query: &HistoryQuery<'_>) -> Vec<Commit> {
    let mut commits = Vec::new();
    let head = repository.walk(query, &mut |commit| {
        commits.push(commit);
        ControlFlow::Continue(())
    });
    assert_eq!(head.unwrap(), commits[0].id);
    commits
}

/// The same history as far as it is in the scope.
fn filtered(full: &Snapshot, scope: &dyn Scope) -> Snapshot {
    let mut snapshot = full.clone();
    for file in snapshot.commits.iter_mut().flat_map(|commit| &mut commit.files) {
        if scope.file(file.path.as_str()) != Interest::Bytes {
            file.old.iter_mut().chain(&mut file.new).for_each(|version| version.bytes = None);
        }
    }
    for commit in &mut snapshot.commits {
        commit.files.retain(|file| scope.file(file.path.as_str()) != Interest::Nothing);
    }
    snapshot
}

#[test]
fn what_is_in_the_scope_is_found_as_if_everything_was_read() {
    let environments = [
        environment(None, "apps/{service}/values.yaml", "top?", "wide/*7"),
        environment(Some("apps/**"), "apps/{service}.yaml", "apps/svc-0?/*", "none/**"),
        environment(None, "**/{service}.yaml", "wide/00*", "apps/svc-1*"),
        environment(Some("nowhere/*"), "{service}", "*", "**/values.yaml"),
    ];
    let (mut deployments, mut flagged) = (0, 0);
    for seed in 0..6 {
        let parent = tempfile::tempdir().unwrap();
        let path = bare(parent.path(), "env.git");
        fast_import(&path, random_history(seed, 150).as_bytes());
        // Loose objects or the importer's pack, chains of differences, and several packs.
        match seed % 3 {
            1 => drop(git(&path, &["repack", "-q", "-a", "-d", "-f", "--window=50"])),
            2 => drop(git(&path, &["-c", "pack.packSizeLimit=1m", "repack", "-q", "-a", "-d", "-f"])),
            _ => {}
        }
        let repository = open(options(path.to_str().unwrap(), parent.path()));
        let full = history_since(&repository, 0);
        for environment in &environments {
            let tracked = Tracked::new(environment, None);
            let query = all_since(&environment.branch, &tracked);
            let snapshot = repository.history(&query).unwrap();
            assert_eq!(snapshot, filtered(&full, &tracked), "seed {seed}");
            assert_eq!(snapshot.commits, walked(&repository, &query), "seed {seed}");
            let found = detect(&full, environment);
            assert_eq!(detect(&snapshot, environment), found, "seed {seed}");
            deployments += found.len();
            flagged += found.iter().filter(|deployment| deployment.schema.is_some()).count();

            let services: BTreeSet<_> = found.iter().map(|deployment| deployment.service.clone()).collect();
            for service in services.iter().take(5) {
                let scope = Tracked::new(environment, Some(service));
                let mut detector = Detector::new(environment);
                let commits = walked(&repository, &all_since(&environment.branch, &scope));
                let alone: Vec<_> = commits.iter().flat_map(|commit| detector.next(commit)).collect();
                let among = found.iter().filter(|deployment| deployment.service == *service);
                assert_eq!(alone, among.cloned().collect::<Vec<_>>(), "seed {seed} {service}");
            }
        }
    }
    assert!(deployments > 50 && flagged > 0, "{deployments}, {flagged}: the test shows less than it says");
}

#[test]
fn a_walk_ends_when_the_visitor_has_seen_enough() {
    let unused = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    for text in ["1", "2", "3"] {
        people.commit_file("a", text);
    }
    let repository = open(options(people.path().to_str().unwrap(), unused.path()));
    let branch = main_branch();
    let mut seen = Vec::new();
    let head = repository.walk(&all_since(&branch, &Everything), &mut |commit| {
        seen.push(commit.id);
        if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let ids = people.git(&["rev-list", "--max-count=2", "main"]);
    assert_eq!(seen.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"), ids);
    assert_eq!(head.unwrap(), seen[0]);
}

#[test]
fn no_commit_is_visited_twice_when_the_cache_is_deepened_or_rebuilt() {
    let remote = HttpRemote::start();
    fast_import(&remote.repository(), &linear_history(600, 5, 1_600_000_000));
    let ids = git(&remote.repository(), &["rev-list", "main"]);
    let expected: Vec<&str> = ids.lines().collect();
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    let branch = main_branch();
    let query = all_since(&branch, &Everything);
    let visited = |repository: &GitRepository| {
        walked(repository, &query).iter().map(|commit| commit.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(visited(&repository), expected);

    // A file's bytes on the way are broken: those before it have been visited when that is found.
    let packs = std::fs::read_dir(directory(cache.path()).join("objects/pack")).unwrap().flatten();
    let packs = packs.map(|entry| entry.path()).filter(|path| path.extension().unwrap() == "pack");
    let packs: Vec<_> = packs.collect();
    for path in &packs {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        let length = file.metadata().unwrap().len();
        file.write_all_at(&[0xff; 64], length * 9 / 10).unwrap();
    }
    assert_eq!(visited(&open(http_options(&remote, cache.path()))), expected);
    let is_broken = |path: &PathBuf| {
        std::fs::read(path).is_ok_and(|bytes| bytes.windows(64).any(|window| window == [0xff; 64]))
    };
    assert!(!packs.iter().any(is_broken), "the cache was not rebuilt: the test shows less than it says");
}
