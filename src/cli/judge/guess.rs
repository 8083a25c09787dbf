//! What a metric measures, guessed from its name and its values, where nobody says.

use crate::domain::environment::signal::{Direction, SignalKind};

/// What a metric is taken for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Nature {
    pub(super) kind: SignalKind,
    pub(super) direction: Direction,
    pub(super) min_difference: f64,
}

impl Nature {
    /// The usual nature of a kind.
    pub(super) fn of(kind: SignalKind) -> Self {
        Self { kind, direction: kind.direction(), min_difference: kind.min_difference() }
    }

    fn lower(self) -> Self {
        Self { direction: Direction::LowerIsWorse, ..self }
    }
}

const SUCCESS: [&str; 5] = ["availability", "available", "success", "successful", "uptime"];
const ERRORS: [&str; 9] = ["error", "errors", "err", "errs", "fail", "failed", "failure", "failures", "5xx"];
const RESOURCES: [&str; 7] = ["cpu", "memory", "mem", "heap", "disk", "saturation", "utilization"];
const LATENCY: [&str; 13] = [
    "latency",
    "duration",
    "seconds",
    "second",
    "ms",
    "millis",
    "milliseconds",
    "p50",
    "p90",
    "p95",
    "p99",
    "rtt",
    "time",
];
const TRAFFIC: [&str; 8] = ["rps", "qps", "rpm", "requests", "request", "traffic", "throughput", "hits"];
const SHARES: [&str; 4] = ["pct", "percent", "usage", "used"];
const SCORES: [&str; 9] =
    ["accuracy", "score", "auc", "ndcg", "precision", "recall", "f1", "conversion", "revenue"];

/// Guesses by the words of the name, first the most telling ones. `in_unit` says that all values lie between 0 and 1.
pub(super) fn guess(name: &str, in_unit: bool) -> Nature {
    let lower = name.to_lowercase();
    let words: Vec<&str> =
        lower.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |known: &[&str]| words.iter().any(|word| known.contains(word));
    let custom = Nature::of(SignalKind::Custom);
    if has(&SUCCESS) {
        return if in_unit { Nature::of(SignalKind::ErrorRatio).lower() } else { custom.lower() };
    }
    if has(&ERRORS) {
        return Nature::of(SignalKind::ErrorRatio);
    }
    let resource = has(&RESOURCES);
    if !resource && has(&LATENCY) {
        return Nature::of(SignalKind::Latency);
    }
    if !resource && has(&TRAFFIC) {
        return Nature::of(SignalKind::Traffic);
    }
    if resource || has(&SHARES) {
        let usual = Nature::of(SignalKind::Saturation);
        // The usual smallest difference counts in points of a percentage.
        return if in_unit {
            Nature { min_difference: usual.min_difference / 100.0, ..usual }
        } else {
            usual
        };
    }
    if has(&SCORES) { Nature::of(SignalKind::Quality) } else { custom }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_measured() {
        use Direction::{HigherIsWorse as Higher, LowerIsWorse as Lower};
        for (name, in_unit, kind, direction) in [
            ("errors", true, SignalKind::ErrorRatio, Higher),
            ("http_5xx_ratio", true, SignalKind::ErrorRatio, Higher),
            ("failed-requests", false, SignalKind::ErrorRatio, Higher),
            ("success_rate", true, SignalKind::ErrorRatio, Lower),
            ("availability", false, SignalKind::Custom, Lower),
            ("p99 latency (ms)", false, SignalKind::Latency, Higher),
            ("request_duration_seconds", false, SignalKind::Latency, Higher),
            ("rps", false, SignalKind::Traffic, Lower),
            ("cpu_seconds", false, SignalKind::Saturation, Higher),
            ("disk.used", false, SignalKind::Saturation, Higher),
            ("ndcg@10", true, SignalKind::Quality, Lower),
            ("terrors", true, SignalKind::Custom, Higher),
            ("", true, SignalKind::Custom, Higher),
        ] {
            let guessed = guess(name, in_unit);
            assert_eq!((guessed.kind, guessed.direction), (kind, direction), "{name}");
        }
        assert!((guess("cpu", true).min_difference - 0.05).abs() < 1e-9, "a share of 1");
    }
}
