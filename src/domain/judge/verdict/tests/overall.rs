//! Gaps, controls, and the verdict over all signals.

use super::*;
use crate::domain::environment::signal::Window;

const LIMIT: Rule = Rule::Limit { limit: 2.0, for_secs: 60 };

fn named(name: &str, after: f64) -> SignalEvidence {
    asked(signal(name, LIMIT), grid(STEP, &[1.0; 60], &[after; 40]))
}

fn bad(name: &str) -> SignalEvidence {
    named(name, 3.0)
}

fn good(name: &str) -> SignalEvidence {
    named(name, 1.0)
}

fn gap(name: &str) -> SignalEvidence {
    SignalEvidence { found: Found::Gap(Gap::NoData), ..good(name) }
}

fn preexisting(name: &str) -> SignalEvidence {
    asked(signal(name, LIMIT), grid(STEP, &[3.0; 60], &[3.0; 40]))
}

fn critical(mut asked: SignalEvidence) -> SignalEvidence {
    asked.signal.role = Role::Critical;
    asked
}

fn with_quorum(quorum: u32, signals: Vec<SignalEvidence>) -> Evidence {
    Evidence { quorum, ..evidence(signals) }
}

#[test]
fn all_signals_make_one_verdict() {
    let table = [
        (1, vec![], "inconclusive"),
        (1, vec![good("a")], "healthy"),
        (1, vec![bad("a"), good("b")], "regressed"),
        (0, vec![good("a")], "healthy"),
        (0, vec![bad("a")], "regressed"),
        (2, vec![bad("a"), good("b")], "inconclusive"),
        (2, vec![bad("a"), bad("b")], "regressed"),
        (2, vec![critical(bad("a")), good("b")], "regressed"),
        (1, vec![preexisting("a"), good("b")], "preexisting"),
        (1, vec![preexisting("a"), bad("b")], "regressed"),
        (2, vec![preexisting("a"), bad("b")], "inconclusive"),
        (1, vec![gap("a")], "inconclusive"),
        (1, vec![gap("a"), good("b")], "healthy"),
        (1, vec![critical(gap("a")), good("b")], "inconclusive"),
        (2, vec![gap("a"), good("b")], "inconclusive"),
        (2, vec![good("a")], "healthy"),
    ];
    for (number, (quorum, signals, expected)) in table.into_iter().enumerate() {
        assert_eq!(word(&with_quorum(quorum, signals)), expected, "row {number}");
    }
}

#[test]
fn an_open_window_is_pending_or_regressed() {
    for signals in [vec![good("a")], vec![gap("a")], vec![preexisting("a")], vec![gap("a"), good("b")]] {
        let judgement = judge(&after(300, evidence(signals)));
        assert_eq!(judgement.verdict, Verdict::Pending);
        assert!(judgement.findings.iter().all(|finding| finding.verdict == Verdict::Pending));
    }
    assert_eq!(word(&after(300, evidence(vec![bad("a"), gap("b")]))), "regressed");
    assert_eq!(judge(&after(300, evidence(vec![]))).verdict, Verdict::Inconclusive("no signals".to_owned()));
}

#[test]
fn since_is_the_earliest_onset_and_the_reason_is_its_own() {
    let (before, late) = shape(60, &[(20, 1.0), (20, 3.0)]);
    let late = asked(signal("late", LIMIT), grid(STEP, &before, &late));
    let judgement = judge(&evidence(vec![late, bad("early")]));
    assert_eq!(judgement.since, Some(Time::from_unix(DEPLOYED + 5)));
    assert!(judgement.reason.starts_with("early rose from 1 to 3"), "{}", judgement.reason);
    assert!(judgement.reason.ends_with("likewise late"), "{}", judgement.reason);
    let order: Vec<&str> = judgement.findings.iter().map(|finding| finding.signal.as_str()).collect();
    assert_eq!(order, ["late", "early"]);
}

#[test]
fn a_gap_is_named_and_never_a_regression() {
    let table = [
        (Gap::NoData, "no data"),
        (Gap::Unavailable("timed out".to_owned()), "metric source unavailable: timed out"),
        (Gap::Rejected("bad query".to_owned()), "query rejected: bad query"),
    ];
    for (gap, why) in table {
        for rule in [LIMIT, Rule::Robust, Rule::Change { share: 0.1, for_secs: 0 }] {
            let found = Found::Gap(gap.clone());
            let asked = SignalEvidence { found, ..asked(signal("errors", rule), Vec::new()) };
            let finding = only(&evidence(vec![asked.clone()]));
            assert_eq!(finding.verdict, Verdict::Inconclusive(why.to_owned()));
            assert_eq!(finding.reason, format!("errors: {why}"));
            assert_eq!(word(&after(10, evidence(vec![asked]))), "pending");
        }
    }
}

