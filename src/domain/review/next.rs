//! What is to be done about a pull request next.

use super::command::{Order, Right};
use super::pull::{Merging, Review, ReviewState, Standing};
use super::text::closing_reason;
use crate::domain::environment::policy::{Merge, ReviewRules};
use crate::domain::time::{Time, human_secs};

/// A pull request with what else is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Watched<'a> {
    /// What the forge shows.
    pub review: &'a Review,
    /// What holds for it.
    pub rules: ReviewRules,
    /// What the revert would do to the environment's branch as it is now.
    pub outlook: &'a Outlook,
    /// What stands on the pull request's branch.
    pub branch: Branch,
    /// When a person was last asked to look because it was not merged in time.
    pub overdue_at: Option<Time>,
    /// What came of asking the forge to merge it, where it was asked just now.
    pub asked: Option<&'a Merging>,
    /// Whether it may have been the agent that asked the forge to merge it, before a person was to decide.
    pub by_agent: bool,
    /// Why commands in comments are not obeyed, where they are not.
    pub deaf: Option<&'a str>,
    /// Why it must not be merged by itself any more, where that was decided since: it waits for people then.
    pub frozen: Option<&'a str>,
    /// Why it is not proposed any more, where it was because of another environment.
    pub withdrawn: Option<&'a str>,
    /// When it was last found closed without having been merged: what was approved before that was answered with a no.
    pub declined_at: Option<Time>,
    /// Now.
    pub now: Time,
}

/// What a revert would do to the environment's branch as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outlook {
    /// It would put the good values back.
    Due,
    /// The good values are there.
    Restored,
    /// The good values are there, and what brought them changed other things too.
    RestoredWithMore,
    /// The bad values are gone, and others are there.
    Superseded(String),
    /// It cannot be worked out any more.
    Lost(String),
}

/// What stands on a pull request's branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// The revert, made on the head of the environment's branch.
    Fresh,
    /// The revert as it would be made now, on an older commit of the environment's branch.
    Current,
    /// The revert, as it was right before the environment's branch moved.
    Stale,
    /// Something else: somebody has worked on it.
    Foreign,
}

/// What is to be done about a pull request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing; the text says what it waits for: "it waits for …".
    Wait(String),
    /// Bring the branch up to date, and look again.
    Recompute,
    /// Ask the forge to merge it.
    Merge,
    /// Take back that the forge was asked to merge it; the text says why.
    Unschedule(String),
    /// Close it: nothing is left to do. The text says why.
    Close(String),
    /// It is merged, and the environment's branch holds the good values.
    Done,
    /// It is merged or waits, and a person has to look; the text says why.
    Escalate(String),
    /// A person has closed it without merging, which means no.
    Declined(String),
    /// The agent itself has closed it, as nothing was left to do.
    Closed(String),
}

/// What people have decided in comments.
#[derive(Clone, Copy, Debug, Default)]
struct Orders<'a> {
    approved: bool,
    /// Whose approval does not count although they may push, and why.
    discounted: Option<(&'a str, &'a str)>,
    /// Who holds it, and until when.
    held: Option<(&'a str, Time)>,
    /// When somebody last asked to try again.
    retried_at: Option<Time>,
}

impl<'a> Orders<'a> {
    /// A later order replaces an earlier one of its kind; to approve or to try again ends a hold.
    fn of(review: &'a Review, declined_at: Option<Time>) -> Self {
        let mut orders = Self::default();
        let since_no = review.commands.iter().filter(|one| declined_at.is_none_or(|no| one.at > no));
        for command in since_no {
            match &command.right {
                Right::Given => {}
                Right::Missing => continue,
                Right::PushOnly(why) => {
                    orders.discounted = Some((&command.by, why));
                    continue;
                }
            }
            match command.order {
                Order::Approve => (orders.approved, orders.held) = (true, None),
                Order::Hold(secs) => orders.held = Some((&command.by, command.at.plus_secs(secs))),
                Order::Retry => (orders.retried_at, orders.held) = (Some(command.at), None),
            }
        }
        orders
    }
}

/// What is to be done about a pull request next.
#[must_use]
pub fn step(watched: &Watched<'_>) -> Step {
    match &watched.review.state {
        ReviewState::Merged => merged(watched.outlook),
        ReviewState::Closed { by } => match closing_reason(&watched.review.body) {
            Some(reason) => Step::Closed(reason.to_owned()),
            None => Step::Declined(by.clone().unwrap_or_else(|| "somebody".to_owned())),
        },
        ReviewState::Open => open(watched),
    }
}

/// A merge is not the end: a queue or a person may have landed something else.
fn merged(outlook: &Outlook) -> Step {
    match outlook {
        Outlook::Restored => Step::Done,
        Outlook::RestoredWithMore => Step::Escalate(
            "it was merged, and more came with it than the revert: look at what was merged".to_owned(),
        ),
        Outlook::Due => Step::Escalate(
            "it was merged, and the branch still holds the values that it takes back".to_owned(),
        ),
        Outlook::Superseded(why) | Outlook::Lost(why) => {
            Step::Escalate(format!("it was merged, and the branch does not hold the good values: {why}"))
        }
    }
}

