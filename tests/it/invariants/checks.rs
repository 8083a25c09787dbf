//! What must hold in every world: each check returns what it found wrong.

use std::collections::BTreeMap;

use backout::domain::ids::CommitId;
use backout::domain::time::Time;

use super::brakes::{acted_while_frozen, acted_while_paused, is_unpin};
use super::pins::{counted, lifted_wrongly, pinned_twice, pins_of};
use super::shapes;
use super::trust::{a_loop, earned, not_earned, over_budget_of_service};
use super::world::{Deployed, Sim};
use crate::support::simulated::{Node, Remote};

/// What a check finds wrong in a world.
pub(super) type Check = fn(&Sim, &Remote) -> Vec<String>;

/// Every check, by the name of its test.
pub(super) const CHECKS: [(&str, Check); 20] = [
    ("another_byte", another_byte),
    ("a_version_that_was_backed_out", a_version_that_was_backed_out),
    ("not_the_parents_bytes", not_the_parents_bytes),
    ("reverted_twice", reverted_twice),
    ("no_fast_forward", no_fast_forward),
    ("a_schema_change", a_schema_change),
    ("a_reverted_revert", a_reverted_revert),
    ("over_budget", over_budget),
    ("a_restless_pass", a_restless_pass),
    ("a_problem", |sim, _| sim.problems.clone()),
    ("an_innocent", an_innocent),
    ("blamed_for_what_was_before", blamed_for_what_was_before),
    ("half_a_group", half_a_group),
    ("acted_while_paused", acted_while_paused),
    ("acted_while_frozen", acted_while_frozen),
    ("pinned_twice", pinned_twice),
    ("lifted_wrongly", lifted_wrongly),
    ("not_earned", not_earned),
    ("over_budget_of_service", over_budget_of_service),
    ("a_loop", a_loop),
];

/// A revert that an agent made, and what it says that it reverts. Of services of a group that go back together each is one.
struct Revert<'r> {
    node: &'r Node,
    parent: &'r Node,
    reverts: CommitId,
    service: &'r str,
    direct: bool,
    /// The trailers of the service.
    block: &'r str,
    /// All services that the commit takes back.
    services: Vec<&'r str>,
}

impl Revert<'_> {
    fn value(&self, name: &str) -> Option<&str> {
        value(self.block, name)
    }

    /// Whether it is the first of its commit.
    fn is_first(&self) -> bool {
        self.value("Backout-Together-With").is_none()
    }

    /// Whether it says that what it takes back was bad, and not only that it goes back with what was.
    fn is_of_bad(&self) -> bool {
        self.is_first() || self.value("Backout-Signal").is_some()
    }
}

fn value<'b>(block: &'b str, name: &str) -> Option<&'b str> {
    block.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// Every revert of an agent, proposals included, oldest first.
fn reverts<'r>(sim: &Sim, remote: &'r Remote) -> Vec<Revert<'r>> {
    let of_agents = remote.moves.iter().filter(|(_, _, commit, _)| remote.by_agents.contains(commit));
    let of_commit = |(branch, _, commit, _): &'r (_, _, CommitId, _)| {
        let node = &remote.commits[commit];
        if is_unpin(node) {
            return Vec::new();
        }
        let is_block = |part: &&str| part.starts_with("Backout-Id: ");
        let blocks: Vec<&str> = node.message.split("\n\n").filter(is_block).collect();
        let needed = |block, name| value(block, name).unwrap_or_else(|| panic!("{name}: {}", node.message));
        let services: Vec<&str> = blocks.iter().map(|block| needed(block, "Backout-Service")).collect();
        let revert = |block: &'r str| Revert {
            node,
            parent: &remote.commits[&node.parents[0]],
            reverts: needed(block, "Backout-Reverts").parse().unwrap(),
            service: needed(block, "Backout-Service"),
            direct: *branch == sim.environment.branch,
            block,
            services: services.clone(),
        };
        assert!(!blocks.is_empty(), "{}", node.message);
        blocks.into_iter().map(revert).collect::<Vec<_>>()
    };
    of_agents.flat_map(of_commit).collect()
}

