//! `kill -9` at any moment of a pass: the remote is never wrong, and the next pass finishes the job once.

use std::path::Path;
use std::process::Child;
use std::time::Duration;

use crate::support::git::{hook, notes_refs};
use crate::support::http_remote::HttpRemote;
use crate::support::stage::{Branch, Remote, Stage};
use crate::support::stopwatch;

/// Where a kill fell, by what it left behind.
#[derive(Debug, Default)]
struct Tally {
    before_the_branch_push: usize,
    between_the_pushes: usize,
    after_the_notes_push: usize,
    after_the_end: usize,
}

impl Tally {
    fn count(&mut self, stage: &Stage, branch: &Branch, killed: bool) {
        let reverted = !stage.reverts(branch).is_empty();
        let noted = !stage.verdicts(branch).is_empty();
        *match (killed, reverted, noted) {
            (false, _, _) => &mut self.after_the_end,
            (true, false, false) => &mut self.before_the_branch_push,
            (true, true, false) => &mut self.between_the_pushes,
            (true, true, true) => &mut self.after_the_notes_push,
            (true, false, true) => panic!("a note on {} speaks of a revert that is not there", branch.bad),
        } += 1;
    }
}

/// Kills an agent that may have ended by itself; whether it had not.
fn kill(mut agent: Child) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    agent.kill().unwrap();
    let status = agent.wait().unwrap();
    assert!(status.signal() == Some(9) || status.code() == Some(3), "the agent ended with {status}");
    status.signal() == Some(9)
}

/// How many of the killed agents can have been about to move a ref themselves. They do so in a local repository; of any
/// other the server moves the refs, and nobody kills it.
fn killed_movers(stage: &Stage, killed: usize) -> usize {
    if matches!(stage.remote, Remote::File(_)) { killed } else { 0 }
}

/// Fails unless the remote is whole, the branch only went forward, and the file is the bad or the reverted version.
fn assert_never_wrong(stage: &Stage, branch: &Branch) {
    stage.assert_whole();
    stage.assert_only_forward(&format!("refs/heads/{}", branch.name), killed_movers(stage, 1));
    let reverts = stage.reverts(branch);
    let text = stage.deployed(branch);
    match reverts.len() {
        // A server may still be at work for an agent that is dead: then the revert has come since.
        0 => assert!(text == branch.bad_text || text == branch.good_text, "{text}"),
        1 => assert_eq!(text, branch.good_text),
        several => panic!("{several} reverts: {reverts:?}"),
    }
}

/// Fails unless one more pass finishes the job, and another one does nothing at all.
fn assert_finished_by_the_next_pass(stage: &Stage, branch: &Branch, config: &Path) {
    stage.pass(config);
    assert_never_wrong(stage, branch);
    let reverts = stage.reverts(branch);
    assert_eq!(reverts.len(), 1, "{}", branch.name);
    assert_eq!(stage.tip(branch), reverts[0]);
    assert_eq!(stage.deployed(branch), branch.good_text);
    let verdicts = stage.verdicts(branch);
    assert_eq!(verdicts, [reverts.first().cloned()], "one verdict, which names the revert");
    let before = stage.refs();
    assert_eq!(stage.pass(config).code, 0, "there is nothing left to do");
    assert_eq!(stage.refs(), before, "a further pass has changed something");
}

/// Kills agents at moments spread evenly over the length of a pass, in a random order.
fn kill_at_random(remote: Remote, name: &str, kills: u32, seed: u64) {
    let mut stage = Stage::new(remote);
    let mut lengths = Vec::new();
    for number in 0..3 {
        let branch = stage.branch(&format!("{name}-measure-{number}"));
        let config = stage.config("agent", &branch);
        let watch = stopwatch();
        stage.pass(&config);
        lengths.push(watch.elapsed());
    }
    lengths.sort();
    let length = lengths[1];
    let mut random = fastrand::Rng::with_seed(seed);
    let mut turns: Vec<u32> = (0..kills).collect();
    random.shuffle(&mut turns);
    let mut tally = Tally::default();
    for turn in turns {
        let branch = stage.branch(&format!("{name}-{turn}"));
        let config = stage.config("agent", &branch);
        let share = (f64::from(turn) + random.f64()) / f64::from(kills);
        let agent = stage.start(&config);
        std::thread::sleep(length.mul_f64(share));
        let killed = kill(agent);
        assert_never_wrong(&stage, &branch);
        tally.count(&stage, &branch, killed);
        assert_finished_by_the_next_pass(&stage, &branch, &config);
    }
    for notes in notes_refs(&stage.remote.repository()) {
        stage.assert_only_forward(&notes, killed_movers(&stage, kills as usize));
    }
    eprintln!("{name}: {kills} kills over {length:?} (seed {seed}): {tally:?}");
    assert!(tally.before_the_branch_push > 0, "{tally:?}");
}

