//! The `backout` program: parse, run, exit code.

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    backout::cli::main(backout::cli::Cli::parse())
}
