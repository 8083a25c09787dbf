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
