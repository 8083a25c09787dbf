//! Which samples count, parts of a signal, and other deployments.

use super::*;
use crate::domain::environment::signal::{MinTraffic, Missing, Window};
use crate::domain::judge::evidence::{Relation, Rival, Segment};

fn errors(before: &[f64], after: &[f64]) -> Evidence {
    let mut signal = signal("errors", Rule::Robust);
    (signal.kind, signal.min_difference) = (SignalKind::ErrorRatio, 0.01);
    let mut evidence = evidence(vec![asked(signal, grid(STEP, before, after))]);
    evidence.baseline_secs = 80 * 15;
    evidence
}

fn samples_of(evidence: &mut Evidence) -> &mut Vec<Sample> {
    match &mut evidence.signals[0].found {
        Found::Samples(samples) => samples,
        Found::Gap(gap) => panic!("{gap}"),
    }
}

#[test]
fn samples_with_too_little_traffic_do_not_count() {
    let mut bad = errors(&[0.001; 80], &[0.5; 40]);
    assert_eq!(word(&bad), "regressed");
    bad.signals[0].signal.min_traffic = Some(MinTraffic { query: "rps".to_owned(), at_least: 0.5 });
    assert!(only(&bad).reason.contains("its traffic was not asked for"));
    bad.signals[0].traffic = Some(Found::Gap(Gap::NoData));
    assert!(only(&bad).reason.contains("its traffic is not known"), "{}", only(&bad).reason);
    bad.signals[0].traffic = Some(Found::Samples(grid(STEP, &[3.0; 80], &[3.0; 40])));
    assert_eq!(word(&bad), "regressed");
    bad.signals[0].traffic = Some(Found::Samples(grid(STEP, &[3.0; 80], &[0.1; 40])));
    assert_eq!(word(&bad), "inconclusive");
    assert!(only(&bad).reason.contains("too little traffic"), "{}", only(&bad).reason);
}

#[test]
fn a_missing_sample_is_zero_only_where_that_is_said() {
    // The counter exists since the first error, which came with the deployment.
    let mut first = errors(&[], &[0.05; 40]);
    assert_eq!(word(&first), "inconclusive");
    first.signals[0].signal.missing = Missing::Zero;
    assert_eq!(word(&first), "regressed");
    // No error at all, and none that ends.
    let mut none = errors(&[], &[]);
    none.signals[0].found = Found::Gap(Gap::NoData);
    none.signals[0].signal.missing = Missing::Zero;
    assert_eq!(word(&none), "healthy");
    // An answer that could not be had is no zero.
    none.signals[0].found = Found::Gap(Gap::Unavailable("503".to_owned()));
    assert_eq!(word(&none), "inconclusive");
    // With a least traffic, only where there is traffic.
    none.signals[0].found = Found::Gap(Gap::NoData);
    none.signals[0].signal.min_traffic = Some(MinTraffic { query: "rps".to_owned(), at_least: 0.5 });
    none.signals[0].traffic = Some(Found::Samples(grid(STEP, &[3.0; 80], &[])));
    assert_eq!(word(&none), "inconclusive");
}

#[test]
fn samples_that_are_not_complete_yet_do_not_count() {
    let mut late = errors(&[0.001; 80], &[0.001; 40]);
    for sample in samples_of(&mut late).iter_mut().filter(|sample| sample.at.unix() > DEPLOYED + 450) {
        sample.value = 0.9;
    }
    assert_eq!(word(&late), "regressed");
    late.signals[0].signal.delay_secs = 150;
    assert_eq!(word(&late), "healthy");
}

#[test]
fn a_time_that_was_unusual_says_nothing_about_what_is_usual() {
    // Another bad deployment ran for a third of the baseline, and was backed out.
    let before = [vec![0.001; 30], vec![0.4; 30], vec![0.001; 20]].concat();
    let mut bad = errors(&before, &[0.2; 40]);
    bad.baseline_secs = 80 * 15;
    assert_ne!(word(&bad), "regressed");
    let at = |steps: i64| Time::from_unix(DEPLOYED - steps * STEP);
    bad.unusual = vec![Window { start: at(51), end: at(20) }];
    assert_eq!(word(&bad), "regressed", "{}", judge(&bad).reason);
}

