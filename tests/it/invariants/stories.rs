//! Stories that are told call by call: every place where an agent can be killed, and turns that random worlds take
//! too rarely.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use backout::agent::PassReport;
use backout::domain::environment::Environment;
use backout::domain::environment::policy::{Budget, Delivery, Mode};
use backout::domain::ids::{BranchName, CommitId};
use backout::record::{self, Record};

use super::more::More;
use super::shapes;
use super::trust::a_loop;
use super::world::{Deployed, Sim, person};
use crate::support::process::{Fate, Fates, Process};
use crate::support::simulated::{Node, Tree};

/// A quiet world of three services, whose environment is as told.
fn world(change: impl FnOnce(&mut Environment)) -> Sim {
    let mut sim = Sim::new(7, More::nothing());
    let mut environment = Environment::clone(&sim.environment);
    let rule = &mut environment.services[0];
    rule.policy.mode = Mode::Auto;
    rule.policy.settle_secs = 0;
    rule.policy.cooldown_secs = 0;
    rule.policy.quarantine_secs = 86_400;
    rule.signals[0].rule = backout::domain::environment::signal::Rule::Limit { limit: 0.05, for_secs: 60 };
    environment.delivery = Delivery::Push;
    environment.budget = Budget { max_reverts: 5, window_secs: 3_600, incident_services: 5 };
    change(&mut environment);
    sim.environment = Arc::new(environment);
    sim.services = (0..4).map(|n| (format!("svc-{n}"), 0)).collect();
    let files = sim.services.iter().map(|(service, _)| {
        (shapes::path(service, 0), Arc::from(shapes::text(service, 0, "v1.0.0", 1).as_bytes()))
    });
    let node = Node::new(Vec::new(), files.collect(), person("ann"), "begin\n", sim.now.minus_secs(86_400));
    let mut remote = sim.remote.lock().unwrap();
    *remote = crate::support::simulated::Remote::default();
    remote.put(&sim.environment.branch, node);
    drop(remote);
    sim
}

/// Deploys a version of some services now.
fn deploy(sim: &mut Sim, services: &[usize], version: &str) -> CommitId {
    deploy_by(sim, services, version, "ann")
}

/// The same by somebody.
fn deploy_by(sim: &mut Sim, services: &[usize], version: &str, who: &str) -> CommitId {
    let mut remote = sim.remote.lock().unwrap();
    let tip = remote.tip(&sim.environment.branch).clone();
    let mut tree = tip.tree;
    for index in services {
        let (service, shape) = &sim.services[*index];
        tree.insert(
            shapes::path(service, *shape),
            shapes::text(service, *shape, version, 1).into_bytes().into(),
        );
    }
    let node = Node::new(vec![tip.id], tree, person(who), "deploy\n", sim.now);
    let commit = node.id;
    remote.put(&sim.environment.branch, node);
    commit
}

fn later(sim: &mut Sim, secs: i64) {
    sim.now = sim.now.plus_secs(secs);
}

fn by_agents(sim: &Sim) -> BTreeSet<CommitId> {
    sim.remote.lock().unwrap().by_agents.clone()
}

fn decision(report: &PassReport, service: &str) -> String {
    let item = report.items().find(|item| item.service.as_str() == service);
    item.map_or_else(|| "nothing".to_owned(), |item| item.decision.word().to_owned())
}

/// The verdicts in the notes: the service, the decision, and whether a revert or a proposal is named.
fn verdicts(sim: &Sim) -> Vec<(String, bool)> {
    let remote = sim.remote.lock().unwrap();
    let records = remote.notes.values().flat_map(|note| record::read(note));
    let verdict = |record| match record {
        Record::Verdict(verdict) => {
            Some((verdict.service.to_string(), verdict.revert.is_some() || verdict.proposal.is_some()))
        }
        Record::Recovery(_) | Record::Review(_) | Record::Pin(_) | Record::Seen(_) => None,
    };
    let mut found: Vec<(String, bool)> = records.filter_map(verdict).collect();
    found.sort();
    found
}

/// The files of each branch, and how many commits made them what they are: after a failed push the services of one pass
/// may be taken back in another order, which changes the ids and nothing else.
fn contents(sim: &Sim) -> BTreeMap<BranchName, (Tree, usize)> {
    let remote = sim.remote.lock().unwrap();
    let of = |tip: &CommitId| (remote.commits[tip].tree.clone(), remote.chain(*tip).count());
    remote.branches.iter().map(|(branch, tip)| (branch.clone(), of(tip))).collect()
}

