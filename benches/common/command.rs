//! Programs that benchmarks start.

use std::process::Command;

use anyhow::ensure;

/// A command; the benchmark starts programs here and nowhere else.
#[expect(clippy::disallowed_methods, reason = "the benchmark measures real programs")]
pub(crate) fn command(program: impl AsRef<std::ffi::OsStr>) -> Command {
    Command::new(program)
}

/// Runs a program that must succeed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    ensure!(command.status()?.success(), "{command:?} failed");
    Ok(())
}
