//! What all commands share: what each understands, and how each ends.

use std::path::{Path, PathBuf};

use crate::adapters::git::person_of;
use crate::telemetry::LogFormat;

/// What every command understands.
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Common {
    /// Configuration file; may be given several times [default: backout.yaml]
    #[arg(long, short, global = true, value_name = "FILE")]
    pub(super) config: Vec<PathBuf>,
    /// How results are printed
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(super) format: Format,
    /// How logs are written
    #[arg(long, global = true, value_enum, default_value_t)]
    pub(super) log_format: LogFormat,
    /// Which logs are written: error, warn, info, debug, trace, or a `tracing` filter
    #[arg(long, global = true, value_name = "FILTER", env = "BACKOUT_LOG")]
    pub(super) log: Option<String>,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Format {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON document on standard output.
    Json,
}

/// How a command ended, as an exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing to do.
    Quiet = 0,
    /// Something went wrong.
    Error = 1,
    /// A branch was changed, or a proposal was made.
    Acted = 3,
    /// A person must look at something.
    Escalated = 4,
}

/// Who asks for something: as Git knows the person in a directory, or else the name of the account.
#[expect(clippy::disallowed_methods, reason = "the account's name is in the environment")]
pub(super) fn requester(directory: &Path) -> String {
    let account = || {
        std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_else(|_| "a person".to_owned())
    };
    person_of(directory).unwrap_or_else(account)
}
