//! The invariants of the design, over random worlds with crashes, lost answers, other writers and two agents at once.
//!
//! A world follows from its seed, and so does every failure.

mod events;
mod shapes;
mod stories;
mod world;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use backout::domain::history::trailers::trailer;
use backout::domain::ids::CommitId;

use self::world::{Deployed, Sim};
use crate::support::simulated::{Node, Remote};
use crate::support::stopwatch;

/// How many worlds there are.
const WORLDS: u64 = 400;

/// The worlds, each with its seed. Made once for all tests of this module.
static STORIES: LazyLock<Vec<(u64, Sim)>> = LazyLock::new(|| {
    let watch = stopwatch();
    let worlds: Vec<(u64, Sim)> = in_parallel(WORLDS, |seed| (seed, Sim::story(seed, 0)));
    let sum = |count: fn(&Sim) -> usize| worlds.iter().map(|(_, sim)| count(sim)).sum::<usize>();
    eprintln!(
        "{WORLDS} worlds in {:?}: {} passes, {} kills, {} deployments, {} reverts",
        watch.elapsed(),
        sum(|sim| sim.passes),
        sum(|sim| sim.kills),
        sum(|sim| sim.deployed.len()),
        sum(|sim| sim.remote.lock().unwrap().by_agents.len()),
    );
    worlds
});

fn in_parallel<T: Send>(count: u64, work: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let half = count / 2;
    std::thread::scope(|scope| {
        let first = scope.spawn(|| (0..half).map(&work).collect::<Vec<T>>());
        let second: Vec<T> = (half..count).map(&work).collect();
        first.join().unwrap().into_iter().chain(second).collect()
    })
}

/// Fails with the first findings of all worlds, each with its seed.
fn none(find: impl Fn(&Sim, &Remote) -> Vec<String>) {
    let mut findings = Vec::new();
    for (seed, sim) in STORIES.iter() {
        let found = find(sim, &sim.remote.lock().unwrap());
        findings.extend(found.into_iter().map(|text| format!("seed {seed}: {text}")));
    }
    let count = findings.len();
    findings.truncate(8);
    assert!(findings.is_empty(), "{count} findings, the first of them:\n{}", findings.join("\n"));
}

/// A revert that an agent made, and what it says that it reverts.
struct Revert<'r> {
    node: &'r Node,
    parent: &'r Node,
    reverts: CommitId,
    service: &'r str,
    direct: bool,
}

/// Every revert of an agent, proposals included, oldest first.
fn reverts<'r>(sim: &Sim, remote: &'r Remote) -> Vec<Revert<'r>> {
    let of_agents = remote.moves.iter().filter(|(_, _, commit, _)| remote.by_agents.contains(commit));
    let revert = |(branch, _, commit, _): &'r (_, _, CommitId, _)| {
        let node = &remote.commits[commit];
        let value = |name| trailer(&node.message, name).unwrap_or_else(|| panic!("{name}: {}", node.message));
        Revert {
            node,
            parent: &remote.commits[&node.parents[0]],
            reverts: value("Backout-Reverts").parse().unwrap(),
            service: value("Backout-Service"),
            direct: *branch == sim.environment.branch,
        }
    };
    of_agents.map(revert).collect()
}

fn deployment<'s>(sim: &'s Sim, revert: &Revert<'_>) -> Option<&'s Deployed> {
    sim.deployed.iter().find(|deployed| deployed.commit == revert.reverts)
}

#[test]
fn invariant_1_gaps_alone_never_lead_to_a_revert() {
    let worlds = in_parallel(120, |seed| {
        let kind = u8::try_from(seed % 5).unwrap() + 1;
        (seed, kind, Sim::story(10_000 + seed, kind))
    });
    for (seed, kind, sim) in &worlds {
        let by_agents = sim.remote.lock().unwrap().by_agents.len();
        assert_eq!(by_agents, 0, "seed {}: a revert out of gaps of kind {kind}", 10_000 + seed);
    }
    assert!(worlds.iter().map(|(_, _, sim)| sim.deployed.len()).sum::<usize>() > 500);
}

/// The texts that a service's file had on the environment's branch up to a commit, oldest first.
fn texts(sim: &Sim, remote: &Remote, service: &str, until: CommitId) -> Vec<String> {
    let (_, shape) = sim.services.iter().find(|(name, _)| name == service).unwrap();
    let path = shapes::path(service, *shape);
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(until);
    while let Some(commit) = next {
        let node = &remote.commits[&commit];
        texts.push(String::from_utf8(node.tree[&path].to_vec()).unwrap());
        next = node.parents.first().copied();
    }
    texts.reverse();
    texts
}

#[test]
fn invariant_2_a_revert_changes_the_service_and_not_one_other_byte() {
    none(|sim, remote| {
        let check = |revert: &Revert<'_>| -> Option<String> {
            let (_, shape) = sim.services.iter().find(|(name, _)| name == revert.service)?;
            let path = shapes::path(revert.service, *shape);
            let mut expected = revert.parent.tree.clone();
            expected.insert(path.clone(), revert.node.tree.get(&path)?.clone());
            if expected != revert.node.tree {
                return Some(format!("{} changed something else", revert.node.id));
            }
            let after = String::from_utf8(revert.node.tree[&path].to_vec()).unwrap();
            let before = String::from_utf8(revert.parent.tree[&path].to_vec()).unwrap();
            let past = texts(sim, remote, revert.service, revert.parent.id);
            let rest = |text: &str| text.replace(&shapes::version(text), "");
            let ran = past.iter().any(|text| shapes::version(text) == shapes::version(&after));
            let known = rest(&after) == rest(&before) || past.iter().any(|text| rest(text) == rest(&after));
            (!ran || !known || shapes::version(&after) == shapes::version(&before)).then(|| {
                format!("{} made a state that never ran: {before:?} became {after:?}", revert.node.id)
            })
        };
        reverts(sim, remote).iter().filter_map(check).collect()
    });
}

