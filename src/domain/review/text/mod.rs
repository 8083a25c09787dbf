//! What people read on a forge: the title and the body of a pull request, of an issue, and comments.
//!
//! Everything that comes from a repository or a server is untrusted: it stands in code spans and blocks that it cannot
//! leave ([`super::markdown`]). Every part is bounded, and so is the whole: forges refuse what is too long.

mod issue;
mod marks;
mod parts;
mod source;
#[cfg(test)]
mod tests;

use self::parts::{
    MAX_TITLE, Words, chart, damage, evidence_section, field_section, group_section, next_section,
    signal_section, values, which,
};
use super::markdown::code;
use crate::domain::change::{Asked, Change, Motive};
use crate::domain::deployment::Deployment;
use crate::domain::environment::policy::{Merge, ReviewRules};
use crate::domain::judge::evidence::Evidence;
use crate::domain::text::cut;

pub use self::issue::{IssueMark, Plan, issue_body, issue_mark, issue_title};
pub use self::marks::{
    closing_reason, id_in, is_because_of_elsewhere, is_second, same_as, with_closing, with_status,
};
pub use self::source::{Outcome, source_comment};
pub use super::chart::ChartStyle;

/// What a pull request tells about.
#[derive(Clone, Copy, Debug)]
pub struct Story<'a> {
    /// The revert.
    pub change: &'a Change,
    /// The bad deployment.
    pub deployment: &'a Deployment,
    /// Why it goes back.
    pub motive: Motive<'a>,
    /// What the judgement rests on, where it was judged.
    pub evidence: Option<&'a Evidence>,
    /// What holds for the pull request.
    pub rules: ReviewRules,
    /// Why commands in comments are not obeyed, where they are not.
    pub deaf: Option<&'a str>,
}

/// The title of a pull request: the first line of the commit's message.
#[must_use]
pub fn title(change: &Change) -> String {
    cut(change.message.lines().next().unwrap_or("Revert"), MAX_TITLE)
}

/// The body of a pull request, with a status.
#[must_use]
pub fn body(story: &Story<'_>, style: ChartStyle, status: &str) -> String {
    let Story { change, deployment, motive, evidence, rules, deaf } = *story;
    let mut text = Words::new(&marks::first_line(&change.id));
    text.paragraph(&format!("{} {}", what_happened(deployment, motive), what_it_does(change)));
    if rules.merge == Merge::Manual {
        let (_, to, _) = values(change);
        text.paragraph(&format!("**Recommendation:** go back to {to}. Merging this is the approval."));
    }
    text.block(&marks::status_block(status));
    text.block(if motive.is_elsewhere() { marks::ELSEWHERE } else { "" });
    if let Some(judgement) = motive.judgement() {
        text.block(&signal_section(judgement));
        text.block(&chart(judgement, evidence, style));
    }
    text.block(&field_section(change));
    text.block(&group_section(change));
    text.block(&next_section(change, rules, motive, deaf));
    if let Some(judgement) = motive.judgement() {
        text.block(&evidence_section(deployment, judgement, evidence));
    }
    text.finish()
}

/// What the deployment did, and since when, or who wants it back.
fn what_happened(deployment: &Deployment, motive: Motive<'_>) -> String {
    let which = which(deployment);
    match motive {
        Motive::Metrics(judgement) => format!("{which} {}", damage(judgement)),
        Motive::Fallback(judgement, revert) => format!(
            "{which} goes back too. The revert {revert} led back to it and did not help: {}.",
            code(&judgement.reason, 400)
        ),
        Motive::Elsewhere(known) => format!(
            "{which} brings a version that is {}. Nothing is known of it here yet. The agent watches it like any other: if it turns out \
             healthy, this is closed, and if it does harm, the agent does what its policy says.",
            code(&known.line(), 400)
        ),
        Motive::Request(Asked { who, why }) => {
            let why = why.map_or_else(String::new, |why| format!(" Reason: {}.", code(why, 500)));
            format!("{which} goes back because {} asked for it.{why}", code(who, 80))
        }
    }
}

fn what_it_does(change: &Change) -> String {
    let (from, to, more) = values(change);
    let more = match more {
        0 => String::new(),
        1 => ", and one more field with it".to_owned(),
        more => format!(", and {more} more fields with it"),
    };
    let service = code(change.service.as_str(), 80);
    let environment = code(change.environment.as_str(), 80);
    format!("This takes {service} in {environment} back from {from} to {to}{more}.")
}
