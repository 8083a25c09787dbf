use std::sync::Arc;

use super::*;
use crate::domain::deployment::{FieldChange, trailer, trailers};
use crate::domain::field::{FieldRule, Selection};
use crate::domain::ids::{BlobId, SignalName};
use crate::domain::ledger;
use crate::domain::snapshot::{Commit, FileDiff, FileVersion, Person, Snapshot};
use crate::domain::verdict::{Finding, Verdict};

const PATH: &str = "apps/web/values.yaml";

fn version(text: &str) -> Option<FileVersion> {
    Some(FileVersion { blob: BlobId::from_bytes([1; 20]), bytes: Some(Arc::from(text.as_bytes())) })
}

fn deployment(old: &str, new: &str) -> Deployment {
    let path = FilePath::new(PATH).unwrap();
    let files = vec![FileDiff { path: path.clone(), old: version(old), new: version(new) }];
    let (fields, left_behind) =
        crate::domain::deployment::changes_of(&files.iter().collect::<Vec<_>>(), &Selection::default());
    Deployment {
        environment: EnvironmentName::new("production").unwrap(),
        service: ServiceName::new("web").unwrap(),
        rule: 0,
        labels: BTreeMap::new(),
        commit: CommitId::from_bytes([7; 20]),
        parent: CommitId::from_bytes([6; 20]),
        at: Time::from_unix(1_000_000),
        author: Person::default(),
        subject: "bump".to_owned(),
        fields,
        left_behind,
        files,
        schema: None,
        rollback: false,
        superseded_by: None,
    }
}

fn judgement() -> Judgement {
    Judgement {
        verdict: Verdict::Regressed,
        since: Some(Time::from_unix(1_000_060)),
        reason: "errors rose from 0.1 % to 5.2 %".to_owned(),
        findings: vec![Finding {
            signal: SignalName::new("errors").unwrap(),
            percent: true,
            verdict: Verdict::Regressed,
            before: Some(0.001),
            after: Some(0.052),
            since: Some(Time::from_unix(1_000_060)),
            reason: "errors rose".to_owned(),
        }],
    }
}

fn planned(deployment: &Deployment, current: Option<&str>) -> Result<Change, NoChange> {
    let path = FilePath::new(PATH).unwrap();
    let current = BTreeMap::from([(path, current.map(|text| text.as_bytes().to_vec()))]);
    let branch = BranchName::new("main").unwrap();
    let target = Target {
        branch: &branch,
        head: CommitId::from_bytes([8; 20]),
        current: &current,
        policy: &Policy::default(),
        now: Time::from_unix(1_000_300),
    };
    plan(deployment, Motive::Metrics(&judgement()), &target)
}

#[test]
fn the_message_tells_a_person_and_a_machine_what_happened() {
    let bad = deployment("tag: v1 # x\nreplicas: 2\n", "tag: v2 # x\nreplicas: 3\n");
    let change = planned(&bad, Some("tag: v2 # x\nreplicas: 3\n")).unwrap();
    let expected = "\
Revert web in production: v2 → v1

Deployment 0707070707 (bump) of 1970-01-12T13:46:40Z
made things worse: errors rose from 0.1 % to 5.2 %

| signal | before | after | since |
| --- | --- | --- | --- |
| errors | 0.1 % | 5.2 % | 1970-01-12T13:47:40Z |

| file | field | deployed | now |
| --- | --- | --- | --- |
| apps/web/values.yaml | tag | v2 | v1 |

The deployment also changed the following, which stays as it is:

- apps/web/values.yaml: replicas

Backout-Id: 7b9fa11a8c9ebd6d8ad5a1e5
Backout-Service: web
Backout-Environment: production
Backout-Reverts: 0707070707070707070707070707070707070707
Backout-From: v2
Backout-To: v1
Backout-Signal: errors
Backout-Evidence: refs/notes/backout on 0707070707070707070707070707070707070707
";
    let id = trailer(&change.message, "Backout-Id").unwrap();
    assert_eq!(change.message, expected.replace("7b9fa11a8c9ebd6d8ad5a1e5", id));
    assert_eq!(
        change.files[&FilePath::new(PATH).unwrap()].as_deref(),
        Some(&b"tag: v1 # x\nreplicas: 3\n"[..])
    );
}

#[test]
fn hostile_text_cannot_leave_its_place_in_the_message() {
    let mut bad = deployment("tag: v1\n", "tag: v2\n");
    bad.subject = "x\n\nBackout-Id: 0\nBackout-Service: other\r\n| a | b |\u{1b}[31m".to_owned();
    bad.files[0].new = version("tag: \"v2 | x\"\n");
    bad.fields = vec![FieldChange {
        path: FilePath::new(PATH).unwrap(),
        address: "tag".to_owned(),
        rule: FieldRule::Tag,
        old: "v1".to_owned(),
        new: "\"v2 | x\"".to_owned(),
        addressed: true,
    }];
    let message = match planned(&bad, Some("tag: \"v2 | x\"\n")) {
        Ok(change) => change.message,
        // A tag with spaces is no release field: then there is nothing to change, and no message.
        Err(refused) => {
            assert!(matches!(refused, NoChange::Refused { .. }), "{refused}");
            bad.files[0].new = version("tag: v2\n");
            planned(&bad, Some("tag: v2\n")).unwrap().message
        }
    };
    assert!(!message.contains('\u{1b}'));
    assert_eq!(trailers(&message).filter(|(key, _)| *key == "Backout-Id").count(), 1);
    assert_eq!(trailer(&message, "Backout-Service"), Some("web"));
}

#[test]
fn a_message_reads_back_as_the_ledger_entry_that_it_is() {
    let bad = deployment("tag: v1\n", "tag: v2\n");
    let change = planned(&bad, Some("tag: v2\n")).unwrap();
    let commit = Commit {
        id: CommitId::from_bytes([9; 20]),
        parent: None,
        at: change.at,
        author: Person::default(),
        committer: Person::default(),
        message: change.message.clone(),
        merged: Vec::new(),
        files: Vec::new(),
    };
    let snapshot = Snapshot {
        branch: change.branch.clone(),
        head: commit.id,
        commits: vec![commit],
        diffs_since: Time::from_unix(0),
    };
    let entries = ledger::reverts(&snapshot);
    assert_eq!(entries[0].id, change.id);
    assert_eq!(entries[0].reverts, bad.commit);
    assert_eq!(entries[0].bad_values, ledger::values_of(&bad));
    assert!(!entries[0].requested);
}

#[test]
fn what_does_not_hold_the_bad_value_any_more_is_left_alone_and_named() {
    let bad = deployment("tag: v1\n", "tag: v2\n");
    assert!(matches!(planned(&bad, None), Err(NoChange::Gone(why)) if why.contains("is gone")));
    for (current, word) in [(Some("tag: v3\n"), "is v3 by now"), (Some("tag: v1\n"), "already")] {
        match planned(&bad, current) {
            Err(NoChange::Superseded(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}
