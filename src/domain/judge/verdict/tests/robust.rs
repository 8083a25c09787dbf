//! The rule that draws its own line.

use super::*;
use crate::domain::environment::signal::usual_min_samples;

fn robust(step: i64, before: &[f64], after: &[f64]) -> Evidence {
    let mut signal = signal("latency", Rule::Robust);
    signal.step_secs = u32::try_from(step).unwrap();
    signal.min_samples = usual_min_samples(signal.step_secs);
    let mut evidence = evidence(vec![asked(signal, grid(step, before, after))]);
    evidence.watch_secs = u32::try_from(step * 40).unwrap();
    evidence.judged_at = Time::from_unix(DEPLOYED + step * 40);
    evidence.baseline_secs = u32::try_from(step * 80).unwrap();
    evidence
}

fn seed_noise(seed: u64, level: f64, count: usize) -> Vec<f64> {
    noise(seed, level, level * 0.1, count)
}

#[test]
fn a_step_up_regresses_and_noise_does_not() {
    for seed in 0..50 {
        let before = seed_noise(seed, 100.0, 80);
        let worse = robust(STEP, &before, &seed_noise(seed + 1_000, 200.0, 40));
        assert_eq!(word(&worse), "regressed", "seed {seed}");
        let same = robust(STEP, &before, &seed_noise(seed + 2_000, 100.0, 40));
        assert_ne!(word(&same), "regressed", "seed {seed}");
        let better = robust(STEP, &before, &seed_noise(seed + 3_000, 50.0, 40));
        assert_eq!(word(&better), "healthy", "seed {seed}");
    }
}

#[test]
fn as_bad_as_shortly_before_the_deployment_is_not_healthy() {
    for bad_before in [6, 10, 15, 20] {
        let before = [seed_noise(1, 1.0, 60 - bad_before), seed_noise(2, 8.0, bad_before)].concat();
        let open = robust(STEP, &before, &seed_noise(3, 8.0, 40));
        assert_eq!(word(&open), "preexisting", "{bad_before} samples: {}", judge(&open).reason);
    }
}

#[test]
fn it_takes_three_samples_or_two_wide_ones() {
    for (step, needed) in [(15, 3), (60, 3), (119, 3), (120, 2), (300, 2), (3_600, 2)] {
        let before: Vec<f64> = (0..80).map(|index| if index % 2 == 0 { 1.0 } else { 1.02 }).collect();
        let open = robust(step, &before, &[2.0; 40]);
        for count in 1..=4 {
            let verdict = word(&after(count * step - DEPLOYED.rem_euclid(step), open.clone()));
            assert_eq!(verdict == "regressed", count >= needed, "{count} samples of {step} s: {verdict}");
        }
    }
}

#[test]
fn the_onset_is_the_first_sample_of_the_current_run() {
    let before = seed_noise(7, 100.0, 80);
    let after = [seed_noise(8, 100.0, 3), vec![200.0], seed_noise(9, 100.0, 12), vec![200.0; 24]].concat();
    let judgement = judge(&robust(STEP, &before, &after));
    assert_eq!(judgement.verdict, Verdict::Regressed);
    assert_eq!(judgement.since, Some(Time::from_unix(DEPLOYED + 5 + 16 * STEP)));
}

#[test]
fn damage_that_began_before_is_preexisting() {
    for earlier in [2, 3, 5, 10, 20] {
        let before = [seed_noise(3, 100.0, 80 - earlier), seed_noise(4, 300.0, earlier)].concat();
        let judgement = judge(&robust(STEP, &before, &seed_noise(5, 300.0, 40)));
        assert_eq!(judgement.verdict, Verdict::Preexisting, "{earlier} samples earlier");
        let onset = Time::from_unix(DEPLOYED - DEPLOYED.rem_euclid(STEP)).plus_secs(STEP);
        let steps = i64::try_from(earlier).unwrap();
        assert_eq!(judgement.since, Some(onset.minus_secs(steps * STEP)), "{earlier} samples earlier");
    }
}

/// Some sources give a sample the time at which its span began: the last one before the deployment may have seen it.
#[test]
fn one_bad_sample_just_before_the_deployment_does_not_acquit_it() {
    let before = [seed_noise(3, 100.0, 79), vec![300.0]].concat();
    assert_eq!(word(&robust(STEP, &before, &seed_noise(5, 300.0, 40))), "regressed");
}

