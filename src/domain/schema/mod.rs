//! Changes of database schemas: what in a commit says that it is one, and what it means for the release before it.

pub mod change;
pub mod effect;
pub mod files;
pub mod images;
pub mod manifests;
pub mod sql;

use self::change::SchemaChange;
use self::effect::Effect;
use self::sql::SqlFinding;
use crate::domain::environment::policy::SchemaDetector;
use crate::domain::history::snapshot::{FileDiff, FileVersion};
use crate::domain::ids::FilePath;

/// A file of a commit that holds a migration by its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// The file.
    pub path: FilePath,
    /// What its worst statement means for the release before it: the first of these. None where it is no new SQL, or expands alone and
    /// has no statement.
    pub worst: Option<SqlFinding>,
}

impl Migration {
    /// Reads what a commit did to the file of a migration.
    #[must_use]
    pub fn of(file: &FileDiff) -> Self {
        let path = file.path.clone();
        let is_new = file.old.is_none() && !is_way_back(&path) && path.as_str().ends_with(".sql");
        let text = file.new.as_ref().filter(|_| is_new).and_then(FileVersion::text);
        let found = text.map(sql::classify).unwrap_or_default();
        let effect = sql::effect_of(&found);
        Self { worst: found.into_iter().find(|one| one.effect == effect), path }
    }

    /// The change that it is. None where it goes the way back, which does not run when that is deployed.
    #[must_use]
    pub fn change(&self) -> Option<SchemaChange> {
        if is_way_back(&self.path) {
            return None;
        }
        let path = &self.path;
        let what = match &self.worst {
            Some(worst) => format!("it touches {path}, {}, line {}: {}", worst.effect, worst.line, worst.why),
            None => format!("it touches {path}"),
        };
        Some(SchemaChange { effect: self.effect(), detector: SchemaDetector::Files, what })
    }

    /// What it means for the release before it. One that is no new SQL may mean anything.
    #[must_use]
    pub fn effect(&self) -> Effect {
        self.worst.as_ref().map_or(Effect::Unknown, |worst| worst.effect)
    }
}

/// Whether a file holds the way back of a migration, which does not run when that is deployed: `1_orders.down.sql`, `U1__orders.sql`.
/// Sources: <https://github.com/golang-migrate/migrate/blob/master/MIGRATIONS.md>,
/// <https://documentation.red-gate.com/flyway/flyway-concepts/migrations/undo-migrations>.
fn is_way_back(path: &FilePath) -> bool {
    let name = path.as_str().rsplit('/').next().unwrap_or("");
    let is_undo = name
        .strip_prefix('U')
        .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()) && rest.contains("__"));
    is_undo
        || name == "down.sql"
        || [".down.sql", ".undo.sql", "_down.sql", "-down.sql"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::ids::BlobId;

    fn effect(path: &str, old: Option<&str>, new: Option<&str>) -> Effect {
        let version = |text: &str| FileVersion {
            blob: BlobId::of_part(text.as_bytes()),
            bytes: Some(Arc::from(text.as_bytes())),
        };
        let path = FilePath::new(path).unwrap();
        Migration::of(&FileDiff {
            path,
            was: None,
            old: old.map(version),
            new: new.map(version),
            turned: None,
        })
        .effect()
    }

    #[test]
    fn the_way_back_of_a_migration_is_no_change() {
        for (name, is_one) in [
            ("1.down.sql", false),
            ("1_down.sql", false),
            ("down.sql", false),
            ("1.undo.sql", false),
            ("U1__a.sql", false),
            ("1.up.sql", true),
            ("UTC_1.sql", true),
            ("countdown.sql", true),
            ("1.down.py", true),
        ] {
            let path = FilePath::new(format!("db/migrations/{name}")).unwrap();
            assert_eq!(Migration { path, worst: None }.change().is_some(), is_one, "{name}");
        }
    }

    #[test]
    fn a_new_file_of_sql_is_read_and_nothing_else() {
        let (column, table) = ("ALTER TABLE a ADD COLUMN b int;", "DROP TABLE a;");
        for (path, old, new, expected) in [
            ("db/migrations/1.sql", None, Some(column), Effect::Expand),
            ("db/migrations/1.sql", None, Some(table), Effect::Contract),
            ("db/migrations/1.up.sql", None, Some(column), Effect::Expand),
            ("db/migrations/UTC_1.sql", None, Some(column), Effect::Expand),
            // Whether it ran again nobody knows.
            ("db/migrations/1.sql", Some(table), Some(column), Effect::Unknown),
            ("db/migrations/1.sql", Some(column), None, Effect::Unknown),
            ("db/migrations/1.py", None, Some(column), Effect::Unknown),
            ("db/migrations/1.sql", None, Some("-- nothing"), Effect::Unknown),
        ] {
            assert_eq!(effect(path, old, new), expected, "{path}: {old:?} -> {new:?}");
        }
    }
}
