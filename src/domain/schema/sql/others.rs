//! What statements mean that are about neither tables nor rows, and those that cannot be read.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what is not named is not known, whatever a later version of the parser reads"
)]

use sqlparser::ast::{AlterTypeOperation, Statement};

use super::known::{Known, contract, expand, unknown};
use super::read::shown;
use super::refusals::may_change;

/// Transactions, settings of the session, and the like.
pub(super) fn changes_nothing(statement: &Statement) -> bool {
    matches!(
        statement,
        Statement::Set(_)
            | Statement::Use(_)
            | Statement::StartTransaction { .. }
            | Statement::Commit { .. }
            | Statement::Savepoint { .. }
            | Statement::ReleaseSavepoint { .. }
            | Statement::Rollback { .. }
            | Statement::Pragma { .. }
            | Statement::Analyze(_)
            | Statement::Vacuum(_)
            | Statement::Lock(_)
            | Statement::LockTables { .. }
            | Statement::UnlockTables
            | Statement::Reset(_)
            | Statement::Print(_)
    )
}

/// What is new besides tables, or takes the place of what was there.
pub(super) fn added(statement: &Statement) -> Option<Known> {
    Some(match statement {
        Statement::CreateView(view) if view.or_replace || view.or_alter => {
            unknown("the view may say something else than the older release expects")
        }
        Statement::CreateView(view) if view.materialized && may_change(&view.query.to_string()) => {
            unknown("its query calls a function, and what that does is not known")
        }
        Statement::CreateView(_) => expand("a view is new"),
        Statement::CreateFunction(function) if function.or_replace || function.or_alter => {
            unknown("the function may do something else than the older release expects")
        }
        Statement::CreateFunction(_) => expand("a function is new"),
        Statement::CreateProcedure { or_alter: true, .. } => {
            unknown("the procedure may do something else than the older release expects")
        }
        Statement::CreateProcedure { .. } => expand("a procedure is new"),
        Statement::CreateType { .. }
        | Statement::CreateDomain(_)
        | Statement::CreateSequence { .. }
        | Statement::CreateSchema { .. }
        | Statement::CreateDatabase { .. }
        | Statement::CreateExtension(_)
        | Statement::CreateCollation(_)
        | Statement::CreateVirtualTable { .. }
        | Statement::CreateRole(_)
        | Statement::CreateUser(_) => expand("it only adds something new"),
        Statement::Grant(_) => expand("it only gives rights"),
        Statement::Comment { .. } => expand("it only describes"),
        Statement::CreateTrigger(_) | Statement::CreatePolicy(_) | Statement::CreateRule(_) => {
            unknown("it changes what reading or writing a table does")
        }
        _ => return None,
    })
}

/// What is gone besides tables.
pub(super) fn taken_away(statement: &Statement) -> Option<Known> {
    Some(match statement {
        Statement::Revoke(_) | Statement::Deny(_) => {
            contract("the older release may need the rights that it takes away")
        }
        Statement::DropFunction(_)
        | Statement::DropProcedure { .. }
        | Statement::DropDomain(_)
        | Statement::DropExtension(_) => contract("what it drops the older release may need"),
        Statement::DropTrigger(_) | Statement::DropPolicy(_) | Statement::DropRule(_) => {
            unknown("the older release may count on what it drops")
        }
        _ => return None,
    })
}

/// What is another than before, besides tables.
pub(super) fn altered(statement: &Statement) -> Option<Known> {
    let Statement::AlterType(alter) = statement else { return None };
    Some(match alter.operation {
        AlterTypeOperation::AddValue(_) => {
            unknown("the older release may read a value that it does not know")
        }
        AlterTypeOperation::Rename(_) | AlterTypeOperation::RenameValue(_) => {
            contract("the older release knows it by the old name")
        }
    })
}

/// A query changes nothing by itself, but a function that it calls may.
pub(super) fn of_query(text: &str) -> Option<Known> {
    let upper = text.to_uppercase();
    let writes = [
        "INSERT INTO ",
        "UPDATE ",
        "DELETE FROM ",
        "MERGE INTO ",
        " INTO @",
        " INTO OUTFILE",
        " INTO DUMPFILE",
    ];
    if writes.iter().any(|word| upper.contains(word)) {
        return Some(unknown("it changes rows in the midst of a query"));
    }
    if upper.contains(" INTO ") {
        return Some(expand("a table is new"));
    }
    let harmless = [
        "SET_CONFIG(",
        "SETVAL(",
        "NEXTVAL(",
        "COUNT(",
        "MAX(",
        "MIN(",
        "NOW(",
        "COALESCE(",
        "PG_GET_SERIAL_SEQUENCE(",
    ];
    let mut rest = upper;
    for name in harmless {
        rest = rest.replace(&format!("PG_CATALOG.{name}"), " ").replace(name, " ");
    }
    let calls = rest.char_indices().any(|(at, c)| {
        c == '('
            && rest
                .get(..at)
                .is_some_and(|before| before.ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    });
    calls.then(|| unknown("what the functions that it calls do is not known"))
}

/// What the words of a statement tell that cannot be read as a whole.
pub(super) fn unread(text: &str) -> Known {
    let words: Vec<String> = shown(text).to_uppercase().split_whitespace().map(str::to_owned).collect();
    let begins =
        |wanted: &[&str]| words.iter().map(String::as_str).take(wanted.len()).eq(wanted.iter().copied());
    let renames = words.iter().any(|word| word.contains("SP_RENAME"));
    if renames {
        return contract("the older release knows it by the old name");
    }
    if begins(&["DROP", "INDEX"]) {
        return unknown("the older release may be too slow without the index, or count on it");
    }
    if begins(&["DROP"]) {
        return contract("the older release may need what it drops");
    }
    if begins(&["DO"])
        || begins(&["CALL"])
        || begins(&["EXEC"])
        || begins(&["EXECUTE"])
        || begins(&["IF"])
        || begins(&["DECLARE"])
    {
        return unknown("what a program does is not read");
    }
    unknown("it cannot be read")
}
