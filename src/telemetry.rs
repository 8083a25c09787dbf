//! Logs, through `tracing`.
