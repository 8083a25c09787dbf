//! What holds the agent back: pauses from the command line and from a file, and freeze windows.

mod by_command;
mod by_file;
mod freezes;
mod world;

use serde_json::Value;

use super::stage::text;

/// The pauses that a report shows, each as what is paused and why.
pub(super) fn pauses(report: &Value) -> Vec<String> {
    let pauses = report["environments"][0]["brakes"]["pauses"].as_array().unwrap();
    let what = |pause: &Value| pause["service"].as_str().unwrap_or("all").to_owned();
    pauses.iter().map(|pause| format!("{}: {}", what(pause), text(pause, "why"))).collect()
}
