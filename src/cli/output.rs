//! Printing. Text from a repository or a server is stripped of control characters before it reaches a terminal.

use std::future::Future;
use std::io::{ErrorKind, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;

use crate::agent::WaitingProposal;
use crate::domain::text::flat;

/// Whether something could not be printed.
static LOST: AtomicBool = AtomicBool::new(false);

/// Whether something could not be printed, for another reason than a reader that went away.
pub(super) fn was_lost() -> bool {
    LOST.load(Ordering::Relaxed)
}

/// Prints text to standard output. A reader that went away (`| head`) is no error; a full disk is one.
pub(super) fn text(text: &str) {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            if !LOST.swap(true, Ordering::Relaxed) {
                problem(&format!("the output cannot be written: {error}"));
            }
        }
        Ok(()) | Err(_) => {}
    }
}

/// Prints a line to standard output.
pub(super) fn line(line: &str) {
    text(&format!("{line}\n"));
}

/// Prints a value as indented JSON.
pub(super) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints a problem to standard error.
pub(super) fn problem(problem: &str) {
    let mut err = std::io::stderr().lock();
    let _closed = writeln!(err, "error: {}", plain_lines(problem).trim_end());
}

/// Prints a warning to standard error.
pub(super) fn warning(warning: &str) {
    let mut err = std::io::stderr().lock();
    let _closed = writeln!(err, "warning: {}", plain(warning));
}

/// A revert that waits on a branch, with how a person takes it.
pub(super) fn waiting(one: &WaitingProposal) -> [String; 2] {
    let WaitingProposal { service, deployment, subject, since, branch, into, .. } = one;
    let subject = plain(subject);
    [
        format!("{service} {} waits since {since} on {branch}: {subject}", deployment.short()),
        format!("  to take it, on {into}: git fetch && git merge {}", quoted(&format!("origin/{branch}"))),
    ]
}

/// A word as a shell reads it.
pub(super) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Untrusted text for a terminal: control characters (escape sequences among them) become spaces, and so do marks of
/// direction, which could show a value as another one.
pub(super) fn plain(text: &str) -> String {
    flat(text)
}

/// The same for text of several lines.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(|line| plain(line) + "\n").collect()
}

/// Prints a diff: to a terminal without control characters, and elsewhere as it is, so that it can be applied.
pub(super) fn diff(diff: &str) {
    if std::io::stdout().is_terminal() { text(&plain_lines(diff)) } else { text(diff) }
}

/// Whether standard output is a terminal that shows colours.
pub(super) fn colours() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}

/// Text in a colour (an SGR code such as `31`), where the terminal shows colours.
pub(super) fn coloured(code: &str, text: &str) -> String {
    if colours() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// Waits for `work`; when it takes more than a second, a terminal is shown what is going on and for how long.
pub(super) async fn progress<T>(label: &str, work: impl Future<Output = T>) -> T {
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    tokio::pin!(work);
    let mut secs = 0_u32;
    loop {
        tokio::select! {
            done = &mut work => {
                if secs > 0 {
                    show("\r\u{1b}[K");
                }
                return done;
            }
            () = tokio::time::sleep(Duration::from_secs(1)) => {
                secs += 1;
                show(&format!("\r\u{1b}[K{label} … {secs} s"));
            }
        }
    }
}

fn show(text: &str) {
    let mut err = std::io::stderr().lock();
    let _closed = write!(err, "{text}").and_then(|()| err.flush());
}