#[test]
fn a_segment_that_the_total_hides_is_found_and_named() {
    let segment = |name: &str, level: f64| Segment {
        name: name.to_owned(),
        samples: grid(STEP, &[0.001; 80], &[level; 40]),
        seasonal: Vec::new(),
    };
    let mut split = errors(&[0.001; 80], &[0.004; 40]);
    assert_ne!(word(&split), "regressed");
    split.signals[0].segments = vec![segment("eu", 0.001), segment("us", 0.1), segment("za", 0.001)];
    let judgement = judge(&split);
    assert_eq!(judgement.verdict, Verdict::Regressed);
    assert!(judgement.reason.starts_with("errors of us rose"), "{}", judgement.reason);
    assert!(needs_history(&split));
    let season = Seasonal { shift_secs: 86_400, samples: Vec::new() };
    split.signals[0].segments[0].seasonal = vec![season];
    assert!(!needs_history(&split));
    split.signals[0].segments[1] = segment("us", 0.001);
    assert_eq!(word(&split), "healthy");
}

/// With many segments each must show more, so that noise in one of them is not blamed more often.
#[test]
fn many_segments_raise_no_more_false_alarms_than_one() {
    let blamed = |segments: u64| {
        (0..40_u64)
            .filter(|seed| {
                let series = |number: u64| {
                    let mut random = fastrand::Rng::with_seed(seed * 1_000 + number);
                    let values: Vec<f64> =
                        (0..120).map(|_| 100.0 - 20.0 * random.f64().max(1e-9).ln()).collect();
                    grid(STEP, &values[..80], &values[80..])
                };
                let mut asked = asked(signal("latency", Rule::Robust), series(0));
                asked.segments = (0..segments)
                    .map(|n| Segment { name: n.to_string(), samples: series(n), seasonal: Vec::new() })
                    .collect();
                let full = evidence(vec![asked]);
                (1..=10).any(|count| word(&after(4 * count * STEP, full.clone())) == "regressed")
            })
            .count()
    };
    assert!(blamed(1) <= 1);
    assert!(blamed(12) <= 2);
}

#[test]
fn the_share_of_damage_that_everybody_has_is_taken_off() {
    let control = |name: &str, after: f64| Control {
        service: name.to_owned(),
        samples: grid(STEP, &[0.001; 80], &[after; 40]),
    };
    let mut bad = errors(&[0.001; 80], &[0.5; 40]);
    // Everybody has three points more; this one has fifty.
    bad.signals[0].controls = vec![control("a", 0.03), control("b", 0.03), control("c", 0.03)];
    assert_eq!(word(&bad), "regressed");
    bad.signals[0].controls = vec![control("a", 0.45), control("b", 0.51), control("c", 0.03)];
    assert_eq!(word(&bad), "inconclusive", "{}", judge(&bad).reason);
    // Latency differs by a factor from one service to the next.
    let mut slow = errors(&[1.0; 80], &[2.0; 40]);
    slow.signals[0].signal.kind = SignalKind::Latency;
    let tenth =
        |after: f64| Control { service: "x".to_owned(), samples: grid(STEP, &[0.1; 80], &[after; 40]) };
    slow.signals[0].controls = vec![tenth(0.2), tenth(0.2)];
    assert_eq!(word(&slow), "inconclusive", "{}", judge(&slow).reason);
    slow.signals[0].controls = vec![tenth(0.11), tenth(0.11)];
    assert_eq!(word(&slow), "regressed");
}

