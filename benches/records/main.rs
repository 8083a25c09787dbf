//! The cost of the records, over HTTP and through the program as its users run it:
//!
//! ```sh
//! cargo bench --bench records             # a year of 1,000 deployments a day, and then a day of them
//! cargo bench --bench records -- --small  # a year of 3 a day, and a day of 24
//! ```
//!
//! `cargo test --benches` runs the small one once, so that it cannot rot. It needs `git`, which does the same beside it.

#![expect(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "a benchmark prints, and ends where it goes wrong"
)]

mod day;
#[path = "../common/measure.rs"]
mod measure;
#[path = "../common/process.rs"]
mod process;
#[path = "../common/repo.rs"]
mod repo;
#[path = "../common/server.rs"]
mod server;
mod written;
mod year;

use std::path::Path;

use repo::Size;

fn main() -> anyhow::Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let is_small = has("--small") || !has("--bench");
    let times = if has("--bench") { 5 } else { 1 };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("records");
    std::fs::create_dir_all(&directory)?;
    // About every eighth deployment takes two commits: its own, and that of its merge.
    let size = match is_small {
        true => Size { services: 50, commits: 1_200 },
        false => Size { services: 500, commits: 411_000 },
    };
    year::measure(&directory, size, times)?;
    day::measure(&directory, if is_small { 24 } else { 1_000 })
}
