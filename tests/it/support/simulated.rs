//! The repository's port in memory: a remote that refuses what a real one refuses, and an agent's clone of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard};

use backout::domain::history::landing::{Landing, Sighting, landings, with_sightings};
use backout::domain::history::ledger::{named_by, says_revert};
use backout::domain::history::scope::{Interest, Scope};
use backout::domain::history::snapshot::{
    Commit, Content, FileDiff, FileVersion, Person, Snapshot, TakenBack, settle_times,
};
use backout::domain::ids::{BlobId, BranchName, CommitId, FilePath};
use backout::domain::time::Time;
use backout::ports::{CommitRequest, HistoryQuery, Made, PushError, Repository, RepositoryError};
use backout::record::{looks, says_the_same};
use sha2::{Digest as _, Sha256};

use super::process::Process;

/// The files of a commit.
pub(crate) type Tree = BTreeMap<FilePath, Arc<[u8]>>;

/// A commit.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    /// Its id: a hash of all the rest.
    pub(crate) id: CommitId,
    /// Its parents.
    pub(crate) parents: Vec<CommitId>,
    /// Its files.
    pub(crate) tree: Tree,
    /// Who made it.
    pub(crate) author: Person,
    /// Its message.
    pub(crate) message: String,
    /// When.
    pub(crate) at: Time,
}

impl Node {
    /// A commit with its id.
    pub(crate) fn new(parents: Vec<CommitId>, tree: Tree, author: Person, message: &str, at: Time) -> Self {
        let mut node = Self {
            id: CommitId::from_bytes([0; 20]),
            parents,
            tree,
            author,
            message: message.to_owned(),
            at,
        };
        let mut text =
            format!("{:?} {:?} {} {:?}", node.parents, node.author, node.at, node.message).into_bytes();
        for (path, bytes) in &node.tree {
            text.extend(format!("\n{path} {}\n", bytes.len()).as_bytes());
            text.extend(bytes.iter());
        }
        node.id = CommitId::from_bytes(hash(&text));
        node
    }
}

fn hash(bytes: &[u8]) -> [u8; 20] {
    Sha256::digest(bytes).first_chunk().copied().unwrap()
}

/// The remote: the truth.
#[derive(Clone, Debug, Default)]
pub(crate) struct Remote {
    /// Every commit.
    pub(crate) commits: BTreeMap<CommitId, Node>,
    /// Every branch.
    pub(crate) branches: BTreeMap<BranchName, CommitId>,
    /// Every note.
    pub(crate) notes: BTreeMap<CommitId, String>,
    /// Every move of a branch, oldest first, with its time.
    pub(crate) moves: Vec<(BranchName, Option<CommitId>, CommitId, Time)>,
    /// What agents remember of when the branches were where.
    pub(crate) seen: BTreeMap<BranchName, Vec<Sighting>>,
    /// The commits that agents pushed.
    pub(crate) by_agents: BTreeSet<CommitId>,
    /// Every list of pauses, oldest first, with how many moves had been made before it was pushed.
    pub(crate) pauses: Vec<(usize, String)>,
}

impl Remote {
    /// Moves a branch. Nothing here asks whether it goes forward: that is for the tests to see.
    pub(crate) fn put(&mut self, branch: &BranchName, node: Node) {
        let at = node.at;
        self.put_at(branch, node, at);
    }

    /// Moves a branch at some time to a commit that was made at another.
    pub(crate) fn put_at(&mut self, branch: &BranchName, node: Node, at: Time) {
        let old = self.branches.insert(branch.clone(), node.id);
        self.moves.push((branch.clone(), old, node.id, at));
        self.commits.insert(node.id, node);
    }

    /// The tip of a branch.
    pub(crate) fn tip(&self, branch: &BranchName) -> &Node {
        &self.commits[&self.branches[branch]]
    }

