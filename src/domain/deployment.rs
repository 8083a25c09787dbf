//! Deployments: first-parent commits that changed release fields of a service.

mod ahead;
pub mod artifacts;
mod beyond;
mod bound;
mod by_hand;
mod compared;
mod entry_files;
mod field_change;
pub mod lineage;
pub mod precedent;
mod reverts;
mod schema_evidence;
mod services;
pub mod trust;

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use self::beyond::{grown_file, too_many_bytes, too_many_fields};
pub use self::by_hand::MODE;
use self::compared::all_changes_of;
pub use self::compared::{Changes, Documents, Memo, changes_of};
pub use self::field_change::FieldChange;
use self::reverts::{Named, ServiceChange, Truth, truth};
use self::schema_evidence::{migrations_by_name, migrations_by_path, schema_changes};
use self::services::{OfService, services_of};
use crate::domain::environment::name_template::NameTemplate;
use crate::domain::environment::{Environment, ServiceMatch};
use crate::domain::field;
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::{Claim, RevertEntry, claims_of, rollback_id, says_revert};
use crate::domain::history::snapshot::{Commit, FileDiff, FileVersion, Person, Snapshot};
use crate::domain::history::trailers::trailer_value;
use crate::domain::ids::{CommitId, EnvironmentName, FilePath, GroupName, ServiceName};
use crate::domain::schema::change::SchemaChange;
use crate::domain::schema::{self, Migration};
use crate::domain::time::Time;

/// A first-parent commit of the environment branch that changed release fields of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The id of its rollback; see [`rollback_id`].
    pub id: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The group that the service is in.
    pub group: Option<GroupName>,
    /// The place of the service's rule in [`Environment::services`].
    pub rule: usize,
    /// Labels of the service, for signal queries.
    pub labels: BTreeMap<String, String>,
    /// The commit.
    pub commit: CommitId,
    /// Its first parent: the state to go back to.
    pub parent: CommitId,
    /// When it came to be on the branch: that of `landing`.
    pub at: Time,
    /// When it came to be on the branch, and how that is known.
    pub landing: Landing,
    /// Who made it.
    pub author: Person,
    /// The commit's subject; untrusted text.
    pub subject: String,
    /// The release fields it changed; at least one, unless it is `beyond` what is compared.
    pub fields: Vec<FieldChange>,
    /// What else the commit changed in the service's files, by address; stays behind when it is reverted.
    pub left_behind: Vec<String>,
    /// The service's files that the commit changed, before and after.
    pub files: Vec<FileDiff>,
    /// Why it goes back as one piece or not at all, if it does: half of it would be a state that cannot work or that nobody tried.
    pub bound: Option<String>,
    /// The changes of a database schema that it is, and of what keeps data; the worst first.
    pub schema: Vec<SchemaChange>,
    /// The files of the commit that hold migrations.
    pub migrations: Vec<Migration>,
    /// Why nothing is known of what it changed, where that is more than is compared: it is left to a person. Then `fields` and
    /// `files` are empty, and `service` is the first of those that it may have changed.
    pub beyond: Option<String>,
    /// What it is among the changes of its service.
    pub kind: ChangeKind,
    /// The deployment after it that changed all of its fields again.
    pub superseded_by: Option<CommitId>,
}

/// What a change of release fields is among the changes of its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// It brings something new, as far as is known: whether it goes back shows only beside earlier changes, see
    /// [`lineage::Lineage`].
    Release,
    /// It brings back what this earlier commit had replaced.
    Rollback(CommitId),
    /// It says that it is a revert of the agent that takes this commit back, and nobody can say whether that is true: the history
    /// that is here does not go back to the commit.
    Unproven(CommitId),
    /// The agent's own revert, itself or merged.
    OwnRevert,
}

impl Deployment {
    /// Says that the deployment changed a schema, or the version of what keeps data. The words follow on a subject: "it".
    #[must_use]
    pub fn schema_words(&self) -> Option<String> {
        schema::change::words(&self.schema)
    }

    /// A template with the service, the environment and the labels filled in. None where it is no template, or names what is not there.
    #[must_use]
    pub fn fill(&self, template: &str) -> Option<String> {
        NameTemplate::new(template).ok()?.fill_for(&self.service, &self.environment, &self.labels)
    }

    /// Whether a revert took it back, by itself or with another deployment of the service.
    #[must_use]
    pub fn was_taken_back_by(&self, entry: &RevertEntry) -> bool {
        self.id == entry.id
            || self.service == entry.service
                && self.environment == entry.environment
                && entry.with.contains(&self.commit)
    }

