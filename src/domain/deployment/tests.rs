mod claims;
mod entries;
mod halves;
mod hotfix;
mod parts;
mod people;
mod pieces;
mod whole;

use std::sync::Arc;

use super::*;
use crate::domain::environment::pattern::{PathGlobs, PathPattern};
use crate::domain::environment::policy::Policy;
use crate::domain::environment::{ServiceFiles, ServiceRule};
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::named_by;
use crate::domain::history::snapshot::{FileVersion, TakenBack};
use crate::domain::history::trailers::trailer;
use crate::domain::ids::{BlobId, BranchName};

fn environment() -> Environment {
    let mut policy = Policy::default();
    policy.schema.paths = PathGlobs::new(vec!["**/migrations/**".to_owned()]).unwrap();
    let pattern = PathPattern::new("apps/{service}/{environment}/**").unwrap();
    let rule = ServiceRule { policy, ..ServiceRule::new(ServiceFiles::Pattern(pattern)) };
    Environment::new(
        EnvironmentName::new("production").unwrap(),
        BranchName::new("main").unwrap(),
        vec![rule],
    )
}

fn file(path: &str, old: Option<&str>, new: Option<&str>) -> FileDiff {
    let version = |text: &str| FileVersion {
        blob: BlobId::of_part(text.as_bytes()),
        bytes: Some(Arc::from(text.as_bytes())),
    };
    FileDiff {
        path: FilePath::new(path).unwrap(),
        was: None,
        old: old.map(version),
        new: new.map(version),
        turned: None,
    }
}

fn commit(id: u8, message: &str, files: Vec<FileDiff>) -> Commit {
    Commit {
        id: CommitId::from_bytes([id; 20]),
        parent: Some(CommitId::from_bytes([id - 1; 20])),
        at: Time::from_unix(1_000 * i64::from(id)),
        landing: Landing::by_committer(Time::from_unix(1_000 * i64::from(id))),
        author: Person::default(),
        committer: Person::default(),
        message: message.to_owned(),
        merged: Vec::new(),
        files,
        taken_back: Vec::new(),
    }
}

/// A history of these commits, newest first. It goes on behind the last, unless that has no parent.
fn snapshot(mut commits: Vec<Commit>) -> Snapshot {
    let is_whole = commits.last().is_some_and(|oldest| oldest.parent.is_none());
    for index in 0..commits.len() {
        let origin = |id: CommitId| {
            let place = commits.iter().position(|commit| commit.id == id);
            let files = match place {
                Some(place) if place <= index => return None,
                Some(place) => Some(commits[place].files.clone()),
                None if is_whole => return None,
                None => None,
            };
            Some(TakenBack { commit: id, files })
        };
        commits[index].taken_back = named_by(&commits[index]).into_iter().filter_map(origin).collect();
    }
    Snapshot {
        branch: BranchName::new("main").unwrap(),
        head: commits[0].id,
        commits,
        diffs_since: Time::from_unix(0),
        dropped: Vec::new(),
        former: BTreeMap::new(),
    }
}

fn found(commits: Vec<Commit>) -> Vec<Deployment> {
    Detector::new(&environment()).all(&snapshot(commits))
}

fn bump(service: &str, old: &str, new: &str) -> FileDiff {
    let text = |tag: &str| format!("image:\n  tag: {tag}\nreplicas: 2\n");
    file(&format!("apps/{service}/production/values.yaml"), Some(&text(old)), Some(&text(new)))
}

#[test]
fn a_commit_is_one_deployment_for_each_service_that_it_changes() {
    let staging = file("apps/web/staging/values.yaml", Some("tag: v1\n"), Some("tag: v2\n"));
    let deployments =
        found(vec![commit(2, "bump", vec![bump("api", "v1", "v2"), bump("web", "v1", "v2"), staging])]);
    let names: Vec<&str> = deployments.iter().map(|d| d.service.as_str()).collect();
    assert_eq!(names, ["api", "web"]);
    assert_eq!((deployments[0].fields[0].old.as_str(), deployments[0].fields[0].new.as_str()), ("v1", "v2"));
}

