//! The tables of the guards that slow the agent down, and of those that ask people and registries.

use super::*;
use crate::domain::decision::guards::fix::TakenBackChange;
use crate::domain::decision::guards::oscillation::ReturnOfValues;
use crate::domain::decision::guards::service_budget::BudgetOfService;
use crate::domain::decision::stack::Inherited;
use crate::domain::deployment::precedent::{Became, Precedent};
use crate::domain::deployment::trust::{No, Trust};
use crate::domain::ids::{EnvironmentName, SignalName};

pub(super) fn service_budget() -> Table {
    let facts = |used, max_reverts| {
        let until = (used > 0).then(|| at(86_400));
        let budget = BudgetOfService { service: web(), used, max_reverts, window_secs: 86_400, until };
        Facts::ServiceBudget(ServiceBudgetFacts { budget: Some(budget) })
    };
    vec![
        (Facts::ServiceBudget(ServiceBudgetFacts::default()), ""),
        (facts(0, 1), ""),
        (facts(1, 2), ""),
        (facts(2, 2), "propose"),
        (facts(3, 2), "propose"),
    ]
}

pub(super) fn trust() -> Table {
    let facts = |accepted, needed, last_no: Option<i64>| {
        let last_no =
            last_no.map(|secs| No { at: at(secs), what: "a person declined the revert".to_owned() });
        Facts::Trust(TrustFacts { trust: Some(Trust { accepted, needed, last_no }) })
    };
    vec![
        (Facts::Trust(TrustFacts::default()), ""),
        (facts(0, 3, None), "propose"),
        (facts(2, 3, None), "propose"),
        (facts(3, 3, None), ""),
        (facts(4, 3, Some(-10)), ""),
        (facts(0, 1, Some(-10)), "propose"),
    ]
}

pub(super) fn oscillation() -> Table {
    let facts = |machines: &[bool]| {
        let one = |(place, is_automation): (u8, &bool)| ReturnOfValues {
            commit: id(place),
            is_automation: *is_automation,
        };
        Facts::Oscillation(OscillationFacts { returns: (1..).zip(machines).map(one).collect() })
    };
    let told = "escalate: its versions go back and forth without the agent: each of 0101010101, 0202020202 brought back what ran \
                before: settle first what is to run";
    let three = "escalate: its versions go back and forth without the agent: each of 0101010101, 0202020202, 0303030303 brought back \
                 what ran before: settle first what is to run";
    vec![
        (facts(&[]), ""),
        // One rollback.
        (facts(&[true]), ""),
        // Two machines fight.
        (facts(&[true, true]), told),
        // A person rolled back, and a machine or a person deployed it again.
        (facts(&[true, false]), ""),
        (facts(&[false, true]), ""),
        (facts(&[false, false]), ""),
        // It goes on.
        (facts(&[true, false, true]), three),
        (facts(&[false, false, false]), three),
    ]
}

pub(super) fn fix() -> Table {
    let change = |word: &str, is_own, is_automation| TakenBackChange {
        commit: id(2),
        subject: "a subject".to_owned(),
        word: Some(word.to_owned()),
        is_own,
        is_automation,
        on_top_by: None,
    };
    let row =
        |change: TakenBackChange, expected| (Facts::Fix(FixFacts { taken_back: vec![change] }), expected);
    let on_top =
        TakenBackChange { word: None, on_top_by: Some("Ada".to_owned()), ..change("", false, false) };
    vec![
        (Facts::Fix(FixFacts::default()), ""),
        // The bad release itself calls itself a fix, as half of all do.
        row(change("fix", true, false), ""),
        row(change("fix", true, true), ""),
        row(change("hotfix", true, true), "propose"),
        row(change("cve-2026-1234", true, true), "propose"),
        // What goes back with it.
        row(change("fix", false, false), "propose"),
        row(change("fix", false, true), ""),
        row(change("security", false, true), "propose"),
        row(on_top, "propose"),
    ]
}

