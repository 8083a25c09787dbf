//! A stage for the built program: a remote, the people who push to it, a metric server, and branches with a bad
//! deployment at their tip.

use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};

use backout::adapters::clock::SystemClock;
use backout::ports::Clock as _;

use super::git::{WorkTree, bare, git, note_on, try_git};
use super::http_remote::{HttpRemote, PASSWORD, USER};
use super::metric_server::MetricServer;
use super::ssh_remote::SshRemote;
use super::{command, eventually};

/// The file that is deployed.
pub(crate) const PATH: &str = "apps/checkout/values.yaml";
/// How long ago the bad deployments happened.
const DEPLOYED_SECS_AGO: i64 = 300;

/// Where the environment repo is, and how the agents reach it.
pub(crate) enum Remote {
    /// A bare repository on this machine.
    File(tempfile::TempDir),
    /// A web server.
    Http(HttpRemote),
    /// An SSH server.
    Ssh(SshRemote),
}

impl Remote {
    /// An empty bare repository on this machine.
    pub(crate) fn file() -> Self {
        let directory = tempfile::tempdir().unwrap();
        bare(directory.path(), "env.git");
        Self::File(directory)
    }

    /// The bare repository.
    pub(crate) fn repository(&self) -> PathBuf {
        match self {
            Self::File(directory) => directory.path().join("env.git"),
            Self::Http(remote) => remote.repository(),
            Self::Ssh(remote) => remote.repository(),
        }
    }

    fn yaml(&self) -> String {
        match self {
            Self::File(_) => format!("url: {}", self.repository().display()),
            Self::Http(remote) => format!(
                "url: {}, auth: {{kind: basic, username: {USER}, password: {{env: GIT_PASSWORD}}}}",
                remote.url()
            ),
            Self::Ssh(remote) => format!(
                "url: \"{}\", auth: {{kind: ssh, key: {}, known_hosts: {}}}",
                remote.url(),
                remote.file("user_key").display(),
                remote.file("known_hosts").display()
            ),
        }
    }
}

/// The stage.
pub(crate) struct Stage {
    /// The remote.
    pub(crate) remote: Remote,
    /// The metric server: `checkout` is broken since the bad deployments.
    pub(crate) metrics: MetricServer,
    people: WorkTree,
    home: tempfile::TempDir,
    begun: i64,
}

/// A branch with a bad deployment at its tip.
pub(crate) struct Branch {
    /// Its name.
    pub(crate) name: String,
    /// The bad deployment.
    pub(crate) bad: String,
    /// The file's bytes before it.
    pub(crate) good_text: String,
    /// The file's bytes with it.
    pub(crate) bad_text: String,
}

fn values(tag: &str) -> String {
    format!(
        "# who is on call: see the wiki\nimage:\n  repository: shop/checkout\n  tag: {tag}   # keep\nreplicas: 3\n"
    )
}

impl Stage {
    /// Fills the remote with a first commit on `main`.
    pub(crate) fn new(remote: Remote) -> Self {
        let repository = remote.repository();
        git(&repository, &["config", "core.logAllRefUpdates", "always"]);
        git(&repository, &["config", "receive.denyNonFastForwards", "false"]);
        // On a busy machine a push can hold a ref's lock for longer than the tenth of a second that Git waits for it.
        git(&repository, &["config", "core.filesRefLockTimeout", "20000"]);
        let begun = SystemClock.now().unix();
        let broken_since = begun - DEPLOYED_SECS_AGO;
        let metrics = MetricServer::start(&["checkout", "cart"], move |service, at| {
            Some(if service == "checkout" && at > broken_since { 0.4 } else { 0.001 })
        });
        let mut people = WorkTree::new();
        people.now = begun - 86_400;
        people.write("apps/cart/values.yaml", "image:\n  tag: v7\n");
        people.write(PATH, &values("v1.0.0"));
        people.commit("Set up production");
        people.push(&repository);
        Self { remote, metrics, people, home: tempfile::tempdir().unwrap(), begun }
    }