    /// Whether one commit deployed both, and their services are of one group: then they go back together.
    #[must_use]
    pub fn goes_with(&self, other: &Self) -> bool {
        self.group.is_some()
            && (&self.group, self.commit, &self.environment)
                == (&other.group, other.commit, &other.environment)
            && self.service != other.service
    }

    /// Whether it brings back a value that a revert of its service had replaced, at most so many seconds before.
    #[must_use]
    pub fn brings_back(&self, entry: &RevertEntry, within_secs: u32) -> bool {
        entry.service == self.service
            && (0..=i64::from(within_secs)).contains(&self.at.secs_since(entry.at))
            && !entry.bad_values.is_disjoint(&self.trailer_values())
    }

    /// Its new values in the form of the trailers.
    #[must_use]
    pub fn trailer_values(&self) -> BTreeSet<String> {
        self.fields.iter().map(|field| trailer_value(&field.new)).collect()
    }
}

/// The deployments of a commit, and the agent's own reverts in it.
pub type OfCommit = (Vec<Deployment>, Vec<RevertEntry>);

/// Finds deployments in a history that is read commit by commit, newest first.
#[derive(Debug)]
pub struct Detector<'e> {
    environment: &'e Environment,
    changed_again: BTreeMap<(FilePath, String), CommitId>,
    documents: Documents,
}

impl<'e> Detector<'e> {
    /// For the deployments of this environment.
    #[must_use]
    pub fn new(environment: &'e Environment) -> Self {
        Self::with(environment, Documents::default())
    }

    /// The same with what was compared before.
    #[must_use]
    pub fn with(environment: &'e Environment, documents: Documents) -> Self {
        Self { environment, changed_again: BTreeMap::new(), documents }
    }

    /// The deployments in a snapshot, newest first.
    pub fn all(&mut self, snapshot: &Snapshot) -> Vec<Deployment> {
        self.all_with_reverts(snapshot).0
    }

    /// The deployments and the agent's own reverts in a snapshot, newest first.
    pub fn all_with_reverts(&mut self, snapshot: &Snapshot) -> (Vec<Deployment>, Vec<RevertEntry>) {
        let (mut deployments, mut reverts) = (Vec::new(), Vec::new());
        self.walk(in_turn(&snapshot.commits), |_, _, (of_commit, own)| {
            deployments.extend(of_commit.into_iter().filter(|one| one.kind != ChangeKind::OwnRevert));
            reverts.extend(own);
            ControlFlow::Continue(())
        });
        (deployments, reverts)
    }

    /// The agent's own reverts alone. A merge that brought one in counts as one. The detector must be a new one.
    pub fn reverts(&mut self, snapshot: &Snapshot) -> Vec<RevertEntry> {
        // Most commits changed nothing that is in scope, and their messages are long.
        let is_claiming = |commit: &&Commit| !commit.files.is_empty() && says_revert(commit);
        let claiming = snapshot.commits.iter().filter(is_claiming);
        claiming.flat_map(|commit| self.next_with_reverts(commit).1).collect()
    }

