//! The issue that asks a person to roll back by hand.

use super::marks::{is_id, marked};
use super::parts::{Words, chart, damage, evidence_section, line, signal_section, which};
use crate::domain::change::Change;
use crate::domain::deployment::Deployment;
use crate::domain::field::tokens::version_of;
use crate::domain::history::ledger::rollback_id;
use crate::domain::ids::{CommitId, EnvironmentName, ServiceName};
use crate::domain::judge::evidence::Evidence;
use crate::domain::judge::verdict::Judgement;
use crate::domain::review::chart::ChartStyle;
use crate::domain::review::markdown::{code, fenced};
use crate::domain::schema::sql::SqlFinding;

/// The most migrations that are named.
const MAX_MIGRATIONS: usize = 30;
/// The longest diff, in characters.
const MAX_DIFF: usize = 16_000;

const ISSUE_BEGIN: &str = "<!-- backout-issue: ";

/// A revert that is prepared for a person.
#[derive(Clone, Copy, Debug)]
pub struct Plan<'a> {
    /// The revert.
    pub change: &'a Change,
    /// It as a unified diff.
    pub diff: &'a str,
}

/// What an issue of the agent's is about, as the marker on its first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssueMark {
    /// The rollback id.
    pub id: String,
    /// The environment.
    pub environment: EnvironmentName,
    /// The service.
    pub service: ServiceName,
    /// The bad deployment.
    pub deployment: CommitId,
}

/// The title of the issue for a deployment that changed a schema.
#[must_use]
pub fn issue_title(deployment: &Deployment) -> String {
    let value = deployment.fields.first().map_or("", |field| version_of(&field.new));
    let short: String = value.chars().take(60).collect();
    line(&format!(
        "Roll back {} in {} by hand: {short} changed the database schema",
        deployment.service, deployment.environment
    ))
}

/// The body of the issue for a deployment that made things worse and changed a schema.
#[must_use]
pub fn issue_body(
    deployment: &Deployment,
    judgement: &Judgement,
    evidence: Option<&Evidence>,
    plan: Option<Plan<'_>>,
    style: ChartStyle,
) -> String {
    let mut text = Words::new(&format!(
        "{ISSUE_BEGIN}id={} environment={} service={} deployment={} -->",
        rollback_id(&deployment.environment, &deployment.service, deployment.commit),
        deployment.environment,
        deployment.service,
        deployment.commit
    ));
    text.paragraph(&format!(
        "{} {} It is a deployment of {} in {}.",
        which(deployment),
        damage(judgement),
        code(deployment.service.as_str(), 80),
        code(deployment.environment.as_str(), 80)
    ));
    text.paragraph(&format!(
        "**The agent has changed nothing.** The deployment changed a database schema ({}), and an older version may not \
         run on the newer schema. Going back needs a person.",
        code(deployment.schema.first().map_or("it is not known how", |worst| worst.what.as_str()), 300)
    ));
    text.block(&migrations(deployment));
    text.block(&steps(deployment, plan));
    text.block(&signal_section(judgement));
    text.block(&chart(judgement, evidence, style));
    text.block(&evidence_section(deployment, judgement, evidence));
    text.finish()
}

fn migrations(deployment: &Deployment) -> String {
    if deployment.migrations.is_empty() {
        return String::new();
    }
    let mut text = "Migrations in its commit:\n\n".to_owned();
    for migration in deployment.migrations.iter().take(MAX_MIGRATIONS) {
        text.push_str(&format!("- {}", code(migration.path.as_str(), 160)));
        if let Some(SqlFinding { line, statement, effect, why }) = &migration.worst {
            let statement = code(statement, 130);
            text.push_str(&format!(": {effect}. Line {line}, {statement}: {why}"));
        }
        text.push('\n');
    }
    text.push_str(
        "\n*Expand*: the older release keeps working on the newer schema. *Contract*: it may fail, or what it needs is gone. *Unknown*: \
         look at it. A migration without a class was not read.\n",
    );
    if deployment.migrations.len() > MAX_MIGRATIONS {
        text.push_str(&format!("- and {} more\n", deployment.migrations.len() - MAX_MIGRATIONS));
    }
    text
}

/// What a person has to do, in its order.
fn steps(deployment: &Deployment, plan: Option<Plan<'_>>) -> String {
    let from = deployment.fields.first().map_or("", |field| version_of(&field.old));
    let command = format!(
        "backout revert {} --environment {}",
        deployment.service.as_str(),
        deployment.environment.as_str()
    );
    let revert = match plan {
        Some(Plan { change, .. }) => format!(
            "Take the release back to {}: {}, or by hand as in the diff below, which was worked out against {}.",
            code(from, 60),
            code(&command, 500),
            change.base
        ),
        None => format!(
            "Take the release back to {} by hand: the agent could not work out the revert.",
            code(from, 60)
        ),
    };
    let mut text = format!(
        "### What to do\n\n\
         1. Look whether the schema change can be undone: does the older version run on the schema as it is, is there a \
         migration back, and what would become of the data written since?\n\
         2. Bring the database to a schema that the older version runs on, back or forward. If that cannot be done, do \
         not go back: mend it with a newer version.\n\
         3. {revert}\n\
         4. Watch whether the signals come back, and close this.\n"
    );
    if let Some(Plan { diff, .. }) = plan {
        text.push_str(&format!(
            "\n<details>\n<summary>The prepared revert</summary>\n\n{}\n</details>\n",
            fenced("diff", diff, MAX_DIFF)
        ));
    }
    text
}

/// What an issue is about, by the marker on its first line.
#[must_use]
pub fn issue_mark(body: &str) -> Option<IssueMark> {
    let mut words = marked(body, ISSUE_BEGIN)?.split(' ');
    let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
    let id = value("id")?;
    let environment = value("environment")?.parse().ok()?;
    let service = value("service")?.parse().ok()?;
    let deployment = value("deployment")?.parse().ok()?;
    let is_whole = is_id(id) && words.next().is_none();
    is_whole.then(|| IssueMark { id: id.to_owned(), environment, service, deployment })
}
