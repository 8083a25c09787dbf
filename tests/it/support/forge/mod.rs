//! A simulated forge: pull requests, issues, checks, rules and people, over a real bare repository. A merge moves its
//! branches with `git` itself. Which API it speaks is a face's business; it can be told to fail at any request.

pub(crate) mod gitea;
pub(crate) mod github;
pub(crate) mod gitlab;
pub(crate) mod server;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde_json::Value;

pub(crate) use self::server::{Asked, Fate, Reply, SimForge};
use crate::support::git::{git, git_command, try_git};

/// Who the agent is on the forge.
pub(crate) const AGENT: &str = "backout[bot]";
/// The token that the agent logs in with.
pub(crate) const TOKEN: &str = "f0rge-t0ken-d4c1";
/// The repository's name.
pub(crate) const REPOSITORY: &str = "shop/environments";

/// Which API the forge speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Face {
    /// GitHub's.
    GitHub,
    /// GitLab's.
    GitLab,
    /// Gitea's and Forgejo's.
    Gitea,
}

/// A pull request.
#[expect(clippy::struct_excessive_bools, reason = "what a forge shows of it")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Pull {
    pub(crate) number: u64,
    /// Who has opened it.
    pub(crate) by: String,
    pub(crate) branch: String,
    pub(crate) base: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) open: bool,
    pub(crate) merged: bool,
    pub(crate) merge_commit: Option<String>,
    pub(crate) closed_by: Option<String>,
    pub(crate) draft: bool,
    /// Whether its branch is of another repository.
    pub(crate) fork: bool,
    pub(crate) created_at: i64,
    /// How the forge was asked to merge it by itself: the way, the title and the text of the commit.
    pub(crate) auto: Option<(String, String, String)>,
    /// The commit that this was asked for, where another one takes it back (on GitLab).
    pub(crate) auto_head: Option<String>,
    /// What the forge last looked at to say how it stands, where it does so when it is asked to (on GitLab).
    pub(crate) looked_at: Option<String>,
    pub(crate) queued: bool,
    /// The last commit of its branch while that was there.
    pub(crate) head: String,
    pub(crate) reviewers: BTreeSet<String>,
    pub(crate) approved_by: BTreeSet<String>,
    pub(crate) changes_wanted_by: BTreeSet<String>,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) assignees: BTreeSet<String>,
    /// Between which commits it was last looked at, and how often (on Gitea).
    pub(crate) looks: (String, usize),
    /// What happened to it, and by whom, as far as a forge tells that it is to merge it from nothing else.
    pub(crate) events: Vec<(String, String)>,
}

/// An issue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Issue {
    pub(crate) number: u64,
    /// Who has opened it.
    pub(crate) by: String,
    pub(crate) title: String,
    pub(crate) body: String,
    pub(crate) open: bool,
    pub(crate) labels: BTreeSet<String>,
    pub(crate) assignees: BTreeSet<String>,
}

/// A comment on a pull request or an issue.
#[derive(Clone, Debug)]
pub(crate) struct Comment {
    pub(crate) id: u64,
    pub(crate) on: u64,
    pub(crate) by: String,
    pub(crate) body: String,
    pub(crate) at: i64,
    /// When somebody edited it.
    pub(crate) edited_at: Option<i64>,
}

impl Comment {
    /// When it was last changed.
    pub(crate) fn changed_at(&self) -> i64 {
        self.edited_at.unwrap_or(self.at)
    }
}

/// A move of a branch.
#[derive(Clone, Debug)]
pub(crate) struct Move {
    pub(crate) branch: String,
    /// Zeros where there was no branch.
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) at: i64,
}

impl Move {
    pub(crate) fn is_new(&self) -> bool {
        self.before.chars().all(|digit| digit == '0')
    }
}

/// The state of a check or a status: `pending`, `success`, `failure`.
#[derive(Clone, Debug)]
pub(crate) struct Status {
    pub(crate) context: String,
    pub(crate) state: String,
    pub(crate) description: String,
    pub(crate) url: Option<String>,
}