#[test]
fn other_changes_and_new_or_removed_files_are_no_deployments() {
    let replicas = file(
        "apps/web/production/values.yaml",
        Some("tag: v1\nreplicas: 2\n"),
        Some("tag: v1\nreplicas: 3\n"),
    );
    let added = file("apps/new/production/values.yaml", None, Some("tag: v1\n"));
    let removed = file("apps/old/production/values.yaml", Some("tag: v1\n"), None);
    assert_eq!(found(vec![commit(2, "x", vec![replicas, added, removed])]), []);
}

#[test]
fn a_deployment_whose_fields_all_changed_again_is_superseded() {
    let deployments = found(vec![
        commit(3, "b", vec![bump("web", "v2", "v3")]),
        commit(2, "a", vec![bump("web", "v1", "v2")]),
    ]);
    assert_eq!(deployments[0].superseded_by, None);
    assert_eq!(deployments[1].superseded_by, Some(deployments[0].commit));
}

/// The message of a revert of `web` in production by its trailers: of this deployment, from these values to those.
fn message_of_revert(deployment: u8, restored: &[(&str, &str)]) -> String {
    format!("Revert web\n\n{}\n", trailers_of_revert("web", deployment, restored))
}

fn trailers_of_revert(service: &str, deployment: u8, restored: &[(&str, &str)]) -> String {
    let service = ServiceName::new(service).unwrap();
    let reverts = CommitId::from_bytes([deployment; 20]);
    let id = rollback_id(&environment().name, &service, reverts);
    let mut trailers = format!(
        "Backout-Id: {id}\nBackout-Service: {service}\nBackout-Environment: production\nBackout-Reverts: {reverts}"
    );
    for (old, new) in restored {
        trailers.push_str(&format!("\nBackout-From: {old}\nBackout-To: {new}"));
    }
    trailers
}

fn reverted(commits: Vec<Commit>) -> Vec<CommitId> {
    let reverts = Detector::new(&environment()).reverts(&snapshot(commits));
    reverts.into_iter().map(|entry| entry.reverts).collect()
}

#[test]
fn the_agents_own_reverts_are_no_deployments_merged_ones_neither() {
    let message = message_of_revert(1, &[("v2", "v1")]);
    let deployed = commit(1, "bump", vec![bump("web", "v1", "v2")]);
    let services = |commits: Vec<Commit>| {
        let of_newest = found(commits).into_iter().filter(|one| one.commit == CommitId::from_bytes([2; 20]));
        of_newest.map(|one| one.service.to_string()).collect::<Vec<_>>()
    };
    let own = vec![commit(2, &message, vec![bump("web", "v2", "v1")]), deployed.clone()];
    assert_eq!(services(own.clone()), [""; 0]);
    assert_eq!(reverted(own), [deployed.id]);
    let mut merge = commit(2, "Merge branch 'x'", vec![bump("web", "v2", "v1"), bump("api", "v1", "v2")]);
    merge.merged = vec![message];
    let merged = vec![merge, deployed.clone()];
    assert_eq!(services(merged.clone()), ["api"]);
    assert_eq!(reverted(merged), [deployed.id]);
}

