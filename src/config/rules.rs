//! Signals and policies: what is asked, and what holds for the answers.

use std::collections::BTreeMap;

use super::context::Context;
use super::pins;
use super::report::{Place, suggestion};
use super::rule_types;
use super::types;
use super::values::{Duration, Ratio};
use crate::domain::environment::pattern::PathGlobs;
use crate::domain::environment::policy::{Mode, Policy, SchemaDetector, SchemaRules, ServiceBudget};
use crate::domain::environment::signal::{
    Direction, MinTraffic, Missing, Role, Rule, Signal, SignalKind, render_query, template_variables,
    usual_min_samples,
};
use crate::domain::field::Selection;
use crate::domain::ids::{SignalName, SourceName};

const FOR_SECS: u32 = 60;
/// The window of a service's budget where none is set, in seconds.
const SERVICE_BUDGET_SECS: u32 = 86_400;
const STEP_SECS: u32 = 60;
/// What every query may use, whatever the service's labels.
const VARIABLES: [&str; 4] = ["service", "environment", "namespace", "image_tag"];
/// Fewer samples than this are no baseline.
const MIN_BASELINE_SAMPLES: u32 = 8;
/// Fewer samples than this after the deployment can show no regression.
const MIN_WATCH_SAMPLES: u32 = 3;

