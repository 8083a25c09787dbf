//! What somebody does who may push notes and `backout/…` branches, open pull requests and comment.

use std::sync::Arc;

use backout::domain::change::Change;
use backout::domain::change::receipt::ReviewPlace;
use backout::domain::decision::{Decision, GuardAnswer, MODE_GUARD};
use backout::domain::history::ledger::rollback_id;
use backout::domain::history::snapshot::Person;
use backout::domain::ids::{BranchName, CommitId, ServiceName};
use backout::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use backout::domain::judge::verdict::{Verdict, judge};
use backout::domain::review::ReviewState;
use backout::domain::review::command::{Command, Order, Right};
use backout::domain::time::Time;
use backout::record::{
    LookBefore, Proposal, Record, Recovery, RecoveryRecord, ReviewOutcome, ReviewRecord, SeenRecord, VERSION,
    VerdictRecord,
};

use super::forge::{Account, Pull};
use super::world::{Deployed, World, path, signal};
use crate::support::simulated::{Node, Remote};

/// How many kinds of deeds there are, and how many of them, the first, are done to notes.
const KINDS: u8 = 14;
const NOTE_KINDS: u8 = 8;

/// How much is written at once: some times what a verdict has.
const MOST_BYTES: usize = 5_000;

fn decisions() -> [Decision; 7] {
    let why = || "all is well".to_owned();
    [
        Decision::Pass(why()),
        Decision::Revert,
        Decision::Revert,
        Decision::Propose,
        Decision::Escalate(why()),
        Decision::Hold(why()),
        Decision::Wait,
    ]
}

/// The writer, whose deeds follow from a seed.
pub(super) struct Writer {
    random: fastrand::Rng,
    /// What they do most of the time: what is done once and undone in the next minute hurts nobody.
    habits: Vec<u8>,
    /// What their verdicts mostly decide.
    decision: Decision,
    /// Whether they tell lies about when the branch was where.
    tells_looks: bool,
    /// Whether they hold the agent's pull requests.
    holds: bool,
}

impl Writer {
    pub(super) fn new(mut random: fastrand::Rng) -> Self {
        let (tells_looks, holds) = (random.bool(), random.u8(0..6) == 0);
        let habit = |random: &mut fastrand::Rng| match random.u8(0..3) {
            0 => 0,
            1 => 8,
            _ => random.u8(0..KINDS),
        };
        let habits = (0..random.usize(1..4)).map(|_| habit(&mut random)).collect();
        let decision = random.choice(decisions()).unwrap();
        Self { random, habits, decision, tells_looks, holds }
    }

    fn one_of<T: Clone>(&mut self, list: &[T]) -> T {
        self.random.choice(list).unwrap().clone()
    }

    fn odds(&mut self, of: u8) -> bool {
        self.random.u8(0..of) == 0
    }

    /// Does one thing, and says what.
    pub(super) fn act(&mut self, world: &World) -> String {
        let Some(first) = world.deployed.first().cloned() else { return "waits".to_owned() };
        let target = if self.odds(3) { self.one_of(&world.deployed) } else { first };
        let kind = if self.odds(3) { self.random.u8(0..KINDS) } else { self.one_of(&self.habits.clone()) };
        let kind = if world.writes_notes_alone { kind % NOTE_KINDS } else { kind };
        let remote = Arc::clone(&world.remote);
        let remote = &mut *remote.lock().unwrap();
        match kind {
            0..=2 => self.tell(world, remote, &target, Self::verdict),
            3 => self.tell(world, remote, &target, Self::recovery),
            4 => self.tell(world, remote, &target, Self::review),
            5 if self.tells_looks => self.tell(world, remote, &target, Self::look),
            5 | 6 => self.copy(world, remote, &target),
            7 => self.spoil(remote, &target),
            8..=10 => self.push(world, remote, &target),
            11 => self.remove(world, remote, &target),
            _ => self.discuss(world, remote),
        }
    }

    /// Appends a made-up record to the note on the deployment, or on another commit.
    fn tell(
        &mut self,
        world: &World,
        remote: &mut Remote,
        target: &Deployed,
        record: fn(&mut Self, &World, &Remote, &Deployed) -> Record,
    ) -> String {
        let record = record(self, world, remote, target);
        let on = if self.odds(8) { self.any_commit(world, remote) } else { target.commit };
        let line = record.to_line().unwrap();
        let note = remote.notes.entry(on).or_default();
        match self.random.u8(0..6) {
            // Before all others.
            0 => note.insert_str(0, &format!("{line}\n")),
            // As if nobody had written anything else.
            1 => *note = format!("{line}\n"),
            _ if note.len() > MOST_BYTES => *note = format!("{line}\n"),
            _ => note.push_str(&format!("{line}\n")),
        }
        let shown = match &record {
            Record::Verdict(verdict) => {
                let (found, done) = (verdict.judgement.verdict.word(), verdict.decision.word());
                let after = verdict.at.secs_since(target.at);
                let proposal = verdict.proposal.is_some();
                format!(
                    "verdict {found}/{done} at +{after}, revert {:?}, proposal {proposal}",
                    verdict.revert
                )
            }
            Record::Recovery(recovery) => format!("recovery {:?}", recovery.outcome),
            Record::Review(review) => format!("review {:?}", review.outcome),
            Record::Pin(pin) => format!("pin {:?}", pin.outcome),
            Record::Seen(seen) => format!("seen {} at +{}", seen.tip.short(), seen.at.secs_since(target.at)),
        };
        format!("tells of {} in the note on {}: {shown}", target.commit.short(), on.short())
    }

