//! What the command says, as text and as a picture.

use super::args::JudgeArgs;
use super::input::Input;
use super::weigh::{Stream, title};
use crate::cli::chart::plot;
use crate::cli::output::{coloured, plain};
use crate::domain::chart::Chart;
use crate::domain::environment::signal::{Direction, SignalKind};
use crate::domain::judge::evidence::{Evidence, SignalEvidence};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict};
use crate::domain::time::human_secs;
use crate::page::svg::Picture;

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
    pub(super) fn text(&self, args: &JudgeArgs, stream: Option<&Stream>) -> String {
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
            let chart = Chart::of(evidence, signal, finding);
            lines.extend(chart.iter().flat_map(plot).map(|line| format!("    {line}")));
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
    pub(super) fn picture(&self) -> Picture<'_> {
        let Self { input, evidence, judgement, .. } = *self;
        Picture {
            title: self.sentence(false),
            service: input.service.as_deref(),
            evidence,
            judgement,
            names: judgement.findings.iter().map(|finding| title(input, &finding.signal)).collect(),
        }
    }
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
