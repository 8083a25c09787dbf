//! Damage that is everywhere is not the deployment's: the difference in differences.
//!
//! Source of the method: O. Ashenfelter and D. Card, "Using the Longitudinal Structure of Earnings to Estimate the Effect
//! of Training Programs", Review of Economics and Statistics 67 (1985), 648–660: what happened to those who were not
//! treated is what would have happened to the treated. Here it is taken off only where it makes things look better, so
//! that controls can excuse and never accuse.

use super::assessment::{Assessment, State};
use super::frame::{Frame, MIN_BASELINE, Split, values};
use crate::domain::environment::signal::Direction;
use crate::domain::judge::evidence::{Control, Sample};
use crate::domain::judge::stats::median;

/// From how many services on a comparison means something.
const MIN_CONTROLS: usize = 2;
/// How many times what others had is taken off: an incident hits one service harder than the next.
const GENEROSITY: f64 = 2.0;
/// How many names a sentence holds.
const MAX_NAMES: usize = 5;

/// Why a signal that regressed says nothing about the deployment, if it does so: by the same test it would not have
/// regressed without what happened to services that were not deployed as well. At least half of the usable ones, of
/// which there are two at least, must have moved so far at the same time.
///
/// A control is usable when it has samples before, and at least half as many after the deployment as the signal itself.
pub(super) fn excuse(
    controls: &[Control],
    subject: &Split,
    frame: &Frame,
    nature: Nature,
    test: impl Fn(&Split) -> Assessment,
) -> Option<String> {
    let usable: Vec<Usable<'_>> =
        controls.iter().filter_map(|control| Usable::of(control, subject, frame)).collect();
    if usable.len() < MIN_CONTROLS {
        return None;
    }
    let without = nature.without_common(subject, &usable, frame);
    if test(&without).state == State::Regressed {
        return None;
    }
    let is_hit =
        |control: &&Usable<'_>| matches!(test(&control.split).state, State::Regressed | State::Preexisting);
    let hit: Vec<&str> = usable.iter().filter(is_hit).map(|control| control.service).collect();
    Some(if hit.is_empty() {
        "services that were not deployed moved alike".to_owned()
    } else {
        format!("the damage hits services that were not deployed too: {}", names(&hit))
    })
}

/// How changes of a signal compare between services.
#[derive(Clone, Copy, Debug)]
pub(super) struct Nature {
    /// Which way is bad.
    pub(super) direction: Direction,
    /// Whether services differ by a factor, as in latency and traffic, and not by an amount, as in shares of failures.
    pub(super) multiplies: bool,
    /// Whether samples are shares, within 0 to 1.
    pub(super) is_share: bool,
}

struct Usable<'a> {
    service: &'a str,
    split: Split,
    usual: f64,
}

impl<'a> Usable<'a> {
    fn of(control: &'a Control, subject: &Split, frame: &Frame) -> Option<Self> {
        let split = frame.split(&control.samples);
        let enough = !split.after.is_empty() && split.after.len().saturating_mul(2) >= subject.after.len();
        let usual = median(&values(&split.before)).filter(|_| split.before.len() >= MIN_BASELINE)?;
        enough.then_some(Self { service: &control.service, split, usual })
    }

    /// The sample nearest to a time, less than a step away from it.
    fn near(&self, sample: &Sample, frame: &Frame) -> Option<f64> {
        let after = &self.split.after;
        let next = after.partition_point(|other| other.at < sample.at);
        let around = after.get(next.saturating_sub(1)..(next + 1).min(after.len()))?;
        let distance = |other: &&Sample| other.at.secs_since(sample.at).abs();
        around
            .iter()
            .filter(|other| distance(other) < frame.step)
            .min_by_key(distance)
            .map(|other| other.value)
    }
}

impl Nature {
    /// The signal without what at least half of the controls had too at the same time.
    fn without_common(self, subject: &Split, controls: &[Usable<'_>], frame: &Frame) -> Split {
        let usual = median(&values(&subject.before)).unwrap_or(0.0);
        let take_off = |sample: &Sample| {
            let mut changes: Vec<f64> = controls
                .iter()
                .filter_map(|control| Some(self.change(control.usual, usual, control.near(sample, frame)?)))
                .collect();
            changes.sort_unstable_by(f64::total_cmp);
            changes.reverse();
            let common = changes.get(changes.len().div_ceil(2).saturating_sub(1)).copied().unwrap_or(0.0);
            let value = match self.direction {
                Direction::HigherIsWorse => sample.value - GENEROSITY * common,
                Direction::LowerIsWorse => sample.value + GENEROSITY * common,
            };
            // What is taken off may be more than there was. A share stays one: else it would be taken for a count.
            let value = if self.is_share { value.clamp(0.0, 1.0) } else { value };
            Sample { value: if value.is_finite() { value } else { sample.value }, ..*sample }
        };
        Split { after: subject.after.iter().map(take_off).collect(), ..subject.clone() }
    }

    /// By how much a service that is usually at `usual` is worse when a control went from `control` to `now`; never
    /// less than 0.
    fn change(self, control: f64, usual: f64, now: f64) -> f64 {
        let rise = match self.direction {
            Direction::HigherIsWorse => now - control,
            Direction::LowerIsWorse => control - now,
        };
        let scaled =
            if self.multiplies && control.abs() > 0.0 { rise / control.abs() * usual.abs() } else { rise };
        scaled.max(0.0)
    }
}

fn names(hit: &[&str]) -> String {
    let shown = hit.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    if hit.len() > MAX_NAMES { format!("{shown} and {} more", hit.len() - MAX_NAMES) } else { shown }
}