/// Kills an agent at each call of a pass, before and after it, and lets each be followed by a calm pass.
fn every_crash_point(build: &dyn Fn() -> Sim) -> usize {
    let whole = build();
    let process = Process::new(Sim::calm(), None);
    whole.run(&process).unwrap();
    let expected = (contents(&whole), verdicts(&whole));
    let calls = process.calls();
    for at in 0..calls {
        for fate in [Fate::DieBefore, Fate::DieAfter, Fate::Fail, Fate::Lost] {
            let mut sim = build();
            let fates: Fates = Box::new(move |number, _| if number == at { fate } else { Fate::Go });
            let report = sim.run(&Process::new(fates, None));
            let killed = matches!(fate, Fate::DieBefore | Fate::DieAfter);
            assert!(!(killed && report.is_some()), "the agent was not killed at call {at}");
            sim.calm_pass();
            let found = (contents(&sim), verdicts(&sim));
            assert_eq!(found, expected, "{fate:?} at call {at} of {calls}");
            sim.pass_twice();
            assert_eq!(sim.restless, Vec::<String>::new(), "{fate:?} at call {at} of {calls}");
            let found = (contents(&sim), verdicts(&sim));
            assert_eq!(found, expected, "{fate:?} at call {at} of {calls}, after more passes");
        }
    }
    eprintln!("{calls} calls, {} crashes and failures", calls * 4);
    calls
}

#[test]
fn a_pass_that_reverts_can_be_killed_at_every_call() {
    let calls = every_crash_point(&|| {
        let mut sim = world(|_| {});
        deploy(&mut sim, &[0], "v1.2.9");
        later(&mut sim, 240);
        sim
    });
    assert!(calls >= 10, "{calls}");
}

#[test]
fn a_pass_that_reverts_two_services_can_be_killed_at_every_call() {
    every_crash_point(&|| {
        let mut sim = world(|_| {});
        deploy(&mut sim, &[0, 1], "v1.2.9");
        later(&mut sim, 30);
        deploy(&mut sim, &[2], "v1.3.9");
        later(&mut sim, 240);
        sim
    });
}

#[test]
fn a_pass_that_proposes_can_be_killed_at_every_call() {
    every_crash_point(&|| {
        let mut sim = world(|environment| environment.services[0].policy.mode = Mode::Propose);
        deploy(&mut sim, &[0], "v1.2.9");
        later(&mut sim, 240);
        sim
    });
}

#[test]
fn the_merge_of_a_proposal_is_never_reverted() {
    let mut sim = world(|environment| environment.services[0].policy.mode = Mode::Propose);
    deploy(&mut sim, &[0], "v1.2.0");
    let at = sim.now.unix();
    sim.weather.trouble.push(("svc-0".to_owned(), at + 30, at + 600));
    later(&mut sim, 240);
    assert_eq!(decision(&sim.calm_pass(), "svc-0"), "propose");
    let mut environment = Environment::clone(&sim.environment);
    environment.services[0].policy.mode = Mode::Auto;
    sim.environment = Arc::new(environment);
    later(&mut sim, 1_500);
    sim.merge_a_proposal();
    // All was well by then; the version that came back breaks, for a reason of its own.
    let at = sim.now.unix();
    sim.weather.trouble.push(("svc-0".to_owned(), at + 60, at + 6_000));
    let before = by_agents(&sim);
    for _ in 0..8 {
        later(&mut sim, 60);
        sim.calm_pass();
    }
    assert_eq!(by_agents(&sim), before, "the agent took its own revert back");
}

#[test]
fn services_of_one_commit_are_judged_on_their_own() {
    let mut sim = world(|_| {});
    deploy(&mut sim, &[0], "v1.2.9");
    let tip = sim.remote.lock().unwrap().tip(&sim.environment.branch).clone();
    // The second service comes with the same commit and breaks only after the first one was reverted.
    let mut tree = tip.tree.clone();
    tree.insert(shapes::path("svc-1", 0), shapes::text("svc-1", 0, "v1.3.0", 1).into_bytes().into());
    let node = Node::new(tip.parents.clone(), tree, person("ann"), "deploy both\n", sim.now);
    let mut remote = sim.remote.lock().unwrap();
    remote.moves.pop();
    remote.put(&sim.environment.branch, node);
    drop(remote);
    let at = sim.now.unix();
    sim.weather.trouble.push(("svc-1".to_owned(), at + 300, at + 6_000));
    later(&mut sim, 200);
    let report = sim.calm_pass();
    assert_eq!((decision(&report, "svc-0"), decision(&report, "svc-1")), ("revert".into(), "wait".into()));
    later(&mut sim, 300);
    assert_eq!(decision(&sim.calm_pass(), "svc-1"), "revert");
}

