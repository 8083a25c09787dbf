//! Services of a group: what is collected of them, and what comes of it.

use super::*;
use crate::domain::environment::freeze::Frozen;
use crate::domain::ids::GroupName;

fn of_shop(service: &str, commit: u8, at: i64) -> Deployment {
    Deployment { group: Some(GroupName::new("shop").unwrap()), ..deployment(service, commit, at) }
}

fn alone(deployment: &Deployment) -> Goal {
    let earlier = crate::domain::deployment::lineage::Earlier {
        commit: None,
        since: None,
        until: deployment.at,
        fields: Vec::new(),
    };
    Goal::Undo(vec![deployment.clone()], earlier)
}

/// What a member says with this goal, policy and kind.
fn asked(goal: Option<&Goal>, policy: &Policy, change: impl FnOnce(&mut Deployment)) -> Member {
    let mut cart = of_shop("cart", 1, DEPLOYED_AT);
    change(&mut cart);
    let unknown = judgement(Verdict::Inconclusive("not judged".to_owned()), DEPLOYED_AT);
    let case = Case { goal, ..case_of(&cart, &unknown, policy) };
    ask_member(&case, &quiet(Time::from_unix(DEPLOYED_AT + 600)), Mode::Auto)
}

#[test]
fn a_service_that_goes_back_with_another_one_need_not_be_bad_itself() {
    let (own, later) = (of_shop("cart", 1, DEPLOYED_AT), of_shop("cart", 2, DEPLOYED_AT + 60));
    let earlier = |changes: &[&Deployment]| {
        let Goal::Undo(_, earlier) = alone(&own) else { unreachable!() };
        Goal::Undo(changes.iter().map(|one| (*one).clone()).collect(), earlier)
    };
    let auto = Policy { mode: Mode::Auto, ..Policy::default() };
    let propose = Policy { mode: Mode::Propose, ..auto.clone() };
    let by_mode = "the guard `mode` wants a person to say yes";
    let further = "the state just before is not known to be good";
    let oldest = of_shop("cart", 9, DEPLOYED_AT - 60);
    for (goal, policy, held, proposed) in [
        (Some(alone(&own)), &auto, None, None),
        (Some(alone(&own)), &propose, None, Some(by_mode)),
        (Some(alone(&own)), &Policy::default(), Some("mode observe: it would be reverted"), None),
        (None, &auto, Some("what it ran before is not known"), None),
        (Some(earlier(&[&later, &own])), &auto, Some("0202020202 deployed it again since"), None),
        (Some(earlier(&[&own, &oldest])), &auto, Some(further), None),
        (Some(Goal::TakenBack(later.commit)), &auto, Some("0202020202 took it back"), None),
    ] {
        let member = asked(goal.as_ref(), policy, |_| {});
        assert_eq!((member.held.as_deref(), member.proposed.as_deref()), (held, proposed), "{goal:?}");
    }
    let goal = alone(&own);
    let held = |change: fn(&mut Deployment)| asked(Some(&goal), &auto, change).held;
    assert!(held(|cart| cart.kind = ChangeKind::Rollback(CommitId::from_bytes([3; 20]))).is_some());
    assert_eq!(held(|cart| cart.beyond = Some("too large".to_owned())).as_deref(), Some("too large"));
    assert!(asked(Some(&Goal::NoneGood(Vec::new())), &auto, |_| {}).held.is_some());
}

/// What the mode of the bad one forbids is that one's to say: in mode observe nobody is told, and what was left alone is taken up again.
#[test]
fn a_mode_counts_only_where_it_allows_less_than_that_of_the_bad_one() {
    let cart = of_shop("cart", 1, DEPLOYED_AT);
    let (unknown, goal) = (judgement(Verdict::Healthy, DEPLOYED_AT), alone(&cart));
    let modes = [Mode::Observe, Mode::Propose, Mode::Auto];
    for (own, lead) in modes.iter().flat_map(|own| modes.map(|lead| (*own, lead))) {
        let policy = Policy { mode: own, ..Policy::default() };
        let case = Case { goal: Some(&goal), ..case_of(&cart, &unknown, &policy) };
        let member = ask_member(&case, &quiet(Time::from_unix(DEPLOYED_AT + 600)), lead);
        assert_eq!(member.held.is_some(), own == Mode::Observe && lead != Mode::Observe, "{own:?} {lead:?}");
        assert_eq!(member.proposed.is_some(), own == Mode::Propose && lead == Mode::Auto, "{own:?} {lead:?}");
    }
}

