//! The rules with a line that stands still.

use super::*;

const LIMIT: Rule = Rule::Limit { limit: 2.0, for_secs: 60 };
const CHANGE: Rule = Rule::Change { share: 0.5, for_secs: 60 };

fn limited(before: &[f64], after: &[f64]) -> Evidence {
    evidence(vec![asked(signal("load", LIMIT), grid(STEP, before, after))])
}

fn changed(before: &[f64], after: &[f64]) -> Evidence {
    evidence(vec![asked(signal("load", CHANGE), grid(STEP, before, after))])
}

#[test]
fn a_limit_needs_an_unbroken_run_that_is_long_enough() {
    let table: [(&[(usize, f64)], &str); 7] = [
        (&[(40, 1.0)], "healthy"),
        (&[(10, 1.0), (30, 3.0)], "regressed"),
        // At the limit is not beyond it.
        (&[(40, 2.0)], "healthy"),
        // 45 s are less than 60 s.
        (&[(10, 1.0), (4, 3.0), (26, 1.0)], "healthy"),
        (&[(10, 1.0), (5, 3.0), (25, 1.0)], "regressed"),
        (&[(10, 1.0), (4, 3.0), (1, 1.0), (4, 3.0), (21, 1.0)], "healthy"),
        (&[(40, 3.0)], "regressed"),
    ];
    for (after, expected) in table {
        let (before, after) = shape(60, after);
        assert_eq!(word(&limited(&before, &after)), expected, "{after:?}");
    }
}

#[test]
fn a_limit_says_when_how_much_and_how_many() {
    let (before, bad) = shape(60, &[(4, 1.0), (36, 3.0)]);
    let judgement = judge(&after(150, limited(&before, &bad)));
    assert_eq!(judgement.verdict, Verdict::Regressed);
    assert_eq!(judgement.since, Some(Time::from_unix(DEPLOYED + 65)));
    let expected =
        "load rose from 1 to 3 at 03:14:00Z, 65 s after the deployment; 6 of the last 6 samples are beyond 2";
    assert_eq!(judgement.reason, expected);
}

#[test]
fn a_limit_can_be_a_floor() {
    let floor = |value: f64| {
        let mut signal = signal("requests", Rule::Limit { limit: 0.5, for_secs: 60 });
        signal.direction = Direction::LowerIsWorse;
        evidence(vec![asked(signal, grid(STEP, &[1.0; 60], &[value; 40]))])
    };
    assert_eq!(word(&floor(0.4)), "regressed");
    assert_eq!(word(&floor(0.5)), "healthy");
    assert_eq!(word(&floor(9.0)), "healthy");
    assert!(judge(&floor(0.4)).reason.starts_with("requests fell from 1 to 0.4 at "));
}

#[test]
fn a_run_of_one_sample_is_enough_only_when_no_time_is_asked_for() {
    let (before, after) = shape(60, &[(20, 1.0), (1, 3.0), (19, 1.0)]);
    for (for_secs, expected) in [(0, "regressed"), (1, "healthy")] {
        let rule = Rule::Limit { limit: 2.0, for_secs };
        assert_eq!(word(&evidence(vec![asked(signal("load", rule), grid(STEP, &before, &after))])), expected);
    }
}

#[test]
fn a_limit_that_was_passed_before_is_preexisting() {
    let passed_for_long = [vec![1.0; 20], vec![3.0; 6], vec![1.0; 34]].concat();
    let passed_just_before = [vec![1.0; 59], vec![3.0; 1]].concat();
    let bad = vec![3.0; 40];
    for before in [&passed_for_long, &passed_just_before, &vec![3.0; 60]] {
        let judgement = judge(&limited(before, &bad));
        assert_eq!(judgement.verdict, Verdict::Preexisting);
        assert!(judgement.since.unwrap() <= Time::from_unix(DEPLOYED));
    }
    // Good samples after the deployment show that the damage is new, if it was not bad for long before.
    let (_, recovered) = shape(0, &[(5, 1.0), (35, 3.0)]);
    assert_eq!(word(&limited(&passed_just_before, &recovered)), "regressed");
    // Damage that has gone is no damage.
    assert_eq!(word(&limited(&passed_for_long, &[1.0; 40])), "healthy");
}

#[test]
fn samples_before_settling_are_no_evidence_but_acquit_the_time_before() {
    let (before, after) = shape(60, &[(8, 3.0), (32, 1.0)]);
    let mut settling = limited(&before, &after);
    settling.settle_secs = 120;
    assert_eq!(word(&settling), "healthy");
    let (_, late) = shape(0, &[(6, 1.0), (34, 3.0)]);
    let mut settling = limited(&before, &late);
    settling.settle_secs = 120;
    let judgement = judge(&settling);
    assert_eq!(judgement.verdict, Verdict::Regressed);
    assert_eq!(judgement.since, Some(Time::from_unix(DEPLOYED + 125)));
    settling.settle_secs = 600;
    assert_eq!(word(&settling), "inconclusive");
}

