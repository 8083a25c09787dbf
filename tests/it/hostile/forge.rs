//! A forge in memory: pull requests of two accounts, of which only the agent's may merge.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use backout::domain::environment::policy::Delivery;
use backout::domain::history::landing::BranchMove;
use backout::domain::history::snapshot::Person;
use backout::domain::ids::{BranchName, CommitId, FilePath};
use backout::domain::review::command::Command;
use backout::domain::review::text::ChartStyle;
use backout::domain::review::{
    CommitStatus, ManualIssue, Merging, NewReview, OpenPull, Review, ReviewState, Standing,
};
use backout::domain::time::Time;
use backout::ports::{BoxFuture, Forge, ForgeError, Forged};

use crate::support::simulated::{Node, Remote, Tree};

/// Whose a pull request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Account {
    Agent,
    Mallory,
}

/// A pull request.
#[derive(Clone, Debug)]
pub(super) struct Pull {
    pub(super) number: u64,
    pub(super) account: Account,
    pub(super) branch: BranchName,
    pub(super) head: CommitId,
    pub(super) state: ReviewState,
    pub(super) merged_as: Option<CommitId>,
    pub(super) opened_at: Time,
    pub(super) body: String,
    pub(super) scheduled: bool,
    pub(super) commands: Vec<Command>,
}

/// What the forge knows.
pub(super) struct Hub {
    pub(super) now: Time,
    pub(super) base: BranchName,
    pub(super) pulls: Vec<Pull>,
    /// How long a check of a pull request takes; until then it is not merged.
    pub(super) check_secs: i64,
    /// Whether the forge shows its log of the branch.
    pub(super) shows_moves: bool,
    /// Whether the writer has held the agent's pull request.
    pub(super) held: bool,
    pub(super) issues: Vec<ManualIssue>,
}

impl Hub {
    fn is_blocked(&self, pull: &Pull) -> bool {
        self.now.secs_since(pull.opened_at) < self.check_secs
    }

    /// What the forge does by itself.
    pub(super) fn tick(&mut self, remote: &mut Remote) {
        for index in 0..self.pulls.len() {
            let pull = &mut self.pulls[index];
            if pull.state != ReviewState::Open {
                continue;
            }
            match remote.branches.get(&pull.branch) {
                Some(tip) => pull.head = *tip,
                None => pull.state = ReviewState::Closed { by: Some("mallory".to_owned()) },
            }
            let pull = self.pulls[index].clone();
            let is_due = pull.state == ReviewState::Open && pull.scheduled && pull.account == Account::Agent;
            if is_due && !self.is_blocked(&pull) {
                self.merge(remote, index);
            }
        }
    }

    /// Merges a pull request as Git does: what changed on its branch since they parted comes to the environment's branch.
    fn merge(&mut self, remote: &mut Remote, index: usize) -> bool {
        let pull = &mut self.pulls[index];
        let main = remote.tip(&self.base).clone();
        let Some(tree) = merged(remote, &main, pull.head) else { return false };
        let author = Person { name: "forge".to_owned(), email: "forge@example.com".to_owned() };
        let message = format!("Merge pull request {}\n", pull.number);
        let node = Node::new(vec![main.id, pull.head], tree, author, &message, self.now);
        (pull.state, pull.merged_as, pull.scheduled) = (ReviewState::Merged, Some(node.id), false);
        remote.put(&self.base, node);
        true
    }
}

/// The files of a merge; none where both have changed the same file otherwise, or have nothing in common.
fn merged(remote: &Remote, main: &Node, head: CommitId) -> Option<Tree> {
    let ancestors = remote.ancestors(head);
    let base = &remote.chain(main.id).find(|node| ancestors.contains(&node.id))?.tree;
    let (theirs, mut tree) = (&remote.commits[&head].tree, main.tree.clone());
    let paths: BTreeSet<FilePath> = base.keys().chain(theirs.keys()).cloned().collect();
    for path in paths {
        if base.get(&path) == theirs.get(&path) {
            continue;
        }
        if tree.get(&path) != base.get(&path) && tree.get(&path) != theirs.get(&path) {
            return None;
        }
        match theirs.get(&path) {
            Some(bytes) => drop(tree.insert(path, Arc::clone(bytes))),
            None => drop(tree.remove(&path)),
        }
    }
    Some(tree)
}