/// What the guard `group` says of `web`, which was deployed by the commit 1.
fn said(watched: &[Deployment], reverts: &[RevertEntry], members: &[Member]) -> (Decision, Vec<String>) {
    let web = of_shop("web", 1, DEPLOYED_AT);
    let (bad, goal) = (judgement(Verdict::Regressed, DEPLOYED_AT + 60), alone(&web));
    let policy = auto();
    let case = Case { goal: Some(&goal), members, ..case_of(&web, &bad, &policy) };
    let regressed = [case];
    let now = Time::from_unix(DEPLOYED_AT + 600);
    let situation = Situation { regressed: &regressed, watched, reverts, ..quiet(now) };
    let (decision, answers) = decide(&case, &situation);
    let facts = answers.iter().filter_map(|answer| answer.facts.as_ref());
    (decision, facts.flat_map(Facts::doubts_of_group).collect())
}

#[test]
fn a_state_that_the_group_has_not_run_is_told() {
    let tried = auto().tried_secs();
    let web = || of_shop("web", 1, DEPLOYED_AT);
    let doubts = |others: &[Deployment], reverts: &[RevertEntry]| {
        let watched: Vec<Deployment> = others.iter().cloned().chain([web()]).collect();
        let (decision, doubts) = said(&watched, reverts, &[]);
        assert_eq!(decision, Decision::Revert);
        doubts.len()
    };
    let cart = |at: i64| of_shop("cart", 2, DEPLOYED_AT + at);
    assert_eq!(doubts(&[], &[]), 0);
    assert_eq!(doubts(&[cart(60)], &[]), 1, "after it: never");
    assert_eq!(doubts(&[cart(1 - tried)], &[]), 1, "just before it: too short a time");
    assert_eq!(doubts(&[cart(-tried)], &[]), 0, "long enough before");
    assert_eq!(doubts(&[cart(60)], &[revert_of(&cart(60), DEPLOYED_AT + 90, "v2")]), 0, "it is back");
    assert_eq!(doubts(&[deployment("cart", 2, DEPLOYED_AT + 60)], &[]), 0, "of no group");
    // Somebody has put back what the same commit deployed of another service.
    let mut by_hand = cart(60);
    by_hand.fields[0].old = "v2".to_owned();
    by_hand.fields[0].new = "v1".to_owned();
    assert_eq!(doubts(&[of_shop("cart", 1, DEPLOYED_AT), by_hand.clone()], &[]), 0);
    assert_eq!(doubts(&[by_hand], &[]), 1, "another commit had deployed that");
}

#[test]
fn services_of_a_group_that_went_back_together_count_once() {
    let cart = of_shop("cart", 1, DEPLOYED_AT);
    let with = |service: &str| RevertEntry {
        together_with: Some(ServiceName::new("web").unwrap()),
        ..revert_of(&of_shop(service, 7, DEPLOYED_AT), DEPLOYED_AT - 600, "v9")
    };
    let lead = revert_of(&of_shop("web", 7, DEPLOYED_AT), DEPLOYED_AT - 600, "v9");
    let used = |reverts: &[RevertEntry]| {
        let (bad, policy) = (judgement(Verdict::Regressed, DEPLOYED_AT + 60), auto());
        let case = case_of(&cart, &bad, &policy);
        let situation = Situation {
            reverts,
            regressed: &[case],
            budget: Budget { max_reverts: 2, ..Budget::default() },
            ..quiet(Time::from_unix(DEPLOYED_AT + 600))
        };
        decide(&case, &situation).0
    };
    assert_eq!(used(&[lead.clone(), with("api"), with("jobs")]), Decision::Revert);
    // Who only says that it went back with another one counts.
    assert!(matches!(used(&[with("api"), with("jobs")]), Decision::Escalate(_)));
    let elsewhere = RevertEntry { commit: CommitId::from_bytes([98; 20]), ..lead };
    assert!(matches!(used(&[elsewhere, with("api")]), Decision::Escalate(_)));
}

