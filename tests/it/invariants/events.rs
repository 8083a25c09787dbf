//! What people and bots do in a world.

use std::sync::Arc;

use backout::domain::history::snapshot::Person;
use backout::domain::ids::CommitId;

use super::more::More;
use super::shapes;
use super::world::{Deployed, Sim, person, unrelated};
use crate::support::simulated::{Node, Remote, Tree};

/// How a deployment is made.
struct Deploy {
    services: Vec<(usize, String)>,
    author: Person,
    subject: String,
    schema: u8,
    other: Option<u32>,
    /// How long before it lands it was committed, in seconds.
    late_secs: i64,
}

impl Sim {
    /// A whole story: things happen, and the agents pass. Most are short, as what goes wrong shows soon, or never.
    pub(super) fn story(seed: u64, always_a_gap: u8) -> Self {
        let mut sim = Self::new(seed, More::of(seed));
        sim.weather.always_a_gap = always_a_gap;
        let is_about_few = sim.more.few().is_some();
        if !is_about_few || sim.more.random.u8(0..4) == 0 {
            sim.make_weather();
        }
        if sim.more.earn_after.is_some() && sim.more.random.u8(0..3) == 0 {
            sim.story_of_trust();
        }
        if sim.more.pins.is_some() && sim.more.random.u8(0..3) == 0 {
            sim.story_of_pins();
        }
        let steps = if seed.is_multiple_of(16) { sim.random.usize(12..30) } else { sim.random.usize(3..9) };
        let steps = if is_about_few { steps.max(sim.more.random.usize(5..12)) } else { steps };
        for _ in 0..steps {
            sim.now = sim.now.plus_secs(sim.random.i64(20..240));
            for _ in 0..sim.random.choice([0, 1, 1, 2]).unwrap() {
                sim.something_happens();
            }
            sim.somebody_pauses();
            sim.somebody_answers();
            sim.somebody_edits_pins();
            sim.a_bot_insists();
            sim.it_breaks_again();
            match sim.random.u8(0..10) {
                0 | 1 => sim.rough_pass(),
                2 | 3 => sim.two_passes(),
                4 | 5 => sim.pass_twice(),
                6 | 7 => drop(sim.calm_pass()),
                _ => {}
            }
        }
        sim.pass_twice();
        sim
    }

    fn make_weather(&mut self) {
        let begin = self.now.unix();
        for _ in 0..self.random.usize(0..4) {
            let service = self.services[self.random.usize(0..self.services.len())].0.clone();
            let from = begin + self.random.i64(-900..2_400);
            let to = from + self.random.i64(120..1_500);
            self.weather.trouble.push((service, from, to));
        }
        for _ in 0..self.random.usize(0..3) {
            let from = begin + self.random.i64(-600..2_400);
            self.weather.holes.push((from, from + self.random.i64(30..900)));
        }
    }

    fn something_happens(&mut self) {
        match self.random.u8(0..12) {
            0..=4 => self.deploy_something(),
            5 | 6 => self.redeploy_what_was_backed_out(),
            7 => self.roll_back(),
            8 => self.change_something_else(),
            9 | 10 => self.merge_a_proposal(),
            _ => unrelated(
                &mut self.remote.lock().unwrap(),
                &self.environment.branch,
                self.now,
                self.random.u32(..),
            ),
        }
    }

    fn author(&mut self) -> Person {
        let name = if self.random.bool() { "renovate[bot]" } else { "ann" };
        person(name)
    }

    fn next_version(&mut self) -> String {
        let end = if self.random.u8(0..3) == 0 { 0 } else { 9 };
        format!("v1.{}.{end}", self.deployed.len() + 1)
    }

    fn deploy_something(&mut self) {
        let mut all: Vec<usize> = (0..self.services.len()).collect();
        self.random.shuffle(&mut all);
        let of_group = if self.is_grouped() { self.random.usize(1..=4) } else { 0 };
        let several = if self.random.u8(0..4) == 0 { 2 } else { 1 };
        all.truncate(of_group.max(several));
        let services = all.into_iter().map(|service| (service, self.next_version())).collect();
        let schema = self.random.u8(0..12);
        let other = (self.random.u8(0..4) == 0).then(|| self.random.u32(2..9));
        let (author, subject) = (self.author(), "deploy".to_owned());
        let late_secs = if self.random.u8(0..5) == 0 { self.random.i64(30..3_600) } else { 0 };
        self.deploy(Deploy { services, author, subject, schema, other, late_secs });
    }

    /// A bot, or a person, brings back a version that was deployed before.
    fn redeploy_what_was_backed_out(&mut self) {
        if let Some(past) = self.random.choice(&self.deployed.clone()) {
            let Some((name, _, version)) = self.random.choice(&past.services) else { return };
            let index = self.services.iter().position(|(service, _)| service == name).unwrap();
            let author = self.author();
            if !self.is_kept_out(&author, name, version) {
                self.redeploy(index, version.clone(), author);
            }
        }
    }

    /// Somebody brings a version of a service back.
    pub(super) fn redeploy(&mut self, index: usize, version: String, author: Person) {
        let (services, subject) = (vec![(index, version)], "deploy again".to_owned());
        self.deploy(Deploy { services, author, subject, schema: 9, other: None, late_secs: 0 });
    }

