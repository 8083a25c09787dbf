//! The throwaway environment repo, written through the project's own Git adapter.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context as _;

use super::cluster::Cluster;
use super::event::What;
use super::scene::{Act, Author, FIRST_AUTHOR, FIRST_COMMIT_SECS_BEFORE, SERVICES, START, Service, service};
use crate::adapters::git::{GitOptions, GitRepository, init_bare};
use crate::domain::history::snapshot::Person;
use crate::domain::ids::{BranchName, CommitId, FilePath};
use crate::domain::time::Time;
use crate::ports::{CommitRequest, Repository};

/// The repo as a person or a bot writes to it, and the cluster as it follows it.
#[derive(Clone)]
pub(super) struct Repo {
    options: GitOptions,
    branch: BranchName,
    repository: Arc<dyn Repository>,
    pub(super) cluster: Arc<Cluster>,
}

/// A commit, and the text of the file before it.
#[derive(Clone, Debug)]
pub(super) struct Changed {
    pub(super) before: String,
    pub(super) commit: CommitId,
}

fn person(Author(name, email): Author) -> Person {
    Person { name: name.to_owned(), email: email.to_owned() }
}

/// What is committed beside the release: a path and a text.
pub(super) type Extra = Option<(&'static str, &'static str)>;

impl Repo {
    /// Makes the repo with its first commit.
    pub(super) fn create(
        options: GitOptions,
        branch: BranchName,
        cluster: Arc<Cluster>,
    ) -> anyhow::Result<Self> {
        let author = person(FIRST_AUTHOR);
        let first = GitOptions { author: author.clone(), committer: author, ..options.clone() };
        let mut files = BTreeMap::new();
        for service in &SERVICES {
            files.insert(FilePath::new(service.path)?, service.first_text().into_bytes());
        }
        let at = START.minus_secs(FIRST_COMMIT_SECS_BEFORE);
        init_bare(&first, &branch, &files, "Set up production\n", at)?;
        let repository = Arc::new(GitRepository::open(options.clone(), tokio::runtime::Handle::current())?);
        let repo = Self { options, branch, repository, cluster };
        repo.sync(at)?;
        Ok(repo)
    }

    /// The tip of the branch.
    pub(super) fn tip(&self) -> anyhow::Result<CommitId> {
        self.repository.remote_tip(&self.branch)?.context("the branch is gone")
    }

    /// The text of a service's file in a commit.
    pub(super) fn text(&self, service: &Service, commit: CommitId) -> anyhow::Result<String> {
        let bytes = self.repository.read_file(commit, &FilePath::new(service.path)?)?;
        Ok(String::from_utf8(bytes.with_context(|| format!("{} is gone", service.path))?)?)
    }

    /// Every note, as text.
    pub(super) fn notes(&self) -> anyhow::Result<BTreeMap<CommitId, String>> {
        Ok(self.repository.all_notes()?)
    }

    /// Commits a change of a service's file, made by `change` from its text at the tip.
    pub(super) fn commit(
        &self,
        service: &Service,
        change: impl Fn(&str) -> Option<String>,
        extra: Extra,
        by: Author,
        subject: &str,
        at: Time,
    ) -> anyhow::Result<Changed> {
        let tip = self.tip()?;
        let before = self.text(service, tip)?;
        let after = change(&before).with_context(|| format!("{} has another form", service.path))?;
        let mut files = BTreeMap::from([(FilePath::new(service.path)?, Some(after.into_bytes().into()))]);
        if let Some((path, text)) = extra {
            files.insert(FilePath::new(path)?, Some(text.as_bytes().to_vec().into()));
        }
        let author = person(by);
        let options = GitOptions { author: author.clone(), committer: author, ..self.options.clone() };
        let writer = GitRepository::open(options, tokio::runtime::Handle::current())?;
        let commit = writer.commit_and_push(&CommitRequest {
            branch: &self.branch,
            expected: Some(tip),
            parent: tip,
            onto: None,
            files: &files,
            message: subject,
            at,
        })?;
        self.sync(at)?;
        Ok(Changed { before, commit })
    }

    /// Lets the cluster see what the branch says, as a GitOps controller would.
    pub(super) fn sync(&self, at: Time) -> anyhow::Result<()> {
        let tip = self.tip()?;
        for service in &SERVICES {
            let text = self.text(service, tip)?;
            let version =
                service.version_in(&text).with_context(|| format!("{} has another form", service.path))?;
            self.cluster.follow(service, version, at);
        }
        Ok(())
    }
}

/// Makes something of the story true.
pub(super) fn happen(repo: &Repo, act: Act, at: Time) -> anyhow::Result<What> {
    let find = |name| service(name).with_context(|| format!("there is no service {name}"));
    match act {
        Act::Aside(text) => Ok(What::Aside { text: text.to_owned() }),
        Act::Deploy { service, to, by, with } => {
            let service = find(service)?;
            let subject = format!("{}: deploy {to}\n", service.name);
            let change = |text: &str| service.with_version(text, to);
            let changed = repo.commit(service, change, with, by, &subject, at)?;
            let also = if with.is_some() { " + migration" } else { "" };
            Ok(What::Deployed {
                service: service.name.to_owned(),
                from: service.version_in(&changed.before).unwrap_or_default().to_owned(),
                to: to.to_owned(),
                files: format!("{}{also}", service.kind),
                by: by.0.to_owned(),
                commit: changed.commit,
            })
        }
        Act::Edit { service, from, to, by, subject } => {
            let service = find(service)?;
            let change = |text: &str| text.contains(from).then(|| text.replacen(from, to, 1));
            let changed = repo.commit(service, change, None, by, &format!("{subject}\n"), at)?;
            Ok(What::Edited {
                service: service.name.to_owned(),
                subject: subject.to_owned(),
                by: by.0.to_owned(),
                commit: changed.commit,
            })
        }
    }
}