    /// The chain of first parents, newest first.
    pub(crate) fn chain(&self, from: CommitId) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.commits.get(&from), |node| self.commits.get(node.parents.first()?))
    }

    /// Pushes a list of pauses, one in a line.
    pub(crate) fn pause(&mut self, list: String) {
        self.pauses.push((self.moves.len(), list));
    }

    /// Everything that a commit follows from, itself included.
    pub(crate) fn ancestors(&self, from: CommitId) -> BTreeSet<CommitId> {
        let (mut seen, mut next) = (BTreeSet::new(), vec![from]);
        while let Some(id) = next.pop() {
            if seen.insert(id) {
                next.extend(&self.commits[&id].parents);
            }
        }
        seen
    }

    /// What is visible of the remote, for comparison.
    pub(crate) fn state(&self) -> (BTreeMap<BranchName, CommitId>, BTreeMap<CommitId, String>) {
        (self.branches.clone(), self.notes.clone())
    }

    fn merged(&self, node: &Node, mainline: &BTreeSet<CommitId>) -> Vec<String> {
        let mut next: Vec<CommitId> = node.parents.iter().skip(1).copied().collect();
        let mut messages = Vec::new();
        while let Some(id) = next.pop().filter(|id| !mainline.contains(id)) {
            next.extend(&self.commits[&id].parents);
            messages.push(self.commits[&id].message.clone());
        }
        messages
    }

    fn history(&self, head: CommitId, query: &HistoryQuery<'_>) -> Snapshot {
        let chain: Vec<&Node> = self.chain(head).collect();
        let mainline: BTreeSet<CommitId> = chain.iter().map(|node| node.id).collect();
        let mut times: Vec<Time> = chain.iter().map(|node| node.at).collect();
        settle_times(&mut times, query.now);
        let dated: Vec<(CommitId, Time, Time)> =
            chain.iter().zip(&times).map(|(node, at)| (node.id, node.at, *at)).collect();
        let seen = self.seen.get(query.branch).map_or(&[][..], Vec::as_slice);
        let notes = chain.iter().filter_map(|node| self.notes.get(&node.id));
        let told: Vec<Sighting> = notes.flat_map(|note| looks(note, query.branch, query.now)).collect();
        let times = landings(&dated, seen, &told, query.now);
        let since = query.commits_since.min(query.diffs_since);
        let listed = chain.iter().zip(&times).enumerate();
        let listed = listed.take_while(|(index, (_, landing))| *index == 0 || landing.at >= since);
        let commit = |(_, (node, landing)): (usize, (&&Node, &Landing))| {
            let in_full = (query.diffs_since..=query.diffs_until).contains(&landing.at);
            let mut commit = Commit {
                id: node.id,
                parent: node.parents.first().copied(),
                at: landing.at,
                landing: *landing,
                author: node.author.clone(),
                committer: node.author.clone(),
                message: node.message.clone(),
                merged: self.merged(node, &mainline),
                files: Vec::new(),
                taken_back: Vec::new(),
            };
            if in_full || says_revert(&commit) {
                commit.files = self.diff(node, query.scope);
                commit.taken_back = self.taken_back(&commit, query.scope);
            }
            commit
        };
        let commits = listed.map(commit).collect();
        Snapshot {
            branch: query.branch.clone(),
            head,
            commits,
            diffs_since: query.diffs_since,
            dropped: Vec::new(),
            former: BTreeMap::new(),
        }
    }

    fn taken_back(&self, commit: &Commit, scope: &dyn Scope) -> Vec<TakenBack> {
        let older: BTreeMap<CommitId, &Node> =
            self.chain(commit.id).skip(1).map(|node| (node.id, node)).collect();
        let named = named_by(commit).into_iter().filter_map(|id| older.get(&id).copied());
        let named = named.filter(|node| !node.parents.is_empty());
        named.map(|node| TakenBack { commit: node.id, files: Some(self.diff(node, scope)) }).collect()
    }

    fn diff(&self, node: &Node, scope: &dyn Scope) -> Vec<FileDiff> {
        let none = Tree::new();
        let old = node.parents.first().map_or(&none, |parent| &self.commits[parent].tree);
        diff(old, &node.tree, scope)
    }
}

fn diff(old: &Tree, new: &Tree, scope: &dyn Scope) -> Vec<FileDiff> {
    let paths: BTreeSet<&FilePath> = old.keys().chain(new.keys()).collect();
    let version = |path: &FilePath, bytes: Option<&Arc<[u8]>>| {
        let bytes = bytes?;
        let blob = BlobId::from_bytes(hash(bytes));
        let wanted = scope.file(path.as_str()) == Interest::Bytes;
        Some(FileVersion { blob, bytes: wanted.then(|| Arc::clone(bytes)) })
    };
    let changed = paths.into_iter().filter(|path| old.get(*path) != new.get(*path));
    let changed = changed.filter(|path| scope.file(path.as_str()) != Interest::Nothing);
    let diff = |path: &FilePath| FileDiff {
        was: None,
        path: path.clone(),
        old: version(path, old.get(path)),
        new: version(path, new.get(path)),
        turned: None,
    };
    changed.map(diff).collect()
}

/// The repository as one agent knows it: what was fetched, and how to push.
pub(crate) struct Clone {
    remote: Arc<Mutex<Remote>>,
    process: Arc<Process>,
    fetched: Mutex<(BTreeMap<BranchName, CommitId>, BTreeMap<CommitId, String>)>,
    pauses: Mutex<Option<String>>,
}

