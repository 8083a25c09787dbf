//! What each statement of a migration means for the release before it, one after the other: what an earlier statement has made the
//! older release does not know.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is not known, whatever a later version of the parser reads"
)]

use std::collections::{HashMap, HashSet};

use sqlparser::ast::{
    AlterColumnOperation, AlterTable, AlterTableOperation, AssignmentTarget, ColumnDef, ColumnOption,
    CreateTable, Expr, ForeignKeyConstraint, Ident, Insert, ObjectName, Statement, TableConstraint,
    TableFactor, TableObject, Value,
};

use super::known::{Known, contract, expand, unknown};
use super::others::{added, altered, changes_nothing, of_query, taken_away, unread};
use super::read::Read;
use super::refusals;
use crate::domain::schema::effect::Effect;

/// A name as databases compare it, with its schema where it has one: `public.orders`.
fn name_of(name: &ObjectName) -> String {
    name.0.iter().map(|part| plain(&part.to_string())).collect::<Vec<_>>().join(".")
}

/// A name without its schema.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// A part of a name, so that two are equal only where they name the same in each database: one in quotes keeps its case, and one
/// without is in small letters in PostgreSQL and stays as it is in MySQL.
/// Sources: <https://www.postgresql.org/docs/current/sql-syntax-lexical.html#SQL-SYNTAX-IDENTIFIERS>,
/// <https://dev.mysql.com/doc/refman/8.4/en/identifier-case-sensitivity.html>.
fn plain(name: &str) -> String {
    let bare = name.trim_matches(['"', '`', '[', ']']);
    let is_folded = bare == name && bare.chars().any(char::is_uppercase);
    // No name in quotes has one of these in it, as they are taken away.
    if is_folded { format!("[{bare}]") } else { bare.to_owned() }
}

/// Whether a table is one in which a tool keeps which migrations have run.
fn is_book(table: &str) -> bool {
    let name = last_part(table).trim_matches(['[', ']']).to_lowercase();
    BOOKS.contains(&name.as_str())
}

fn ident(name: &Ident) -> String {
    plain(&name.to_string())
}

/// Tables in which tools keep which migrations have run.
const BOOKS: [&str; 13] = [
    "schema_migrations",
    "ar_internal_metadata",
    "flyway_schema_history",
    "databasechangelog",
    "databasechangeloglock",
    "alembic_version",
    "django_migrations",
    "__efmigrationshistory",
    "goose_db_version",
    "knex_migrations",
    "_prisma_migrations",
    "sequelizemeta",
    "schema_version",
];

/// What the statements of a migration have made so far.
#[derive(Default)]
pub(super) struct MadeSoFar {
    /// Tables that did not exist before.
    tables: HashSet<String>,
    /// Those of them of which rows go with rows that the older release deletes.
    followers: HashSet<String>,
    /// Columns that did not exist before, by table and name, and whether they fill themselves.
    columns: HashMap<(String, String), bool>,
}

impl MadeSoFar {
    /// What a statement means for the release before it; none where it changes nothing.
    pub(super) fn meaning(&mut self, read: &Read) -> Option<Known> {
        match &read.parsed {
            Some(statement) => self.statement(statement),
            None => Some(unread(&read.text)),
        }
    }

    fn is_new(&self, table: &str) -> bool {
        self.tables.contains(table)
    }

    /// None for what changes nothing.
    fn statement(&mut self, statement: &Statement) -> Option<Known> {
        if changes_nothing(statement) {
            return None;
        }
        if let Statement::Query(query) = statement {
            return of_query(&query.to_string());
        }
        let known =
            self.of_tables(statement).or_else(|| self.of_rows(statement)).or_else(|| added(statement));
        let known = known.or_else(|| taken_away(statement)).or_else(|| altered(statement));
        Some(known.unwrap_or_else(|| unread(&statement.to_string())))
    }

