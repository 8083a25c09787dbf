//! What the command says, as text and as a picture.

use super::Args;
use super::input::Input;
use super::weigh::{Stream, title};
use crate::cli::chart::{Plot, plot};
use crate::cli::output::{coloured, plain};
use crate::cli::svg::{Behind, Panel, Picture};
use crate::domain::environment::signal::{Direction, SignalKind};
use crate::domain::judge::evidence::{Evidence, Found, Sample, SignalEvidence};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::time::human_secs;

/// All that there is to say.
pub(super) struct Story<'a> {
    pub(super) input: &'a Input,
    pub(super) evidence: &'a Evidence,
    pub(super) judgement: &'a Judgement,
    /// Of each metric, whether its kind was guessed.
    pub(super) guessed: Vec<bool>,
}

impl Story<'_> {
    /// The whole text for a terminal.
    pub(super) fn text(&self, args: &Args, stream: Option<&Stream>) -> String {
        let Self { evidence, judgement, .. } = self;
        let of = self.input.service.as_ref().map_or_else(String::new, |name| format!(" of {}", plain(name)));
        let closes_at = evidence.deployed_at.plus_secs(evidence.watch_secs.into());
        let mut lines = vec![
            self.sentence(true),
            format!(
                "  deployment{of} at {}, watched until {closes_at}, judged as of {}",
                evidence.deployed_at, evidence.judged_at
            ),
        ];
        lines.extend(stream.map(|stream| streamed(stream, self.evidence)).unwrap_or_default());
        for (index, (finding, signal)) in judgement.findings.iter().zip(&evidence.signals).enumerate() {
            let guessed = self.guessed.get(index).copied().unwrap_or(false);
            lines.push(String::new());
            lines.push(self.heading(finding, signal, guessed));
            lines.push(format!("    {}", plain(&finding.reason)));
            if let Found::Samples(samples) = &signal.found {
                let drawn = plot(
                    &Plot {
                        samples,
                        deployed_at: evidence.deployed_at,
                        onset: finding.since,
                        line: finding.line,
                        direction: signal.signal.direction,
                    },
                    |value| finding.show(value),
                );
                lines.extend(drawn.iter().map(|line| format!("    {line}")));
            }
        }
        if let Some(path) = &args.svg {
            lines.push(format!("\ndrawn in {}", plain(&path.display().to_string())));
        }
        lines.join("\n") + "\n"
    }

    /// The verdict and its reason.
    fn sentence(&self, colours: bool) -> String {
        let Judgement { verdict, reason, .. } = self.judgement;
        let word = verdict.word();
        let word = if colours { coloured(colour(verdict), word) } else { word.to_owned() };
        format!("{word}: {}", plain(reason))
    }

    fn heading(&self, finding: &Finding, signal: &SignalEvidence, guessed: bool) -> String {
        let title = plain(title(self.input, &finding.signal));
        // Where the name had to be changed, both are told.
        let known_as =
            if title == finding.signal.as_str() { String::new() } else { format!(" ({})", finding.signal) };
        let nature = describe(signal.signal.kind, signal.signal.direction);
        let guess = if guessed { ", guessed from the name: see --kind" } else { "" };
        let word = coloured(colour(&finding.verdict), finding.verdict.word());
        format!("  {}{known_as}: {word} [{nature}{guess}]", coloured("1", &title))
    }

    /// The same as a picture.
    pub(super) fn picture(&self) -> Picture {
        let Self { evidence, judgement, .. } = self;
        let panels = judgement.findings.iter().zip(&evidence.signals).map(|(finding, signal)| {
            let samples = match &signal.found {
                Found::Samples(samples) => samples.clone(),
                Found::Gap(_) => Vec::new(),
            };
            let line = finding.line;
            Panel {
                title: title(self.input, &finding.signal).to_owned(),
                verdict: finding.verdict.clone(),
                reason: finding.reason.clone(),
                samples,
                usual: finding.before,
                usual_text: finding.before.map_or_else(String::new, |usual| finding.show(usual)),
                line,
                line_text: line.map_or_else(String::new, |line| finding.show(line)),
                onset: finding.since,
                direction: signal.signal.direction,
                percent: finding.percent,
                behind: behind(signal),
            }
        });
        Picture {
            title: self.sentence(false),
            service: self.input.service.clone(),
            verdict: judgement.verdict.clone(),
            deployed_at: evidence.deployed_at,
            settle_secs: evidence.settle_secs,
            panels: panels.collect(),
        }
    }
}

/// What a signal is compared with: the same some time before, moved to this time, and other services.
fn behind(signal: &SignalEvidence) -> Vec<Behind> {
    let seasonal = signal.segments.first().map_or(&signal.seasonal, |segment| &segment.seasonal);
    let seasonal = seasonal.iter().map(|before| {
        let shift = i64::from(before.shift_secs);
        let moved = |sample: &Sample| Sample { at: sample.at.plus_secs(shift), ..*sample };
        Behind {
            name: format!("{} before", human_secs(shift)),
            samples: before.samples.iter().map(moved).collect(),
        }
    });
    let controls = signal.controls.iter();
    let controls =
        controls.map(|other| Behind { name: other.service.clone(), samples: other.samples.clone() });
    seasonal.chain(controls).collect()
}

fn colour(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Healthy => "32;1",
        Verdict::Regressed => "31;1",
        Verdict::Preexisting | Verdict::Inconclusive(_) => "33;1",
        Verdict::Pending => "36;1",
    }
}

fn describe(kind: SignalKind, direction: Direction) -> String {
    let kind = match kind {
        SignalKind::ErrorRatio => "error-ratio",
        SignalKind::Latency => "latency",
        SignalKind::Traffic => "traffic",
        SignalKind::Saturation => "saturation",
        SignalKind::Quality => "quality",
        SignalKind::Custom => "custom",
    };
    let direction = match direction {
        Direction::HigherIsWorse => "higher is worse",
        Direction::LowerIsWorse => "lower is worse",
    };
    format!("{kind}, {direction}")
}

fn streamed(stream: &Stream, evidence: &Evidence) -> Vec<String> {
    let mut lines: Vec<String> = stream
        .changes
        .iter()
        .map(|change| format!("  {}  {}: {}", change.at, change.verdict.word(), plain(&change.reason)))
        .collect();
    lines.push(match stream.final_at {
        Some(at) => format!(
            "  final at {at}, {} after the deployment, at the {} of the moments with samples",
            human_secs(at.secs_since(evidence.deployed_at)),
            ordinal(stream.moments)
        ),
        None => format!("  not final after {} moments with samples", stream.moments),
    });
    lines
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinals() {
        let shown: Vec<String> = [1, 2, 3, 4, 11, 12, 21, 113].into_iter().map(ordinal).collect();
        assert_eq!(shown, ["1st", "2nd", "3rd", "4th", "11th", "12th", "21st", "113th"]);
    }
}
