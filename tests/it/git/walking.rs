//! History shown commit by commit, and only as far as a question is about it.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::PathBuf;

use backout::adapters::git::GitRepository;
use backout::domain::deployment::Detector;
use backout::domain::environment::pattern::{PathGlobs, PathPattern};
use backout::domain::environment::policy::Policy;
use backout::domain::environment::{Environment, ServiceFiles, ServiceRule};
use backout::domain::history::scope::{Everything, Interest, Scope, Tracked};
use backout::domain::history::snapshot::{Commit, Snapshot};
use backout::domain::time::Time;
use backout::ports::{HistoryQuery, Repository};
use sha2::{Digest as _, Sha256};

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
    let services = files.into_iter().map(rule).collect();
    Environment {
        paths: paths.map(globs),
        ..Environment::new("production".parse().unwrap(), main_branch(), services)
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
            file.turned = None;
        }
    }
    for commit in &mut snapshot.commits {
        commit.files.retain(|file| {
            let says_something = file.old.is_some() || file.new.is_some() || file.turned.is_some();
            says_something && scope.file(file.path.as_str()) != Interest::Nothing
        });
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
            let found = Detector::new(environment).all(&full);
            assert_eq!(Detector::new(environment).all(&snapshot), found, "seed {seed}");
            deployments += found.len();
            flagged += found.iter().filter(|deployment| !deployment.schema.is_empty()).count();

            let services: BTreeSet<_> = found.iter().map(|deployment| deployment.service.clone()).collect();
            for service in services.iter().take(5) {
                let scope = Tracked::new(environment, Some(service));
                let mut detector = Detector::new(environment);
                let commits = walked(&repository, &all_since(&environment.branch, &scope));
                let alone: Vec<_> =
                    commits.iter().flat_map(|one| detector.next_with_reverts(one).0).collect();
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

/// The file of the cache that says which files the commits of the branch changed.
fn touched(cache: &std::path::Path) -> PathBuf {
    let entries = std::fs::read_dir(directory(cache)).unwrap().map(|entry| entry.unwrap().path());
    let mut hints = entries.filter(|path| path.to_string_lossy().contains("backout-touched-"));
    hints.next().expect("the file is written when the history is fetched ahead")
}

/// Commits on top of the branch: one file each, one of them with a name that no line can hold, and many files in the last.
fn more_commits() -> String {
    let mut text = String::new();
    for n in 0..12 {
        text.push_str(&format!(
            "commit refs/heads/main\ncommitter a <a@a> {} +0000\ndata 1\nx\n",
            1_700_000_000 + n
        ));
        if n == 0 {
            text.push_str("from refs/heads/main^0\n");
        }
        let paths: Vec<String> = match n {
            5 => vec!["\"apps/svc-1\\t/values.yaml\"".to_owned()],
            11 => (0..100).map(|nth| format!("apps/svc-{nth}/values.yaml")).collect(),
            _ => vec![format!("apps/svc-0{}/values.yaml", n % 4)],
        };
        for path in paths {
            text.push_str(&format!("M 100644 inline {path}\ndata 21\nimage:\n  tag: v2.0{n:02}\n\n"));
        }
    }
    text
}

#[test]
fn what_is_remembered_of_changed_files_hides_none() {
    let environment = environment(None, "apps/{service}/values.yaml", "top?", "wide/*7");
    let services: Vec<backout::domain::ids::ServiceName> =
        ["svc-01", "svc-02", "svc-17", "named"].iter().map(|name| name.parse().unwrap()).collect();
    let remote = HttpRemote::start();
    fast_import(&remote.repository(), random_history(1, 150).as_bytes());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    let in_scopes = || -> Vec<Vec<Commit>> {
        let of = |service| {
            walked(&repository, &all_since(&environment.branch, &Tracked::new(&environment, Some(service))))
        };
        services.iter().map(of).collect()
    };
    let ahead = || {
        repository.fetch(&[main_branch()]).unwrap();
        repository.deepen(&main_branch(), Time::from_unix(0)).unwrap();
    };
    ahead();
    let first = std::fs::read_to_string(touched(cache.path())).unwrap();
    // With new commits on top, and with those before left out by another process.
    fast_import(&remote.repository(), more_commits().as_bytes());
    ahead();
    let file = touched(cache.path());
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), first.lines().count() + 12, "{text}");
    assert!(text.ends_with(first.split_once('\n').unwrap().1), "what was known goes on behind it");
    assert_eq!(text.lines().filter(|line| line.ends_with('?')).count() - first.matches('?').count(), 2);
    let with = in_scopes();
    assert!(with.iter().flatten().any(|commit| !commit.files.is_empty()));
    std::fs::remove_file(&file).unwrap();
    assert_eq!(with, in_scopes(), "it hides something");
    // It is used where it is whole, and only then.
    let (head, lines) = text.split_once('\n').unwrap();
    let lies: String = lines.lines().map(|line| format!("{}\tnowhere\n", &line[..40])).collect();
    let since = head.split(' ').nth(1).unwrap();
    let sum: String =
        Sha256::digest(format!("{since}\n{lies}")).iter().map(|byte| format!("{byte:02x}")).collect();
    std::fs::write(&file, format!("touched-1 {since} {sum}\n{lies}")).unwrap();
    let hidden = in_scopes();
    assert!(hidden.iter().flatten().filter(|commit| !commit.files.is_empty()).count() <= services.len());
    for broken in [format!("{head}\n{lies}"), text[..text.len() / 2].to_owned(), String::new()] {
        std::fs::write(&file, broken).unwrap();
        assert_eq!(with, in_scopes(), "a damaged file is believed");
    }
    // A branch that was moved back has other commits.
    git(&remote.repository(), &["update-ref", "refs/heads/main", "main~5"]);
    ahead();
    let moved = in_scopes();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(moved, in_scopes());
}