    /// What is said of tables and their indexes.
    fn of_tables(&mut self, statement: &Statement) -> Option<Known> {
        Some(match statement {
            Statement::CreateTable(table) => self.create_table(table),
            Statement::AlterTable(table) => self.alter_table(table),
            Statement::CreateIndex(index) => match index.unique {
                true if self.is_new(&name_of(&index.table_name)) => expand("the table is new"),
                true => contract("it refuses rows that the older release may write"),
                false if self.is_new(&name_of(&index.table_name)) => expand("the table is new"),
                false => refusals::index(index),
            },
            Statement::Drop { object_type, names, .. } => self.drop(&object_type.to_string(), names),
            Statement::RenameTable(_) => contract("the older release knows the table by the old name"),
            _ => return None,
        })
    }

    /// What is said of rows.
    fn of_rows(&self, statement: &Statement) -> Option<Known> {
        Some(match statement {
            Statement::Truncate(_) => contract("rows are gone"),
            Statement::Delete(delete) => self.delete(&delete.to_string()),
            Statement::Insert(insert) => match &insert.table {
                TableObject::TableName(_) if refusals::may_change(&source_of(insert)) => {
                    unknown("its query calls a function, and what that does is not known")
                }
                TableObject::TableName(name) => self.insert(&name_of(name)),
                _ => unknown("the older release may not know what to do with the new rows"),
            },
            Statement::Update(update) => {
                let table = match &update.table.relation {
                    TableFactor::Table { name, .. } => name_of(name),
                    _ => String::new(),
                };
                let column = |name: &ObjectName| last_part(&name_of(name)).to_owned();
                let columns = update.assignments.iter().flat_map(|one| match &one.target {
                    AssignmentTarget::ColumnName(name) => vec![column(name)],
                    AssignmentTarget::Tuple(names) => names.iter().map(column).collect(),
                });
                self.update(&table, columns)
            }
            _ => return None,
        })
    }

    fn create_table(&mut self, table: &CreateTable) -> Known {
        if table.or_replace {
            return contract("the table that it replaces is gone");
        }
        // One that was there before is not new.
        if !table.if_not_exists {
            self.tables.insert(name_of(&table.name));
        }
        let parents = table.inherits.iter().flatten().map(name_of);
        if let Some(parent) = parents.into_iter().find(|parent| !self.is_new(parent)) {
            return unknown(&format!(
                "the older release finds the rows of the new table among those of {parent}"
            ));
        }
        let asks_more = !table.constraints.is_empty() || !table.columns.is_empty();
        if let Some(parent) =
            table.partition_of.as_ref().map(name_of).filter(|parent| asks_more && !self.is_new(parent))
        {
            return unknown(&format!(
                "the older release may write rows into the new part of {parent}, and it may refuse them"
            ));
        }
        if table.query.as_ref().is_some_and(|query| refusals::may_change(&query.to_string())) {
            return unknown("its query calls a function, and what that does is not known");
        }
        let own = name_of(&table.name);
        let keys: Vec<Known> =
            refusals::foreign_keys(table).filter_map(|key| self.refers(&own, key, true)).collect();
        keys.into_iter().next().unwrap_or_else(|| expand("a table is new"))
    }

    /// What a foreign key means; none where it refers to a table that is new and of which no row goes with one of an older table.
    fn refers(&mut self, table: &str, key: &ForeignKeyConstraint, is_new: bool) -> Option<Known> {
        let to = name_of(&key.foreign_table);
        if self.is_new(&to) && !self.followers.contains(&to) || is_new && to == table {
            return None;
        }
        let known = refusals::referred(key, (table, &to), is_new);
        if known.is_none() {
            self.followers.insert(table.to_owned());
        }
        known
    }

    /// The worst of what it does to the table.
    fn alter_table(&mut self, alter: &AlterTable) -> Known {
        let table = name_of(&alter.name);
        let known: Vec<Known> =
            alter.operations.iter().map(|operation| self.operation(&table, operation)).collect();
        let worst = known.into_iter().reduce(|worst, next| if next.0 > worst.0 { next } else { worst });
        worst.unwrap_or_else(|| unknown("it does not say what it changes"))
    }

