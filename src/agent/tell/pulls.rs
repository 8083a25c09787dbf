//! The status of open pull requests: failure on the head of one that brings back what was backed out, and success there once it does so
//! no more. Of all others nothing is said.

use std::collections::BTreeSet;

use super::elsewhere::tell_of_head;
use crate::agent::look::context::Pass;
use crate::agent::look::precedents::is_anything_bad;
use crate::agent::look::state::State;
use crate::agent::report::EnvironmentReport;
use crate::domain::artifact::Artifact;
use crate::domain::history::ledger::RevertEntry;
use crate::domain::history::scope::Tracked;
use crate::domain::ids::{CommitId, ServiceName};
use crate::domain::judge::verdict::Verdict;
use crate::domain::review::incoming::Comeback;
use crate::domain::review::{CommitStatus, MAX_DESCRIPTION, OpenPull, StatusState};
use crate::domain::text::{inert, one_line};
use crate::ports::{Forge, ForgeError, RepositoryError};
use crate::record::Record;

/// The most characters of a value in it.
const MAX_VALUE: usize = 40;
/// What a head shows that was said to bring something back, and does so no more.
const NOTHING_COMES_BACK: &str = "nothing comes back that is in quarantine";

/// What a head would bring.
struct Finding {
    head: CommitId,
    /// What comes back; none where it is not about any service that went back lately.
    comebacks: Option<Vec<Comeback>>,
    /// What is new to services.
    brought: Vec<(ServiceName, usize, BTreeSet<Artifact>)>,
}

/// Tells open pull requests into the environment's branch what of them is in quarantine, or known as bad from another environment. Where
/// there is nothing of that, the forge is not asked at all.
pub(in crate::agent) async fn warn_pull_requests(
    pass: &Pass<'_>,
    state: &State,
    report: &mut EnvironmentReport,
) {
    let Some(forge) = pass.estate.forge.as_deref() else { return };
    let is_known = is_anything_bad(pass).await;
    if state.landed.is_empty() && !is_known || pass.stop.is_set() {
        return;
    }
    let listed = match pass.branches.pulls(forge, &pass.environment.branch).await {
        Ok(listed) => listed,
        Err(error) => return told(&error, "open pull requests cannot be listed", report),
    };
    if listed.is_empty() {
        return;
    }
    let found = match find(pass, state, listed.to_vec(), is_known).await {
        Ok(found) => found,
        Err(error) => {
            report.problems.push(format!("open pull requests cannot be compared: {error}"));
            return;
        }
    };
    // What work found that was asked to end is not all that there is.
    if pass.stop.is_set() {
        return;
    }
    report.facts.extend(not_compared(&listed, &found));
    for Finding { head, comebacks, brought } in &found {
        let shown = match comebacks {
            Some(comebacks) => show(pass, state, forge, (*head, comebacks)).await,
            None => Ok(()),
        };
        let shown = match shown {
            Ok(()) if !brought.is_empty() => tell_of_head(pass, forge, *head, brought).await,
            shown => shown,
        };
        if let Err(error) = shown {
            return told(&error, "what open pull requests bring cannot be shown", report);
        }
    }
}

/// What each head would bring back.
async fn find(
    pass: &Pass<'_>,
    state: &State,
    pulls: Vec<OpenPull>,
    is_known: bool,
) -> Result<Vec<Finding>, RepositoryError> {
    let (environment, head, now) = (pass.environment.clone(), state.snapshot.head, pass.now);
    let (reverts, documents) = (state.landed.clone(), pass.documents());
    pass.git(move |repository| {
        let services: BTreeSet<&ServiceName> = reverts.iter().map(|entry| &entry.service).collect();
        // What is known from elsewhere may come to any service.
        let scope = match is_known {
            true => Tracked::new(&environment, None),
            false => Tracked::of_services(&environment, services),
        };
        let incoming = repository.incoming(&pulls, head, &scope)?;
        let found = incoming.iter().map(|one| Finding {
            head: one.head,
            comebacks: one.comebacks(&environment, &reverts, now, &documents),
            brought: if is_known { one.brought(&environment, now, &documents) } else { Vec::new() },
        });
        Ok(found.collect())
    })
    .await
}