#[test]
fn an_incident_that_was_left_to_a_person_still_counts_in_later_passes() {
    let mut sim = world(|environment| environment.budget.incident_services = 3);
    for service in 0..3 {
        deploy(&mut sim, &[service], "v1.2.9");
    }
    later(&mut sim, 120);
    deploy(&mut sim, &[3], "v1.2.9");
    later(&mut sim, 60);
    let report = sim.calm_pass();
    assert_eq!(decision(&report, "svc-2"), "escalate");
    assert_eq!(decision(&report, "svc-3"), "wait");
    later(&mut sim, 120);
    assert_eq!(decision(&sim.calm_pass(), "svc-3"), "escalate", "it is the same incident");
    assert_eq!(by_agents(&sim), BTreeSet::new());
}

#[test]
fn a_late_verdict_leaves_nothing_to_do_for_a_second_pass() {
    let mut sim = world(|_| {});
    deploy(&mut sim, &[0], "v1.2.9");
    later(&mut sim, 240);
    let fates: Fates = Box::new(|_, name| if name == "commit_and_push" { Fate::DieAfter } else { Fate::Go });
    assert!(sim.run(&Process::new(fates, None)).is_none());
    assert_eq!((by_agents(&sim).len(), verdicts(&sim)), (1, Vec::new()));
    // By the time of the next pass it is known already whether the revert has helped.
    later(&mut sim, 400);
    sim.pass_twice();
    assert_eq!(verdicts(&sim), [("svc-0".to_owned(), true)]);
    assert_eq!(sim.restless, Vec::<String>::new());
}

#[test]
fn the_check_for_loops_sees_one() {
    let mut sim = world(|_| {});
    let by_agent = [("v1.2.0", true), ("v1.0.0", true), ("v1.2.0", true)];
    let by_people = [("v1.2.0", true), ("v1.0.0", false), ("v1.2.0", true)];
    for (versions, findings) in [(by_people, 0), (by_agent, 1)] {
        for (version, is_own) in versions {
            let commit = deploy(&mut sim, &[0], version);
            if is_own {
                sim.remote.lock().unwrap().by_agents.insert(commit);
            }
            sim.deployed.push(Deployed {
                commit,
                schema: false,
                pure: true,
                merge: false,
                seen_to_land: None,
                services: vec![("svc-0".to_owned(), String::new(), version.to_owned())],
            });
            later(&mut sim, 60);
        }
        let found = a_loop(&sim, &sim.remote.lock().unwrap());
        assert_eq!(found.len(), findings, "{found:?}");
        deploy(&mut sim, &[0], "v1.9.0");
    }
}

#[test]
fn a_proposal_is_told_once_more_when_the_mode_allows_more_and_then_no_more() {
    let mut sim = world(|environment| {
        environment.delivery = Delivery::Branch;
        environment.services[0].policy.mode = Mode::Propose;
    });
    deploy(&mut sim, &[0], "v1.2.9");
    later(&mut sim, 240);
    assert_eq!(decision(&sim.calm_pass(), "svc-0"), "propose");
    let mut environment = Environment::clone(&sim.environment);
    environment.services[0].policy.mode = Mode::Auto;
    sim.environment = Arc::new(environment);
    later(&mut sim, 60);
    assert_eq!(decision(&sim.calm_pass(), "svc-0"), "propose");
    later(&mut sim, 60);
    assert_eq!(decision(&sim.calm_pass(), "svc-0"), "nothing");
    assert_eq!(verdicts(&sim).len(), 2);
}

#[test]
fn what_was_left_to_a_person_stays_so_when_what_it_was_left_for_is_watched_no_more() {
    let mut sim = world(|_| {});
    deploy(&mut sim, &[0], "v1.2.0");
    later(&mut sim, 900);
    sim.calm_pass();
    // It lands between two looks, and so may the damage: the deployment before it may have done it.
    later(&mut sim, 60);
    deploy(&mut sim, &[0], "v1.3.9");
    later(&mut sim, 200);
    assert_eq!(decision(&sim.calm_pass(), "svc-0"), "propose");
    // The pass after this one reads no further back than to what is watched by then.
    later(&mut sim, 240);
    sim.pass_twice();
    assert_eq!(sim.restless, Vec::<String>::new());
    let remote = sim.remote.lock().unwrap();
    assert!(!remote.by_agents.contains(&remote.tip(&sim.environment.branch).id), "it was pushed");
}

