//! The heads of open pull requests: fetched once, within bounds, and compared with a branch.

use backout::domain::history::scope::Everything;
use backout::domain::ids::CommitId;
use backout::domain::review::OpenPull;
use backout::domain::review::incoming::Incoming;
use backout::ports::{Repository, RepositoryError};

use super::caches::directory;
use super::{fetch_main, history_since, http_options, id, open, options};
use crate::support::git::{WorkTree, bare, fast_import, git, linear_history};
use crate::support::http_remote::HttpRemote;

/// A branch on which `app` went from v1 to v2 and back, and the commits.
fn shop(remote: &std::path::Path) -> (WorkTree, [String; 3]) {
    let mut people = WorkTree::new();
    people.write("other", "1");
    let commits = ["v1", "v2", "v1"].map(|tag| people.commit_file("app", tag));
    people.push(remote);
    (people, commits)
}

/// Puts a commit on `from` under the ref of a pull request, and nowhere else.
fn offer(
    people: &mut WorkTree,
    remote: &std::path::Path,
    number: u64,
    from: &str,
    files: &[(&str, &str)],
) -> OpenPull {
    people.git(&["checkout", "-q", "--detach", from]);
    for (path, text) in files {
        people.write(path, text);
    }
    let head = people.commit("Offered");
    let reference = format!("refs/pull/{number}/head");
    people.push_as(remote, &format!("+HEAD:{reference}"));
    people.git(&["checkout", "-q", "main"]);
    OpenPull { number, head: id(&head), reference }
}

fn incoming(
    repository: &dyn Repository,
    pulls: &[&OpenPull],
    onto: CommitId,
) -> Result<Vec<Incoming>, RepositoryError> {
    let pulls: Vec<OpenPull> = pulls.iter().map(|pull| (*pull).clone()).collect();
    repository.incoming(&pulls, onto, &Everything)
}

/// The number of each, and each file with what it was at the fork, what the branch has and what the head has.
fn shown(found: &[Incoming]) -> Vec<(u64, Vec<String>)> {
    let text = |version: &Option<backout::domain::history::snapshot::FileVersion>| {
        version.as_ref().and_then(|version| version.text()).unwrap_or("-").to_owned()
    };
    let of = |one: &Incoming| {
        let files = one.changed.iter().map(|file| {
            let anew = one.anew.iter().find(|other| other.path == file.path);
            let branch = anew.map_or("the same".to_owned(), |anew| text(&anew.old));
            format!("{} {} {branch} {}", file.path, text(&file.old), text(&file.new))
        });
        (one.number, files.collect())
    };
    found.iter().map(of).collect()
}

