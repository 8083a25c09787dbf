//! What holds the agents of a world back: pauses, in the list and in the file, and freeze windows. What people do with them, and what must
//! hold.

use std::collections::BTreeSet;
use std::sync::Arc;

use backout::agent::PassReport;
use backout::domain::decision::Decision;
use backout::domain::environment::pause::{Lifted, Pause};
use backout::domain::environment::pause_file::PAUSE_FILE;
use backout::domain::history::snapshot::Person;
use backout::domain::ids::{EnvironmentName, FilePath, ServiceName};
use backout::domain::time::Time;
use backout::record::pause::PauseList;

use super::world::{Sim, person};
use crate::support::process::Fates;
use crate::support::simulated::{Node, Remote, Tree};

/// What a pass says of a deployment that it leaves alone because of a pause.
const HELD: &str = "paused until";

/// A pause that somebody asks for.
fn pause(environment: &EnvironmentName, service: Option<&str>, now: Time, secs: i64) -> Pause {
    Pause {
        environment: environment.clone(),
        service: service.map(|name| ServiceName::new(name).unwrap()),
        at: Some(now),
        until: now.plus_secs(secs),
        by: "ann".to_owned(),
        why: "a move".to_owned(),
        lifted: None,
    }
}

/// The list of pauses as it is.
fn listed(remote: &Remote) -> Vec<Pause> {
    remote.pauses.last().map_or_else(Vec::new, |(_, list)| PauseList::read(list).pauses)
}

/// Pushes these pauses as the list.
fn push(remote: &mut Remote, pauses: Vec<Pause>) {
    remote.pause(PauseList::default().with(pauses).unwrap().join("\n"));
}

fn pause_file() -> FilePath {
    PAUSE_FILE.parse().unwrap()
}

impl Sim {
    /// People pause and resume, where the world has pauses.
    pub(super) fn somebody_pauses(&mut self) {
        if !self.more.has_pauses {
            return;
        }
        let secs = self.more.random.i64(60..900);
        let service = self.more.random.usize(0..2 * self.services.len());
        let service = self.services.get(service).map(|(name, _)| name.clone());
        match self.more.random.u8(0..16) {
            0..=2 => self.pause_by_list(service.as_deref(), secs),
            3 | 4 => self.pause_by_file(service.as_deref(), secs),
            5..=11 => self.resume(),
            12 | 13 => self.empty_the_pause_file(),
            _ => {}
        }
    }

    /// `backout pause`.
    pub(super) fn pause_by_list(&mut self, service: Option<&str>, secs: i64) {
        self.more.did("paused by the list");
        let mut remote = self.remote.lock().unwrap();
        let mut pauses = listed(&remote);
        pauses.push(pause(&self.environment.name, service, self.now, secs));
        push(&mut remote, pauses);
    }

    /// `backout resume`: each pause in the list ends.
    pub(super) fn resume(&mut self) {
        let mut remote = self.remote.lock().unwrap();
        let mut pauses = listed(&remote);
        let mut open = pauses.iter_mut().filter(|pause| pause.lifted.is_none()).peekable();
        if open.peek().is_some() {
            open.for_each(|pause| {
                pause.lifted = Some(Lifted { at: self.now, by: "bea".to_owned(), why: None });
            });
            push(&mut remote, pauses);
            self.more.did("resumed");
        }
    }

    /// A person commits the file of pauses.
    pub(super) fn pause_by_file(&mut self, service: Option<&str>, secs: i64) {
        self.more.did("paused by the file");
        let until = self.now.plus_secs(secs);
        let service = service.map_or_else(String::new, |service| format!("service: {service}, "));
        let text = format!("- {{{service}until: {until}, why: until {}}}\n", until.unix());
        self.commit_files("pause", &person("ann"), |tree| {
            tree.insert(pause_file(), text.into_bytes().into());
        });
    }

    /// A person takes it away.
    pub(super) fn empty_the_pause_file(&mut self) {
        self.commit_files("resume", &person("ann"), |tree| {
            tree.remove(&pause_file());
        });
    }

    /// Commits something that deploys nothing, unless it changes nothing.
    pub(super) fn commit_files(&mut self, subject: &str, author: &Person, change: impl FnOnce(&mut Tree)) {
        let mut remote = self.remote.lock().unwrap();
        let tip = remote.tip(&self.environment.branch);
        let mut tree = tip.tree.clone();
        change(&mut tree);
        if tree != tip.tree {
            let node = Node::new(vec![tip.id], tree, author.clone(), &format!("{subject}\n"), self.now);
            remote.put(&self.environment.branch, node);
        }
    }

