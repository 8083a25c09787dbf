//! How far one process goes: many repos in one pass and in one daemon, a day of passes without growth, and a year of a large company
//! as a simulation.
//!
//! ```sh
//! cargo bench --bench scale             # 50 repos with 2,000 services, two days of 1,440 passes, and the model; half an hour
//! cargo bench --bench scale -- --small  # 3 repos with 15 services, a day of 288 passes; seconds
//! cargo bench --bench scale -- --model  # a year of 1,000 repos with 100,000 services, from measured costs; some minutes
//! ```
//!
//! `--fleet` and `--day` make only these parts of it; `--repos 1000` takes so many repos for the first. `cargo test --benches` runs
//! the small ones once, so that they cannot rot.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a benchmark prints, and ends where it goes wrong"
)]

mod agent;
#[path = "../common/daemon.rs"]
mod daemon;
mod day;
mod fleet;
#[path = "../common/measure.rs"]
mod measure;
mod model;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/repo.rs"]
#[expect(dead_code, reason = "the repos here are smaller")]
mod repo;
mod rows;
mod sample;
#[path = "../common/server.rs"]
#[expect(dead_code, reason = "the configuration here is another one")]
mod server;

use std::path::Path;

use fleet::Size;

const FULL: Size = Size { repos: 50, services: 40, commits: 400 };
const SMALL: Size = Size { repos: 3, services: 5, commits: 20 };

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    if let Some(at) = arguments.iter().position(|argument| argument == "--agent") {
        return agent::serve(Path::new(&arguments[at + 1]));
    }
    let is_small = has("--small") || !has("--bench");
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("scale");
    std::fs::create_dir_all(&directory)?;
    let is_chosen = |part: &str| has(part) || !["--fleet", "--day", "--model"].into_iter().any(has);
    if is_chosen("--fleet") {
        let size = if is_small { SMALL } else { FULL };
        let asked = arguments.iter().position(|argument| argument == "--repos");
        let repos = asked.map_or(Ok(size.repos), |at| arguments[at + 1].parse())?;
        let times = if is_small || repos > 100 { 1 } else { 10 };
        rows::measure(&directory, Size { repos, ..size }, times)?;
    }
    if is_chosen("--day") {
        day::measure(&directory, if is_small { day::SMALL } else { day::FULL })?;
    }
    if is_chosen("--model") {
        model::measure(is_small)?;
    }
    Ok(())
}