    fn any_commit(&mut self, world: &World, remote: &Remote) -> CommitId {
        let tip = remote.tip(&world.environment.branch).id;
        let chain: Vec<CommitId> = remote.chain(tip).map(|node| node.id).collect();
        self.one_of(&chain)
    }

    fn any_time(&mut self, world: &World, target: &Deployed) -> Time {
        match self.random.u8(0..8) {
            0 => world.now.plus_secs(3_600),
            1 => world.now.minus_secs(86_400),
            2 => target.at,
            3 => Time::from_unix(0),
            4 => target.at.plus_secs(120),
            _ => world.now.minus_secs(self.random.i64(0..300)),
        }
    }

    fn id(&mut self, world: &World, target: &Deployed) -> String {
        let service: ServiceName = target.service.parse().unwrap();
        match self.random.u8(0..8) {
            0 => "0".repeat(24),
            _ => rollback_id(&world.environment.name, &service, target.commit),
        }
    }

    fn verdict(&mut self, world: &World, remote: &Remote, target: &Deployed) -> Record {
        let policy = &world.environment.services[0].policy;
        let service: ServiceName = target.service.parse().unwrap();
        let at = self.any_time(world, target);
        let signal = match self.random.u8(0..3) {
            0 => signal("secrets", "other"),
            1 => signal("secrets", "sim"),
            _ => signal(super::world::QUERY, "sim"),
        };
        let looks_bad = self.random.bool();
        let sample = |step: i64| {
            let value = if looks_bad && step >= 0 { 0.5 } else { 0.001 };
            Sample { at: target.at.plus_secs(30 * step), value }
        };
        let found = Found::Samples((-3..4).map(sample).collect());
        let asked = signal.query.clone();
        let mut evidence =
            Evidence::new(target.at, at, policy, vec![SignalEvidence::new(signal, asked, found)]);
        if self.odds(6) {
            evidence.after_revert = Some(self.any_commit(world, remote));
        }
        let mut judgement = judge(&evidence);
        if self.odds(3) {
            judgement.verdict = self.one_of(&[Verdict::Healthy, Verdict::Regressed, Verdict::Preexisting]);
        }
        let why = || "all is well".to_owned();
        let decision = if self.odds(3) { self.one_of(&decisions()) } else { self.decision.clone() };
        let revert = match self.random.u8(0..6) {
            0 => Some(self.any_commit(world, remote)),
            1 => Some(CommitId::from_bytes([7; 20])),
            2 => remote.by_agents.first().copied(),
            _ => None,
        };
        let branch = Change::branch_for(&world.environment.name, &service, target.commit).unwrap();
        let commit = remote.branches.get(&branch).copied().unwrap_or(target.commit);
        let number = self.random.u64(1..4);
        let review = self.random.bool().then(|| place(number));
        let proposal = self.random.bool().then_some(Proposal { branch, commit, review });
        let mode = GuardAnswer::without_facts(MODE_GUARD, Some(Decision::Hold(why())));
        Record::Verdict(Box::new(VerdictRecord {
            version: VERSION,
            id: self.id(world, target),
            environment: world.environment.name.clone(),
            service,
            deployment: target.commit,
            at,
            judgement,
            decision,
            guards: if self.odds(6) { vec![mode] } else { Vec::new() },
            revert,
            proposal,
            elsewhere: Vec::new(),
            artifacts: None,
            evidence,
            config: String::new(),
        }))
    }

    fn recovery(&mut self, world: &World, remote: &Remote, target: &Deployed) -> Record {
        let landed = remote.by_agents.first().copied();
        Record::Recovery(Box::new(RecoveryRecord {
            version: VERSION,
            id: self.id(world, target),
            environment: world.environment.name.clone(),
            service: target.service.parse().unwrap(),
            deployment: target.commit,
            revert: landed.unwrap_or_else(|| self.any_commit(world, remote)),
            at: self.any_time(world, target),
            outcome: self.one_of(&[
                Recovery::Recovered,
                Recovery::NotRecovered,
                Recovery::Replaced,
                Recovery::Unknown,
            ]),
            reason: "because".to_owned(),
        }))
    }

