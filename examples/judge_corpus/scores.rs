//! From outcomes to scores.

use std::collections::{BTreeMap, BTreeSet};

use backout::domain::judge::stats::{median, real};
use backout::domain::judge::verdict::Verdict;
use serde::{Serialize, Serializer};

use crate::cases::{Case, Label};
use crate::stream::Outcome;

/// The share of deployments that are bad, for the precision that a user would see.
const BAD_DEPLOYMENTS: f64 = 0.05;

/// A case without its samples, and what a rule made of it.
#[derive(Clone, Debug)]
pub(crate) struct Scored {
    /// The case's name.
    pub(crate) id: String,
    /// The case's source.
    pub(crate) source: String,
    /// What the deployment really did.
    pub(crate) label: Label,
    observable: bool,
    deployed_at: i64,
    onset: i64,
    /// What the rule says.
    pub(crate) outcome: Outcome,
}

impl Scored {
    /// Keeps of a case what its scores need.
    pub(crate) fn new(case: &Case, outcome: Outcome) -> Self {
        Self {
            id: case.id.clone(),
            source: case.source.clone(),
            label: case.label,
            observable: case.observable,
            deployed_at: case.deployed_at,
            onset: case.onset.unwrap_or(case.deployed_at),
            outcome,
        }
    }

    /// What is wrong with the outcome, if anything counts as wrong.
    pub(crate) fn mistake(&self) -> Option<&'static str> {
        match (self.label, self.outcome.fired()) {
            (Label::Regression, false) if self.observable => Some("missed"),
            (Label::Healthy | Label::Preexisting, true) => Some("false alarm"),
            _ => None,
        }
    }
}

/// How many of how many.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Share {
    /// How many.
    pub(crate) hits: usize,
    /// Of how many.
    pub(crate) of: usize,
}

impl Share {
    fn count(&mut self, hit: bool) {
        self.of += 1;
        self.hits += usize::from(hit);
    }

    /// The share, 0 to 1, of at least one.
    pub(crate) fn fraction(self) -> Option<f64> {
        (self.of > 0).then(|| real(self.hits) / real(self.of))
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.fraction().serialize(serializer)
    }
}

/// The scores of one rule over some cases.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Summary {
    /// Blamed of the regressions that can be seen.
    pub(crate) recall: Share,
    /// Blamed of the healthy deployments.
    pub(crate) false_alarms_healthy: Share,
    /// Blamed of those with damage from before.
    pub(crate) false_alarms_preexisting: Share,
    /// The share of rightly blamed among the blamed, were one deployment in twenty bad and the others healthy.
    pub(crate) precision_at_5_percent: Option<f64>,
    /// From the deployment to the verdict, among the regressions that were found.
    pub(crate) median_minutes_from_deploy: Option<f64>,
    /// From the onset of the damage to the verdict.
    pub(crate) median_minutes_from_onset: Option<f64>,
    /// Of all cases, those that ended without an answer.
    pub(crate) inconclusive: Share,
    /// How long one judgement took.
    pub(crate) microseconds_per_judgement: Option<f64>,
}

impl Summary {
    /// Adds up.
    pub(crate) fn of<'a>(cases: impl Iterator<Item = &'a Scored>) -> Self {
        let mut summary = Self::default();
        let (mut from_deploy, mut from_onset) = (Vec::new(), Vec::new());
        let (mut judgements, mut micros) = (0.0, 0.0);
        for case in cases {
            let outcome = &case.outcome;
            judgements += f64::from(outcome.judgements);
            micros += outcome.micros;
            summary.inconclusive.count(matches!(outcome.verdict, Verdict::Inconclusive(_)));
            match case.label {
                Label::Regression if !case.observable => {}
                Label::Regression => summary.recall.count(outcome.fired()),
                Label::Healthy => summary.false_alarms_healthy.count(outcome.fired()),
                Label::Preexisting => summary.false_alarms_preexisting.count(outcome.fired()),
            }
            if case.label == Label::Regression && case.observable && outcome.fired() {
                from_deploy.push(minutes(outcome.at.saturating_sub(case.deployed_at)));
                from_onset.push(minutes(outcome.at.saturating_sub(case.onset)));
            }
        }
        summary.precision_at_5_percent = precision(summary.recall, summary.false_alarms_healthy);
        summary.median_minutes_from_deploy = median(&from_deploy);
        summary.median_minutes_from_onset = median(&from_onset);
        summary.microseconds_per_judgement = (judgements > 0.0).then(|| micros / judgements);
        summary
    }
}

