//! The invariants of the design, over random worlds with crashes, lost answers, other writers and two agents at once.
//!
//! A world follows from its seed, and so does every failure. `BACKOUT_WORLDS` says how many there are.

mod brakes;
mod checks;
mod events;
mod more;
mod pins;
mod shapes;
mod stories;
mod tools;
mod trust;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{LazyLock, Mutex};

use self::checks::{CHECKS, comparable, had, of_several};
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
    /// In how many worlds there was each thing that only some worlds have, or in how many it happened.
    had: BTreeMap<&'static str, u64>,
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
        for (name, _) in had(sim, &remote).into_iter().filter(|(_, count)| *count > 0) {
            *self.had.entry(name).or_default() += 1;
        }
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
    eprintln!("worlds with … {:#?}", found.had);
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

/// Whether so many worlds had each of these things.
fn worlds_had(wanted: &[(&str, u64)]) {
    for (name, least) in wanted {
        // Who asks for fewer worlds gets fewer of each.
        let (had, least) = (FOUND.had.get(name).copied().unwrap_or(0), least * worlds() / WORLDS);
        assert!(had >= least, "only {had} worlds had: {name}");
    }
}

#[test]
fn while_a_service_is_paused_nothing_is_pushed_for_it_and_then_it_goes_on() {
    none("acted_while_paused");
    worlds_had(&[
        ("pauses", 250),
        ("paused by the list", 150),
        ("paused by the file", 100),
        ("resumed", 100),
        ("held by a pause", 30),
        ("reverted after a pause", 2),
    ]);
}

#[test]
fn in_a_freeze_window_nothing_is_pushed_without_a_person() {
    none("acted_while_frozen");
    worlds_had(&[
        ("freeze windows", 200),
        ("proposed because of a freeze", 20),
        ("reverted between freezes", 10),
    ]);
}

#[test]
fn the_budget_of_each_service_holds_in_every_window() {
    none("over_budget_of_service");
    worlds_had(&[("budgets of services", 150), ("proposed because of a service's budget", 3)]);
}

#[test]
fn trust_is_earned_before_it_is_used_and_lost_by_a_no() {
    none("not_earned");
    worlds_had(&[("the mode earn", 200), ("declined", 15), ("reverted by earned trust", 2)]);
}

#[test]
fn a_revert_pins_once_and_its_pins_come_off_once() {
    none("pinned_twice");
    none("lifted_wrongly");
    worlds_had(&[
        ("pins", 200),
        ("pinned", 20),
        ("lifted", 10),
        ("a bot obeyed a pin", 5),
        ("a bot ignored a pin", 5),
    ]);
}

#[test]
fn agents_do_not_go_round_in_circles() {
    none("a_loop");
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
