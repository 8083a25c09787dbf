//! Deployments: first-parent commits that changed release fields of a service.

pub mod lineage;
pub mod reverts;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::domain::environment::policy::SchemaRules;
use crate::domain::environment::{Environment, ServiceMatch};
use crate::domain::field::entries::{EntryChange, EntryPattern, changed_entries};
use crate::domain::field::{self, Comparison, Document, FieldRule, File, Selection};
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::{Claim, RevertEntry, claims_of, rollback_id};
use crate::domain::history::moves::successor;
use crate::domain::history::snapshot::{Commit, FileDiff, FileVersion, Person, Snapshot};
use crate::domain::history::trailers::{trailer_lines, trailer_value};
use crate::domain::ids::{BlobId, CommitId, EnvironmentName, FilePath, ServiceName};
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
    /// The release fields it changed; at least one.
    pub fields: Vec<FieldChange>,
    /// What else the commit changed in the service's files, by address; stays behind when it is reverted.
    pub left_behind: Vec<String>,
    /// The service's files that the commit changed, before and after.
    pub files: Vec<FileDiff>,
    /// Why it counts as a change of a database schema, if it does.
    pub schema: Option<String>,
    /// The files of the commit that hold migrations by their paths, in path order.
    pub migrations: Vec<FilePath>,
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
    /// The agent's own revert, itself or merged.
    OwnRevert,
}

/// A release field with its value before and after, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldChange {
    /// The file.
    pub path: FilePath,
    /// Where it is in the file.
    pub address: String,
    /// Why it counts as a release field.
    pub rule: FieldRule,
    /// Its source text before.
    pub old: String,
    /// Its source text after.
    pub new: String,
    /// Whether the address finds it again in any version of the file.
    pub addressed: bool,
    /// Whether it is the version of a database or of the cluster itself, which cannot simply go back.
    pub engine: bool,
}

impl FieldChange {
    /// Whether it tells one version from another. What only goes along does not: a repository, a label, a checksum.
    #[must_use]
    pub fn is_version(&self) -> bool {
        !matches!(self.rule, FieldRule::Coupled | FieldRule::Configured) && !self.new.is_empty()
    }
}

impl Deployment {
    /// Whether a revert took it back, by itself or with another deployment of the service.
    #[must_use]
    pub fn was_taken_back_by(&self, entry: &RevertEntry) -> bool {
        self.id == entry.id
            || self.service == entry.service
                && self.environment == entry.environment
                && entry.with.contains(&self.commit)
    }

    /// Its new values in the form of the trailers.
    #[must_use]
    pub fn trailer_values(&self) -> BTreeSet<String> {
        self.fields.iter().map(|field| trailer_value(&field.new)).collect()
    }
}

/// The deployments of an environment, newest first. The agent's own reverts are none, and neither are their merges.
#[must_use]
pub fn detect(snapshot: &Snapshot, environment: &Environment) -> Vec<Deployment> {
    let mut detector = Detector::new(environment);
    snapshot.commits.iter().flat_map(|commit| detector.next(commit)).collect()
}

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
        Self { environment, changed_again: BTreeMap::new(), documents: Documents::default() }
    }

    /// The deployments that the next older commit is. The agent's own reverts are none.
    pub fn next(&mut self, commit: &Commit) -> Vec<Deployment> {
        let (mut of_commit, _) = self.next_with_reverts(commit);
        of_commit.retain(|deployment| deployment.kind != ChangeKind::OwnRevert);
        of_commit
    }

    /// The deployments and the agent's own reverts that the next older commit is, and what the latter say of themselves.
    pub fn next_with_reverts(&mut self, commit: &Commit) -> (Vec<Deployment>, Vec<RevertEntry>) {
        let mut of_commit = deployments_in(commit, self.environment, &mut self.documents);
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
        let reverts = reverts_among(commit, &of_commit);
        let is_only_one = of_commit.len() == 1;
        let own = of_commit.iter_mut().filter(|one| is_own_revert(commit, one, is_only_one));
        own.for_each(|one| one.kind = ChangeKind::OwnRevert);
        (of_commit, reverts)
    }

    /// The places that the next older commit changed in the files of a service, where that is no deployment of it.
    pub fn edited(&mut self, commit: &Commit, service: &ServiceName) -> BTreeSet<String> {
        let mut services = services_of(commit, self.environment, &mut self.documents);
        let Some((found, files)) = services.remove(service) else { return BTreeSet::new() };
        let (fields, addresses) = changes_of(&files, &found.rule.policy.fields, &mut self.documents);
        if fields.is_empty() { addresses.into_iter().collect() } else { BTreeSet::new() }
    }
}