#[test]
fn damage_that_hits_others_too_is_not_blamed() {
    let control = |service: &str, after: f64| Control {
        service: service.to_owned(),
        samples: grid(STEP, &[1.0; 60], &[after; 40]),
    };
    let empty = Control { service: "new".to_owned(), samples: Vec::new() };
    let table = [
        (vec![], "regressed"),
        (vec![control("a", 3.0)], "regressed"),
        (vec![control("a", 3.0), empty.clone()], "regressed"),
        (vec![control("a", 1.0), control("b", 1.0)], "regressed"),
        (vec![control("a", 3.0), control("b", 1.0), control("c", 1.0)], "regressed"),
        (vec![control("a", 3.0), control("b", 1.0)], "inconclusive"),
        (vec![control("a", 3.0), control("b", 3.0), empty], "inconclusive"),
    ];
    for rule in [LIMIT, Rule::Robust, Rule::Change { share: 0.5, for_secs: 60 }] {
        for (number, (controls, expected)) in table.iter().enumerate() {
            let mut asked = asked(signal("load", rule), grid(STEP, &[1.0; 60], &[3.0; 40]));
            asked.controls = controls.clone();
            let finding = only(&evidence(vec![asked]));
            assert_eq!(finding.verdict.word(), *expected, "{rule:?} row {number}: {}", finding.reason);
        }
    }
}

#[test]
fn quiet_neighbours_excuse_no_errors() {
    let ratio = Signal { kind: SignalKind::ErrorRatio, ..signal("errors", Rule::Robust) };
    for seed in 0..40 {
        for count in 1..=8 {
            let quiet = |seed: u64, count: usize| noise(seed, 0.002, 0.003, count);
            // It was good for a while after the deployment.
            let after: Vec<f64> =
                quiet(seed + 1_000, 20).into_iter().chain(noise(seed + 2_000, 0.12, 0.01, 20)).collect();
            let mut hit = asked(ratio.clone(), grid(STEP, &quiet(seed, 60), &after));
            let control = |number: u64| Control {
                service: format!("quiet-{number}"),
                samples: grid(
                    STEP,
                    &quiet(seed + 10_000 * (number + 1), 60),
                    &quiet(seed + 10_000 * (number + 1) + 5_000, 40),
                ),
            };
            hit.controls = (0..count).map(control).collect();
            let finding = only(&evidence(vec![hit]));
            assert_eq!(
                finding.verdict,
                Verdict::Regressed,
                "seed {seed}, {count} controls: {}",
                finding.reason
            );
        }
    }
}

#[test]
fn the_excuse_names_the_others() {
    let mut hit = bad("load");
    hit.controls = ["a", "b", "c"]
        .map(|name| Control { service: name.to_owned(), samples: grid(STEP, &[1.0; 60], &[3.0; 40]) })
        .to_vec();
    let why = "the damage hits services that were not deployed too: a, b, c";
    let open = after(300, evidence(vec![hit]));
    assert_eq!(only(&open).verdict, Verdict::Inconclusive(why.to_owned()));
    let judgement = judge(&open);
    assert_eq!(judgement.verdict, Verdict::Pending);
    assert!(judgement.reason.starts_with(&format!("load: {why}")), "{}", judgement.reason);
}

#[test]
fn a_signal_that_got_worse_everywhere_leaves_no_deployment_healthy() {
    let mut hit = bad("errors");
    hit.controls = ["a", "b"]
        .map(|name| Control { service: name.to_owned(), samples: grid(STEP, &[1.0; 60], &[3.0; 40]) })
        .to_vec();
    let fine = asked(signal("latency", Rule::Robust), grid(STEP, &[1.0; 60], &[1.0; 40]));
    assert_eq!(word(&evidence(vec![fine.clone()])), "healthy");
    assert_eq!(word(&evidence(vec![hit, fine])), "inconclusive");
}

