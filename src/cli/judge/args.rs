//! What `backout judge` takes, and its help.

use std::path::PathBuf;

use crate::adapters::metrics::samples::read_time;
use crate::config::duration_secs;
use crate::domain::time::Time;

/// What stands below the help.
pub(in crate::cli) const AFTER_HELP: &str = "The file is CSV: a header, then a row for each moment, either long \
(timestamp,metric,service,value; every other column is a label) or wide (timestamp,errors,latency: each column is a \
metric). Or JSON: [[timestamp, value], …], [{\"timestamp\", \"value\", \"labels\"}, …] or [{\"labels\", \"values\": \
[[timestamp, value], …]}, …]. Times are seconds since 1970 or RFC 3339.

Each metric is a signal. Where there is a label `service`, one service is judged, and the others show whether it is the \
only one that got worse.

Exit codes: 0 healthy, pending, preexisting or inconclusive, 1 error, 2 wrong usage, 4 regressed.";

/// What the command takes.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct JudgeArgs {
    /// The file with the metrics
    #[arg(long, value_name = "FILE")]
    pub(super) series: PathBuf,
    /// When the deployment was: RFC 3339, or seconds since 1970
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) deployed_at: Time,
    /// The service to judge, where the file has several
    #[arg(long, value_name = "NAME")]
    pub(super) service: Option<String>,
    /// Only series with these labels, e.g. '{region="eu"}'
    #[arg(long, value_name = "SELECTOR")]
    pub(super) select: Option<String>,
    /// What a metric measures: error-ratio, latency, traffic, saturation, quality or custom [default: guessed
    /// from its name]
    #[arg(long, value_name = "[METRIC=]KIND")]
    pub(super) kind: Vec<String>,
    /// Which way is bad: higher-is-worse or lower-is-worse [default: as the kind says]
    #[arg(long, value_name = "[METRIC=]DIRECTION")]
    pub(super) direction: Vec<String>,
    /// The smallest difference that matters, e.g. errors=1% [default: as the kind says]
    #[arg(long, value_name = "[METRIC=]NUMBER")]
    pub(super) min_difference: Vec<String>,
    /// Take samples at this distance, as the agent does [default: at their own times]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) step: Option<u32>,
    /// Samples this soon after the deployment are not judged [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) settle: Option<u32>,
    /// How long after the deployment is watched [default: 30m, or 30 steps where that is longer]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) watch: Option<u32>,
    /// How much before the deployment is the baseline [default: 80m, or 80 steps where that is longer]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) baseline: Option<u32>,
    /// Judge as of this time [default: the last sample, or the end of the watch where that is less than a step later]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub(super) at: Option<Time>,
    /// Judge at each moment after the deployment, and say when the verdict was first final
    #[arg(long)]
    pub(super) stream: bool,
    /// Also draw the signals into this file, which is replaced
    #[arg(long, value_name = "FILE")]
    pub(super) svg: Option<PathBuf>,
    /// The column of a CSV file with the times [default: timestamp]
    #[arg(long, value_name = "COLUMN")]
    pub(super) timestamp_column: Option<String>,
    /// The column of a CSV file with the values [default: value]
    #[arg(long, value_name = "COLUMN")]
    pub(super) value_column: Option<String>,
    /// A column of a CSV file that is a label; may be given several times [default: all others in a long file]
    #[arg(long, value_name = "COLUMN")]
    pub(super) label_column: Vec<String>,
}

fn time(text: &str) -> Result<Time, String> {
    read_time(text).map(|at_ms| Time::from_unix(at_ms.div_euclid(1000)))
}

fn duration(text: &str) -> Result<u32, String> {
    duration_secs(text).ok_or_else(|| "write a duration with its unit, such as 60s or 1h30m".to_owned())
}
