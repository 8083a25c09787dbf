//! Two agents and a person at once: one revert, nothing lost, nothing forced.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::support::eventually;
use crate::support::git::{WorkTree, git, git_command, notes_refs, try_git};
use crate::support::http_remote::HttpRemote;
use crate::support::ssh_remote::SshRemote;
use crate::support::stage::{Branch, Pass, Remote, Stage};

/// How often a person pushes at most: fewer times than the agent tries again, so that it comes through on any machine.
const MOST_PUSHES: usize = 15;

/// A person who commits to a branch and pushes until somebody says stop, or often enough. Returns what was accepted.
fn write(stage: &Stage, branch: &Branch, person: &WorkTree, pause_ms: u64, stop: &AtomicBool) -> Vec<String> {
    let remote = stage.remote.repository();
    let remote = remote.to_str().unwrap();
    let reference = format!("refs/heads/{}", branch.name);
    let mut accepted = Vec::new();
    for number in 0..MOST_PUSHES {
        person.git(&["fetch", "-q", remote, &reference]);
        person.git(&["reset", "-q", "--hard", "FETCH_HEAD"]);
        person.write(&format!("people/{}-{number}.txt", branch.name), "unrelated\n");
        person.git(&["add", "-A"]);
        let committed =
            git_command(person.path()).args(["commit", "-q", "-m", "unrelated"]).status().unwrap();
        assert!(committed.success());
        if try_git(person.path(), &["push", "-q", remote, &format!("HEAD:{reference}")]).status.success() {
            accepted.push(person.git(&["rev-parse", "HEAD"]));
        }
        if stop.load(Ordering::SeqCst) {
            break;
        }
        std::thread::sleep(Duration::from_millis(fastrand::u64(0..=pause_ms)));
    }
    accepted
}

/// What happened in a number of rounds.
#[derive(Debug, Default)]
struct Tally {
    by_people: usize,
    rejected_pushes: usize,
    rounds_with_two_verdicts: usize,
    lines_of_notes: usize,
}

fn rounds(remote: Remote, name: &str, count: usize, pause_ms: u64) {
    let mut stage = Stage::new(remote);
    let person = WorkTree::new();
    let mut tally = Tally::default();
    let mut notes: Vec<(String, Vec<String>)> = Vec::new();
    for number in 0..count {
        let branch = stage.branch(&format!("{name}-{number}"));
        round(&stage, &branch, &person, pause_ms, &mut tally);
        notes.push((branch.bad.clone(), stage.note(&branch.bad)));
    }
    for (commit, lines) in notes {
        assert_eq!(stage.note(&commit), lines, "the note on {commit} is not what it was after its round");
        tally.lines_of_notes += lines.len();
    }
    for notes in notes_refs(&stage.remote.repository()) {
        stage.assert_only_forward(&notes, 0);
    }
    stage.assert_whole();
    eprintln!("{name}: {count} rounds, {tally:?}, {} metric requests", stage.metrics.requests());
}

fn round(stage: &Stage, branch: &Branch, person: &WorkTree, pause_ms: u64, tally: &mut Tally) {
    let configs = [stage.config("one", branch), stage.config("two", branch)];
    let stop = AtomicBool::new(false);
    let (passes, accepted) = std::thread::scope(|scope| {
        let writing = scope.spawn(|| write(stage, branch, person, pause_ms, &stop));
        assert!(eventually(|| stage.tip(branch) != branch.bad), "nobody pushes to {}", branch.name);
        let agents = configs.map(|config| stage.start(&config));
        let outputs = agents.map(|agent| agent.wait_with_output().unwrap());
        stop.store(true, Ordering::SeqCst);
        (outputs.map(|output| Pass::of(&output)), writing.join().unwrap())
    });
    let reverts = stage.reverts(branch);
    assert_eq!(reverts.len(), 1, "{}: {reverts:?}", branch.name);
    assert_eq!(stage.deployed(branch), branch.good_text);

    let reference = format!("refs/heads/{}", branch.name);
    let history = git(&stage.remote.repository(), &["rev-list", &reference]);
    let history: BTreeSet<&str> = history.lines().collect();
    let pushed: Vec<&String> = passes.iter().flat_map(|pass| &pass.pushed).collect();
    assert_eq!(pushed, reverts.iter().collect::<Vec<_>>(), "exactly one agent says that it pushed");
    assert_eq!(passes.iter().map(|pass| pass.code).sum::<i32>(), 3, "one acted, the other had nothing to do");
    for commit in accepted.iter().chain(pushed) {
        assert!(history.contains(commit.as_str()), "{commit} was accepted and is lost");
    }
    stage.assert_only_forward(&reference, 0);
    let moves = stage.moves(&reference).len();
    assert_eq!(moves, 1 + accepted.len() + reverts.len(), "nobody else has moved {reference}");

    let verdicts = stage.verdicts(branch);
    assert!(!verdicts.is_empty(), "there is no verdict on {}", branch.bad);
    for verdict in &verdicts {
        assert_eq!(verdict.as_ref(), reverts.first(), "a verdict names another revert");
    }
    tally.by_people += accepted.len();
    tally.rejected_pushes += passes.iter().map(|pass| pass.rejected).sum::<usize>();
    tally.rounds_with_two_verdicts += usize::from(verdicts.len() > 1);
}

#[test]
fn two_agents_and_a_writer_make_one_revert_in_a_local_repository() {
    rounds(Remote::file(), "file", 20, 0);
}

#[test]
fn two_agents_and_a_writer_make_one_revert_over_http() {
    rounds(Remote::Http(HttpRemote::start()), "http", 24, 150);
}

#[test]
fn two_agents_and_a_writer_make_one_revert_over_ssh() {
    rounds(Remote::Ssh(SshRemote::start()), "ssh", 6, 2_500);
}
