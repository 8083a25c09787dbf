//! The rules and the dashboard beside the metrics that there are, and the metrics beside their documentation.

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::Value;

use super::super::support::prometheus::program;
use super::{text_of, yaml_of};

const ALERTS: &str = "deploy/helm/backout/files/alerts.yaml";

/// The metrics that the documentation lists, with their labels.
pub(crate) fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let text = text_of("docs/configuration.md");
    let names = Regex::new(r"`([a-z_]+)`").unwrap();
    let all = |cell: &str| names.captures_iter(cell).map(|one| one[1].to_owned()).collect::<Vec<_>>();
    let rows = text.lines().filter(|line| line.starts_with("| `backout_"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').collect();
        (all(cells[1]).remove(0), all(cells[2]).into_iter().collect())
    };
    rows.map(row).collect()
}

/// The words of the last label of each metric that the documentation lists, where it lists any.
pub(crate) fn documented_words() -> BTreeMap<String, BTreeSet<String>> {
    let text = text_of("docs/configuration.md");
    let words = Regex::new(r"`([a-z_-]+)`").unwrap();
    let rows = text.lines().filter(|line| line.starts_with("| `backout_"));
    let row = |line: &str| {
        let cells: Vec<_> = line.split('|').collect();
        let all = words.captures_iter(cells[3]).map(|one| one[1].to_owned()).collect::<BTreeSet<_>>();
        (cells[1].trim().trim_matches('`').to_owned(), all)
    };
    rows.map(row).filter(|(_, words)| !words.is_empty()).collect()
}

/// The metrics that the program registers, by their names in Prometheus.
fn registered() -> BTreeSet<String> {
    let source = text_of("src/serve/metrics.rs");
    let counter = Regex::new(r"(?m)^    (\w+): Counters,$").unwrap();
    let counters: BTreeSet<_> = counter.captures_iter(&source).map(|one| one[1].to_owned()).collect();
    assert!(counters.contains("passes"), "{counters:?}");
    let register = Regex::new(r#"(?s)\.register(_with_unit)?\(\s*"([a-z_]+)".*?;"#).unwrap();
    let clone = Regex::new(r"self\.(\w+)\.clone\(\)").unwrap();
    register
        .captures_iter(&source)
        .map(|one| {
            let unit = if one.get(1).is_some() { "_seconds" } else { "" };
            let is_counter = clone.captures(&one[0]).is_some_and(|field| counters.contains(&field[1]));
            let end = if is_counter { "_total" } else { "" };
            format!("backout_{}{unit}{end}", &one[2])
        })
        .collect()
}

/// The names of metrics in a query.
fn names(query: &str) -> BTreeSet<String> {
    let name = Regex::new(r"\bbackout_[a-z_]+").unwrap();
    let known = documented();
    let parts = |found: &str| {
        let whole = ["_bucket", "_sum", "_count"].iter().find_map(|end| found.strip_suffix(end));
        whole.filter(|whole| known.contains_key(*whole)).unwrap_or(found).to_owned()
    };
    name.find_iter(query).map(|found| parts(found.as_str())).collect()
}

/// Fails where a query names a metric, or a label of one, that there is not.
#[track_caller]
fn is_answerable(place: &str, query: &str) {
    let known = documented();
    let found = names(query);
    assert!(!found.is_empty(), "{place}: {query}");
    let mut labels: BTreeSet<&str> = BTreeSet::from(["namespace", "job", "le"]);
    for name in &found {
        let own = known.get(name).unwrap_or_else(|| panic!("{place}: there is no metric {name}"));
        labels.extend(own.iter().map(String::as_str));
    }
    let lists = Regex::new(r"\b(?:by|on) \(([^)]*)\)").unwrap();
    let matchers = Regex::new(r"(\w+)=~?\x22").unwrap();
    let by = lists
        .captures_iter(query)
        .flat_map(|one| one[1].split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>());
    for label in by.chain(matchers.captures_iter(query).map(|one| one[1].to_owned())) {
        assert!(labels.contains(label.as_str()), "{place}: {found:?} have no label {label}");
    }
}

#[test]
fn the_documentation_lists_every_metric() {
    let listed: BTreeSet<_> = documented().into_keys().collect();
    assert_eq!(listed, registered());
}

#[test]
fn rules_ask_for_metrics_that_there_are() {
    let rules = yaml_of(ALERTS);
    let rules = rules["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() >= 8, "{}", rules.len());
    let readme = text_of("deploy/README.md");
    for rule in rules {
        let alert = rule["alert"].as_str().unwrap();
        is_answerable(alert, rule["expr"].as_str().unwrap());
        for place in ["/labels/severity", "/annotations/summary", "/annotations/description"] {
            assert!(rule.pointer(place).is_some_and(Value::is_string), "{alert}: {place}");
        }
        assert!(
            readme.contains(&format!("`{alert}`")),
            "deploy/README.md does not say what to do about {alert}"
        );
    }
}

#[test]
fn the_rules_of_the_chart_and_of_the_component_are_the_same() {
    let component = yaml_of("deploy/kustomize/components/monitoring/prometheusrule.yaml");
    assert_eq!(component["spec"], yaml_of(ALERTS));
}

#[test]
fn promtool_takes_the_rules_and_each_alert_fires_when_it_should() {
    let root = env!("CARGO_MANIFEST_DIR");
    for arguments in
        [&["check", "rules", "--lint-fatal", ALERTS][..], &["test", "rules", "tests/alerts/alerts.yaml"]]
    {
        let done = program("promtool").args(arguments).current_dir(root).output().unwrap();
        let told = [done.stdout, done.stderr].concat();
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&told));
    }
    let tested = text_of("tests/alerts/alerts.yaml");
    for rule in yaml_of(ALERTS)["groups"][0]["rules"].as_array().unwrap() {
        let alert = rule["alert"].as_str().unwrap();
        assert!(tested.contains(&format!("alertname: {alert}\n")), "tests/alerts/alerts.yaml: {alert}");
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    let dashboard = yaml_of("deploy/helm/backout/files/dashboard.json");
    let panels = dashboard["panels"].as_array().unwrap();
    let mut ids = BTreeSet::new();
    let mut shown = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_i64().unwrap()), "{title}: its id is another one's too");
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            // What Grafana puts in.
            let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
            is_answerable(title, &query);
            shown.extend(names(&query));
        }
    }
    for note in dashboard["annotations"]["list"].as_array().unwrap() {
        is_answerable("annotations", note["expr"].as_str().unwrap());
    }
    // The version is in the list of namespaces.
    let mut all: BTreeSet<_> = documented().into_keys().collect();
    all.remove("backout_build_info");
    assert_eq!(shown, all, "each metric is shown");
}