/// The reverts that a commit is or brought in, where these are the deployments that it would be without its trailers.
fn reverts_among(commit: &Commit, changed: &[Deployment]) -> Vec<RevertEntry> {
    let is_only_one = changed.len() == 1;
    let is_true = |claim: &Claim| changed.iter().any(|one| is_revert_of(claim, one, is_only_one));
    claims_of(commit).filter(is_true).map(|claim| claim.entry).collect()
}

/// Whether a commit takes this service back for the agent, itself or through what it merged: taking that back in turn
/// would put the bad version out again. Reverts of other environments, which a promotion brings along, are none here.
fn is_own_revert(commit: &Commit, deployment: &Deployment, is_only_one: bool) -> bool {
    claims_of(commit).any(|claim| is_revert_of(&claim, deployment, is_only_one))
}

/// Whether what a commit changed of a service is what it claims to have taken back. The agent takes back one service with a
/// commit. So its commit is that for the only service that it changed, also where the rules have another name for it since.
fn is_revert_of(claim: &Claim, changed: &Deployment, is_only_one: bool) -> bool {
    let is_named = claim.entry.service == changed.service || claim.is_itself && is_only_one;
    let values = |field: &FieldChange| (trailer_value(&field.old), trailer_value(&field.new));
    claim.entry.environment == changed.environment
        && is_named
        && claim.is_borne_out_by(&changed.fields.iter().map(values).collect::<Vec<_>>())
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
pub fn deployments_of(commit: &Commit, environment: &Environment) -> Vec<Deployment> {
    deployments_in(commit, environment, &mut Documents::default())
}

fn deployments_in(commit: &Commit, environment: &Environment, documents: &mut Documents) -> Vec<Deployment> {
    let Some(parent) = commit.parent else { return Vec::new() };
    let services = services_of(commit, environment, documents);
    let build = |(service, files): (ServiceMatch<'_>, Vec<FileDiff>)| {
        let (fields, left_behind) = changes_of(&files, &service.rule.policy.fields, documents);
        (!fields.is_empty()).then(|| Deployment {
            id: rollback_id(&environment.name, &service.name, commit.id),
            environment: environment.name.clone(),
            service: service.name.clone(),
            rule: service.rule_index,
            labels: service.labels,
            commit: commit.id,
            parent,
            at: commit.at,
            landing: commit.landing,
            author: commit.author.clone(),
            subject: commit.subject().to_owned(),
            schema: schema_flag(commit, &files, &service.rule.policy.schema).or_else(|| engine_flag(&fields)),
            migrations: migrations(commit, &service.rule.policy.schema),
            kind: ChangeKind::Release,
            fields,
            left_behind,
            files,
            superseded_by: None,
        })
    };
    services.into_values().filter_map(build).collect()
}

/// The services of which a commit changed files, or entries of a file, with these files.
fn services_of<'e>(
    commit: &Commit,
    environment: &'e Environment,
    documents: &mut Documents,
) -> BTreeMap<ServiceName, (ServiceMatch<'e>, Vec<FileDiff>)> {
    documents.compared.clear();
    let mut services: BTreeMap<ServiceName, (ServiceMatch<'e>, Vec<FileDiff>)> = BTreeMap::new();
    let mut add = |service: Option<ServiceMatch<'e>>, file: FileDiff| {
        if let Some(service) = service {
            services.entry(service.name.clone()).or_insert_with(|| (service, Vec::new())).1.push(file);
        }
    };
    let mut shared: BTreeMap<usize, Vec<FileDiff>> = BTreeMap::new();
    for file in &commit.files {
        let Some(found) = environment.rule_of(file.path.as_str()) else { continue };
        match found.rule.each {
            None => add(found.service(&[]), file.clone()),
            Some(_) => shared.entry(found.rule_index).or_default().push(file.clone()),
        }
    }
    for mut files in shared.into_values() {
        join_moved(&mut files);
        for file in files {
            let Some(found) = environment.rule_of(file.path.as_str()) else { continue };
            let Some(pattern) = &found.rule.each else { continue };
            for (captured, part) in parts_of(&file, pattern, &found.rule.policy.fields, documents) {
                add(found.service(&captured), part);
            }
        }
    }
    for (_, files) in services.values_mut() {
        join_moved(files);
    }
    services
}