impl Clone {
    /// An agent's clone that has fetched nothing yet.
    pub(crate) fn new(remote: &Arc<Mutex<Remote>>, process: &Arc<Process>) -> Self {
        Self {
            remote: Arc::clone(remote),
            process: Arc::clone(process),
            fetched: Mutex::default(),
            pauses: Mutex::default(),
        }
    }

    fn remote(&self) -> MutexGuard<'_, Remote> {
        self.remote.lock().unwrap()
    }

    fn call<T, E: From<RepositoryError>>(
        &self,
        name: &'static str,
        work: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        let unreachable = || RepositoryError::Unreachable { remote: "sim".into(), reason: name.into() };
        self.process.call(name, work).unwrap_or_else(|| Err(unreachable().into()))
    }

    fn push(&self, request: &CommitRequest<'_>) -> Result<CommitId, PushError> {
        let mut remote = self.remote();
        let reference = format!("refs/heads/{}", request.branch);
        let rejected = |reason: &str| PushError::Rejected { reference, reason: reason.to_owned() };
        if remote.branches.get(request.branch).copied() != request.expected {
            return Err(rejected("it is elsewhere"));
        }
        let parents: Vec<CommitId> = std::iter::once(request.parent).chain(request.onto).collect();
        if request.expected.is_some_and(|expected| !parents.contains(&expected)) {
            return Err(rejected("it does not follow"));
        }
        let mut tree = remote.commits[&request.parent].tree.clone();
        for (path, content) in request.files {
            match content {
                Some(content) => drop(tree.insert(path.clone(), Arc::from(content.bytes().unwrap()))),
                None => drop(tree.remove(path)),
            }
        }
        let author = Person { name: "backout".to_owned(), email: "backout@example.com".to_owned() };
        let node = Node::new(parents, tree, author, request.message, request.at);
        let id = node.id;
        remote.put(request.branch, node);
        remote.by_agents.insert(id);
        self.fetched.lock().unwrap().0.insert(request.branch.clone(), id);
        Ok(id)
    }
}

impl Repository for Clone {
    fn fetch(&self, branches: &[BranchName]) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError> {
        self.call("fetch", || {
            let (tips, notes) = self.remote().state();
            let missing = branches.iter().find(|branch| !tips.contains_key(*branch));
            if let Some(missing) = missing {
                return Err(RepositoryError::NotFound(missing.to_string()));
            }
            *self.fetched.lock().unwrap() = (tips.clone(), notes);
            *self.pauses.lock().unwrap() = self.remote().pauses.last().map(|(_, list)| list.clone());
            Ok(branches.iter().map(|branch| (branch.clone(), tips[branch])).collect())
        })
    }

    fn history(&self, query: &HistoryQuery<'_>) -> Result<Snapshot, RepositoryError> {
        self.call("history", || {
            let head = self.fetched.lock().unwrap().0.get(query.branch).copied();
            let head = head.ok_or_else(|| RepositoryError::NotFound(query.branch.to_string()))?;
            Ok(self.remote().history(head, query))
        })
    }

    fn deepen(&self, _: &BranchName, _: Time) -> Result<(), RepositoryError> {
        Ok(())
    }

    fn sightings(&self, branch: &BranchName) -> Vec<Sighting> {
        self.remote().seen.get(branch).cloned().unwrap_or_default()
    }

    fn remember(&self, seen: &BTreeMap<BranchName, Vec<Sighting>>) {
        let mut remote = self.remote();
        for (branch, seen) in seen {
            let known = remote.seen.remove(branch).unwrap_or_default();
            remote.seen.insert(branch.clone(), with_sightings(known, seen));
        }
    }

    fn walk(
        &self,
        query: &HistoryQuery<'_>,
        visit: &mut dyn FnMut(Commit) -> ControlFlow<()>,
    ) -> Result<CommitId, RepositoryError> {
        let snapshot = self.history(query)?;
        for commit in snapshot.commits {
            if visit(commit).is_break() {
                break;
            }
        }
        Ok(snapshot.head)
    }

    fn commit(&self, commit: CommitId) -> Result<Made, RepositoryError> {
        self.call("commit", || {
            let node = self.remote().commits.get(&commit).cloned();
            let node = node.ok_or_else(|| RepositoryError::NotFound(commit.to_string()))?;
            Ok(Made { parents: node.parents, committed: node.at, message: node.message })
        })
    }

