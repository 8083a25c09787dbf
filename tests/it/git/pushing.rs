//! Pushes race, are refused, keep modes; notes are raced too.

use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

use backout::adapters::git::GitOptions;
use backout::domain::ids::{BranchName, FilePath};
use backout::domain::time::Time;
use backout::ports::{CommitRequest, PushError, Repository, RepositoryError};

use super::{fetch_main, http_options, id, main_branch, open, options, push_file, ssh_options};
use crate::support::git::{
    WorkTree, bare, fast_import, git, hook, linear_history, note_on, notes_refs, remove_notes,
};
use crate::support::http_remote::HttpRemote;
use crate::support::ssh_remote::SshRemote;

const AT: Time = Time::from_unix(1_800_000_000);

/// Rounds of writers that all push on top of the same commit: one wins each round, and nothing is lost.
fn one_writer_wins(writers: &[GitOptions], repository: &std::path::Path, rounds: usize) {
    let mut people = WorkTree::new();
    let mut tip = id(&people.commit_file("a", "start"));
    people.push(repository);
    let writers: Vec<_> = writers.iter().cloned().map(open).collect();
    for round in 0..rounds {
        writers.iter().for_each(|writer| assert_eq!(fetch_main(writer), tip));
        let results: Vec<_> = std::thread::scope(|scope| {
            let push = |(number, writer)| {
                scope.spawn(move || push_file(writer, tip, "a", &format!("round {round} writer {number}")))
            };
            let threads: Vec<_> = writers.iter().enumerate().map(push).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let won: Vec<_> = results.iter().filter_map(|result| result.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "{results:?}");
        for error in results.iter().filter_map(|result| result.as_ref().err()) {
            assert!(matches!(error, PushError::Rejected { .. }), "{error}");
        }
        tip = *won[0];
        assert_eq!(git(repository, &["rev-parse", "main"]), tip.to_string());
    }
    assert_eq!(git(repository, &["rev-list", "--count", "main"]), (rounds + 1).to_string());
}

#[test]
fn one_of_racing_writers_wins_over_http() {
    let remote = HttpRemote::start();
    let caches = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let writers: Vec<_> = caches.iter().map(|cache| http_options(&remote, cache.path())).collect();
    one_writer_wins(&writers, &remote.repository(), 6);
}

#[test]
fn one_of_racing_writers_wins_over_ssh() {
    let remote = SshRemote::start();
    let caches = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let writers: Vec<_> = caches.iter().map(|cache| ssh_options(&remote, cache.path())).collect();
    one_writer_wins(&writers, &remote.repository(), 3);
}

#[test]
fn one_of_racing_writers_wins_locally() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let writers = [(); 4].map(|()| options(path.to_str().unwrap(), parent.path()));
    one_writer_wins(&writers, &path, 25);
}

#[test]
fn writers_that_share_a_cache_race_too() {
    let remote = HttpRemote::start();
    let cache = tempfile::tempdir().unwrap();
    let writers = [(); 2].map(|()| http_options(&remote, cache.path()));
    one_writer_wins(&writers, &remote.repository(), 4);
}

#[test]
fn one_of_racing_creators_of_a_branch_wins() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let mut people = WorkTree::new();
    let tip = id(&people.commit_file("a", "1"));
    people.push(&path);
    for round in 0..20 {
        let branch = BranchName::new(format!("backout/{round}")).unwrap();
        let create = |text: String| {
            let files = BTreeMap::from([(FilePath::new("a").unwrap(), Some(text.into_bytes().into()))]);
            open(options(path.to_str().unwrap(), parent.path())).commit_and_push(&CommitRequest {
                branch: &branch,
                expected: None,
                parent: tip,
                onto: None,
                files: &files,
                message: "new",
                at: AT,
            })
        };
        let won = std::thread::scope(|scope| {
            let threads = [0, 1, 2].map(|number| scope.spawn(move || create(number.to_string())));
            threads.into_iter().filter(|_| true).map(|t| t.join().unwrap()).filter(Result::is_ok).count()
        });
        assert_eq!(won, 1);
    }
}