#[test]
fn invariant_12_no_revert_leads_to_a_version_that_was_backed_out() {
    none(|sim, remote| {
        let quarantine_secs = i64::from(sim.environment.services[0].policy.quarantine_secs);
        let all = reverts(sim, remote);
        let landed: Vec<&Revert<'_>> = all.iter().filter(|revert| revert.direct).collect();
        let check = |revert: &Revert<'_>| -> Option<String> {
            let to = trailer(&revert.node.message, "Backout-To")?;
            let backed_out = |other: &&&Revert<'_>| {
                other.service == revert.service
                    && other.node.at < revert.node.at
                    && revert.node.at.secs_since(other.node.at) < quarantine_secs
                    && trailer(&other.node.message, "Backout-From") == Some(to)
            };
            let before = landed.iter().find(backed_out)?;
            Some(format!("{} goes back to {to}, which {} backed out", revert.node.id, before.node.id))
        };
        all.iter().filter_map(check).collect()
    });
}

#[test]
fn invariant_3_a_revert_at_the_bad_commit_restores_the_parent_byte_for_byte() {
    let mut checked = 0;
    for (seed, sim) in STORIES.iter() {
        let remote = sim.remote.lock().unwrap();
        for revert in reverts(sim, &remote).iter().filter(|revert| revert.parent.id == revert.reverts) {
            let Some(deployed) = deployment(sim, revert) else { continue };
            let has_others = trailer(&revert.node.message, "Backout-With").is_some();
            if deployed.pure && deployed.services.len() == 1 && !has_others {
                let before = &remote.commits[&revert.parent.parents[0]].tree;
                assert!(revert.node.tree == *before, "seed {seed}: {} is not as before", revert.node.id);
                checked += 1;
            }
        }
    }
    assert!(checked > 50, "only {checked} reverts were made at the bad commit itself");
}

#[test]
fn invariant_4_a_deployment_is_reverted_at_most_once() {
    none(|sim, remote| {
        let mut seen: BTreeMap<(CommitId, String), CommitId> = BTreeMap::new();
        let mut findings = Vec::new();
        for revert in reverts(sim, remote) {
            let key = (revert.reverts, revert.service.to_owned());
            if let Some(before) = seen.insert(key, revert.node.id) {
                findings
                    .push(format!("{} was reverted by {before} and by {}", revert.reverts, revert.node.id));
            }
        }
        findings
    });
}

#[test]
fn invariant_5_a_branch_is_only_ever_fast_forwarded() {
    none(|_, remote| {
        let mut findings = Vec::new();
        for (branch, old, new, _) in &remote.moves {
            if old.is_some_and(|old| !remote.ancestors(*new).contains(&old)) {
                findings.push(format!("{branch} went from {old:?} to {new}"));
            }
        }
        findings
    });
}

#[test]
fn invariant_6_a_schema_change_is_never_reverted() {
    none(|sim, remote| {
        let all = reverts(sim, remote);
        let schema = all.iter().filter(|revert| deployment(sim, revert).is_some_and(|found| found.schema));
        schema.map(|revert| format!("{} reverts a schema change", revert.node.id)).collect()
    });
}

#[test]
fn invariant_7_a_revert_is_never_itself_reverted() {
    none(|sim, remote| {
        let own = |revert: &&Revert<'_>| {
            remote.by_agents.contains(&revert.reverts)
                || deployment(sim, revert).is_none_or(|deployed| deployed.merge)
        };
        let all = reverts(sim, remote);
        all.iter().filter(own).map(|revert| format!("{} reverts a revert", revert.node.id)).collect()
    });
}

#[test]
fn invariant_8_budgets_hold_in_every_window() {
    none(|sim, remote| {
        let budget = sim.environment.budget;
        let direct: Vec<Revert<'_>> = reverts(sim, remote).into_iter().filter(|one| one.direct).collect();
        let over = |revert: &Revert<'_>| {
            let (from, to) = (revert.node.at.minus_secs(budget.window_secs.into()), revert.node.at);
            let count = direct.iter().filter(|one| from < one.node.at && one.node.at <= to).count();
            (count > budget.max_reverts as usize).then(|| format!("{count} reverts until {to}: {budget:?}"))
        };
        let incident = |(at, red): &(_, usize)| {
            (*red >= budget.incident_services as usize).then(|| format!("{red} services were red at {at}"))
        };
        let over_budget = direct.iter().filter_map(over);
        over_budget.chain(sim.red.iter().filter_map(incident)).collect()
    });
}

#[test]
fn invariant_9_a_second_pass_over_the_same_state_does_nothing() {
    none(|sim, _| sim.restless.clone());
}

#[test]
fn a_pass_in_which_everything_works_has_no_problems() {
    none(|sim, _| sim.problems.clone());
}

#[test]
fn only_what_was_bad_after_the_deployment_is_reverted() {
    none(|sim, remote| {
        let innocent = |revert: &&Revert<'_>| {
            let version = deployment(sim, revert).and_then(|deployed| {
                deployed.services.iter().find(|(name, ..)| name == revert.service).map(|(_, _, new)| new)
            });
            let trouble = sim
                .weather
                .trouble
                .iter()
                .any(|(name, from, _)| name == revert.service && *from < revert.node.at.unix());
            !trouble && version.is_none_or(|version| !shapes::is_bad(version))
        };
        let all = reverts(sim, remote);
        all.iter().filter(innocent).map(|revert| format!("{} was not bad", revert.reverts)).collect()
    });
}
