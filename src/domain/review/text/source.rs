//! The comment where bad deployments came from: one for each commit and environment, however many services it deployed.

use super::parts::{Words, damage, signal_section, which};
use crate::domain::deployment::Deployment;
use crate::domain::judge::verdict::Judgement;
use crate::domain::review::markdown::{code, prose, prose_lines, table_head, table_row};

/// The most services that are named. With the bounds of the cells the whole stays below the 65,536 characters that GitHub
/// takes.
const MAX_SERVICES: usize = 50;
/// The longest word on what was done about one of several services, in characters.
const MAX_DONE: usize = 300;

/// What a deployment did to its service, and what was done about it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The deployment.
    pub deployment: Deployment,
    /// Why it is bad.
    pub judgement: Judgement,
    /// What was done: a sentence, with addresses where there are any.
    pub done: String,
}

/// A comment for the pull request that brought a commit, about its deployments in one environment that made things worse.
/// None where there are no such. Its first line says which commit and environment it is about, so that it is found again. `incident`
/// says which services are red at once, where the commit is the one of an incident that the comment stands on.
#[must_use]
pub fn source_comment(outcomes: &[Outcome], incident: Option<&str>) -> Option<String> {
    let first = outcomes.first()?;
    let (commit, environment) = (first.deployment.commit, &first.deployment.environment);
    let mut text = Words::new(&format!("<!-- backout: commit={commit} environment={environment} -->"));
    match outcomes {
        [Outcome { deployment, judgement, done }] => {
            text.paragraph(&format!(
                "{} {} It is a deployment of {} in {}.",
                which(deployment),
                damage(judgement),
                code(deployment.service.as_str(), 80),
                code(environment.as_str(), 80)
            ));
            text.paragraph(&prose_lines(done, 1_500));
            text.block(&signal_section(judgement));
        }
        several => {
            text.paragraph(&format!(
                "{} made {} services worse in {}.",
                which(&first.deployment),
                several.len(),
                code(environment.as_str(), 80)
            ));
            text.block(&services(several));
        }
    }
    if let Some(why) = incident {
        text.paragraph(&prose(
            &format!("{why}. This comment is about all of them: no other commit has one."),
            2_000,
        ));
    }
    text.paragraph(&format!(
        "Before it is deployed again: `backout explain {commit}` shows what it was judged by."
    ));
    Some(text.finish())
}

fn services(outcomes: &[Outcome]) -> String {
    let mut text = table_head(&["service", "what the deployment did", "what was done"]);
    for Outcome { deployment, judgement, done } in outcomes.iter().take(MAX_SERVICES) {
        text.push_str(&table_row(&[
            code(deployment.service.as_str(), 80),
            damage(judgement),
            prose(done, MAX_DONE),
        ]));
    }
    let more = outcomes.len().saturating_sub(MAX_SERVICES);
    if more > 0 {
        text.push_str(&format!("\nAnd {more} more.\n"));
    }
    text
}