    /// Whether nobody waits for what is found any more. What was found since is not all that there is.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.documents.is_over()
    }

    /// Shows each commit that `history` brings, newest first, with its deployments and reverts, as [`Self::next_with_reverts`] finds them.
    /// What the commits changed is compared ahead, on every processor.
    pub fn walk<C: Borrow<Commit> + Send, T>(
        &mut self,
        history: impl FnOnce(&mut dyn FnMut(C) -> ControlFlow<()>) -> T,
        mut visit: impl FnMut(&mut Self, &Commit, OfCommit) -> ControlFlow<()>,
    ) -> T {
        let (environment, documents) = (self.environment, self.documents.clone());
        let compare = |commit: &C| deployments_of(commit.borrow(), environment, &documents);
        let bytes = |commit: &C| commit.borrow().files.iter().map(FileDiff::bytes).sum();
        ahead::in_order(history, compare, bytes, |commit, changed| {
            let found = self.follow(commit.borrow(), changed);
            visit(self, commit.borrow(), found)
        })
    }

    /// The deployments and the agent's own reverts that the next older commit is, and what the latter say of themselves.
    pub fn next_with_reverts(&mut self, commit: &Commit) -> OfCommit {
        let changed = deployments_of(commit, self.environment, &self.documents);
        self.follow(commit, changed)
    }

    /// What the changes of the next older commit are beside those of the commits after it.
    fn follow(&mut self, commit: &Commit, mut of_commit: Vec<Deployment>) -> OfCommit {
        for deployment in &mut of_commit {
            deployment.superseded_by = superseded(deployment, &self.changed_again);
        }
        for deployment in &of_commit {
            for field in deployment.fields.iter().filter(|field| field.addressed) {
                let file = deployment.files.iter().find(|file| file.path == field.path);
                for path in std::iter::once(&field.path).chain(file.and_then(|file| file.was.as_ref())) {
                    self.changed_again.insert((path.clone(), field.address.clone()), commit.id);
                }
            }
        }
        let reverts = self.mark_reverts(commit, &mut of_commit);
        (of_commit, reverts)
    }

    /// Finds the reverts that a commit is or brought in among what it changed (`changed`: the deployments that it would be without
    /// its trailers), and marks these: a revert must not be reverted, which would put the bad version out again. Reverts of other
    /// environments, which a promotion brings along, are none here.
    fn mark_reverts(&mut self, commit: &Commit, changed: &mut [Deployment]) -> Vec<RevertEntry> {
        let mut reverts = Vec::new();
        if changed.is_empty() {
            return reverts;
        }
        let claims: Vec<Claim> = claims_of(commit).collect();
        let is_only_one = changed.len() == 1 && claims.iter().filter(|claim| claim.is_itself).count() == 1;
        for claim in claims {
            let mut counting = None;
            for one in changed.iter_mut() {
                let Some(named) = self.named(commit, &claim, (&one.service, is_only_one)) else { continue };
                let own = ServiceChange { files: one.files.clone(), fields: one.fields.clone() };
                let selection = self.environment.services.get(one.rule).map(|rule| &rule.policy.fields);
                let compare = |file: &FileDiff| {
                    let all = selection.map(|selection| {
                        changes_of(std::slice::from_ref(file), selection, &self.documents).0
                    });
                    all.unwrap_or_default()
                };
                one.kind = match (truth(&claim, &own, &named, compare), one.kind) {
                    (Truth::Yes(entry), _) => {
                        counting = Some(entry);
                        ChangeKind::OwnRevert
                    }
                    (_, ChangeKind::OwnRevert) => ChangeKind::OwnRevert,
                    (Truth::InPart, _) => ChangeKind::Rollback(claim.entry.reverts),
                    (Truth::Open, ChangeKind::Release) => ChangeKind::Unproven(claim.entry.reverts),
                    (Truth::Open | Truth::No, kind) => kind,
                };
            }
            reverts.extend(counting);
        }
        reverts
    }

    /// What the deployments that a claim names changed of a service; none where the claim is not about that service. The agent names
    /// each service that it takes back with a commit. So a commit that names one is that for the only service that it changed, also
    /// where the rules have another name for it since, and none by the name that it says.
    fn named(
        &mut self,
        commit: &Commit,
        claim: &Claim,
        (service, is_only_one): (&ServiceName, bool),
    ) -> Option<Named> {
        let entry = &claim.entry;
        let of = |id| commit.taken_back.iter().find(|one| one.commit == id);
        let bad = of(entry.reverts).map(|one| one.files.as_deref());
        let deployed = |files: &[FileDiff], service: &ServiceName| {
            let (mut services, _) = services_of(files, self.environment, &self.documents);
            let OfService { found, files, .. } = services.remove(service)?;
            let (fields, _) = changes_of(&files, &found.rule.policy.fields, &self.documents);
            Some(ServiceChange { files, fields })
        };
        if entry.environment != self.environment.name {
            return None;
        }
        if entry.service != *service {
            let is_known = bad.flatten().is_some_and(|files| deployed(files, &entry.service).is_some());
            if !claim.is_itself || !is_only_one || is_known {
                return None;
            }
        }
        Some(match bad {
            None => Named::Nowhere,
            Some(None) => Named::Unknown,
            Some(Some(files)) => match deployed(files, service) {
                // Its files may have been moved since.
                None => Named::Unknown,
                Some(bad) => {
                    let others = entry.with.iter().filter_map(|id| of(*id)?.files.as_deref());
                    let others = others.filter_map(|files| deployed(files, service));
                    Named::Known(std::iter::once(bad).chain(others).collect())
                }
            },
        })
    }

    /// The places that the next older commit changed in the files of a service, where that is no deployment of it.
    pub fn edited(&mut self, commit: &Commit, service: &ServiceName) -> BTreeSet<String> {
        let (mut services, _) = services_of(&commit.files, self.environment, &self.documents);
        let Some(OfService { found, files, .. }) = services.remove(service) else { return BTreeSet::new() };
        let (fields, addresses) = changes_of(&files, &found.rule.policy.fields, &self.documents);
        if fields.is_empty() { addresses.into_iter().collect() } else { BTreeSet::new() }
    }

    /// The changes of a database schema that the next older commit brought for a service, where that is no deployment of it.
    #[must_use]
    pub fn migrated(&self, commit: &Commit, service: &ServiceName) -> Vec<SchemaChange> {
        schema_evidence::beside(commit, self.environment, service)
    }
}

