//! What an open pull request would bring to an environment's branch, and which of that was backed out lately.
//!
//! Nothing but what its files hold is looked at: whatever people or programs have written into a pull request tells the agent
//! nothing.

use std::collections::BTreeSet;

use crate::domain::artifact::Artifact;
use crate::domain::deployment::artifacts::brought_by;
use crate::domain::deployment::{Deployment, Documents, FieldChange, deployments_of};
use crate::domain::environment::Environment;
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::snapshot::{Commit, FileDiff, Person};
use crate::domain::history::trailers::{NOTHING, trailer_value};
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;

/// What an open pull request would bring to a branch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    /// Its number in the repository.
    pub number: u64,
    /// The commit at the tip of its branch.
    pub head: CommitId,
    /// The commit that it has in common with the branch.
    pub base: CommitId,
    /// The files that it changes since then.
    pub changed: Vec<FileDiff>,
    /// The same files as the branch has them now, against those of the head. Those that do not differ are not listed.
    pub anew: Vec<FileDiff>,
}

/// A value that was backed out and that a pull request brings back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comeback {
    /// The service.
    pub service: ServiceName,
    /// The value.
    pub value: String,
    /// The revert that backed it out last.
    pub revert: RevertEntry,
    /// Until when it is in quarantine.
    pub until: Time,
}

impl Incoming {
    /// Which values it brings back that were backed out so lately that they are in quarantine: one a service at most, by the name of the
    /// service. None where it deploys none of the services that these reverts, newest first, are about, or more than is compared.
    ///
    /// A value counts where the pull request puts it into a field that did not hold it, and the branch does not hold it either: a value that
    /// a person has put back already is not brought back a second time.
    #[must_use]
    pub fn comebacks(
        &self,
        environment: &Environment,
        reverts: &[RevertEntry],
        now: Time,
        documents: &Documents,
    ) -> Option<Vec<Comeback>> {
        let reverted: BTreeSet<&ServiceName> = reverts.iter().map(|entry| &entry.service).collect();
        let all = self.deployments(&self.changed, environment, (now, documents));
        let anew = self.deployments(&self.anew, environment, (now, documents));
        if all.iter().chain(&anew).any(|one| one.beyond.is_some()) {
            return None;
        }
        let deployed: Vec<Deployment> =
            all.into_iter().filter(|one| reverted.contains(&one.service)).collect();
        if deployed.is_empty() {
            return None;
        }
        let mut found = Vec::new();
        for one in deployed {
            let secs = environment.services.get(one.rule).map_or(0, |rule| rule.policy.quarantine_secs);
            let of_service = anew.iter().filter(|other| other.service == one.service);
            let fields: Vec<&FieldChange> = of_service.flat_map(|other| &other.fields).collect();
            let is_anew = |field: &&FieldChange| {
                fields.iter().any(|other| other.path == field.path && other.new == field.new)
            };
            let brought = versions(&one).filter(is_anew).map(|field| trailer_value(&field.new));
            let values: BTreeSet<String> = brought.filter(|value| value != NOTHING).collect();
            let is_in_quarantine = |entry: &&RevertEntry| {
                entry.service == one.service && (0..=i64::from(secs)).contains(&now.secs_since(entry.at))
            };
            let back = reverts.iter().filter(is_in_quarantine).find_map(|entry| {
                Some(Comeback {
                    service: one.service.clone(),
                    value: entry.bad_values.intersection(&values).next()?.clone(),
                    revert: entry.clone(),
                    until: entry.at.plus_secs(i64::from(secs)),
                })
            });
            found.extend(back);
        }
        Some(found)
    }

    /// What it would bring to services that do not have it yet, each service with the place of its rule in [`Environment::services`].
    #[must_use]
    pub fn brought(
        &self,
        environment: &Environment,
        now: Time,
        documents: &Documents,
    ) -> Vec<(ServiceName, usize, BTreeSet<Artifact>)> {
        let anew = self.deployments(&self.anew, environment, (now, documents));
        let new: BTreeSet<Artifact> = anew.iter().flat_map(brought_by).collect();
        let all = self.deployments(&self.changed, environment, (now, documents));
        let of = |one: Deployment| {
            let artifacts: BTreeSet<Artifact> = brought_by(&one).intersection(&new).cloned().collect();
            (!artifacts.is_empty()).then_some((one.service, one.rule, artifacts))
        };
        all.into_iter().filter_map(of).collect()
    }

    /// The deployments that the head would be if these were the files that it changes.
    fn deployments(
        &self,
        files: &[FileDiff],
        environment: &Environment,
        (now, documents): (Time, &Documents),
    ) -> Vec<Deployment> {
        let commit = Commit {
            id: self.head,
            parent: Some(self.base),
            at: now,
            landing: Landing::by_committer(now),
            author: Person::default(),
            committer: Person::default(),
            message: String::new(),
            merged: Vec::new(),
            files: files.to_vec(),
            taken_back: Vec::new(),
        };
        deployments_of(&commit, environment, documents)
    }
}

