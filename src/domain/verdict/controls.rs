//! Damage that is everywhere is not the deployment's.

use super::assessment::{Assessment, State};
use super::frame::{Frame, Split};
use crate::domain::evidence::Control;

/// From how many services on a comparison means something.
const MIN_CONTROLS: usize = 2;
/// How many names a sentence holds.
const MAX_NAMES: usize = 5;

/// Why a signal that regressed says nothing about the deployment, if it does so: at least half of the usable
/// controls, of which there are two at least, are bad by the same test at the same time.
///
/// A control is usable when the test can be run on it and it has at least half as many samples after the deployment
/// as the signal itself. One whose damage began before the deployment counts as hit: the more so it is not this
/// deployment's doing.
pub(super) fn excuse(
    controls: &[Control],
    subject: &Split,
    frame: &Frame,
    test: impl Fn(&Split) -> Assessment,
) -> Option<String> {
    let mut usable: usize = 0;
    let mut hit = Vec::new();
    for control in controls {
        let split = frame.split(&control.samples);
        if split.after.is_empty() || split.after.len().saturating_mul(2) < subject.after.len() {
            continue;
        }
        match test(&split).state {
            State::Never(_) | State::Excused(_) => {}
            State::Regressed | State::Preexisting => {
                usable += 1;
                hit.push(control.service.as_str());
            }
            State::Fine | State::Unclear(_) => usable += 1,
        }
    }
    if usable < MIN_CONTROLS || hit.len().saturating_mul(2) < usable {
        return None;
    }
    Some(format!("the damage hits services that were not deployed too: {}", names(&hit)))
}

fn names(hit: &[&str]) -> String {
    let shown = hit.iter().take(MAX_NAMES).copied().collect::<Vec<_>>().join(", ");
    if hit.len() > MAX_NAMES { format!("{shown} and {} more", hit.len() - MAX_NAMES) } else { shown }
}