/// The rules of the environment's branch, and the repository's settings.
#[expect(clippy::struct_excessive_bools, reason = "what a forge shows of it")]
#[derive(Clone, Debug)]
pub(crate) struct Rules {
    /// The checks that must have succeeded; on Gitea they may be patterns.
    pub(crate) required: Vec<String>,
    /// How many people must approve.
    pub(crate) approvals: usize,
    /// Whether a pull request must contain the branch's tip.
    pub(crate) up_to_date: bool,
    /// Whether the forge merges by itself.
    pub(crate) auto_merge: bool,
    /// The ways to merge: `squash`, `merge`, `rebase`.
    pub(crate) ways: Vec<String>,
    pub(crate) queue: bool,
    pub(crate) signatures: bool,
    /// Who may merge, where that is not everybody who may push.
    pub(crate) mergers: Option<BTreeSet<String>>,
    /// Whether the agent may read who may merge.
    pub(crate) tells_mergers: bool,
    /// How often a pull request is looked at, after a push to its branch or to the base, before the forge knows whether it can be
    /// merged (on Gitea).
    pub(crate) slow_looks: usize,
    /// Whether it takes a second pull request from a branch.
    pub(crate) takes_two: bool,
    /// Whether the forge passes over what it is to merge by itself.
    pub(crate) passes_over: bool,
    /// Whether there are issues.
    pub(crate) issues: bool,
    /// Whether they are kept somewhere else, which Gitea tells as if there were some.
    pub(crate) tracks_elsewhere: bool,
    /// Whether the agent may write them.
    pub(crate) writes_issues: bool,
    /// Whether the branch takes the agent's pushes.
    pub(crate) pushes: bool,
    /// Whether the agent administers the repository.
    pub(crate) administers: bool,
}

/// All that the forge knows.
pub(crate) struct State {
    pub(crate) repository: PathBuf,
    pub(crate) pulls: Vec<Pull>,
    pub(crate) issues: Vec<Issue>,
    pub(crate) comments: Vec<Comment>,
    /// Statuses and checks by commit.
    pub(crate) statuses: BTreeMap<String, Vec<Status>>,
    pub(crate) rules: Rules,
    /// People, and whether they may push.
    pub(crate) people: BTreeMap<String, bool>,
    /// Those of them who administer the repository.
    pub(crate) admins: BTreeSet<String>,
    /// Whether the agent's token may read whose it is.
    pub(crate) tells_account: bool,
    /// Which pull request brought a commit to the branch.
    pub(crate) sources: BTreeMap<String, u64>,
    /// The labels that there are, where they have numbers.
    pub(crate) labels: Vec<String>,
    /// The tokens that are valid.
    pub(crate) tokens: BTreeSet<String>,
    pub(crate) tokens_made: usize,
    /// How often something was merged.
    pub(crate) merges: usize,
    pub(crate) numbers: u64,
    pub(crate) now: fn() -> i64,
    /// Its own address.
    pub(crate) url: String,
    /// What the server says that it is.
    pub(crate) version: String,
}

impl State {
    pub(super) fn new(repository: PathBuf, url: String) -> Self {
        let rules = Rules {
            required: vec!["ci/test".to_owned()],
            approvals: 0,
            up_to_date: false,
            auto_merge: true,
            ways: ["squash", "merge", "rebase"].map(str::to_owned).to_vec(),
            queue: false,
            signatures: false,
            mergers: None,
            tells_mergers: true,
            slow_looks: 0,
            takes_two: false,
            passes_over: false,
            issues: true,
            tracks_elsewhere: false,
            writes_issues: true,
            pushes: true,
            administers: true,
        };
        let people = [("dana", true), ("lee", true), ("mallory", false), (AGENT, true)];
        Self {
            repository,
            pulls: Vec::new(),
            issues: Vec::new(),
            comments: Vec::new(),
            statuses: BTreeMap::new(),
            rules,
            people: people.map(|(name, may)| (name.to_owned(), may)).into(),
            admins: BTreeSet::new(),
            tells_account: true,
            sources: BTreeMap::new(),
            labels: Vec::new(),
            tokens: BTreeSet::from([TOKEN.to_owned()]),
            tokens_made: 0,
            merges: 0,
            numbers: 0,
            now: || {
                use backout::ports::Clock as _;
                backout::adapters::clock::SystemClock.now().unix()
            },
            url,
            version: "7.0.9+gitea-1.22.0".to_owned(),
        }
    }

