//! What is read: commits by name, files, and history with its limits.

use backout::domain::history::scope::{Everything, Interest, Scope};
use backout::domain::history::snapshot::MAX_FILE_BYTES;
use backout::domain::ids::FilePath;
use backout::domain::time::Time;
use backout::ports::{HistoryQuery, Repository, RepositoryError};

use super::{history_since, id, main_branch, open, options};
use crate::support::git::{WorkTree, bare, fast_import, git, linear_history};

#[test]
fn commits_are_found_by_what_people_call_them() {
    let unused = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    let first = people.commit_file("a", "1");
    let second = people.commit_file("a", "2");
    people.git(&["branch", "team/x", &first]);
    people.git(&["update-ref", "refs/remotes/origin/far", &first]);
    let repository = open(options(people.path().to_str().unwrap(), unused.path()));
    for (name, expected) in [
        (second.as_str(), &second),
        (&first[..9], &first),
        (&first[..9].to_uppercase(), &first),
        ("main", &second),
        ("team/x", &first),
        ("origin/far", &first),
        ("far", &first),
    ] {
        assert_eq!(repository.resolve(name).unwrap(), id(expected), "{name}");
    }
    let blob = people.git(&["rev-parse", "HEAD:a"]);
    for bad in ["", "nope", "HEAD~99", "a b", "abc", &"0".repeat(40), &blob, &blob[..12]] {
        let result = repository.resolve(bad);
        assert!(matches!(result, Err(RepositoryError::NotFound(_))), "{bad:?}: {result:?}");
    }
}

#[test]
fn files_are_read_and_listed() {
    let unused = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    people.write("a.b", "1");
    people.write("a/x/y", "2");
    people.write("a0", "3");
    std::os::unix::fs::symlink("a0", people.path().join("link")).unwrap();
    let tip = id(&people.commit("start"));
    let repository = open(options(people.path().to_str().unwrap(), unused.path()));
    let read = |path: &str| repository.read_file(tip, &FilePath::new(path).unwrap()).unwrap();
    assert_eq!(read("a/x/y").unwrap(), b"2");
    for none in ["a", "a/x", "a/x/z", "link", "a0/x", "none"] {
        assert_eq!(read(none), None, "{none}");
    }
    let list = |limit| {
        repository
            .list_files(tip, &Everything, limit)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
    };
    assert_eq!(list(100), ["a.b", "a/x/y", "a0"]);
    assert_eq!(list(2), ["a.b", "a/x/y"]);
    assert!(matches!(
        repository.list_files(id(&"1".repeat(40)), &Everything, 1),
        Err(RepositoryError::NotFound(_))
    ));
}

#[test]
fn bytes_come_for_wanted_files_of_a_sane_size_only() {
    let unused = tempfile::tempdir().unwrap();
    let mut people = WorkTree::new();
    people.commit_file("first.yaml", "a");
    people.write("wanted.yaml", "a");
    people.write("none", "a");
    people.write("left-out/x.yaml", "a");
    people.write("huge.yaml", &"x".repeat(MAX_FILE_BYTES + 1));
    people.write("other.txt", "b");
    people.commit("start");
    let repository = open(options(people.path().to_str().unwrap(), unused.path()));
    let branch = main_branch();
    let query = HistoryQuery {
        branch: &branch,
        diffs_since: Time::from_unix(0),
        commits_since: Time::from_unix(0),
        diffs_until: Time::from_unix(people.now + 1),
        now: Time::from_unix(people.now + 1),
        scope: &OnlyYaml,
    };
    let snapshot = repository.history(&query).unwrap();
    let files = &snapshot.commits[0].files;
    let bytes = |index: usize| files[index].new.as_ref().unwrap().bytes.as_deref();
    assert_eq!(
        files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["huge.yaml", "other.txt", "wanted.yaml"]
    );
    assert_eq!((bytes(0), bytes(1), bytes(2)), (None, None, Some(&b"a"[..])));
    assert!(files.iter().all(|file| file.old.is_none()));
    // The first commit of all deploys nothing: its files are listed, and not read.
    let first = &snapshot.commits[1].files;
    assert_eq!(first.len(), 1);
    assert_eq!(first[0].new.as_ref().unwrap().bytes, None);
}

/// Bytes of YAML, the names of text, and nothing of the rest.
struct OnlyYaml;

impl Scope for OnlyYaml {
    fn file(&self, path: &str) -> Interest {
        match path.rsplit_once('.') {
            Some((_, "yaml")) => Interest::Bytes,
            Some((_, "txt")) => Interest::Name,
            _ => Interest::Nothing,
        }
    }

    fn directory(&self, path: &str) -> bool {
        path != "left-out"
    }
}

#[test]
fn the_walk_ends_after_many_old_commits_in_a_row_and_not_after_one() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let start = 1_600_000_000;
    let stream = String::from_utf8(linear_history(200, 3, start)).unwrap();
    // Commit 190 was made on a machine whose clock was far behind, commit 195 on one ahead.
    let old = format!("{} +0000\ndata 11\ndeploy v190", start + 190 * 60);
    assert!(stream.contains(&old));
    let stream = stream.replace(&old, "1000 +0000\ndata 11\ndeploy v190");
    let ahead = format!("{} +0000\ndata 11\ndeploy v195", start + 195 * 60);
    let stream = stream.replace(&ahead, "1999999999 +0000\ndata 11\ndeploy v195");
    fast_import(&path, stream.as_bytes());
    let repository = open(options(path.to_str().unwrap(), parent.path()));
    let branch = main_branch();
    let query = HistoryQuery {
        branch: &branch,
        diffs_since: Time::from_unix(start + 180 * 60),
        commits_since: Time::from_unix(start + 150 * 60),
        diffs_until: Time::from_unix(start + 201 * 60),
        now: Time::from_unix(start + 201 * 60),
        scope: &Everything,
    };
    let snapshot = repository.history(&query).unwrap();
    assert_eq!(snapshot.commits.len(), 51);
    assert!(snapshot.commits.windows(2).all(|pair| pair[0].at >= pair[1].at && pair[0].at <= query.now));
    assert_eq!(snapshot.commits.iter().filter(|commit| !commit.files.is_empty()).count(), 21);
    assert_eq!(snapshot.commits[0].subject(), "deploy v200");
    assert_eq!(git(&path, &["rev-parse", "main"]), snapshot.head.to_string());
    // A branch without recent commits still has its head.
    assert_eq!(history_since(&repository, 3_000_000_000).commits.len(), 1);
}

#[test]
fn a_commit_with_very_many_files_or_odd_names_is_listed_as_far_as_it_goes() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let mut stream = String::from("commit refs/heads/main\ncommitter x <x@x> 1600000000 +0000\ndata 1\nx\n");
    stream.push_str("M 100644 inline \"caf\\351/a\"\ndata 1\nx\nM 100644 inline \"\\377\"\ndata 1\nx\n");
    for number in 0..20_010 {
        stream.push_str(&format!("M 100644 inline d{}/f{number:05}\ndata 1\nx\n", number / 100 + 100));
    }
    fast_import(&path, stream.as_bytes());
    let repository = open(options(path.to_str().unwrap(), parent.path()));
    let snapshot = history_since(&repository, 0);
    assert_eq!(snapshot.commits[0].files.len(), 20_000);
    assert_eq!(snapshot.commits[0].files[0].path.as_str(), "d100/f00000");
    assert_eq!(repository.list_files(snapshot.head, &Everything, 30_000).unwrap().len(), 20_010);
}