fn deployment<'s>(sim: &'s Sim, revert: &Revert<'_>) -> Option<&'s Deployed> {
    sim.deployed.iter().find(|deployed| deployed.commit == revert.reverts)
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

/// A revert changes the service to a state that it ran, and not one byte else.
fn another_byte(sim: &Sim, remote: &Remote) -> Vec<String> {
    let check = |revert: &Revert<'_>| -> Option<String> {
        let (_, shape) = sim.services.iter().find(|(name, _)| name == revert.service)?;
        let path = shapes::path(revert.service, *shape);
        let mut expected = revert.parent.tree.clone();
        for (name, shape) in sim.services.iter().filter(|(name, _)| revert.services.contains(&name.as_str()))
        {
            let path = shapes::path(name, *shape);
            expected.insert(path.clone(), revert.node.tree.get(&path)?.clone());
        }
        for (_, path) in pins_of(revert.node) {
            expected.insert(path.clone(), revert.node.tree.get(&path)?.clone());
        }
        if expected != revert.node.tree {
            return Some(format!("{} changed something else", revert.node.id));
        }
        let after = String::from_utf8(revert.node.tree[&path].to_vec()).unwrap();
        let before = String::from_utf8(revert.parent.tree[&path].to_vec()).unwrap();
        let past = texts(sim, remote, revert.service, revert.parent.id);
        let rest = |text: &str| text.replace(&shapes::version(text), "");
        let ran = past.iter().any(|text| shapes::version(text) == shapes::version(&after));
        let known = rest(&after) == rest(&before) || past.iter().any(|text| rest(text) == rest(&after));
        (!ran || !known || shapes::version(&after) == shapes::version(&before))
            .then(|| format!("{} made a state that never ran: {before:?} became {after:?}", revert.node.id))
    };
    reverts(sim, remote).iter().filter_map(check).collect()
}

/// No revert leads to a version that was backed out before.
fn a_version_that_was_backed_out(sim: &Sim, remote: &Remote) -> Vec<String> {
    let quarantine_secs = i64::from(sim.environment.services[0].policy.quarantine_secs);
    let all = reverts(sim, remote);
    let landed: Vec<&Revert<'_>> = all.iter().filter(|revert| revert.direct).collect();
    let check = |revert: &Revert<'_>| -> Option<String> {
        let to = revert.value("Backout-To")?;
        let backed_out = |other: &&&Revert<'_>| {
            other.service == revert.service
                && other.node.at < revert.node.at
                && revert.node.at.secs_since(other.node.at) < quarantine_secs
                && other.is_of_bad()
                && other.value("Backout-From") == Some(to)
        };
        let before = landed.iter().find(backed_out)?;
        Some(format!("{} goes back to {to}, which {} backed out", revert.node.id, before.node.id))
    };
    all.iter().filter_map(check).collect()
}

/// The reverts of a world that were made at the bad commit itself, of a commit that changed versions of the services that went back
/// and nothing else.
fn at_the_bad_commit<'r>(sim: &Sim, remote: &'r Remote) -> Vec<Revert<'r>> {
    let is_plain = |revert: &Revert<'_>| {
        let deployed = deployment(sim, revert);
        revert.parent.id == revert.reverts
            && deployed.is_some_and(|one| one.pure && one.services.len() == revert.services.len())
            && revert.value("Backout-With").is_none()
    };
    let mut all = reverts(sim, remote);
    all.retain(is_plain);
    all
}

/// How many reverts can be held against the parent of what they revert.
pub(super) fn comparable(sim: &Sim, remote: &Remote) -> usize {
    at_the_bad_commit(sim, remote).len()
}

/// A revert at the bad commit restores its parent byte for byte.
fn not_the_parents_bytes(sim: &Sim, remote: &Remote) -> Vec<String> {
    let before = |revert: &Revert<'_>| &remote.commits[&revert.parent.parents[0]].tree;
    let all = at_the_bad_commit(sim, remote);
    let differs = all.iter().filter(|revert| {
        let mut expected = before(revert).clone();
        for (_, path) in pins_of(revert.node) {
            expected.insert(path.clone(), revert.node.tree[&path].clone());
        }
        revert.node.tree != expected
    });
    differs.map(|revert| format!("{} is not as before", revert.node.id)).collect()
}

/// A second pass over the same state changes nothing.
fn a_restless_pass(sim: &Sim, _: &Remote) -> Vec<String> {
    sim.restless.clone()
}