#[test]
fn history_is_asked_for_only_when_a_verdict_rests_on_it() {
    let robust = |after: f64| asked(signal("latency", Rule::Robust), grid(STEP, &[1.0; 60], &[after; 40]));
    assert!(needs_history(&evidence(vec![robust(3.0)])));
    assert!(!needs_history(&evidence(vec![robust(1.0)])));
    assert!(!needs_history(&evidence(vec![bad("load")])));
    // The limit is enough alone, so the season changes nothing.
    assert!(!needs_history(&evidence(vec![robust(3.0), bad("load")])));
    assert!(needs_history(&with_quorum(2, vec![robust(3.0), bad("load")])));
}

#[test]
fn order_and_repetition_of_samples_do_not_matter() {
    for rule in [LIMIT, Rule::Robust, Rule::Change { share: 0.5, for_secs: 60 }] {
        let tidy = grid(STEP, &noise(1, 1.0, 0.1, 60), &noise(2, 3.0, 0.1, 40));
        let expected = judge(&evidence(vec![asked(signal("load", rule), tidy.clone())]));
        assert_eq!(expected.verdict, Verdict::Regressed);
        let mut messy = [tidy.clone(), tidy.clone()].concat();
        fastrand::Rng::with_seed(1).shuffle(&mut messy);
        assert_eq!(judge(&evidence(vec![asked(signal("load", rule), messy)])), expected);
        // A time with two values contradicts itself: as if it had not been measured.
        let first = tidy[60];
        let contradiction = [tidy.clone(), vec![Sample { value: 1.0, ..first }]].concat();
        let without = tidy.iter().filter(|sample| **sample != first).copied().collect();
        assert_eq!(
            judge(&evidence(vec![asked(signal("load", rule), contradiction)])),
            judge(&evidence(vec![asked(signal("load", rule), without)])),
        );
    }
}

#[test]
fn odd_times_and_steps_are_defined() {
    for (deployed_at, judged_at) in [(0, -1), (i64::MAX, i64::MIN), (i64::MIN, i64::MAX), (5, 5)] {
        for step_secs in [0, 1, u32::MAX] {
            for rule in [LIMIT, Rule::Robust, Rule::Change { share: 0.5, for_secs: u32::MAX }] {
                let at = [i64::MIN, -1, 0, 1, i64::MAX];
                let mut asked = asked(signal("load", rule), samples(at.map(|at| (at, 3.0))));
                asked.signal.step_secs = step_secs;
                asked.seasonal = vec![Seasonal { shift_secs: u32::MAX, samples: samples([(0, 1.0)]) }];
                let odd = Evidence {
                    deployed_at: Time::from_unix(deployed_at),
                    judged_at: Time::from_unix(judged_at),
                    ..evidence(vec![asked])
                };
                assert_ne!(word(&odd), "regressed");
            }
        }
    }
}

#[test]
fn too_little_from_before_the_deployment_leaves_the_judge_blind() {
    let robust = |before: usize, after: usize, level: f64| {
        let after = noise(2, level, 0.1, after);
        asked(signal("errors", Rule::Robust), grid(STEP, &noise(1, 1.0, 0.1, before), &after))
    };
    let silent = || asked(signal("quiet", LIMIT), grid(STEP, &[1.0; 60], &[]));
    let advisory = |mut asked: SignalEvidence| {
        asked.signal.role = Role::Advisory;
        asked
    };
    // Ten minutes before the deployment do not count: it was bad then, and is bad since.
    let cut = |signals: Vec<SignalEvidence>| {
        let at = |secs: i64| Time::from_unix(DEPLOYED + secs);
        let unusual = vec![Window { start: at(-600), end: at(0) }];
        Evidence { unusual, ..evidence(signals) }
    };
    let table = [
        (evidence(vec![robust(60, 40, 1.0)]), false),
        (evidence(vec![robust(60, 40, 9.0)]), false),
        (evidence(vec![robust(7, 40, 9.0)]), true),
        // A signal that says nothing is wrong does not see for the other.
        (evidence(vec![robust(7, 40, 9.0), good("a")]), true),
        (evidence(vec![advisory(robust(7, 40, 9.0)), good("a")]), false),
        (cut(vec![robust(60, 40, 9.0)]), true),
        (cut(vec![robust(60, 40, 1.0)]), false),
        (cut(vec![bad("a")]), true),
        (evidence(vec![silent()]), true),
        (after(300, evidence(vec![silent()])), false),
        (evidence(vec![silent(), good("a")]), false),
        (evidence(vec![gap("a")]), true),
    ];
    for (number, (evidence, expected)) in table.into_iter().enumerate() {
        assert_eq!(is_blind(&evidence), expected, "row {number}");
    }
}