fn open(watched: &Watched<'_>) -> Step {
    let orders = Orders::of(watched.review, watched.declined_at);
    match watched.outlook {
        Outlook::Due => {}
        Outlook::Restored | Outlook::RestoredWithMore => {
            return Step::Close("the good values are back already".to_owned());
        }
        Outlook::Superseded(why) => return Step::Close(why.clone()),
        Outlook::Lost(why) => {
            return left_to_people(
                watched,
                &orders,
                &format!("the revert cannot be worked out any more ({why})"),
            );
        }
    }
    // What somebody has worked on is theirs.
    if let Some(why) = watched.withdrawn.filter(|_| watched.branch != Branch::Foreign) {
        return Step::Close(why.to_owned());
    }
    if let Some(why) = watched.frozen {
        return halt(watched, &format!("people: {why}"));
    }
    if watched.branch == Branch::Foreign {
        let why = "its branch holds something else than the revert, so somebody has worked on it";
        return left_to_people(watched, &orders, why);
    }
    if let Some(why) = &watched.review.unread {
        return halt(
            watched,
            &format!("its comments, of which one may hold it and not all can be read ({why})"),
        );
    }
    if let Some((by, until)) = orders.held.filter(|(_, until)| *until > watched.now) {
        return halt(watched, &format!("{until}: {by} holds it until then"));
    }
    if watched.branch == Branch::Stale
        || watched.branch == Branch::Current && must_move(&watched.review.standing)
    {
        return Step::Recompute;
    }
    // Where a person has asked the forge to merge it, that is an approval.
    let is_automatic = is_automatic(watched, &orders);
    if !is_automatic && (watched.by_agent || !watched.review.scheduled) {
        return halt(watched, &by_hand(watched.deaf, &orders));
    }
    // A forge may look at what it is to merge only when a status comes in, once, and pass over it at that moment. So what is
    // ready is asked for, scheduled or not.
    let is_due = !watched.review.scheduled || watched.review.standing == Standing::Ready;
    if is_due && watched.asked.is_none() {
        return Step::Merge;
    }
    if !is_automatic {
        return Step::Wait(waits_for(watched));
    }
    overdue(watched, &orders, &waits_for(watched)).unwrap_or_else(|| Step::Wait(waits_for(watched)))
}

/// Whether it is merged without a person.
fn is_automatic(watched: &Watched<'_>, orders: &Orders<'_>) -> bool {
    watched.rules.merge == Merge::Auto || orders.approved
}

/// What was to be merged by itself, and cannot be: people are told when its time is over.
fn left_to_people(watched: &Watched<'_>, orders: &Orders<'_>, why: &str) -> Step {
    let why = format!("people: {why}");
    match overdue(watched, orders, &why).filter(|_| is_automatic(watched, orders)) {
        Some(told) if !watched.review.scheduled => told,
        Some(_) | None => halt(watched, &why),
    }
}

/// What a pull request that does not merge itself waits for. `deaf` is why commands are not obeyed.
#[must_use]
pub fn waits_for_person(deaf: Option<&str>) -> String {
    match deaf {
        Some(why) => format!("a person to merge it; commands in comments are not obeyed, as {why}"),
        None => "a person to merge it, or to comment `/backout approve`".to_owned(),
    }
}

/// The same, and why somebody's approval does not count.
fn by_hand(deaf: Option<&str>, orders: &Orders<'_>) -> String {
    let waits_for = waits_for_person(deaf);
    match orders.discounted {
        Some((by, why)) => format!("{waits_for}; the approval of {by} does not count, as {why}"),
        None => waits_for,
    }
}

/// Waits without a merge that comes by itself.
fn halt(watched: &Watched<'_>, why: &str) -> Step {
    if watched.review.scheduled { Step::Unschedule(why.to_owned()) } else { Step::Wait(why.to_owned()) }
}

const STILL_LOOKING: &str = "the forge has not said yet whether it can be merged";

fn must_move(standing: &Standing) -> bool {
    matches!(standing, Standing::Conflict | Standing::Behind)
}

/// What a pull request that merges itself waits for, in words.
fn waits_for(watched: &Watched<'_>) -> String {
    let blockers = match &watched.review.standing {
        Standing::Blocked(names) => names.join("; "),
        // What is made on the head of the branch cannot conflict with it: forges say so while they are still looking.
        Standing::Conflict if watched.branch == Branch::Fresh => STILL_LOOKING.to_owned(),
        Standing::Conflict => "its changes conflict with the branch".to_owned(),
        Standing::Behind => "the branch has moved".to_owned(),
        Standing::Unknown => STILL_LOOKING.to_owned(),
        Standing::Ready => "nothing that the forge tells of".to_owned(),
    };
    match watched.asked {
        Some(Merging::Waiting(why)) => format!("{why}. In the way: {blockers}"),
        Some(Merging::Merged | Merging::Scheduled) | None => {
            format!("the forge, which merges it as soon as nothing is in the way. In the way: {blockers}")
        }
    }
}

/// Tells once that it was not merged in time, and what it waits for.
fn overdue(watched: &Watched<'_>, orders: &Orders<'_>, waits_for: &str) -> Option<Step> {
    let held_until = orders.held.map(|(_, until)| until);
    let began =
        [orders.retried_at, held_until].into_iter().flatten().fold(watched.review.opened_at, Time::max);
    let waited_secs = watched.now.secs_since(began);
    let told = watched.overdue_at.is_some_and(|at| at >= began);
    if told || waited_secs < i64::from(watched.rules.deadline_secs) {
        return None;
    }
    let waited = human_secs(waited_secs);
    Some(Step::Escalate(format!("it was not merged within {waited}. It waits for {waits_for}")))
}

#[cfg(test)]
mod tests;