#[test]
fn trouble_just_before_that_passed_leaves_it_open() {
    let before = [seed_noise(3, 100.0, 75), vec![300.0], seed_noise(4, 100.0, 4)].concat();
    let full = robust(STEP, &before, &[300.0; 40]);
    for count in 1..=4 {
        assert_ne!(word(&after(count * STEP, full.clone())), "regressed", "{count} samples");
    }
    // Lone samples do not count in the running median: there it lasts, and did not before.
    assert_eq!(word(&full), "regressed");
    let mut over = robust(STEP, &before, &[300.0; 4]);
    over.watch_secs = u32::try_from(STEP * 4).unwrap();
    let finding = only(&after(STEP * 4, over));
    assert_eq!(finding.verdict.word(), "inconclusive");
    assert!(finding.reason.contains("and passed then"), "{}", finding.reason);
}

/// What happened before may happen again; what is larger than that is blamed.
#[test]
fn an_excursion_is_held_against_those_of_the_baseline() {
    let before = [seed_noise(3, 100.0, 55), vec![300.0; 5], seed_noise(4, 100.0, 20)].concat();
    let full = robust(STEP, &before, &[300.0; 40]);
    for count in 1..=4 {
        let moment = after(count * STEP, full.clone());
        assert_ne!(word(&moment), "regressed", "{count} samples: {}", judge(&moment).reason);
    }
    assert_eq!(word(&full), "regressed");
}

/// All rates over a window that holds a moment hold what happened in it.
#[test]
fn samples_that_repeat_each_other_count_for_less() {
    let mut full = robust(STEP, &seed_noise(1, 100.0, 80), &[200.0; 40]);
    let samples = |count: i64| count * STEP - DEPLOYED.rem_euclid(STEP);
    assert_eq!(word(&after(samples(3), full.clone())), "regressed");
    full.signals[0].signal.rate_window_secs = 150;
    assert_eq!(word(&after(samples(10), full.clone())), "pending");
    assert_eq!(word(&after(samples(11), full)), "regressed");
}

#[test]
fn overlapping_rate_windows_raise_hardly_a_false_alarm() {
    for (window, told, tolerated) in [(1, false, 1), (3, false, 3), (5, false, 3), (3, true, 1), (5, true, 1)]
    {
        let blamed = (0..100_u64)
            .filter(|seed| {
                let mut random = fastrand::Rng::with_seed(*seed);
                // Squares of exponential noise: quiet mostly, with high single values.
                let raw: Vec<f64> = (0..120 + window).map(|_| random.f64().max(1e-9).ln().powi(2)).collect();
                let rates: Vec<f64> =
                    raw.windows(window).map(|part| part.iter().sum::<f64>() / 10.0).collect();
                let mut full = robust(STEP, &rates[..80], &rates[80..120]);
                if told {
                    full.signals[0].signal.rate_window_secs = u32::try_from(window).unwrap() * 15;
                }
                let moments = (1..=40).map(|count| after(count * STEP, full.clone()));
                moments.into_iter().any(|moment| word(&moment) == "regressed")
            })
            .count();
        assert!(blamed <= tolerated, "{blamed} of 100 with windows of {window} samples, told: {told}");
    }
}

/// Small steps of the level, under noise in which no single sample is telling.
#[test]
fn the_running_median_finds_what_noise_hides() {
    let noisy = |seed: u64, level: f64, count: usize| -> Vec<f64> {
        let mut random = fastrand::Rng::with_seed(seed);
        // A lone spike now and then, and wide noise.
        (0..count)
            .map(|_| if random.u8(0..10) == 0 { level * 6.0 } else { level * (0.8 + 0.4 * random.f64()) })
            .collect()
    };
    let found = (0..50).filter(|seed| {
        let full = robust(STEP, &noisy(*seed, 100.0, 80), &noisy(seed + 1_000, 250.0, 40));
        (1..=40).any(|count| word(&after(count * STEP, full.clone())) == "regressed")
    });
    let found = found.count();
    assert!(found >= 35, "{found} of 50");
    let blamed = (0..50).filter(|seed| {
        let full = robust(STEP, &noisy(*seed, 100.0, 80), &noisy(seed + 1_000, 100.0, 40));
        (1..=40).any(|count| word(&after(count * STEP, full.clone())) == "regressed")
    });
    assert!(blamed.count() <= 1);
}

/// Trouble spreads: what got worse after the deployment was not its doing where another signal shows that it was bad.
#[test]
fn a_signal_that_was_bad_before_excuses_the_others() {
    let late = robust(STEP, &seed_noise(1, 100.0, 80), &seed_noise(2, 300.0, 40));
    let before = [seed_noise(3, 100.0, 75), seed_noise(4, 300.0, 5)].concat();
    let early = robust(STEP, &before, &seed_noise(5, 300.0, 40));
    let mut both = late.clone();
    both.signals.push(early.signals[0].clone());
    both.signals[1].signal.name = SignalName::new("errors").unwrap();
    assert_eq!(word(&late), "regressed");
    let judgement = judge(&both);
    assert_eq!(judgement.verdict, Verdict::Preexisting);
    assert!(judgement.findings[0].reason.ends_with("but errors was bad before the deployment already"));
    // A line that a person set is not taken back.
    both.signals[0].signal.rule = Rule::Limit { limit: 200.0, for_secs: 60 };
    assert_eq!(word(&both), "regressed");
}