#[test]
fn a_revert_does_not_lead_to_what_the_same_pass_has_found_bad() {
    let mut sim = world(|environment| environment.services[0].policy.settle_secs = 30);
    sim.calm_pass();
    // Nobody looks while all of it is deployed. The good one in between runs too briefly to be known as good.
    deploy(&mut sim, &[0], "v1.2.9");
    later(&mut sim, 600);
    deploy(&mut sim, &[0], "v1.3.0");
    later(&mut sim, 100);
    deploy(&mut sim, &[0], "v1.4.9");
    later(&mut sim, 240);
    let report = sim.calm_pass();
    let items = report.items().filter(|item| item.judgement.verdict.word() == "regressed");
    assert_eq!(items.count(), 2, "{:?}", report.items().map(|item| &item.judgement).collect::<Vec<_>>());
    let remote = sim.remote.lock().unwrap();
    let text = remote.tip(&sim.environment.branch).tree[&shapes::path("svc-0", 0)].to_vec();
    assert_eq!(shapes::version(std::str::from_utf8(&text).unwrap()), "v1.0.0");
}

#[test]
fn of_deployments_in_quick_succession_that_are_bad_somebody_hears() {
    for count in 1..=4 {
        for gap_secs in [60, 120, 180] {
            let mut sim = world(|environment| {
                let rule = &mut environment.services[0];
                (rule.policy.settle_secs, rule.policy.watch_secs) = (30, 1_200);
                rule.signals[0].rule = backout::domain::environment::signal::Rule::Robust;
            });
            sim.calm_pass();
            for number in 0..count {
                deploy(&mut sim, &[0], &format!("v1.{}.9", number + 2));
                later(&mut sim, gap_secs);
            }
            let mut told = Vec::new();
            for _ in 0..40 {
                later(&mut sim, 60);
                let report = sim.calm_pass();
                told.extend(report.items().map(|item| item.decision.word().to_owned()));
            }
            let is_told = |word: &String| matches!(word.as_str(), "revert" | "propose" | "escalate");
            assert!(told.iter().any(is_told), "{count} deployments, {gap_secs} s apart: {told:?}");
        }
    }
}

/// A pass each step until one decides about the first service: the seconds until then, and what it says.
fn decided_after(sim: &mut Sim, step_secs: i64) -> (i64, String, String) {
    let from = sim.now;
    while sim.now.secs_since(from) < 1_800 {
        later(sim, step_secs);
        let report = sim.calm_pass();
        let item = report.items().find(|item| item.service.as_str() == "svc-0");
        if let Some(item) = item.filter(|item| item.decision.word() != "wait") {
            let told = format!("{:?} {:?}", item.decision, item.put_back);
            return (sim.now.secs_since(from), item.decision.word().to_owned(), told);
        }
    }
    (i64::MAX, "nothing".to_owned(), String::new())
}

#[test]
fn a_bot_that_is_back_at_once_is_found_as_quickly_as_the_first_time() {
    for step_secs in [15, 30, 60] {
        for delay_secs in [5, 25, 60, 300] {
            let case = format!("back after {delay_secs} s, a sample each {step_secs} s");
            let mut sim = world(|environment| {
                let rule = &mut environment.services[0];
                (rule.policy.watch_secs, rule.policy.baseline_secs) = (1_800, 3_600);
                rule.signals[0].step_secs = step_secs;
                rule.signals[0].rule = backout::domain::environment::signal::Rule::Robust;
            });
            let step_secs = i64::from(step_secs);
            deploy_by(&mut sim, &[0], "v1.2.9", "renovate[bot]");
            let (first, decision, _) = decided_after(&mut sim, step_secs);
            assert_eq!(decision, "revert", "{case}");
            for expected in ["revert", "escalate"] {
                later(&mut sim, delay_secs);
                deploy_by(&mut sim, &[0], "v1.2.9", "renovate[bot]");
                let (again, decision, told) = decided_after(&mut sim, step_secs);
                assert_eq!(decision, expected, "{case}");
                assert!(again <= first + step_secs, "{case}: {again} s, and {first} s the first time");
                assert!(told.contains("renovate[bot]"), "{case}: {told}");
            }
        }
    }
}