impl Context<'_> {
    /// All signals that can be made, by name.
    pub(super) fn signals(&mut self, config: &types::Config) -> BTreeMap<String, Signal> {
        let sources: Vec<&str> = config.metrics.iter().flatten().map(|(name, _)| name.as_str()).collect();
        let wires = config.signals.iter().flatten();
        wires.filter_map(|(name, wire)| Some((name.clone(), self.signal(name, wire, &sources)?))).collect()
    }

    fn signal(&mut self, name: &str, wire: &rule_types::Signal, sources: &[&str]) -> Option<Signal> {
        let key = |key: &'static str| ["signals", name, key];
        let kind = wire.kind.unwrap_or_default();
        let direction = self.direction(name, wire, kind);
        let rule = self.rule(name, wire, kind, direction);
        let step_secs = self.seconds(wire.step, STEP_SECS, self.place(&key("step")));
        let min_difference = wire.min_difference.map_or_else(|| kind.min_difference(), |ratio| ratio.0);
        if min_difference < 0.0 {
            self.findings.add(self.place(&key("min_difference")), "must not be negative");
        }
        for (label, place) in [(&wire.by, key("by")), (&wire.segment, key("segment"))] {
            if label.as_deref().is_some_and(|label| !is_label(label)) {
                let message =
                    "must be the name of a label: letters, digits and _, not beginning with a digit";
                self.findings.add(self.place(&place), message);
            }
        }
        if wire.segment.is_some() && wire.segment == wire.by {
            self.findings.add(self.place(&key("segment")), "is the label that `by` names: choose another");
        }
        self.template(&wire.query, self.place(&key("query")));
        let min_traffic = wire.min_traffic.as_ref().map(|wire| self.min_traffic(name, wire));
        let role = self.role(name, wire);
        if wire.missing == Some(Missing::Zero) && direction == Direction::LowerIsWorse {
            let message = "a missing sample would be an outage: `zero` goes with `higher-is-worse` only";
            self.findings.add(self.place(&key("missing")), message);
        }
        let rate_window_secs = self.seconds(wire.rate_window, step_secs, self.place(&key("rate_window")));
        let delay_secs = self.seconds_or_zero(wire.delay, 0, self.place(&key("delay")));
        let source = match (&wire.source, sources) {
            (Some(source), _) => source.as_str(),
            (None, [only]) => only,
            (None, _) => {
                let message = format!("`source` is missing: {}", suggestion("", sources));
                self.missing(self.place(&["signals", name]), message);
                return None;
            }
        };
        let signal_name = self.name(SignalName::new(name), self.place(&["signals", name]))?;
        Some(Signal {
            name: signal_name,
            source: SourceName::new(source).ok()?,
            query: wire.query.clone(),
            by: wire.by.clone(),
            segment: wire.segment.clone(),
            kind,
            direction,
            rule,
            min_difference,
            step_secs,
            rate_window_secs: if wire.rate_window.is_some() { rate_window_secs } else { 0 },
            delay_secs,
            missing: wire.missing.unwrap_or_default(),
            min_samples: wire.min_samples.unwrap_or_else(|| usual_min_samples(step_secs)),
            min_traffic,
            role,
            weight: wire.weight.unwrap_or(1),
        })
    }

    /// Fills in a template on trial: an unknown filter shows only then.
    fn template(&mut self, query: &str, place: Place) {
        let trial = template_variables(query).and_then(|names| {
            let values = names.into_iter().map(|name| (name, "x".to_owned())).collect();
            render_query(query, &values)
        });
        if let Err(error) = trial {
            self.findings.add(place, format!("not a valid template: {error}"));
        }
    }

    fn min_traffic(&mut self, name: &str, wire: &rule_types::MinTraffic) -> MinTraffic {
        let key = |key: &'static str| ["signals", name, "min_traffic", key];
        self.template(&wire.query, self.place(&key("query")));
        if wire.at_least.0 < 0.0 {
            self.findings.add(self.place(&key("at_least")), "must not be negative");
        }
        MinTraffic { query: wire.query.clone(), at_least: wire.at_least.0 }
    }

    fn role(&mut self, name: &str, wire: &rule_types::Signal) -> Role {
        match (wire.critical.unwrap_or(false), wire.advisory.unwrap_or(false)) {
            (true, true) => {
                let place = self.place(&["signals", name, "advisory"]);
                self.findings.add(place, "a signal is either `critical` or `advisory`: leave one out");
                Role::Critical
            }
            (true, false) => Role::Critical,
            (false, true) => Role::Advisory,
            (false, false) => Role::Normal,
        }
    }

    fn direction(&mut self, name: &str, wire: &rule_types::Signal, kind: SignalKind) -> Direction {
        let implied = match (wire.above, wire.below) {
            (Some(_), None) => Some(Direction::HigherIsWorse),
            (None, Some(_)) => Some(Direction::LowerIsWorse),
            _ => None,
        };
        if let (Some(implied), Some(said)) = (implied, wire.direction)
            && implied != said
        {
            let message = match implied {
                Direction::HigherIsWorse => {
                    "`above` goes with `higher-is-worse`: write `below`, or leave this out"
                }
                Direction::LowerIsWorse => {
                    "`below` goes with `lower-is-worse`: write `above`, or leave this out"
                }
            };
            self.findings.add(self.place(&["signals", name, "direction"]), message);
        }
        wire.direction.or(implied).unwrap_or_else(|| kind.direction())
    }

    fn rule(
        &mut self,
        name: &str,
        wire: &rule_types::Signal,
        kind: SignalKind,
        direction: Direction,
    ) -> Rule {
        let key = |key: &'static str| ["signals", name, key];
        let for_place = self.place(&key("for"));
        let for_secs = self.seconds(wire.r#for, FOR_SECS, for_place);
        let given = [("above", wire.above), ("below", wire.below), ("change", wire.change)];
        let given: Vec<(&'static str, Ratio)> =
            given.into_iter().filter_map(|(key, value)| Some((key, value?))).collect();
        for (other, _) in given.iter().skip(1) {
            let message = "only one of `above`, `below` and `change` may be given: make a second signal";
            self.findings.add(self.place(&key(other)), message);
        }
        let Some((which, Ratio(value))) = given.first().copied() else {
            if wire.r#for.is_some() {
                self.findings
                    .add(for_place, "goes with `above`, `below` or `change` only: add one, or leave it out");
            }
            return Rule::Robust;
        };
        let place = self.place(&key(which));
        if which == "change" {
            if value <= 0.0 {
                self.findings.add(place, "must be more than zero");
            } else if value >= 1.0 && direction == Direction::LowerIsWorse {
                self.findings.add(place, "nothing falls by 100% or more of itself: write less than 100%");
            }
            return Rule::Change { share: value, for_secs };
        }
        if kind == SignalKind::ErrorRatio && !(0.0..=1.0).contains(&value) {
            self.findings.add(place, format!("an error ratio lies between 0 and 1: write `{value}%`?"));
        }
        Rule::Limit { limit: value, for_secs }
    }

    /// All policies, by name; `default` is always there.
    pub(super) fn policies(&mut self, config: &types::Config) -> BTreeMap<String, Policy> {
        let mut policies = BTreeMap::new();
        if self.complete {
            policies.insert("default".to_owned(), Policy::default());
        }
        for (name, wire) in config.policies.iter().flatten() {
            let policy = self.policy(name, wire);
            policies.insert(name.clone(), policy);
        }
        policies
    }

    fn policy(&mut self, name: &str, wire: &rule_types::Policy) -> Policy {
        let usual = Policy::default();
        let key = |key: &'static str| ["policies", name, key];
        let mut secs = |value: Option<Duration>, default, key_name| {
            self.seconds(value, default, self.place(&key(key_name)))
        };
        let watch_secs = secs(wire.watch, usual.watch_secs, "watch");
        let baseline_secs = secs(wire.baseline, usual.baseline_secs, "baseline");
        let quarantine_secs = secs(wire.quarantine, usual.quarantine_secs, "quarantine");
        let recovery_secs = secs(wire.recovery, usual.recovery_secs, "recovery");
        let settle_secs = self.seconds_or_zero(wire.settle, usual.settle_secs, self.place(&key("settle")));
        let cooldown_secs =
            self.seconds_or_zero(wire.cooldown, usual.cooldown_secs, self.place(&key("cooldown")));
        if settle_secs >= watch_secs {
            let which = if wire.settle.is_some() { "settle" } else { "watch" };
            let message = format!("`settle` ({settle_secs}s) must be shorter than `watch` ({watch_secs}s)");
            self.findings.add(self.place(&key(which)), message);
        }
        let pin = wire.pin.as_ref().map_or(usual.pin, |pin| self.pin_rules(name, pin));
        let mut fields = wire.fields.as_ref().map(selection).unwrap_or_default();
        fields.exclude.extend(pins::places(&pin));
        let window = self.place(&["policies", name, "service_budget", "window"]);
        let service_budget = wire.service_budget.as_ref().map(|budget| ServiceBudget {
            max_reverts: budget.max_reverts,
            window_secs: self.seconds(budget.window, SERVICE_BUDGET_SECS, window),
        });
        Policy {
            mode: wire.mode.unwrap_or(Mode::Observe),
            earn_after: wire.earn_after.unwrap_or(usual.earn_after),
            settle_secs,
            watch_secs,
            baseline_secs,
            quorum: wire.quorum.unwrap_or(usual.quorum),
            cooldown_secs,
            quarantine_secs,
            recovery_secs,
            schema: wire.schema.as_ref().map_or(usual.schema, |marks| self.schema_rules(name, marks)),
            fields,
            mixed: wire.mixed.unwrap_or(usual.mixed),
            targets: wire.targets.unwrap_or(usual.targets),
            fallback: wire.fallback.unwrap_or(usual.fallback),
            service_budget,
            automation: usual.automation,
            partial: wire.partial.unwrap_or(usual.partial),
            pin,
            elsewhere: wire.elsewhere.unwrap_or(usual.elsewhere),
        }
    }

    fn schema_rules(&mut self, policy: &str, wire: &rule_types::SchemaMarks) -> SchemaRules {
        let usual = SchemaRules::default();
        let keys = ["policies", policy, "schema", "paths"];
        let paths = wire.paths.as_ref().map(|globs| self.globs(globs, &keys));
        // Whoever names a detector relies on it.
        let is_named = |detector| wire.detectors.as_ref().is_some_and(|named| named.contains(&detector));
        if let Some(source) = &wire.source {
            self.source_template(source, self.place(&["policies", policy, "schema", "source"]));
        }
        SchemaRules {
            policy: wire.policy.unwrap_or(usual.policy),
            detectors: wire.detectors.clone().unwrap_or(usual.detectors),
            trailers: wire.trailers.clone().unwrap_or(usual.trailers),
            labels: wire.labels.clone().unwrap_or(usual.labels),
            paths: paths.unwrap_or_default(),
            image_labels: wire.image_labels.clone().unwrap_or(usual.image_labels),
            must_see_images: is_named(SchemaDetector::Images),
            source: wire.source.clone(),
            must_see_sources: is_named(SchemaDetector::Sources),
        }
    }

    /// The globs at `keys`; an invalid one is named at its own place.
    pub(super) fn globs(&mut self, globs: &[String], keys: &[&str]) -> PathGlobs {
        let list = self.node(keys);
        let places: Vec<Place> =
            list.map_or(&[][..], super::tree::Node::items).iter().map(|i| i.place).collect();
        self.globs_at(globs, &places, self.place(keys))
    }

    /// The globs at `places`.
    pub(super) fn globs_at(&mut self, globs: &[String], places: &[Place], list: Place) -> PathGlobs {
        // Compiling is most of reading a large configuration: one by one only where together they are not valid.
        let compiled = PathGlobs::new(globs.to_vec());
        let invalid =
            |glob: &String| compiled.as_ref().err().and_then(|_| PathGlobs::new(vec![glob.clone()]).err());
        for (index, glob) in globs.iter().enumerate() {
            let place = places.get(index).copied().unwrap_or(list);
            if let Some(error) = invalid(glob) {
                self.findings.add(place, format!("not a valid glob: {error}"));
            } else if glob.is_empty() || glob.starts_with('/') || glob.starts_with("./") {
                self.findings.add(
                    place,
                    "matches nothing: paths begin at the root of the repository, without / or ./",
                );
            }
        }
        compiled.unwrap_or_default()
    }

    /// Whether this policy can judge by these signals, as the service at `service` asks for.
    pub(super) fn judgeable(&mut self, policy: (&str, &Policy), signals: &[Signal], service: Place) {
        let (policy_name, policy) = policy;
        let critical = signals.iter().any(|signal| signal.role == Role::Critical);
        let normal = signals.iter().filter(|signal| signal.role == Role::Normal);
        let weight = normal.fold(0u32, |sum, signal| sum.saturating_add(signal.weight));
        if signals.is_empty() {
            self.missing(service, "no signal is asked about this service: define one in `signals`");
        } else if policy.quorum > weight && !critical {
            let message = format!(
                "the policy `{policy_name}` wants signals of weight {} to have regressed, and those of this service weigh \
                 {weight} together",
                policy.quorum
            );
            self.missing(service, message);
        }
        for signal in signals {
            self.fits(policy_name, policy, signal);
        }
    }

    fn fits(&mut self, policy_name: &str, policy: &Policy, signal: &Signal) {
        let key = |key: &'static str| ["signals", signal.name.as_str(), key];
        let judged_secs = policy.watch_secs.saturating_sub(policy.settle_secs);
        if policy.baseline_secs / signal.step_secs.max(1) < MIN_BASELINE_SAMPLES {
            let message = format!(
                "a step of {}s leaves fewer than {MIN_BASELINE_SAMPLES} samples in the baseline of the policy \
                 `{policy_name}` ({}s): shorten the step, or lengthen `baseline`",
                signal.step_secs, policy.baseline_secs
            );
            self.findings.add(self.place(&key("step")), message);
        }
        if judged_secs == 0 {
            return; // The policy itself is impossible, which has been told.
        }
        if judged_secs / signal.step_secs.max(1) < MIN_WATCH_SAMPLES {
            let message = format!(
                "a step of {}s leaves fewer than {MIN_WATCH_SAMPLES} samples between `settle` ({}s) and the end of \
                 `watch` ({}s) of the policy `{policy_name}`: shorten the step, or lengthen `watch`",
                signal.step_secs, policy.settle_secs, policy.watch_secs
            );
            self.findings.add(self.place(&key("step")), message);
        }
        let complete_secs = judged_secs.saturating_sub(signal.delay_secs);
        if signal.delay_secs > 0 && complete_secs / signal.step_secs.max(1) < MIN_WATCH_SAMPLES {
            let message = format!(
                "a delay of {}s leaves fewer than {MIN_WATCH_SAMPLES} complete samples within `watch` ({}s) of the policy \
                 `{policy_name}`: lengthen `watch`",
                signal.delay_secs, policy.watch_secs
            );
            self.findings.add(self.place(&key("delay")), message);
        }
        if let Rule::Limit { for_secs, .. } | Rule::Change { for_secs, .. } = signal.rule
            && for_secs > judged_secs
        {
            let message = format!(
                "{for_secs}s is longer than what the policy `{policy_name}` judges: from `settle` ({}s) to the end \
                 of `watch` ({}s)",
                policy.settle_secs, policy.watch_secs
            );
            self.findings.add(self.place(&key("for")), message);
        }
    }

    /// Whether a service with these labels knows every variable in the queries of its signals.
    pub(super) fn variables(&mut self, signals: &[Signal], service: &str, labels: &[&str]) {
        let labels = labels.iter().filter(|label| !VARIABLES.contains(label));
        let known: Vec<&str> = VARIABLES.iter().chain(labels).copied().collect();
        for signal in signals {
            for used in template_variables(&signal.query).unwrap_or_default() {
                if !known.contains(&used.as_str()) {
                    let hint = suggestion(&used, &known);
                    let message = format!("{service} has no label `{used}` for this query: {hint}");
                    self.findings.add(self.place(&["signals", signal.name.as_str(), "query"]), message);
                }
            }
        }
    }
}

