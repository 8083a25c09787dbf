mod brakes;
mod elsewhere;
mod groups;
mod held;

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::deployment::lineage::Goal;
use crate::domain::deployment::{ChangeKind, Deployment};
use crate::domain::environment::brakes::Brakes;
use crate::domain::environment::policy::{Budget, Mode, Policy, SchemaDetector, SchemaPolicy};
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::snapshot::Person;
use crate::domain::ids::{CommitId, EnvironmentName, FilePath, ServiceName};
use crate::domain::judge::verdict::{Judgement, Verdict};
use crate::domain::schema::change::SchemaChange;
use crate::domain::time::Time;

const DEPLOYED_AT: i64 = 1_000_000;

fn deployment(service: &str, commit: u8, at: i64) -> Deployment {
    Deployment {
        id: format!("{service} {commit}"),
        environment: EnvironmentName::new("production").unwrap(),
        service: ServiceName::new(service).unwrap(),
        group: None,
        rule: 0,
        labels: BTreeMap::new(),
        commit: CommitId::from_bytes([commit; 20]),
        parent: CommitId::from_bytes([0; 20]),
        at: Time::from_unix(at),
        landing: Landing::by_committer(Time::from_unix(at)),
        author: Person { name: "renovate[bot]".to_owned(), email: "bot@example.com".to_owned() },
        subject: "bump".to_owned(),
        fields: vec![crate::domain::deployment::FieldChange {
            path: FilePath::new("a.yaml").unwrap(),
            address: "tag".to_owned(),
            rule: crate::domain::field::FieldRule::Tag,
            old: "v1".to_owned(),
            new: "v2".to_owned(),
            addressed: true,
            engine: false,
        }],
        left_behind: Vec::new(),
        files: Vec::new(),
        schema: Vec::new(),
        migrations: Vec::new(),
        kind: ChangeKind::Release,
        beyond: None,
        bound: None,
        superseded_by: None,
    }
}

fn judgement(verdict: Verdict, since: i64) -> Judgement {
    Judgement {
        verdict,
        since: Some(Time::from_unix(since)),
        reason: "errors rose".to_owned(),
        findings: Vec::new(),
    }
}

fn revert_of(deployment: &Deployment, at: i64, bad: &str) -> RevertEntry {
    RevertEntry {
        id: deployment.id.clone(),
        commit: CommitId::from_bytes([99; 20]),
        at: Time::from_unix(at),
        environment: deployment.environment.clone(),
        service: deployment.service.clone(),
        reverts: deployment.commit,
        with: Vec::new(),
        bad_values: BTreeSet::from([bad.to_owned()]),
        requested: false,
        together_with: None,
        then: Vec::new(),
    }
}

/// Of a deployment of which nothing else is known.
fn case_of<'a>(deployment: &'a Deployment, judgement: &'a Judgement, policy: &'a Policy) -> Case<'a> {
    Case {
        deployment,
        judgement,
        policy,
        unanswered: false,
        contested: false,
        missed: false,
        unjudged: None,
        told: false,
        goal: None,
        crossed: &[],
        artifacts: None,
        returns: &[],
        trust: None,
        is_fallback: false,
        members: &[],
        goes_with: None,
        turn: None,
        known_elsewhere: None,
    }
}

static NO_BRAKES: Brakes = Brakes { pauses: Vec::new(), unclear: None, frozen: None };

static NO_PINS: BTreeMap<CommitId, Vec<String>> = BTreeMap::new();

/// A situation in which nothing else is going on.
fn quiet<'a>(now: Time) -> Situation<'a> {
    Situation {
        now,
        budget: Budget::default(),
        brakes: &NO_BRAKES,
        reverts: &[],
        regressed: &[],
        red_before: &[],
        gone: &[],
        pins: &NO_PINS,
        in_vain: &[],
        open: &[],
        watched: &[],
    }
}

