//! Which files are migrations by their names.

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

#[cfg(test)]
mod tests {
    use super::*;

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
