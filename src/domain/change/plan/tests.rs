use std::sync::Arc;

use super::*;
use crate::domain::change::Asked;
use crate::domain::deployment::{ChangeKind, FieldChange};
use crate::domain::field::{FieldRule, Selection};
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::{Claim, claims_of, rollback_id};
use crate::domain::history::snapshot::{Commit, Content, FileDiff, FileVersion, Person};
use crate::domain::history::trailers::{trailer, trailers};
use crate::domain::ids::{BlobId, EnvironmentName, ServiceName, SignalName};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};

const PATH: &str = "apps/web/values.yaml";

fn version(text: &str) -> Option<FileVersion> {
    Some(FileVersion { blob: BlobId::from_bytes([1; 20]), bytes: Some(Arc::from(text.as_bytes())) })
}

pub(crate) fn deployment(old: &str, new: &str) -> Deployment {
    let path = FilePath::new(PATH).unwrap();
    let files =
        vec![FileDiff { path: path.clone(), was: None, old: version(old), new: version(new), turned: None }];
    let (fields, left_behind) = crate::domain::deployment::changes_of(
        &files,
        &Selection::default(),
        &crate::domain::deployment::Documents::default(),
    );
    Deployment {
        id: "of web".to_owned(),
        environment: EnvironmentName::new("production").unwrap(),
        service: ServiceName::new("web").unwrap(),
        group: None,
        rule: 0,
        labels: BTreeMap::new(),
        commit: CommitId::from_bytes([7; 20]),
        parent: CommitId::from_bytes([6; 20]),
        at: Time::from_unix(1_000_000),
        landing: Landing::by_committer(Time::from_unix(1_000_000)),
        author: Person::default(),
        subject: "bump".to_owned(),
        fields,
        left_behind,
        files,
        schema: Vec::new(),
        migrations: Vec::new(),
        kind: ChangeKind::Release,
        beyond: None,
        bound: None,
        superseded_by: None,
    }
}

