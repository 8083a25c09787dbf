//! What people and bots do about pins, and what must hold for the pins of the agents.

use std::collections::{BTreeMap, BTreeSet};

use backout::domain::history::snapshot::Person;
use backout::domain::ids::{CommitId, FilePath};

use super::brakes::is_unpin;
use super::shapes;
use super::world::{Sim, person};
use crate::support::simulated::{Node, Remote};

impl Sim {
    /// Whether a bot leaves a version out because it is pinned. Some tools do not read what the agent has written.
    pub(super) fn is_kept_out(&mut self, author: &Person, service: &str, version: &str) -> bool {
        let Some((tool, _)) = self.more.pins.filter(|_| author.name != "ann") else { return false };
        let tree = self.remote.lock().unwrap().tip(&self.environment.branch).tree.clone();
        let is_pinned = tool.forbids(&tree, service, version);
        let obeys = is_pinned && self.more.random.u8(0..3) > 0;
        if is_pinned {
            self.more.did(if obeys { "a bot obeyed a pin" } else { "a bot ignored a pin" });
        }
        obeys
    }

    /// A story about one service, whose bot puts a bad version back, pinned or not.
    pub(super) fn story_of_pins(&mut self) {
        for _ in 0..self.more.random.usize(3..6) {
            self.it_breaks_again();
            for _ in 0..3 {
                self.now = self.now.plus_secs(self.more.random.i64(90..330));
                self.calm_pass();
                let newest = self.deployed.last().and_then(|past| past.services.first().cloned());
                let Some((name, _, version)) = newest.filter(|_| self.more.random.bool()) else { continue };
                let index = self.services.iter().position(|(service, _)| *service == name).unwrap();
                if self.version_of(index) != version {
                    self.redeploy(index, version, person("renovate[bot]"));
                }
            }
        }
    }

    /// A person changes a file in which pins stand, now and then.
    pub(super) fn somebody_edits_pins(&mut self) {
        let Some((tool, _)) = self.more.pins.filter(|_| self.more.random.u8(0..10) == 0) else { return };
        let service = self.services[self.more.random.usize(0..self.services.len())].0.clone();
        let is_emptied = self.more.random.bool();
        self.commit_files("pins", &person("ann"), |tree| {
            if is_emptied {
                tool.set_up(&service, tree);
            } else if let Some(bytes) = tree.get(&tool.place(&service)).map(|bytes| bytes.to_vec()) {
                tree.insert(tool.place(&service), [&bytes[..], b"\n"].concat().into());
            }
        });
    }
}

/// The values of a trailer in a message.
fn values<'n>(node: &'n Node, name: &'static str) -> impl Iterator<Item = &'n str> {
    node.message.lines().filter_map(move |line| line.strip_prefix(name)?.strip_prefix(": "))
}

/// The pins that a revert says it wrote, each with its file.
pub(super) fn pins_of(node: &Node) -> Vec<(&str, FilePath)> {
    let file = |pin: &str| pin.split_once(" in ").unwrap().1.split_once(": ").unwrap().0.parse().unwrap();
    values(node, "Backout-Pin").map(|pin| (pin, file(pin))).collect()
}

/// The commits that take pins off, with the revert of each, oldest first.
fn unpins(remote: &Remote) -> impl Iterator<Item = (&Node, CommitId, bool)> {
    let main = "main".parse().unwrap();
    let of_agents = remote.moves.iter().filter(|(_, _, commit, _)| remote.by_agents.contains(commit));
    of_agents.filter_map(move |(branch, _, commit, _)| {
        let node = &remote.commits[commit];
        let revert = values(node, "Backout-Unpins").next()?.parse().unwrap();
        Some((node, revert, *branch == main))
    })
}

/// A revert writes each pin once, and none that stands there already.
pub(super) fn pinned_twice(sim: &Sim, remote: &Remote) -> Vec<String> {
    let mut open: BTreeMap<(&str, FilePath), CommitId> = BTreeMap::new();
    let mut findings = Vec::new();
    for (_, _, commit, _) in remote.moves.iter().filter(|(branch, ..)| *branch == sim.environment.branch) {
        let node = &remote.commits[commit];
        let Some(parent) = node.parents.first() else { continue };
        if !remote.by_agents.contains(commit) {
            // What people have changed is theirs.
            let before = &remote.commits[parent].tree;
            open.retain(|(_, path), _| before.get(path) == node.tree.get(path));
        }
        if let Some(revert) = values(node, "Backout-Unpins").next() {
            open.retain(|_, by| by.to_string() != revert);
        }
        for pin in pins_of(node) {
            if let Some(before) = open.insert(pin.clone(), *commit) {
                findings.push(format!("{commit} writes {} again, which {before} wrote", pin.0));
            }
        }
    }
    findings
}

/// The pins of a revert come off once, are proposed to come off once, and come off only when they are due.
pub(super) fn lifted_wrongly(sim: &Sim, remote: &Remote) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (node, revert, is_direct) in unpins(remote) {
        if !seen.insert((revert, is_direct)) {
            findings.push(format!("{} takes the pins of {revert} off again", node.id));
        }
        let Some(of) = remote.commits.get(&revert) else {
            findings.push(format!("{} takes pins of {revert} off, which is not there", node.id));
            continue;
        };
        // Of a proposal that was merged, the proposal tells the pins.
        let told = of.parents.get(1).map_or(of, |merged| &remote.commits[merged]);
        let service = values(node, "Backout-Service").next().unwrap();
        let (_, shape) = sim.services.iter().find(|(name, _)| name == service).unwrap();
        let path = shapes::path(service, *shape);
        let version = |node: &Node| shapes::version(std::str::from_utf8(&node.tree[&path]).unwrap());
        let before = &remote.commits[&node.parents[0]];
        let until = values(told, "Backout-Pin-Until").next();
        let is_over = until
            .is_some_and(|until| node.at.unix() >= until.parse::<jiff::Timestamp>().unwrap().as_second());
        if !is_over && version(before) == version(of) {
            findings.push(format!("{} takes the pins of {revert} off before their time, {until:?}", node.id));
        }
        let mut expected = before.tree.clone();
        for (_, file) in pins_of(told) {
            if before.tree.get(&file) == of.tree.get(&file) {
                expected.insert(file.clone(), remote.commits[&told.parents[0]].tree[&file].clone());
            } else if let Some(text) = node.tree.get(&file) {
                expected.insert(file, text.clone());
            }
        }
        if expected != node.tree {
            findings.push(format!("{} does not leave behind what stood there before {revert}", node.id));
        }
        if is_direct
            && sim.environment.services[0].policy.mode != backout::domain::environment::policy::Mode::Auto
        {
            findings.push(format!("{} takes pins off without a person", node.id));
        }
    }
    findings
}

/// How many reverts have written pins, and how often pins came off without a person.
pub(super) fn counted(sim: &Sim, remote: &Remote) -> (usize, usize) {
    let direct = remote.moves.iter().filter(|(branch, ..)| *branch == sim.environment.branch);
    let direct: Vec<&Node> = direct.map(|(_, _, commit, _)| &remote.commits[commit]).collect();
    let pinned = direct.iter().filter(|node| !pins_of(node).is_empty()).count();
    (pinned, direct.iter().filter(|node| is_unpin(node)).count())
}