impl Context<'_> {
    /// Whether the queries ask for something else for each service of the pattern; else all would be blamed alike.
    pub(super) fn tells_apart(
        &mut self,
        signals: &[Signal],
        shown: &str,
        captured: &[String],
        labels: Option<&BTreeMap<String, String>>,
    ) {
        let fixed = |name: &str| labels.is_some_and(|labels| labels.contains_key(name));
        let captured =
            |name: &str| captured.iter().any(|captured| captured == name && captured != "environment");
        let own = |name: &str| {
            matches!(name, "service" | "image_tag") || captured(name) || (name == "namespace" && !fixed(name))
        };
        for signal in signals.iter().filter(|signal| signal.by.is_none()) {
            if template_variables(&signal.query).is_ok_and(|used| !used.iter().any(|name| own(name))) {
                let message = format!(
                    "this query asks the same for every service that is found as {shown}: use `{{{{ service }}}}` in it, or \
                     say with `by` which label holds the service's name"
                );
                self.findings.add(self.place(&["signals", signal.name.as_str(), "query"]), message);
            }
        }
    }
}

/// Whether `text` can be the name of a label, and of a template variable.
/// Source: <https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels>.
pub(super) fn is_label(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        && !text.starts_with("__")
}

fn selection(wire: &rule_types::Fields) -> Selection {
    let list = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
    Selection { add: list(&wire.add), exclude: list(&wire.exclude) }
}