    fn holds_exactly(
        &self,
        commit: CommitId,
        base: CommitId,
        files: &BTreeMap<FilePath, Option<Content>>,
    ) -> Result<bool, RepositoryError> {
        self.call("holds_exactly", || {
            let remote = self.remote();
            let mut tree = remote.commits[&base].tree.clone();
            for (path, content) in files {
                match content {
                    Some(content) => drop(tree.insert(path.clone(), Arc::from(content.bytes().unwrap()))),
                    None => drop(tree.remove(path)),
                }
            }
            Ok(remote.commits[&commit].tree == tree)
        })
    }

    fn read_file(&self, commit: CommitId, path: &FilePath) -> Result<Option<Vec<u8>>, RepositoryError> {
        self.call("read_file", || {
            Ok(self.remote().commits[&commit].tree.get(path).map(|bytes| bytes.to_vec()))
        })
    }

    fn has_room(&self, commit: CommitId, path: &FilePath) -> Result<bool, RepositoryError> {
        self.call("has_room", || {
            let remote = self.remote();
            let is_within =
                |one: &str, other: &str| one.strip_prefix(other).is_some_and(|rest| rest.starts_with('/'));
            let mut there = remote.commits[&commit].tree.keys();
            Ok(!there.any(|other| {
                is_within(path.as_str(), other.as_str()) || is_within(other.as_str(), path.as_str())
            }))
        })
    }

    fn list_files(
        &self,
        commit: CommitId,
        scope: &dyn Scope,
        limit: usize,
    ) -> Result<Vec<FilePath>, RepositoryError> {
        self.call("list_files", || {
            let remote = self.remote();
            let wanted = |path: &&FilePath| scope.file(path.as_str()) == Interest::Bytes;
            Ok(remote.commits[&commit].tree.keys().filter(wanted).take(limit).cloned().collect())
        })
    }

    fn resolve(&self, revision: &str) -> Result<CommitId, RepositoryError> {
        self.call("resolve", || {
            revision.parse().map_err(|_invalid| RepositoryError::NotFound(revision.to_owned()))
        })
    }

    fn commit_and_push(&self, request: &CommitRequest<'_>) -> Result<CommitId, PushError> {
        self.call("commit_and_push", || self.push(request))
    }

    fn remote_branches(&self, prefix: &str) -> Result<BTreeMap<BranchName, CommitId>, RepositoryError> {
        self.call("remote_branches", || {
            let branches = self.remote().branches.clone();
            Ok(branches.into_iter().filter(|(name, _)| name.as_str().starts_with(prefix)).collect())
        })
    }

    fn remove_branch(&self, branch: &BranchName, expected: CommitId) -> Result<(), PushError> {
        self.call("remove_branch", || {
            let mut remote = self.remote();
            if remote.branches.get(branch) != Some(&expected) {
                return Err(PushError::Rejected {
                    reference: branch.to_string(),
                    reason: "it is elsewhere".into(),
                });
            }
            remote.branches.remove(branch);
            Ok(())
        })
    }

    fn check_push(&self, _: &BranchName) -> Result<(), RepositoryError> {
        self.call("check_push", || Ok(()))
    }

    fn notes(&self, commits: &[CommitId]) -> Result<BTreeMap<CommitId, String>, RepositoryError> {
        self.call("notes", || {
            let fetched = self.fetched.lock().unwrap();
            let note = |commit: &CommitId| Some((*commit, fetched.1.get(commit)?.clone()));
            Ok(commits.iter().filter_map(note).collect())
        })
    }

    fn each_note(
        &self,
        visit: &mut dyn FnMut(CommitId, String) -> ControlFlow<()>,
    ) -> Result<(), RepositoryError> {
        let notes = self.call("each_note", || Ok(self.fetched.lock().unwrap().1.clone()))?;
        for (commit, note) in notes {
            if visit(commit, note).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn append_notes(&self, lines: &BTreeMap<CommitId, Vec<String>>, _: Time) -> Result<(), PushError> {
        self.call("append_notes", || {
            let mut remote = self.remote();
            for (commit, new) in lines {
                let note = remote.notes.entry(*commit).or_default();
                for line in new
                    .iter()
                    .filter(|line| !note.lines().any(|old| says_the_same(old, line)))
                    .collect::<Vec<_>>()
                {
                    if !note.is_empty() && !note.ends_with('\n') {
                        note.push('\n');
                    }
                    note.push_str(line);
                    note.push('\n');
                }
            }
            self.fetched.lock().unwrap().1.clone_from(&remote.notes);
            Ok(())
        })
    }

    fn pauses(&self) -> Result<Option<String>, RepositoryError> {
        self.call("pauses", || Ok(self.pauses.lock().unwrap().clone()))
    }
}