/// What a commit changed in each entry of a file, as if it had changed nothing else in it.
///
/// The file is compared once: what differs is shared out by entry, and remembered. A commit that changes hundreds of entries
/// would else be compared hundreds of times, each time in full length.
fn parts_of(
    file: &FileDiff,
    pattern: &EntryPattern,
    selection: &Selection,
    documents: &mut Documents,
) -> Vec<(Vec<(String, String)>, FileDiff)> {
    let Some((old, new)) = documents.of(file) else { return Vec::new() };
    let changes = changed_entries(pattern, &old, &new);
    let described = File { path: file.path.as_str(), fields: selection };
    let compared = field::compare_entries(&described, (&old, &new), &changes);
    let part = |(entry, compared): (EntryChange, Option<Comparison>)| {
        let bytes: Arc<[u8]> = entry.before?.into();
        let old = FileVersion { blob: BlobId::of_part(&bytes), bytes: Some(bytes) };
        // The file is others' too: it stays where it is.
        let part = FileDiff { was: None, old: Some(old), ..file.clone() };
        if let Some(comparison) = compared {
            documents.remember(&part, selection, comparison);
        }
        Some((entry.captured, part))
    };
    changes.into_iter().zip(compared).filter_map(part).collect()
}

/// Makes one file of a removed one and the added one that took its place.
fn join_moved(files: &mut Vec<FileDiff>) {
    let gone: Vec<FileDiff> = files.iter().filter(|file| file.new.is_none()).cloned().collect();
    for removed in gone {
        let Some(path) = successor(files, &removed).map(|added| added.path.clone()) else { continue };
        for file in files.iter_mut().filter(|file| file.path == path) {
            file.was = Some(removed.path.clone());
            file.old.clone_from(&removed.old);
        }
        files.retain(|file| file.path != removed.path);
    }
}

/// The release fields that changed in these files, and the addresses of what else did.
#[must_use]
pub fn changes_of(
    files: &[FileDiff],
    selection: &Selection,
    documents: &mut Documents,
) -> (Vec<FieldChange>, Vec<String>) {
    let mut fields = Vec::new();
    let mut left_behind = Vec::new();
    for file in files {
        let known = documents.compared(file, selection);
        let compare = |(old, new): (Arc<Document>, Arc<Document>)| {
            field::compare(&File { path: file.path.as_str(), fields: selection }, &old, &new)
        };
        let Some(comparison) = known.or_else(|| documents.of(file).map(compare)) else {
            left_behind.push(file.path.to_string());
            continue;
        };
        let place = |address: &str| format!("{}: {address}", file.path);
        fields.extend(comparison.release_fields().filter_map(|change| {
            Some(FieldChange {
                path: file.path.clone(),
                address: change.address.clone(),
                rule: change.rule?,
                old: change.old_text.clone(),
                new: change.new_text.clone(),
                addressed: change.addressed,
                engine: field::rules::is_engine_version(change.key()),
            })
        }));
        left_behind.extend(comparison.left_behind().map(place));
    }
    (fields, left_behind)
}

/// The first of a commit's files whose bytes were read and are not UTF-8 text: nothing is known of its fields.
#[must_use]
pub fn not_text(commit: &Commit) -> Option<&FilePath> {
    let is_text = |version: &Option<FileVersion>| {
        let bytes = version.as_ref().and_then(|version| version.bytes.as_deref());
        bytes.is_none_or(|bytes| std::str::from_utf8(bytes).is_ok())
    };
    commit.files.iter().find(|file| !is_text(&file.old) || !is_text(&file.new)).map(|file| &file.path)
}

/// The files that were read, kept while they may be needed again: what a commit found is what the one before it left.
#[derive(Debug, Default)]
pub struct Documents {
    kept: HashMap<BlobId, Arc<Document>>,
    bytes: usize,
    /// What is known already of parts of the files of the commit that is looked at, by the part before it.
    compared: HashMap<BlobId, Compared>,
}