#[test]
fn a_hooks_refusal_is_a_rejection_with_its_words() {
    let http = HttpRemote::start();
    let ssh = SshRemote::start();
    let cache = tempfile::tempdir().unwrap();
    for (options, repository) in [
        (http_options(&http, cache.path()), http.repository()),
        (ssh_options(&ssh, cache.path()), ssh.repository()),
    ] {
        let mut people = WorkTree::new();
        let tip = people.commit_file("a", "1");
        people.push(&repository);
        let agent = open(options);
        fetch_main(&agent);
        for name in ["pre-receive", "update"] {
            hook(&repository, name, "echo 'freeze until Monday' >&2; exit 1");
            let error = push_file(&agent, id(&tip), "a", "2").unwrap_err();
            let PushError::Rejected { reference, reason } = &error else { panic!("{error}") };
            assert_eq!(reference, "refs/heads/main");
            assert!(reason.contains("freeze until Monday") && reason.contains("declined"), "{reason}");
            assert_eq!(git(&repository, &["rev-parse", "main"]), tip);
            std::fs::remove_file(repository.join("hooks").join(name)).unwrap();
        }
        git(&repository, &["config", "receive.maxInputSize", "10"]);
        // The server may hang up before all of the push was sent: then its refusal never arrives.
        let error = push_file(&agent, id(&tip), "a", "2").unwrap_err();
        let is_refused = matches!(
            error,
            PushError::Rejected { .. } | PushError::Repository(RepositoryError::Unreachable { .. })
        );
        assert!(is_refused, "{error}");
        assert_eq!(git(&repository, &["rev-parse", "main"]), tip);
        git(&repository, &["config", "--unset", "receive.maxInputSize"]);
        push_file(&agent, id(&tip), "a", "2").unwrap();
    }
}

#[test]
fn only_a_fast_forward_from_the_expected_commit_is_pushed() {
    let remote = HttpRemote::start();
    let mut people = WorkTree::new();
    let first = people.commit_file("a", "1");
    let second = people.commit_file("a", "2");
    people.push(&remote.repository());
    let cache = tempfile::tempdir().unwrap();
    let local = tempfile::tempdir().unwrap();
    let over_http = open(http_options(&remote, cache.path()));
    let direct = open(options(remote.repository().to_str().unwrap(), local.path()));
    let files = BTreeMap::from([(FilePath::new("a").unwrap(), Some(b"3".to_vec().into()))]);
    for agent in [&over_http, &direct] {
        fetch_main(agent);
        for (expected, parent) in [
            (Some(&first), &first),  // the branch has moved on
            (Some(&second), &first), // it would lose a commit
            (None, &second),         // it was not to exist
        ] {
            let result = agent.commit_and_push(&CommitRequest {
                branch: &main_branch(),
                expected: expected.map(|text| id(text)),
                parent: id(parent),
                onto: None,
                files: &files,
                message: "m",
                at: AT,
            });
            assert!(matches!(result, Err(PushError::Rejected { .. })), "{result:?}");
            assert_eq!(git(&remote.repository(), &["rev-parse", "main"]), second);
        }
    }
}

