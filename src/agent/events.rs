//! What happened in a pass, one event after the other. It follows from the report alone.

use super::report::{EnvironmentReport, Item, PinNews, PinStep, Recovered, Reviewed};
use crate::domain::change::receipt::Receipt;
use crate::domain::decision::Decision;
use crate::domain::ids::{CommitId, EnvironmentName, ServiceName};
use crate::record::{Recovery, ReviewOutcome};

/// Something that happened, for a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What kind of thing it is.
    pub kind: EventKind,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service; none where it is about all of the environment.
    pub service: Option<ServiceName>,
    /// The deployment; none where it is about none.
    pub deployment: Option<CommitId>,
    /// The event in one sentence. It holds untrusted text.
    pub text: String,
}

/// A kind of event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventKind {
    /// A deployment is watched.
    Found,
    /// It was judged, and what to do was decided.
    Decided,
    /// A revert was pushed, proposed or merged, or it could not be delivered.
    Delivered,
    /// A pull request of an earlier pass has ended, or is overdue.
    Reviewed,
    /// It became clear what a revert did for the signals.
    Recovered,
    /// Pins came off.
    Unpinned,
    /// Something went wrong.
    Problem,
}

impl EventKind {
    /// Its name.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Decided => "decided",
            Self::Delivered => "delivered",
            Self::Reviewed => "reviewed",
            Self::Recovered => "recovered",
            Self::Unpinned => "unpinned",
            Self::Problem => "problem",
        }
    }
}

/// What happened in one environment, in the order in which the report tells it. A deployment that is still watched is found in each
/// pass: whoever tells people leaves out those that were told.
#[must_use]
pub fn events(report: &EnvironmentReport) -> Vec<Event> {
    let environment = &report.environment;
    let event = |kind, about: Option<(&ServiceName, CommitId)>, text: String| Event {
        kind,
        environment: environment.clone(),
        service: about.map(|(service, _)| service.clone()),
        deployment: about.map(|(_, deployment)| deployment),
        text,
    };
    let mut events = Vec::new();
    for item in &report.items {
        let about = Some((&item.service, item.deployment));
        match &item.decision {
            Decision::Wait => events.push(event(EventKind::Found, about, found(item))),
            Decision::Pass(_)
            | Decision::Hold(_)
            | Decision::Revert
            | Decision::Propose
            | Decision::Escalate(_) => events.push(event(EventKind::Decided, about, decided(item))),
        }
        if let Some(receipt) = &item.receipt {
            events.push(event(EventKind::Delivered, about, delivered(item, receipt)));
        }
    }
    let ended = report.reviews.iter().filter_map(|review| Some((review, review.outcome?)));
    for (review, outcome) in ended {
        let about = Some((&review.service, review.deployment));
        events.push(event(EventKind::Reviewed, about, reviewed(review, outcome)));
    }
    for one in &report.recoveries {
        events.push(event(EventKind::Recovered, Some((&one.service, one.deployment)), recovered(one)));
    }
    for news in &report.pins {
        let text = unpinned(news);
        events.push(Event { service: Some(news.service.clone()), ..event(EventKind::Unpinned, None, text) });
    }
    events.extend(report.problems.iter().map(|problem| event(EventKind::Problem, None, problem.clone())));
    events
}

fn found(item: &Item) -> String {
    format!(
        "watching {} {} ({}), deployed at {}: {}",
        item.service,
        item.deployment.short(),
        item.subject,
        item.deployed_at,
        item.judgement.reason
    )
}

fn decided(item: &Item) -> String {
    let what = match &item.decision {
        Decision::Wait => "is watched",
        Decision::Pass(_) | Decision::Hold(_) => "stays",
        Decision::Revert => "is to be reverted",
        Decision::Propose => "is to be reverted by a person",
        Decision::Escalate(_) => "needs a person",
    };
    let (service, deployment, verdict) =
        (&item.service, item.deployment.short(), item.judgement.verdict.word());
    let why = item.decision.why().filter(|why| *why != item.judgement.reason);
    let why = why.map_or_else(String::new, |why| format!("; {why}"));
    format!("{service} {deployment} {what}: {verdict}, {}{why}", item.judgement.reason)
}

fn delivered(item: &Item, receipt: &Receipt) -> String {
    format!("revert of {} {}: {receipt}", item.service, item.deployment.short())
}

fn reviewed(review: &Reviewed, outcome: ReviewOutcome) -> String {
    let word = match outcome {
        ReviewOutcome::Merged => "merged",
        ReviewOutcome::NotRestored => "merged, and the branch does not hold the good values",
        ReviewOutcome::Declined => "declined by a person",
        ReviewOutcome::Superseded => "not needed any more",
        ReviewOutcome::Overdue => "not merged in time",
    };
    let url = review.review.as_ref().map_or_else(String::new, |place| format!(" {}", place.url));
    format!(
        "pull request{url} for {} {}: {word}; {}",
        review.service,
        review.deployment.short(),
        review.state
    )
}

fn recovered(one: &Recovered) -> String {
    let word = match one.outcome {
        Recovery::Recovered => "helped",
        Recovery::NotRecovered => "did not help",
        Recovery::Replaced | Recovery::Unknown => "may or may not have helped",
        Recovery::Gone => "is gone from the branch",
    };
    format!(
        "the revert {} of {} {} {word}: {}",
        one.revert.short(),
        one.service,
        one.deployment.short(),
        one.reason
    )
}

fn unpinned(news: &PinNews) -> String {
    let what = match news.step {
        PinStep::Planned => "would come off",
        PinStep::Lifted => "came off",
        PinStep::Proposed => "come off when a person merges that",
        PinStep::Changed => "were changed by a person and stay",
    };
    format!("pins of {} ({}) {what}: {}", news.service, news.pins.join(", "), news.reason)
}
