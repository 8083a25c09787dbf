use proptest::prelude::*;

use super::super::command::{Command, Right};
use super::super::text::with_closing;
use super::*;
use crate::domain::ids::CommitId;

fn review(state: ReviewState, scheduled: bool, standing: Standing, commands: Vec<Command>) -> Review {
    Review {
        number: 7,
        url: "https://forge.example.com/7".to_owned(),
        head: CommitId::from_bytes([1; 20]),
        state,
        merged_as: None,
        opened_at: Time::from_unix(1_000),
        body: "<!-- backout-id: 1 -->\n".to_owned(),
        scheduled,
        standing,
        commands,
        unread: None,
        second: None,
    }
}

fn blocked() -> Standing {
    Standing::Blocked(vec!["the required check `ci` is failure".to_owned()])
}

fn said(at: i64, order: Order, allowed: bool) -> Command {
    let right = if allowed { Right::Given } else { Right::Missing };
    Command { by: "dana".to_owned(), at: Time::from_unix(at), order, right }
}

/// The usual: merged by itself, the branch fresh, ten minutes after it was opened.
fn watched<'a>(review: &'a Review, outlook: &'a Outlook) -> Watched<'a> {
    Watched {
        review,
        rules: ReviewRules { merge: Merge::Auto, deadline_secs: 1_800 },
        outlook,
        branch: Branch::Fresh,
        overdue_at: None,
        asked: None,
        by_agent: false,
        frozen: None,
        withdrawn: None,
        declined_at: None,
        deaf: None,
        now: Time::from_unix(1_600),
    }
}

fn words(step: &Step) -> &'static str {
    match step {
        Step::Wait(_) => "wait",
        Step::Recompute => "recompute",
        Step::Merge => "merge",
        Step::Unschedule(_) => "unschedule",
        Step::Close(_) => "close",
        Step::Done => "done",
        Step::Escalate(_) => "escalate",
        Step::Declined(_) => "declined",
        Step::Closed(_) => "closed",
    }
}

#[test]
fn an_open_one_is_merged_once_it_may() {
    for (scheduled, merge, orders, expected) in [
        (false, Merge::Auto, vec![], "merge"),
        (true, Merge::Auto, vec![], "wait"),
        (false, Merge::Manual, vec![], "wait"),
        (false, Merge::Manual, vec![said(1_100, Order::Approve, true)], "merge"),
        (false, Merge::Manual, vec![said(1_100, Order::Approve, false)], "wait"),
        (true, Merge::Manual, vec![], "wait"),
        (true, Merge::Auto, vec![said(1_500, Order::Hold(600), true)], "unschedule"),
        (false, Merge::Auto, vec![said(1_500, Order::Hold(600), true)], "wait"),
        (false, Merge::Auto, vec![said(1_500, Order::Hold(600), false)], "merge"),
        (false, Merge::Auto, vec![said(1_100, Order::Hold(400), true)], "merge"),
        (
            false,
            Merge::Auto,
            vec![said(1_500, Order::Hold(600), true), said(1_550, Order::Retry, true)],
            "merge",
        ),
        (
            false,
            Merge::Auto,
            vec![said(1_500, Order::Hold(600), true), said(1_550, Order::Approve, true)],
            "merge",
        ),
        (
            false,
            Merge::Manual,
            vec![said(1_100, Order::Approve, true), said(1_500, Order::Hold(600), true)],
            "wait",
        ),
    ] {
        let review = review(ReviewState::Open, scheduled, blocked(), orders.clone());
        let mut watched = watched(&review, &Outlook::Due);
        watched.rules.merge = merge;
        assert_eq!(words(&step(&watched)), expected, "{scheduled} {merge:?} {orders:?}");
    }
}

/// A forge may pass over what it was asked to merge, and not look again.
#[test]
fn what_is_ready_is_asked_for_though_the_forge_was_to_merge_it() {
    let scheduled = review(ReviewState::Open, true, Standing::Ready, Vec::new());
    let mut watched = watched(&scheduled, &Outlook::Due);
    assert_eq!(step(&watched), Step::Merge);
    let refused = Merging::Waiting("the agent, which asks again".to_owned());
    for asked in [&Merging::Scheduled, &refused] {
        let watched = Watched { asked: Some(asked), ..watched };
        assert_eq!(words(&step(&watched)), "wait", "once in a pass, and the schedule is kept");
    }
    watched.rules.merge = Merge::Manual;
    assert_eq!(step(&watched), Step::Merge, "a person has asked the forge for it, which is an approval");
    watched.by_agent = true;
    assert_eq!(words(&step(&watched)), "unschedule");
    watched.branch = Branch::Foreign;
    assert_eq!(words(&step(&watched)), "unschedule");
}