#[test]
fn modes_and_everything_else_stay_as_they_are() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let mut people = WorkTree::new();
    people.write("run.sh", "old\n");
    std::fs::set_permissions(people.path().join("run.sh"), std::fs::Permissions::from_mode(0o755)).unwrap();
    people.write("deep/er/file.yaml", "a: 1\r\n# comment\n");
    people.write("deep/other", "x");
    people.write("gone/only", "x");
    symlink("run.sh", people.path().join("link")).unwrap();
    let tip = people.commit("start");
    people.push(&path);
    let agent = open(GitOptions { sign_off: true, ..options(path.to_str().unwrap(), parent.path()) });
    let text = |bytes: &[u8]| Some(bytes.to_vec().into());
    let files = BTreeMap::from([
        (FilePath::new("run.sh").unwrap(), text(b"new\n")),
        (FilePath::new("deep/er/file.yaml").unwrap(), text(b"a: 2\r\n# comment\n")),
        (FilePath::new("gone/only").unwrap(), None),
        (FilePath::new("new/dir/file").unwrap(), text(b"n")),
    ]);
    let request = CommitRequest {
        branch: &main_branch(),
        expected: Some(id(&tip)),
        parent: id(&tip),
        onto: None,
        files: &files,
        message: "Revert x\n\nBackout-Id: 1",
        at: AT,
    };
    let pushed = agent.commit_and_push(&request).unwrap().to_string();
    let listed = git(&path, &["ls-tree", "-r", "--format=%(objectmode) %(path)", &pushed]);
    assert_eq!(
        listed,
        "100644 deep/er/file.yaml\n100644 deep/other\n120000 link\n100644 new/dir/file\n100755 run.sh"
    );
    let show = |format: &str| git(&path, &["log", "-1", &format!("--format={format}"), &pushed]);
    assert_eq!(
        show("%an <%ae> %at %cn %ct %P"),
        format!("backout <backout@example.com> 1800000000 backout 1800000000 {tip}")
    );
    let message = "Revert x\n\nBackout-Id: 1\nSigned-off-by: backout <backout@example.com>";
    assert_eq!(show("%B"), message);
    assert_eq!(
        agent.read_file(id(&pushed), &FilePath::new("deep/er/file.yaml").unwrap()).unwrap().unwrap(),
        b"a: 2\r\n# comment\n"
    );
    git(&path, &["fsck", "--strict"]);

    for bad in ["link", "deep", "run.sh/x"] {
        let files = BTreeMap::from([(FilePath::new(bad).unwrap(), text(b"x"))]);
        let request =
            CommitRequest { files: &files, expected: Some(id(&pushed)), parent: id(&pushed), ..request };
        let error = agent.commit_and_push(&request).unwrap_err();
        assert!(matches!(error, PushError::Repository(_)), "{bad}: {error}");
    }
}

#[test]
fn notes_are_read_by_git_and_written_by_both() {
    let remote = HttpRemote::start();
    let repository = remote.repository();
    let mut people = WorkTree::new();
    let commits: Vec<String> = (0..4).map(|number| people.commit_file("a", &number.to_string())).collect();
    people.push(&repository);
    let cache = tempfile::tempdir().unwrap();
    let agent = open(http_options(&remote, cache.path()));
    fetch_main(&agent);
    assert!(agent.all_notes().unwrap().is_empty());
    let lines = |numbers: &[usize], text: &str| {
        numbers.iter().map(|number| (id(&commits[*number]), vec![text.to_owned()])).collect()
    };
    agent.append_notes(&lines(&[0, 1], "{\"n\":1}"), AT).unwrap();
    agent.append_notes(&lines(&[1, 2], "{\"n\":2}"), AT).unwrap();
    let [month] = &notes_refs(&repository)[..] else { panic!("not one month") };
    let before = git(&repository, &["rev-parse", month]);
    agent.append_notes(&lines(&[1, 2], "{\"n\":2}"), AT).unwrap();
    assert_eq!(git(&repository, &["rev-parse", month]), before, "nothing new, nothing written");
    let show = |number: usize| git(&repository, &["notes", "--ref", month, "show", &commits[number]]);
    assert_eq!(show(1), "{\"n\":1}\n{\"n\":2}");
    // Git rewrites the notes in its own layout, flat here, and adds one.
    let user = ["-c", "user.name=x", "-c", "user.email=x@x"];
    let by_hand = |arguments: &[&str]| {
        git(&repository, &[&user[..], &["notes", "--ref", month], arguments].concat());
    };
    by_hand(&["append", "-m", "by hand", &commits[1]]);
    by_hand(&["add", "-m", "new", &commits[3]]);
    agent.append_notes(&lines(&[1, 3], "{\"n\":3}"), AT).unwrap();
    assert_eq!(show(1), "{\"n\":1}\n{\"n\":2}\n\nby hand\n{\"n\":3}");
    assert_eq!(show(3), "new\n{\"n\":3}");
    assert_eq!(git(&repository, &["notes", "--ref", month, "list"]).lines().count(), 4);
    assert_eq!(agent.all_notes().unwrap().len(), 4);
    let some = agent.notes(&[id(&commits[0]), id(&before)]).unwrap();
    assert_eq!(some, BTreeMap::from([(id(&commits[0]), "{\"n\":1}\n".to_owned())]));
    git(&repository, &["fsck", "--strict"]);
    // Another agent sees them after a fetch, and sees them gone when they are deleted.
    let other = tempfile::tempdir().unwrap();
    let other = open(http_options(&remote, other.path()));
    fetch_main(&other);
    assert_eq!(other.all_notes().unwrap(), agent.all_notes().unwrap());
    remove_notes(&repository);
    fetch_main(&other);
    assert!(other.all_notes().unwrap().is_empty());
}

