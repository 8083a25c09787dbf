//! A few deployments among many services: what is asked, and that the answer says the same as one about all services.

use serde_json::Value;

use super::stage::{BOT, Config, Stage, item, text, words};
use crate::support::proxy::Proxy;

/// A pass over the namespace of a thousand services, in which `svc-7` was deployed 14 minutes ago and every service is bad since
/// 11 minutes. Returns what the record says and what the source was asked. `comment` stands at the end of the query.
fn everybody_is_bad(comment: &str) -> (Value, Vec<String>) {
    let stage = Stage::on_path();
    stage.begin(&["svc-7"]);
    let proxy = Proxy::start(stage.metrics_url());
    let mut config = Config::of("many");
    config.metrics_url = Some(proxy.url());
    config.policy = "settle: 60s, watch: 9m, baseline: 30m".to_owned();
    let since = stage.now() - 11 * 60;
    config.signals = format!(
        "  load: {{query: 'avg by (app) (load{{namespace=\"{{{{ namespace }}}}\"}}) + 10 * (time() > bool {since}) \
         #{comment}', by: app, above: 5, for: 2m}}\n"
    );
    stage.configure(&config);
    stage.deploy("svc-7", "v2", -14, BOT);
    let report = stage.pass(0);
    assert_eq!(words(item(&report, "svc-7")), "inconclusive pass");
    let why = "the damage hits services that were not deployed too: svc-0, svc-1, svc-10, svc-100, svc-101 and 3 more";
    assert!(text(item(&report, "svc-7"), "why").contains(why), "{report:#}");
    let record = stage.history().into_iter().find(|record| record["service"] == "svc-7").unwrap();
    (record, proxy.requests())
}

#[test]
fn one_service_among_a_thousand_is_judged_as_by_an_answer_about_all() {
    let (narrowed, asked) = everybody_is_bad("");
    let is_narrowed: Vec<bool> = asked.iter().map(|request| request.contains("label_replace")).collect();
    assert_eq!(is_narrowed, [true, false, true], "the service, who else there is, and a few of them");
    assert!(asked[1].contains("start=") && !asked[2].contains("svc-999"), "{asked:#?}");
    // So long a query is not made longer.
    let (whole, asked) = everybody_is_bad(&"-".repeat(7_200));
    assert_eq!(asked.len(), 1);
    assert_eq!(narrowed["judgement"], whole["judgement"]);
    let signal = |verdict: &Value| verdict["evidence"]["signals"][0].clone();
    for kept in ["found", "controls", "seasonal", "warnings"] {
        assert_eq!(signal(&narrowed)[kept], signal(&whole)[kept], "{kept}");
    }
    assert!(
        !signal(&narrowed).to_string().contains("label_replace"),
        "a record has the query of the configuration"
    );
}
