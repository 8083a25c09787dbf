use super::*;
use crate::domain::change::plan::tests::deployment;

fn at(minute: i64, old: &str, new: &str) -> Deployment {
    let mut deployment = deployment(&format!("tag: {old}\n"), &format!("tag: {new}\n"));
    deployment.commit = CommitId::from_bytes([u8::try_from(minute).unwrap(); 20]);
    deployment.at = Time::from_unix(minute * 60);
    deployment
}

fn own(minute: i64, old: &str, new: &str) -> Deployment {
    Deployment { kind: ChangeKind::OwnRevert, ..at(minute, old, new) }
}

/// The version that a revert of the newest change leads to, by rules under which 20 minutes are enough.
fn goal(changes: Vec<Deployment>, bad: &[&str]) -> String {
    goal_of(0, changes, bad)
}

fn goal_of(own: usize, changes: Vec<Deployment>, bad: &[&str]) -> String {
    let commit = changes[own].commit;
    let lineage = Lineage::new(changes, Vec::new());
    let in_quarantine = |values: &BTreeSet<String>| values.iter().any(|value| bad.contains(&value.as_str()));
    let good = GoodState {
        tried_secs: 1_200,
        targets: 3,
        in_quarantine: &in_quarantine,
        is_bad: &|_| false,
        is_missing: &|_| false,
    };
    match lineage.goal(commit, &good).unwrap() {
        Goal::Undo(undo, state) => format!("{} by {}", state.fields[0].2, undo.len()),
        Goal::NoneGood(reached) => format!("none of {}", reached.len()),
        Goal::TakenBack(_) => "taken back".to_owned(),
        Goal::Under(_) => "under".to_owned(),
    }
}

#[test]
fn a_revert_leads_to_the_newest_state_that_ran_long_enough() {
    assert_eq!(goal(vec![at(200, "v1", "v2")], &[]), "v1 by 1");
    assert_eq!(goal(vec![at(200, "v2", "v3"), at(100, "v1", "v2")], &[]), "v2 by 1");
    assert_eq!(goal(vec![at(110, "v2", "v3"), at(100, "v1", "v2")], &[]), "v1 by 2");
    // v1 ran only briefly the second time, but long before.
    let again = vec![at(110, "v1", "v3"), at(100, "v2", "v1"), at(60, "v1", "v2")];
    assert_eq!(goal(again, &[]), "v1 by 1");
}

#[test]
fn deployments_on_top_of_the_bad_one_go_back_with_it() {
    let stack = vec![at(104, "v2", "v3"), at(100, "v1", "v2"), at(20, "v0", "v1")];
    assert_eq!(goal_of(1, stack.clone(), &[]), "v1 by 2");
    assert_eq!(goal_of(0, stack, &[]), "v1 by 2");
    let taken_back = vec![at(104, "v2", "v1"), at(100, "v1", "v2"), at(20, "v0", "v1")];
    assert_eq!(goal_of(1, taken_back, &[]), "taken back");
    // The revert of the newer one left the older one running.
    let running = vec![own(108, "v3", "v2"), at(104, "v2", "v3"), at(100, "v1", "v2"), at(20, "v0", "v1")];
    assert_eq!(goal_of(2, running, &[]), "v1 by 1");
    let reverted = vec![own(104, "v2", "v1"), at(100, "v1", "v2"), at(20, "v0", "v1")];
    assert_eq!(goal_of(1, reverted, &[]), "taken back");
}

#[test]
fn what_is_in_quarantine_or_was_taken_back_is_no_target() {
    // The agent reverted v1.1; a person put it back; v1.2 came.
    let changes = vec![
        at(240, "v1.1", "v1.2"),
        at(145, "v1.0", "v1.1"),
        own(135, "v1.1", "v1.0"),
        at(125, "v1.0", "v1.1"),
    ];
    assert_eq!(goal(changes, &["v1.1"]), "v1.0 by 2");
    // A person went from v3 back to v2: what v3 was is not what one goes back to.
    let rollback = vec![at(240, "v2", "v3"), at(200, "v3", "v2"), at(100, "v2", "v3"), at(20, "v1", "v2")];
    assert_eq!(goal(rollback, &[]), "v2 by 1");
    let all_bad = vec![at(240, "v3", "v4"), at(200, "v2", "v3"), at(100, "v1", "v2"), at(20, "v0", "v1")];
    assert_eq!(goal(all_bad.clone(), &["v3"]), "v2 by 2");
    assert_eq!(goal(all_bad.clone(), &["v3", "v2", "v1"]), "none of 3");
    let lineage = Lineage::new(all_bad, Vec::new());
    let bad = CommitId::from_bytes([200; 20]);
    let good = GoodState {
        tried_secs: 1_200,
        targets: 1,
        in_quarantine: &|_| false,
        is_bad: &|change| change.commit == bad,
        is_missing: &|_| false,
    };
    let goal = lineage.goal(CommitId::from_bytes([240; 20]), &good).unwrap();
    assert!(matches!(goal, Goal::NoneGood(reached) if reached[0].commit == Some(bad)));
    assert_eq!(lineage.goal(CommitId::from_bytes([9; 20]), &good), None);
}