#[test]
fn a_service_that_is_down_takes_two_samples() {
    let mut errors = robust(STEP, &noise(1, 0.01, 0.01, 80), &[0.9; 40]);
    errors.signals[0].signal.kind = SignalKind::ErrorRatio;
    let second = 2 * STEP - DEPLOYED.rem_euclid(STEP);
    assert_eq!(word(&after(second - STEP, errors.clone())), "pending");
    assert_eq!(word(&after(second, errors.clone())), "regressed");
    errors.signals[0].found = Found::Samples(grid(STEP, &noise(1, 0.01, 0.01, 80), &[0.2; 40]));
    assert_eq!(word(&after(second, errors)), "pending");
}

#[test]
fn the_season_explains_a_daily_rise() {
    let before = seed_noise(1, 100.0, 60);
    let worse = robust(STEP, &before, &seed_noise(2, 150.0, 40));
    assert_eq!(word(&worse), "regressed");
    assert!(needs_history(&worse));
    let season = |shift_secs: u32, level: f64| Seasonal {
        shift_secs,
        samples: grid(STEP, &seed_noise(3, 100.0, 60), &seed_noise(4, level, 40))
            .into_iter()
            .map(|sample| Sample { at: sample.at.minus_secs(i64::from(shift_secs)), ..sample })
            .collect(),
    };
    let with = |seasonal: Vec<Seasonal>| {
        let mut asked = worse.clone();
        asked.signals[0].seasonal = seasonal;
        assert!(!needs_history(&asked));
        word(&asked)
    };
    assert_eq!(with(vec![season(86_400, 100.0), season(604_800, 100.0)]), "regressed");
    assert_ne!(with(vec![season(86_400, 150.0), season(604_800, 100.0)]), "regressed");
    assert_ne!(with(vec![season(86_400, 100.0), season(604_800, 150.0)]), "regressed");
    // A fall a week ago moves no line down; a window without samples says nothing.
    assert_eq!(with(vec![season(604_800, 10.0)]), "regressed");
    assert_eq!(with(vec![Seasonal { shift_secs: 86_400, samples: Vec::new() }]), "regressed");
}

#[test]
fn lower_is_worse_is_the_same_upside_down() {
    let mut traffic = robust(STEP, &seed_noise(1, 100.0, 60), &seed_noise(2, 30.0, 40));
    traffic.signals[0].signal.direction = Direction::LowerIsWorse;
    let finding = only(&traffic);
    assert_eq!(finding.verdict, Verdict::Regressed);
    assert!(finding.after.unwrap() < finding.before.unwrap());
    assert!(finding.reason.starts_with("latency fell from "), "{}", finding.reason);
    traffic.signals[0].found =
        Found::Samples(grid(STEP, &seed_noise(1, 100.0, 60), &seed_noise(2, 300.0, 40)));
    assert_eq!(word(&traffic), "healthy");
}

#[test]
fn a_success_ratio_is_judged_as_an_error_ratio() {
    let ratio = |direction: Direction, turn: fn(f64) -> f64| {
        let before: Vec<f64> = noise(1, 0.001, 0.001, 60).into_iter().map(turn).collect();
        let after: Vec<f64> = noise(2, 0.052, 0.002, 40).into_iter().map(turn).collect();
        let mut evidence = robust(STEP, &before, &after);
        evidence.signals[0].signal.kind = SignalKind::ErrorRatio;
        evidence.signals[0].signal.direction = direction;
        only(&evidence)
    };
    let errors = ratio(Direction::HigherIsWorse, |value| value);
    let successes = ratio(Direction::LowerIsWorse, |value| 1.0 - value);
    assert_eq!(errors.verdict, Verdict::Regressed);
    assert_eq!((errors.verdict, errors.since), (successes.verdict, successes.since));
    assert!((errors.after.unwrap() + successes.after.unwrap() - 1.0).abs() < 1e-12);
    assert!(errors.reason.contains("beyond 1."), "{}", errors.reason);
    assert!(successes.reason.contains("beyond 98."), "{}", successes.reason);
}

