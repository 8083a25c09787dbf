//! The cost of one large push. The benchmark measures three: a commit changes one value of a 3 MB file, all values of it, or all
//! values of ten such files. `backout plan` runs on each as a whole process; beside it `git diff` does, and `yq` reads the file.
//!
//! ```sh
//! cargo bench --bench push             # files of 3 MB; a minute after the build
//! cargo bench --bench push -- --small  # files of 30 KB, once each
//! ```
//!
//! `cargo test --benches` makes the small one, so that it cannot rot. Without a `yq` its column is left out.

#![expect(clippy::print_stdout, reason = "a benchmark prints")]

#[expect(dead_code, reason = "it prints no processor time")]
#[path = "../common/process.rs"]
mod process;

use std::fmt::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::ensure;

use process::{command, measure, run};

/// How much is measured.
#[derive(Clone, Copy)]
struct Effort {
    entries: usize,
    times: usize,
}

/// A push: how many files, and how many of the values of each.
struct Push {
    name: &'static str,
    files: usize,
    is_all: bool,
}

const PUSHES: [Push; 3] = [
    Push { name: "one value of one file", files: 1, is_all: false },
    Push { name: "all values of one file", files: 1, is_all: true },
    Push { name: "all values of ten files", files: 10, is_all: true },
];

fn main() -> anyhow::Result<()> {
    let has = |flag: &str| std::env::args().any(|argument| argument == flag);
    let effort = if has("--small") || !has("--bench") {
        Effort { entries: 1_200, times: 1 }
    } else {
        Effort { entries: 120_000, times: 5 }
    };
    println!(
        "| push | bytes of a file | program | median ms | most ms | peak memory |\n|---|---|---|---|---|---|"
    );
    for push in &PUSHES {
        let directory = tempfile::tempdir()?;
        let file = prepare(directory.path(), push, effort)?;
        let bytes = std::fs::metadata(&file)?.len();
        let mut plan = command(env!("CARGO_BIN_EXE_backout"));
        plan.arg("plan").current_dir(&directory);
        // 4 says that it is left to a person.
        row(push, bytes, "`backout plan`", &mut plan, &[0, 4], effort)?;
        let mut diff = command("git");
        diff.args(["-C", "env", "diff", "HEAD^", "HEAD"]).current_dir(&directory);
        row(push, bytes, "`git diff`", &mut diff, &[0], effort)?;
        let mut yq = command("yq");
        yq.arg("length").arg(&file);
        if let Err(error) = row(push, bytes, "`yq length`, one version of one file", &mut yq, &[0], effort) {
            println!("| {} | {bytes} | `yq`: {error} | – | – | – |", push.name);
        }
    }
    Ok(())
}

fn prepare(home: &Path, push: &Push, effort: Effort) -> anyhow::Result<std::path::PathBuf> {
    let repository = home.join("env");
    std::fs::create_dir_all(repository.join("apps/shop"))?;
    let git = |arguments: &[&str]| {
        let identity =
            ["-c", "user.name=ann", "-c", "user.email=ann@example.com", "-c", "commit.gpgSign=false"];
        run(command("git").arg("-C").arg(&repository).args(identity).args(arguments).stdout(Stdio::null()))
    };
    let path = |number: usize| repository.join(format!("apps/shop/{number}.yaml"));
    git(&["init", "-q", "-b", "main"])?;
    for version in [0, 1] {
        for number in 0..push.files {
            let mut text = String::new();
            for entry in 0..effort.entries {
                let is_new = version == 1 && (push.is_all || entry == effort.entries / 2);
                writeln!(text, "- image: r{number}/a:v{entry}.0.{}", u8::from(is_new))?;
            }
            std::fs::write(path(number), text)?;
        }
        git(&["add", "-A"])?;
        git(&["commit", "-q", "-m", "Deploy"])?;
    }
    std::fs::write(
        home.join("metrics.csv"),
        "timestamp,metric,service,value\n1700000000,errors,shop,0.001\n",
    )?;
    std::fs::write(
        home.join("backout.yaml"),
        "repository: {url: env}\nenvironments:\n  production: {branch: main, mode: auto}\n\
         metrics:\n  file: {kind: csv, path: metrics.csv}\n\
         signals:\n  errors: {query: 'errors{service=\"{{ service }}\"}', kind: error-ratio}\n\
         services:\n  - {pattern: \"apps/{service}/**\"}\n",
    )?;
    Ok(path(0))
}

/// Measures one program.
fn row(
    push: &Push,
    bytes: u64,
    name: &str,
    program: &mut std::process::Command,
    codes: &[i32],
    effort: Effort,
) -> anyhow::Result<()> {
    let (mut walls, mut peak_kib) = (Vec::new(), 0);
    for _ in 0..effort.times {
        let took = measure(program, Stdio::null())?;
        let ended = took.output.status.code();
        let said = String::from_utf8_lossy(&took.output.stderr);
        ensure!(ended.is_some_and(|code| codes.contains(&code)), "{program:?} ended with {ended:?}: {said}");
        peak_kib = peak_kib.max(took.memory_kib().0);
        walls.push(took.wall);
    }
    walls.sort();
    let middle = walls.get(walls.len() / 2).copied().unwrap_or_default();
    let most = walls.last().copied().unwrap_or_default();
    let millis = |time: Duration| time.as_millis();
    println!(
        "| {} | {bytes} | {name} | **{}** | {} | {} MiB |",
        push.name,
        millis(middle),
        millis(most),
        peak_kib.div_ceil(1024)
    );
    Ok(())
}