#[test]
fn a_revert_puts_back_what_the_deployment_that_it_names_replaced() {
    let kinds = |commits: Vec<Commit>| {
        let (environment, snapshot) = (environment(), snapshot(commits));
        let (found, entries) = Detector::new(&environment).next_with_reverts(&snapshot.commits[0]);
        (found.into_iter().map(|one| one.kind).collect::<Vec<_>>(), entries.len())
    };
    let (one, two) = (CommitId::from_bytes([1; 20]), CommitId::from_bytes([2; 20]));
    let deployed = || commit(1, "bump", vec![bump("web", "v1", "v2")]);
    let first =
        || Commit { id: CommitId::from_bytes([100; 20]), parent: None, ..commit(1, "first", Vec::new()) };
    let to = |value: &str| commit(3, &message_of_revert(1, &[("v2", value)]), vec![bump("web", "v2", value)]);
    assert_eq!(kinds(vec![to("v1"), deployed()]), (vec![ChangeKind::OwnRevert], 1));
    // A new version is a release, whatever its trailers say.
    assert_eq!(kinds(vec![to("v3"), deployed()]), (vec![ChangeKind::Release], 0));
    // So is one whose trailers say only what it replaced.
    let says_no_value = message_of_revert(1, &[]).trim_end().to_owned() + "\nBackout-From: v2\n";
    let silent = commit(3, &says_no_value, vec![bump("web", "v2", "v3")]);
    assert_eq!(kinds(vec![silent, deployed()]), (vec![ChangeKind::Release], 0));
    // Where the named commit changed nothing of the service, its files may have been moved since.
    let of_api = commit(1, "bump", vec![bump("api", "v3", "v2")]);
    assert_eq!(kinds(vec![to("v3"), of_api]), (vec![ChangeKind::Unproven(one)], 0));
    // Where the deployment may be further back than what was read, nobody can say.
    let other = || commit(2, "bump", vec![bump("api", "v1", "v2")]);
    assert_eq!(kinds(vec![to("v3"), other()]), (vec![ChangeKind::Unproven(one)], 0));
    assert_eq!(kinds(vec![to("v1"), other(), first()]), (vec![ChangeKind::Release], 0));
    // With another deployment that goes back too.
    let step = commit(2, "bump", vec![bump("web", "v2", "v2.1")]);
    let both = message_of_revert(2, &[("v2.1", "v2"), ("v2", "v1")]);
    let both = both
        .replace(&format!("Backout-Reverts: {two}"), &format!("Backout-Reverts: {two}\nBackout-With: {one}"));
    let stacked = |value: &str| {
        commit(3, &both.replace("To: v1", &format!("To: {value}")), vec![bump("web", "v2.1", value)])
    };
    assert_eq!(kinds(vec![stacked("v1"), step.clone(), deployed()]), (vec![ChangeKind::OwnRevert], 1));
    assert_eq!(kinds(vec![stacked("v3"), step, deployed()]), (vec![ChangeKind::Release], 0));
}

#[test]
fn a_revert_that_brings_another_new_version_along_is_judged() {
    let two = |image: &str, sidecar: &str| {
        format!("image:\n  tag: {image}\nsidecar:\n  image:\n    tag: {sidecar}\n")
    };
    let path = "apps/web/production/values.yaml";
    let deployed = commit(1, "bump", vec![file(path, Some(&two("v1", "s1")), Some(&two("v2", "s1")))]);
    let message = message_of_revert(1, &[("v2", "v1")]);
    let own = commit(2, &message, vec![file(path, Some(&two("v2", "s1")), Some(&two("v1", "s2")))]);
    let deployments = found(vec![own.clone(), deployed.clone()]);
    assert_eq!(deployments[0].kind, ChangeKind::Rollback(deployed.id));
    assert_eq!(reverted(vec![own, deployed]), []);
}

#[test]
fn trailers_make_no_revert_of_what_does_not_put_the_values_back() {
    let message = message_of_revert(1, &[("v2", "v1")]);
    let quoted = commit(3, &message, vec![bump("web", "v1", "v3")]);
    let empty = commit(3, &message, Vec::new());
    let other_service = commit(3, &message, vec![bump("api", "v2", "v1"), bump("cart", "v2", "v1")]);
    let half = message_of_revert(1, &[("v2", "v1"), ("w2", "w1")]);
    let half = commit(3, &half, vec![bump("web", "v2", "v1")]);
    let wrong_id = message.replace("Backout-Id: ", "Backout-Id: 0");
    let wrong_id = commit(3, &wrong_id, vec![bump("web", "v2", "v1")]);
    let of_itself = commit(3, &message_of_revert(3, &[("v2", "v1")]), vec![bump("web", "v2", "v1")]);
    for (commit, deployed) in
        [(quoted, 1), (empty, 0), (other_service, 2), (half, 1), (wrong_id, 1), (of_itself, 1)]
    {
        assert_eq!(reverted(vec![commit.clone()]), [], "{}", commit.message);
        assert_eq!(found(vec![commit]).len(), deployed);
    }
}