/// A deployment is reverted at most once, and proposed to be at most once.
fn reverted_twice(sim: &Sim, remote: &Remote) -> Vec<String> {
    let mut seen = BTreeMap::new();
    let mut findings = Vec::new();
    for revert in reverts(sim, remote) {
        // What was only proposed is reverted all the same, where the agent may do so by then. Where somebody has changed the file since,
        // it is proposed as it would be by then.
        let (_, shape) = sim.services.iter().find(|(name, _)| name == revert.service).unwrap();
        let on = &revert.parent.tree[&shapes::path(revert.service, *shape)];
        let on = (!revert.direct).then(|| on.clone());
        let key = (revert.reverts, revert.service.to_owned(), on);
        if let Some(before) = seen.insert(key, revert.node.id) {
            findings.push(format!("{} was reverted by {before} and by {}", revert.reverts, revert.node.id));
        }
    }
    findings
}

/// A branch is only ever fast-forwarded.
fn no_fast_forward(_: &Sim, remote: &Remote) -> Vec<String> {
    let mut findings = Vec::new();
    for (branch, old, new, _) in &remote.moves {
        if old.is_some_and(|old| !remote.ancestors(*new).contains(&old)) {
            findings.push(format!("{branch} went from {old:?} to {new}"));
        }
    }
    findings
}

/// A schema change is never reverted.
fn a_schema_change(sim: &Sim, remote: &Remote) -> Vec<String> {
    let all = reverts(sim, remote);
    let schema = all.iter().filter(|revert| deployment(sim, revert).is_some_and(|found| found.schema));
    schema.map(|revert| format!("{} reverts a schema change", revert.node.id)).collect()
}

/// A revert is never itself reverted.
fn a_reverted_revert(sim: &Sim, remote: &Remote) -> Vec<String> {
    let own = |revert: &&Revert<'_>| {
        remote.by_agents.contains(&revert.reverts)
            || deployment(sim, revert).is_none_or(|deployed| deployed.merge)
    };
    let all = reverts(sim, remote);
    all.iter().filter(own).map(|revert| format!("{} reverts a revert", revert.node.id)).collect()
}

/// The budget holds in every window.
fn over_budget(sim: &Sim, remote: &Remote) -> Vec<String> {
    let budget = sim.environment.budget;
    let all = reverts(sim, remote).into_iter();
    let direct: Vec<Revert<'_>> = all.filter(|one| one.direct && one.is_first()).collect();
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
}

/// Only what was bad after the deployment is reverted.
fn an_innocent(sim: &Sim, remote: &Remote) -> Vec<String> {
    let innocent = |revert: &&Revert<'_>| {
        let version = deployment(sim, revert).and_then(|deployed| {
            deployed.services.iter().find(|(name, ..)| name == revert.service).map(|(_, _, new)| new)
        });
        let trouble = sim
            .weather
            .trouble
            .iter()
            .any(|(name, from, _)| name == revert.service && *from < revert.node.at.unix());
        // What ran before it was bad, and it landed before any agent had looked at that.
        let trouble = trouble || follows_a_bad_one(sim, revert);
        // A person is asked, and told so, where it may have landed after the damage had begun.
        let is_unseen = deployment(sim, revert).is_some_and(|deployed| deployed.seen_to_land.is_none());
        let is_told = revert.node.message.contains("it is not known whether");
        let is_asked = !revert.direct && (is_told || is_unseen);
        !trouble && !is_asked && version.is_none_or(|version| !shapes::is_bad(version))
    };
    let all = reverts(sim, remote);
    let blamed = all.iter().filter(|revert| revert.is_of_bad());
    blamed.filter(innocent).map(|revert| format!("{} was not bad", revert.reverts)).collect()
}

/// How long before a deployment what is taken for its doing may have begun: half a minute lies between two samples, and five
/// minutes may lie between the looks between which it landed.
const CLOSE_SECS: i64 = 300 + 60;