    /// A bot deploys a bad version of the first service, where that runs a good one: budgets and trust are about what happens again, and
    /// pauses about what is bad.
    pub(super) fn it_breaks_again(&mut self) {
        let one_of = if self.more.few().is_some() { 2 } else { 6 };
        let is_wanted = self.more.few().is_some() || self.more.has_pauses;
        if !is_wanted || self.more.random.u8(0..one_of) > 0 || shapes::is_bad(&self.version_of(0)) {
            return;
        }
        if self.more.few().is_some() {
            // So long after what was before that there is something to compare with.
            self.now = self.now.plus_secs(360);
        }
        let services = vec![(0, format!("v1.{}.9", self.deployed.len() + 1))];
        let (author, subject) = (person("renovate[bot]"), "deploy".to_owned());
        self.deploy(Deploy { services, author, subject, schema: 9, other: None, late_secs: 0 });
    }

    /// A bot deploys the newest version, as long as no pin keeps it out.
    fn a_bot_insists(&mut self) {
        if self.more.pins.is_none() || self.more.random.bool() {
            return;
        }
        let newest = self.deployed.iter().rfind(|past| !past.merge).map(|past| past.services[0].clone());
        let Some((name, _, version)) = newest else { return };
        let author = person("renovate[bot]");
        if self.is_kept_out(&author, &name, &version) {
            return;
        }
        let index = self.services.iter().position(|(service, _)| *service == name).unwrap();
        let (services, subject) = (vec![(index, version)], "deploy the newest".to_owned());
        self.deploy(Deploy { services, author, subject, schema: 9, other: None, late_secs: 0 });
    }

    fn roll_back(&mut self) {
        if let Some(past) = self.deployed.last().cloned().filter(|past| !past.merge) {
            let (name, before, _) = &past.services[0];
            let index = self.services.iter().position(|(service, _)| service == name).unwrap();
            let services = vec![(index, before.clone())];
            let (author, subject) = (self.author(), "Revert \"deploy\"".to_owned());
            self.deploy(Deploy { services, author, subject, schema: 9, other: None, late_secs: 0 });
        }
    }

    fn change_something_else(&mut self) {
        let (author, subject) = (self.author(), "scale".to_owned());
        let other = Some(self.random.u32(2..9));
        let index = self.random.usize(0..self.services.len());
        let version = self.version_of(index);
        self.deploy(Deploy {
            services: vec![(index, version)],
            author,
            subject,
            schema: 9,
            other,
            late_secs: 0,
        });
    }

    pub(super) fn version_of(&self, index: usize) -> String {
        let (service, shape) = &self.services[index];
        let remote = self.remote.lock().unwrap();
        let tree = &remote.tip(&self.environment.branch).tree;
        shapes::version(std::str::from_utf8(&tree[&shapes::path(service, *shape)]).unwrap())
    }

    fn deploy(&mut self, deploy: Deploy) {
        let mut remote = self.remote.lock().unwrap();
        let tip = remote.tip(&self.environment.branch).clone();
        let mut tree = tip.tree.clone();
        let mut changed = Vec::new();
        let mut pure = deploy.schema > 1;
        for (index, version) in &deploy.services {
            let (service, shape) = &self.services[*index];
            let path = shapes::path(service, *shape);
            let old = String::from_utf8(tree[&path].to_vec()).unwrap();
            let before = shapes::version(&old);
            let mut text = old.replace(&before, version);
            if let Some(other) = deploy.other {
                pure = false;
                text = shapes::text(service, *shape, version, other);
            }
            tree.insert(path, text.into_bytes().into());
            if before != *version {
                changed.push((service.clone(), before, version.clone()));
            }
        }
        let mut message = format!("{}\n\nwhy it is done\n", deploy.subject);
        if deploy.schema == 0 {
            message += "\nSchema-Change: true\n";
        } else if deploy.schema == 1 {
            let path = format!("apps/{}/migrations/{}.sql", self.services[0].0, self.random.u32(..));
            tree.insert(path.parse().unwrap(), Arc::from(&b"alter table\n"[..]));
        }
        if tree != tip.tree {
            let committed = self.now.minus_secs(deploy.late_secs);
            let node = Node::new(vec![tip.id], tree, deploy.author, &message, committed);
            let commit = node.id;
            let is_watched = remote.seen.contains_key(&self.environment.branch);
            remote.put_at(&self.environment.branch, node, self.now);
            drop(remote);
            if !changed.is_empty() {
                let (schema, merge) = (deploy.schema <= 1, false);
                let seen_to_land = is_watched.then_some(self.now);
                let deployed = Deployed { commit, schema, pure, merge, seen_to_land, services: changed };
                self.deployed.push(deployed);
                self.late += usize::from(deploy.late_secs > 0);
            }
        }
    }

    /// A person merges what an agent has proposed.
    pub(super) fn merge_a_proposal(&mut self) {
        let mut remote = self.remote.lock().unwrap();
        let Some((branch, proposal)) = self.open_proposals(&remote).into_iter().next() else { return };
        let message = format!("Merge branch '{branch}'\n");
        let tip = remote.tip(&self.environment.branch).clone();
        let tree = with_changes_of(&remote, &tip.tree, proposal);
        let node = Node::new(vec![tip.id, proposal], tree, person("ann"), &message, self.now);
        let commit = node.id;
        remote.put(&self.environment.branch, node);
        drop(remote);
        let (services, seen_to_land) = (Vec::new(), None);
        let deployed = Deployed { commit, schema: false, pure: false, merge: true, seen_to_land, services };
        self.deployed.push(deployed);
    }
}

/// A tree with the files of another commit that differ from its parent's.
fn with_changes_of(remote: &Remote, tree: &Tree, commit: CommitId) -> Tree {
    let node = &remote.commits[&commit];
    let before = &remote.commits[&node.parents[0]].tree;
    let mut tree = tree.clone();
    for (path, bytes) in node.tree.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes)) {
        tree.insert(path.clone(), Arc::clone(bytes));
    }
    tree
}