#[test]
fn a_revert_names_a_deployment_that_is_there_where_the_whole_history_is() {
    let own = |deployment| {
        commit(3, &message_of_revert(deployment, &[("v2", "v1")]), vec![bump("web", "v2", "v1")])
    };
    let first = || Commit { parent: None, ..commit(1, "first", Vec::new()) };
    let deployed = || commit(2, "bump", vec![bump("web", "v1", "v2")]);
    assert_eq!(reverted(vec![own(2), deployed(), first()]), [CommitId::from_bytes([2; 20])]);
    assert_eq!(reverted(vec![own(9), deployed(), first()]), []);
    // It may be older than what was read: then nobody can say.
    assert_eq!(reverted(vec![own(9), deployed()]), []);
    assert_eq!(found(vec![own(9), deployed()])[0].kind, ChangeKind::Unproven(CommitId::from_bytes([9; 20])));
}

#[test]
fn schema_changes_are_seen_in_trailers_paths_and_labels() {
    let flag = |message: &str, files: Vec<FileDiff>| found(vec![commit(2, message, files)])[0].schema_words();
    let web = || bump("web", "v1", "v2");
    assert_eq!(flag("bump", vec![web()]), None);
    assert!(flag("bump\n\nSchema-Change: yes\n", vec![web()]).unwrap().contains("Schema-Change"));
    assert!(flag("bump\n\ndatabase-migration: 0042\n", vec![web()]).is_some());
    assert_eq!(flag("bump\n\nSchema-Change: false\n", vec![web()]), None);
    let migration = file("db/migrations/1.sql", None, Some("x"));
    let (schema, all) = {
        let second = file("db/migrations/2.sql", None, Some("x"));
        let migrating = found(vec![commit(2, "bump", vec![web(), migration, second])]).remove(0);
        (migrating.schema_words(), migrating.migrations)
    };
    assert!(schema.unwrap().contains("db/migrations/1.sql"));
    let all: Vec<&str> = all.iter().map(|one| one.path.as_str()).collect();
    assert_eq!(all, ["db/migrations/1.sql", "db/migrations/2.sql"]);
    let labelled =
        |value: &str, tag: &str| format!("tag: {tag}\nlabels:\n  backout/schema-change: \"{value}\"\n");
    let path = "apps/web/production/values.yaml";
    let with = |value| file(path, Some(&labelled(value, "v1")), Some(&labelled(value, "v2")));
    assert!(flag("bump", vec![with("true")]).unwrap().contains("backout/schema-change"));
    assert_eq!(flag("bump", vec![with("false")]), None);
    let mut merge = commit(2, "Merge", vec![web()]);
    merge.merged = vec!["change\n\nSchema-Change: yes\n".to_owned()];
    assert!(found(vec![merge])[0].schema_words().is_some());
}

#[test]
fn trailers_stand_in_the_last_paragraph() {
    let message = "subject: x\n\nBody: not this\n\nBackout-Id: 1\nSigned-off-by: a <b>\n";
    assert_eq!(trailer(message, "backout-id"), Some("1"));
    assert_eq!(trailer(message, "Body"), None);
    assert_eq!(trailer("Backout-Id: 1\n", "Backout-Id"), None);
}

