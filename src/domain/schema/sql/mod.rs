//! What the SQL of a migration means for the release before it: whether that one keeps working on the schema after it.
//!
//! A statement is read with the dialects of PostgreSQL, MySQL, SQLite and SQL Server (`read`), and classified by what an older release
//! may still do (`migration`): read and write the columns that it knows, by their names, and leave the others out. What cannot be read,
//! and whatever does not follow from the statements alone, is unknown.

mod known;
mod migration;
mod others;
mod read;
mod refusals;

use sqlparser::dialect::{
    Dialect, GenericDialect, MsSqlDialect, MySqlDialect, PostgreSqlDialect, SQLiteDialect,
};

use self::migration::MadeSoFar;
use self::read::{MAX_STATEMENTS, Read, read, shown, upwards};
use super::effect::Effect;

/// The longest text that is read, in bytes.
const MAX_BYTES: usize = 1 << 20;

/// One statement of a migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SqlFinding {
    /// The line on which it begins, from 1.
    pub line: u64,
    /// Its beginning.
    pub statement: String,
    /// What it means for the release before it.
    pub effect: Effect,
    /// Why, in words.
    pub why: String,
}

/// Classifies each statement of a migration, in their order. Of a file with both directions only the way up is read.
#[must_use]
pub fn classify(sql: &str) -> Vec<SqlFinding> {
    let sql = upwards(sql);
    if sql.len() > MAX_BYTES {
        return vec![SqlFinding {
            line: 1,
            statement: String::new(),
            effect: Effect::Unknown,
            why: format!("it is longer than {MAX_BYTES} bytes, and is not read"),
        }];
    }
    let dialects: [&dyn Dialect; 5] =
        [&PostgreSqlDialect {}, &MySqlDialect {}, &MsSqlDialect {}, &SQLiteDialect {}, &GenericDialect {}];
    let readings: Vec<Vec<Read>> = dialects.iter().filter_map(|dialect| read(*dialect, &sql)).collect();
    let failures = |statements: &Vec<Read>| statements.iter().filter(|one| one.parsed.is_none()).count();
    let fewest = readings.iter().map(failures).min();
    // Which dialect it is written in nobody says: of those that can read it the one counts in which it means the worst.
    let readings = readings.iter().filter(|statements| Some(failures(statements)) == fewest);
    let mut worst: Option<Vec<SqlFinding>> = None;
    for found in readings.map(|statements| findings(statements)) {
        if worst.as_ref().is_none_or(|worst| effect_of(&found) > effect_of(worst)) {
            worst = Some(found);
        }
    }
    worst.unwrap_or_else(|| {
        let why = "it cannot be read as SQL".to_owned();
        vec![SqlFinding { line: 1, statement: shown(&sql), effect: Effect::Unknown, why }]
    })
}

fn findings(statements: &[Read]) -> Vec<SqlFinding> {
    let mut migration = MadeSoFar::default();
    let mut found: Vec<SqlFinding> = statements
        .iter()
        .filter_map(|one| {
            let (effect, why) = migration.meaning(one)?;
            Some(SqlFinding { line: one.line, statement: shown(&one.text), effect, why })
        })
        .collect();
    if statements.len() == MAX_STATEMENTS {
        let last = found.last().map_or(1, |last| last.line);
        let why = format!("there are more than {MAX_STATEMENTS} statements, and no more are read");
        found.push(SqlFinding { line: last, statement: String::new(), effect: Effect::Unknown, why });
    }
    found
}

/// The worst of several statements; to expand where there is none.
#[must_use]
pub fn effect_of(findings: &[SqlFinding]) -> Effect {
    findings.iter().map(|finding| finding.effect).max().unwrap_or(Effect::Expand)
}

#[cfg(test)]
mod tests;