    /// A new branch on which a bad version was deployed five minutes ago.
    pub(crate) fn branch(&mut self, name: &str) -> Branch {
        let (good_text, bad_text) = (values("v1.0.0"), values(&format!("v2.0.0-{name}")));
        self.people.git(&["checkout", "-q", "-B", name, "main"]);
        self.people.now = self.begun - DEPLOYED_SECS_AGO - 60;
        self.people.write(PATH, &bad_text);
        let bad = self.people.commit(&format!("checkout: v2.0.0-{name}"));
        self.people.git(&["push", "-q", self.remote.repository().to_str().unwrap(), "HEAD"]);
        Branch { name: name.to_owned(), bad, good_text, bad_text }
    }

    /// A configuration for one agent with a cache of its own, named `agent`, that watches a branch.
    pub(crate) fn config(&self, agent: &str, branch: &Branch) -> PathBuf {
        let path = self.home.path().join(format!("{agent}.yaml"));
        let text = format!(
            "repository: {{{repository}, cache: {cache}}}
environments: {{production: {{branch: {branch}, mode: auto, budget: {{max_reverts: 3, window: 1h}}}}}}
metrics: {{prom: {{kind: prometheus, url: \"{url}\"}}}}
signals: {{errors: {{query: errors_ratio, by: service, kind: error-ratio, above: 5%, for: 1m, step: 15s}}}}
policies: {{default: {{settle: 0s, watch: 2h, baseline: 10m, recovery: 10m}}}}
services: [{{pattern: \"apps/{{service}}/**\"}}]
",
            repository = self.remote.yaml(),
            cache = self.home.path().join(agent).display(),
            branch = branch.name,
            url = self.metrics.url(),
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts one pass of the built program.
    pub(crate) fn start(&self, config: &Path) -> Child {
        let mut agent = command(env!("CARGO_BIN_EXE_backout"));
        agent.args(["--format", "json", "--log", "info", "--config"]).arg(config).args(["run", "--once"]);
        agent.env("GIT_PASSWORD", PASSWORD).env("HOME", self.home.path()).env_remove("XDG_CACHE_HOME");
        agent.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Makes one pass, which must end without a problem.
    pub(crate) fn pass(&self, config: &Path) -> Pass {
        Pass::of(&self.start(config).wait_with_output().unwrap())
    }

    /// The tip of a branch at the remote.
    pub(crate) fn tip(&self, branch: &Branch) -> String {
        git(&self.remote.repository(), &["rev-parse", &format!("refs/heads/{}", branch.name)])
    }

    /// The commits on a branch that say they revert its bad deployment.
    pub(crate) fn reverts(&self, branch: &Branch) -> Vec<String> {
        let trailer = format!("--grep=^Backout-Reverts: {}$", branch.bad);
        let reference = format!("refs/heads/{}", branch.name);
        let found = git(&self.remote.repository(), &["log", "--format=%H", &trailer, &reference]);
        found.lines().map(str::to_owned).collect()
    }

    /// The deployed file at the tip of a branch, to the byte.
    pub(crate) fn deployed(&self, branch: &Branch) -> String {
        let place = format!("refs/heads/{}:{PATH}", branch.name);
        let output = try_git(&self.remote.repository(), &["cat-file", "blob", &place]);
        assert!(output.status.success(), "{place} cannot be read");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The lines of the note on a commit.
    pub(crate) fn note(&self, commit: &str) -> Vec<String> {
        note_on(&self.remote.repository(), commit).lines().map(str::to_owned).collect()
    }

    /// The verdicts in the note on the bad deployment, each with the revert that it names.
    pub(crate) fn verdicts(&self, branch: &Branch) -> Vec<Option<String>> {
        let note = self.note(&branch.bad).join("\n");
        let verdict = |record: &backout::record::Record| match record {
            backout::record::Record::Verdict(record) => Some(record.revert.map(|id| id.to_string())),
            backout::record::Record::Recovery(_)
            | backout::record::Record::Review(_)
            | backout::record::Record::Pin(_)
            | backout::record::Record::Seen(_) => None,
        };
        backout::record::read(&note).iter().filter_map(verdict).collect()
    }

    /// Every ref at the remote, with where it is.
    pub(crate) fn refs(&self) -> String {
        git(&self.remote.repository(), &["for-each-ref"])
    }

    /// Fails when an object is missing at the remote. A server may still be at work for an agent that is dead, and
    /// what it adds while `git fsck` looks is not in its list of objects: then it has to look again.
    pub(crate) fn assert_whole(&self) {
        let is_whole = eventually(|| {
            let arguments = ["fsck", "--connectivity-only", "--no-dangling"];
            let (before, fsck) = (self.refs(), try_git(&self.remote.repository(), &arguments));
            let stderr = String::from_utf8_lossy(&fsck.stderr);
            assert!(fsck.status.success() || self.refs() != before, "the remote is not whole: {stderr}");
            fsck.status.success()
        });
        assert!(is_whole, "the remote does not come to rest");
    }

    /// Every move of a ref, oldest first, as the remote has written it down: from where, and to where.
    pub(crate) fn moves(&self, reference: &str) -> Vec<(String, String)> {
        let log = std::fs::read_to_string(self.remote.repository().join("logs").join(reference)).unwrap();
        let ids = |line: &str| Some((line.get(..40)?.to_owned(), line.get(41..81)?.to_owned()));
        log.lines().map(|line| ids(line).expect("a line of a reflog begins with two ids")).collect()
    }

    /// Fails unless a ref only ever went forward, and all moves that its log has were made, except as many as agents
    /// were killed in the remote itself.
    ///
    /// Whoever moves a ref takes its lock, writes a line into its log, and moves it. So where a line begins is where the
    /// ref really was, and one who is killed in between leaves a line about a move that was not made.
    pub(crate) fn assert_only_forward(&self, reference: &str, killed: usize) {
        let mut not_made = Vec::new();
        // A server may still be at work for an agent that is dead: then its move is made in a moment.
        let all_made = eventually(|| {
            not_made = self.moves_not_made(reference);
            not_made.len() <= killed
        });
        assert!(all_made, "{reference} was moved back unseen, or not moved: {not_made:?}");
    }

    /// The moves after which a ref was not where its log says; fails when it went back.
    fn moves_not_made(&self, reference: &str) -> Vec<(String, String)> {
        let mut moves = self.moves(reference);
        let tip = git(&self.remote.repository(), &["rev-parse", reference]);
        let found: Vec<String> = moves.iter().skip(1).map(|(old, _)| old.clone()).chain([tip]).collect();
        let mut found = found.iter();
        moves.retain(|(old, new)| {
            let then = found.next().unwrap();
            assert!(self.is_forward(old, new), "{reference} was to move from {old} to {new}");
            assert!(self.is_forward(old, then), "{reference} was moved back from {old} to {then}");
            !self.is_forward(new, then)
        });
        moves
    }

    fn is_forward(&self, old: &str, new: &str) -> bool {
        let ancestor = ["merge-base", "--is-ancestor", old, new];
        old == new
            || old.bytes().all(|digit| digit == b'0')
            || try_git(&self.remote.repository(), &ancestor).status.success()
    }
}

/// What a pass of the program said.
pub(crate) struct Pass {
    /// Its exit code.
    pub(crate) code: i32,
    /// The commits that it says it pushed.
    pub(crate) pushed: Vec<String>,
    /// How many of its pushes were rejected.
    pub(crate) rejected: usize,
}

impl Pass {
    /// Reads the report of a pass, which must have ended without a problem.
    pub(crate) fn of(output: &Output) -> Self {
        let (stdout, stderr) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let code = output.status.code();
        assert!(matches!(code, Some(0 | 3)), "a pass ended with {code:?}\n{stdout}\n{stderr}");
        let report: serde_json::Value = serde_json::from_str(&stdout).unwrap();
        let items = report["environments"].as_array().unwrap().iter();
        let items = items.flat_map(|environment| environment["items"].as_array().unwrap());
        let pushed = items.filter(|item| item["outcome"] == "pushed");
        let pushed = pushed.map(|item| item["revert"].as_str().unwrap().to_owned()).collect();
        let rejected = stderr.lines().filter(|line| line.contains("push rejected")).count();
        Self { code: code.unwrap_or(-1), pushed, rejected }
    }
}