#[test]
fn what_the_branch_and_the_environment_are_at_comes_first() {
    let lost = Outlook::Lost("a field is gone".to_owned());
    let superseded = Outlook::Superseded("it is v3 by now".to_owned());
    for (outlook, branch, standing, scheduled, expected) in [
        (&Outlook::Due, Branch::Stale, blocked(), true, "recompute"),
        (&Outlook::Due, Branch::Current, blocked(), true, "wait"),
        (&Outlook::Due, Branch::Current, Standing::Behind, true, "recompute"),
        (&Outlook::Due, Branch::Current, Standing::Conflict, false, "recompute"),
        (&Outlook::Due, Branch::Fresh, Standing::Conflict, true, "wait"),
        (&Outlook::Due, Branch::Foreign, Standing::Ready, false, "wait"),
        (&Outlook::Due, Branch::Foreign, Standing::Ready, true, "unschedule"),
        (&Outlook::Restored, Branch::Foreign, Standing::Ready, true, "close"),
        (&superseded, Branch::Fresh, Standing::Ready, true, "close"),
        (&lost, Branch::Fresh, Standing::Ready, true, "unschedule"),
        (&lost, Branch::Fresh, Standing::Ready, false, "wait"),
    ] {
        let review = review(ReviewState::Open, scheduled, standing.clone(), Vec::new());
        let watched = Watched { branch, ..watched(&review, outlook) };
        assert_eq!(words(&step(&watched)), expected, "{outlook:?} {branch:?} {standing:?}");
    }
}

#[test]
fn a_merge_is_done_when_the_branch_holds_the_good_values() {
    let review = review(ReviewState::Merged, false, Standing::Unknown, Vec::new());
    for (outlook, expected) in [
        (Outlook::Restored, "done"),
        (Outlook::RestoredWithMore, "escalate"),
        (Outlook::Due, "escalate"),
        (Outlook::Superseded("it is v0 by now".to_owned()), "escalate"),
        (Outlook::Lost("gone".to_owned()), "escalate"),
    ] {
        assert_eq!(words(&step(&watched(&review, &outlook))), expected, "{outlook:?}");
    }
}

#[test]
fn closing_means_no_unless_the_agent_did_it() {
    let by = Some("dana".to_owned());
    let mut review = review(ReviewState::Closed { by }, false, Standing::Unknown, Vec::new());
    assert_eq!(step(&watched(&review, &Outlook::Due)), Step::Declined("dana".to_owned()));
    review.body = with_closing(&review.body, "it is v3 by now");
    assert_eq!(words(&step(&watched(&review, &Outlook::Due))), "closed");
}

#[test]
fn the_deadline_is_told_once_and_begins_anew_where_somebody_asks() {
    let late = |commands: Vec<Command>, overdue_at: Option<i64>, now: i64| {
        let review = review(ReviewState::Open, true, blocked(), commands);
        let watched = Watched {
            overdue_at: overdue_at.map(Time::from_unix),
            now: Time::from_unix(now),
            ..watched(&review, &Outlook::Due)
        };
        step(&watched)
    };
    assert_eq!(words(&late(vec![], None, 2_799)), "wait");
    let Step::Escalate(why) = late(vec![], None, 2_800) else { panic!() };
    assert!(why.contains("not merged within 30 min") && why.contains("`ci` is failure"), "{why}");
    assert_eq!(words(&late(vec![], Some(2_800), 9_000)), "wait");
    let retry = || vec![said(3_000, Order::Retry, true)];
    assert_eq!(words(&late(retry(), Some(2_800), 4_000)), "wait");
    assert_eq!(words(&late(retry(), Some(2_800), 4_800)), "escalate");
    let held = || vec![said(1_500, Order::Hold(3_000), true)];
    assert_eq!(words(&late(held(), None, 6_299)), "wait", "a hold does not count");
    assert_eq!(words(&late(held(), None, 6_300)), "escalate");
}

#[test]
fn what_cannot_be_merged_by_itself_is_told_when_its_time_is_over() {
    let lost = Outlook::Lost("a field is gone".to_owned());
    for (outlook, branch) in [(&Outlook::Due, Branch::Foreign), (&lost, Branch::Fresh)] {
        let open = review(ReviewState::Open, false, Standing::Ready, Vec::new());
        let mut watched = Watched { branch, ..watched(&open, outlook) };
        assert_eq!(words(&step(&watched)), "wait");
        watched.now = Time::from_unix(9_000);
        assert_eq!(words(&step(&watched)), "escalate");
        watched.rules.merge = Merge::Manual;
        assert_eq!(words(&step(&watched)), "wait", "a person decides when");
    }
}

#[test]
fn what_the_agent_had_asked_for_is_taken_back_where_a_person_decides_now() {
    let review = review(ReviewState::Open, true, blocked(), Vec::new());
    let mut watched = Watched { by_agent: true, ..watched(&review, &Outlook::Due) };
    watched.rules.merge = Merge::Manual;
    assert_eq!(words(&step(&watched)), "unschedule");
    watched.by_agent = false;
    assert_eq!(words(&step(&watched)), "wait", "a person has asked for it");
}