    /// Fates by which, in some passes, a person pauses all while the agent asks its metrics. No other agent may be at work: it could have
    /// looked at the list before, and push after.
    pub(super) fn with_a_pause_meanwhile(&mut self, mut fates: Fates) -> Fates {
        if !self.more.has_pauses || self.more.random.u8(0..3) > 0 {
            return fates;
        }
        self.more.did("paused by the list");
        let (remote, now, secs) = (Arc::clone(&self.remote), self.now, self.more.random.i64(60..600));
        let (environment, mut is_done) = (self.environment.name.clone(), false);
        Box::new(move |number, name| {
            if name == "range" && !is_done {
                is_done = true;
                let mut remote = remote.lock().unwrap();
                let mut pauses = listed(&remote);
                pauses.push(pause(&environment, None, now, secs));
                push(&mut remote, pauses);
            }
            fates(number, name)
        })
    }

    /// Notes what a pass says that it left alone because of a pause.
    pub(super) fn note_what_is_held(&mut self, report: &PassReport) {
        for item in report.items() {
            match item
                .guards
                .last()
                .filter(|last| last.decision == Some(Decision::Propose))
                .map(|last| last.guard.as_str())
            {
                Some("service budget") => self.more.did("proposed because of a service's budget"),
                Some("frozen") => self.more.did("proposed because of a freeze"),
                Some("trust") => self.more.did("proposed because trust was not earned"),
                Some(_) | None => {}
            }
            if matches!(&item.decision, Decision::Hold(why) if why.contains(HELD)) {
                self.more.did("held by a pause");
                self.more.held.insert((item.deployment, item.service.to_string()));
            }
        }
    }
}

/// The services that a commit of an agent is about.
pub(super) fn services_of(node: &Node) -> BTreeSet<&str> {
    node.message.lines().filter_map(|line| line.strip_prefix("Backout-Service: ")).collect()
}

/// Whether a commit of an agent takes pins off.
pub(super) fn is_unpin(node: &Node) -> bool {
    node.message.contains("\nBackout-Unpins: ")
}

/// While a pause covers a service, nothing is pushed that is about it: neither to the environment's branch nor to one of its own.
pub(super) fn acted_while_paused(_: &Sim, remote: &Remote) -> Vec<String> {
    let mut findings = Vec::new();
    for (index, (branch, _, commit, at)) in remote.moves.iter().enumerate() {
        if !remote.by_agents.contains(commit) {
            continue;
        }
        let node = &remote.commits[commit];
        let about = services_of(node);
        let list = remote.pauses.iter().rfind(|(moves, _)| *moves <= index);
        let listed = list.map_or_else(Vec::new, |(_, list)| PauseList::read(list).pauses);
        let by_list = listed.iter().any(|pause| {
            let is_open = pause.lifted.is_none() && *at < pause.until;
            is_open && pause.service.as_ref().is_none_or(|service| about.contains(service.as_str()))
        });
        let file = remote.commits[&node.parents[0]].tree.get(&pause_file());
        let text = file.map_or("", |bytes| std::str::from_utf8(bytes).unwrap());
        let until = text
            .rsplit_once("why: until ")
            .map_or(0, |(_, rest)| rest.trim_end().trim_end_matches('}').parse::<i64>().unwrap());
        let named = text.split_once("service: ").map(|(_, rest)| rest.split(',').next().unwrap());
        let by_file = at.unix() < until && named.is_none_or(|service| about.contains(service));
        if by_list || by_file {
            findings.push(format!("{commit} came to {branch} at {at}, while {about:?} was paused"));
        }
    }
    findings
}

/// In a freeze window nothing comes to the environment's branch without a person, and no pin is taken off.
pub(super) fn acted_while_frozen(sim: &Sim, remote: &Remote) -> Vec<String> {
    let Some(windows) = sim.more.windows else { return Vec::new() };
    let by_agents = remote.moves.iter().filter(|(_, _, commit, _)| remote.by_agents.contains(commit));
    let is_wrong = |(branch, _, commit, at): &&(_, _, _, Time)| {
        let is_push = *branch == sim.environment.branch || is_unpin(&remote.commits[commit]);
        windows.are_open(*at) && is_push
    };
    by_agents
        .filter(is_wrong)
        .map(|(branch, _, commit, at)| format!("{commit} came to {branch} at {at}: {windows:?}"))
        .collect()
}