    fn review(&mut self, world: &World, _: &Remote, target: &Deployed) -> Record {
        Record::Review(Box::new(ReviewRecord {
            version: VERSION,
            id: self.id(world, target),
            environment: world.environment.name.clone(),
            service: target.service.parse().unwrap(),
            deployment: target.commit,
            at: self.any_time(world, target),
            review: place(self.random.u64(1..4)),
            outcome: self.one_of(&[
                ReviewOutcome::Declined,
                ReviewOutcome::Merged,
                ReviewOutcome::Superseded,
                ReviewOutcome::NotRestored,
                ReviewOutcome::Overdue,
            ]),
            reason: "because".to_owned(),
        }))
    }

    fn look(&mut self, world: &World, remote: &Remote, target: &Deployed) -> Record {
        let tip = if self.random.bool() { target.commit } else { self.any_commit(world, remote) };
        let before = LookBefore { tip: self.any_commit(world, remote), at: self.any_time(world, target) };
        Record::Seen(Box::new(SeenRecord {
            version: VERSION,
            branch: world.environment.branch.clone(),
            tip,
            at: self.any_time(world, target),
            before: self.random.bool().then_some(before),
        }))
    }

    /// Copies the note on another deployment, as it is or as if it were about this one.
    fn copy(&mut self, world: &World, remote: &mut Remote, target: &Deployed) -> String {
        let other = self.one_of(&world.deployed);
        let Some(mut note) = remote.notes.get(&other.commit).cloned() else { return "nothing".to_owned() };
        if note.len() > MOST_BYTES {
            return "nothing".to_owned();
        }
        let is_changed = self.random.bool();
        if is_changed {
            let id = |one: &Deployed| {
                rollback_id(&world.environment.name, &one.service.parse().unwrap(), one.commit)
            };
            note = note.replace(&other.commit.to_string(), &target.commit.to_string());
            note = note.replace(&id(&other), &id(target)).replace(other.service, target.service);
        }
        remote.notes.entry(target.commit).or_default().push_str(&note);
        let (from, to) = (other.commit.short(), target.commit.short());
        format!("copies the note on {from} to {to}, with its ids changed: {is_changed}")
    }

    /// Takes a note away, or makes it what nobody can read.
    fn spoil(&mut self, remote: &mut Remote, target: &Deployed) -> String {
        let how = self.random.u8(0..6);
        let note = remote.notes.entry(target.commit).or_default();
        match how {
            0 => drop(remote.notes.remove(&target.commit)),
            1 => note.push_str(&"x".repeat(MOST_BYTES)),
            // What is left of bytes that are not UTF-8 when they are read; the next line is written behind them.
            2 => note.push_str("\u{fffd}\u{fffd}\0\u{1b}[2J"),
            3 => note.truncate(note.floor_char_boundary(note.len() / 2)),
            4 => note.push_str(&format!("{}\n", "[".repeat(MOST_BYTES))),
            _ => note.push_str(&format!("{{\"kind\":\"verdict\",\"at\":{}}}\n", "9".repeat(400))),
        }
        format!("spoils the note on {}: {how}", target.commit.short())
    }

    /// Puts something on the branch on which the revert of the deployment would wait, or on one like it.
    fn push(&mut self, world: &World, remote: &mut Remote, target: &Deployed) -> String {
        let name = &world.environment.name;
        let service: ServiceName = target.service.parse().unwrap();
        let own = Change::branch_for(name, &service, target.commit).unwrap();
        let is_free = !remote.branches.keys().any(|branch| branch.as_str().starts_with("backout"));
        let branch: BranchName = match self.random.u8(0..12) {
            0 if is_free => "backout".parse().unwrap(),
            1 if is_free => format!("backout/{name}").parse().unwrap(),
            2 => format!("backout/{name}/other/{}", target.commit.short()).parse().unwrap(),
            _ => own,
        };
        let is_under = |there: &BranchName| {
            branch.as_str().strip_prefix(there.as_str()).is_some_and(|rest| rest.starts_with('/'))
        };
        if remote.branches.keys().any(is_under) {
            return "nothing: a branch is in the way".to_owned();
        }
        let tip = remote.tip(&world.environment.branch).clone();
        let parent = match self.random.u8(0..4) {
            0 => remote.commits[&target.commit].clone(),
            1 => remote.branches.get(&branch).map_or(tip, |there| remote.commits[there].clone()),
            _ => tip,
        };
        let file = path(target.service);
        let before = remote.commits[&remote.commits[&target.commit].parents[0]].tree.get(&file).cloned();
        let Some(before) = before else { return "nothing".to_owned() };
        let mut tree = parent.tree.clone();
        let what = self.random.u8(0..8);
        match what {
            0 => drop(tree.insert("apps/svc-1/values.yaml".parse().unwrap(), Arc::from(&b"gone\n"[..]))),
            1 => drop(tree.remove(&file)),
            2 => {}
            3 => {
                tree.insert(file, before);
                tree.insert("apps/svc-1/extra.yaml".parse().unwrap(), Arc::from(&b"a: b\n"[..]));
            }
            _ => drop(tree.insert(file, before)),
        }
        let with_trailers = !self.odds(4);
        let mut message = format!("Revert {service} in {name}: v1.1.9 → v1.0.0\n\nas ever\n");
        if with_trailers {
            let id = rollback_id(name, &service, target.commit);
            message.push_str(&format!(
                "\nBackout-Id: {id}\nBackout-Environment: {name}\nBackout-Service: {service}\nBackout-Reverts: {}\n\
                 Backout-From: v1.1.9\nBackout-To: v1.0.0\n",
                target.commit
            ));
            if self.odds(6) {
                message.push_str("Backout-Requested-By: ann\n");
            }
        }
        let author = Person { name: "backout".to_owned(), email: "backout@example.com".to_owned() };
        let node = Node::new(vec![parent.id], tree, author, &message, world.now.minus_secs(1));
        let shown =
            format!("pushes {} to {branch}: content {what}, trailers {with_trailers}", node.id.short());
        remote.put_at(&branch, node, world.now);
        shown
    }

