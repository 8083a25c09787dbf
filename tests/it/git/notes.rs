//! Notes, a ref for each month.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backout::domain::ids::CommitId;
use backout::domain::time::Time;
use backout::ports::{PushError, Repository};

use super::{fetch_main, http_options, id, open, options};
use crate::support::git::{bare, fast_import, git, notes_refs, try_git};
use crate::support::http_remote::HttpRemote;

/// 2026-12-01T00:00:00Z.
const DECEMBER: i64 = 1_796_083_200;
const OLD: &str = "refs/notes/backout";
const NOVEMBER: &str = "refs/notes/backout-2026-11";

/// A branch with a commit in each of these seconds before December, whose ids it returns.
fn history(repository: &Path, secs_before: &[i64]) -> Vec<CommitId> {
    let mut stream = String::new();
    for secs in secs_before {
        let at = DECEMBER - secs;
        stream.push_str(&format!(
            "commit refs/heads/main\ncommitter x <x@x> {at} +0900\ndata 0\nM 100644 inline f\n"
        ));
        stream.push_str(&format!("data {}\n{at}\n\n", at.to_string().len()));
    }
    fast_import(repository, stream.as_bytes());
    let ids = git(repository, &["rev-list", "--reverse", "main"]);
    ids.lines().map(id).collect()
}

fn lines(of: &[(CommitId, &str)]) -> BTreeMap<CommitId, Vec<String>> {
    of.iter().map(|(commit, line)| (*commit, vec![(*line).to_owned()])).collect()
}

fn now() -> Time {
    Time::from_unix(DECEMBER + 100)
}

fn over_http() -> (HttpRemote, PathBuf, tempfile::TempDir) {
    let remote = HttpRemote::start();
    let repository = remote.repository();
    (remote, repository, tempfile::tempdir().unwrap())
}

