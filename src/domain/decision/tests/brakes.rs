//! The guards that slow the agent down: what they make of a situation.

use super::*;
use crate::domain::deployment::lineage::{Earlier, Return};
use crate::domain::environment::policy::ServiceBudget;

fn doubt(answers: &[GuardAnswer]) -> String {
    answers.last().and_then(|last| last.facts.as_ref()?.doubt()).unwrap_or_default()
}

fn person(name: &str) -> Person {
    Person { name: name.to_owned(), email: format!("{name}@example.com") }
}

#[test]
fn the_budget_of_a_service_counts_its_own_reverts_in_the_window() {
    let bad = deployment("web", 1, DEPLOYED_AT);
    let now = DEPLOYED_AT + 300;
    let service_budget = Some(ServiceBudget { max_reverts: 2, window_secs: 86_400 });
    let policy = Policy { service_budget, cooldown_secs: 0, ..auto() };
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let decided = |policy: &Policy, reverts: &[RevertEntry]| {
        let case = case_of(&bad, &judgement, policy);
        let situation = Situation { reverts, regressed: &[case], ..quiet(Time::from_unix(now)) };
        let (decision, answers) = decide(&case, &situation);
        (decision, doubt(&answers))
    };
    let of = |service: &str, commit: u8, ago: i64| RevertEntry {
        commit: CommitId::from_bytes([commit; 20]),
        ..revert_of(&deployment(service, commit, 0), now - ago, "v9")
    };
    let used_up = [of("web", 10, 4_000), of("web", 11, 86_399)];
    let (decision, why) = decided(&policy, &used_up);
    assert_eq!(decision, Decision::Propose);
    let until = Time::from_unix(now + 1);
    let told = format!(
        "web was reverted 2 times in the last 1 d: the agent only proposes a revert of it until {until}"
    );
    assert_eq!(why, told);
    // In mode observe not even a proposal is made.
    let observing = Policy { mode: Mode::Observe, ..policy.clone() };
    assert!(matches!(decided(&observing, &used_up).0, Decision::Hold(_)));
    let out_of_window = [of("web", 10, 4_000), of("web", 11, 86_400)];
    let of_another = [of("web", 10, 4_000), of("api", 11, 4_100)];
    let requested = [of("web", 10, 4_000), RevertEntry { requested: true, ..of("web", 11, 4_100) }];
    for reverts in [out_of_window, of_another, requested] {
        assert_eq!(decided(&policy, &reverts).0, Decision::Revert);
    }
    let no_budget = Policy { cooldown_secs: 0, ..auto() };
    assert_eq!(decided(&no_budget, &used_up).0, Decision::Revert);
}

#[test]
fn versions_that_go_back_and_forth_are_left_to_people() {
    let (bad, policy) = (deployment("web", 1, DEPLOYED_AT), auto());
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let decided = |authors: &[Person]| {
        let one = |(place, author): (u8, &Person)| Return {
            commit: CommitId::from_bytes([place; 20]),
            author: author.clone(),
        };
        let returns: Vec<Return> = (1..).zip(authors).map(one).collect();
        let case = Case { returns: &returns, ..case_of(&bad, &judgement, &policy) };
        let situation = Situation { regressed: &[case], ..quiet(Time::from_unix(DEPLOYED_AT + 300)) };
        decide(&case, &situation).0
    };
    let bot = || bad.author.clone();
    assert_eq!(decided(&[bot(), person("ada")]), Decision::Revert, "a bot undid a person's rollback");
    let told = decided(&[bot(), bot()]);
    assert!(matches!(&told, Decision::Escalate(why) if why.contains("0101010101, 0202020202")), "{told:?}");
    assert!(matches!(decided(&[person("ada"), person("bob"), bot()]), Decision::Escalate(_)));
}

#[test]
fn a_fix_that_would_go_back_too_is_for_a_person() {
    let (mut bad, policy) = (deployment("web", 2, DEPLOYED_AT), auto());
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let earlier = Earlier { commit: None, since: None, until: Time::from_unix(0), fields: Vec::new() };
    let decided = |changes: &[&Deployment]| {
        let goal = Goal::Undo(changes.iter().map(|one| (*one).clone()).collect(), earlier.clone());
        let own = changes.iter().find(|one| one.commit == CommitId::from_bytes([2; 20])).unwrap();
        let case = Case { goal: Some(&goal), ..case_of(own, &judgement, &policy) };
        let situation = Situation { regressed: &[case], ..quiet(Time::from_unix(DEPLOYED_AT + 300)) };
        let (decision, answers) = decide(&case, &situation);
        (decision, doubt(&answers))
    };
    let mut older = deployment("web", 1, DEPLOYED_AT - 100);
    assert_eq!(decided(&[&bad, &older]).0, Decision::Revert);
    older.subject = "fix: leak".to_owned();
    assert_eq!(decided(&[&bad, &older]).0, Decision::Revert, "a bot's word");
    older.author = person("ada");
    let (decision, why) = decided(&[&bad, &older]);
    assert_eq!(decision, Decision::Propose);
    assert_eq!(why, "the revert takes back what may be a fix: 0101010101 (fix: leak)");
    bad.subject = "fix: the cart".to_owned();
    assert_eq!(decided(&[&bad]).0, Decision::Revert, "its own word");
    bad.subject = "Hotfix of the cart".to_owned();
    assert_eq!(decided(&[&bad]).0, Decision::Propose);
    bad.subject = "bump".to_owned();
    // What somebody else has put on top of it.
    let mut newer = deployment("web", 3, DEPLOYED_AT + 30);
    assert_eq!(decided(&[&newer, &bad]).0, Decision::Revert, "a bot");
    newer.author = person("ada");
    let (decision, why) = decided(&[&newer, &bad]);
    assert_eq!(decision, Decision::Propose);
    assert!(why.contains("0303030303 (bump), with which ada changed the same fields later"), "{why}");
    bad.author = person("ada");
    assert_eq!(decided(&[&newer, &bad]).0, Decision::Revert, "the author goes on alone");
    bad.author = person("bob");
    newer.fields[0].address = "other".to_owned();
    assert_eq!(decided(&[&newer, &bad]).0, Decision::Revert, "another field");
    // One that was there before is no later change.
    older.subject = "bump".to_owned();
    assert_eq!(decided(&[&bad, &older]).0, Decision::Revert);
}

#[test]
fn after_a_revert_that_did_not_help_only_a_fallback_is_made() {
    let (bad, policy) = (deployment("checkout", 1, DEPLOYED_AT), auto());
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let other = deployment("other", 9, DEPLOYED_AT - 900);
    let in_vain = [revert_of(&other, DEPLOYED_AT - 600, "v1")];
    let decided = |now: i64, is_fallback: bool| {
        let case = Case { is_fallback, ..case_of(&bad, &judgement, &policy) };
        let now = Time::from_unix(now);
        decide(&case, &Situation { in_vain: &in_vain, regressed: &[case], ..quiet(now) }).0
    };
    let why = |decision: &Decision| decision.why().unwrap_or_default().to_owned();
    let stopped = decided(DEPLOYED_AT + 300, false);
    assert!(why(&stopped).contains("of other did not help"), "{stopped:?}");
    assert!(!why(&decided(DEPLOYED_AT + 300, true)).contains("did not help"));
    let window = i64::from(Budget::default().window_secs);
    assert!(!why(&decided(DEPLOYED_AT - 600 + window, false)).contains("did not help"));
}
