//! What new keys and indexes refuse to do, or do, with the rows of an older release.

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateIndex, CreateTable, Expr, ForeignKeyConstraint, ReferentialAction,
    TableConstraint,
};

use super::known::{Known, contract, expand, unknown};

/// The foreign keys of a new table.
pub(super) fn foreign_keys(table: &CreateTable) -> impl Iterator<Item = &ForeignKeyConstraint> {
    let of_table = table.constraints.iter().filter_map(|constraint| {
        let TableConstraint::ForeignKey(key) = constraint else { return None };
        Some(key)
    });
    table.columns.iter().flat_map(of_column).chain(of_table)
}

/// The foreign keys of a column.
pub(super) fn of_column(column: &ColumnDef) -> impl Iterator<Item = &ForeignKeyConstraint> {
    column.options.iter().filter_map(|option| {
        let ColumnOption::ForeignKey(key) = &option.option else { return None };
        Some(key)
    })
}

/// What a foreign key of new rows means for an older release that may delete the rows to which they refer; none where it hinders nothing.
/// `is_new` is whether the older release does not know the table of the key.
pub(super) fn referred(key: &ForeignKeyConstraint, (table, to): (&str, &str), is_new: bool) -> Option<Known> {
    match key.on_delete {
        Some(ReferentialAction::Cascade) if is_new => None,
        Some(ReferentialAction::Cascade) => {
            Some(contract(&format!("rows of {table} go with rows of {to} that the older release deletes")))
        }
        // A primary key, a check or a later statement may refuse that the column holds none.
        Some(ReferentialAction::SetNull) => Some(unknown(&format!(
            "where the older release deletes rows of {to}, new rows lose their value, which something else may refuse"
        ))),
        Some(ReferentialAction::Restrict | ReferentialAction::NoAction | ReferentialAction::SetDefault)
        | None => {
            let why = "and may not where a new row refers to them";
            Some(contract(&format!("the older release may delete or change rows of {to}, {why}")))
        }
    }
}

/// What a new column means that is worked out for each row; none where that never fails.
pub(super) fn generated(column: &ColumnDef) -> Option<Known> {
    let may_fail = column.options.iter().any(|option| {
        let (ColumnOption::Generated { generation_expr: Some(expression), .. }
        | ColumnOption::Materialized(expression)) = &option.option
        else {
            return false;
        };
        !never_fails(expression)
    });
    let why = "the new column is worked out for each row that the older release writes, and that may fail";
    may_fail.then(|| unknown(why))
}

/// Functions that change nothing.
const CHANGE_NOTHING: [&str; 39] = [
    "COUNT",
    "SUM",
    "MIN",
    "MAX",
    "AVG",
    "NOW",
    "CURRENT_TIMESTAMP",
    "GETDATE",
    "SYSDATETIME",
    "UTC_TIMESTAMP",
    "ROW_NUMBER",
    "RANK",
    "DENSE_RANK",
    "LAG",
    "LEAD",
    "GEN_RANDOM_UUID",
    "UUID",
    "NEWID",
    "CAST",
    "DATE",
    "DATE_TRUNC",
    "EXTRACT",
    "TO_CHAR",
    "ROUND",
    "ABS",
    "CONCAT",
    "SUBSTRING",
    "REPLACE",
    "GREATEST",
    "LEAST",
    "ARRAY_AGG",
    "STRING_AGG",
    "GROUP_CONCAT",
    "JSON_AGG",
    "JSONB_AGG",
    "JSONB_BUILD_OBJECT",
    "IFNULL",
    "ISNULL",
    "GENERATE_SERIES",
];

/// Whether a query calls a function of which it is not known what it does: it may change anything.
pub(super) fn may_change(query: &str) -> bool {
    let text: String = query.split('\'').step_by(2).collect::<Vec<_>>().join(" ").to_uppercase();
    let is_word = |name: &&str| NO_CALLS.contains(name) || WORDS.contains(name);
    calls(&text)
        .filter(|name| !is_word(name))
        .any(|name| !TAKE_ALL.contains(&name) && !CHANGE_NOTHING.contains(&name))
}

/// Words of a query before a bracket that call nothing either.
const WORDS: [&str; 26] = [
    "SELECT",
    "FROM",
    "AS",
    "VALUES",
    "JOIN",
    "UNION",
    "ALL",
    "EXISTS",
    "OVER",
    "BY",
    "HAVING",
    "THEN",
    "WHEN",
    "ELSE",
    "ANY",
    "USING",
    "FILTER",
    "GROUP",
    "DISTINCT",
    "ROW",
    "ARRAY",
    "NUMERIC",
    "DECIMAL",
    "VARCHAR",
    "CHAR",
    "TIMESTAMP",
];

/// The words right before each bracket.
fn calls(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices('(').filter_map(|(at, _)| {
        let before = text.get(..at)?.trim_end();
        let start =
            before.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').map_or(0, |end| end + 1);
        before.get(start..).filter(|name| !name.is_empty())
    })
}

/// What an index means that does not have to be unique: one over an expression is worked out for each row that is written.
pub(super) fn index(index: &CreateIndex) -> Known {
    let columns = index.columns.iter().map(|column| &column.column.expr);
    match columns.chain(&index.predicate).all(never_fails) {
        true => expand("an index is new"),
        false => unknown(
            "the index may refuse rows that the older release writes: its expression is worked out for each, and may fail",
        ),
    }
}

/// Functions that take every text, as far as they are called by the right number of values.
const TAKE_ALL: [&str; 11] = [
    "LOWER",
    "UPPER",
    "COALESCE",
    "TRIM",
    "BTRIM",
    "LTRIM",
    "RTRIM",
    "LENGTH",
    "CHAR_LENGTH",
    "MD5",
    "NULLIF",
];
/// Casts that take every value.
const TO_TEXT: [&str; 4] = ["::TEXT", "::CHARACTER VARYING", "::VARCHAR", "::CITEXT"];
/// Words before a bracket that call nothing.
const NO_CALLS: [&str; 6] = ["IN", "AND", "OR", "NOT", "WHERE", "ON"];

/// Whether an expression gives a value for every row.
fn never_fails(expression: &Expr) -> bool {
    // What stands in quotes is a value.
    let text: String =
        expression.to_string().split('\'').step_by(2).collect::<Vec<_>>().join(" ").to_uppercase();
    let text = TO_TEXT.iter().fold(text, |text, cast| text.replace(cast, ""));
    if text.contains(['/', '%', '*', '+']) || text.contains("::") || has_minus(&text) {
        return false;
    }
    calls(&text).filter(|name| !NO_CALLS.contains(name)).all(|name| TAKE_ALL.contains(&name))
}

/// Whether a text has a minus that begins no arrow.
fn has_minus(text: &str) -> bool {
    text.replace("->>", " ").replace("->", " ").contains('-')
}
