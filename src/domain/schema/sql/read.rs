//! A text of SQL as its statements, each read in a dialect.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::Regex;
use sqlparser::ast::Statement;
use sqlparser::dialect::Dialect;
use sqlparser::parser::Parser;
use sqlparser::tokenizer::{Token, TokenWithSpan, Tokenizer};

/// The most statements of a text that are read.
pub(super) const MAX_STATEMENTS: usize = 2_000;
/// How deep a statement may be nested: what is deeper is not read.
const MAX_DEPTH: usize = 40;
/// How much of a statement is shown, in characters.
const MAX_SHOWN: usize = 120;

/// The part of a text that brings the schema forward. Sources: <https://pressly.github.io/goose/documentation/annotations/>,
/// <https://github.com/amacneil/dbmate#creating-migrations>, <https://github.com/rubenv/sql-migrate#writing-migrations>.
pub(super) fn upwards(sql: &str) -> String {
    let mut is_up = true;
    let mut text = String::with_capacity(sql.len());
    for line in sql.split_inclusive('\n') {
        let mark = line.trim().trim_start_matches('-').trim().to_lowercase();
        let is_comment = line.trim_start().starts_with("--");
        if is_comment && ["+goose down", "migrate:down", "+migrate down", "//@undo"].contains(&mark.as_str())
        {
            is_up = false;
        } else if is_comment
            && (mark.starts_with("+goose up")
                || mark.starts_with("migrate:up")
                || mark.starts_with("+migrate up"))
        {
            is_up = true;
        }
        // Line numbers stay.
        text.push_str(if is_up { line } else { "\n" });
    }
    text
}

/// `${schema}`, as Flyway has them. Source: <https://documentation.red-gate.com/flyway/flyway-concepts/migrations/migration-placeholders>.
static PLACEHOLDER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\$\{[A-Za-z0-9_.:-]+\}").ok());

/// A statement as it stands in the text.
pub(super) struct Read {
    pub(super) line: u64,
    pub(super) text: String,
    /// None where it cannot be read.
    pub(super) parsed: Option<Statement>,
}

/// Reads the statements of a text in a dialect. None where not even its words can be told apart.
pub(super) fn read(dialect: &dyn Dialect, sql: &str) -> Option<Vec<Read>> {
    // MariaDB runs what looks like a comment. Source: <https://mariadb.com/kb/en/comment-syntax/>.
    if sql.contains("/*M!") {
        return None;
    }
    let sql: String = sql.split_inclusive('\n').map(without_command).collect();
    let sql = PLACEHOLDER
        .as_ref()
        .map_or_else(|| sql.clone(), |regex| regex.replace_all(&sql, "placeholder").into_owned());
    let tokens = Tokenizer::new(dialect, &sql).tokenize_with_location().ok()?;
    let mut statements = Vec::new();
    let mut current: Vec<TokenWithSpan> = Vec::new();
    let mut blocks = 0_usize;
    for token in tokens {
        let word =
            if let Token::Word(word) = &token.token { word.value.to_uppercase() } else { String::new() };
        // What is between BEGIN and END belongs to a procedure, a trigger or a block.
        let is_routine = current.iter().take(8).any(|token| {
            matches!(&token.token, Token::Word(word) if ["PROCEDURE", "FUNCTION", "TRIGGER"].contains(&word.value.to_uppercase().as_str()))
        });
        match word.as_str() {
            "BEGIN" if is_routine => blocks += 1,
            "CASE" if blocks > 0 => blocks += 1,
            "END" if blocks > 0 => blocks -= 1,
            _ => {}
        }
        if token.token == Token::SemiColon && blocks == 0 {
            statements.extend(statement(dialect, std::mem::take(&mut current)));
        } else {
            current.push(token);
        }
        if statements.len() >= MAX_STATEMENTS {
            return Some(statements);
        }
    }
    statements.extend(statement(dialect, current));
    Some(statements)
}

/// Commands of psql that run nothing else and change no data. Source: <https://www.postgresql.org/docs/current/app-psql.html>.
const PSQL: [&str; 23] = [
    "\\a",
    "\\c",
    "\\connect",
    "\\echo",
    "\\elif",
    "\\else",
    "\\encoding",
    "\\endif",
    "\\errverbose",
    "\\f",
    "\\h",
    "\\if",
    "\\prompt",
    "\\pset",
    "\\qecho",
    "\\restrict",
    "\\set",
    "\\t",
    "\\timing",
    "\\unrestrict",
    "\\unset",
    "\\warn",
    "\\x",
];
/// The same of sqlcmd. Source: <https://learn.microsoft.com/sql/tools/sqlcmd/sqlcmd-commands>.
const SQLCMD: [&str; 7] = [":connect", ":error", ":list", ":on", ":out", ":serverlist", ":setvar"];

/// A line of SQL; nothing where it is a command of a client that does nothing: `GO` of SQL Server, `DELIMITER` of MySQL, `\connect` of
/// PostgreSQL. Any other command of a client is a statement of its own, which nobody can read: it may run another file.
fn without_command(line: &str) -> Cow<'_, str> {
    let own = line.trim();
    let upper = own.to_uppercase();
    let is_go =
        upper == "GO" || upper.strip_prefix("GO ").is_some_and(|count| count.trim().parse::<u32>().is_ok());
    if is_go {
        return Cow::Borrowed(";\n");
    }
    let word = own.split_whitespace().next().unwrap_or("");
    // Behind a backslash a second command may stand on the line.
    let is_harmless = own.matches('\\').count() <= 1 && PSQL.contains(&word)
        || SQLCMD.contains(&word.to_lowercase().as_str())
        || upper.starts_with("DELIMITER ");
    if is_harmless {
        return Cow::Borrowed("\n");
    }
    let is_of_sqlcmd =
        word.strip_prefix(':').is_some_and(|rest| rest.starts_with(|c: char| c.is_alphabetic() || c == '!'));
    if own.starts_with(['\\', '!']) || is_of_sqlcmd {
        return Cow::Owned(format!(";{own};\n"));
    }
    Cow::Borrowed(line)
}

fn statement(dialect: &dyn Dialect, tokens: Vec<TokenWithSpan>) -> Option<Read> {
    let is_blank = |token: &Token| matches!(token, Token::Whitespace(_) | Token::EOF);
    let first = tokens.iter().find(|token| !is_blank(&token.token))?;
    let line = first.span.start.line;
    let text: String = tokens.iter().map(|token| token.token.to_string()).collect();
    // How SQL Server stores an index does not matter, and is not read.
    let stores = |token: &TokenWithSpan| {
        matches!(&token.token, Token::Word(word) if word.quote_style.is_none()
            && matches!(word.value.to_uppercase().as_str(), "NONCLUSTERED" | "CLUSTERED" | "COLUMNSTORE"))
    };
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| !stores(token)).collect();
    let parsed = Parser::new(dialect)
        .with_recursion_limit(MAX_DEPTH)
        .with_tokens_with_locations(tokens)
        .parse_statements();
    let parsed =
        parsed.ok().filter(|statements| statements.len() == 1).and_then(|mut statements| statements.pop());
    Some(Read { line, text, parsed })
}

/// The beginning of a statement on one line, without comments.
pub(super) fn shown(text: &str) -> String {
    let mut words = String::new();
    for word in
        text.lines().filter(|line| !line.trim_start().starts_with("--")).flat_map(str::split_whitespace)
    {
        if words.chars().count() + word.chars().count() > MAX_SHOWN {
            words.push('…');
            break;
        }
        if !words.is_empty() {
            words.push(' ');
        }
        words.push_str(word);
    }
    words
}