    fn remove(&mut self, world: &World, remote: &mut Remote, target: &Deployed) -> String {
        let service: ServiceName = target.service.parse().unwrap();
        let own = Change::branch_for(&world.environment.name, &service, target.commit).unwrap();
        let is_agents = |pull: &Pull| {
            pull.branch == own && pull.account == Account::Agent && pull.state == ReviewState::Open
        };
        // Without its branch a pull request is closed, which means no.
        if world.hub.lock().unwrap().pulls.iter().any(is_agents) {
            return "nothing".to_owned();
        }
        remote.branches.remove(&own);
        format!("removes the branch {own}")
    }

    /// Opens, closes, comments on pull requests.
    fn discuss(&mut self, world: &World, remote: &Remote) -> String {
        let mut hub = world.hub.lock().unwrap();
        if !world.has_forge() {
            return "nothing".to_owned();
        }
        let all: Vec<usize> = (0..hub.pulls.len()).collect();
        let own: Vec<usize> =
            all.iter().copied().filter(|index| hub.pulls[*index].account == Account::Mallory).collect();
        let now = world.now;
        match self.random.u8(0..8) {
            0..=2 => {
                let is_open = |branch: &BranchName| {
                    hub.pulls.iter().any(|pull| pull.branch == *branch && pull.state == ReviewState::Open)
                };
                let others = remote.branches.keys().filter(|branch| **branch != hub.base && !is_open(branch));
                let branches: Vec<BranchName> = others.cloned().collect();
                let Some(branch) = self.random.choice(&branches).cloned() else {
                    return "nothing".to_owned();
                };
                let pull = Pull {
                    number: hub.pulls.len() as u64 + 1,
                    account: Account::Mallory,
                    head: remote.branches[&branch],
                    state: ReviewState::Open,
                    merged_as: None,
                    opened_at: now,
                    body: "a revert".to_owned(),
                    scheduled: self.random.bool(),
                    commands: Vec::new(),
                    branch,
                };
                let shown = format!("opens a pull request from {}", pull.branch);
                hub.pulls.push(pull);
                shown
            }
            3 | 4 => {
                let Some(index) = self.random.choice(&own).copied() else { return "nothing".to_owned() };
                let pull = &mut hub.pulls[index];
                pull.state = match &pull.state {
                    ReviewState::Open => ReviewState::Closed { by: Some("mallory".to_owned()) },
                    ReviewState::Closed { .. } | ReviewState::Merged => ReviewState::Open,
                };
                format!("closes or opens again the pull request {}", pull.number)
            }
            choice => {
                let Some(index) = self.random.choice(&all).copied() else { return "nothing".to_owned() };
                let may_push_only = Right::PushOnly("`main` takes merges of administrators alone".to_owned());
                let (order, right) = match choice {
                    5 if self.holds => (Order::Hold(7_200), Right::Given),
                    6 => (Order::Retry, Right::Given),
                    _ => (Order::Approve, may_push_only),
                };
                let pull = &mut hub.pulls[index];
                let is_held = matches!(order, Order::Hold(_)) && pull.account == Account::Agent;
                pull.commands.push(Command { by: "mallory".to_owned(), at: now, order, right });
                let number = pull.number;
                hub.held |= is_held;
                format!("comments {order:?} on the pull request {number}")
            }
        }
    }
}

fn place(number: u64) -> ReviewPlace {
    ReviewPlace { number, url: format!("https://forge.example/pulls/{number}") }
}