    fn operation(&mut self, table: &str, operation: &AlterTableOperation) -> Known {
        // Nothing is known of it to the older release.
        if self.is_new(table) {
            if let AlterTableOperation::RenameTable { table_name } = operation {
                let to = table_name.to_string();
                let to = plain(to.rsplit(['.', ' ']).next().unwrap_or(&to));
                let schema = table.rsplit_once('.').map_or(String::new(), |(schema, _)| format!("{schema}."));
                self.tables.insert(format!("{schema}{to}"));
            }
            if let AlterTableOperation::AddConstraint { constraint: TableConstraint::ForeignKey(key), .. } =
                operation
                && let Some(known) = self.refers(table, key, true)
            {
                return known;
            }
            if let AlterTableOperation::AddColumn { column_def, .. } = operation {
                let known = refusals::of_column(column_def).find_map(|key| self.refers(table, key, true));
                return known.unwrap_or_else(|| expand("the table is new"));
            }
            return expand("the table is new");
        }
        let known = self.of_column(table, operation).or_else(|| of_table(operation));
        known.unwrap_or_else(|| unknown("what that means for the older release is not known"))
    }

    /// What is done to a column.
    fn of_column(&mut self, table: &str, operation: &AlterTableOperation) -> Option<Known> {
        Some(match operation {
            // In the other dialects this is a column that is called so.
            AlterTableOperation::AddColumn { column_def, column_keyword: false, .. }
                if is_keyword(column_def) =>
            {
                match column_def.name.value.to_uppercase().as_str() {
                    "INDEX" | "KEY" | "FULLTEXT" | "SPATIAL" => expand("an index is new"),
                    _ => unknown("it cannot be read"),
                }
            }
            AlterTableOperation::AddColumn { column_def, if_not_exists, .. } => {
                let (known, fills_itself) = add_column(column_def);
                let keys = refusals::of_column(column_def);
                let mut referred = keys.filter_map(|key| self.refers(table, key, false));
                let known = match known.0 {
                    Effect::Expand => referred.next().unwrap_or(known),
                    Effect::Unknown | Effect::Contract => known,
                };
                // One that was there before is not new.
                if !if_not_exists {
                    self.columns.insert((table.to_owned(), ident(&column_def.name)), fills_itself);
                }
                known
            }
            AlterTableOperation::DropColumn { column_names, .. } => {
                let is_new = |name: &Ident| self.columns.contains_key(&(table.to_owned(), ident(name)));
                match column_names.iter().all(is_new) {
                    true => expand("the column is new"),
                    false => contract("the older release may read or write the column"),
                }
            }
            AlterTableOperation::RenameColumn { .. } => {
                contract("the older release knows the column by the old name")
            }
            AlterTableOperation::ChangeColumn { old_name, new_name, .. }
                if ident(old_name) != ident(new_name) =>
            {
                contract("the older release knows the column by the old name")
            }
            AlterTableOperation::ChangeColumn { .. } | AlterTableOperation::ModifyColumn { .. } => {
                unknown("what the column was before is not said here: it may hold less, or no NULL any more")
            }
            AlterTableOperation::AlterColumn { column_name, op } => {
                self.alter_column((table, &ident(column_name)), op)
            }
            _ => return None,
        })
    }

    fn alter_column(&mut self, (table, column): (&str, &str), operation: &AlterColumnOperation) -> Known {
        let key = (table.to_owned(), column.to_owned());
        let new = self.columns.get(&key).copied();
        match operation {
            AlterColumnOperation::SetNotNull => match new {
                Some(true) => expand("the column is new and fills itself"),
                Some(false) => contract("the older release does not write the column"),
                None => contract("the older release may leave the column empty"),
            },
            AlterColumnOperation::SetDefault { value } => {
                if new.is_some() {
                    self.columns.insert(key, !is_null(value));
                    return expand("the column is new");
                }
                unknown("what the older release leaves out gets another value")
            }
            AlterColumnOperation::DropDefault => match new {
                Some(_) => {
                    self.columns.insert(key, false);
                    unknown("the older release does not write the column")
                }
                None => contract("the older release may leave the column out"),
            },
            AlterColumnOperation::DropNotNull if new.is_some() => expand("the column is new"),
            AlterColumnOperation::DropNotNull => {
                unknown("the older release may read nothing where there was a value")
            }
            AlterColumnOperation::SetDataType { .. } if new.is_some() => expand("the column is new"),
            AlterColumnOperation::SetDataType { .. } => {
                unknown("what the type was before is not said here: it may hold less, or read otherwise")
            }
            AlterColumnOperation::AddGenerated { .. } => expand("the column fills itself"),
            AlterColumnOperation::GenericOptions { .. } => {
                unknown("what that means for the older release is not known")
            }
        }
    }