#[test]
fn who_is_asked_to_accept_a_revert_is_told_why() {
    for (facts, expected) in service_budget().into_iter().chain(fix()) {
        assert!(expected.is_empty() || facts.doubt().is_some(), "{facts:?}");
    }
    let told = |table: Table, place: usize| table[place].0.doubt().unwrap();
    assert_eq!(
        told(service_budget(), 3),
        "web was reverted 2 times in the last 1 d: the agent only proposes a revert of it until 1970-01-13T13:46:40Z"
    );
    assert_eq!(told(fix(), 5), "the revert takes back what may be a fix: 0202020202 (a subject)");
    assert_eq!(
        told(fix(), 8),
        "the revert takes back 0202020202 (a subject), with which Ada changed the same fields later"
    );
}

pub(super) fn paused() -> Table {
    let facts = |words: Option<&str>| Facts::Paused(PausedFacts { paused: words.map(str::to_owned) });
    let broken = "paused until a person has mended it: line 2 is wrong";
    vec![
        (facts(None), ""),
        (facts(Some("paused until then by Ann: a move")), "hold: paused until then by Ann: a move"),
        (facts(Some(broken)), "hold: paused until a person has mended it: line 2 is wrong"),
    ]
}

pub(super) fn frozen() -> Table {
    let why = || "the sales".to_owned();
    let facts = |frozen| Facts::Frozen(FrozenFacts { frozen });
    vec![
        (facts(None), ""),
        (facts(Some(Frozen { until: Some(at(60)), why: why() })), "propose"),
        (facts(Some(Frozen { until: None, why: why() })), "propose"),
    ]
}

pub(super) fn artifact() -> Table {
    let over = |byte, why: &str| PassedOver { state: Some(id(byte)), why: why.to_owned() };
    let gone = vec![
        over(2, "shop/web:1.1 is gone from its registry"),
        over(3, "shop/web:1.0 is gone from its registry"),
    ];
    let row = |passed_over, none_left, expected| {
        (Facts::Artifact(ArtifactFacts { passed_over, none_left }), expected)
    };
    vec![
        row(Vec::new(), false, ""),
        // The revert leads to an older state.
        row(gone.clone(), false, ""),
        // The guard `target` says why.
        row(Vec::new(), true, ""),
        row(
            gone,
            true,
            "escalate: no good state is left that can run again: shop/web:1.1 is gone from its registry; shop/web:1.0 is gone from \
             its registry",
        ),
    ]
}

pub(super) fn overridden() -> Table {
    let row = |facts, expected| (Facts::Override(facts), expected);
    let by = |name: &str| OverrideFacts { person: Some(name.to_owned()), last_revert: Some(id(2)) };
    vec![
        row(OverrideFacts::default(), ""),
        row(by("Ada"), "propose"),
        // A person without a name is one too.
        row(by(""), "propose"),
    ]
}

pub(super) fn elsewhere() -> Table {
    let row = |known: Option<Precedent>, expected| {
        (Facts::Elsewhere(ElsewhereFacts { known: known.map(Box::new) }), expected)
    };
    let signals = vec![SignalName::new("errors").unwrap()];
    let known = |signals, revert| Precedent {
        environment: EnvironmentName::new("staging").unwrap(),
        service: web(),
        deployment: id(3),
        artifact: "registry.example.com/shop/web:v2".to_owned(),
        at: at(0),
        became: Became::Bad { signals, revert },
    };
    vec![
        row(None, ""),
        row(Some(known(signals, Some(id(4)))), "propose"),
        // Of which nobody knows the signals any more.
        row(Some(known(Vec::new(), None)), "propose"),
    ]
}

/// Where the earlier deployment stays with which it was to go back, a person hears of it.
#[test]
fn a_deployment_that_was_to_go_back_with_one_that_stays_is_for_a_person() {
    let began_with = Some(Inherited { commit: id(7), goes_back: true });
    let verdict = VerdictFacts::healthy(String::new(), 600, 1_800);
    let facts = Facts::Verdict(VerdictFacts { verdict: VerdictKind::Preexisting, began_with, ..verdict });
    assert_eq!(facts.goes_back_with(), Some(id(7)));
    assert!(matches!(facts.answer(), Some(Decision::Hold(_))));
    let left = facts.left_with_it();
    assert_eq!(left.goes_back_with(), None);
    let expected = "escalate: the damage began with 0707070707, an earlier deployment of the same service, and this one did not mend it";
    assert_eq!(words(left.answer().as_ref()), expected);
}