fn judgement() -> Judgement {
    Judgement {
        verdict: Verdict::Regressed,
        since: Some(Time::from_unix(1_000_060)),
        reason: "errors rose from 0.1 % to 5.2 %".to_owned(),
        findings: vec![Finding {
            line: None,
            coincidence: None,
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

fn fields_alone() -> Policy {
    Policy { mixed: Mixed::Fields, ..Policy::default() }
}

fn planned(deployment: &Deployment, current: Option<&str>) -> Result<Change, NoChange> {
    planned_by(&Policy::default(), deployment, current)
}

fn planned_by<'a>(
    policy: &Policy,
    undo: impl Into<Undo<'a>>,
    current: Option<&str>,
) -> Result<Change, NoChange> {
    let path = FilePath::new(PATH).unwrap();
    let current = BTreeMap::from([(path, current.map(|text| text.as_bytes().to_vec().into()))]);
    let branch = BranchName::new("main").unwrap();
    let target = Target {
        branch: &branch,
        head: CommitId::from_bytes([8; 20]),
        current: &current,
        policy,
        moved: &BTreeMap::new(),
        now: Time::from_unix(1_000_300),
    };
    plan(undo, Motive::Metrics(&judgement()), &target)
}

#[test]
fn the_message_tells_a_person_and_a_machine_what_happened() {
    let bad = deployment("tag: v1 # x\nreplicas: 2\n", "tag: v2 # x\nreplicas: 3\n");
    let change = planned_by(&fields_alone(), &bad, Some("tag: v2 # x\nreplicas: 3\n")).unwrap();
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
Backout-Evidence: refs/notes/backout-* on 0707070707070707070707070707070707070707
";
    let id = trailer(&change.message, "Backout-Id").unwrap();
    assert_eq!(change.message, expected.replace("7b9fa11a8c9ebd6d8ad5a1e5", id));
    assert_eq!(
        change.files[&FilePath::new(PATH).unwrap()].as_ref().and_then(Content::bytes),
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
        engine: false,
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
fn what_a_message_quotes_steers_no_forge() {
    let mut bad = deployment("tag: v1\nx: 1\n", "tag: v2\nx: 2\n");
    bad.subject =
        "Fixes #5, closes GH-6 @ann [skip ci] ***NO_CI*** \u{202e}resolves https://f/o/r/issues/7".to_owned();
    bad.left_behind = vec!["/merge [no ci] implements ABC-8".to_owned()];
    let message = planned_by(&fields_alone(), &bad, Some("tag: v2\nx: 2\n")).unwrap().message;
    assert!(
        message.contains(
            "(\"Fixes\" #5, \"closes\" GH-6 @ ann (skip ci) *NO_CI*  \"resolves\" https://f/o/r/issues…)"
        ),
        "{message}"
    );
    assert!(message.contains("- /merge (no ci) \"implements\" ABC-8\n"), "{message}");
    assert!(message.lines().all(|line| !line.starts_with('/')));
    assert!(!message.contains('\u{202e}'));
}

#[test]
fn values_are_read_back_as_they_were_written() {
    let digest = format!("registry.example.com/app@sha256:{}", "0a".repeat(32));
    for (new, kept) in [(digest.as_str(), digest.as_str()), ("v2[skip-ci]", "v2(skip-ci)")] {
        let mut bad = deployment("tag: v1\n", "tag: v2\n");
        let mut change = planned(&bad, Some("tag: v2\n")).unwrap();
        bad.fields[0].new = new.to_owned();
        change.fields[0].1.new_text = new.to_owned();
        change.bad_values = bad.trailer_values();
        let message = message::compose(&change, &bad, Motive::Request(Asked { who: "me", why: None }));
        assert_eq!(trailer(&message, "Backout-From"), Some(kept));
        assert_eq!(bad.trailer_values(), [kept.to_owned()].into());
        assert_eq!(change.as_entries()[0].bad_values, bad.trailer_values());
    }
}

#[test]
fn a_message_reads_back_as_the_ledger_entry_that_it_is() {
    let mut bad = deployment("tag: v1\n", "tag: v2\n");
    bad.id = rollback_id(&bad.environment, &bad.service, bad.commit);
    let change = planned(&bad, Some("tag: v2\n")).unwrap();
    let commit = Commit {
        id: CommitId::from_bytes([9; 20]),
        parent: None,
        at: change.at,
        landing: Landing::by_committer(change.at),
        author: Person::default(),
        committer: Person::default(),
        message: change.message.clone(),
        merged: Vec::new(),
        files: Vec::new(),
        taken_back: Vec::new(),
    };
    let claims: Vec<Claim> = claims_of(&commit).collect();
    let entry = &claims[0].entry;
    assert_eq!(entry.id, change.id);
    assert_eq!(entry.reverts, bad.commit);
    assert_eq!(entry.bad_values, bad.trailer_values());
    assert!(!entry.requested);
    assert_eq!(claims[0].restored, [("v2".to_owned(), "v1".to_owned())]);
}

#[test]
fn what_does_not_hold_the_bad_value_any_more_is_left_alone_and_named() {
    let bad = deployment("tag: v1\n", "tag: v2\n");
    assert!(matches!(planned(&bad, None), Err(NoChange::Gone(why)) if why.contains("gone now")));
    for (current, word) in [(Some("tag: v3\n"), "v3 now"), (Some("tag: v1\n"), "v1 now")] {
        match planned(&bad, current) {
            Err(NoChange::Superseded(why)) if word != "v1 now" => assert!(why.contains(word), "{why}"),
            Err(NoChange::Restored(why)) if word == "v1 now" => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

fn text_of(change: &Change) -> &str {
    let bytes = change.files.values().next().unwrap().as_ref().and_then(Content::bytes).unwrap();
    std::str::from_utf8(bytes).unwrap()
}

#[test]
fn the_fields_of_a_deployment_go_back_together_or_not_at_all() {
    let bad = deployment("a:\n  tag: v1\nb:\n  tag: v1\n", "a:\n  tag: v2\nb:\n  tag: v2\n");
    for (other, word) in [("v3", "v3 now"), ("v1", "v1 now")] {
        let current = format!("a:\n  tag: v2\nb:\n  tag: {other}\n");
        match planned(&bad, Some(&current)) {
            Err(NoChange::Partial(why)) => assert!(why.contains(word), "{why}"),
            other => panic!("{other:?}"),
        }
        let partial = Policy { partial: true, ..Policy::default() };
        let change = planned_by(&partial, &bad, Some(&current)).unwrap();
        assert_eq!(text_of(&change), format!("a:\n  tag: v1\nb:\n  tag: {other}\n"));
    }
}

#[test]
fn of_a_mixed_commit_the_policy_says_what_goes_back() {
    let bad =
        deployment("tag: v1\nreplicas: 2\nx: 1\ny: 1\nz: 1\n", "tag: v2\nreplicas: 3\nx: 1\ny: 1\nz: 1\n");
    let current = "tag: v2\nreplicas: 3\nx: 1\ny: 1\nz: 9\n";
    let fields = planned_by(&fields_alone(), &bad, Some(current)).unwrap();
    assert_eq!(text_of(&fields), "tag: v1\nreplicas: 3\nx: 1\ny: 1\nz: 9\n");
    assert_eq!(fields.left_behind, [format!("{PATH}: replicas")]);
    assert!(fields.to_string().contains("replicas: changed by the deployment too, stays as it is"));
    let whole = planned(&bad, Some(current)).unwrap();
    assert_eq!(text_of(&whole), "tag: v1\nreplicas: 2\nx: 1\ny: 1\nz: 9\n");
    assert!(whole.left_behind.is_empty());
    // What was changed again since stays, and a person looks at it.
    let conflict = planned(&bad, Some("tag: v2\nreplicas: 7\nx: 1\ny: 1\nz: 1\n")).unwrap();
    assert_eq!(text_of(&conflict), "tag: v1\nreplicas: 7\nx: 1\ny: 1\nz: 1\n");
    assert_eq!((conflict.doubts.len(), conflict.left_behind.len()), (1, 1), "{conflict}");
    assert!(whole.doubts.is_empty() && conflict.message.contains("For a person to look at: what else"));
}

#[test]
fn a_file_that_the_commit_added_goes_with_the_whole_deployment() {
    let mut bad = deployment("tag: v1\n", "tag: v2\n");
    let added = FilePath::new("apps/web/extra.yaml").unwrap();
    bad.files.push(FileDiff {
        path: added.clone(),
        was: None,
        old: None,
        new: version("a: 1\n"),
        turned: None,
    });
    bad.left_behind.push(added.to_string());
    let path = FilePath::new(PATH).unwrap();
    let whole = |extra: Option<&str>| {
        let bytes = |text: &str| Some(text.as_bytes().to_vec().into());
        let current =
            BTreeMap::from([(path.clone(), bytes("tag: v2\n")), (added.clone(), extra.and_then(bytes))]);
        let policy = Policy { mixed: Mixed::Deployment, ..Policy::default() };
        let branch = BranchName::new("main").unwrap();
        let target = Target {
            branch: &branch,
            head: CommitId::from_bytes([8; 20]),
            current: &current,
            moved: &BTreeMap::new(),
            policy: &policy,
            now: Time::from_unix(1_000_300),
        };
        plan(&bad, Motive::Request(Asked { who: "me", why: None }), &target)
    };
    assert_eq!(whole(Some("a: 1\n")).unwrap().files[&added], None);
    assert!(!whole(None).unwrap().files.contains_key(&added));
    let changed_since = whole(Some("a: 2\n")).unwrap();
    assert!(!changed_since.files.contains_key(&added) && changed_since.doubts.len() == 1);
}

#[test]
fn a_file_that_was_moved_is_reverted_where_it_is_now() {
    let bad = deployment("tag: v1\n", "tag: v2\n");
    let (old, new) = (FilePath::new(PATH).unwrap(), FilePath::new("apps/new/values.yaml").unwrap());
    let branch = BranchName::new("main").unwrap();
    let target = Target {
        branch: &branch,
        head: CommitId::from_bytes([8; 20]),
        current: &BTreeMap::from([(new.clone(), Some(b"tag: v2\n".to_vec().into()))]),
        moved: &BTreeMap::from([(old, new.clone())]),
        policy: &Policy::default(),
        now: Time::from_unix(1_000_300),
    };
    let change = plan(&bad, Motive::Request(Asked { who: "me", why: None }), &target).unwrap();
    assert_eq!(change.files[&new].as_ref().and_then(Content::bytes), Some(&b"tag: v1\n"[..]));
}

#[test]
fn the_version_of_a_database_is_no_small_thing() {
    let bad = deployment("postgresVersion: 15.1\n", "postgresVersion: 16.0\n");
    assert!(bad.fields[0].engine);
    assert!(!deployment("redisExporterVersion: 1.0\n", "redisExporterVersion: 1.1\n").fields[0].engine);
}

#[test]
fn two_changes_go_back_together_and_are_known_to_be_back() {
    let second = deployment("tag: v1\n", "tag: v2\n");
    let third = Deployment { commit: CommitId::from_bytes([77; 20]), ..deployment("tag: v2\n", "tag: v3\n") };
    let changes = [third.clone(), second.clone()];
    let undo = Undo { bad: &second, changes: &changes, doubts: &[], checked: &[] };
    let policy = Policy::default();
    let change = planned_by(&policy, undo, Some("tag: v3\n")).unwrap();
    assert_eq!(
        change.files.values().next().unwrap().as_ref().and_then(Content::bytes),
        Some(&b"tag: v1\n"[..])
    );
    assert_eq!(change.with.iter().map(|other| other.commit).collect::<Vec<_>>(), [third.commit]);
    assert!(matches!(planned_by(&policy, undo, Some("tag: v1\n")), Err(NoChange::Restored(_))));
    assert!(matches!(planned_by(&policy, undo, Some("tag: v4\n")), Err(NoChange::Superseded(_))));
    assert!(matches!(planned_by(&policy, undo, Some("other: 1\n")), Err(NoChange::Gone(_))));
}

/// A refusal has a line for each field: what the field held, what the deployment put there, and what the field holds now.
#[test]
fn each_refusal_tells_of_each_field_on_one_line() {
    let told = |before: &str, after: &str, current: Option<&str>| {
        planned(&deployment(before, after), current).expect_err("it is not clear").to_string()
    };
    for (before, after, current, lines) in [
        (
            "image:\n  repository: a/web\n  tag: v1\n",
            "image:\n  repository: a/web\n  tag: v2\n",
            Some("image:\n  repository: b/web\n  tag: v2\n"),
            &["image.tag: v1 → v2 by the deployment, v2 now"][..],
        ),
        ("tag: v1\n", "tag: v2\n", Some("tag: v3\n"), &["tag: v1 → v2 by the deployment, v3 now"]),
        ("tag: v1\n", "tag: v2\n", None, &["tag: v1 → v2 by the deployment, gone now"]),
        (
            "a:\n  tag: v1\nb:\n  tag: v1\n",
            "a:\n  tag: v2\nb:\n  tag: v2\n",
            Some("a:\n  tag: v2\nb:\n  tag: v1\n"),
            &["a.tag: v1 → v2 by the deployment, v2 now", "b.tag: v1 → v2 by the deployment, v1 now"],
        ),
        (
            "web:\n  tag: v1\nx: 1\n",
            "web:\n  tag: v2\nx: 1\n",
            Some("shop:\n  tag: v2\n  more: 1\n"),
            &["web.tag: v1 → v2 by the deployment, at shop.tag now"],
        ),
    ] {
        let told = told(before, after, current);
        let (sentence, rest) = told.split_once('\n').expect("more than one line");
        let said: Vec<&str> = rest.lines().map(|line| line.rsplit("- ").next().unwrap()).collect();
        let said: Vec<&str> =
            said.iter().map(|line| line.trim_start_matches("apps/web/values.yaml: ")).collect();
        assert_eq!(said, lines, "{sentence}");
    }
    let text = |tag: u32| (0..40).map(|n| format!("s{n}:\n  tag: v{tag}\n")).collect::<String>();
    let told = told(&text(1), &text(2), Some(&text(3)));
    assert_eq!(told.lines().count(), 7, "{told}");
    assert!(told.ends_with("- and 35 more"), "{told}");
}

/// What several deployments changed is told once, and each change is told of by whose it was.
#[test]
fn of_several_deployments_each_line_is_told_once() {
    let text = |tag: u32| format!("tag: v{tag}\nreplicas: {tag}\n");
    let bad = deployment(&text(1), &text(2));
    let later = Deployment { commit: CommitId::from_bytes([77; 20]), ..deployment(&text(2), &text(3)) };
    let changes = [later.clone(), bad.clone()];
    let undo = Undo { bad: &bad, changes: &changes, doubts: &[], checked: &[] };
    let change = planned_by(&Policy::default(), undo, Some(&text(3))).unwrap();
    assert_eq!(change.along, [format!("{PATH}: replicas")]);
    let by_hand = |field: &FieldChange| FieldChange { rule: FieldRule::ByHand, ..field.clone() };
    let later = Deployment { fields: later.fields.iter().map(by_hand).collect(), ..later };
    let changes = [later.clone(), bad.clone()];
    let undo = Undo { bad: &bad, changes: &changes, doubts: &[], checked: &[] };
    let refused = planned_by(&Policy::default(), undo, Some(&text(3))).unwrap_err().to_string();
    let line = format!("\n- tag: v2 → v3 by {}, v3 now", later.commit.short());
    assert!(refused.ends_with(&line), "{refused}");
}

/// The files of a deployment, before and after, and where they are now.
type Moved<'w> = (&'w [(&'w str, Option<&'w str>, Option<&'w str>)], &'w [(&'w str, &'w str)]);

#[test]
fn what_came_or_went_is_not_put_into_a_directory_that_was_moved_away() {
    let (one, two) = (Some("image: r/cart:1.0.0\n"), Some("image: r/cart:1.1.0\n"));
    let rows: [(Moved<'_>, bool); 6] = [
        // What went, beside a version.
        (
            (
                &[("prod/v.yaml", one, two), ("prod/patch.yaml", Some("a: 1\n"), None)],
                &[("prod/v.yaml", "live/v.yaml")],
            ),
            false,
        ),
        (
            (&[("v.yaml", one, two), ("patch.yaml", Some("a: 1\n"), None)], &[("v.yaml", "live/v.yaml")]),
            false,
        ),
        (
            (
                &[("c/v.yaml", one, two), ("c/charts/dep/old.yaml", Some("a: 1\n"), None)],
                &[("c/v.yaml", "d/v.yaml")],
            ),
            false,
        ),
        // What went elsewhere comes back there.
        (
            (
                &[("prod/v.yaml", one, two), ("shared/patch.yaml", Some("a: 1\n"), None)],
                &[("prod/v.yaml", "live/v.yaml")],
            ),
            true,
        ),
        // A file that was renamed itself says nothing about its directory.
        (
            (
                &[("prod/v.yaml", one, two), ("prod/patch.yaml", Some("a: 1\n"), None)],
                &[("prod/v.yaml", "prod/values.yaml")],
            ),
            true,
        ),
        ((&[("prod/v.yaml", one, two)], &[("prod/v.yaml", "live/v.yaml")]), true),
    ];
    for ((files, moved), is_made) in rows {
        let mut bad = deployment("image: r/cart:1.0.0\n", "image: r/cart:1.1.0\n");
        let path = |name: &str| FilePath::new(name).unwrap();
        let diff = |&(name, old, new): &(&str, Option<&str>, Option<&str>)| FileDiff {
            path: path(name),
            was: None,
            old: old.and_then(version),
            new: new.and_then(version),
            turned: None,
        };
        bad.files = files.iter().map(diff).collect();
        bad.fields.iter_mut().for_each(|field| field.path = path(files[0].0));
        bad.left_behind = files.iter().skip(1).map(|(name, ..)| (*name).to_owned()).collect();
        let moved: BTreeMap<FilePath, FilePath> =
            moved.iter().map(|(from, to)| (path(from), path(to))).collect();
        let there = |file: &FileDiff| {
            let now = moved.get(&file.path).unwrap_or(&file.path).clone();
            (now, file.new.as_ref().map(Content::from))
        };
        let mut current: BTreeMap<FilePath, Option<Content>> = bad.files.iter().map(there).collect();
        current.extend(moved.keys().map(|from| (from.clone(), None)));
        let branch = BranchName::new("main").unwrap();
        let target = Target {
            branch: &branch,
            head: CommitId::from_bytes([8; 20]),
            current: &current,
            moved: &moved,
            policy: &Policy { mixed: Mixed::Deployment, ..Policy::default() },
            now: Time::from_unix(9_000),
        };
        let planned = plan(&bad, Motive::Request(Asked { who: "dana", why: None }), &target);
        assert_eq!(planned.is_ok(), is_made, "{files:?}, {moved:?}: {planned:?}");
    }
}