/// The forge with the agent's credentials.
pub(super) struct OwnForge {
    pub(super) hub: Arc<Mutex<Hub>>,
    pub(super) remote: Arc<Mutex<Remote>>,
}

impl OwnForge {
    fn shown(&self, hub: &Hub, pull: &Pull) -> Review {
        let remote = self.remote.lock().unwrap();
        let standing = match merged(&remote, remote.tip(&hub.base), pull.head) {
            None => Standing::Conflict,
            Some(_) if hub.is_blocked(pull) => Standing::Blocked(vec!["the check `test`".to_owned()]),
            Some(_) => Standing::Ready,
        };
        Review {
            number: pull.number,
            url: format!("https://forge.example/pulls/{}", pull.number),
            head: pull.head,
            state: pull.state.clone(),
            merged_as: pull.merged_as,
            opened_at: pull.opened_at,
            body: pull.body.clone(),
            scheduled: pull.scheduled,
            standing,
            unread: None,
            second: None,
            commands: pull.commands.clone(),
        }
    }

    fn with<T>(&self, number: u64, work: impl FnOnce(&mut Hub, usize) -> T) -> Result<T, ForgeError> {
        let mut hub = self.hub.lock().unwrap();
        let mut pulls = hub.pulls.iter();
        let index = pulls.position(|pull| pull.number == number && pull.account == Account::Agent);
        let index = index.ok_or_else(|| ForgeError::Denied("it is not ours".to_owned()))?;
        Ok(work(&mut hub, index))
    }
}

fn answer<'a, T: Send + 'a>(answer: Result<T, ForgeError>) -> Forged<'a, T> {
    Box::pin(async move { answer })
}

