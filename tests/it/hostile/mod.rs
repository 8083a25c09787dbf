//! Somebody who may push notes and `backout/…` branches, open pull requests and comment, and who may neither push to the
//! environment's branch nor merge into it, does what they like between the passes of an agent whose records nobody can prove.
//!
//! Whatever they do: a healthy deployment is neither reverted nor proposed to be, a bad one is reverted or told to a person, no
//! query is asked but the configured one, and nothing comes after a revert. What `docs/threat-model.md` says that they can
//! bring about is in [`excuse`], each with its sentence.
//!
//! A world follows from its seed, and so does every failure. `BACKOUT_WRITERS` says how many there are.

mod forge;
mod metrics;
mod world;
mod writer;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use self::world::{Delivered, World};
use crate::support::stopwatch;

/// How many worlds there are where nobody says it.
const WRITERS: u64 = 500;
/// How many findings are shown.
const SHOWN: usize = 5;

/// How a bad deployment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// It was not bad.
    Healthy,
    Reverted,
    /// It waits on a branch, as the configuration says.
    Prepared,
    /// A person was told, and it was not reverted.
    Told,
    /// Neither, and the threat model says so.
    Excused(&'static str),
    Silent,
}

/// How many worlds there are.
#[expect(clippy::disallowed_methods, reason = "the rule is for the agent; who runs the tests says it so")]
fn writers() -> u64 {
    std::env::var("BACKOUT_WRITERS")
        .map_or(WRITERS, |said| said.parse().expect("BACKOUT_WRITERS is a number"))
}

/// What the threat model says that a writer can bring about: a bad deployment is then neither reverted nor told.
fn excuse(world: &World) -> Option<&'static str> {
    let hub = world.hub.lock().unwrap();
    // "`/backout approve`, `hold` and `retry` count only … from people of whom the forge says that they may push."
    if hub.held {
        return Some("held");
    }
    // "One that says that a proposal was made keeps it from being made": here every revert is one.
    (world.delivered == Delivered::OnBranch).then_some("proposed, as a record says")
}

fn end(world: &World) -> End {
    if !world.is_bad {
        End::Healthy
    } else if world.is_good_again() {
        End::Reverted
    } else if world.delivered == Delivered::OnBranch && world.prepared {
        End::Prepared
    } else if !world.told.is_empty() {
        End::Told
    } else if let Some(sentence) = excuse(world) {
        End::Excused(sentence)
    } else {
        End::Silent
    }
}

/// What must not be, in words.
fn wrong(world: &World, end: End) -> Vec<String> {
    let mut wrong = world.asked_for_more();
    wrong.extend(world.made_by_agent());
    wrong.extend(world.came_to_the_branch());
    if end == End::Silent {
        wrong.push("the bad deployment is neither reverted nor told to anybody".to_owned());
    }
    // Records alone do not even keep it from being reverted. A record "that says that a proposal was made keeps it from being
    // made": where all reverts are prepared on branches, that is every revert, and a person is told.
    let is_prepared_only = world.delivered == Delivered::OnBranch && end == End::Told;
    if world.is_bad
        && world.writes_notes_alone
        && !is_prepared_only
        && !matches!(end, End::Reverted | End::Prepared)
    {
        wrong.push(format!("notes alone have kept the bad deployment from being reverted ({end:?})"));
    }
    wrong
}

#[test]
fn nothing_that_a_writer_of_notes_and_branches_does_leads_to_a_revert_or_to_silence() {
    let (count, watch, next) = (writers(), stopwatch(), AtomicU64::new(0));
    let (findings, ends) = (Mutex::new(BTreeMap::new()), Mutex::new(BTreeMap::<_, usize>::new()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < count)
                {
                    let world = World::lived_through(seed);
                    let end = end(&world);
                    *ends.lock().unwrap().entry((world.delivered, end)).or_default() += 1;
                    let wrong = wrong(&world, end);
                    if !wrong.is_empty() {
                        findings
                            .lock()
                            .unwrap()
                            .insert(seed, format!("{}\n{}", wrong.join("\n"), world.story()));
                    }
                }
            });
        }
    });
    let (findings, ends) = (findings.into_inner().unwrap(), ends.into_inner().unwrap());
    eprintln!("{count} writers in {:?}: {ends:#?}", watch.elapsed());
    let first: Vec<String> =
        findings.iter().take(SHOWN).map(|(seed, text)| format!("seed {seed}: {text}")).collect();
    assert!(findings.is_empty(), "{} of {count} worlds went wrong:\n{}", findings.len(), first.join("\n\n"));
    if count >= WRITERS {
        let reached = |wanted: fn(&End) -> bool| ends.keys().any(|(_, end)| wanted(end));
        assert!(reached(|end| *end == End::Reverted) && reached(|end| *end == End::Told), "{ends:#?}");
    }
}
