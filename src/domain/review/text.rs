//! What people read on a forge: the title and the body of a pull request, of an issue, and comments.
//!
//! Everything that comes from a repository or a server is untrusted: it stands in code spans that it cannot leave.

/// What a forge draws charts from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChartStyle {
    /// A mermaid `xychart-beta` block.
    Mermaid,
    /// Nothing: a table of the values.
    Table,
}

/// Why the agent has closed a pull request, where it was the agent.
#[must_use]
pub fn closing_reason(body: &str) -> Option<&str> {
    let (_, rest) = body.split_once("<!-- backout:closed ")?;
    rest.split_once(" -->").map(|(reason, _)| reason)
}

use crate::domain::change::{Change, Motive};
use crate::domain::deployment::Deployment;
use crate::domain::evidence::Evidence;
use crate::domain::ids::{CommitId, EnvironmentName, ServiceName};
use crate::domain::policy::ReviewRules;
use crate::domain::verdict::Judgement;
/// stub
pub struct Story<'a> {
    /// s
    pub change: &'a Change,
    /// s
    pub deployment: &'a Deployment,
    /// s
    pub motive: Motive<'a>,
    /// s
    pub evidence: Option<&'a Evidence>,
    /// s
    pub rules: ReviewRules,
}
/// stub
pub struct IssueMark {
    /// s
    pub id: String,
    /// s
    pub environment: EnvironmentName,
    /// s
    pub service: ServiceName,
    /// s
    pub deployment: CommitId,
}
/// stub
pub fn title(change: &Change) -> String {
    change.message.lines().next().unwrap_or("").to_owned()
}
/// stub
pub fn body(story: &Story<'_>, _: ChartStyle, status: &str) -> String {
    format!(
        "<!-- backout-id: {} -->\n<!-- backout:status -->\n{status}\n<!-- /backout:status -->\n",
        story.change.id
    )
}
/// stub
pub fn with_status(body: &str, status: &str) -> Option<String> {
    let (before, rest) = body.split_once("<!-- backout:status -->\n")?;
    let (old, after) = rest.split_once("\n<!-- /backout:status -->")?;
    (old != status)
        .then(|| format!("{before}<!-- backout:status -->\n{status}\n<!-- /backout:status -->{after}"))
}
/// stub
pub fn with_closing(body: &str, why: &str) -> String {
    format!("{body}\n<!-- backout:closed {why} -->")
}
/// stub
pub fn issue_title(d: &Deployment) -> String {
    format!("Roll {} back by hand", d.service)
}
/// stub
pub fn issue_body(d: &Deployment, _: &Judgement, _: &Evidence, _: Option<&str>, _: ChartStyle) -> String {
    format!(
        "<!-- backout-issue: {} {} {} {} -->\n",
        crate::domain::decision::id_of(d),
        d.environment,
        d.service,
        d.commit
    )
}
/// stub
pub fn issue_mark(body: &str) -> Option<IssueMark> {
    let line = body.lines().next()?.strip_prefix("<!-- backout-issue: ")?.strip_suffix(" -->")?;
    let mut w = line.split(' ');
    Some(IssueMark {
        id: w.next()?.to_owned(),
        environment: w.next()?.parse().ok()?,
        service: w.next()?.parse().ok()?,
        deployment: w.next()?.parse().ok()?,
    })
}
/// stub
pub fn source_comment(d: &Deployment, _: &Judgement, done: &str) -> String {
    format!("<!-- backout:{} -->\n{done}", crate::domain::decision::id_of(d))
}
/// stub
pub fn plain(t: &str) -> String {
    t.to_owned()
}