#[test]
fn a_hole_ends_a_run_and_leaves_the_start_open() {
    let full = grid(STEP, &[1.0; 60], &[3.0; 40]);
    let without = |from: i64, to: i64| {
        let kept = full.iter().filter(|s| !(DEPLOYED + from..DEPLOYED + to).contains(&s.at.unix()));
        evidence(vec![asked(signal("load", LIMIT), kept.copied().collect())])
    };
    assert_eq!(word(&without(0, 0)), "regressed");
    // The minute after the deployment is missing, and it was good until then: it began since.
    assert_eq!(word(&without(0, 60)), "regressed");
    // The minute before it is missing: nobody knows when it began.
    assert_eq!(word(&without(-60, 0)), "inconclusive");
    // Every fourth sample is missing, so no run lasts a minute; and nothing is fine either.
    let mut torn = without(0, 0);
    let kept = full.iter().enumerate().filter(|(index, _)| index % 4 != 0).map(|(_, s)| *s).collect();
    torn.signals[0].found = Found::Samples(kept);
    let finding = only(&torn);
    assert_eq!(finding.verdict.word(), "inconclusive");
    assert!(finding.reason.contains("samples missing in between"), "{}", finding.reason);
}

#[test]
fn healthy_needs_enough_samples() {
    let thin = |keep: usize| {
        let kept = grid(STEP, &[1.0; 60], &[1.0; 40]).into_iter().take(60 + keep).collect();
        evidence(vec![asked(signal("load", LIMIT), kept)])
    };
    assert_eq!(word(&thin(20)), "healthy");
    assert_eq!(word(&thin(19)), "inconclusive");
    assert_eq!(word(&thin(0)), "inconclusive");
    assert_eq!(word(&after(399, thin(40))), "pending");
}

#[test]
fn a_change_is_relative_to_the_baselines_median() {
    let table = [(1.5, "healthy"), (1.51, "regressed"), (0.1, "healthy")];
    for (value, expected) in table {
        assert_eq!(word(&changed(&[1.0; 60], &[value; 40])), expected);
    }
    let negative = changed(&[-10.0; 60], &[-4.0; 40]);
    assert_eq!(word(&negative), "regressed");
    let mut falling = changed(&[1.0; 60], &[0.4; 40]);
    falling.signals[0].signal.direction = Direction::LowerIsWorse;
    assert_eq!(word(&falling), "regressed");
    falling.signals[0].signal.min_difference = 0.7;
    assert_eq!(word(&falling), "healthy");
}

#[test]
fn a_change_needs_eight_samples_before() {
    assert_eq!(word(&changed(&[1.0; 7], &[3.0; 40])), "inconclusive");
    assert_eq!(word(&changed(&[1.0; 8], &[3.0; 40])), "regressed");
    let finding = only(&changed(&[1.0; 7], &[3.0; 40]));
    assert_eq!(finding.reason, "load: only 7 samples before the deployment, 8 are needed");
}

#[test]
fn a_change_from_nothing_needs_a_smallest_difference() {
    let mut from_zero = changed(&[0.0; 60], &[0.3; 40]);
    assert_eq!(word(&from_zero), "inconclusive");
    from_zero.signals[0].signal.min_difference = 0.2;
    assert_eq!(word(&from_zero), "regressed");
    from_zero.signals[0].signal.min_difference = 0.4;
    assert_eq!(word(&from_zero), "healthy");
    // An error ratio that sets none has 1 point.
    from_zero.signals[0].signal.min_difference = 0.0;
    from_zero.signals[0].signal.kind = SignalKind::ErrorRatio;
    assert_eq!(word(&from_zero), "regressed");
    from_zero.signals[0].found = Found::Samples(grid(STEP, &[0.0; 60], &[0.009; 40]));
    assert_eq!(word(&from_zero), "healthy");
}

#[test]
fn numbers_that_are_none_are_defined() {
    for limit in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let rule = Rule::Limit { limit, for_secs: 0 };
        let evidence = evidence(vec![asked(signal("load", rule), grid(STEP, &[1.0; 60], &[3.0; 40]))]);
        assert_eq!(word(&evidence), "inconclusive");
    }
    for share in [f64::NAN, f64::INFINITY, -1.0] {
        let rule = Rule::Change { share, for_secs: 0 };
        let evidence = evidence(vec![asked(signal("load", rule), grid(STEP, &[1.0; 60], &[3.0; 40]))]);
        assert_eq!(word(&evidence), "inconclusive", "{share}");
    }
}