#[test]
fn every_fanout_of_notes_is_read() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let agent = open(options(path.to_str().unwrap(), parent.path()));
    let commits: Vec<String> = (0..3_u8).map(|n| format!("{n}{n}{n}{n}").repeat(10)).collect();
    let mut stream = String::from("commit refs/notes/backout-2026-11\ncommitter x <x@x> 1 +0000\ndata 0\n");
    for (commit, split) in commits.iter().zip([vec![], vec![2], vec![2, 4]]) {
        let mut name = commit.clone();
        split.iter().rev().for_each(|at| name.insert(*at, '/'));
        stream.push_str(&format!("M 100644 inline {name}\ndata 2\nx\n\n"));
    }
    fast_import(&path, stream.as_bytes());
    assert_eq!(agent.all_notes().unwrap().len(), 3);
    let lines = commits.iter().map(|commit| (id(commit), vec!["y".to_owned()])).collect();
    agent.append_notes(&lines, Time::from_unix(1_794_000_000)).unwrap();
    assert!(agent.all_notes().unwrap().values().all(|note| note == "x\ny\n"));
    assert_eq!(git(&path, &["ls-tree", "-r", "refs/notes/backout-2026-11"]).lines().count(), 3);
    assert_eq!(git(&path, &["notes", "--ref=backout-2026-11", "list"]).lines().count(), 3);
}

/// Writers that append to the same note at once lose no line.
fn no_line_is_lost(writers: Vec<GitOptions>, repository: &std::path::Path, each: usize) {
    let mut people = WorkTree::new();
    let commit = people.commit_file("a", "1");
    people.push(repository);
    let count = writers.len();
    std::thread::scope(|scope| {
        for (writer, options) in writers.into_iter().enumerate() {
            let commit = id(&commit);
            scope.spawn(move || {
                let agent = open(options);
                fetch_main(&agent);
                for number in 0..each {
                    let lines = BTreeMap::from([(commit, vec![format!("{writer}-{number}")])]);
                    agent.append_notes(&lines, AT).unwrap();
                }
            });
        }
    });
    let note = note_on(repository, &commit);
    let mut lines: Vec<_> = note.lines().collect();
    lines.sort_unstable();
    lines.dedup();
    assert_eq!(lines.len(), count * each, "{note}");
    assert_eq!(note.lines().count(), count * each);
}

#[test]
fn notes_raced_over_http_lose_no_line() {
    let remote = HttpRemote::start();
    let caches = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let writers = caches.iter().map(|cache| http_options(&remote, cache.path())).collect();
    no_line_is_lost(writers, &remote.repository(), 6);
}

#[test]
fn notes_raced_locally_lose_no_line() {
    let parent = tempfile::tempdir().unwrap();
    let path = bare(parent.path(), "env.git");
    let writers = (0..3).map(|_| options(path.to_str().unwrap(), parent.path())).collect();
    no_line_is_lost(writers, &path, 10);
}

