//! What is known as bad from another environment and is deployed all the same: when its revert may be proposed before it is judged here.

use super::*;
use crate::domain::deployment::precedent::{Became, Precedent};
use crate::domain::environment::freeze::Frozen;
use crate::domain::environment::pause::Pause;

fn known() -> Precedent {
    Precedent {
        environment: EnvironmentName::new("staging").unwrap(),
        service: ServiceName::new("web").unwrap(),
        deployment: CommitId::from_bytes([50; 20]),
        artifact: "shop/web:v2".to_owned(),
        at: Time::from_unix(DEPLOYED_AT - 86_400),
        became: Became::Bad { signals: Vec::new(), revert: None },
    }
}

/// The decision about a deployment that brings what is known as bad, the last guard that was asked, and whether it is proposed early.
fn decided_of(
    verdict: Verdict,
    change_case: impl FnOnce(&mut Case<'_>),
    change: impl FnOnce(&mut Deployment, &mut Policy, &mut Situation<'_>),
) -> (String, String, bool) {
    let (mut own, mut policy, known) = (deployment("web", 1, DEPLOYED_AT), auto(), known());
    let mut situation = quiet(Time::from_unix(DEPLOYED_AT + 60));
    change(&mut own, &mut policy, &mut situation);
    let judgement = Judgement { since: None, ..judgement(verdict, DEPLOYED_AT) };
    let mut case = Case { known_elsewhere: Some(&known), ..case_of(&own, &judgement, &policy) };
    change_case(&mut case);
    let (decision, guards) = decide(&case, &situation);
    let last = guards.last().unwrap().guard.clone();
    (decision.word().to_owned(), last, guards.iter().any(GuardAnswer::is_early))
}

fn held(change: impl FnOnce(&mut Deployment, &mut Policy, &mut Situation<'_>)) -> (String, String, bool) {
    decided_of(Verdict::Pending, |_| {}, change)
}

fn is(word: &str, guard: &str, is_early: bool) -> (String, String, bool) {
    (word.to_owned(), guard.to_owned(), is_early)
}

#[test]
fn its_revert_is_proposed_as_long_as_nothing_can_be_said_here() {
    let silent = || Verdict::Inconclusive("no answer".to_owned());
    let of = |verdict, unanswered| decided_of(verdict, |case| case.unanswered = unanswered, |_, _, _| {});
    assert_eq!(of(Verdict::Pending, false), is("propose", "elsewhere", true));
    assert_eq!(of(silent(), true), is("propose", "elsewhere", true), "the source may answer later");
    assert_eq!(of(silent(), false), is("pass", "verdict", false));
    assert_eq!(of(Verdict::Healthy, false), is("wait", "verdict", false));
    assert_eq!(of(Verdict::Preexisting, false), is("pass", "verdict", false));
    assert_eq!(of(Verdict::Regressed, false), is("revert", "elsewhere", false));
    let plain = decided_of(Verdict::Pending, |case| case.known_elsewhere = None, |_, _, _| {});
    assert_eq!(plain, is("wait", "verdict", false));
}

/// In each mode that lets the agent propose at all, and in a freeze window.
#[test]
fn a_person_says_whether_it_goes_back_whatever_the_mode() {
    let frozen = Brakes {
        frozen: Some(Frozen { until: Some(Time::from_unix(2_000_000)), why: "the sales".to_owned() }),
        ..Brakes::default()
    };
    for (mode, by) in [(Mode::Auto, "elsewhere"), (Mode::Earn, "trust"), (Mode::Propose, "mode")] {
        assert_eq!(held(|_, policy, _| policy.mode = mode), is("propose", by, true));
    }
    let (own, policy, judgement, known) =
        (deployment("web", 1, DEPLOYED_AT), auto(), judgement(Verdict::Pending, DEPLOYED_AT), known());
    let situation = Situation { brakes: &frozen, ..quiet(Time::from_unix(DEPLOYED_AT + 60)) };
    let case = Case { known_elsewhere: Some(&known), ..case_of(&own, &judgement, &policy) };
    let (decision, guards) = decide(&case, &situation);
    assert_eq!((decision, guards.last().unwrap().guard.as_str()), (Decision::Propose, "frozen"));
}

/// What a guard has against it is no reason to stop watching: it is decided as if nothing were known.
#[test]
fn where_a_guard_holds_it_the_deployment_is_watched_like_any_other() {
    let pause = Pause {
        environment: EnvironmentName::new("production").unwrap(),
        service: None,
        at: Some(Time::from_unix(DEPLOYED_AT)),
        until: Time::from_unix(DEPLOYED_AT + 900),
        by: "Ann".to_owned(),
        why: "a move".to_owned(),
        lifted: None,
    };
    let paused = Brakes { pauses: vec![pause], ..Brakes::default() };
    let reverts = [revert_of(&deployment("web", 9, DEPLOYED_AT - 900), DEPLOYED_AT - 600, "v7")];
    let budget: Vec<RevertEntry> = (10..13)
        .map(|i| revert_of(&deployment(&format!("s{i}"), i, DEPLOYED_AT - 900), DEPLOYED_AT - 600, "v7"))
        .collect();
    let later = [deployment("web", 1, DEPLOYED_AT), deployment("web", 2, DEPLOYED_AT)];
    let waits = is("wait", "verdict", false);
    let situation = quiet(Time::from_unix(DEPLOYED_AT + 60));
    let of = |situation: Situation<'_>, mode: Mode| {
        let (own, judgement, known) =
            (deployment("web", 1, DEPLOYED_AT), judgement(Verdict::Pending, DEPLOYED_AT), known());
        let policy = Policy { mode, ..auto() };
        let case = Case { known_elsewhere: Some(&known), ..case_of(&own, &judgement, &policy) };
        let (decision, guards) = decide(&case, &situation);
        let last = guards.last().unwrap().guard.clone();
        (decision.word().to_owned(), last, guards.iter().any(GuardAnswer::is_early))
    };
    assert_eq!(of(Situation { brakes: &paused, ..situation }, Mode::Auto), waits);
    assert_eq!(of(Situation { reverts: &reverts, ..situation }, Mode::Auto), waits, "cooldown");
    assert_eq!(of(Situation { reverts: &budget, ..situation }, Mode::Auto), waits, "budget");
    assert_eq!(of(Situation { watched: &later, ..situation }, Mode::Auto).0, "wait", "a later deployment");
    assert_eq!(of(situation, Mode::Observe), waits);
    assert_eq!(of(situation, Mode::Auto), is("propose", "elsewhere", true), "and with nothing of that");
    let schema = SchemaChange::unknown(SchemaDetector::Trailers, "commit trailer Schema-Change".to_owned());
    assert_eq!(held(|own, _, _| own.schema = vec![schema]), waits);
    let other = CommitId::from_bytes([3; 20]);
    assert_eq!(held(|own, _, _| own.kind = ChangeKind::Rollback(other)), waits);
    assert_eq!(held(|own, _, _| own.superseded_by = Some(other)), is("pass", "superseded", false));
    let none_good = Goal::NoneGood(Vec::new());
    let (own, policy, judgement, known) =
        (deployment("web", 1, DEPLOYED_AT), auto(), judgement(Verdict::Pending, DEPLOYED_AT), known());
    let case = case_of(&own, &judgement, &policy);
    let case = Case { known_elsewhere: Some(&known), goal: Some(&none_good), ..case };
    assert_eq!(decide(&case, &situation).0, Decision::Wait);
}

/// A revert of a group takes back services of which nothing is known at all.
#[test]
fn with_others_of_its_group_nothing_is_proposed_early() {
    let member = Member { service: ServiceName::new("api").unwrap(), held: None, proposed: None };
    let members = [member];
    let (own, policy, judgement, known) =
        (deployment("web", 1, DEPLOYED_AT), auto(), judgement(Verdict::Pending, DEPLOYED_AT), known());
    for (members, expected) in [(&members[..], Decision::Wait), (&[], Decision::Propose)] {
        let case = Case { members, known_elsewhere: Some(&known), ..case_of(&own, &judgement, &policy) };
        assert_eq!(decide(&case, &quiet(Time::from_unix(DEPLOYED_AT + 60))).0, expected);
    }
}
