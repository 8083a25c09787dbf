//! How fast the fields of a file are compared and put back, against `yq` on the same files in the same run:
//!
//! ```sh
//! cargo bench --bench fields             # files of 1 to 300 KB, and yq from $YQ or the PATH
//! cargo bench --bench fields -- --small  # once each
//! ```
//!
//! `cargo test --benches` runs the small one once, so that it cannot rot. Without a `yq` its columns are left out.

#![expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    reason = "a benchmark prints, and ends where it goes wrong"
)]

mod files;
#[expect(dead_code, reason = "it prints no processor time")]
#[path = "../common/process.rs"]
mod process;
mod yq;

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use backout::domain::field::{File, Selection, compare, revert};

use files::Sample;
use yq::Yq;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// How long each of our measurements repeats its work, and how often it is measured.
    at_least: Duration,
    times: usize,
    /// How many files one `yq` gets at once.
    files: usize,
}

fn main() -> anyhow::Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let effort = if has("--small") || !has("--bench") {
        Effort { at_least: Duration::ZERO, times: 1, files: 2 }
    } else {
        Effort { at_least: Duration::from_millis(50), times: 9, files: 100 }
    };
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join("fields");
    std::fs::create_dir_all(&directory)?;
    let samples = files::samples();
    println!("{HEAD}");
    for sample in &samples {
        ours(sample, effort)?;
    }
    println!();
    match Yq::find() {
        None => println!("yq: not found, skipped"),
        Some(yq) => {
            println!("{}\n\n{}", yq.version, yq::HEAD);
            for sample in &samples {
                // Whichever was found, it is not ours to fail for.
                if let Err(error) = yq.measure(&directory, sample, effort) {
                    println!("| {} | {} | – | – | – | – |", sample.name, one_line(&error.to_string()));
                }
            }
        }
    }
    Ok(())
}

const HEAD: &str = "\
| file | bytes | fields | compare µs | MB/s | revert at the bad commit µs | revert later µs | MB/s |
|---|---|---|---|---|---|---|---|";

/// Measures `compare`, and `revert` of the bad commit itself and of a file that has changed elsewhere since.
fn ours(sample: &Sample, effort: Effort) -> anyhow::Result<()> {
    let selection = Selection::default();
    let file = File { path: sample.path, fields: &selection };
    let Sample { parent, bad, later, expected, .. } = sample;
    let put_back = |current: &str| revert(&file, parent.as_bytes(), bad.as_bytes(), current.as_bytes());
    ensure!(put_back(bad)?.bytes == parent.as_bytes(), "{}: the parent does not come back", sample.name);
    ensure!(put_back(later)?.bytes == expected.as_bytes(), "{}: later it comes out otherwise", sample.name);
    let fields = compare(&file, &parent.as_str().into(), &bad.as_str().into()).release_fields().count();

    let compared = median(effort, || {
        drop(black_box(compare(&file, &black_box(parent).as_str().into(), &black_box(bad).as_str().into())))
    });
    let back = median(effort, || drop(black_box(put_back(black_box(bad)))));
    let put = median(effort, || drop(black_box(put_back(black_box(later)))));
    // Of the file once, although two or three versions of it are read.
    let speed = |time: Duration| bad.len() as f64 / time.as_secs_f64() / 1e6;
    println!(
        "| {} | {} | {fields} | **{:.0}** | {:.1} | {:.0} | **{:.0}** | {:.1} |",
        sample.name,
        bad.len(),
        micros(compared),
        speed(compared),
        micros(back),
        micros(put),
        speed(put)
    );
    Ok(())
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// The median of several measurements of some work, each of which repeats it until it has taken long enough.
#[expect(clippy::disallowed_methods, reason = "time is what a benchmark is for")]
fn median(effort: Effort, work: impl Fn()) -> Duration {
    let mut measured: Vec<Duration> = (0..effort.times)
        .map(|_| {
            let (started, mut rounds) = (Instant::now(), 0u32);
            while rounds == 0 || started.elapsed() < effort.at_least {
                work();
                rounds += 1;
            }
            started.elapsed() / rounds
        })
        .collect();
    measured.sort();
    measured[measured.len() / 2]
}

/// The first line of a text, as a cell of a table.
fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or("").replace('|', "\\|")
}
