//! Which files are migrations by their names.

use crate::domain::environment::pattern::PathGlobs;
use crate::domain::history::scope::{Interest, Scope};

/// The directories in which tools keep migrations, from the end of a path on. Sources: the manuals of Rails (`db/migrate`), Django and
/// golang-migrate (`migrations`), Alembic (`alembic/versions`), Prisma (`prisma/migrations`), Flyway (`db/migration`) and Liquibase
/// (`db/changelog`).
const DIRECTORIES: [&str; 8] = [
    "/migrations/",
    "/migration/",
    "/db/migrate/",
    "/alembic/versions/",
    "/db/changelog/",
    "/flyway/",
    "/liquibase/",
    "/changelogs/",
];

/// How the names of migrations end that are no manifests.
const LANGUAGES: [&str; 15] = [
    ".py", ".rb", ".js", ".mjs", ".ts", ".go", ".php", ".xml", ".cs", ".java", ".kt", ".ex", ".exs", ".pl",
    ".sh",
];

/// Whether a file holds a migration by its name alone: SQL, or source in a directory of migrations.
#[must_use]
pub fn is_migration(path: &str) -> bool {
    let path = format!("/{}", path.to_ascii_lowercase());
    let is_source = LANGUAGES.iter().any(|end| path.ends_with(end));
    path.ends_with(".sql") || is_source && DIRECTORIES.iter().any(|directory| path.contains(directory))
}

/// Directories whose files no release brings: tests, and what they read.
const OF_TESTS: [&str; 6] = ["test", "tests", "testdata", "fixtures", "spec", "__tests__"];

/// The migrations in the source of an application: what is one by its name, or is in these paths. Those of tests are none.
#[derive(Clone, Copy, Debug)]
pub struct OfSource<'p>(pub &'p PathGlobs);

impl Scope for OfSource<'_> {
    fn file(&self, path: &str) -> Interest {
        let is_wanted = self.directory(path) && (is_migration(path) || self.0.matches(path));
        match is_wanted {
            // What SQL means is read from it.
            true if path.ends_with(".sql") => Interest::Bytes,
            true => Interest::Name,
            false => Interest::Nothing,
        }
    }

    fn directory(&self, path: &str) -> bool {
        !path.split('/').any(|part| OF_TESTS.iter().any(|name| part.eq_ignore_ascii_case(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_migrations_of_a_source_are_those_that_a_release_brings() {
        let paths = PathGlobs::new(vec!["schema/**".to_owned()]).unwrap();
        for (path, expected) in [
            ("db/migrate/1.rb", Interest::Name),
            ("db/queries/orders.sql", Interest::Bytes),
            ("schema/orders.hcl", Interest::Name),
            ("schema/1.sql", Interest::Bytes),
            ("src/main/resources/db/migration/V1__a.sql", Interest::Bytes),
            ("latest/1.sql", Interest::Bytes),
            ("src/test/resources/db/migration/V1__a.sql", Interest::Nothing),
            ("tests/schema.sql", Interest::Nothing),
            ("pkg/Testdata/1.sql", Interest::Nothing),
            ("schema/fixtures/1.hcl", Interest::Nothing),
            ("src/main.rs", Interest::Nothing),
        ] {
            assert_eq!(OfSource(&paths).file(path), expected, "{path}");
        }
    }

    #[test]
    fn a_migration_is_known_by_its_name() {
        for (path, expected) in [
            ("apps/web/schema/2_orders.sql", true),
            ("apps/web/migrations/0042_orders.py", true),
            ("apps/web/db/migrate/20260101_orders.rb", true),
            ("apps/web/alembic/versions/a1b2_orders.py", true),
            ("apps/web/prisma/migrations/1/migration.SQL", true),
            ("apps/web/db/changelog/1.xml", true),
            ("migrations/1.go", true),
            // A manifest, notes, and source elsewhere.
            ("apps/web/migrations/job.yaml", false),
            ("apps/web/migrations/README.md", false),
            ("apps/web/dashboards/orders.py", false),
            ("apps/web/sql.yaml", false),
        ] {
            assert_eq!(is_migration(path), expected, "{path}");
        }
    }
}