#[test]
fn a_squashed_revert_is_known_by_trailers_that_are_not_last() {
    let own = trailers_of_revert("web", 1, &[("v2", "v1")]);
    let squashed =
        format!("Revert web (#12)\n\n* Revert web\n\n{own}\n\n---------\n\nCo-authored-by: A <a@b>\n");
    let deployed = commit(1, "bump", vec![bump("web", "v1", "v2")]);
    let found = found(vec![commit(2, &squashed, vec![bump("web", "v2", "v1")]), deployed.clone()]);
    assert_eq!(found.iter().map(|one| one.commit).collect::<Vec<_>>(), [deployed.id]);
}

#[test]
fn a_revert_of_another_environment_hides_no_deployment() {
    let staging = EnvironmentName::new("staging").unwrap();
    let web = ServiceName::new("web").unwrap();
    let reverts = CommitId::from_bytes([1; 20]);
    let id = rollback_id(&staging, &web, reverts);
    let own = format!(
        "Backout-Id: {id}\nBackout-Service: web\nBackout-Environment: staging\nBackout-Reverts: {reverts}\n"
    );
    let promoted = commit(2, &format!("Promote\n\n{own}"), vec![bump("web", "v1", "v2")]);
    assert_eq!(found(vec![promoted]).len(), 1);
}

#[test]
fn a_revert_of_its_only_service_is_none_of_the_name_that_the_service_has_now() {
    let own = trailers_of_revert("eu/web", 1, &[("v2", "v1")]);
    let revert = format!("Revert eu/web\n\n{own}\n");
    let newest = |newest: Commit| {
        let deployed = commit(1, "bump", vec![bump("web", "v1", "v2")]);
        found(vec![newest, deployed])
            .into_iter()
            .filter(|one| one.commit != CommitId::from_bytes([1; 20]))
            .count()
    };
    assert_eq!(newest(commit(2, &revert, vec![bump("web", "v2", "v1")])), 0);
    let two = vec![bump("api", "v1", "v2"), bump("web", "v2", "v1")];
    assert_eq!(newest(commit(2, &revert, two)), 2);
    let mut merge = commit(2, "Merge", vec![bump("api", "v1", "v2")]);
    merge.merged = vec![revert];
    assert_eq!(newest(merge), 1, "what was merged can have been on the branch before");
}

#[test]
fn schema_flags_are_read_generously() {
    let flag = |message: &str, files: Vec<FileDiff>| found(vec![commit(2, message, files)])[0].schema_words();
    let squashed = "bump\n\nSchema-Change: yes\n\n---------\n\nCo-authored-by: A <a@b>\n";
    assert!(flag(squashed, vec![bump("web", "v1", "v2")]).is_some());
    let template = |tag: &str, value: &str| {
        format!("{{{{- if x }}}}\nimage_tag: {tag}\nbackout/schema-change: {value}\n{{{{- end }}}}\n")
    };
    let path = "apps/web/production/deployment.gotmpl";
    let with = |value: &str| file(path, Some(&template("v1", value)), Some(&template("v2", value)));
    assert!(flag("bump", vec![with("\"true\"")]).is_some());
    assert_eq!(flag("bump", vec![with("\"false\"")]), None);
}

#[test]
fn a_line_that_moved_does_not_supersede() {
    let text = |head: &str, api: &str, web: &str| format!("{head}{{{{ x }}}}\n{api}\n{web}\n");
    let path = "apps/shop/production/tags.env";
    let first = file(path, Some(&text("", "API=v1", "WEB=v1")), Some(&text("", "API=v2", "WEB=v1")));
    let second = file(path, Some(&text("", "API=v2", "WEB=v1")), Some(&text("", "API=v2", "WEB=v2")));
    let deployments = found(vec![commit(3, "b", vec![second]), commit(2, "a", vec![first])]);
    assert_eq!(deployments.iter().map(|d| d.superseded_by).collect::<Vec<_>>(), [None, None]);
}