#[test]
fn more_services_than_a_commit_has_blocks_for_are_left_to_a_person() {
    let one = |number: usize| Member {
        service: ServiceName::new(format!("svc-{number}")).unwrap(),
        held: None,
        proposed: None,
    };
    let of = |count: usize| said(&[], &[], &(0..count).map(one).collect::<Vec<_>>()).0;
    assert_eq!(of(19), Decision::Revert, "20 with the bad one");
    assert!(matches!(of(20), Decision::Escalate(why) if why.contains("more than 20 services")));
}

#[test]
fn services_of_a_group_that_went_back_one_after_another_count_once() {
    let names = |names: &[&str]| -> Vec<ServiceName> {
        names.iter().map(|name| ServiceName::new(*name).unwrap()).collect()
    };
    let step = |service: &str, commit: u8, then: &[&str]| RevertEntry {
        commit: CommitId::from_bytes([90 + commit; 20]),
        then: names(then),
        ..revert_of(&of_shop(service, 7, DEPLOYED_AT), DEPLOYED_AT - 600 + i64::from(commit), "v9")
    };
    let used = |reverts: &[RevertEntry]| {
        used_of_budget(Budget::default(), Time::from_unix(DEPLOYED_AT), reverts, &[])
    };
    let [first, second, third] =
        [step("web", 1, &["api", "jobs"]), step("api", 2, &["jobs"]), step("jobs", 3, &[])];
    assert_eq!(used(&[third.clone(), second.clone(), first.clone()]), 1);
    assert_eq!(used(&[third.clone(), second]), 1, "the first was taken off the branch");
    assert_eq!(used(std::slice::from_ref(&third)), 1);
    // What another deployment brought is no step of it, and neither is what was not named.
    let other = RevertEntry { reverts: CommitId::from_bytes([8; 20]), ..third };
    assert_eq!(used(&[other, first.clone()]), 2);
    assert_eq!(used(&[step("mail", 3, &[]), first]), 2);
}

/// Whether the group goes back at all was asked before the first: before each service only what concerns this service is asked.
#[test]
fn before_each_turn_only_some_guards_are_asked() {
    let api = of_shop("api", 1, DEPLOYED_AT);
    let (fine, goal, policy) = (judgement(Verdict::Healthy, DEPLOYED_AT), alone(&api), auto());
    let turn = Turn {
        with: ServiceName::new("web").unwrap(),
        after: None,
        until: None,
        behind: None,
        is_due: true,
        broken: None,
        then: Vec::new(),
    };
    let case = Case { goal: Some(&goal), turn: Some(&turn), ..case_of(&api, &fine, &policy) };
    // The watch window is over, and the budget is used up.
    let budget = Budget { max_reverts: 0, ..Budget::default() };
    let later = Situation { budget, ..quiet(Time::from_unix(DEPLOYED_AT + 50_000)) };
    assert_eq!(decide(&case, &later).0, Decision::Revert);
    let without = Case { turn: None, ..case };
    assert!(matches!(decide(&without, &later).0, Decision::Pass(_)));
    let frozen = Some(Frozen { until: None, why: "a sale".to_owned() });
    let brakes = Brakes { frozen, ..NO_BRAKES.clone() };
    assert_eq!(decide(&case, &Situation { brakes: &brakes, ..later }).0, Decision::Propose);
    let again = [revert_of(&api, DEPLOYED_AT + 100, "v2")];
    assert!(matches!(decide(&case, &Situation { reverts: &again, ..later }).0, Decision::Pass(_)));
    let observe = Policy::default();
    let case = Case { policy: &observe, ..case };
    assert!(matches!(decide(&case, &later).0, Decision::Hold(_)), "somebody has changed the mode");
}
