//! What new keys and indexes refuse to do, or do, with the rows of an older release.

use sqlparser::ast::{
    ColumnDef, ColumnOption, CreateIndex, CreateTable, Expr, ForeignKeyConstraint, ReferentialAction,
    TableConstraint,
};

use super::known::{Known, contract, expand, unknown};

/// The foreign keys of a new table, each with whether its columns may hold no value.
pub(super) fn foreign_keys(table: &CreateTable) -> Vec<(&ForeignKeyConstraint, bool)> {
    let of_columns =
        table.columns.iter().flat_map(|column| of_column(column).map(|key| (key, !is_needed(column))));
    let of_table = table.constraints.iter().filter_map(|constraint| {
        let TableConstraint::ForeignKey(key) = constraint else { return None };
        let needed = |column: &&ColumnDef| key.columns.contains(&column.name) && is_needed(column);
        Some((key, !table.columns.iter().any(|column| needed(&column))))
    });
    of_columns.chain(of_table).collect()
}

/// The foreign keys of a column.
pub(super) fn of_column(column: &ColumnDef) -> impl Iterator<Item = &ForeignKeyConstraint> {
    column.options.iter().filter_map(|option| {
        let ColumnOption::ForeignKey(key) = &option.option else { return None };
        Some(key)
    })
}

fn is_needed(column: &ColumnDef) -> bool {
    column
        .options
        .iter()
        .any(|option| matches!(option.option, ColumnOption::NotNull | ColumnOption::PrimaryKey(_)))
}

/// What a foreign key of new rows means for an older release that knows the table to which they refer; none where it hinders nothing. `new`
/// is whether the older release does not know the table of the key either, and `may_be_null` whether its columns may hold no value.
pub(super) fn referred(
    key: &ForeignKeyConstraint,
    (table, to): (&str, &str),
    (new, may_be_null): (bool, bool),
) -> Option<Known> {
    match key.on_delete {
        Some(ReferentialAction::Cascade) if new => None,
        Some(ReferentialAction::Cascade) => {
            Some(contract(&format!("rows of {table} go with rows of {to} that the older release deletes")))
        }
        Some(ReferentialAction::SetNull) if may_be_null => None,
        Some(
            ReferentialAction::SetNull
            | ReferentialAction::Restrict
            | ReferentialAction::NoAction
            | ReferentialAction::SetDefault,
        )
        | None => {
            let why = "and may not where a new row refers to them";
            Some(contract(&format!("the older release may delete or change rows of {to}, {why}")))
        }
    }
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
    let calls = text.match_indices('(').filter_map(|(at, _)| {
        let before = text.get(..at)?.trim_end();
        let start =
            before.rfind(|c: char| !c.is_alphanumeric() && c != '_' && c != '.').map_or(0, |end| end + 1);
        before.get(start..).filter(|name| !name.is_empty())
    });
    calls.filter(|name| !NO_CALLS.contains(name)).all(|name| TAKE_ALL.contains(&name))
}

/// Whether a text has a minus that begins no arrow.
fn has_minus(text: &str) -> bool {
    text.replace("->>", " ").replace("->", " ").contains('-')
}
