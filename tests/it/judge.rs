//! The judge on a few deployments from public data; see `tests/data/deployments/README.md`.

use std::collections::BTreeMap;
use std::path::Path;

use backout::domain::environment::policy::Policy;
use backout::domain::environment::signal::{Signal, SignalKind, usual_min_samples};
use backout::domain::ids::{SignalName, SourceName};
use backout::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use backout::domain::judge::verdict::{Judgement, Verdict, judge};
use backout::domain::time::Time;
use serde_json::Value;

fn load(name: &str) -> Evidence {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/deployments").join(name);
    let case: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("case.json")).unwrap()).unwrap();
    let mut series: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    for row in std::fs::read_to_string(folder.join("series.csv")).unwrap().lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let sample =
            Sample { at: Time::from_unix(cells[0].parse().unwrap()), value: cells[2].parse().unwrap() };
        series.entry(cells[1].to_owned()).or_default().push(sample);
    }
    let seconds = |key: &str| u32::try_from(case[key].as_u64().unwrap()).unwrap();
    let signals = series.into_iter().map(|(name, samples)| {
        let metric = &case["metrics"][&name];
        assert_eq!(metric["direction"], "higher_is_worse");
        let kind = if metric["kind"] == "error_rate" { SignalKind::ErrorRatio } else { SignalKind::Custom };
        let (signal_name, source) =
            (SignalName::new(name.replace('_', "-")).unwrap(), SourceName::new("file").unwrap());
        let signal = Signal {
            min_difference: metric["abs_min"].as_f64().unwrap_or(0.0),
            step_secs: seconds("step_s"),
            min_samples: usual_min_samples(seconds("step_s")),
            ..Signal::new(signal_name, source, &name, kind)
        };
        SignalEvidence::new(signal, name, Found::Samples(samples))
    });
    let deployed_at = Time::from_unix(case["deploy_time"].as_i64().unwrap());
    let watch_secs = seconds("eval_horizon_s");
    let policy =
        Policy { settle_secs: 0, watch_secs, baseline_secs: seconds("step_s") * 80, ..Policy::default() };
    Evidence::new(deployed_at, deployed_at.plus_secs(i64::from(watch_secs)), &policy, signals.collect())
}

/// The judgements at every step of the watch window.
fn stream(name: &str) -> Vec<Judgement> {
    let evidence = load(name);
    let step = i64::from(evidence.signals[0].signal.step_secs);
    let steps = i64::from(evidence.watch_secs) / step;
    (1..=steps)
        .map(|count| {
            judge(&Evidence { judged_at: evidence.deployed_at.plus_secs(count * step), ..evidence.clone() })
        })
        .collect()
}

#[test]
fn regressions_are_found() {
    for name in ["mscloud-app2-09-1114", "nezha-2022-08-23-currencyservice-1661261271"] {
        let found = stream(name).into_iter().find(|judgement| judgement.verdict == Verdict::Regressed);
        let judgement = found.unwrap_or_else(|| panic!("{name} was missed"));
        assert!(judgement.since.unwrap() > load(name).deployed_at, "{name}: {}", judgement.reason);
    }
}

#[test]
fn healthy_and_preexisting_deployments_are_left_alone() {
    for name in ["mscloud-app2-06-106-ok", "mscloud-outbound-12-71-pre"] {
        for judgement in stream(name) {
            assert_ne!(judgement.verdict, Verdict::Regressed, "{name}: {}", judgement.reason);
        }
    }
}
