//! The invariants of the design, over random worlds with crashes, lost answers, other writers and two agents at once.
//!
//! A world follows from its seed, and so does every failure. `BACKOUT_WORLDS` says how many there are.

mod checks;
mod events;
mod shapes;
mod stories;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use self::checks::{CHECKS, comparable, of_several};
use self::world::Sim;
use crate::support::stopwatch;

/// How many worlds there are where nobody says it.
const WORLDS: u64 = 2_000;
/// After how many worlds it is said how far it is.
const PROGRESS: u64 = 10_000;
/// How many findings of a check are kept.
const KEPT: usize = 8;

/// What was found in all worlds.
#[derive(Default)]
struct Found {
    worlds: u64,
    passes: usize,
    kills: usize,
    deployments: usize,
    late: usize,
    reverts: usize,
    /// Reverts that were held against the parent of what they revert, byte for byte.
    compared: usize,
    /// Reverts that took back several services of a group.
    of_several: usize,
    /// For each check how much it found, and the first findings.
    findings: BTreeMap<&'static str, (usize, Vec<String>)>,
}

impl Found {
    /// Adds a world, which is gone after that: a million of them would not fit into memory.
    fn add(&mut self, seed: u64, sim: &Sim) {
        let remote = sim.remote.lock().unwrap();
        self.worlds += 1;
        self.passes += sim.passes;
        self.kills += sim.kills;
        self.deployments += sim.deployed.len();
        self.late += sim.late;
        self.reverts += remote.by_agents.len();
        self.compared += comparable(sim, &remote);
        self.of_several += of_several(sim, &remote);
        for (name, check) in CHECKS {
            let (count, first) = self.findings.entry(name).or_default();
            for text in check(sim, &remote) {
                *count += 1;
                if first.len() < KEPT {
                    first.push(format!("seed {seed}: {text}"));
                }
            }
        }
    }
}

/// How many worlds there are.
#[expect(clippy::disallowed_methods, reason = "the rule is for the agent; who runs the tests says it so")]
fn worlds() -> u64 {
    std::env::var("BACKOUT_WORLDS").map_or(WORLDS, |said| said.parse().expect("BACKOUT_WORLDS is a number"))
}

/// All worlds are made once for all tests of this module.
static FOUND: LazyLock<Found> = LazyLock::new(|| {
    let worlds = worlds();
    let (watch, found) = (stopwatch(), Mutex::new(Found::default()));
    in_parallel(worlds, |seed| {
        let sim = Sim::story(seed, 0);
        let mut found = found.lock().unwrap();
        found.add(seed, &sim);
        if found.worlds % PROGRESS == 0 {
            eprintln!("{} of {worlds} worlds in {:?}", found.worlds, watch.elapsed());
        }
    });
    let found = found.into_inner().unwrap();
    eprintln!(
        "{} worlds in {:?}: {} passes, {} kills, {} deployments, {} of them late, {} reverts, {} of them compared",
        found.worlds,
        watch.elapsed(),
        found.passes,
        found.kills,
        found.deployments,
        found.late,
        found.reverts,
        found.compared,
    );
    found
});

fn in_parallel(count: u64, work: impl Fn(u64) + Sync) {
    let next = AtomicU64::new(0);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < count)
                {
                    work(seed);
                }
            });
        }
    });
}

/// Fails with the first findings of a check, each with its seed.
fn none(check: &str) {
    let (count, first) = FOUND.findings.get(check).expect("a check");
    assert!(first.is_empty(), "{count} findings, the first of them:\n{}", first.join("\n"));
}

#[test]
fn invariant_1_gaps_alone_never_lead_to_a_revert() {
    let deployments = Mutex::new(0);
    in_parallel(600, |seed| {
        let kind = u8::try_from(seed % 5).unwrap() + 1;
        let sim = Sim::story(10_000 + seed, kind);
        let by_agents = sim.remote.lock().unwrap().by_agents.len();
        assert_eq!(by_agents, 0, "seed {}: a revert out of gaps of kind {kind}", 10_000 + seed);
        *deployments.lock().unwrap() += sim.deployed.len();
    });
    assert!(*deployments.lock().unwrap() > 500);
}

#[test]
fn invariant_2_a_revert_changes_the_service_and_not_one_other_byte() {
    none("another_byte");
}

#[test]
fn invariant_3_a_revert_at_the_bad_commit_restores_the_parent_byte_for_byte() {
    none("not_the_parents_bytes");
    let compared = FOUND.compared;
    assert!(compared > 50, "only {compared} reverts were made at the bad commit itself");
}

#[test]
fn invariant_4_a_deployment_is_reverted_at_most_once() {
    none("reverted_twice");
}

#[test]
fn invariant_5_a_branch_is_only_ever_fast_forwarded() {
    none("no_fast_forward");
}

#[test]
fn invariant_6_a_schema_change_is_never_reverted() {
    none("a_schema_change");
}

#[test]
fn invariant_7_a_revert_is_never_itself_reverted() {
    none("a_reverted_revert");
}

#[test]
fn invariant_8_budgets_hold_in_every_window() {
    none("over_budget");
}

#[test]
fn invariant_9_a_second_pass_over_the_same_state_does_nothing() {
    none("a_restless_pass");
}

#[test]
fn invariant_12_no_revert_leads_to_a_version_that_was_backed_out() {
    none("a_version_that_was_backed_out");
}

#[test]
fn a_group_goes_back_together_or_not_at_all() {
    none("half_a_group");
    let several = FOUND.of_several;
    assert!(several > 30, "only {several} reverts took back several services");
}

#[test]
fn a_pass_in_which_everything_works_has_no_problems() {
    none("a_problem");
}

#[test]
fn only_what_was_bad_after_the_deployment_is_reverted() {
    none("an_innocent");
}

#[test]
fn nothing_is_reverted_for_what_had_begun_before_it_landed() {
    none("blamed_for_what_was_before");
}