/// Commits that are at hand, for [`Detector::walk`].
pub fn in_turn<'c>(commits: &'c [Commit]) -> impl FnOnce(&mut dyn FnMut(&'c Commit) -> ControlFlow<()>) {
    move |next| {
        for commit in commits {
            if next(commit).is_break() {
                return;
            }
        }
    }
}

fn superseded(
    deployment: &Deployment,
    changed_again: &BTreeMap<(FilePath, String), CommitId>,
) -> Option<CommitId> {
    // A line's number is no name: whether it was replaced is seen when the revert is worked out.
    let later = |field: &FieldChange| {
        changed_again.get(&(field.path.clone(), field.address.clone())).copied().filter(|_| field.addressed)
    };
    let all: Option<Vec<CommitId>> = deployment.fields.iter().map(later).collect();
    all?.first().copied()
}

/// The deployments that one commit is, one for each service, by the service's name. Commits without a parent are none:
/// there is nothing to go back to.
#[must_use]
pub fn deployments_of(commit: &Commit, environment: &Environment, documents: &Documents) -> Vec<Deployment> {
    let Some(parent) = commit.parent else { return Vec::new() };
    let build = |service: ServiceMatch<'_>, beyond: Option<String>| Deployment {
        id: rollback_id(&environment.name, &service.name, commit.id),
        environment: environment.name.clone(),
        service: service.name.clone(),
        group: service.group.clone(),
        rule: service.rule_index,
        labels: service.labels,
        commit: commit.id,
        parent,
        at: commit.at,
        landing: commit.landing,
        author: commit.author.clone(),
        subject: commit.subject().to_owned(),
        schema: Vec::new(),
        migrations: Vec::new(),
        beyond,
        kind: ChangeKind::Release,
        fields: Vec::new(),
        left_behind: Vec::new(),
        files: Vec::new(),
        bound: None,
        superseded_by: None,
    };
    if let Some((service, why)) = too_many_bytes(commit, environment) {
        return vec![build(service, Some(why))];
    }
    let (services, beyond) = services_of(&commit.files, environment, documents);
    let mut found: BTreeMap<ServiceName, Deployment> = BTreeMap::new();
    let mut of_rule: BTreeMap<usize, Vec<Migration>> = BTreeMap::new();
    for (service, why) in beyond {
        found.insert(service.name.clone(), build(service, Some(why)));
    }
    for OfService { found: service, files, shared } in services.into_values() {
        let policy = &service.rule.policy;
        let mut changes = all_changes_of(&files, &policy.fields, documents);
        let why = match changes.fields.is_empty() {
            true => grown_file(&files),
            false => too_many_fields(&changes.fields),
        };
        let name = service.name.clone();
        if why.is_some() {
            found.insert(name, build(service, why));
            continue;
        }
        let is_deployed = !changes.fields.is_empty();
        let bound = is_deployed.then(|| bound::bound(&files, &changes)).flatten();
        // Where nothing goes back by machine a person has to know what it was; and where bytes are not all of a file, nothing does.
        if changes.fields.is_empty() {
            changes.fields = std::mem::take(&mut changes.by_hand);
        } else if files.iter().any(by_hand::is_more_than_bytes) {
            let by_hand = std::mem::take(&mut changes.by_hand);
            changes.fields.extend(by_hand);
        }
        if !changes.fields.is_empty() || shared.has_release {
            changes.fields.extend(shared.fields);
        }
        if !changes.fields.is_empty() {
            // The services of a rule share them: a long file of SQL is read once.
            let mut migrations = of_rule
                .entry(service.rule_index)
                .or_insert_with(|| migrations_by_path(commit, &policy.schema))
                .clone();
            migrations.extend(migrations_by_name(&files, &policy.schema));
            let schema = schema_changes(commit, (&files, &changes, &migrations), &policy.schema, documents);
            let Changes { fields, left_behind, .. } = changes;
            let known = build(service, None);
            found.insert(name, Deployment { schema, migrations, fields, left_behind, files, bound, ..known });
        }
    }
    found.into_values().collect()
}

/// The first of a commit's files whose bytes were read and are no text: nothing is known of its fields.
#[must_use]
pub fn not_text(commit: &Commit) -> Option<&FilePath> {
    let is_text = |version: &Option<FileVersion>| {
        let bytes = version.as_ref().and_then(|version| version.bytes.as_deref());
        bytes.is_none_or(field::Document::is_text)
    };
    commit.files.iter().find(|file| !is_text(&file.old) || !is_text(&file.new)).map(|file| &file.path)
}

#[cfg(test)]
mod tests;
