//! States from longer ago than a pass that finds nothing to do reads, in a repository of which the cache holds a part.

use std::fmt::Write as _;

use super::*;
use crate::e2e::table::{FINE, configure_with};
use crate::support::git::{fast_import, git};
use crate::support::http_remote::{HttpRemote, PASSWORD, USER};

const DAY: i64 = 24 * 60;
/// How many commits there are, of which a cache first has the newest 256.
const COMMITS: usize = 700;

/// A repository that is reached by an address: v1 since 81 days, v2 since 60, and commits about nothing until three hours ago.
fn long_history() -> (HttpRemote, Stage, String) {
    history_of(60)
}

/// The same, with v2 since so many days.
fn history_of(days: i64) -> (HttpRemote, Stage, String) {
    let remote = HttpRemote::start();
    let mut stage = Stage::on(remote.repository(), remote.url()).starting_now();
    stage.variables.push(("GIT_PASSWORD".to_owned(), PASSWORD.to_owned()));
    let auth = format!("auth: {{kind: basic, username: {USER}, password: {{env: GIT_PASSWORD}}}}");
    configure_with(&stage, &rules(), &format!("url: {}, {auth}", remote.url()));
    stage.write(VALUES, &app("v1"));
    stage.commit(-(days + 21) * DAY, PERSON, "Set the shop up");
    stage.write(VALUES, &app("v2"));
    let second = stage.commit(-days * DAY, BOT, "Deploy v2");
    let begin = stage.now() - days * DAY * 60;
    let until = stage.now() - 3 * 3_600;
    let mut stream = String::new();
    for number in 0..COMMITS - 2 {
        let done = i64::try_from(number * 1_000 / COMMITS).unwrap();
        let at = begin + (until - begin) * done / 1_000;
        let from = if number == 0 { "from refs/heads/main^0\n" } else { "" };
        writeln!(stream, "commit refs/heads/main\ncommitter Dana <dana@example.com> {at} +0000").unwrap();
        write!(stream, "data 1\nx\n{from}M 100644 inline notes.txt\ndata 3\n{number:03}\n").unwrap();
    }
    fast_import(stage.clone_of_people(), stream.as_bytes());
    stage.git(&["reset", "-q", "--hard"]);
    stage.push();
    errors(&stage, &[("checkout", FINE)]);
    (remote, stage, second)
}

/// How many commits of `main` the cache holds.
fn held(stage: &Stage) -> usize {
    let mut entries =
        std::fs::read_dir(stage.home.path().join("cache")).unwrap().map(|entry| entry.unwrap().path());
    let cache = entries.find(|path| path.extension().is_some_and(|extension| extension == "git")).unwrap();
    git(&cache, &["rev-list", "--count", "main"]).parse().unwrap()
}

#[test]
fn the_past_is_fetched_while_a_deployment_is_watched() {
    let (_remote, stage, _) = long_history();
    stage.pass(0);
    assert_eq!(held(&stage), 256, "nothing is watched");
    release_by(&stage, "v3", -5, BOT);
    stage.plan(0);
    assert!(held(&stage) < COMMITS, "a plan fetches nothing ahead");
    stage.pass(0);
    assert_eq!(held(&stage), COMMITS + 1);
}

#[test]
fn a_rollback_to_what_ran_long_ago_is_one() {
    for is_watched_before in [false, true] {
        let (_remote, stage, second) = long_history();
        stage.pass(0);
        let back = release_by(&stage, "v1", -12, PERSON);
        if is_watched_before {
            stage.pass(0);
        }
        fails_since(&stage, -11);
        is_left_to_a_person(&stage, &back, &["it is itself a rollback", short(&second)]);
    }
}

#[test]
fn a_commit_that_is_named_is_looked_for_no_further_back_than_it_is() {
    let (_remote, stage, _) = history_of(300);
    stage.pass(0);
    let bad = release_by(&stage, "v3", -5, BOT);
    stage.run(&["revert", &bad, "--dry-run"]).ended(0);
    assert!(held(&stage) <= 257, "{} commits are in the cache", held(&stage));
}

/// Has a person's revert of v2 made twelve minutes ago, and forgets the cache. Returns the commit.
fn reverted_by_hand(stage: &Stage, second: &str) -> String {
    let tip = stage.tip();
    stage.run(&["revert", second]).ended(3);
    assert_eq!(file(stage, VALUES).unwrap(), app("v1"));
    let says = message(stage);
    // The same commit at an earlier time.
    stage.remote(&["update-ref", "refs/heads/main", &tip]);
    let reverted = write_as(stage, &app("v1"), -12, PERSON, &says);
    std::fs::remove_dir_all(stage.home.path().join("cache")).unwrap();
    reverted
}

#[test]
fn a_revert_of_what_was_deployed_long_ago_is_one_in_a_new_cache() {
    let (_remote, stage, second) = long_history();
    reverted_by_hand(&stage, &second);
    fails_since(&stage, -11);
    for when in ["in a new cache", "in the cache as it is then"] {
        assert_eq!(items(&stage.pass(0)).count(), 0, "it is no deployment, {when}");
        assert_eq!(held(&stage), COMMITS + 1, "the cache goes back to what it names");
    }
}

#[test]
fn a_revert_of_what_was_deployed_too_long_ago_is_left_to_a_person() {
    let (_remote, stage, second) = history_of(300);
    let reverted = reverted_by_hand(&stage, &second);
    fails_since(&stage, -11);
    let why = [
        "its trailers say that it is a revert of",
        short(&second),
        "had changed is not in the history that can be read",
    ];
    is_left_to_a_person(&stage, &reverted, &why);
    assert!(held(&stage) < COMMITS, "no more is fetched than of any service");
}