/// What differs between a part of a file before a commit and the file after it.
#[derive(Debug)]
struct Compared {
    part: FileDiff,
    selection: Selection,
    comparison: Comparison,
}

/// How many bytes of files are kept. What was read from them takes some times as much.
const KEPT_BYTES: usize = 1 << 20;

impl Documents {
    /// Both versions of a file, where it has both and they are text.
    fn of(&mut self, file: &FileDiff) -> Option<(Arc<Document>, Arc<Document>)> {
        Some((self.get(file.old.as_ref()?)?, self.get(file.new.as_ref()?)?))
    }

    fn remember(&mut self, part: &FileDiff, selection: &Selection, comparison: Comparison) {
        if let Some(old) = &part.old {
            let (part, selection) = (part.clone(), selection.clone());
            self.compared.insert(old.blob, Compared { part, selection, comparison });
        }
    }

    /// What is known already of a part of a file.
    fn compared(&self, part: &FileDiff, selection: &Selection) -> Option<Comparison> {
        let known = self.compared.get(&part.old.as_ref()?.blob)?;
        (known.part == *part && known.selection == *selection).then(|| known.comparison.clone())
    }

    fn get(&mut self, version: &FileVersion) -> Option<Arc<Document>> {
        let bytes = version.bytes.as_ref()?;
        if let Some(known) = self.kept.get(&version.blob).filter(|known| known.bytes() == bytes) {
            return Some(Arc::clone(known));
        }
        let read = Arc::new(Document::new(Arc::clone(bytes))?);
        if self.bytes + bytes.len() > KEPT_BYTES {
            self.kept.clear();
            self.bytes = 0;
        }
        self.bytes += bytes.len();
        self.kept.insert(version.blob, Arc::clone(&read));
        Some(read)
    }
}

/// Whether the value of a flag says yes: anything but `false`, `no`, `none` and `0`.
fn says_yes(value: &str) -> bool {
    !["false", "no", "none", "0"].contains(&value.to_ascii_lowercase().as_str())
}

fn schema_flag(commit: &Commit, files: &[FileDiff], rules: &SchemaRules) -> Option<String> {
    let messages = std::iter::once(&commit.message).chain(&commit.merged);
    for name in &rules.trailers {
        // Anywhere in the message: squashing forges put lines of their own behind the trailers.
        let set = |message: &&String| {
            trailer_lines(message).any(|(key, value)| key.eq_ignore_ascii_case(name) && says_yes(value))
        };
        if messages.clone().any(|message| set(&message)) {
            return Some(format!("commit trailer {name}"));
        }
    }
    if let Some(path) = migrations(commit, rules).first() {
        return Some(format!("it touches {path}"));
    }
    files.iter().find_map(|file| schema_label(file, &rules.labels))
}

/// The files of a commit that hold migrations. They may be another service's: whose database it is cannot be told.
fn migrations(commit: &Commit, rules: &SchemaRules) -> Vec<FilePath> {
    let paths = commit.files.iter().map(|file| &file.path);
    paths.filter(|path| rules.paths.matches(path.as_str())).cloned().collect()
}

/// Going back to an older version of a database or of the cluster is no smaller thing than going back in a schema.
fn engine_flag(fields: &[FieldChange]) -> Option<String> {
    let engine = fields.iter().find(|field| field.engine)?;
    Some(format!("it changes the version of a database or cluster, {}", engine.address))
}

/// The label of a schema change in a manifest. In a file that is no YAML, a template say, any line with the label counts
/// that does not say no.
fn schema_label(file: &FileDiff, labels: &[String]) -> Option<String> {
    let text = std::str::from_utf8(file.new.as_ref()?.bytes.as_deref()?).ok()?;
    let found = |label: &&String| {
        text.contains(label.as_str())
            && match field::leaves::yaml::leaves(text) {
                Some(leaves) => leaves.iter().any(|leaf| leaf.key == **label && says_yes(&leaf.value)),
                None => text
                    .lines()
                    .filter_map(|line| line.split_once(label.as_str()))
                    .any(|(_, value)| says_yes(value.trim_matches(|c: char| !c.is_alphanumeric()))),
            }
    };
    labels.iter().find(found).map(|label| format!("{label} in {}", file.path))
}

#[cfg(test)]
mod tests;
