//! `backout run`: the daemon, and one pass with `--once`.

use std::fmt::Write as _;

use tokio::signal::unix::{SignalKind, signal};

use super::common::{Common, Ending, Format};
use super::daemon::watch;
use super::{output, world};
use crate::agent::{
    Estate, Event, EventKind, Intent, Item, PassReport, PinNews, PinStep, Stop, events, pass,
};
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::{Decision, summary};
use crate::domain::ids::EnvironmentName;
use crate::domain::judge::verdict::Verdict;
use crate::ports::RepositoryError;

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(super) struct RunArgs {
    /// Make one pass and end, for cron
    #[arg(long)]
    pub(super) once: bool,
}

/// Runs the command.
pub(super) async fn run(common: &Common, args: RunArgs) -> anyhow::Result<Ending> {
    let stop = stop_on_signals()?;
    if args.once {
        let world = world::connect(&world::settings(common)?)?;
        let report = output::progress("looking", pass(&world, Intent::Act, &stop)).await?;
        report.environments.iter().flat_map(events).for_each(|event| log(&event));
        print(common, &report)?;
        return Ok(ending(&report));
    }
    let seen = |estate: &Estate, events: &[Event], passed: Result<PassReport, RepositoryError>| {
        events.iter().for_each(log);
        see(common, estate, passed);
    };
    watch(common, &stop, seen).await?;
    tracing::info!("stopped");
    Ok(Ending::Quiet)
}

/// One line in the log for an event.
fn log(event: &Event) {
    let Event { kind, environment, service, deployment, text } = event;
    let service = service.as_ref().map(tracing::field::display);
    let deployment = deployment.as_ref().map(tracing::field::display);
    let text = output::plain(text);
    match kind {
        EventKind::Problem => {
            tracing::warn!(event = kind.word(), %environment, service, deployment, "{text}");
        }
        EventKind::Found
        | EventKind::Decided
        | EventKind::Delivered
        | EventKind::Reviewed
        | EventKind::Recovered
        | EventKind::Unpinned => {
            tracing::info!(event = kind.word(), %environment, service, deployment, "{text}");
        }
    }
}

/// Prints what is news in a pass.
fn see(common: &Common, estate: &Estate, seen: Result<PassReport, RepositoryError>) {
    match seen {
        Ok(report) => {
            if report.acted() || report.escalated() || report.failed() || has_news(&report) {
                let printed = print(common, &report);
                if let Err(error) = printed {
                    tracing::warn!(%error, "cannot print");
                }
            }
        }
        Err(error) => {
            let repository = &estate.name;
            tracing::error!(%repository, %error, "the pass could not begin; trying again at the next turn");
        }
    }
}

/// SIGTERM and SIGINT end a pass cleanly: what was begun is finished.
fn stop_on_signals() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let on_signal = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        on_signal.set();
    });
    Ok(stop)
}

fn print(common: &Common, report: &PassReport) -> anyhow::Result<()> {
    match common.format {
        Format::Json => output::json(report),
        Format::Text => {
            output::text(&describe(common, report, false));
            Ok(())
        }
    }
}

fn has_news(report: &PassReport) -> bool {
    report.items().any(|item| item.decision != Decision::Wait)
        || report
            .environments
            .iter()
            .any(|environment| !environment.recoveries.is_empty() || !environment.pins.is_empty())
}

/// What was done says more than what went wrong: it is not done again in the next pass, and what went wrong is.
fn ending(report: &PassReport) -> Ending {
    if report.escalated() {
        Ending::Escalated
    } else if report.acted() {
        Ending::Acted
    } else if report.failed() {
        Ending::Error
    } else {
        Ending::Quiet
    }
}

/// A pass in words. `in_full` adds what each guard said and the diffs.
pub(super) fn describe(common: &Common, report: &PassReport, in_full: bool) -> String {
    let mut out = String::new();
    for environment in &report.environments {
        let state = match environment.head {
            Some(head) => format!("at {}: {}", head.short(), count(environment.items.len())),
            None => "not examined".to_owned(),
        };
        // Writing to a String cannot fail.
        let _head = writeln!(out, "{} {state}", environment.environment);
        for brake in environment.brakes.lines(&environment.environment) {
            let _brake = writeln!(out, "  {}", output::coloured("33;1", &output::plain(&brake)));
        }
        let (parts, others): (Vec<&Item>, Vec<&Item>) =
            environment.items.iter().partition(|item| item.is_of_incident());
        if let Some(incident) = &environment.incident {
            let told = match incident.told_before {
                true => "these have joined it, and a person was told of it before".to_owned(),
                false => output::coloured("35;1", "a person must look"),
            };
            let (mark, why) = (output::coloured("35;1", "INCIDENT"), output::plain(&incident.why));
            let _incident = writeln!(out, "  {mark}: {why}. Nothing is reverted: {told}");
            for part in parts {
                let mut text = String::new();
                describe_item(&mut text, (common, &environment.environment), part, in_full);
                text.lines().for_each(|line| out.push_str(&format!("  {line}\n")));
            }
        }
        for item in others {
            describe_item(&mut out, (common, &environment.environment), item, in_full);
        }
        for review in &environment.reviews {
            let state = output::plain(&review.state);
            let _review = writeln!(out, "  {} {}: {state}", review.service, review.deployment.short());
        }
        for recovery in &environment.recoveries {
            let outcome = recovery.outcome.words(recovery.revert);
            let reason = output::plain(&recovery.reason);
            let _recovery = writeln!(out, "  {} {outcome}: {reason}", recovery.service);
        }
        for pin in &environment.pins {
            let _pin = writeln!(out, "  {} {}", pin.service, output::plain(&pin_news(pin)));
        }
        for line in environment.waiting.iter().flat_map(output::waiting) {
            let _waiting = writeln!(out, "  {line}");
        }
        if environment.cut_short {
            let _cut = writeln!(
                out,
                "  cut short: the pass was asked to end before it was through; the next one goes on"
            );
        }
        for fact in &environment.facts {
            let _fact = writeln!(out, "  note: {}", output::plain(fact));
        }
        for problem in &environment.problems {
            let _problem = writeln!(out, "  problem: {}", output::plain(problem));
        }
    }
    out
}