/// A commit of one file with so many values, each of which it changes.
fn change_of_values(values: usize) -> Commit {
    let text = |version: &str| (0..values).map(|n| format!("a{n}:\n  tag: {version}\n")).collect::<String>();
    commit(7, "Bump", vec![file("apps/web/production/x.yaml", Some(&text("v1")), Some(&text("v2")))])
}

#[test]
fn a_commit_that_changes_more_fields_than_are_taken_back_is_left_to_a_person() {
    let [at_most] = found(vec![change_of_values(compared::MAX_FIELDS)]).try_into().unwrap();
    assert_eq!((at_most.beyond, at_most.fields.len()), (None, compared::MAX_FIELDS));
    let all = found(vec![change_of_values(compared::MAX_FIELDS + 1), bump_commit()]);
    let [beyond, other] = all.try_into().unwrap();
    assert!(beyond.beyond.unwrap().starts_with("the commit changed more than 5000 release fields of it"));
    assert!(beyond.fields.is_empty() && beyond.files.is_empty());
    assert_eq!(other.beyond, None);
}

fn bump_commit() -> Commit {
    commit(6, "Bump", vec![bump("api", "v1", "v2")])
}

#[test]
fn a_file_that_grows_past_what_is_read_is_told_with_its_service_and_others_are_found() {
    let mut large = bump("web", "v1", "v2");
    large.new.as_mut().unwrap().bytes = None;
    let both = vec![bump("api", "v1", "v2"), large.clone()];
    let all = found(vec![commit(7, "Bump", both)]);
    let told: Vec<(&str, bool)> =
        all.iter().map(|one| (one.service.as_str(), one.beyond.is_some())).collect();
    assert_eq!(told, [("api", false), ("web", true)]);
    // What was too large before as well was never read.
    large.old.as_mut().unwrap().bytes = None;
    assert_eq!(found(vec![commit(7, "Bump", vec![large])]).len(), 0);
}

#[test]
fn what_was_compared_before_is_found_again_and_says_the_same() {
    let memo = Arc::new(Memo::default());
    let commits = vec![bump_commit(), commit(5, "Bump", vec![bump("api", "v0", "v1")])];
    let snapshot = Snapshot {
        branch: BranchName::new("main").unwrap(),
        head: commits[0].id,
        commits,
        diffs_since: Time::from_unix(0),
        dropped: Vec::new(),
        former: BTreeMap::new(),
    };
    let environment = environment();
    let detect_with =
        |stop| Detector::with(&environment, Documents::new(Arc::clone(&memo), stop)).all(&snapshot);
    let first = detect_with(None);
    assert_eq!(first.len(), 2);
    // Nothing is compared any more, and all is known already.
    let stopped = || Some(Arc::new(std::sync::atomic::AtomicBool::new(true)));
    assert_eq!(detect_with(stopped()), first);
    let elsewhere = Detector::with(&environment, Documents::new(Arc::default(), stopped())).all(&snapshot);
    assert_eq!(elsewhere, []);
}

/// The services of a commit share its migrations, and what is behind the bound may mean anything.
#[test]
fn the_sql_of_a_commit_is_read_up_to_a_bound() {
    let long = format!("-- {}\nDROP TABLE a;\n", "x".repeat(1 << 20));
    let small = file("db/migrations/1.sql", None, Some("ALTER TABLE a ADD COLUMN b int;\n"));
    let files = vec![
        bump("web", "v1", "v2"),
        bump("api", "v1", "v2"),
        small,
        file("db/migrations/2.sql", None, Some(&long)),
    ];
    let deployments = found(vec![commit(2, "bump", files)]);
    assert_eq!(deployments.len(), 2);
    for deployment in deployments {
        let read: Vec<bool> = deployment.migrations.iter().map(|one| one.worst.is_some()).collect();
        assert_eq!(read, [true, false]);
        assert_eq!(deployment.schema[0].what, "it touches db/migrations/2.sql");
    }
}