/// The fields by which one version is told from another. Where there are none of these, all of them.
fn versions(deployment: &Deployment) -> impl Iterator<Item = &FieldChange> {
    let has_versions = deployment.fields.iter().any(FieldChange::is_version);
    deployment.fields.iter().filter(move |field| !has_versions || field.is_version())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::environment::pattern::PathPattern;
    use crate::domain::environment::{ServiceFiles, ServiceRule};
    use crate::domain::history::snapshot::FileVersion;
    use crate::domain::ids::{BlobId, BranchName, EnvironmentName, FilePath};

    const DAY: i64 = 86_400;

    fn environment() -> Environment {
        let pattern = PathPattern::new("apps/{service}/values.yaml").unwrap();
        let rule = ServiceRule::new(ServiceFiles::Pattern(pattern));
        let (name, branch) = (EnvironmentName::new("production"), BranchName::new("main"));
        Environment::new(name.unwrap(), branch.unwrap(), vec![rule])
    }

    /// A revert of `web` on the first day.
    fn revert(bad: &[&str]) -> RevertEntry {
        RevertEntry {
            id: "1".to_owned(),
            commit: CommitId::from_bytes([9; 20]),
            at: Time::from_unix(0),
            environment: EnvironmentName::new("production").unwrap(),
            service: ServiceName::new("web").unwrap(),
            reverts: CommitId::from_bytes([8; 20]),
            with: Vec::new(),
            together_with: None,
            then: Vec::new(),
            bad_values: bad.iter().map(|value| (*value).to_owned()).collect(),
            requested: false,
        }
    }

    fn values(tag: &str) -> String {
        let (tag, repository) = tag.split_once(' ').unwrap_or((tag, "shop/web"));
        format!("image:\n  repository: {repository}\n  tag: \"{tag}\"\nreplicas: 3\n")
    }

    /// The file as it is in two states, each a text; none where they do not differ.
    fn difference(path: &str, old: &str, new: &str) -> Vec<FileDiff> {
        let version = |text: &str| {
            let bytes = text.as_bytes();
            (!text.is_empty())
                .then(|| FileVersion { blob: BlobId::of_part(bytes), bytes: Some(Arc::from(bytes)) })
        };
        let path = FilePath::new(path).unwrap();
        let file = FileDiff { path, was: None, old: version(old), new: version(new), turned: None };
        if old == new { Vec::new() } else { vec![file] }
    }

    /// What is said of a pull request that began at `base` and is at `head`, where the branch is at `branch` now.
    fn said(path: &str, states: [&str; 3], bad: &[&str], days: i64) -> Option<Vec<String>> {
        let [base, head, branch] = states;
        let incoming = Incoming {
            number: 7,
            head: CommitId::from_bytes([2; 20]),
            base: CommitId::from_bytes([1; 20]),
            changed: difference(path, base, head),
            anew: if base == head { Vec::new() } else { difference(path, branch, head) },
        };
        let now = Time::from_unix(days * DAY);
        let found = incoming.comebacks(&environment(), &[revert(bad)], now, &Documents::default())?;
        Some(found.into_iter().map(|one| format!("{} {}", one.service, one.value)).collect())
    }

    #[test]
    fn only_what_comes_back_and_does_not_run_is_said() {
        let (v1, v2, v3) = (values("v1"), values("v2"), values("v3"));
        let web = "apps/web/values.yaml";
        let back = Some(vec!["web v2".to_owned()]);
        let clean = Some(Vec::new());
        for (why, path, states, expected) in [
            ("it comes back", web, [&v1, &v2, &v1], &back),
            ("and over a newer one too", web, [&v1, &v2, &v3], &back),
            ("the branch began while it ran, and leaves it", web, [&v2, &v2, &v1], &None),
            ("something new comes", web, [&v1, &v3, &v1], &clean),
            ("it goes", web, [&v2, &v1, &v1], &clean),
            ("a person has put it back already", web, [&v1, &v2, &v2], &clean),
            ("another service", "apps/api/values.yaml", [&v1, &v2, &v1], &None),
            ("no service at all", "README.md", [&v1, &v2, &v1], &None),
            ("the file goes", web, [&v1, &String::new(), &v1], &None),
            ("the file comes", web, [&String::new(), &v2, &String::new()], &None),
        ] {
            let states = states.map(|state| state.as_str());
            assert_eq!(&said(path, states, &["v2"], 1), expected, "{why}");
        }
        let scaled = v1.replace("replicas: 3", "replicas: 5");
        assert_eq!(said(web, [&v1, &scaled, &v1], &["v2"], 1), None, "nothing is deployed");
        assert_eq!(said(web, [&v1, "", &v1], &[NOTHING], 1), None, "nothing is no value");
    }

    #[test]
    fn what_goes_along_with_a_version_is_not_what_was_bad_of_it() {
        let (v1, v3) = (values("v1"), values("v3 shop/web2"));
        let bad = ["v2", "shop/web2"];
        assert_eq!(said("apps/web/values.yaml", [&v1, &v3, &v1], &bad, 1), Some(Vec::new()));
    }

    #[test]
    fn it_is_over_when_the_quarantine_is() {
        let (v1, v2) = (values("v1"), values("v2"));
        for (days, expected) in [(0, 1), (14, 1), (15, 0), (-1, 0)] {
            let found = said("apps/web/values.yaml", [&v1, &v2, &v1], &["v2"], days);
            assert_eq!(found.map(|found| found.len()), Some(expected), "{days}");
        }
    }
}