/// Decides about one regressed deployment five minutes after it, in an environment with these reverts.
fn decided(deployment: &Deployment, policy: &Policy, reverts: &[RevertEntry]) -> Decision {
    decided_at(deployment, policy, reverts, DEPLOYED_AT + 300)
}

fn decided_at(deployment: &Deployment, policy: &Policy, reverts: &[RevertEntry], now: i64) -> Decision {
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let case = case_of(deployment, &judgement, policy);
    let situation = Situation { reverts, regressed: &[case], ..quiet(Time::from_unix(now)) };
    decide(&case, &situation).0
}

fn auto() -> Policy {
    Policy { mode: Mode::Auto, ..Policy::default() }
}

#[test]
fn what_is_blamed_on_the_word_of_a_record_is_proposed() {
    let (bad, policy) = (deployment("web", 1, DEPLOYED_AT), auto());
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let decided = |told: bool| {
        let case = Case { told, ..case_of(&bad, &judgement, &policy) };
        let situation = Situation { regressed: &[case], ..quiet(Time::from_unix(DEPLOYED_AT + 300)) };
        decide(&case, &situation).0
    };
    assert_eq!((decided(true), decided(false)), (Decision::Propose, Decision::Revert));
}

#[test]
fn a_plain_regression_is_reverted_in_mode_auto_only() {
    let bad = deployment("web", 1, DEPLOYED_AT);
    assert_eq!(decided(&bad, &auto(), &[]), Decision::Revert);
    assert_eq!(decided(&bad, &Policy { mode: Mode::Propose, ..auto() }, &[]), Decision::Propose);
    assert!(matches!(decided(&bad, &Policy::default(), &[]), Decision::Hold(_)));
}

#[test]
fn a_schema_change_is_for_a_person() {
    let mut bad = deployment("web", 1, DEPLOYED_AT);
    bad.schema =
        vec![SchemaChange::unknown(SchemaDetector::Trailers, "commit trailer Schema-Change".to_owned())];
    assert!(matches!(decided(&bad, &auto(), &[]), Decision::Escalate(why) if why.contains("schema")));
}

