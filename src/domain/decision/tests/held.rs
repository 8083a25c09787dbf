//! What pauses and freeze windows make of a deployment that would be reverted.

use super::*;
use crate::domain::environment::freeze::Frozen;
use crate::domain::environment::pause::Pause;

fn pause(service: Option<&str>, until: i64) -> Pause {
    Pause {
        environment: EnvironmentName::new("production").unwrap(),
        service: service.map(|name| ServiceName::new(name).unwrap()),
        at: Some(Time::from_unix(DEPLOYED_AT)),
        until: Time::from_unix(until),
        by: "Ann".to_owned(),
        why: "a move".to_owned(),
        lifted: None,
    }
}

fn frozen() -> Option<Frozen> {
    Some(Frozen { until: Some(Time::from_unix(2_000_000)), why: "the sales".to_owned() })
}

/// The decision about a deployment of `web`, and the guard that made it.
fn decided_with(brakes: &Brakes, policy: &Policy, verdict: Verdict) -> (Decision, String) {
    let (bad, judgement) = (deployment("web", 1, DEPLOYED_AT), judgement(verdict, DEPLOYED_AT + 60));
    let case = case_of(&bad, &judgement, policy);
    let situation = Situation { brakes, regressed: &[case], ..quiet(Time::from_unix(DEPLOYED_AT + 300)) };
    let (decision, guards) = decide(&case, &situation);
    (decision, guards.last().unwrap().guard.clone())
}

#[test]
fn a_pause_holds_and_a_freeze_proposes() {
    let until = DEPLOYED_AT + 900;
    let hold = |secs: i64| Decision::Hold(format!("paused until {} by Ann: a move", Time::from_unix(secs)));
    let of = |pauses: Vec<Pause>, frozen: Option<Frozen>| Brakes { pauses, unclear: None, frozen };
    let unclear = Brakes { unclear: Some("line 2 is wrong".to_owned()), ..Brakes::default() };
    let wrong = Decision::Hold("paused until a person has mended it: line 2 is wrong".to_owned());
    for (brakes, mode, expected, by) in [
        (of(vec![pause(None, until)], None), Mode::Auto, hold(until), "paused"),
        (of(vec![pause(Some("web"), until)], None), Mode::Auto, hold(until), "paused"),
        (of(vec![pause(Some("api"), until)], None), Mode::Auto, Decision::Revert, "elsewhere"),
        // The one that ends last is told.
        (
            of(vec![pause(Some("web"), until + 9), pause(None, until)], None),
            Mode::Auto,
            hold(until + 9),
            "paused",
        ),
        // Nothing is proposed either, whatever else holds.
        (of(vec![pause(None, until)], frozen()), Mode::Auto, hold(until), "paused"),
        (of(vec![pause(None, until)], None), Mode::Propose, hold(until), "paused"),
        (of(Vec::new(), frozen()), Mode::Auto, Decision::Propose, "frozen"),
        (of(Vec::new(), frozen()), Mode::Propose, Decision::Propose, "mode"),
        (unclear, Mode::Auto, wrong, "paused"),
        (Brakes::default(), Mode::Auto, Decision::Revert, "elsewhere"),
    ] {
        let policy = Policy { mode, ..Policy::default() };
        let decided = decided_with(&brakes, &policy, Verdict::Regressed);
        assert_eq!(decided, (expected, by.to_owned()), "{brakes:?} {mode:?}");
    }
}

#[test]
fn what_is_healthy_or_a_persons_is_told_as_ever() {
    let brakes = Brakes { pauses: vec![pause(None, DEPLOYED_AT + 900)], unclear: None, frozen: frozen() };
    assert_eq!(decided_with(&brakes, &auto(), Verdict::Pending).0, Decision::Wait);
    let flagged = deployment("web", 1, DEPLOYED_AT - 86_400);
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let policy = auto();
    let case = case_of(&flagged, &judgement, &policy);
    let situation =
        Situation { brakes: &brakes, regressed: &[case], ..quiet(Time::from_unix(DEPLOYED_AT + 300)) };
    assert!(matches!(decide(&case, &situation).0, Decision::Escalate(_)), "it is too late to act alone");
}