/// Of two deployments close together at most one is blamed, and from either side the same.
#[test]
fn of_several_deployments_at_most_one_is_blamed() {
    use Relation::{Dependency, Dependent, Unknown};
    // When the other was deployed, and when it got worse, in steps after this one's deployment, which got worse at once;
    // how it stands to this one; and what is said of this one and of the other.
    let table = [
        // Together, and worse at once: nobody can tell.
        ((0, 1), Unknown, "inconclusive", "inconclusive"),
        ((1, 2), Unknown, "inconclusive", "inconclusive"),
        // Together, and the other was worse later.
        ((0, 8), Unknown, "regressed", "inconclusive"),
        // It was bad before this one was deployed, without harm to it: both are bad.
        ((-8, -6), Unknown, "regressed", "regressed"),
        ((-8, -6), Dependency, "regressed", "regressed"),
        // Both got worse at once, right after this one.
        ((-20, 1), Unknown, "regressed", "inconclusive"),
        // What is depended on is to blame, unless it got worse later.
        ((0, 1), Dependency, "inconclusive", "regressed"),
        ((0, 1), Dependent, "regressed", "inconclusive"),
        ((0, 8), Dependency, "regressed", "inconclusive"),
    ];
    let at = |steps: i64| Time::from_unix(DEPLOYED + steps * STEP);
    for ((deployed, onset), relation, mine, theirs) in table {
        let mut bad = errors(&[0.001; 80], &[0.5; 40]);
        let since = judge(&bad).since.unwrap();
        let rival = Rival {
            service: "other".to_owned(),
            deployed_at: at(deployed),
            since: since.plus_secs((onset - 1) * STEP),
            step_secs: 15,
            relation,
        };
        bad.rivals = vec![rival.clone()];
        let judgement = judge(&bad);
        assert_eq!(judgement.verdict.word(), mine, "{rival:?}: {}", judgement.reason);
        assert_eq!(judgement.reason.contains("may be the doing of other"), mine == "inconclusive");
        // The same from the other's side.
        let quiet = usize::try_from(onset - deployed - 1).unwrap();
        let mut other = errors(&[0.001; 80], &[vec![0.001; quiet], vec![0.5; 40 - quiet]].concat());
        other.rivals = vec![Rival {
            service: "this".to_owned(),
            deployed_at: at(-deployed),
            since: since.minus_secs(deployed * STEP),
            step_secs: 15,
            relation: match relation {
                Dependency => Dependent,
                Dependent => Dependency,
                Unknown => Unknown,
            },
        }];
        assert_eq!(word(&other), theirs, "{rival:?} from the other side: {}", judge(&other).reason);
    }
}

#[test]
fn healthy_is_said_early_when_two_thirds_have_shown_it() {
    let fine = errors(&[0.001; 80], &[0.001; 40]);
    for (secs, expected) in [(60, "pending"), (390, "pending"), (405, "healthy"), (600, "healthy")] {
        assert_eq!(word(&after(secs, fine.clone())), expected, "{secs} s");
    }
    // Not while something is going on.
    let unrest = errors(&[0.001; 80], &[vec![0.001; 26], vec![0.02; 14]].concat());
    assert_ne!(word(&after(405, unrest)), "healthy");
    // A signal that cannot be judged keeps it open.
    let mut two = fine;
    two.signals.push(SignalEvidence { found: Found::Gap(Gap::NoData), ..two.signals[0].clone() });
    assert_eq!(word(&after(500, two)), "pending");
}

#[test]
fn advisory_signals_are_shown_and_never_enough() {
    let mut bad = errors(&[0.001; 80], &[0.5; 40]);
    bad.signals[0].signal.role = Role::Advisory;
    let judgement = judge(&bad);
    assert_eq!(judgement.findings[0].verdict, Verdict::Regressed);
    assert_eq!(judgement.verdict, Verdict::Inconclusive("no signals".to_owned()));
}

#[test]
fn weights_add_up_to_the_quorum() {
    let mut bad = errors(&[0.001; 80], &[0.5; 40]);
    bad.quorum = 3;
    assert_eq!(word(&bad), "inconclusive");
    bad.signals[0].signal.weight = 3;
    assert_eq!(word(&bad), "regressed");
}
