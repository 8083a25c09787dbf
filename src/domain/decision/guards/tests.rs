mod brakes;
mod groups;
mod schema;

use super::earlier_revert::RevertInVain;
use super::landing::OpenLanding;
use super::later_deployment::LaterOne;
use super::superseded::Replacement;
use super::verdict::Doubt;
use super::*;
use crate::domain::artifact::PassedOver;
use crate::domain::decision::answer::{GuardAnswer, Replay};
use crate::domain::decision::stack::Inherited;
use crate::domain::environment::freeze::Frozen;
use crate::domain::environment::policy::{Mixed, Mode};
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::time::Time;

/// Facts of one guard, each with its answer in words: empty where it has nothing against a revert.
type Table = Vec<(Facts, &'static str)>;

/// The tables, in the order of the guards.
const TABLES: [fn() -> Table; GUARDS.len()] = [
    already_reverted,
    superseded,
    verdict,
    schema::schema_change,
    mixed_commit,
    watch_window,
    rollback,
    later_deployment,
    quarantine,
    brakes::oscillation,
    cooldown,
    incident,
    earlier_revert,
    budget,
    brakes::artifact,
    target,
    brakes::paused,
    groups::group,
    mode,
    brakes::trust,
    brakes::frozen,
    brakes::service_budget,
    brakes::fix,
    landing,
    brakes::overridden,
    brakes::elsewhere,
];

fn id(byte: u8) -> CommitId {
    CommitId::from_bytes([byte; 20])
}

fn at(secs: i64) -> Time {
    Time::from_unix(1_000_000 + secs)
}

fn web() -> ServiceName {
    ServiceName::new("web").unwrap()
}

fn words(decision: Option<&Decision>) -> String {
    let Some(decision) = decision else { return String::new() };
    let why = decision.why().map(|why| format!(": {why}")).unwrap_or_default();
    format!("{}{why}", decision.word())
}

#[test]
fn each_guard_answers_from_its_facts_alone() {
    for (guard, table) in GUARDS.iter().zip(TABLES) {
        let rows = table();
        for (facts, expected) in &rows {
            assert_eq!(facts.guard(), guard.name, "the tables are in the order of the guards");
            assert_eq!(words(facts.answer().as_ref()), *expected, "{facts:?}");
        }
        let silent = rows.iter().filter(|(_, expected)| expected.is_empty()).count();
        assert!(
            rows.len() > 2 && (1..rows.len()).contains(&silent),
            "{}: one of each kind, and an edge",
            guard.name
        );
    }
}

#[test]
fn facts_are_read_back_as_they_were_written() {
    for (facts, _) in TABLES.iter().flat_map(|table| table()) {
        let answer = GuardAnswer::to(facts);
        let json = serde_json::to_string(&answer).unwrap();
        let read: GuardAnswer = serde_json::from_str(&json).unwrap();
        assert_eq!(read, answer, "{json}");
        assert_eq!(read.replayed(), Replay::Same);
        assert!(json.len() < 700, "{json}");
    }
}

#[test]
fn an_answer_that_does_not_follow_is_seen() {
    for (facts, _) in TABLES.iter().flat_map(|table| table()) {
        let honest = GuardAnswer::to(facts);
        let forged = match honest.decision {
            None => Some(Decision::Escalate("a person must look".to_owned())),
            Some(_) => None,
        };
        let forged = GuardAnswer { decision: forged, ..honest.clone() };
        assert_eq!(forged.replayed(), Replay::Other(honest.decision));
    }
}

#[test]
fn answers_of_other_versions_are_read() {
    let read = |json: &str| serde_json::from_str::<GuardAnswer>(json).unwrap();
    let escalated = Some(Decision::Escalate("why".to_owned()));
    for (json, guard, decision) in [
        (r#"{"guard":"budget","decision":null}"#, "budget", None),
        (r#"{"guard":"budget","decision":{"action":"escalate","why":"why"}}"#, "budget", escalated.clone()),
        // Of a guard, and of facts, that this version does not know.
        (r#"{"guard":"moon","facts":{"phase":"full"}}"#, "moon", None),
        (
            r#"{"guard":"mode","facts":{"mode":"dream"},"decision":{"action":"escalate","why":"why"}}"#,
            "mode",
            escalated,
        ),
    ] {
        let answer = read(json);
        assert_eq!(answer, GuardAnswer::without_facts(guard, decision));
        assert_eq!(answer.replayed(), Replay::NoFacts);
    }
}

#[test]
fn each_guard_has_a_name_of_its_own_and_says_what_it_is_for() {
    let names: std::collections::BTreeSet<&str> = GUARDS.iter().map(|guard| guard.name).collect();
    assert_eq!(names.len(), GUARDS.len());
    for known in [MODE_GUARD, VERDICT_GUARD, SCHEMA_GUARD, INCIDENT_GUARD, PAUSED_GUARD, FROZEN_GUARD] {
        assert!(names.contains(known), "{known}");
    }
    assert!(GUARDS.iter().all(|guard| guard.reason.ends_with('.') && !guard.reason.contains("  ")));
}

fn already_reverted() -> Table {
    let facts = |revert, revert_of| Facts::AlreadyReverted(AlreadyRevertedFacts { revert, revert_of });
    vec![
        (facts(None, None), ""),
        (facts(Some(id(9)), None), "pass: already reverted by 0909090909"),
        (
            facts(Some(id(9)), Some(id(7))),
            "hold: it goes back with 0707070707, another deployment of the same service",
        ),
    ]
}

fn superseded() -> Table {
    let replaced = SupersededFacts { replaced_by: Some(id(2)), ..SupersededFacts::default() };
    let last = |verdict, age_secs, [before, as_bad]: [bool; 2]| {
        let signal = || "errors".parse().unwrap();
        let last = Replacement {
            commit: id(3),
            verdict,
            age_secs,
            recovery_secs: 900,
            bad_since_before: before.then(signal),
            as_bad: as_bad.then(signal),
        };
        Facts::Superseded(SupersededFacts { last: Some(last), ..replaced.clone() })
    };
    let (gone, no) = ("pass: 0202020202 has replaced what it deployed", [false, false]);
    vec![
        (Facts::Superseded(SupersededFacts::default()), ""),
        (
            Facts::Superseded(SupersededFacts { taken_back_by: Some(id(4)), ..replaced.clone() }),
            "pass: 0404040404 has taken it back",
        ),
        (Facts::Superseded(replaced.clone()), gone),
        (last(VerdictKind::Pending, 899, [true, false]), "wait"),
        (last(VerdictKind::Pending, 900, [true, false]), ""),
        (last(VerdictKind::Pending, 900, no), "wait"),
        (last(VerdictKind::Preexisting, 0, no), ""),
        (last(VerdictKind::Regressed, 0, no), gone),
        (last(VerdictKind::Inconclusive, 0, no), gone),
        (last(VerdictKind::Healthy, 0, no), gone),
        (
            last(VerdictKind::Healthy, 0, [false, true]),
            "escalate: 0303030303 has replaced what it deployed, and the signals are still as bad",
        ),
    ]
}

fn verdict() -> Table {
    let of = |verdict, age_secs| VerdictFacts {
        verdict,
        ..VerdictFacts::healthy("so".to_owned(), age_secs, 1_800)
    };
    let row = |facts: VerdictFacts, expected| (Facts::Verdict(facts), expected);
    let unanswered = |age_secs| VerdictFacts { unanswered: true, ..of(VerdictKind::Inconclusive, age_secs) };
    let unjudged = |verdict| VerdictFacts { unjudged: Some("nobody can".to_owned()), ..of(verdict, 60) };
    let doubted = |doubt| VerdictFacts { doubt: Some(doubt), ..of(VerdictKind::Inconclusive, 1_800) };
    let known = |facts| VerdictFacts { known_elsewhere: true, ..facts };
    let inherited = |goes_back| VerdictFacts {
        began_with: Some(Inherited { commit: id(5), goes_back }),
        ..of(VerdictKind::Preexisting, 60)
    };
    vec![
        row(of(VerdictKind::Regressed, 60), ""),
        row(of(VerdictKind::Pending, 60), "wait"),
        row(of(VerdictKind::Healthy, 1_799), "wait"),
        row(of(VerdictKind::Healthy, 1_800), "pass: so"),
        row(of(VerdictKind::Preexisting, 60), "pass: so"),
        row(VerdictFacts { may_be_own: true, ..of(VerdictKind::Preexisting, 60) }, ""),
        row(
            inherited(true),
            "hold: the damage began with 0505050505, an earlier deployment of the same service",
        ),
        row(
            inherited(false),
            "escalate: the damage began with 0505050505, an earlier deployment of the same service, and this one did not mend it",
        ),
        row(of(VerdictKind::Inconclusive, 60), "pass: so"),
        row(unanswered(2_700), "wait"),
        row(unanswered(2_701), "pass: so"),
        row(unanswered(i64::MAX), "pass: so"),
        row(unjudged(VerdictKind::Pending), "escalate: nobody can"),
        row(unjudged(VerdictKind::Healthy), "escalate: nobody can"),
        row(unjudged(VerdictKind::Inconclusive), "escalate: nobody can"),
        row(known(of(VerdictKind::Pending, 60)), ""),
        row(known(unanswered(2_700)), ""),
        row(known(unanswered(2_701)), "pass: so"),
        row(known(of(VerdictKind::Inconclusive, 60)), "pass: so"),
        row(known(unjudged(VerdictKind::Pending)), "escalate: nobody can"),
        row(doubted(Doubt::Contested), "escalate: so"),
        row(doubted(Doubt::Missed), "escalate: so"),
        row(doubted(Doubt::Beyond), "escalate: so"),
        row(doubted(Doubt::BadSinceUnknown), "escalate: so"),
    ]
}

fn mixed_commit() -> Table {
    let facts = |policy, others| {
        let first = (others > 0).then(|| "replicas".to_owned());
        Facts::MixedCommit(MixedCommitFacts { policy, others, first })
    };
    vec![
        (facts(Mixed::Deployment, 2), ""),
        (facts(Mixed::Fields, 2), ""),
        (facts(Mixed::Manual, 0), ""),
        (facts(Mixed::Manual, 1), "escalate: the commit also changed replicas"),
        (facts(Mixed::Manual, 3), "escalate: the commit also changed replicas and 2 more"),
    ]
}

fn watch_window() -> Table {
    let facts = |age_secs, replaced_secs| {
        Facts::WatchWindow(WatchWindowFacts { age_secs, replaced_secs, watch_secs: 1_800 })
    };
    let late = "escalate: it was deployed 35 min 1 s ago and its watch window is over: too late to act alone";
    vec![
        (facts(0, None), ""),
        (facts(2_100, None), ""),
        (facts(2_101, None), late),
        (facts(2_101, Some(2_100)), ""),
        (facts(2_101, Some(2_101)), late),
    ]
}

fn rollback() -> Table {
    let facts =
        |takes_back, says_it_takes_back| Facts::Rollback(RollbackFacts { takes_back, says_it_takes_back });
    vec![
        (facts(None, None), ""),
        (
            facts(Some(id(8)), None),
            "escalate: it is itself a rollback: it brought back what 0808080808 had replaced, and taking it back would put that out again",
        ),
        (
            facts(None, Some(id(8))),
            "escalate: its trailers say that it is a revert of 0808080808, and what 0808080808 had changed is not in the history \
             that can be read: taking it back might put a bad version out again",
        ),
    ]
}

fn later_deployment() -> Table {
    let facts = |is_pending, is_blamed| {
        let later = Some(LaterOne { commit: id(6), is_pending, is_blamed });
        Facts::LaterDeployment(LaterDeploymentFacts { later })
    };
    let why = "the damage began after 0606060606, a later deployment of the same service";
    let not_bad = format!("escalate: {why}, which was not found bad").leak();
    vec![
        (Facts::LaterDeployment(LaterDeploymentFacts::default()), ""),
        (facts(true, true), "wait"),
        (facts(false, true), format!("hold: {why}").leak()),
        (facts(false, false), not_bad),
    ]
}

fn quarantine() -> Table {
    let back = |reverts, is_automation| QuarantineFacts {
        reverts,
        last_revert: Some(id(9)),
        author: Some("Ada".to_owned()),
        is_automation,
        ..QuarantineFacts::default()
    };
    let row = |facts: QuarantineFacts, expected| (Facts::Quarantine(facts), expected);
    let off =
        |taken_off| QuarantineFacts { taken_off, last_taken_off: Some(id(4)), ..QuarantineFacts::default() };
    vec![
        row(QuarantineFacts::default(), ""),
        row(back(1, true), ""),
        row(
            back(2, true),
            "escalate: the automation Ada keeps putting back what was reverted 2 times (last by 0909090909): stop it first",
        ),
        row(
            QuarantineFacts { pins: vec!["flux-suspend 2 in a.yaml: all".to_owned()], ..back(2, true) },
            "escalate: the automation Ada keeps putting back what was reverted 2 times (last by 0909090909), although it is pinned \
             (flux-suspend 2 in a.yaml: all): find out why Ada does not obey that, and stop it first",
        ),
        // The guard `override` sees to what a person put back.
        row(back(1, false), ""),
        row(back(2, false), ""),
        row(off(1), ""),
        row(
            off(2),
            "escalate: somebody took its reverts off the branch 2 times (last 0404040404): settle first what is to run",
        ),
    ]
}

fn cooldown() -> Table {
    let facts = |ago: Option<i64>, is_return| {
        Facts::Cooldown(CooldownFacts {
            service: web(),
            cooldown_secs: 3_600,
            reverted_at: ago.map(|ago| at(-ago)),
            reverted_ago_secs: ago,
            is_return,
        })
    };
    let left = "escalate: web was reverted 59 min 59 s ago: until 1970-01-12T13:46:41Z no new version of it is reverted \
                automatically (cooldown)";
    vec![
        (facts(None, false), ""),
        (facts(Some(3_599), false), left),
        (facts(Some(3_600), false), ""),
        (facts(Some(3_599), true), ""),
    ]
}

fn incident() -> Table {
    let facts = |services: usize, releases, incident_services| {
        let name = |place: usize| ServiceName::new(format!("s{place}")).unwrap();
        let named = (0..services.min(20)).map(name).collect();
        Facts::Incident(IncidentFacts { services, releases, named, incident_services })
    };
    vec![
        (facts(1, 1, 3), ""),
        (facts(2, 2, 3), ""),
        (facts(3, 3, 3), "escalate: 3 services are red at once (s0, s1, s2): one incident"),
        // One release in three clusters.
        (facts(3, 1, 3), ""),
        // One service alone is none, whatever is configured.
        (facts(1, 1, 0), ""),
        (
            facts(22, 22, 3),
            "escalate: 22 services are red at once (s0, s1, s2, s3, s4, s5, s6, s7, s8, s9, s10, s11, s12, s13, s14, s15, s16, \
             s17, s18, s19 and 2 more): one incident",
        ),
    ]
}

fn earlier_revert() -> Table {
    let facts = |ago: Option<i64>, is_fallback| {
        let in_vain =
            |ago_secs: i64| RevertInVain { revert: id(9), service: web(), at: at(-ago_secs), ago_secs };
        let in_vain = ago.map(in_vain);
        Facts::EarlierRevert(EarlierRevertFacts { window_secs: 3_600, in_vain, is_fallback })
    };
    let stopped = "escalate: the revert 0909090909 of web did not help: no other deployment is reverted automatically until \
                   1970-01-12T13:46:41Z, or until a person has deployed or reverted web";
    vec![
        (facts(None, false), ""),
        (facts(Some(3_599), false), stopped),
        (facts(Some(3_600), false), ""),
        (facts(Some(3_599), true), ""),
    ]
}

fn budget() -> Table {
    let facts = |used, max_reverts| Facts::Budget(BudgetFacts { used, max_reverts, window_secs: 3_600 });
    vec![
        (facts(2, 3), ""),
        (facts(3, 3), "escalate: the budget of 3 reverts in 1 h is used up"),
        (facts(1, 1), "escalate: the budget of 1 revert in 1 h is used up"),
        (facts(0, 0), "escalate: the budget of 0 reverts in 1 h is used up"),
    ]
}

fn target() -> Table {
    let none = TargetFacts { targets: 3, takes_back: None, under: None, none_good: None };
    let row = |facts: TargetFacts, expected| (Facts::Target(facts), expected);
    let bad = |reached: &[&str]| {
        let reached = reached.iter().map(|one| (*one).to_owned()).collect();
        TargetFacts { none_good: Some(reached), ..none.clone() }
    };
    vec![
        row(none.clone(), ""),
        row(TargetFacts { takes_back: Some(2), ..none.clone() }, ""),
        row(
            TargetFacts { under: Some(id(2)), ..none.clone() },
            "escalate: 0202020202 came after it and took something else back, or a part of it: the state before would put that out \
             again",
        ),
        row(
            bad(&["v1", "v0"]),
            "escalate: no earlier state within reach is known to be good (`targets: 3`): each is in quarantine, was found bad or \
             ran too briefly (v1; v0)",
        ),
        row(
            bad(&[]),
            "escalate: no earlier state within reach is known to be good (`targets: 3`): each is in quarantine, was found bad or \
             ran too briefly (none)",
        ),
    ]
}

fn mode() -> Table {
    let facts = |mode| Facts::Mode(ModeFacts { mode });
    vec![
        (facts(Mode::Observe), "hold: mode observe: it would be reverted"),
        (facts(Mode::Propose), "propose"),
        (facts(Mode::Earn), ""),
        (facts(Mode::Auto), ""),
    ]
}

fn landing() -> Table {
    let open = OpenLanding { since: at(0), earliest: at(-301), latest: at(1) };
    let row = |facts: LandingFacts, expected| (Facts::Landing(facts), expected);
    vec![
        row(LandingFacts::default(), ""),
        row(LandingFacts { open: Some(open), ..LandingFacts::default() }, "propose"),
        row(LandingFacts { may_be_of: Some(id(2)), ..LandingFacts::default() }, "propose"),
        row(LandingFacts { by_record_alone: true, ..LandingFacts::default() }, "propose"),
    ]
}

/// A text of somebody else's makes no line of its own.
#[test]
fn facts_are_shown_line_by_line() {
    let facts = Facts::Quarantine(QuarantineFacts {
        reverts: 2,
        author: Some("Ada\n  is_automation: no\u{1b}[2J\u{202e}".to_owned()),
        is_automation: true,
        pins: vec!["one".to_owned(), "two\nused: 0".to_owned()],
        ..QuarantineFacts::default()
    });
    assert_eq!(
        facts.lines(),
        [
            "author: Ada   is_automation: no [2J",
            "is_automation: yes",
            "pins: one, two used: 0",
            "reverts: 2",
            "taken_off: 0"
        ]
    );
    let nested = Facts::Quarantine(QuarantineFacts {
        pins: (0..100).map(|number| format!("{number} {}", "x".repeat(100))).collect(),
        ..QuarantineFacts::default()
    });
    assert!(nested.lines().iter().all(|line| line.chars().count() <= 300), "{nested:?}");
    let crossed: Value = serde_json::json!({"a": {"b": [{"c": null}, {"d": [1, true]}], "e": []}});
    let mut lines = Vec::new();
    add_lines("", &crossed, &mut lines);
    assert_eq!(lines, ["a b 1 c: none", "a b 2 d: 1, yes", "a e: none"]);
}