#[test]
fn an_agent_killed_at_a_random_moment_harms_nothing_in_a_local_repository() {
    kill_at_random(Remote::file(), "file", 40, 11);
}

#[test]
fn a_lock_that_a_killed_agent_left_is_removed_and_any_other_is_not() {
    let mut stage = Stage::new(Remote::file());
    let branch = stage.branch("locked");
    let config = stage.config("agent", &branch);
    let lock = stage.remote.repository().join("refs/heads/locked.lock");
    let old = std::fs::File::create(&lock).unwrap();
    old.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let output = stage.start(&config).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1), "a lock that no agent has made is left alone");
    assert!(lock.exists());
    // This is how an agent that was killed in between leaves the repository.
    std::fs::write(stage.remote.repository().join("backout-moving"), "refs/heads/locked\n").unwrap();
    assert_finished_by_the_next_pass(&stage, &branch, &config);
    assert!(!lock.exists());
}

#[test]
fn an_agent_killed_at_a_random_moment_harms_nothing_over_http() {
    kill_at_random(Remote::Http(HttpRemote::start()), "http", 60, 12);
}

#[test]
fn an_agent_killed_right_after_its_push_is_followed_by_one_that_writes_the_notes() {
    let mut stage = Stage::new(Remote::Http(HttpRemote::start()));
    let repository = stage.remote.repository();
    // The agent dies before it hears that its push was taken. The hook waits until it is told whom to kill, which is
    // once: the next pass lives.
    let script = "read old new ref
case $ref in refs/heads/late-*)
  for i in $(seq 5000); do test -s victim && break; sleep 0.01; done
  if test -s victim; then kill -9 $(cat victim); echo none > victim.next; mv victim.next victim; fi 2>/dev/null
esac
exit 0";
    let mut tally = Tally::default();
    for number in 0..8 {
        drop(std::fs::remove_file(repository.join("hooks/post-receive")));
        let branch = stage.branch(&format!("late-{number}"));
        let config = stage.config("agent", &branch);
        drop(std::fs::remove_file(repository.join("victim")));
        hook(&repository, "post-receive", script);
        let agent = stage.start(&config);
        std::fs::write(repository.join("victim"), agent.id().to_string()).unwrap();
        let output = agent.wait_with_output().unwrap();
        assert_eq!(output.status.code(), None, "the hook did not kill the agent");
        assert_never_wrong(&stage, &branch);
        tally.count(&stage, &branch, true);
        assert_finished_by_the_next_pass(&stage, &branch, &config);
    }
    assert_eq!(tally.between_the_pushes, 8, "{tally:?}");
}

#[test]
fn an_agent_killed_as_soon_as_a_local_branch_moves_is_followed_by_one_that_writes_the_notes() {
    let mut stage = Stage::new(Remote::file());
    let mut tally = Tally::default();
    for number in 0..10 {
        let branch = stage.branch(&format!("moved-{number}"));
        let config = stage.config("agent", &branch);
        let place = stage.remote.repository().join("refs/heads").join(&branch.name);
        let mut agent = stage.start(&config);
        let is_there = || std::fs::read_to_string(&place).unwrap_or_default().starts_with(&branch.bad);
        while is_there() && agent.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(100));
        }
        let killed = kill(agent);
        assert_never_wrong(&stage, &branch);
        tally.count(&stage, &branch, killed);
        assert_finished_by_the_next_pass(&stage, &branch, &config);
    }
    eprintln!("killed as soon as the branch moved: {tally:?}");
    assert_eq!(tally.before_the_branch_push, 0, "{tally:?}");
}