#[test]
fn the_policy_says_which_schema_changes_are_for_a_person() {
    use crate::domain::schema::effect::Effect::{self, Contract, Expand, Unknown};
    use SchemaDetector::{Engines, Files, Jobs};
    use SchemaPolicy::{AllowExpand, Ignore, Manual};
    type Found<'f> = &'f [(SchemaDetector, Effect)];
    let rows: [(SchemaPolicy, Found<'_>, bool); 11] = [
        (Manual, &[], true),
        (Manual, &[(Files, Expand)], false),
        (AllowExpand, &[(Files, Expand), (Files, Expand)], true),
        (AllowExpand, &[(Files, Contract), (Files, Expand)], false),
        (AllowExpand, &[(Files, Unknown)], false),
        (AllowExpand, &[(Jobs, Unknown), (Files, Expand)], false),
        (Ignore, &[(Files, Contract)], true),
        (Ignore, &[(Jobs, Unknown)], true),
        // An older engine does not start on the files of a newer one.
        (Ignore, &[(Engines, Unknown)], false),
        (AllowExpand, &[(Engines, Expand)], false),
        (Ignore, &[(Files, Contract), (Engines, Unknown)], false),
    ];
    for (policy, found, is_reverted) in rows {
        let change = |&(detector, effect): &(SchemaDetector, Effect)| SchemaChange {
            effect,
            detector,
            what: "x".to_owned(),
        };
        let schema = found.iter().map(change).collect();
        let bad = Deployment { schema, ..deployment("web", 1, DEPLOYED_AT) };
        let mut rules = auto();
        rules.schema.policy = policy;
        let decision = decided(&bad, &rules, &[]);
        assert_eq!(decision == Decision::Revert, is_reverted, "{policy:?}, {found:?}: {decision:?}");
        assert!(is_reverted || matches!(decision, Decision::Escalate(_)), "{policy:?}, {found:?}");
    }
}

#[test]
fn what_was_reverted_or_replaced_is_left_alone() {
    let mut bad = deployment("web", 1, DEPLOYED_AT);
    let reverts = [revert_of(&bad, DEPLOYED_AT + 200, "v2")];
    assert!(
        matches!(decided(&bad, &auto(), &reverts), Decision::Pass(why) if why.contains("already reverted"))
    );
    bad.superseded_by = Some(CommitId::from_bytes([5; 20]));
    assert!(matches!(decided(&bad, &auto(), &[]), Decision::Pass(why) if why.contains("replaced")));
}

#[test]
fn a_pass_that_comes_too_late_asks_a_person() {
    let bad = deployment("web", 1, DEPLOYED_AT);
    let end = DEPLOYED_AT + i64::from(auto().watch_secs);
    assert_eq!(decided_at(&bad, &auto(), &[], end + LATE_SECS), Decision::Revert);
    assert!(matches!(decided_at(&bad, &auto(), &[], end + LATE_SECS + 1), Decision::Escalate(_)));
}

#[test]
fn what_may_have_mended_an_earlier_one_is_for_a_person() {
    let policy = auto();
    let same = deployment("web", 1, DEPLOYED_AT - 100);
    let mut earlier = same.clone();
    earlier.fields[0].new = "v0".to_owned();
    let mut own = deployment("web", 2, DEPLOYED_AT);
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    // Two passes have looked, and it landed between them.
    own.landing.latest = Time::from_unix(DEPLOYED_AT + 120);
    let decided = |own: &Deployment, watched: &[Deployment]| {
        let case = case_of(own, &judgement, &policy);
        let situation =
            Situation { regressed: &[case], watched, ..quiet(Time::from_unix(DEPLOYED_AT + 300)) };
        decide(&case, &situation).0
    };
    assert_eq!(decided(&own, &[earlier.clone(), own.clone()]), Decision::Propose);
    // Whichever of the two does it: a bot put the same value back.
    assert_eq!(decided(&own, &[same.clone(), own.clone()]), Decision::Revert);
    let mut bare = own.clone();
    bare.fields.clear();
    assert_eq!(decided(&bare, &[Deployment { fields: Vec::new(), ..same }, bare.clone()]), Decision::Propose);
    let other = deployment("api", 1, DEPLOYED_AT - 100);
    assert_eq!(decided(&own, &[other, own.clone()]), Decision::Revert);
    let after = deployment("web", 1, DEPLOYED_AT + 70);
    assert_eq!(decided(&own, &[own.clone(), after]), Decision::Revert);
    own.landing.latest = Time::from_unix(DEPLOYED_AT + 60);
    assert_eq!(decided(&own, &[earlier, own.clone()]), Decision::Revert);
}

#[test]
fn a_rollback_is_not_taken_back() {
    let mut bad = deployment("web", 1, DEPLOYED_AT);
    let of = CommitId::from_bytes([8; 20]);
    for (kind, told) in [
        (ChangeKind::Rollback(of), "it is itself a rollback"),
        (ChangeKind::Unproven(of), "its trailers say that it is a revert of 0808080808"),
    ] {
        bad.kind = kind;
        assert!(matches!(decided(&bad, &auto(), &[]), Decision::Escalate(why) if why.contains(told)));
    }
}

#[test]
fn a_bad_value_that_comes_back_is_held() {
    let first = deployment("web", 1, DEPLOYED_AT - 3_000);
    let mut again = deployment("web", 2, DEPLOYED_AT);
    let once = [revert_of(&first, DEPLOYED_AT - 2_000, "v2")];
    assert_eq!(
        decided(&again, &auto(), &once),
        Decision::Revert,
        "by automation, once more, whatever the cooldown"
    );
    let twice = [revert_of(&first, DEPLOYED_AT - 1_000, "v2"), once[0].clone()];
    assert!(
        matches!(decided(&again, &auto(), &twice), Decision::Escalate(why) if why.contains("keeps putting back"))
    );
    again.author = Person { name: "Ada".to_owned(), email: "ada@example.com".to_owned() };
    assert_eq!(decided(&again, &auto(), &once), Decision::Propose, "a person means it");
    assert_eq!(decided(&again, &auto(), &twice), Decision::Propose, "however often");
    let observe = Policy { mode: Mode::Observe, ..auto() };
    assert!(matches!(decided(&again, &observe, &once), Decision::Hold(_)), "where nothing may be proposed");
    let long_ago = [revert_of(&first, DEPLOYED_AT - 30 * 86_400, "v2")];
    assert_eq!(decided(&again, &auto(), &long_ago), Decision::Revert);
}

#[test]
fn a_service_is_left_to_people_after_a_revert() {
    let first = deployment("web", 1, DEPLOYED_AT - 3_000);
    let next = deployment("web", 2, DEPLOYED_AT);
    let other_value = [revert_of(&first, DEPLOYED_AT - 2_000, "v1.9")];
    assert!(
        matches!(decided(&next, &auto(), &other_value), Decision::Escalate(why) if why.contains("(cooldown)"))
    );
    let other_service = [revert_of(&deployment("api", 3, DEPLOYED_AT - 3_000), DEPLOYED_AT - 2_000, "v1.9")];
    assert_eq!(decided(&next, &auto(), &other_service), Decision::Revert);
}

#[test]
fn the_budget_counts_the_agents_own_reverts() {
    let bad = deployment("web", 1, DEPLOYED_AT);
    let mut reverts: Vec<RevertEntry> = (10..13)
        .map(|i| revert_of(&deployment(&format!("s{i}"), i, DEPLOYED_AT - 900), DEPLOYED_AT - 600, "v7"))
        .collect();
    assert!(matches!(decided(&bad, &auto(), &reverts), Decision::Escalate(why) if why.contains("budget")));
    reverts[0].requested = true;
    assert_eq!(decided(&bad, &auto(), &reverts), Decision::Revert, "a person's request does not count");
}

#[test]
fn many_red_services_are_one_incident() {
    let names = ["a", "b", "c"];
    let deployments: Vec<Deployment> =
        names.iter().zip(1..).map(|(name, i)| deployment(name, i, DEPLOYED_AT)).collect();
    let judgement = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let policy = auto();
    let cases: Vec<Case<'_>> =
        deployments.iter().map(|deployment| case_of(deployment, &judgement, &policy)).collect();
    let now = Time::from_unix(DEPLOYED_AT + 300);
    let decide_among = |regressed: &[Case<'_>]| {
        let situation = Situation { regressed, ..quiet(now) };
        decide(&cases[0], &situation).0
    };
    assert_eq!(decide_among(&cases[..2]), Decision::Revert);
    assert!(matches!(decide_among(&cases), Decision::Escalate(why) if why.contains("one incident")));
    // One release in three clusters is one cause.
    let clusters: Vec<Deployment> = ["eu/web", "us/web", "ap/web"]
        .iter()
        .map(|name| {
            let mut one = deployment(name, 1, DEPLOYED_AT);
            one.labels.insert("service".to_owned(), "web".to_owned());
            one
        })
        .collect();
    let of_one: Vec<Case<'_>> =
        clusters.iter().zip(&cases).map(|(deployment, case)| Case { deployment, ..*case }).collect();
    assert_eq!(decide_among(&of_one), Decision::Revert);
}

#[test]
fn of_several_deployments_the_last_before_the_damage_is_blamed() {
    let (first, second) = (deployment("web", 1, DEPLOYED_AT - 600), deployment("web", 2, DEPLOYED_AT));
    let watched = [first.clone(), second.clone()];
    let red = judgement(Verdict::Regressed, DEPLOYED_AT + 60);
    let pending = judgement(Verdict::Pending, DEPLOYED_AT);
    let policy = auto();
    let case = |deployment, judgement| case_of(deployment, judgement, &policy);
    let decide_first = |open: &[Case<'_>], reverts: &[RevertEntry]| {
        let regressed: Vec<Case<'_>> =
            open.iter().copied().filter(|case| case.judgement.verdict == Verdict::Regressed).collect();
        let situation = Situation {
            reverts,
            regressed: &regressed,
            open,
            watched: &watched,
            ..quiet(Time::from_unix(DEPLOYED_AT + 300))
        };
        let decisions: Vec<Decision> = open.iter().map(|case| decide(case, &situation).0).collect();
        decisions
    };
    let both = decide_first(&[case(&first, &red), case(&second, &red)], &[]);
    assert!(matches!(both.as_slice(), [Decision::Hold(_), Decision::Revert]), "{both:?}");
    let settling = decide_first(&[case(&first, &red), case(&second, &pending)], &[]);
    assert_eq!(settling, [Decision::Wait, Decision::Wait], "the later one is not judged yet");
    let settled = decide_first(&[case(&first, &red)], &[]);
    assert!(matches!(settled.as_slice(), [Decision::Escalate(_)]), "{settled:?}");
    let reverted = decide_first(&[case(&first, &red)], &[revert_of(&second, DEPLOYED_AT + 200, "v9")]);
    assert!(matches!(reverted.as_slice(), [Decision::Hold(_)]), "{reverted:?}");
}

#[test]
fn verdicts_other_than_regressed_change_nothing() {
    let own = deployment("web", 1, DEPLOYED_AT);
    let policy = auto();
    for (verdict, expected) in [
        (Verdict::Pending, "wait"),
        // It is watched to the end.
        (Verdict::Healthy, "wait"),
        (Verdict::Preexisting, "pass"),
        (Verdict::Inconclusive("no data".to_owned()), "pass"),
    ] {
        let judgement = judgement(verdict, DEPLOYED_AT);
        let case = case_of(&own, &judgement, &policy);
        let situation = quiet(Time::from_unix(DEPLOYED_AT + 300));
        assert_eq!(decide(&case, &situation).0.word(), expected);
    }
}

#[test]
fn a_source_that_does_not_answer_is_waited_for_and_then_no_more() {
    let own = deployment("web", 1, DEPLOYED_AT);
    let policy = auto();
    let judgement = judgement(Verdict::Inconclusive("unavailable".to_owned()), DEPLOYED_AT);
    let decided = |secs: i64, unanswered: bool| {
        let case = Case { unanswered, ..case_of(&own, &judgement, &policy) };
        let now = Time::from_unix(DEPLOYED_AT + secs);
        let situation = quiet(now);
        decide(&case, &situation).0.word()
    };
    assert_eq!([decided(1_860, true), decided(1_860, false), decided(2_701, true)], ["wait", "pass", "pass"]);
}

#[test]
fn damage_of_a_deployment_that_was_replaced_is_told_once_more() {
    let (first, second) = (deployment("web", 1, DEPLOYED_AT - 200), deployment("web", 2, DEPLOYED_AT));
    let other = deployment("api", 3, DEPLOYED_AT - 200);
    let judgement = judgement(Verdict::Preexisting, DEPLOYED_AT - 100);
    let policy = auto();
    let case = case_of(&second, &judgement, &policy);
    let decided = |watched: &[Deployment], reverts: &[RevertEntry]| {
        let now = Time::from_unix(DEPLOYED_AT + 1_800);
        let situation = Situation { reverts, watched, ..quiet(now) };
        decide(&case, &situation).0
    };
    let watched = [first.clone(), other.clone(), second.clone()];
    assert!(matches!(decided(&watched, &[]), Decision::Escalate(why) if why.contains("did not mend it")));
    assert!(matches!(decided(&watched, &[revert_of(&first, DEPLOYED_AT - 50, "v2")]), Decision::Pass(_)));
    assert!(matches!(decided(&[other, second.clone()], &[]), Decision::Pass(_)));
}

/// Of several that could have done the damage nobody is backed out, and a person is told.
#[test]
fn damage_that_several_could_have_done_goes_to_a_person() {
    let own = deployment("web", 1, DEPLOYED_AT);
    let policy = auto();
    let judgement = judgement(Verdict::Inconclusive("it may be the doing of cart".to_owned()), DEPLOYED_AT);
    for (contested, expected) in [(true, "escalate"), (false, "pass")] {
        let case = Case { contested, ..case_of(&own, &judgement, &policy) };
        let situation = Situation {
            open: &[case],
            watched: std::slice::from_ref(&own),
            ..quiet(Time::from_unix(DEPLOYED_AT + 300))
        };
        assert_eq!(decide(&case, &situation).0.word(), expected);
    }
}

/// A bad deployment that was replaced after ten minutes, and what is decided about both: some seconds after the watch of the
/// one that replaced it, of which this verdict is known.
fn replaced_at(secs: i64, later: Verdict, goal: Option<&Goal>) -> [Decision; 2] {
    let (mut first, second) = (deployment("web", 1, DEPLOYED_AT - 600), deployment("web", 2, DEPLOYED_AT));
    first.superseded_by = Some(second.commit);
    let since = DEPLOYED_AT - 500;
    let (red, later) = (judgement(Verdict::Regressed, since), judgement(later, since));
    let policy = auto();
    let case = |deployment, judgement, goal| Case { goal, ..case_of(deployment, judgement, &policy) };
    let open = [case(&first, &red, goal), case(&second, &later, None)];
    let situation = Situation {
        regressed: &open[..1],
        open: &open,
        watched: &[first.clone(), second.clone()],
        ..quiet(Time::from_unix(DEPLOYED_AT + i64::from(policy.watch_secs) + secs))
    };
    open.map(|case| decide(&case, &situation).0)
}

#[test]
fn what_waited_for_the_next_version_is_not_too_late() {
    let waiting = replaced_at(-60, Verdict::Pending, None);
    assert_eq!(waiting, [Decision::Wait, Decision::Wait]);
    let known = replaced_at(LATE_SECS, Verdict::Preexisting, None);
    assert!(matches!(&known, [Decision::Revert, Decision::Hold(_)]), "{known:?}");
    let late = replaced_at(LATE_SECS + 1, Verdict::Preexisting, None);
    assert!(
        matches!(&late, [Decision::Escalate(why), Decision::Hold(_)] if why.contains("too late")),
        "{late:?}"
    );
}

#[test]
fn damage_that_outlives_a_rollback_is_told() {
    let back = Goal::TakenBack(CommitId::from_bytes([2; 20]));
    let decided = replaced_at(0, Verdict::Preexisting, Some(&back));
    assert!(
        matches!(&decided, [Decision::Pass(_), Decision::Escalate(why)] if why.contains("did not mend it")),
        "{decided:?}"
    );
    let under = Goal::Under(CommitId::from_bytes([2; 20]));
    let [first, _] = replaced_at(0, Verdict::Preexisting, Some(&under));
    assert!(
        matches!(&first, Decision::Escalate(why) if why.contains("took something else back")),
        "{first:?}"
    );
}

#[test]
fn what_goes_back_with_another_is_not_called_reverted() {
    let (first, second) = (deployment("web", 1, DEPLOYED_AT - 600), deployment("web", 2, DEPLOYED_AT));
    let entry = RevertEntry { with: vec![second.commit], ..revert_of(&first, DEPLOYED_AT + 200, "v2") };
    assert!(matches!(decided(&first, &auto(), std::slice::from_ref(&entry)), Decision::Pass(_)));
    let told = decided(&second, &auto(), &[entry]);
    assert!(matches!(&told, Decision::Hold(why) if why.contains(&first.commit.short())), "{told:?}");
}