#[test]
fn an_error_ratio_must_rise_by_a_point_unless_told_otherwise() {
    let mut errors = robust(STEP, &[0.0; 60], &[0.009; 40]);
    errors.signals[0].signal.kind = SignalKind::ErrorRatio;
    assert_ne!(word(&errors), "regressed");
    errors.signals[0].signal.min_difference = 0.005;
    assert_eq!(word(&errors), "regressed");
}

/// Of samples that are all 0 or 1, nobody sees at once whether they are shares or counts.
#[test]
fn where_nothing_failed_and_everything_fails_it_is_a_ratio() {
    let judged = |before: &[f64], after: &[f64], direction| {
        let mut errors = robust(STEP, before, after);
        errors.signals[0].signal.kind = SignalKind::ErrorRatio;
        errors.signals[0].signal.direction = direction;
        word(&errors)
    };
    let worse = Direction::HigherIsWorse;
    assert_eq!(judged(&[0.0; 60], &[1.0; 40], worse), "regressed");
    assert_eq!(judged(&[1.0; 60], &[0.0; 40], Direction::LowerIsWorse), "regressed");
    let late = [[0.0; 20], [1.0; 20]].concat();
    assert_eq!(judged(&[0.0; 60], &late, worse), "regressed");
    // A few good answers between: with little traffic a sample is one request.
    let mut some = [1.0; 40];
    (some[3], some[17]) = (0.0, 0.0);
    assert_eq!(judged(&[0.0; 60], &some, worse), "regressed");
    // Counts: one error now and then, as it may have been before; two at once; and what was there before.
    let now_and_then: Vec<f64> = (0..40).map(|index| f64::from(index % 3 == 0)).collect();
    assert_ne!(judged(&[0.0; 60], &now_and_then, worse), "regressed");
    let before: Vec<f64> = (0..60).map(|index| f64::from(index % 3 == 0)).collect();
    assert_ne!(judged(&before, &[1.0; 40], worse), "regressed");
    assert_eq!(judged(&[0.0; 60], &[0.0; 40], worse), "healthy");
}

#[test]
fn constant_and_empty_baselines_are_defined() {
    assert_eq!(word(&robust(STEP, &[5.0; 60], &[5.0; 40])), "healthy");
    assert_eq!(word(&robust(STEP, &[5.0; 60], &[5.4; 40])), "inconclusive");
    assert_eq!(word(&robust(STEP, &[5.0; 60], &[5.6; 40])), "regressed");
    assert_eq!(word(&robust(STEP, &[0.0; 60], &[0.0; 40])), "healthy");
    // Nothing says how much is much.
    assert_eq!(word(&robust(STEP, &[0.0; 60], &[1e-9; 40])), "inconclusive");
    assert_eq!(word(&robust(STEP, &[5.0; 7], &[50.0; 40])), "inconclusive");
    assert_eq!(word(&robust(STEP, &[5.0; 60], &[])), "inconclusive");
    assert_eq!(word(&robust(STEP, &[], &[5.0; 40])), "inconclusive");
    assert_eq!(word(&robust(STEP, &[5.0; 60], &[50.0])), "inconclusive");
}

#[test]
fn huge_and_tiny_values_are_defined() {
    for scale in [1e-300, 1e-9, 1e9, 1e300] {
        let scaled = |values: Vec<f64>| values.into_iter().map(|value| value * scale).collect::<Vec<_>>();
        let before = scaled(seed_noise(1, 100.0, 60));
        assert_eq!(word(&robust(STEP, &before, &scaled(seed_noise(2, 200.0, 40)))), "regressed", "{scale}");
        assert_eq!(word(&robust(STEP, &before, &scaled(seed_noise(2, 80.0, 40)))), "healthy", "{scale}");
    }
    let extremes = robust(STEP, &[f64::MAX, -f64::MAX].repeat(30), &[f64::MAX; 40]);
    assert_eq!(word(&extremes), "inconclusive");
}

#[test]
fn stale_or_missing_samples_act_on_nothing() {
    let before = seed_noise(1, 100.0, 60);
    // Four bad samples, then the source is silent for the rest of the window.
    let silent = robust(STEP, &before, &[300.0; 4]);
    assert_eq!(word(&after(100, silent.clone())), "regressed");
    assert_eq!(word(&silent), "inconclusive");
    // The samples around the deployment are missing: it may have begun before.
    let mut torn = robust(STEP, &before, &[300.0; 40]);
    if let Found::Samples(samples) = &mut torn.signals[0].found {
        samples.retain(|sample| sample.at.secs_since(Time::from_unix(DEPLOYED)).abs() > 60);
    }
    assert_eq!(word(&torn), "inconclusive");
}
