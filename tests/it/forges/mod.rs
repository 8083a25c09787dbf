//! Every forge behind the port does the same: one suite for all of them, each against a simulated server that speaks its
//! API over a real bare repository.

mod conformance;
mod emulator;
mod gitea;
mod github;
mod gitlab;
mod settings;

use std::collections::BTreeMap;
use std::sync::Arc;

use backout::adapters::forge::{ForgeAuth, ForgeKind, ForgeOptions, connect};
use backout::adapters::http::HttpOptions;
use backout::domain::ids::{BranchName, CommitId};
use backout::domain::review::{NewReview, Review};
use backout::domain::time::Time;
use backout::ports::Forge;
use secrecy::SecretString;

use crate::support::forge::{Asked, Face, Fate, REPOSITORY, Reply, SimForge, TOKEN};
use crate::support::git::{WorkTree, bare, git, log_moves};

/// A forge of one kind over a repository with a branch `main`, and the adapter for it.
struct Place {
    sim: SimForge,
    forge: Arc<dyn Forge>,
    people: WorkTree,
    repository: std::path::PathBuf,
    _directory: tempfile::TempDir,
}

impl Place {
    fn new(face: Face) -> Self {
        Self::with(face, |_| {})
    }

    fn with(face: Face, change: impl FnOnce(&mut ForgeOptions)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let repository = bare(directory.path(), "env.git");
        log_moves(&repository);
        let mut people = WorkTree::new();
        people.write("app.yaml", "tag: v2\n");
        people.write("other.yaml", "tag: v1\n");
        people.commit("Set up");
        people.push(&repository);
        let sim = SimForge::start(face, &repository);
        let kind = match face {
            Face::GitHub => ForgeKind::GitHub,
            Face::GitLab => ForgeKind::GitLab,
            Face::Gitea => ForgeKind::Gitea,
        };
        let mut options = ForgeOptions {
            kind,
            api: sim.url().parse().unwrap(),
            repository: REPOSITORY.to_owned(),
            auth: ForgeAuth::Token(SecretString::from(TOKEN)),
            labels: Vec::new(),
            reviewers: Vec::new(),
            code_owners: true,
            assignees: Vec::new(),
            signed: false,
            http: HttpOptions::default(),
        };
        change(&mut options);
        let forge = connect(options).unwrap().forge;
        Self { sim, forge, people, repository, _directory: directory }
    }

    /// Pushes a branch with one commit on `main` that sets the tag, and says what would be proposed from it.
    fn proposal(&mut self, name: &str, tag: &str) -> NewReview {
        self.people.git(&["pull", "-q", "--ff-only", self.repository.to_str().unwrap(), "main"]);
        self.people.git(&["checkout", "-q", "-B", "work", "main"]);
        self.people.write("app.yaml", &format!("tag: {tag}\n"));
        self.people.commit(&message(tag));
        self.people.push_as(&self.repository, &format!("HEAD:{name}"));
        self.people.git(&["checkout", "-q", "main"]);
        NewReview {
            branch: BranchName::new(name).unwrap(),
            base: main(),
            title: format!("Revert app in production: v2 → {tag}"),
            body: "<!-- backout-id: 1 -->\n\nWhat happened, with `code` | and more.\n".to_owned(),
            owners: Vec::new(),
        }
    }

    /// Changes the file on `main`, as somebody else would.
    fn main_moves(&mut self, path: &str, text: &str) {
        self.people.git(&["pull", "-q", "--ff-only", self.repository.to_str().unwrap(), "main"]);
        self.people.write(path, text);
        self.people.commit("Something else");
        self.people.push(&self.repository);
    }

    async fn open(&mut self, name: &str, tag: &str) -> Review {
        let new = self.proposal(name, tag);
        self.forge.open(&new).await.unwrap()
    }

    async fn look(&self, review: &Review) -> Review {
        let branch = self.branch_of(review);
        self.forge.review(&BranchName::new(branch).unwrap(), &main()).await.unwrap().unwrap()
    }

    fn branch_of(&self, review: &Review) -> String {
        self.sim.state().pull(review.number).unwrap().branch.clone()
    }

    fn tip(&self, branch: &str) -> CommitId {
        git(&self.repository, &["rev-parse", branch]).parse().unwrap()
    }

    /// What was asked so far, by what it was.
    fn counts(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for asked in self.sim.log() {
            *counts.entry(asked.method).or_default() += 1;
        }
        counts
    }
}

/// The moves of `main` that a log tells, of which this is the first page: the commits and the times.
async fn moves_told(place: &Place, log: serde_json::Value) -> Vec<(String, String)> {
    place.sim.fates(move |_, asked| match asked.query.get("page").map(String::as_str) {
        None | Some("1") => Fate::Instead(Reply::json(200, log.clone())),
        Some(_) => Fate::Instead(Reply::json(200, serde_json::json!([]))),
    });
    let moves = place.forge.moves(&main(), Time::from_unix(0)).await.unwrap();
    moves.iter().map(|one| (one.after.to_string(), one.at.to_string())).collect()
}

/// The first list of comments that is asked for is empty, as it was before another agent wrote one.
fn no_comments_at_first() -> impl FnMut(usize, &Asked) -> Fate + Send {
    let mut is_first = true;
    move |_, asked| {
        let is_list = !asked.writes() && matches!(asked.path.last().unwrap().as_str(), "comments" | "notes");
        match is_list && std::mem::take(&mut is_first) {
            true => Fate::Instead(Reply::json(200, serde_json::json!([]))),
            false => Fate::Go,
        }
    }
}

fn main() -> BranchName {
    BranchName::new("main").unwrap()
}

/// The message of a revert, as far as it matters.
fn message(tag: &str) -> String {
    format!(
        "Revert app in production: v2 → {tag}\n\nIt made things worse.\n\nBackout-Id: 1\nBackout-Service: app\n"
    )
}