    fn drop(&mut self, what: &str, names: &[ObjectName]) -> Known {
        let what = what.to_lowercase();
        let are_new = names.iter().all(|name| self.tables.remove(&name_of(name)));
        if what == "table" && are_new && !names.is_empty() {
            return expand("the table is new");
        }
        match what.as_str() {
            "index" => unknown("the older release may be too slow without the index, or count on it"),
            _ => contract(&format!("the older release may need the {what}")),
        }
    }

    fn insert(&self, table: &str) -> Known {
        if self.is_new(table) {
            return expand("the table is new");
        }
        match is_book(table) {
            true => expand("it only says which migrations have run"),
            false => unknown("the older release may not know what to do with the new rows"),
        }
    }

    fn delete(&self, statement: &str) -> Known {
        let mut words = statement.split_whitespace().skip_while(|word| !word.eq_ignore_ascii_case("from"));
        let table = words
            .nth(1)
            .map(|name| name.split('.').map(plain).collect::<Vec<_>>().join("."))
            .unwrap_or_default();
        match self.is_new(&table) || is_book(&table) {
            true => expand("the older release does not know the table"),
            false => contract("rows are gone"),
        }
    }

    fn update(&self, table: &str, columns: impl Iterator<Item = String>) -> Known {
        if self.is_new(table) {
            return expand("the table is new");
        }
        if is_book(table) {
            return expand("it only says which migrations have run");
        }
        let mut columns = columns.peekable();
        let is_known = columns.peek().is_some();
        let mut are_new = columns.all(|column| self.columns.contains_key(&(table.to_owned(), column)));
        are_new &= is_known;
        match are_new {
            true => expand("it only fills new columns"),
            false => unknown("the older release may read the changed values otherwise"),
        }
    }
}

/// What a new column means, and whether it fills itself.
fn add_column(column: &ColumnDef) -> (Known, bool) {
    let has = |wanted: fn(&ColumnOption) -> bool| column.options.iter().any(|option| wanted(&option.option));
    let data_type = column.data_type.to_string().to_uppercase();
    let counts_up = has(|option| {
        matches!(option, ColumnOption::Identity(_))
            || option.to_string().to_uppercase().contains("AUTO_INCREMENT")
    }) || data_type.contains("SERIAL")
        || data_type == "ROWVERSION";
    let fills_itself = counts_up
        || has(|option| {
            matches!(option, ColumnOption::Generated { .. } | ColumnOption::Materialized(_))
                || matches!(option, ColumnOption::Default(value) if !is_null(value))
        });
    let known = if has(|option| matches!(option, ColumnOption::PrimaryKey(_))) && !counts_up {
        contract("the older release does not write the key")
    } else if has(|option| matches!(option, ColumnOption::Unique(_))) && !counts_up {
        match fills_itself {
            true => {
                contract("the older release writes the same value into each row, and each must be another")
            }
            false => unknown("not every database takes more than one row without a value"),
        }
    } else if has(|option| matches!(option, ColumnOption::NotNull)) && !fills_itself {
        contract("the older release does not write the column, and it has no default")
    } else if let Some(known) = column.options.iter().find_map(|option| checked(column, &option.option)) {
        known
    } else if let Some(known) = refusals::generated(column) {
        known
    } else {
        expand("a column is new that may be left out")
    };
    (known, fills_itself)
}