fn precision(recall: Share, false_alarms: Share) -> Option<f64> {
    let right = recall.fraction()? * BAD_DEPLOYMENTS;
    let wrong = false_alarms.fraction()? * (1.0 - BAD_DEPLOYMENTS);
    (right + wrong > 0.0).then(|| right / (right + wrong))
}

fn minutes(secs: i64) -> f64 {
    f64::from(i32::try_from(secs).unwrap_or(i32::MAX)) / 60.0
}

/// The sources of some cases, in the order of their names.
pub(crate) fn sources(scored: &[Scored]) -> BTreeSet<&str> {
    scored.iter().map(|case| case.source.as_str()).collect()
}

/// All scores, as they are written to a file.
#[derive(Serialize)]
pub(crate) struct Report<'a> {
    rules: BTreeMap<&'static str, RuleReport<'a>>,
    cases: Vec<CaseReport<'a>>,
}

#[derive(Serialize)]
struct RuleReport<'a> {
    #[serde(flatten)]
    all: Summary,
    by_source: BTreeMap<&'a str, Summary>,
}

#[derive(Serialize)]
struct CaseReport<'a> {
    id: &'a str,
    rule: &'static str,
    verdict: &'static str,
    fired_at: Option<i64>,
}

impl<'a> Report<'a> {
    /// The scores of the named rules.
    pub(crate) fn new(scored: &'a [Scored], rules: &[&'static str]) -> Self {
        let rule_report = |rule: &str| {
            let mine = || scored.iter().filter(|case| case.outcome.rule == rule);
            let by_source = sources(scored)
                .into_iter()
                .map(|source| (source, Summary::of(mine().filter(|case| case.source == source))))
                .collect();
            RuleReport { all: Summary::of(mine()), by_source }
        };
        Self {
            rules: rules.iter().map(|rule| (*rule, rule_report(rule))).collect(),
            cases: scored
                .iter()
                .map(|case| CaseReport {
                    id: &case.id,
                    rule: case.outcome.rule,
                    verdict: case.outcome.verdict.word(),
                    fired_at: case.outcome.fired().then_some(case.outcome.at),
                })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(label: Label, verdict: Verdict, minutes: i64) -> Scored {
        let outcome = Outcome {
            rule: "backout",
            verdict,
            at: minutes * 60,
            judgements: 2,
            micros: 10.0,
            reasons: Vec::new(),
        };
        Scored {
            id: "a".to_owned(),
            source: "s".to_owned(),
            label,
            observable: label != Label::Healthy,
            deployed_at: 0,
            onset: 60,
            outcome,
        }
    }

    #[test]
    fn scores_are_counted_by_label() {
        let cases = [
            scored(Label::Regression, Verdict::Regressed, 5),
            scored(Label::Regression, Verdict::Inconclusive(String::new()), 30),
            scored(Label::Healthy, Verdict::Regressed, 3),
            scored(Label::Healthy, Verdict::Healthy, 30),
            scored(Label::Preexisting, Verdict::Preexisting, 30),
            Scored { observable: false, ..scored(Label::Regression, Verdict::Healthy, 30) },
        ];
        let summary = Summary::of(cases.iter());
        assert_eq!(summary.recall, Share { hits: 1, of: 2 });
        assert_eq!(summary.false_alarms_healthy, Share { hits: 1, of: 2 });
        assert_eq!(summary.false_alarms_preexisting, Share { hits: 0, of: 1 });
        assert_eq!(summary.inconclusive, Share { hits: 1, of: 6 });
        assert_eq!(summary.median_minutes_from_deploy, Some(5.0));
        assert_eq!(summary.median_minutes_from_onset, Some(4.0));
        assert_eq!(summary.microseconds_per_judgement, Some(5.0));
        // 0.5 · 0.05 / (0.5 · 0.05 + 0.5 · 0.95)
        assert!((summary.precision_at_5_percent.unwrap() - 0.05).abs() < 1e-12);
    }

    #[test]
    fn the_file_has_null_for_what_has_no_case() {
        let cases = [scored(Label::Healthy, Verdict::Healthy, 30)];
        let json = serde_json::to_value(Report::new(&cases, &["backout"])).unwrap();
        assert_eq!(json["rules"]["backout"]["recall"], serde_json::Value::Null);
        assert_eq!(json["rules"]["backout"]["false_alarms_healthy"], 0.0);
        assert_eq!(json["rules"]["backout"]["by_source"]["s"]["inconclusive"], 0.0);
        let case = serde_json::json!({"id": "a", "rule": "backout", "verdict": "healthy", "fired_at": null});
        assert_eq!(json["cases"][0], case);
    }
}