/// Whether it replaced a bad version that had landed so shortly before that both may have landed between the same two looks, or that had
/// landed before any agent had looked. So it is where the revert takes that one back too.
fn follows_a_bad_one(sim: &Sim, revert: &Revert<'_>) -> bool {
    let landed = |deployed: &Deployed| deployed.seen_to_land.map(Time::unix);
    let Some((own, at)) = deployment(sim, revert).and_then(|own| Some((own, landed(own)?))) else {
        return false;
    };
    let is_of =
        |one: &Deployed, wanted: &dyn Fn(&(String, String, String)) -> bool| one.services.iter().any(wanted);
    let is_bad = |(name, _, new): &(String, String, String)| name == revert.service && shapes::is_bad(new);
    let before = sim.deployed.iter().take_while(|one| one.commit != own.commit);
    let with: Vec<&str> =
        revert.block.lines().filter_map(|line| line.strip_prefix("Backout-With: ")).collect();
    let replaced = is_of(own, &|(name, old, _)| name == revert.service && shapes::is_bad(old));
    let mut close = before.filter(|one| landed(one).is_none_or(|since| since >= at - CLOSE_SECS));
    close.any(|one| is_of(one, &is_bad) && (replaced || with.contains(&one.commit.to_string().as_str())))
}

/// Nothing is reverted by machine for what had begun before it landed, where an agent had looked before that.
fn blamed_for_what_was_before(sim: &Sim, remote: &Remote) -> Vec<String> {
    let is_blamed = |revert: &Revert<'_>| {
        let is_asked = revert.direct && revert.is_of_bad();
        let Some(deployed) = deployment(sim, revert).filter(|_| is_asked) else { return false };
        let Some(landed) = deployed.seen_to_land else { return false };
        let version = deployed.services.iter().find(|(name, ..)| name == revert.service);
        if version.is_none_or(|(.., new)| shapes::is_bad(new)) {
            return false;
        }
        let (since, reverted) = (landed.unix() - CLOSE_SECS, revert.node.at.unix());
        let mut own = sim.weather.trouble.iter().filter(|(name, ..)| name == revert.service);
        // What begins while there are no samples is seen when there are some again.
        let mut holes = sim.weather.holes.iter();
        let could_be_new = follows_a_bad_one(sim, revert)
            || holes.any(|(_, end)| (since..reverted).contains(end))
            || own.any(|(_, from, _)| (since..reverted).contains(from));
        !could_be_new
    };
    let all = reverts(sim, remote);
    let blamed = all.iter().filter(|revert| is_blamed(revert));
    blamed.map(|revert| format!("{} was blamed for what had begun before", revert.reverts)).collect()
}

/// Of what one commit deployed of a group nothing stays where a part of it goes back.
fn half_a_group(sim: &Sim, remote: &Remote) -> Vec<String> {
    if !sim.is_grouped() {
        return Vec::new();
    }
    let stays = |revert: &Revert<'_>| -> Option<String> {
        let deployed = deployment(sim, revert)?;
        let (name, ..) = deployed.services.iter().find(|(name, _, new)| {
            let (_, shape) = sim.services.iter().find(|(service, _)| service == name).unwrap();
            let now = &revert.node.tree[&shapes::path(name, *shape)];
            shapes::version(std::str::from_utf8(now).unwrap()) == *new
        })?;
        Some(format!("{} takes {} back, and leaves {name}", revert.node.id, revert.reverts))
    };
    reverts(sim, remote).iter().filter_map(stays).collect()
}

/// How many commits took back several services of a group.
pub(super) fn of_several(sim: &Sim, remote: &Remote) -> usize {
    reverts(sim, remote).iter().filter(|revert| revert.is_first() && revert.services.len() > 1).count()
}

/// What a world had that only some have, and how often each thing happened.
pub(super) fn had(sim: &Sim, remote: &Remote) -> Vec<(&'static str, usize)> {
    let all = reverts(sim, remote);
    let count = |wanted: &dyn Fn(&Revert<'_>) -> bool| all.iter().filter(|revert| wanted(revert)).count();
    let is_held = |revert: &Revert<'_>| sim.more.held.contains(&(revert.reverts, revert.service.to_owned()));
    let (pinned, lifted) = counted(sim, remote);
    let mut had: Vec<_> = sim.more.features().map(|name| (name, 1)).collect();
    had.extend(sim.more.happened.iter().map(|(name, count)| (*name, *count)));
    had.extend([
        ("reverted after a pause", count(&|revert| revert.direct && is_held(revert))),
        ("reverted between freezes", count(&|one| sim.more.windows.is_some() && one.direct)),
        ("reverted by earned trust", earned(sim, remote)),
        ("pinned", pinned),
        ("lifted", lifted),
    ]);
    had
}
