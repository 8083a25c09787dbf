//! What the time of day and of the week explains.

use super::super::frame::{Frame, MIN_BASELINE, tail, values};
use super::line::BASELINE_SAMPLES;
use super::orient::Orientation;
use crate::domain::judge::evidence::Seasonal;
use crate::domain::judge::stats::{median, percentile};

/// A rise of less than this share of the line's distance is noise.
const NOTABLE: f64 = 0.5;

/// How far the line is moved: how much the same window rose a day or a week ago, whichever is more; 0 when it did not
/// rise by half of the line's `distance`, or too little is known about it.
///
/// The rise is the 75th percentile over the whole of the earlier watch window against the median of the earlier
/// baseline: the upper part, as the hour of the daily peak is not the same to the minute every day.
pub(super) fn shift(
    seasonal: &[Seasonal],
    frame: &Frame,
    watch_secs: u32,
    orientation: Orientation,
    distance: f64,
) -> f64 {
    let rises = seasonal.iter().filter_map(|season| rise(season, frame, watch_secs, orientation));
    rises.filter(|rise| *rise > NOTABLE * distance).fold(0.0, f64::max)
}

fn rise(season: &Seasonal, frame: &Frame, watch_secs: u32, orientation: Orientation) -> Option<f64> {
    let split = frame.earlier(season.shift_secs, watch_secs).split(&season.samples);
    let split = split.map(|value| orientation.turn(value));
    let before = values(tail(&split.before, BASELINE_SAMPLES));
    if before.len() < MIN_BASELINE {
        return None;
    }
    let rise = percentile(&values(&split.after), 75)? - median(&before)?;
    rise.is_finite().then_some(rise)
}