/// The most pull requests that are named.
const MAX_NAMED: usize = 10;

/// Of which pull requests nobody knows what they bring, in words.
fn not_compared(listed: &[OpenPull], found: &[Finding]) -> Option<String> {
    let is_left = |pull: &&OpenPull| found.iter().all(|one| one.head != pull.head);
    let left: Vec<String> = listed.iter().filter(is_left).map(|pull| pull.number.to_string()).collect();
    let more = left.len().saturating_sub(MAX_NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let named = left.get(..MAX_NAMED).unwrap_or(&left).join(", ");
    (!left.is_empty()).then(|| {
        format!("pull requests {named}{more} were not held against what is known as bad: their commits are too large, or cannot be had")
    })
}

async fn show(
    pass: &Pass<'_>,
    state: &State,
    forge: &dyn Forge,
    (commit, comebacks): (CommitId, &[Comeback]),
) -> Result<(), ForgeError> {
    let context = format!("backout/quarantine/{}", pass.environment.name);
    let status = |state, description| CommitStatus { commit, context, state, description, url: None };
    match comebacks.first() {
        None => forge.restate(&status(StatusState::Success, NOTHING_COMES_BACK.to_owned())).await,
        Some(first) => {
            let why = why(pass, state, &first.revert);
            let text = words(first, &why, comebacks.len() - 1);
            forge.status(&status(StatusState::Failure, text)).await
        }
    }
}

/// What a status says.
fn words(comeback: &Comeback, why: &str, others: usize) -> String {
    let Comeback { service, value, revert, until } = comeback;
    let value = one_line(&inert(value), MAX_VALUE);
    let others = match others {
        0 => String::new(),
        1 => " (and 1 other service)".to_owned(),
        several => format!(" (and {several} other services)"),
    };
    let (when, by) = (revert.at.day(), revert.commit.short());
    let text = format!(
        "{service} {value} was reverted on {when} by {by}{why}: in quarantine until {}{others}",
        until.day()
    );
    one_line(&text, MAX_DESCRIPTION)
}

/// Why a revert was made, as a part of a sentence. Others may write into the notes: of them it takes only which signals regressed, by
/// names that the configuration has.
fn why(pass: &Pass<'_>, state: &State, revert: &RevertEntry) -> String {
    if revert.requested {
        return ", as a person decided".to_owned();
    }
    let records = state.records.get(&revert.reverts).into_iter().flatten();
    let verdicts = records.filter_map(Record::as_verdict).filter(|verdict| verdict.id == revert.id);
    let findings = verdicts.flat_map(|verdict| &verdict.judgement.findings);
    let regressed: BTreeSet<_> =
        findings.filter(|one| one.verdict == Verdict::Regressed).map(|one| &one.signal).collect();
    let configured = pass.environment.services.iter().flat_map(|rule| &rule.signals);
    let known: BTreeSet<&str> = configured
        .filter(|signal| regressed.contains(&signal.name))
        .map(|signal| signal.name.as_str())
        .collect();
    match known.is_empty() {
        true => String::new(),
        false => format!(" ({} got worse)", known.into_iter().collect::<Vec<_>>().join(", ")),
    }
}

/// Says what went wrong. Nothing depends on it: what only a person can mend is a fact about the forge.
fn told(error: &ForgeError, what: &str, report: &mut EnvironmentReport) {
    let text = format!("{what}: {error}");
    match error {
        ForgeError::Unavailable(_) => report.problems.push(text),
        ForgeError::Denied(_) | ForgeError::Refused(_) | ForgeError::Off(_) | ForgeError::Taken(_) => {
            report.facts.push(text);
        }
    }
}