impl Forge for OwnForge {
    fn chart(&self) -> BoxFuture<'_, ChartStyle> {
        Box::pin(async { ChartStyle::Line })
    }

    fn review<'a>(&'a self, branch: &'a BranchName, _: &'a BranchName) -> Forged<'a, Option<Review>> {
        let mut hub = self.hub.lock().unwrap();
        hub.tick(&mut self.remote.lock().unwrap());
        let is_own = |pull: &&Pull| pull.branch == *branch && pull.account == Account::Agent;
        let newest = hub.pulls.iter().rev().find(is_own);
        answer(Ok(newest.map(|pull| self.shown(&hub, pull))))
    }

    fn open<'a>(&'a self, new: &'a NewReview) -> Forged<'a, Review> {
        let mut hub = self.hub.lock().unwrap();
        let mut open = hub.pulls.iter().filter(|pull| pull.state == ReviewState::Open);
        match open.find(|pull| pull.branch == new.branch).map(|pull| pull.account) {
            Some(Account::Agent) => return answer(Err(ForgeError::Refused("it is there".to_owned()))),
            Some(Account::Mallory) => {
                return answer(Err(ForgeError::Taken("mallory has one open".to_owned())));
            }
            None => {}
        }
        let Some(head) = self.remote.lock().unwrap().branches.get(&new.branch).copied() else {
            return answer(Err(ForgeError::Refused("no such branch".to_owned())));
        };
        let pull = Pull {
            number: hub.pulls.len() as u64 + 1,
            account: Account::Agent,
            branch: new.branch.clone(),
            head,
            state: ReviewState::Open,
            merged_as: None,
            opened_at: hub.now,
            body: new.body.clone(),
            scheduled: false,
            commands: Vec::new(),
        };
        hub.pulls.push(pull.clone());
        answer(Ok(self.shown(&hub, &pull)))
    }

    fn describe<'a>(&'a self, review: &'a Review, body: &'a str) -> Forged<'a, ()> {
        answer(self.with(review.number, |hub, index| body.clone_into(&mut hub.pulls[index].body)))
    }

    fn merge<'a>(&'a self, review: &'a Review, _: &'a BranchName, _: &'a str) -> Forged<'a, Merging> {
        let merging = self.with(review.number, |hub, index| {
            let mut remote = self.remote.lock().unwrap();
            let pull = &mut hub.pulls[index];
            if remote.branches.get(&pull.branch) != Some(&review.head) {
                return Err(ForgeError::Refused("the branch has moved".to_owned()));
            }
            pull.head = review.head;
            let pull = pull.clone();
            if hub.is_blocked(&pull) {
                hub.pulls[index].scheduled = true;
                return Ok(Merging::Scheduled);
            }
            match hub.merge(&mut remote, index) {
                true => Ok(Merging::Merged),
                false => Err(ForgeError::Refused("it conflicts".to_owned())),
            }
        });
        answer(merging.and_then(|merging| merging))
    }

    fn unschedule<'a>(&'a self, review: &'a Review) -> Forged<'a, ()> {
        answer(self.with(review.number, |hub, index| hub.pulls[index].scheduled = false))
    }

    fn close<'a>(&'a self, review: &'a Review) -> Forged<'a, ()> {
        let closed = ReviewState::Closed { by: Some("backout".to_owned()) };
        answer(self.with(review.number, |hub, index| hub.pulls[index].state = closed))
    }

    fn issues(&self) -> Forged<'_, Vec<ManualIssue>> {
        answer(Ok(self.hub.lock().unwrap().issues.clone()))
    }

    fn open_issue<'a>(&'a self, _: &'a str, body: &'a str) -> Forged<'a, ManualIssue> {
        let mut hub = self.hub.lock().unwrap();
        let number = hub.issues.len() as u64 + 1;
        let issue = ManualIssue {
            number,
            url: format!("https://forge.example/issues/{number}"),
            body: body.to_owned(),
        };
        hub.issues.push(issue.clone());
        answer(Ok(issue))
    }

    fn close_issue<'a>(&'a self, number: u64, _: &'a str) -> Forged<'a, ()> {
        self.hub.lock().unwrap().issues.retain(|issue| issue.number != number);
        answer(Ok(()))
    }

    fn status<'a>(&'a self, _: &'a CommitStatus) -> Forged<'a, ()> {
        answer(Ok(()))
    }

    fn restate<'a>(&'a self, _: &'a CommitStatus) -> Forged<'a, ()> {
        answer(Ok(()))
    }

    fn pulls<'a>(&'a self, _: &'a BranchName) -> Forged<'a, Vec<OpenPull>> {
        let hub = self.hub.lock().unwrap();
        let open = hub.pulls.iter().filter(|pull| pull.state == ReviewState::Open);
        let shown = |pull: &Pull| OpenPull {
            number: pull.number,
            head: pull.head,
            reference: format!("refs/pull/{}/head", pull.number),
        };
        answer(Ok(open.map(shown).collect()))
    }

    fn comment<'a>(&'a self, _: CommitId, _: &'a str) -> Forged<'a, ()> {
        answer(Ok(()))
    }

    fn moves<'a>(&'a self, branch: &'a BranchName, since: Time) -> Forged<'a, Vec<BranchMove>> {
        if !self.hub.lock().unwrap().shows_moves {
            return answer(Ok(Vec::new()));
        }
        let remote = self.remote.lock().unwrap();
        let of_branch = remote.moves.iter().rev().filter(|(moved, _, _, at)| moved == branch && *at >= since);
        answer(Ok(of_branch.map(|(_, _, after, at)| BranchMove { after: *after, at: *at }).collect()))
    }

    fn check<'a>(&'a self, _: &'a BranchName, _: Delivery) -> Forged<'a, String> {
        answer(Ok(String::new()))
    }
}
