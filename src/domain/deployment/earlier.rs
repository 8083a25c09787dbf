//! What a service ran before a deployment: the values to go back to, further than to the ones just before it.

use std::collections::BTreeSet;

use crate::domain::deployment::Deployment;
use crate::domain::ids::{CommitId, FilePath};
use crate::domain::time::Time;

/// A state that a service was in.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Earlier {
    /// The deployment that brought it.
    pub commit: CommitId,
    /// From when …
    pub since: Time,
    /// … until when it ran.
    pub until: Time,
    /// The source text of each field that the later deployment changed: the file, the address and the text.
    pub fields: Vec<(FilePath, String, String)>,
}

/// The known-good states of the service before `deployment`, newest first, in the fields that it changed. Good is what
/// ran for at least `watch_secs` and was not taken back: neither by the agent (`reverted`) nor by a person's rollback.
///
/// `older` are the deployments of the same service before it, newest first. What ran before the oldest of them is not
/// known.
#[must_use]
pub fn known_good(
    deployment: &Deployment,
    older: &[Deployment],
    reverted: &BTreeSet<CommitId>,
    watch_secs: u32,
) -> Vec<Earlier> {
    let named = deployment.fields.iter().filter(|field| field.addressed);
    let mut fields: Vec<(FilePath, String, String)> =
        named.map(|field| (field.path.clone(), field.address.clone(), field.old.clone())).collect();
    let mut until = deployment.at;
    let mut undone = deployment.rollback;
    let mut found = Vec::new();
    for before in older {
        let changed = |(path, address, text): &(FilePath, String, String)| {
            before.fields.iter().find(|f| f.path == *path && f.address == *address && f.new == *text)
        };
        if !fields.iter().any(|field| changed(field).is_some()) {
            continue;
        }
        let long = until.secs_since(before.at) >= i64::from(watch_secs);
        if long && !undone && !reverted.contains(&before.commit) {
            found.push(Earlier { commit: before.commit, since: before.at, until, fields: fields.clone() });
        }
        for field in &mut fields {
            if let Some(change) = changed(field) {
                field.2.clone_from(&change.old);
            }
        }
        until = before.at;
        undone = before.rollback;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::change::plan::tests::deployment;

    fn at(minute: i64, old: &str, new: &str) -> Deployment {
        let mut deployment = deployment(&format!("tag: {old}\n"), &format!("tag: {new}\n"));
        deployment.commit = CommitId::from_bytes([u8::try_from(minute).unwrap(); 20]);
        deployment.at = Time::from_unix(minute * 60);
        deployment
    }

    fn texts(found: &[Earlier]) -> Vec<&str> {
        found.iter().map(|earlier| earlier.fields[0].2.as_str()).collect()
    }

    #[test]
    fn states_are_told_newest_first() {
        let older = [at(90, "v2", "v3"), at(60, "v1", "v2"), at(30, "v0", "v1")];
        let found = known_good(&at(120, "v3", "v4"), &older, &BTreeSet::new(), 600);
        assert_eq!(texts(&found), ["v3", "v2", "v1"]);
        assert_eq!(
            (found[1].commit, found[1].since.unix(), found[1].until.unix()),
            (older[1].commit, 3_600, 5_400)
        );
    }

    #[test]
    fn what_ran_too_short_or_was_taken_back_is_not_good() {
        let mut rollback = at(100, "v3", "v2");
        rollback.rollback = true;
        let older = [rollback, at(90, "v2", "v3"), at(60, "v1", "v2"), at(58, "v0", "v1"), at(30, "a", "v0")];
        let reverted = BTreeSet::from([older[4].commit]);
        let found = known_good(&at(120, "v2", "v4"), &older, &reverted, 600);
        assert_eq!(texts(&found), ["v2", "v2"]);
    }
}