    pub(crate) fn next_number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// The tip of a branch.
    pub(crate) fn tip(&self, branch: &str) -> Option<String> {
        let output =
            try_git(&self.repository, &["rev-parse", "-q", "--verify", &format!("refs/heads/{branch}")]);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Moves a branch from one commit to another, now.
    pub(crate) fn move_branch(&self, branch: &str, to: &str, from: &str) {
        let output = git_command(&self.repository)
            .args(["update-ref", &format!("refs/heads/{branch}"), to, from])
            .env("GIT_COMMITTER_DATE", format!("{} +0000", (self.now)()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{branch}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// The moves of all branches that are there, newest first, where the repository logs them (`log_moves`).
    pub(crate) fn moves(&self) -> Vec<Move> {
        let names = git(&self.repository, &["for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads"]);
        let mut moves = Vec::new();
        for branch in names.lines() {
            // Each line: from where, to where, who, and when in seconds since 1970; then a tab and why.
            let log = std::fs::read_to_string(self.repository.join("logs/refs/heads").join(branch));
            for line in log.unwrap_or_default().lines().rev() {
                let words: Vec<&str> = line.split('\t').next().unwrap().split(' ').collect();
                moves.push(Move {
                    branch: branch.to_owned(),
                    before: words[0].to_owned(),
                    after: words[1].to_owned(),
                    at: words[words.len() - 2].parse().unwrap(),
                });
            }
        }
        moves.sort_by_key(|one| std::cmp::Reverse(one.at));
        moves
    }

    /// The pull request whose merge has moved a branch.
    pub(crate) fn merged_by(&self, moved: &Move) -> Option<&Pull> {
        self.pulls.iter().find(|pull| pull.merge_commit.as_ref() == Some(&moved.after))
    }

    pub(crate) fn pull(&mut self, number: u64) -> Option<&mut Pull> {
        self.pulls.iter_mut().find(|pull| pull.number == number)
    }

    /// Looks at the branches again, closes what has none any more, and merges what may be merged by itself.
    pub(crate) fn tick(&mut self) {
        for index in 0..self.pulls.len() {
            let pull = &self.pulls[index];
            if !pull.open {
                continue;
            }
            if pull.fork {
                continue;
            }
            match self.tip(&pull.branch.clone()) {
                Some(tip) => self.pulls[index].head = tip,
                None => {
                    let pull = &mut self.pulls[index];
                    (pull.open, pull.closed_by, pull.auto) = (false, Some("ghost".to_owned()), None);
                }
            }
            let pull = &mut self.pulls[index];
            if pull.auto_head.as_ref().is_some_and(|asked_for| *asked_for != pull.head) {
                (pull.auto, pull.auto_head) = (None, None);
            }
            let pull = self.pulls[index].clone();
            if let Some((way, title, text)) = &pull.auto
                && !self.rules.passes_over
                && self.standing(&pull) == "clean"
            {
                if self.rules.queue {
                    (self.pulls[index].queued, self.pulls[index].auto) = (true, None);
                } else {
                    self.merge(pull.number, way, title, text);
                }
            }
        }
    }

    /// What keeps a pull request from being merged, in GitHub's words.
    pub(crate) fn standing(&self, pull: &Pull) -> &'static str {
        let Some(base) = self.tip(&pull.base) else { return "unknown" };
        if pull.draft {
            return "draft";
        }
        if self.merged_tree(&base, &pull.head).is_none() {
            return "dirty";
        }
        if self.rules.up_to_date && !self.contains_base(pull) {
            return "behind";
        }
        let statuses = self.last_statuses(&pull.head);
        let passes = |check: &String| {
            let pattern = globset::Glob::new(check).unwrap().compile_matcher();
            let mut meant = statuses.iter().filter(|status| pattern.is_match(&status.context)).peekable();
            meant.peek().is_some() && meant.all(|status| status.state == "success")
        };
        let passed = self.rules.required.iter().all(passes);
        let approved = pull.approved_by.len() >= self.rules.approvals && pull.changes_wanted_by.is_empty();
        if passed && approved { "clean" } else { "blocked" }
    }

    /// Whether a pull request contains the tip of the branch that it is to be merged into.
    pub(crate) fn contains_base(&self, pull: &Pull) -> bool {
        let base = self.tip(&pull.base).unwrap_or_default();
        try_git(&self.repository, &["merge-base", "--is-ancestor", &base, &pull.head]).status.success()
    }

    /// The tree of a merge; none where it conflicts.
    fn merged_tree(&self, base: &str, head: &str) -> Option<String> {
        let output = try_git(&self.repository, &["merge-tree", "--write-tree", base, head]);
        let text = String::from_utf8_lossy(&output.stdout);
        output.status.success().then(|| text.lines().next().unwrap().to_owned())
    }

    fn write_commit(&self, tree: &str, parents: &[&str], message: &str, by: &str) -> String {
        let date = format!("{} +0000", (self.now)());
        let mut command = git_command(&self.repository);
        command.arg("commit-tree").arg(tree);
        for parent in parents {
            command.args(["-p", parent]);
        }
        for role in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{role}_DATE"), &date).env(format!("GIT_{role}_NAME"), by);
        }
        let output = command.args(["-m", message]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Merges a pull request; none where it conflicts.
    pub(crate) fn merge(&mut self, number: u64, way: &str, title: &str, text: &str) -> Option<String> {
        let pull = self.pull(number).unwrap().clone();
        let base = self.tip(&pull.base)?;
        let tree = self.merged_tree(&base, &pull.head)?;
        let original = git(&self.repository, &["log", "-1", "--format=%B", &pull.head]);
        let message = format!("{title}\n\n{text}");
        let commit = match way {
            "merge" => self.write_commit(&tree, &[&base, &pull.head], &message, "forge"),
            "rebase" => self.write_commit(&tree, &[&base], &original, AGENT),
            "ff" | "fast-forward-only" => pull.head.clone(),
            "squash-merge" => {
                let fork = git(&self.repository, &["merge-base", &base, &pull.head]);
                let files = git(&self.repository, &["rev-parse", &format!("{}^{{tree}}", pull.head)]);
                let squashed = self.write_commit(&files, &[&fork], &message, "forge");
                self.write_commit(&tree, &[&base, &squashed], &message, "forge")
            }
            _ => self.write_commit(&tree, &[&base], &message, "forge"),
        };
        self.land(number, &commit, &base);
        Some(commit)
    }

    /// Moves the branch to a commit, as the merge of a pull request.
    fn land(&mut self, number: u64, commit: &str, base: &str) {
        let branch = self.pull(number).unwrap().base.clone();
        self.move_branch(&branch, commit, base);
        self.merges += 1;
        let commit = commit.to_owned();
        let pull = self.pull(number).unwrap();
        (pull.open, pull.merged, pull.auto, pull.queued) = (false, true, None, false);
        pull.merge_commit = Some(commit);
    }

    /// The merge queue lands a pull request as it says, but with the files as the branch had them.
    pub(crate) fn queue_lands_nothing(&mut self, number: u64) {
        let pull = self.pull(number).unwrap().clone();
        let base = self.tip(&pull.base).unwrap();
        let tree = git(&self.repository, &["rev-parse", &format!("{base}^{{tree}}")]);
        let message = git(&self.repository, &["log", "-1", "--format=%B", &pull.head]);
        let commit = self.write_commit(&tree, &[&base], &message, "forge");
        self.land(number, &commit, &base);
    }

    /// Opens a pull request for the agent; none where one is open from the same branch, or nothing is on it.
    pub(crate) fn open(&mut self, branch: &str, base: &str, title: &str, body: &str) -> Result<u64, String> {
        let is_same = |pull: &Pull| pull.open && pull.branch == branch && pull.base == base;
        if !self.rules.takes_two && self.pulls.iter().any(is_same) {
            return Err(format!("A pull request already exists for shop:{branch}."));
        }
        let (Some(head), Some(onto)) = (self.tip(branch), self.tip(base)) else {
            return Err("the branch does not exist".to_owned());
        };
        if head == onto {
            return Err(format!("No commits between {base} and {branch}"));
        }
        let number = self.next_number();
        self.pulls.push(Pull {
            number,
            by: AGENT.to_owned(),
            branch: branch.to_owned(),
            base: base.to_owned(),
            title: title.to_owned(),
            body: body.to_owned(),
            open: true,
            head,
            created_at: (self.now)(),
            ..Pull::default()
        });
        Ok(number)
    }

    /// Somebody else opens a pull request.
    pub(crate) fn open_by(&mut self, by: &str, branch: &str, base: &str) -> u64 {
        let number = self.open(branch, base, "Revert app", "<!-- backout-id: 1 -->\n").unwrap();
        by.clone_into(&mut self.pull(number).unwrap().by);
        number
    }

    /// Somebody comments.
    pub(crate) fn comment(&mut self, on: u64, by: &str, body: &str) {
        let at = (self.now)();
        let id = self.comments.last().map_or(7_000, |last| last.id + 1);
        self.comments.push(Comment { id, on, by: by.to_owned(), body: body.to_owned(), at, edited_at: None });
    }

    /// Removes a comment; none where there is none.
    pub(crate) fn remove_comment(&mut self, id: u64) -> Option<()> {
        let at = self.comments.iter().position(|comment| comment.id == id)?;
        self.comments.remove(at);
        Some(())
    }

    /// Replaces the text of a comment.
    pub(crate) fn edit_comment(&mut self, id: u64, body: &str) -> Option<&Comment> {
        let comment = self.comments.iter_mut().find(|comment| comment.id == id)?;
        body.clone_into(&mut comment.body);
        Some(comment)
    }

    /// A commit with these files changed on top of a branch, as an API makes one; none where the branch is elsewhere.
    pub(crate) fn commit_on(
        &mut self,
        branch: &str,
        expected: &str,
        files: &[(String, Option<Vec<u8>>)],
        message: &str,
    ) -> Option<String> {
        let tip = self.tip(branch).filter(|tip| tip == expected)?;
        let index = tempfile::NamedTempFile::new().unwrap();
        let run = |arguments: &[&str], input: &[u8]| {
            use std::io::Write as _;
            let mut child = git_command(&self.repository)
                .args(arguments)
                .env("GIT_INDEX_FILE", index.path())
                .stdin(std::process::Stdio::piped())
                .stdout(std::process::Stdio::piped())
                .spawn()
                .unwrap();
            child.stdin.take().unwrap().write_all(input).unwrap();
            let output = child.wait_with_output().unwrap();
            assert!(output.status.success(), "git {arguments:?}");
            String::from_utf8_lossy(&output.stdout).trim().to_owned()
        };
        std::fs::remove_file(index.path()).unwrap();
        run(&["read-tree", &tip], b"");
        for (path, bytes) in files {
            match bytes {
                Some(bytes) => {
                    let blob = run(&["hash-object", "-w", "--stdin"], bytes);
                    run(&["update-index", "--add", "--cacheinfo", &format!("100644,{blob},{path}")], b"");
                }
                None => drop(run(&["update-index", "--remove", path], b"")),
            }
        }
        let tree = run(&["write-tree"], b"");
        let commit = self.write_commit(&tree, &[&tip], message, "forge");
        self.move_branch(branch, &commit, &tip);
        Some(commit)
    }

    /// Merges a commit into a branch, as an API does; the new tip, none where everything is in there, an error where it
    /// conflicts.
    pub(crate) fn merge_into(
        &mut self,
        branch: &str,
        head: &str,
        message: &str,
    ) -> Result<Option<String>, ()> {
        let tip = self.tip(branch).ok_or(())?;
        if try_git(&self.repository, &["merge-base", "--is-ancestor", head, &tip]).status.success() {
            return Ok(None);
        }
        let tree = self.merged_tree(&tip, head).ok_or(())?;
        let commit = self.write_commit(&tree, &[&tip, head], message, "forge");
        self.move_branch(branch, &commit, &tip);
        Ok(Some(commit))
    }

    /// Sets a check of a commit.
    pub(crate) fn set_status(&mut self, commit: &str, status: Status) {
        self.statuses.entry(commit.to_owned()).or_default().push(status);
    }

    /// Sets the required check of a pull request.
    pub(crate) fn check(&mut self, number: u64, state: &str) {
        self.tick();
        let head = self.pull(number).unwrap().head.clone();
        let context = self.rules.required[0].clone();
        let (description, url) = (String::new(), None);
        self.set_status(&head, Status { context, state: state.to_owned(), description, url });
        self.tick();
    }

    /// The last status of each context of a commit.
    pub(crate) fn last_statuses(&self, commit: &str) -> Vec<Status> {
        let mut last: BTreeMap<&str, &Status> = BTreeMap::new();
        for status in self.statuses.get(commit).into_iter().flatten() {
            last.insert(&status.context, status);
        }
        last.into_values().cloned().collect()
    }
}

/// The id of an account: always the same for a name.
pub(crate) fn user_id(name: &str) -> u64 {
    name.bytes().fold(7, |id, byte| (id * 31 + u64::from(byte)) % 1_000_003)
}

/// A time as forges write it.
pub(crate) fn rfc3339(unix: i64) -> String {
    backout::domain::time::Time::from_unix(unix).to_string()
}

/// The text of a field of a request.
pub(crate) fn text(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

/// The texts in a list of a request.
pub(crate) fn texts(value: &Value, key: &str) -> Vec<String> {
    let items = value.get(key).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A private key of a GitHub App, as `app.pem` in a directory.
pub(crate) fn app_key(directory: &std::path::Path) -> PathBuf {
    let path = directory.join("app.pem");
    let openssl = crate::support::installed("openssl", "openssl");
    let made = crate::support::command(&openssl)
        .args(["genrsa", "-traditional", "-out"])
        .arg(&path)
        .arg("2048")
        .output();
    assert!(made.unwrap().status.success());
    path
}

/// A page of a list, with where the next one is; `size` is the parameter that says how long a page is.
pub(crate) fn page(asked: &Asked, all: Vec<Value>, size: &str) -> Reply {
    let number = |name: &str, usual: usize| asked.query.get(name).map_or(usual, |text| text.parse().unwrap());
    let (size_, page) = (number(size, 30).min(100), number("page", 1));
    let rest = all.len().saturating_sub(size_ * page);
    let shown: Vec<Value> = all.into_iter().skip(size_ * (page - 1)).take(size_).collect();
    let reply = Reply::json(200, Value::Array(shown));
    if rest == 0 {
        return reply;
    }
    let (path, query) = asked.target.split_once('?').unwrap_or((&asked.target, ""));
    // The rest of the question stays as it was.
    let is_rest =
        |pair: &&str| !matches!(pair.split('=').next(), Some(name) if name == "page" || name == size);
    let mut pairs: Vec<String> = query.split('&').filter(is_rest).map(str::to_owned).collect();
    pairs.extend([format!("{size}={size_}"), format!("page={}", page + 1)]);
    let next = format!("<http://elsewhere.example.com{path}?{}>; rel=\"next\"", pairs.join("&"));
    reply.with("Link", &next)
}