#[test]
fn what_is_frozen_is_not_merged_whoever_approves() {
    for (scheduled, expected) in [(true, "unschedule"), (false, "wait")] {
        let orders = vec![said(1_100, Order::Approve, true)];
        let review = review(ReviewState::Open, scheduled, Standing::Ready, orders);
        let watched = Watched { frozen: Some("mode observe"), ..watched(&review, &Outlook::Due) };
        assert_eq!(words(&step(&watched)), expected);
    }
}

#[test]
fn a_forge_that_does_not_merge_by_itself_is_asked_once_in_a_pass() {
    let review = review(ReviewState::Open, false, blocked(), Vec::new());
    let waiting = Merging::Waiting("the agent, as the forge does not".to_owned());
    let mut watched = watched(&review, &Outlook::Due);
    assert_eq!(step(&watched), Step::Merge);
    watched.asked = Some(&waiting);
    let Step::Wait(why) = step(&watched) else { panic!() };
    assert!(why.starts_with("the agent") && why.contains("`ci` is failure"), "{why}");
    watched.now = Time::from_unix(9_000);
    assert_eq!(words(&step(&watched)), "escalate");
}

fn any_order() -> impl Strategy<Value = Order> {
    prop_oneof![Just(Order::Approve), Just(Order::Retry), (1_i64..5_000).prop_map(Order::Hold)]
}

prop_compose! {
    fn any_commands()(all in prop::collection::vec((0_i64..9_000, any_order(), any::<bool>()), 0..5)) -> Vec<Command> {
        all.into_iter().map(|(at, order, allowed)| said(at, order, allowed)).collect()
    }
}

proptest! {
    /// Whatever people without the right say, whatever stands on the branch: nothing but the revert is ever merged, and
    /// what a person must decide about is not merged by itself.
    #[test]
    fn nothing_is_merged_that_must_not_be(
        commands in any_commands(),
        scheduled in any::<bool>(),
        manual in any::<bool>(),
        branch in prop_oneof![
            Just(Branch::Fresh), Just(Branch::Current), Just(Branch::Stale), Just(Branch::Foreign)
        ],
        due in any::<bool>(),
        ready in any::<bool>(),
        by_agent in any::<bool>(),
        now in 0_i64..20_000,
    ) {
        let standing = if ready { Standing::Ready } else { blocked() };
        let review = review(ReviewState::Open, scheduled, standing, commands);
        let outlook = if due { Outlook::Due } else { Outlook::Lost("gone".to_owned()) };
        let watched = Watched {
            branch,
            rules: ReviewRules { merge: if manual { Merge::Manual } else { Merge::Auto }, deadline_secs: 600 },
            now: Time::from_unix(now),
            by_agent,
            ..watched(&review, &outlook)
        };
        let next = step(&watched);
        let approved = review.commands.iter().any(|one| one.right == Right::Given && one.order == Order::Approve);
        if next == Step::Merge {
            prop_assert!(due && matches!(branch, Branch::Fresh | Branch::Current));
            // To ask the forge to merge it is an approval, where it was a person who asked.
            prop_assert!(!manual || approved || scheduled && !by_agent);
        }
        if scheduled && (branch == Branch::Foreign || !due) {
            prop_assert!(matches!(next, Step::Unschedule(_)), "{:?}", next);
        }
    }
}

/// One of the comments that cannot be read may hold it.
#[test]
fn what_may_be_held_by_a_comment_that_cannot_be_read_is_not_merged() {
    for (scheduled, expected) in [(true, "unschedule"), (false, "wait")] {
        let mut review = review(ReviewState::Open, scheduled, Standing::Ready, Vec::new());
        review.unread = Some("the answer is too large".to_owned());
        let next = step(&watched(&review, &Outlook::Due));
        assert_eq!(words(&next), expected);
        let (Step::Wait(why) | Step::Unschedule(why)) = next else { panic!("{next:?}") };
        assert!(why.contains("not all can be read (the answer is too large)"), "{why}");
    }
}

#[test]
fn what_was_approved_before_a_no_is_no_approval() {
    let review = review(ReviewState::Open, false, Standing::Ready, vec![said(1_100, Order::Approve, true)]);
    for (declined_at, expected) in
        [(None, "merge"), (Some(1_050), "merge"), (Some(1_100), "wait"), (Some(1_200), "wait")]
    {
        let mut watched = watched(&review, &Outlook::Due);
        watched.rules.merge = Merge::Manual;
        watched.declined_at = declined_at.map(Time::from_unix);
        assert_eq!(words(&step(&watched)), expected, "{declined_at:?}");
    }
}
