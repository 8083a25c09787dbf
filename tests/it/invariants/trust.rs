//! What people answer to the agents' proposals, and what must hold where the agents have to earn trust. So too the budgets of services, and that
//! nothing goes round and round.

use std::collections::{BTreeMap, BTreeSet};

use backout::domain::change::receipt::ReviewPlace;
use backout::domain::environment::policy::Mode;
use backout::domain::ids::{BranchName, CommitId, ServiceName};
use backout::record::{Record, ReviewOutcome, ReviewRecord, VERSION};

use super::brakes::{is_unpin, services_of};
use super::shapes;
use super::world::{Deployed, Sim, person};
use crate::support::simulated::{Node, Remote};

impl Sim {
    /// People answer proposals more often where that counts for something.
    pub(super) fn somebody_answers(&mut self) {
        if self.environment.services[0].policy.mode != Mode::Earn {
            return;
        }
        match self.more.random.u8(0..8) {
            0..=3 => self.merge_a_proposal(),
            4 | 5 => self.decline_a_proposal(),
            _ => {}
        }
    }

    /// A person puts a bad version of the first service back that an agent has reverted: a no to what was accepted.
    pub(super) fn somebody_says_no(&mut self) {
        let was_bad = |past: &Deployed| {
            let own = past.services.iter().find(|(name, ..)| *name == self.services[0].0);
            own.map(|(.., new)| new.clone()).filter(|version| shapes::is_bad(version))
        };
        let Some(version) = self.deployed.iter().rev().find_map(was_bad) else { return };
        if !shapes::is_bad(&self.version_of(0)) {
            self.redeploy(0, version, person("ann"));
        }
    }

    /// A story about one service that breaks again and again, and about what people answer.
    pub(super) fn story_of_trust(&mut self) {
        for _ in 0..self.more.random.usize(12..20) {
            self.now = self.now.plus_secs(self.more.random.i64(150..330));
            if self.more.random.u8(0..6) == 0 {
                self.somebody_says_no();
            }
            self.it_breaks_again();
            self.calm_pass();
            self.now = self.now.plus_secs(self.more.random.i64(90..180));
            self.calm_pass();
            self.somebody_answers();
        }
    }

    /// The proposals that nobody has answered.
    pub(super) fn open_proposals(&self, remote: &Remote) -> Vec<(BranchName, CommitId)> {
        let mainline = remote.ancestors(remote.tip(&self.environment.branch).id);
        let is_declined = |branch: &BranchName| self.more.declined.iter().any(|(known, ..)| known == branch);
        let all = remote.branches.iter().map(|(branch, commit)| (branch.clone(), *commit));
        all.filter(|(branch, commit)| !mainline.contains(commit) && !is_declined(branch)).collect()
    }

    /// A person closes the pull request of a proposal, and the notes say so, as an agent with a forge writes it down.
    fn decline_a_proposal(&mut self) {
        let mut remote = self.remote.lock().unwrap();
        let open = self.open_proposals(&remote);
        let of_revert = |(_, commit): &&(BranchName, CommitId)| !is_unpin(&remote.commits[commit]);
        let Some((branch, commit)) = open.iter().find(of_revert) else { return };
        let message = &remote.commits[commit].message;
        let value = |name: &str| {
            let mut lines = message.lines();
            lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap().to_owned()
        };
        let deployment: CommitId = value("Backout-Reverts").parse().unwrap();
        let record = Record::Review(Box::new(ReviewRecord {
            version: VERSION,
            id: value("Backout-Id"),
            environment: self.environment.name.clone(),
            service: ServiceName::new(value("Backout-Service")).unwrap(),
            deployment,
            at: self.now,
            review: ReviewPlace { number: 1, url: "https://forge.example.com/1".to_owned() },
            outcome: ReviewOutcome::Declined,
            reason: "a person has closed it".to_owned(),
        }));
        let note = remote.notes.entry(deployment).or_default();
        note.push_str(&record.to_line().unwrap());
        note.push('\n');
        let moves = remote.moves.len();
        self.more.declined.push((branch.clone(), *commit, moves));
        drop(remote);
        self.more.did("declined");
    }
}

/// What counts in a service's favour, and what against it, by the number of moves before it.
#[derive(Default)]
struct Answers {
    accepted: Vec<usize>,
    noes: Vec<usize>,
}

/// A revert as it came to the branch, by a push or a merge.
struct Landed<'r> {
    index: usize,
    node: &'r Node,
    /// The commit with the trailers.
    told: &'r Node,
    is_direct: bool,
}

fn landed<'r>(sim: &Sim, remote: &'r Remote) -> Vec<Landed<'r>> {
    let on_branch =
        remote.moves.iter().enumerate().filter(|(_, (branch, ..))| *branch == sim.environment.branch);
    let revert = |(index, (_, _, commit, _)): (usize, &'r (_, _, CommitId, _))| {
        let node = &remote.commits[commit];
        let is_direct = remote.by_agents.contains(commit);
        let merged = node.parents.get(1).map(|merged| &remote.commits[merged]);
        let told = if is_direct { Some(node) } else { merged };
        let told = told.filter(|told| !is_unpin(told))?;
        Some(Landed { index, node, told, is_direct })
    };
    on_branch.filter_map(revert).collect()
}