/// A cache has a few hundred commits of each branch, and fewer of the notes. libgit2 looks for what the server has by walking back from
/// what it lists, as far as the oldest of the tips: that must not lead it beyond what is here.
#[test]
fn what_moved_often_since_a_quiet_branch_did_is_no_hindrance() {
    let (http, ssh) = (HttpRemote::start(), SshRemote::start());
    for (bare, of) in [
        (
            http.repository(),
            &(|cache: &std::path::Path| http_options(&http, cache))
                as &dyn Fn(&std::path::Path) -> GitOptions,
        ),
        (ssh.repository(), &|cache| ssh_options(&ssh, cache)),
    ] {
        fast_import(&bare, &linear_history(600, 3, AT.unix() - 700 * 60));
        let first = git(&bare, &["rev-list", "--max-parents=0", "main"]);
        git(&bare, &["update-ref", "refs/heads/a-quiet-one", &first]);
        let (tip, quiet) = (id(&git(&bare, &["rev-parse", "main"])), BranchName::new("a-quiet-one").unwrap());
        let writer = tempfile::tempdir().unwrap();
        let writer = open(options(&bare.display().to_string(), writer.path()));
        let line = |text: String| BTreeMap::from([(tip, vec![text])]);
        for number in 0..60 {
            writer.append_notes(&line(format!("{number}")), AT.plus_secs(number)).unwrap();
        }
        let cache = tempfile::tempdir().unwrap();
        let agent = open(of(cache.path()));
        let tips = agent.fetch(&[main_branch(), quiet.clone()]).unwrap();
        assert_eq!(agent.notes(&[tip]).unwrap().len(), 1);
        let files = BTreeMap::from([(FilePath::new("f").unwrap(), Some(b"x".to_vec().into()))]);
        let push = |branch: &str, expected| {
            let branch = BranchName::new(branch).unwrap();
            let (parent, message) = (tips[&quiet], &*format!("Revert something on {branch}\n"));
            let request = CommitRequest {
                branch: &branch,
                expected,
                parent,
                onto: None,
                files: &files,
                message,
                at: AT,
            };
            agent.commit_and_push(&request).unwrap()
        };
        // Behind all of the notes, by the clock.
        agent.append_notes(&line("last".to_owned()), AT.minus_secs(60)).unwrap();
        push("a-quiet-one", Some(tips[&quiet]));
        push("backout/a-quiet-one", None);
        push_file(&agent, tip, "g", "x").unwrap();
        let whole = git(&bare, &["rev-list", "--count", "--all"]);
        assert_eq!(whole, (600 + 61 + 3).to_string(), "nothing is there twice");
        git(&bare, &["fsck", "--strict"]);
        let cached = super::caches::directory(cache.path());
        std::fs::write(cached.join("this-one"), "").unwrap();
        // What is new is fetched, too, however often the notes have moved.
        let other = tempfile::tempdir().unwrap();
        let other = open(options(&bare.display().to_string(), other.path()));
        for round in 0..3 {
            for number in 0..40 {
                let at = AT.plus_secs(1_000 + 100 * round + number);
                writer.append_notes(&line(format!("{round} {number}")), at).unwrap();
            }
            let moved = push_file(&other, fetch_main(&other), "h", &format!("{round}")).unwrap();
            assert_eq!(fetch_main(&agent), moved);
            assert!(agent.notes(&[tip]).unwrap()[&tip].contains(&format!("{round} 39")));
            agent.append_notes(&line(format!("{round} after")), AT).unwrap();
        }
        assert!(cached.join("this-one").exists(), "the cache was not cloned again");
        let count = |name: &str| git(&cached, &["rev-list", "--count", name]).parse::<usize>().unwrap();
        assert!(count("main") < 300, "nothing more was fetched than what is new");
    }
}