#[test]
fn a_state_that_cannot_run_again_is_no_target() {
    let changes = vec![at(240, "v2", "v3"), at(200, "v1", "v2"), at(100, "v0", "v1")];
    let lineage = Lineage::new(changes, Vec::new());
    let id = |minute: u8| CommitId::from_bytes([minute; 20]);
    let goal_without = |missing: &[Option<CommitId>]| {
        let good = GoodState {
            tried_secs: 1_200,
            targets: 3,
            in_quarantine: &|_| false,
            is_bad: &|_| false,
            is_missing: &|state| missing.contains(&state),
        };
        match lineage.goal(id(240), &good) {
            Some(Goal::Undo(_, earlier)) => Ok(earlier.commit),
            Some(Goal::NoneGood(reached)) => Err(reached.len()),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(goal_without(&[]), Ok(Some(id(200))));
    assert_eq!(goal_without(&[Some(id(200))]), Ok(Some(id(100))));
    assert_eq!(goal_without(&[Some(id(200)), Some(id(100))]), Ok(None), "what was before all");
    assert_eq!(goal_without(&[Some(id(200)), Some(id(100)), None]), Err(3));
    let up_to = |state| lineage.up_to(state).iter().map(|one| one.commit).collect::<Vec<_>>();
    assert_eq!(up_to(Some(id(200))), [id(200), id(100)]);
    assert!(up_to(None).is_empty());
}

#[test]
fn rollbacks_are_known_by_what_they_bring_back() {
    let roles = |changes: Vec<Deployment>| -> Vec<String> {
        let lineage = Lineage::new(changes, Vec::new());
        let role = |change: &Deployment| match change.kind {
            ChangeKind::Release => "release".to_owned(),
            ChangeKind::OwnRevert => "own".to_owned(),
            ChangeKind::Rollback(of) => format!("rollback of {}", of.as_bytes()[0]),
            ChangeKind::Unproven(of) => format!("unproven revert of {}", of.as_bytes()[0]),
        };
        lineage.changes.iter().map(role).collect()
    };
    assert_eq!(roles(vec![at(30, "v2", "v1"), at(20, "v1", "v2")]), ["rollback of 20", "release"]);
    assert_eq!(roles(vec![at(30, "v2", "\"v1\""), at(20, "v1", "v2")]), ["rollback of 20", "release"]);
    // Deployed again after a rollback, and after the agent's revert.
    let again = vec![at(40, "v1", "v2"), at(30, "v2", "v1"), at(20, "v1", "v2")];
    assert_eq!(roles(again), ["release", "rollback of 20", "release"]);
    let again = vec![at(40, "v1", "v2"), own(30, "v2", "v1"), at(20, "v1", "v2")];
    assert_eq!(roles(again), ["release", "own", "release"]);
    // Further back than one.
    let far = vec![at(40, "v3", "v1"), at(30, "v2", "v3"), at(20, "v1", "v2")];
    assert_eq!(roles(far), ["rollback of 20", "release", "release"]);
    assert_eq!(roles(vec![at(30, "v2", "v3"), at(20, "v1", "v2")]), ["release", "release"]);
}

/// A change of two fields of one file.
fn both(minute: i64, old: (&str, &str), new: (&str, &str)) -> Deployment {
    let text = |(web, worker): (&str, &str)| format!("web: {{tag: {web}}}\nworker: {{tag: {worker}}}\n");
    let changed = deployment(&text(old), &text(new));
    Deployment {
        fields: changed.fields,
        left_behind: changed.left_behind,
        files: changed.files,
        ..at(minute, "a", "b")
    }
}

#[test]
fn a_rollback_of_a_part_is_one_and_does_not_settle_the_rest() {
    let release = both(20, ("v1", "w1"), ("v2", "w1"));
    let lineage = Lineage::new(vec![both(90, ("v2", "w1"), ("v1", "w2")), release.clone()], Vec::new());
    assert_eq!(lineage.changes[0].kind, ChangeKind::Rollback(release.commit));
    let bad = both(100, ("v1", "w1"), ("v2", "w2"));
    let web_back = both(104, ("v2", "w2"), ("v1", "w2"));
    assert_eq!(goal_of(1, vec![web_back.clone(), bad.clone()], &[]), "under");
    let both_back = both(106, ("v1", "w2"), ("v1", "w1"));
    assert_eq!(goal_of(2, vec![both_back, web_back, bad], &[]), "taken back");
    // The other image went back on top of the bad one.
    let before = both(20, ("v1", "w1"), ("v1", "w2"));
    let bad = both(100, ("v1", "w2"), ("v2", "w2"));
    let other_back = both(104, ("v2", "w2"), ("v2", "w1"));
    assert_eq!(goal_of(1, vec![other_back, bad, before], &[]), "under");
}

#[test]
fn the_good_states_before_a_deployment_are_told() {
    let changes = vec![
        at(120, "v3", "v4"),
        at(90, "v2", "v3"),
        at(60, "v1", "v2"),
        at(58, "v0", "v1"),
        at(30, "a", "v0"),
    ];
    let lineage = Lineage::new(changes, Vec::new());
    let good = GoodState {
        tried_secs: 600,
        targets: 3,
        in_quarantine: &|_| false,
        is_bad: &|_| false,
        is_missing: &|_| false,
    };
    let found = lineage.good_before(CommitId::from_bytes([120; 20]), &good, 9);
    let texts: Vec<&str> = found.iter().map(|earlier| earlier.fields[0].2.as_str()).collect();
    assert_eq!(texts, ["v3", "v2", "v0", "a"]);
    assert_eq!((found[1].since.unwrap().unix(), found[1].until.unix()), (3_600, 5_400));
    assert_eq!(found[3].commit, None);
}

/// The minutes of the changes that brought back what had run before, newest first.
fn returns(changes: Vec<Deployment>, within_secs: u32) -> Vec<i64> {
    let newest = changes[0].commit;
    let lineage = Lineage::new(changes, Vec::new());
    let found = lineage.returns(newest, within_secs);
    found.iter().map(|one| lineage.of(one.commit).unwrap().at.unix() / 60).collect()
}

#[test]
fn what_brings_back_versions_that_ran_before_is_a_return() {
    let there_and_back =
        || vec![at(40, "v1", "v2"), at(30, "v2", "v1"), at(20, "v1", "v2"), at(10, "v0", "v1")];
    let day = 86_400;
    assert_eq!(returns(there_and_back(), day), [40, 30]);
    assert_eq!(returns(there_and_back()[1..].to_vec(), day), [30], "one rollback");
    assert_eq!(returns(there_and_back()[2..].to_vec(), day), [0; 0], "a new version");
    let more = [vec![at(60, "v1", "v2"), at(50, "v2", "v1")], there_and_back()].concat();
    assert_eq!(returns(more, day), [60, 50, 40, 30]);
    let moves_on = [vec![at(50, "v2", "v3")], there_and_back()].concat();
    assert_eq!(returns(moves_on, day), [0; 0], "v3 is new");
    // What is older than the quarantine is forgotten, and with it that v2 had run.
    assert_eq!(returns(there_and_back(), 15 * 60), [40]);
    assert_eq!(returns(there_and_back(), 5 * 60), [0; 0]);
    let by_agent = vec![at(40, "v1", "v2"), own(30, "v2", "v1"), at(20, "v1", "v2")];
    assert_eq!(returns(by_agent, day), [0; 0], "the agent has put an end to it");
    // One of two versions is new.
    let mut both = there_and_back();
    let more =
        FieldChange { address: "sidecar".to_owned(), new: "v9".to_owned(), ..both[0].fields[0].clone() };
    both[0].fields.push(more);
    assert_eq!(returns(both, day), [0; 0]);
    // What belongs to no version, such as a slot, comes back each time.
    let mut slots = there_and_back();
    for change in &mut slots {
        change.fields[0].rule = crate::domain::field::FieldRule::ByHand;
    }
    assert_eq!(returns(slots, day), [0; 0]);
}
