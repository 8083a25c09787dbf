//! A metric server in this process that speaks the range part of Prometheus' query API. It does not calculate PromQL:
//! it knows the demo's queries by the metric that they name.
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#range-queries>.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};

use super::cluster::{Cluster, Metric};
use super::scene::SERVICES;
use crate::domain::time::Time;

/// More points than this in a series are refused, as Prometheus does.
const MAX_POINTS: i64 = 11_000;

#[derive(Debug, Deserialize)]
struct Range {
    query: String,
    start: String,
    end: String,
    step: String,
}

type Reply = (StatusCode, Json<Value>);

/// Starts the server on a free port of 127.0.0.1 and returns its address. It ends with the program.
pub(super) async fn serve(cluster: Arc<Cluster>) -> anyhow::Result<SocketAddr> {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await;
    let listener = listener.context("cannot listen on 127.0.0.1 for the metric server")?;
    let address = listener.local_addr()?;
    let by_url = |State(cluster): State<Arc<Cluster>>, Query(range): Query<Range>| async move {
        answer(&cluster, &range)
    };
    let by_form = |State(cluster): State<Arc<Cluster>>, Form(range): Form<Range>| async move {
        answer(&cluster, &range)
    };
    let router = Router::new().route("/api/v1/query_range", get(by_url).post(by_form)).with_state(cluster);
    tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "the metric server has ended");
        }
    });
    Ok(address)
}

fn answer(cluster: &Cluster, range: &Range) -> Reply {
    let metric = match range.query.as_str() {
        query if query.contains("http_request_duration_seconds") => Metric::Latency,
        query if query.contains("http_requests_total") => Metric::Errors,
        _ => return refusal("this server knows the demo's own queries only"),
    };
    let times = (time(&range.start), time(&range.end), range.step.parse::<i64>());
    let (Some(start), Some(end), Ok(step)) = times else {
        return refusal("start and end must be times, and step a number of seconds");
    };
    if step < 1 || end < start || end.secs_since(start) / step >= MAX_POINTS {
        return refusal("the range must have from 1 to 11,000 points");
    }
    let series = |service| {
        let mut values = Vec::new();
        let mut at = start;
        while at <= end {
            values.extend(
                cluster.value(service, metric, at).map(|value| json!([at.unix(), value.to_string()])),
            );
            at = at.plus_secs(step);
        }
        (!values.is_empty()).then(|| json!({"metric": {"service": service.name}, "values": values}))
    };
    let result: Vec<Value> = SERVICES.iter().filter_map(series).collect();
    let data = json!({"resultType": "matrix", "result": result});
    (StatusCode::OK, Json(json!({"status": "success", "data": data})))
}

fn refusal(why: &str) -> Reply {
    let body = json!({"status": "error", "errorType": "bad_data", "error": why});
    (StatusCode::BAD_REQUEST, Json(body))
}

/// A Unix time in whole seconds, or RFC 3339.
fn time(text: &str) -> Option<Time> {
    match text.parse() {
        Ok(secs) => Some(Time::from_unix(secs)),
        Err(_) => {
            text.parse::<jiff::Timestamp>().ok().map(|timestamp| Time::from_unix(timestamp.as_second()))
        }
    }
}