#[test]
fn what_a_pull_request_changes_is_told_from_what_the_branch_changed_since() {
    let remote = HttpRemote::start();
    let (mut people, [first, second, third]) = shop(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    let tip = fetch_main(&repository);
    assert_eq!(tip, id(&third));
    let mut offer = |number, from: &str, files: &[(&str, &str)]| {
        offer(&mut people, &remote.repository(), number, from, files)
    };
    let pulls = [
        offer(1, &third, &[("app", "v2")]),
        offer(2, &first, &[("app", "v2")]),
        offer(3, &second, &[("other", "2")]),
        offer(4, &second, &[("app", "v1")]),
    ];
    let all: Vec<&OpenPull> = pulls.iter().collect();
    let found = incoming(&repository, &all, tip).unwrap();
    let expected = [
        (1, vec!["app v1 v1 v2".to_owned()]),
        (2, vec!["app v1 v1 v2".to_owned()]),
        (3, vec!["other 1 1 2".to_owned()]),
        (4, vec!["app v2 the same v1".to_owned()]),
    ];
    assert_eq!(shown(&found), expected);
    assert_eq!(found[1].base, id(&first));
    let refs = git(&directory(cache.path()), &["for-each-ref", "--format=%(refname)"]);
    assert_eq!(refs, "refs/heads/main", "the cache has no ref of them");
    // Each is fetched once, and stays when the server is gone.
    drop(remote);
    assert_eq!(shown(&incoming(&repository, &all, tip).unwrap()), expected);
}

#[test]
fn one_that_is_too_large_is_not_fetched_twice_and_keeps_no_other_out() {
    let remote = HttpRemote::start();
    let (mut people, [first, ..]) = shop(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    let tip = fetch_main(&repository);
    let small = offer(&mut people, &remote.repository(), 1, &first, &[("app", "v3")]);
    let mut random = fastrand::Rng::with_seed(7);
    let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(40 << 20).collect();
    std::fs::write(people.path().join("big"), bytes).unwrap();
    let big = offer(&mut people, &remote.repository(), 2, &first, &[("app", "v4")]);
    let unrelated = {
        let mut others = WorkTree::new();
        others.now += 5_000;
        let head = others.commit_file("app", "v5");
        others.push_as(&remote.repository(), "HEAD:refs/pull/3/head");
        OpenPull { number: 3, head: id(&head), reference: "refs/pull/3/head".to_owned() }
    };
    let gone = OpenPull { number: 4, head: id(&"4".repeat(40)), reference: "refs/pull/4/head".to_owned() };
    let all = [&big, &small, &unrelated, &gone];
    let found = incoming(&repository, &all, tip).unwrap();
    assert_eq!(shown(&found), [(1, vec!["app v1 v1 v3".to_owned()])]);
    let list = std::fs::read_to_string(directory(cache.path()).join("too-large-heads")).unwrap();
    assert_eq!(list, format!("{}\n", big.head));
    // The branch is read as before.
    assert_eq!(fetch_main(&repository), tip);
    assert_eq!(history_since(&repository, 0).commits.len(), 3);
    drop(remote);
    let found = incoming(&repository, &[&big, &small], tip).unwrap();
    assert_eq!(found.len(), 1, "nothing is asked for");
}

#[test]
fn a_shallow_cache_stays_as_deep_as_it_was() {
    let remote = HttpRemote::start();
    fast_import(&remote.repository(), &linear_history(600, 3, 1_600_000_000));
    let cache = tempfile::tempdir().unwrap();
    let repository = open(http_options(&remote, cache.path()));
    let tip = fetch_main(&repository);
    let depth = || {
        let directory = directory(cache.path());
        (
            git(&directory, &["rev-list", "--count", "main"]),
            std::fs::read_to_string(directory.join("shallow")).unwrap(),
        )
    };
    let before = depth();
    let mut people = WorkTree::new();
    people.git(&["pull", "-q", remote.repository().to_str().unwrap(), "main"]);
    people.now = 1_700_000_000;
    let near = offer(&mut people, &remote.repository(), 1, "main~3", &[("offered", "1")]);
    let found = incoming(&repository, &[&near], tip).unwrap();
    assert_eq!(shown(&found), [(1, vec!["offered - - 1".to_owned()])]);
    assert_eq!(depth(), before);
    assert_eq!(history_since(&repository, 0).commits.len(), 600);
}

#[test]
fn a_repository_on_this_machine_compares_what_it_has() {
    let home = tempfile::tempdir().unwrap();
    let remote = bare(home.path(), "env.git");
    let (mut people, [first, _, third]) = shop(&remote);
    let here = offer(&mut people, &remote, 1, &first, &[("app", "v2")]);
    let elsewhere =
        OpenPull { number: 2, head: id(&"7".repeat(40)), reference: "refs/pull/2/head".to_owned() };
    let repository = open(options(remote.to_str().unwrap(), &home.path().join("cache")));
    let found = incoming(&repository, &[&here, &elsewhere], id(&third)).unwrap();
    assert_eq!(shown(&found), [(1, vec!["app v1 v1 v2".to_owned()])]);
    let nowhere = incoming(&repository, &[&here], id(&"9".repeat(40)));
    assert!(matches!(nowhere, Err(RepositoryError::NotFound(_))), "{nowhere:?}");
}
