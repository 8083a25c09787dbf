//! Findings in words, for a person at three in the morning.

use super::assessment::{Assessment, State};
use super::frame::Frame;
use crate::domain::time::human_secs;

/// How a signal's numbers are written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// As a percentage of 1.
    pub(super) percent: bool,
}

impl Style {
    /// A value with three significant digits at most: `5.2 %` for a ratio, `0.314` or `12300` otherwise.
    pub(super) fn number(self, value: f64) -> String {
        // A value this large is no ratio, and times 100 it might not be finite.
        if self.percent && value.abs() < 1e6 { format!("{} %", short(value * 100.0)) } else { short(value) }
    }
}

/// The sentence for one signal. `open` says that the window is still open and the state may change.
pub(super) fn sentence(name: &str, found: &Assessment, frame: &Frame, style: Style) -> String {
    match &found.state {
        State::Regressed => format!("{name} {}{}", damage(found, frame, style), sureness(found)),
        State::Preexisting => {
            format!("{name} was bad before the deployment already: it {}", damage(found, frame, style))
        }
        State::Fine if frame.open && !frame.is_late() => {
            format!("{name} shows nothing wrong so far: {}", comparison(found, style))
        }
        State::Fine => format!("{name} is as before the deployment: {}", comparison(found, style)),
        State::Blind if found.of > 0 => format!("{name}: {MISSING_AROUND}; {}", comparison(found, style)),
        State::Blind => format!("{name}: {MISSING_AROUND}"),
        State::Unclear(why) | State::Never(why) | State::Excused(why) if found.of > 0 => {
            format!("{name}: {why}; {}", comparison(found, style))
        }
        State::Unclear(why) | State::Never(why) | State::Excused(why) => format!("{name}: {why}"),
    }
}

/// Why nobody can say since when a signal is bad.
pub(super) const MISSING_AROUND: &str = "the minutes around the deployment cannot be used (samples are missing, or another deployment was too close), so it may have been bad before";

/// How sure it is, in words.
fn sureness(found: &Assessment) -> String {
    let Some(coincidence) = found.coincidence() else { return String::new() };
    let precedents = match found.precedents {
        0 => "nothing as large in the baseline".to_owned(),
        1 => "as large once in the baseline".to_owned(),
        count => format!("as large {count} times in the baseline"),
    };
    format!(
        "; {precedents}, a coincidence in about 1 of {} deployments",
        short((1.0 / coincidence).min(10_000.0))
    )
}

fn damage(found: &Assessment, frame: &Frame, style: Style) -> String {
    let mut text = match (found.before, found.after) {
        (Some(before), Some(after)) if after > before => {
            format!("rose from {} to {}", style.number(before), style.number(after))
        }
        (Some(before), Some(after)) if after < before => {
            format!("fell from {} to {}", style.number(before), style.number(after))
        }
        (_, Some(after)) => format!("is at {}", style.number(after)),
        (_, None) => "is bad".to_owned(),
    };
    if let Some(since) = found.since {
        let distance = since.secs_since(frame.deployed_at);
        let side = match distance {
            0 => "with".to_owned(),
            1.. => format!("{} after", span(distance)),
            _ => format!("{} before", span(distance)),
        };
        let what = if frame.is_revert { "revert" } else { "deployment" };
        text.push_str(&format!(" at {}, {side} the {what}", since.clock()));
    }
    if let Some(line) = found.line.filter(|_| found.of > 0) {
        let verb = if found.beyond == 1 { "is" } else { "are" };
        let (beyond, of) = (found.beyond, found.of);
        text.push_str(&format!("; {beyond} of the last {of} samples {verb} beyond {}", style.number(line)));
    }
    text
}

fn comparison(found: &Assessment, style: Style) -> String {
    let before = found.before.map_or_else(|| "unknown".to_owned(), |value| style.number(value));
    let after = found.after.map_or_else(|| "unknown".to_owned(), |value| style.number(value));
    let mut text = format!("typically {before} before and {after} since");
    if let Some(line) = found.line {
        text.push_str(&format!(
            ", with {} of {} samples beyond {}",
            found.beyond,
            found.of,
            style.number(line)
        ));
    }
    text
}

/// A distance in time in words, without its sign; seconds up to two minutes.
fn span(secs: i64) -> String {
    let secs = secs.saturating_abs();
    if secs < 120 { format!("{secs} s") } else { human_secs(secs) }
}

/// A number with three significant digits at most and no zeros at its end.
fn short(value: f64) -> String {
    let size = value.abs();
    if size <= 0.0 {
        return "0".to_owned();
    }
    // Rounding is left to the formatter, which is exact; the exponent is read from its answer.
    let scientific = format!("{value:.2e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let plain = match exponent {
        -4..=1 => format!("{value:.*}", usize::try_from(2 - exponent).unwrap_or(2)),
        2..=8 => scientific.parse::<f64>().map_or(scientific.clone(), |rounded| format!("{rounded:.0}")),
        _ => return format!("{}e{exponent}", trimmed(digits)),
    };
    trimmed(&plain).to_owned()
}

fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_significant_digits() {
        for (value, text) in [
            (0.0, "0"),
            (-0.0, "0"),
            (1.0, "1"),
            (0.1, "0.1"),
            (0.123_456, "0.123"),
            (0.000_123_4, "0.000123"),
            (0.000_012_3, "1.23e-5"),
            (9.999, "10"),
            (99.96, "100"),
            (12_345.0, "12300"),
            (-250.4, "-250"),
            (1.0e12, "1e12"),
            (f64::MAX, "1.8e308"),
        ] {
            assert_eq!(Style { percent: false }.number(value), text);
        }
    }

    #[test]
    fn ratios_are_percentages() {
        let style = Style { percent: true };
        assert_eq!(style.number(0.052), "5.2 %");
        assert_eq!(style.number(0.001), "0.1 %");
        assert_eq!(style.number(1.0), "100 %");
        assert_eq!(style.number(f64::MAX), "1.8e308");
    }

    #[test]
    fn spans() {
        assert_eq!(span(65), "65 s");
        assert_eq!(span(-600), "10 min");
        assert_eq!(span(i64::MIN), span(i64::MAX));
    }
}
