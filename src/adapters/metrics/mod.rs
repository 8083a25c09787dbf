//! Metric sources. A new one costs a file here, a variant, and an arm in [`connect`].

use super::http::HttpError;
use crate::ports::MetricSource;

pub mod csv_file;
pub mod exchange;
pub mod http_json;
pub mod json_points;
pub mod prometheus;
pub mod samples;
pub mod selector;
pub mod table;

/// What a metric source is, and how to reach it.
#[derive(Clone, Debug)]
pub enum SourceOptions {
    /// Prometheus, or anything that speaks its query API: Thanos, Mimir, Cortex, VictoriaMetrics.
    Prometheus(prometheus::Options),
    /// A CSV file on this machine.
    Csv(csv_file::CsvOptions),
    /// Any server that gives values over time as plain JSON.
    HttpJson(exchange::Options),
}

/// Makes the client for a source. Asks it nothing yet.
///
/// # Errors
/// When the address, a header, the proxy or a certificate is not valid.
pub fn connect(options: &SourceOptions) -> Result<Box<dyn MetricSource>, HttpError> {
    match options {
        SourceOptions::Prometheus(options) => Ok(Box::new(prometheus::Prometheus::new(options)?)),
        SourceOptions::Csv(options) => Ok(Box::new(csv_file::CsvFile::new(options))),
        SourceOptions::HttpJson(options) => Ok(Box::new(http_json::HttpJson::new(options)?)),
    }
}
