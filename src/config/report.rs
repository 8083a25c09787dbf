//! Mistakes in the configuration, each with its place, as people and machines see them.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1.
    pub line: u32,
    /// The column in characters, from 1.
    pub column: u32,
    /// What is wrong, and what to write instead.
    pub message: String,
    /// The line with a mark below the place, without secrets; empty where there is no line.
    #[serde(skip)]
    pub(super) snippet: String,
}

/// Every mistake that was found, in the order of their places; at least one. Shown, it is what a person reads;
/// serialised, it is a list of file, line, column and message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct ConfigErrors {
    pub(super) errors: Vec<ConfigError>,
}

impl ConfigErrors {
    /// The mistakes, in the order of their places.
    #[must_use]
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().enumerate() {
            if index > 0 {
                writeln!(f)?;
            }
            writeln!(f, "{}:{}:{}: {}", error.file.display(), error.line, error.column, error.message)?;
            f.write_str(&error.snippet)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
