//! Repositories on this machine: paths, `file://` URLs, work trees.

use backout::ports::{PushError, Repository, RepositoryError};

use super::{fetch_main, history_since, id, main_branch, open, options, push_file};
use crate::support::git::{WorkTree, bare, git};

#[test]
fn paths_urls_and_directories_inside_a_work_tree_are_opened() {
    let unused = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    let tip = people.commit_file("deep/a", "1");
    let root = people.path().to_str().unwrap();
    for url in [root.to_owned(), format!("{root}/.git"), format!("file://{root}"), format!("{root}/deep")] {
        let repository = open(options(&url, unused.path()));
        assert_eq!(fetch_main(&repository), id(&tip), "{url}");
        assert_eq!(history_since(&repository, 0).commits.len(), 1);
    }
    assert_eq!(std::fs::read_dir(unused.path()).unwrap().count(), 0, "local repositories need no cache");
    let missing = options(unused.path().to_str().unwrap(), unused.path());
    // Told when it is fetched: what is not there holds up no other repository of the process.
    let error = open(missing).fetch(&[main_branch()]).unwrap_err();
    assert!(error.to_string().contains("no Git repository"), "{error}");
}

#[test]
fn a_branch_that_is_checked_out_is_not_pushed_to() {
    let unused = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    let tip = people.commit_file("a", "1");
    let repository = open(options(people.path().to_str().unwrap(), unused.path()));
    let error = push_file(&repository, id(&tip), "a", "2").unwrap_err();
    assert!(
        matches!(&error, PushError::Repository(RepositoryError::Denied { reason, .. }) if reason.contains("bare")),
        "{error}"
    );
    repository.check_push(&main_branch()).unwrap_err();
    assert_eq!(people.git(&["rev-parse", "main"]), tip);
    // Nor one that a linked work tree has checked out.
    people.git(&["switch", "-q", "--detach"]);
    repository.check_push(&main_branch()).unwrap();
    let linked = unused.path().join("linked");
    people.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "main"]);
    repository.check_push(&main_branch()).unwrap_err();
    people.git(&["worktree", "remove", linked.to_str().unwrap()]);
    push_file(&repository, id(&tip), "a", "2").unwrap();
    assert_eq!(people.git(&["show", "main:a"]), "2");
}

#[test]
fn a_shallow_repository_says_how_to_mend_it() {
    let parent = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    people.commit_file("a", "1");
    people.commit_file("a", "2");
    let path = parent.path().join("shallow.git");
    let url = format!("file://{}", people.path().display());
    git(parent.path(), &["clone", "-q", "--bare", "--depth", "1", &url, path.to_str().unwrap()]);
    let repository = open(options(path.to_str().unwrap(), parent.path()));
    let branch = main_branch();
    let epoch = backout::domain::time::Time::from_unix(0);
    let query = backout::ports::HistoryQuery {
        branch: &branch,
        diffs_since: epoch,
        commits_since: epoch,
        diffs_until: epoch,
        now: epoch,
        scope: &backout::domain::history::scope::Everything,
    };
    let error = repository.history(&query).unwrap_err();
    assert!(error.to_string().contains("--unshallow"), "{error}");
}

#[test]
fn a_ref_that_is_locked_is_a_rejection() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let mut people = WorkTree::new();
    let tip = people.commit_file("a", "1");
    people.push(&path);
    let repository = open(options(path.to_str().unwrap(), parent.path()));
    std::fs::write(path.join("refs/heads/main.lock"), "").unwrap();
    let error = push_file(&repository, id(&tip), "a", "2").unwrap_err();
    assert!(matches!(&error, PushError::Rejected { reason, .. } if reason.contains("lock")), "{error}");
    repository.check_push(&main_branch()).unwrap_err();
    std::fs::remove_file(path.join("refs/heads/main.lock")).unwrap();
    repository.check_push(&main_branch()).unwrap();
    let second = push_file(&repository, id(&tip), "a", "2").unwrap();
    // A packed ref is compared as well as a loose one.
    git(&path, &["pack-refs", "--all", "--prune"]);
    push_file(&repository, id(&tip), "a", "3").unwrap_err();
    let third = push_file(&repository, second, "a", "3").unwrap();
    assert_eq!(git(&path, &["rev-parse", "main"]), third.to_string());
}

#[test]
fn proposals_come_and_go_in_a_bare_repository_of_this_machine() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let mut people = WorkTree::new();
    let tip = people.commit_file("a/values.yaml", "tag: 2\n");
    people.push(&path);
    git(&path, &["pack-refs", "--all"]);
    let repository = open(options(path.to_str().unwrap(), parent.path()));
    super::transports::proposals_come_and_go(&repository, &path, id(&tip));
    git(&path, &["fsck", "--strict"]);
}
