//! Scores the judge on labelled deployments, beside the rules that it is to be better than.
//!
//! ```text
//! cargo run --release --example judge_corpus -- [DIR] [--json OUT] [--cases] [--families] [--gaps]
//! ```
//!
//! `DIR` holds one folder a case, with `case.json` and `series.csv` (`timestamp,metric,value`; unix seconds). Every case
//! is streamed: at each sample time up to the end of its watch window a rule sees the samples up to then, and no later
//! one. `Regressed` ends the case, and so does any other verdict that is not `Pending`. As in the agent, the judge gets
//! the windows of a day and a week ago only where it asks for them.
//!
//! The tables give for each source of cases, for all, and for all but each source: the share of regressions that are
//! blamed, the shares of healthy and of preexisting damage that are blamed, and how long it took. `--families` does the
//! same for made-up cases, and `--gaps` looks for cases that are blamed only when samples are missing.

mod baselines;
mod cases;
mod evidence;
mod families;
mod gaps;
mod scores;
mod stream;
mod tables;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::Parser;

use crate::baselines::BASELINES;
use crate::cases::Case;
use crate::gaps::Gaps;
use crate::scores::{Report, Scored};
use crate::stream::{SHIPPING, by_agent, by_baseline};

/// Scores the judge on labelled deployments.
#[derive(Parser)]
struct Arguments {
    /// A folder with a folder for each case.
    #[arg(required_unless_present = "families")]
    dir: Option<PathBuf>,
    /// Write all scores and verdicts to this file: those of DIR, or else those of the families.
    #[arg(long, value_name = "OUT")]
    json: Option<PathBuf>,
    /// Print each wrong answer of the judge with its reasons.
    #[arg(long)]
    cases: bool,
    /// Score on made-up cases as well, each family of them as a source.
    #[arg(long)]
    families: bool,
    /// Judge each case of DIR with samples missing as well.
    #[arg(long, requires = "dir")]
    gaps: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut all_read = true;
    if let Some(dir) = &arguments.dir {
        let (mut scored, mut gaps) = (Vec::new(), Gaps::default());
        all_read = for_each_case(dir, |case| {
            let by_rules = by_every_rule(case)?;
            if arguments.gaps {
                gaps.add(
                    case,
                    by_rules.iter().any(|one| one.outcome.rule == SHIPPING && one.outcome.fired()),
                )?;
            }
            scored.extend(by_rules);
            Ok(())
        })?;
        print_scores(&scored, arguments.cases);
        tables::leave_one_out(&scored, &rules());
        tables::by_label(&scored, SHIPPING);
        if arguments.gaps {
            gaps.print();
        }
        write_json(arguments.json.as_deref(), &scored)?;
    }
    if arguments.families {
        let mut scored = Vec::new();
        for case in families::all() {
            scored.extend(by_every_rule(&case)?);
        }
        print_scores(&scored, arguments.cases);
        write_json(arguments.json.as_deref().filter(|_| arguments.dir.is_none()), &scored)?;
    }
    Ok(if all_read { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The names of all rules, the one that ships first.
fn rules() -> Vec<&'static str> {
    std::iter::once(SHIPPING).chain(BASELINES.iter().map(|baseline| baseline.name)).collect()
}

/// Reads one case after the other. One that cannot be read is named, and the others are read all the same; whether
/// there was none such is the answer.
#[expect(clippy::print_stderr, reason = "a case that cannot be read is no score")]
fn for_each_case(dir: &Path, mut work: impl FnMut(&Case) -> Result<()>) -> Result<bool> {
    let mut all_read = true;
    for folder in cases::folders(dir)? {
        if let Err(error) = cases::read(&folder).and_then(|case| work(&case)) {
            eprintln!("{} is left out: {error:#}", folder.display());
            all_read = false;
        }
    }
    Ok(all_read)
}

fn by_every_rule(case: &Case) -> Result<Vec<Scored>> {
    let mut scored = vec![Scored::new(case, by_agent(case)?)];
    scored.extend(BASELINES.iter().map(|baseline| Scored::new(case, by_baseline(case, baseline))));
    Ok(scored)
}

#[expect(clippy::print_stdout, reason = "printing the scores is what this program is for")]
fn print_scores(scored: &[Scored], with_mistakes: bool) {
    for case in scored.iter().filter(|case| with_mistakes && case.outcome.rule == SHIPPING) {
        if let Some(mistake) = case.mistake() {
            println!(
                "{mistake}: {} ({}): {}",
                case.id,
                case.label.word(),
                case.outcome.reasons.join("\n    ")
            );
        }
    }
    println!();
    tables::by_source(scored, &rules());
}

fn write_json(path: Option<&Path>, scored: &[Scored]) -> Result<()> {
    let Some(path) = path else { return Ok(()) };
    let text = serde_json::to_string_pretty(&Report::new(scored, &rules()))?;
    std::fs::write(path, text + "\n").with_context(|| format!("{} cannot be written", path.display()))
}