/// What became of pins, in words.
pub(super) fn pin_news(news: &PinNews) -> String {
    let (pins, revert) = (news.pins.join(", "), news.revert.short());
    let by = news.commit.map_or_else(String::new, |commit| format!(" by {}", commit.short()));
    let what = match news.step {
        PinStep::Planned => "would be unpinned".to_owned(),
        PinStep::Lifted => format!("unpinned{by}"),
        PinStep::Proposed => format!("unpinned{by}, which waits to be merged"),
        PinStep::Changed => "is still pinned".to_owned(),
    };
    format!("{what}: {} ({pins}, of the revert {revert})", news.reason)
}

fn count(items: usize) -> String {
    match items {
        0 => "nothing new".to_owned(),
        1 => "1 deployment to look at".to_owned(),
        several => format!("{several} deployments to look at"),
    }
}

fn describe_item(
    out: &mut String,
    (common, environment): (&Common, &EnvironmentName),
    item: &Item,
    in_full: bool,
) {
    let commit = item.deployment.short();
    let subject = output::plain(&item.subject);
    let verdict = item.judgement.verdict.word();
    let done = match (&item.receipt, &item.decision) {
        (Some(Receipt::Pushed(_)), _) => {
            let by = item.revert.map_or_else(String::new, |id| id.short());
            output::coloured("31;1", &format!("reverted by {by}"))
        }
        (Some(Receipt::Proposed { branch, review, .. }), _) => {
            let place = review.as_ref().map_or(branch.as_str(), |review| review.url.as_str());
            output::coloured("33;1", &format!("proposed on {}", output::plain(place)))
        }
        (Some(Receipt::Merged(review)), _) => {
            output::coloured("31;1", &format!("reverted by {}", output::plain(&review.url)))
        }
        (Some(Receipt::Planned), decision) => output::coloured("31;1", &format!("would {}", decision.word())),
        (_, Decision::Escalate(_)) => output::coloured("35;1", "a person must look"),
        (_, decision) => decision.word().to_owned(),
    };
    // Of an incident that is said once, for all its services.
    let done = if item.is_of_incident() { String::new() } else { format!(", {done}") };
    let landed = item.landing.words().map_or_else(String::new, |words| format!(" ({words})"));
    let _item = writeln!(
        out,
        "  {} {commit} ({subject}), {}{landed}: {verdict}{done}",
        item.service, item.deployed_at
    );
    let _reason = writeln!(out, "    {}", output::plain(&item.judgement.reason));
    // A person is told in the reason.
    if let Some(who) = item.put_back.as_ref().filter(|_| !matches!(item.decision, Decision::Escalate(_))) {
        let _who = writeln!(out, "    {}", output::plain(who));
    }
    for known in &item.elsewhere {
        let _known = writeln!(out, "    {}", output::plain(&known.line()));
    }
    let why = item.decision.why().filter(|why| *why != item.judgement.reason && !item.is_of_incident());
    if let Some(why) = why {
        let mut lines = why.lines().map(output::plain);
        let _why = writeln!(out, "    {}: {}", item.decision.word(), lines.next().unwrap_or_default());
        for line in lines {
            let _line = writeln!(out, "      {line}");
        }
    }
    for wait in item.guards.iter().filter_map(|guard| guard.turn()?.waits_for()) {
        let _wait = writeln!(out, "    waits: {}", output::plain(&wait));
    }
    if let Some(plan) = &item.plan {
        for line in plan.lines().skip(1) {
            let _line = writeln!(out, "    {}", output::plain(line.trim()));
        }
        // Of what was only not watched nothing bad is known.
        if matches!(item.decision, Decision::Escalate(_)) && item.judgement.verdict == Verdict::Regressed {
            by_hand(out, (common, environment), item);
        }
    }
    if in_full {
        if item.decision != Decision::Wait && !item.guards.is_empty() {
            let _guards = writeln!(out, "    {}", summary(&item.guards));
        }
        for line in item.diff.iter().flat_map(|diff| diff.lines()) {
            let _line = writeln!(out, "    {}", output::plain(line));
        }
    }
}

/// How a person makes the revert that the plan shows. What goes back together goes with one command, or half of it would stay.
fn by_hand(out: &mut String, (common, environment): (&Common, &EnvironmentName), item: &Item) {
    let commit = item.deployment.short();
    let to_good = if item.is_to_good { " --to-good" } else { "" };
    let configs =
        common.config.iter().map(|file| format!(" --config {}", output::quoted(&file.to_string_lossy())));
    let configs = output::plain(&configs.collect::<String>());
    let (all, service) = match item.with.is_empty() {
        true => ("", format!(" --service {}", item.service)),
        false => (", with all that the commit deployed", String::new()),
    };
    let _hint = writeln!(
        out,
        "    to do that by hand{all}: backout revert {commit}{service} --environment {environment}{to_good}{configs}"
    );
}
