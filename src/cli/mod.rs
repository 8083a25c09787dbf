//! The command line: one file a command. The only code that prints.

mod chart;
mod check;
mod common;
mod daemon;
mod demo;
mod explain;
mod history;
mod init;
mod judge;
mod output;
mod page;
mod pause;
mod plan;
mod revert;
mod run;
mod status;
mod unpin;
mod world;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use self::common::{Common, Ending};
use crate::telemetry;

/// Backs bad deployments out of an environment repo with a surgical Git commit.
#[derive(Debug, Parser)]
#[command(version, about, long_about = None, after_help = EXIT_CODES, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 nothing to do, 1 error, 2 wrong usage, 3 acted (a branch was changed or a \
proposal made), 4 a person must look at something.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the whole story on a throwaway repo and an in-process metric server
    #[command(after_help = "With --format json, each event is a JSON document on a line of its own.")]
    Demo(demo::DemoArgs),
    /// Propose a configuration for an environment repo
    Init(init::InitArgs),
    /// Check the configuration, the right to read and push, and that every metric query answers
    Check(check::CheckArgs),
    /// Say what a pass would do and why, touching nothing
    Plan(plan::PlanArgs),
    /// Watch and back out: as a daemon, or for one pass with --once
    Run(run::RunArgs),
    /// Back a deployment out on a person's request, whatever the mode, by the name of its service or by its commit
    Revert(revert::RevertArgs),
    /// Have all agents make no revert for a while, in an environment or of one service
    #[command(after_help = pause::AFTER_HELP)]
    Pause(pause::PauseArgs),
    /// End pauses before their time
    #[command(after_help = pause::AFTER_HELP)]
    Resume(pause::ResumeArgs),
    /// Show what each service runs, since when, and what is kept out of it
    Status(status::StatusArgs),
    /// Let automation put a version back that a revert has pinned, before the time of the pins is over
    Unpin(unpin::UnpinArgs),
    /// Write what the daemon's pages show as files for a browser, for those who run it from cron
    Page(page::PageArgs),
    /// Read the audit log back from Git
    History(history::HistoryArgs),
    /// Derive a recorded verdict again from its evidence alone
    Explain(explain::ExplainArgs),
    /// Judge a file of metrics around a deployment, without any repository or configuration
    #[command(after_help = judge::AFTER_HELP)]
    Judge(Box<judge::JudgeArgs>),
    /// Print the JSON schema of the configuration, or of a record in the notes
    Schema(SchemaArgs),
    /// Print a script for shell completion
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, clap::Args)]
struct SchemaArgs {
    /// Which schema
    #[arg(value_enum, default_value_t)]
    of: SchemaOf,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum SchemaOf {
    /// The configuration file.
    #[default]
    Config,
    /// One line of a note in refs/notes/backout-*.
    Record,
}

/// How long work is waited for that was asked to end: with it, SIGTERM ends the program within a second.
const SHUTDOWN: std::time::Duration = std::time::Duration::from_millis(500);

/// Runs a command and turns its ending into an exit code.
#[must_use]
pub fn main(cli: Cli) -> ExitCode {
    let daemon = matches!(&cli.command, Command::Run(args) if !args.once);
    let default_filter = if daemon { "info" } else { "warn" };
    telemetry::start(cli.common.log_format, cli.common.log.as_deref().unwrap_or(default_filter));
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::anyhow!("cannot start: {error}")),
    };
    let ending = runtime.block_on(command(cli));
    // What was asked to end is given up: an agent that is killed leaves nothing to repair.
    runtime.shutdown_timeout(SHUTDOWN);
    match ending {
        Ok(_) if output::was_lost() => ExitCode::from(Ending::Error as u8),
        Ok(ending) => ExitCode::from(ending as u8),
        Err(error) => failed(&error),
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    output::problem(&format!("{error:#}"));
    ExitCode::from(Ending::Error as u8)
}

async fn command(cli: Cli) -> anyhow::Result<Ending> {
    let common = &cli.common;
    match cli.command {
        Command::Demo(args) => demo::run(common, args).await,
        Command::Init(args) => init::run(common, args).await,
        Command::Check(args) => check::run(common, args).await,
        Command::Plan(args) => plan::run(common, args).await,
        Command::Run(args) => run::run(common, args).await,
        Command::Revert(args) => revert::run(common, args).await,
        Command::Pause(args) => pause::pause(common, args).await,
        Command::Resume(args) => pause::resume(common, args).await,
        Command::Status(args) => status::run(common, args).await,
        Command::Unpin(args) => unpin::run(common, args).await,
        Command::Page(args) => page::run(common, args).await,
        Command::History(args) => history::run(common, args).await,
        Command::Explain(args) => explain::run(common, args).await,
        Command::Judge(args) => judge::run(common, &args),
        Command::Schema(args) => {
            let schema = match args.of {
                SchemaOf::Config => crate::config::schema(),
                SchemaOf::Record => crate::record::schema(),
            };
            output::json(&schema)?;
            Ok(Ending::Quiet)
        }
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "backout", &mut script);
            output::text(&String::from_utf8_lossy(&script));
            Ok(Ending::Quiet)
        }
    }
}