#[test]
fn each_month_has_a_ref_of_its_own_which_git_shows() {
    let (remote, repository, cache) = over_http();
    let commits = history(&repository, &[40 * 86_400, 1, 0]);
    let agent = open(http_options(&remote, cache.path()));
    fetch_main(&agent);
    // A second before the month ends, and its first: what counts is when it was committed, in UTC.
    agent.append_notes(&lines(&[(commits[0], "a"), (commits[1], "b"), (commits[2], "c")]), now()).unwrap();
    assert_eq!(
        notes_refs(&repository),
        ["2026-10", "2026-11", "2026-12"].map(|month| format!("{OLD}-{month}"))
    );
    let shown = git(&repository, &["log", "--notes=backout-*", "--format=%N", "main"]);
    assert_eq!(shown.split_whitespace().collect::<Vec<_>>(), ["c", "b", "a"]);
    // A late line about an old deployment goes to that deployment's month, however late it is.
    agent.append_notes(&lines(&[(commits[0], "late")]), Time::from_unix(DECEMBER + 90 * 86_400)).unwrap();
    assert_eq!(notes_refs(&repository).len(), 3);
    let other = tempfile::tempdir().unwrap();
    let other = open(http_options(&remote, other.path()));
    fetch_main(&other);
    assert_eq!(other.notes(&commits).unwrap(), agent.notes(&commits).unwrap());
    assert_eq!(other.notes(&commits).unwrap()[&commits[0]], "a\nlate\n");
    let mut order = Vec::new();
    other
        .each_note(&mut |commit, _| {
            order.push(commit);
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(order, [commits[2], commits[1], commits[0]], "the newest month first");
}

#[test]
fn a_new_cache_fetches_the_months_that_are_asked_for() {
    let (remote, repository, cache) = over_http();
    let commits = history(&repository, &[40 * 86_400, 1, 0]);
    let agent = open(http_options(&remote, cache.path()));
    fetch_main(&agent);
    agent.append_notes(&lines(&[(commits[0], "a"), (commits[1], "b"), (commits[2], "c")]), now()).unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let other = open(http_options(&remote, fresh.path()));
    fetch_main(&other);
    let bare = || {
        let entries = std::fs::read_dir(fresh.path()).unwrap().flatten().map(|entry| entry.path());
        entries.into_iter().find(|path| path.extension().is_some_and(|end| end == "git")).unwrap()
    };
    assert!(notes_refs(&bare()).is_empty(), "nothing was asked for yet");
    assert_eq!(other.notes(&commits[1..2]).unwrap().len(), 1);
    assert_eq!(notes_refs(&bare()), [NOVEMBER]);
    assert_eq!(other.all_notes().unwrap().len(), 3);
}

#[test]
fn a_month_that_is_moved_back_or_deleted_is_as_the_remote_has_it() {
    let (remote, repository, cache) = over_http();
    let commits = history(&repository, &[60, 30]);
    let agent = open(http_options(&remote, cache.path()));
    fetch_main(&agent);
    agent.append_notes(&lines(&[(commits[0], "a")]), now()).unwrap();
    let first = git(&repository, &["rev-parse", NOVEMBER]);
    agent.append_notes(&lines(&[(commits[1], "b")]), now()).unwrap();
    git(&repository, &["update-ref", NOVEMBER, &first]);
    // Somebody appends who does not know that it was moved back.
    agent.append_notes(&lines(&[(commits[0], "c")]), now()).unwrap();
    assert_eq!(agent.all_notes().unwrap(), BTreeMap::from([(commits[0], "a\nc\n".to_owned())]));
    git(&repository, &["update-ref", "-d", NOVEMBER]);
    agent.append_notes(&lines(&[(commits[1], "d")]), now()).unwrap();
    assert_eq!(agent.all_notes().unwrap(), BTreeMap::from([(commits[1], "d\n".to_owned())]));
    git(&repository, &["update-ref", "-d", NOVEMBER]);
    fetch_main(&agent);
    assert!(agent.notes(&commits).unwrap().is_empty());
    git(&repository, &["fsck", "--strict"]);
}

#[test]
fn what_is_in_the_old_ref_is_read_and_not_written_again() {
    let (remote, repository, cache) = over_http();
    let commits = history(&repository, &[60, 30]);
    let user = ["-c", "user.name=x", "-c", "user.email=x@x"];
    let add = |name: &str, text: &str| {
        let commit = commits[0].to_string();
        git(&repository, &[&user[..], &["notes", "--ref", name, "add", "-m", text, &commit]].concat());
    };
    add(OLD, "a");
    for odd in ["2026-13", "x", "2026-1", "2026-11-01"] {
        add(&format!("{OLD}-{odd}"), "odd");
    }
    let old = git(&repository, &["rev-parse", OLD]);
    let agent = open(http_options(&remote, cache.path()));
    fetch_main(&agent);
    agent.append_notes(&lines(&[(commits[0], "a")]), now()).unwrap();
    assert!(!notes_refs(&repository).contains(&NOVEMBER.to_owned()), "it is there already");
    agent.append_notes(&lines(&[(commits[0], "b"), (commits[1], "c")]), now()).unwrap();
    assert_eq!(git(&repository, &["rev-parse", OLD]), old);
    let both = BTreeMap::from([(commits[0], "a\nb\n".to_owned()), (commits[1], "c\n".to_owned())]);
    assert_eq!(agent.notes(&commits).unwrap(), both);
    assert_eq!(agent.all_notes().unwrap(), both);
}

/// A note of this many bytes, one that is no text, a directory in the place of a note, and a note on a commit that is nowhere.
fn broken_notes(repository: &Path, long: CommitId, bytes: CommitId, directory: CommitId) {
    let mut stream = format!("commit {NOVEMBER}\ncommitter x <x@x> 1 +0000\ndata 0\n").into_bytes();
    let mut add = |name: &str, text: &[u8]| {
        stream.extend_from_slice(format!("M 100644 inline {name}\ndata {}\n", text.len()).as_bytes());
        stream.extend_from_slice(text);
        stream.push(b'\n');
    };
    add(&long.to_string(), &vec![b'x'; 9 << 20]);
    add(&bytes.to_string(), b"\xff\xfe\n{\"kind\":\"from-the-future\"}\n");
    add(&format!("{directory}/file"), b"x");
    add(&"ab".repeat(20), b"nowhere\n");
    fast_import(repository, &stream);
}

#[test]
fn a_note_that_is_too_long_or_broken_holds_up_nothing_but_itself() {
    let parent = tempfile::tempdir().unwrap();
    let repository = bare(parent.path(), "env.git");
    let commits = history(&repository, &[60, 50, 40, 30]);
    broken_notes(&repository, commits[0], commits[1], commits[2]);
    let agent = open(options(repository.to_str().unwrap(), parent.path()));
    let notes = agent.notes(&commits).unwrap();
    assert_eq!(notes.keys().collect::<Vec<_>>(), [&commits[1]]);
    let unreadable = agent.unreadable_notes(&commits).unwrap();
    assert!(matches!(unreadable.as_slice(), [one] if one.contains("9437184 bytes")), "{unreadable:?}");
    assert_eq!(agent.all_notes().unwrap().len(), 2);
    let new: Vec<(CommitId, &str)> = commits.iter().map(|commit| (*commit, "new")).collect();
    let refused = agent.append_notes(&lines(&new), now()).unwrap_err();
    assert!(matches!(&refused, PushError::Repository(_)), "{refused:?}");
    assert!(refused.to_string().contains(&commits[0].to_string()), "{refused}");
    let notes = agent.notes(&commits).unwrap();
    let ends: Vec<bool> =
        commits.iter().map(|one| notes.get(one).is_some_and(|note| note.ends_with("new\n"))).collect();
    assert_eq!(ends, [false, true, true, true], "{notes:?}");
    assert!(
        try_git(&repository, &["notes", "--ref", NOVEMBER, "show", &commits[3].to_string()]).status.success()
    );
}