/// Where the rows of an insert come from, as text.
fn source_of(insert: &Insert) -> String {
    insert.source.as_ref().map_or_else(String::new, ToString::to_string)
}

/// What a check on a new column means, where it may refuse a row that leaves the column out, or that the older release writes.
fn checked(column: &ColumnDef, option: &ColumnOption) -> Option<Known> {
    let ColumnOption::Check(check) = option else { return None };
    let text = check.expr.to_string();
    if text.to_uppercase().contains("IS NOT NULL") {
        return Some(contract(
            "the older release does not write the column, and a check refuses nothing there",
        ));
    }
    // What stands in quotes is a value.
    let text: String = text.split('\'').step_by(2).collect::<Vec<_>>().join(" ");
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let mut names = text.split(|c: char| !c.is_alphanumeric() && c != '_').filter(is_name);
    let is_other = |name: &str| !is_word(name) && !name.eq_ignore_ascii_case(&column.name.value);
    // The default is what the older release writes, and nobody holds it against the check here.
    let has_default = column.options.iter().any(|option| matches!(option.option, ColumnOption::Default(_)));
    (has_default || names.any(is_other))
        .then(|| unknown("a check may refuse rows that the older release writes"))
}

/// Whether a word of a check is none of a column.
fn is_word(word: &str) -> bool {
    const WORDS: [&str; 9] = ["AND", "OR", "NOT", "IN", "BETWEEN", "LIKE", "IS", "NULL", "LENGTH"];
    WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// Whether what reads like the name of a column is a word of another dialect: `ADD INDEX name (column)`.
fn is_keyword(column: &ColumnDef) -> bool {
    const WORDS: [&str; 11] = [
        "INDEX",
        "KEY",
        "FULLTEXT",
        "SPATIAL",
        "UNIQUE",
        "PRIMARY",
        "CONSTRAINT",
        "CHECK",
        "FOREIGN",
        "PERIOD",
        "PARTITION",
    ];
    column.name.quote_style.is_none() && WORDS.contains(&column.name.value.to_uppercase().as_str())
}

/// What is done to a table as a whole, its keys and its indexes.
fn of_table(operation: &AlterTableOperation) -> Option<Known> {
    Some(match operation {
        AlterTableOperation::RenameTable { .. } | AlterTableOperation::SwapWith { .. } => {
            contract("the older release knows the table by the old name")
        }
        AlterTableOperation::AddConstraint {
            constraint: TableConstraint::Index(_) | TableConstraint::FulltextOrSpatial(_),
            ..
        } => expand("an index is new"),
        AlterTableOperation::Algorithm { .. } | AlterTableOperation::Lock { .. } => {
            expand("it only says how it is done")
        }
        AlterTableOperation::AddConstraint { .. } => {
            contract("it refuses rows that the older release may write")
        }
        AlterTableOperation::DropConstraint { .. }
        | AlterTableOperation::DropForeignKey { .. }
        | AlterTableOperation::DropIndex { .. } => unknown("the older release may count on what it drops"),
        AlterTableOperation::DropPrimaryKey { .. } => contract("the older release may find rows by the key"),
        AlterTableOperation::DropPartitions { .. } | AlterTableOperation::DetachPartitionOf { .. } => {
            contract("rows are gone")
        }
        AlterTableOperation::AttachPartitionOf { .. } => unknown(
            "the older release finds other rows than before, and the part may refuse those that it writes",
        ),
        AlterTableOperation::AddPartitions { .. } => expand("it only adds a partition"),
        AlterTableOperation::RenameConstraint { .. } => {
            unknown("the older release may know it by the old name")
        }
        AlterTableOperation::EnableRowLevelSecurity | AlterTableOperation::ForceRowLevelSecurity => {
            contract("the older release may see fewer rows")
        }
        AlterTableOperation::OwnerTo { .. } => unknown("the older release may lose its rights"),
        _ => return None,
    })
}

fn is_null(value: &Expr) -> bool {
    matches!(value, Expr::Value(value) if value.value == Value::Null)
}
