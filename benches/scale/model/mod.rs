//! A year of a large company as a simulation: deployments by hour and day and in trains, passes over each repo in the processes that
//! there are, and what these ask of the Git server, the metric source and the forge. What one pass costs was measured, see [`costs`].

mod costs;
mod fleet;
mod queue;
mod tally;
mod year;

use costs::{PASS, RECORD_BYTES, REVERT_RECORD_BYTES};
use year::{Setup, simulate};

/// Prints the table.
pub(crate) fn measure(is_small: bool) -> anyhow::Result<()> {
    let all = Setup {
        repos: if is_small { 20 } else { 1_000 },
        deployments_a_day: if is_small { 200.0 } else { 10_000.0 },
        days: if is_small { 7 } else { 365 },
        processes: 1,
        interval_secs: 60,
        has_hooks: true,
        git_ms: 100,
        query_ms: 200,
    };
    println!(
        "\nA year as a simulation: {} repos, {} deployments a day over {} days, {} ms an answer of the Git server, {} ms a query\n",
        all.repos, all.deployments_a_day, all.days, all.git_ms, all.query_ms
    );
    let setups = [
        ("1 process, 60 s, no webhooks", Setup { has_hooks: false, ..all }),
        ("1 process, 60 s, webhooks", all),
        ("1 process, 5 min, webhooks", Setup { interval_secs: 300, ..all }),
        ("4 shards, 60 s, webhooks", Setup { processes: 4, ..all }),
        ("1 process, 60 s, webhooks, queries of 2 s", Setup { query_ms: 2_000, ..all }),
        ("8 shards, 60 s, webhooks, queries of 2 s", Setup { query_ms: 2_000, processes: 8, ..all }),
        ("1 process, 60 s, webhooks, Git answers after 1 s", Setup { git_ms: 1_000, ..all }),
    ];
    let setups = if is_small { &setups[..2] } else { &setups[..] };
    let mut columns = Vec::new();
    for (name, setup) in setups {
        columns.push((*name, simulate(*setup).lines()));
    }
    println!("| | {} |", columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(" | "));
    println!("|---|{}", "---|".repeat(columns.len()));
    for (nth, (name, _)) in columns[0].1.iter().enumerate() {
        let cells: Vec<&str> = columns.iter().map(|(_, lines)| lines[nth].1.as_str()).collect();
        println!("| {name} | {} |", cells.join(" | "));
    }
    println!(
        "\nCosts of a pass: {PASS:?}; {RECORD_BYTES} bytes a record packed, {REVERT_RECORD_BYTES} of one of a revert"
    );
    Ok(())
}