/// The answers of people about a service, as far as an agent can count them: it may count less in its favour.
fn answers(sim: &Sim, remote: &Remote, landed: &[Landed<'_>], service: &str) -> Answers {
    let mut answers = Answers::default();
    let own: Vec<&Landed<'_>> = landed.iter().filter(|one| services_of(one.told).contains(service)).collect();
    answers.accepted = own.iter().map(|one| one.index).collect();
    for (_, proposal, moves) in &sim.more.declined {
        if services_of(&remote.commits[proposal]).contains(service) {
            answers.noes.push(*moves);
        }
    }
    let quarantine_secs = i64::from(sim.environment.services[0].policy.quarantine_secs);
    for deployed in sim.deployed.iter().filter(|one| !one.merge) {
        let node = &remote.commits[&deployed.commit];
        let Some((.., new)) = deployed.services.iter().find(|(name, ..)| name == service) else { continue };
        if node.author.name != "ann" {
            continue;
        }
        let index = remote.moves.iter().position(|(_, _, commit, _)| *commit == deployed.commit).unwrap();
        let puts_back = own.iter().any(|one| {
            let block = one.told.message.split("\n\n").find(|part| {
                part.starts_with("Backout-Id: ")
                    && part.lines().any(|line| line == format!("Backout-Service: {service}"))
            });
            let mut lines = block.unwrap_or("").lines();
            let secs = node.at.secs_since(one.node.at);
            let is_bad = lines.any(|line| line.starts_with("Backout-From: ") && line.ends_with(new.as_str()));
            one.index < index && (0..=quarantine_secs).contains(&secs) && is_bad
        });
        if puts_back {
            answers.noes.push(index);
        }
    }
    answers
}

/// In the mode `earn` nothing is reverted without a person before people have accepted enough reverts of the service, counted anew from
/// each no on.
pub(super) fn not_earned(sim: &Sim, remote: &Remote) -> Vec<String> {
    let policy = &sim.environment.services[0].policy;
    if policy.mode != Mode::Earn {
        return Vec::new();
    }
    let landed = landed(sim, remote);
    let mut findings = Vec::new();
    for (service, _) in &sim.services {
        let answers = answers(sim, remote, &landed, service);
        let direct =
            landed.iter().filter(|one| one.is_direct && services_of(one.told).contains(service.as_str()));
        for one in direct {
            let last_no = answers.noes.iter().filter(|no| **no <= one.index).max();
            let counts = |at: &&usize| **at < one.index && last_no.is_none_or(|no| **at >= *no);
            let accepted = answers.accepted.iter().filter(counts).count();
            if accepted < policy.earn_after as usize {
                findings.push(format!(
                    "{} reverts {service}: {accepted} of {} were accepted, the last no was {last_no:?}",
                    one.node.id, policy.earn_after
                ));
            }
        }
    }
    findings
}

/// How many reverts an agent made without a person after it had earned that.
pub(super) fn earned(sim: &Sim, remote: &Remote) -> usize {
    let is_earn = sim.environment.services[0].policy.mode == Mode::Earn;
    landed(sim, remote).iter().filter(|one| is_earn && one.is_direct).count()
}

/// The budget of each service holds in every window.
pub(super) fn over_budget_of_service(sim: &Sim, remote: &Remote) -> Vec<String> {
    let Some(budget) = sim.environment.services[0].policy.service_budget else { return Vec::new() };
    let landed = landed(sim, remote);
    let mut findings = Vec::new();
    for (service, _) in &sim.services {
        let own =
            landed.iter().filter(|one| one.is_direct && services_of(one.told).contains(service.as_str()));
        let own: Vec<&Landed<'_>> = own.collect();
        for last in &own {
            let age_secs = |one: &&&Landed<'_>| last.node.at.secs_since(one.node.at);
            let within = |one: &&&Landed<'_>| (0..i64::from(budget.window_secs)).contains(&age_secs(one));
            let count = own.iter().filter(within).count();
            if count > budget.max_reverts as usize {
                findings.push(format!("{count} reverts of {service} until {}: {budget:?}", last.node.at));
            }
        }
    }
    findings
}

/// Agents make no more commits than there is something to take back or off, and never lead the branch back to where only they have
/// led it away from.
pub(super) fn a_loop(sim: &Sim, remote: &Remote) -> Vec<String> {
    let mut findings = Vec::new();
    let deployed: usize = sim.deployed.iter().map(|one| one.services.len()).sum();
    // For each a proposal and a revert, and for each of those its pins once proposed and once taken off.
    if remote.by_agents.len() > 4 * deployed {
        findings.push(format!("{} commits by agents for {deployed} deployments", remote.by_agents.len()));
    }
    let mut since: BTreeMap<&BranchName, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for (branch, _, commit, _) in &remote.moves {
        let node = &remote.commits[commit];
        let state: Vec<u8> =
            node.tree.iter().flat_map(|(path, bytes)| [path.as_str().as_bytes(), bytes].concat()).collect();
        let seen = since.entry(branch).or_default();
        if !remote.by_agents.contains(commit) {
            seen.clear();
        }
        if !seen.insert(state) {
            findings
                .push(format!("{commit} leads {branch} back to where it was, with nobody else in between"));
        }
    }
    findings
}
