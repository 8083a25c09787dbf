//! Tests of the whole way from text to settings.

use std::path::PathBuf;

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;
use crate::adapters::git::GitAuth;
use crate::adapters::metrics::SourceOptions;
use crate::adapters::metrics::prometheus::Auth;
use crate::domain::environment::policy::Mode;
use crate::domain::environment::signal::{Direction, Rule};

mod estates;
mod freezes;
mod groups;
mod lease;
mod pins;
mod source_code;

const VALID: &str = r#"repository:
  url: https://git.example.com/platform/environments.git
  auth: {kind: token, token: {env: GIT_TOKEN}}
  author: {name: backout, email: backout@example.com}
environments:
  production: {branch: main, paths: ["apps/*/production/**"], mode: auto, budget: {max_reverts: 2, window: 1h}}
  staging: {branch: staging, policy: quick}
metrics:
  prom:
    kind: prometheus
    url: http://prometheus:9090
    auth: {kind: basic, username: me, password: {env: PASSWORD}}
    headers: {X-Scope-OrgID: team}
signals:
  errors: {query: 'sum by (app) (rate(x{ns="{{ namespace }}"}[1m]))', by: app, kind: error-ratio, above: 5%}
  latency: {source: prom, query: 'p99{app="{{ service }}"}', kind: latency, change: 50%, for: 2m, step: 30s}
  traffic: {query: 'rps{app="{{ service }}"}', kind: traffic}
policies:
  quick: {settle: 30s, watch: 10m, quorum: 2, mode: propose}
services:
  - {name: checkout, paths: ["apps/checkout/**"], environments: [production], signals: [errors], mode: propose}
  - {pattern: "apps/{service}/{environment}/**", labels: {namespace: shop}}
"#;

fn variables(name: &str) -> Option<String> {
    let value = match name {
        "GIT_TOKEN" => "t0ken",
        "PASSWORD" => "passw0rd",
        "HOME" => "/home/me",
        _ => return None,
    };
    Some(value.to_owned())
}

fn load_texts(texts: &[&str]) -> Result<Settings, ConfigErrors> {
    let file = |(index, text): (usize, &&str)| SourceFile {
        path: PathBuf::from(format!("etc/{index}.yaml")),
        text: (*text).to_owned(),
    };
    let files: Vec<SourceFile> = texts.iter().enumerate().map(file).collect();
    parse(&files, &variables)
}

/// The mistakes in `VALID` with `from` replaced by `to`.
fn mistakes(from: &str, to: &str) -> String {
    assert!(VALID.contains(from), "{from} is not in the text");
    load_texts(&[&VALID.replacen(from, to, 1)]).unwrap_err().to_string()
}

#[test]
fn a_valid_text_gives_settings_with_all_defaults() {
    let settings = load_texts(&[VALID]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.estates[0].repository.cache_dir, PathBuf::from("/home/me/.cache/backout"));
    assert!(
        matches!(&settings.estates[0].repository.auth, GitAuth::Token(token) if token.expose_secret() == "t0ken")
    );
    assert_eq!(settings.estates[0].repository.committer.email, "backout@example.com");
    assert_eq!(settings.interval_secs, 60);
    assert_eq!(settings.digest.len(), 64);
    let Some(SourceOptions::Prometheus(prometheus)) = settings.sources.values().next() else {
        panic!("no Prometheus")
    };
    assert!(
        matches!(&prometheus.auth, Auth::Basic { password, .. } if password.expose_secret() == "passw0rd")
    );
    assert_eq!(prometheus.max_body_bytes, 64 << 20);

    let [production, staging] = settings.estates[0].environments.as_slice() else {
        panic!("two environments")
    };
    assert_eq!((production.budget.max_reverts, production.budget.incident_services), (2, 3));
    let [checkout, others] = production.services.as_slice() else { panic!("two services") };
    assert_eq!(checkout.policy.mode, Mode::Propose, "the service's mode comes first");
    assert_eq!(others.policy.mode, Mode::Auto, "then the environment's");
    assert_eq!(staging.services[0].policy.mode, Mode::Propose, "then the policy's");
    assert_eq!(staging.services[0].policy.watch_secs, 600);
    assert_eq!(staging.services.len(), 1);
    assert_eq!(others.signals.len(), 3, "all signals where none is named");
    let [errors, latency, traffic] = others.signals.as_slice() else { panic!("three signals") };
    assert_eq!(errors.rule, Rule::Limit { limit: 0.05, for_secs: 60 });
    assert!((errors.min_difference - 0.01).abs() < 1e-12);
    assert_eq!(latency.rule, Rule::Change { share: 0.5, for_secs: 120 });
    assert_eq!((traffic.rule, traffic.direction), (Rule::Robust, Direction::LowerIsWorse));
    assert!(!format!("{settings:?}").contains("passw0rd"));
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_place() {
    let text = VALID
        .replace("settle: 30s", "setle: 30s")
        .replace("policy: quick", "policy: quik")
        .replace("change: 50%", "change: fifty")
        .replace("kind: latency", "kind: latancy")
        .replace("max_reverts: 2, window: 1h", "window: 0s");
    let errors = load_texts(&[&text]).unwrap_err();
    let expected = r#"etc/0.yaml:6:92: must be more than zero
  |
6 |   production: {branch: main, paths: ["apps/*/production/**"], mode: auto, budget: {window: 0s}}
  |                                                                                            ^^

etc/0.yaml:7:38: there is no policy `quik`: did you mean `quick`?
  |
7 |   staging: {branch: staging, policy: quik}
  |                                      ^^^^

etc/0.yaml:16:68: `latancy` is not known here: did you mean `latency`?
   |
16 |   latency: {source: prom, query: 'p99{app="{{ service }}"}', kind: latancy, change: fifty, for: 2m, step: 30s}
   |                                                                    ^^^^^^^

etc/0.yaml:16:85: cannot read `fifty`: write a number, or a share in percent such as 5%
   |
16 |   latency: {source: prom, query: 'p99{app="{{ service }}"}', kind: latancy, change: fifty, for: 2m, step: 30s}
   |                                                                                     ^^^^^

etc/0.yaml:19:11: unknown key `setle`: did you mean `settle`?
   |
19 |   quick: {setle: 30s, watch: 10m, quorum: 2, mode: propose}
   |           ^^^^^"#;
    assert_eq!(errors.to_string(), expected);
    let json = serde_json::to_value(&errors).unwrap();
    assert_eq!(json[0]["line"], 6);
    assert_eq!(json[0]["file"], "etc/0.yaml");
}

#[test]
fn a_secret_in_the_text_is_refused_and_not_shown() {
    for (from, to) in [
        ("{env: PASSWORD}", "hunter2"),
        ("{env: PASSWORD}", "{env: hunter2-$}"),
        ("X-Scope-OrgID: team", "Authorization: hunter2"),
        ("http://prometheus", "http://me:hunter2@prometheus"),
        ("{env: GIT_TOKEN}", "[hunter2]"),
        ("{kind: token, token: {env: GIT_TOKEN}}", "hunter2"),
        ("token: {env: GIT_TOKEN}", "tokn: hunter2"),
        ("kind: token, token: {env: GIT_TOKEN}", "kind: tokn, pat: hunter2"),
        ("kind: token, token: {env: GIT_TOKEN}", "pat: hunter2"),
        ("  author:", "  signing: {kind: ssh, key: x, pass: hunter2}\n  author:"),
        ("password: {env: PASSWORD}}", "password: hunter2, x: [}"),
    ] {
        let text = mistakes(from, to);
        assert!(!text.contains("hunter2"), "{text}");
    }
    let text = mistakes("{env: PASSWORD}", "hunter2");
    assert!(text.contains("{env: NAME}"), "{text}");
    assert!(text.starts_with("etc/0.yaml:12:49: "), "{text}");
}

#[test]
fn each_rule_names_its_place_and_the_fix() {
    for (from, to, expected) in [
        (
            "settle: 30s",
            "settle: 10m",
            "etc/0.yaml:19:19: `settle` (600s) must be shorter than `watch` (600s)",
        ),
        ("window: 1h", "window: 0s", "must be more than zero"),
        ("max_reverts: 2", "incident_services: 1", "1 is too small: at least 2"),
        ("max_reverts: 2", "max_reverts: 0", "0 is too small: at least 1"),
        (
            "quorum: 2",
            "quorum: 4",
            "wants signals of weight 4 to have regressed, and those of this service weigh 3 together",
        ),
        ("watch: 10m", "watch: 10m, baseline: 3m", "fewer than 8 samples in the baseline"),
        ("for: 2m", "for: 2h", "7200s is longer than what the policy `quick` judges"),
        ("step: 30s", "step: 20m", "fewer than 3 samples between `settle`"),
        ("above: 5%", "above: 5%, change: 10%", "only one of `above`, `below` and `change`"),
        ("above: 5%", "above: 5%, direction: lower-is-worse", "`above` goes with `higher-is-worse`"),
        ("above: 5%", "above: 5", "write `5%`?"),
        ("above: 5%", "for: 5m", "goes with `above`, `below` or `change` only"),
        ("by: app", "by: a-b", "must be the name of a label"),
        (
            "{{ namespace }}",
            "{{ namspace }}",
            "no label `namspace` for this query: did you mean `namespace`?",
        ),
        ("{{ namespace }}", "{{ namespace }", "not a valid template"),
        ("{{ namespace }}", "{{ namespace | lower }}", "not a valid template: unknown filter"),
        ("{{ namespace }}", "{{ service.name }}", "not a valid template: undefined value"),
        ("source: prom", "source: pro", "there is no metric source `pro`: did you mean `prom`?"),
        ("{service}/{environment}", "{servce}/x", "did you mean it by `{servce}`?"),
        ("apps/checkout/**", "apps/[", "not a valid glob"),
        ("apps/checkout/**", "/apps/**", "without / or ./"),
        ("name: checkout, ", "", "a service with `paths` needs its `name`"),
        ("name: checkout", "name: check out", "may only have letters"),
        ("branch: main", "branch: refs/heads/main", "without refs/heads/"),
        (
            "environments: [production], signals",
            "environments: [productoin], signals",
            "did you mean `production`?",
        ),
        ("url: https://git", "url: ssh://git", "goes with http:// and https:// only"),
        ("url: http://prometheus", "url: prometheus", "must be a URL"),
        ("{env: PASSWORD}", "{env: PASWORD}", "the environment variable PASWORD is not set"),
        ("{env: PASSWORD}", "{file: missing}", "cannot read the secret in etc/missing"),
        ("kind: basic", "kind: bsic", "there is no kind `bsic`: did you mean `basic`?"),
        ("kind: prometheus", "kind: promethus", "did you mean `prometheus`?"),
        ("    kind: prometheus\n", "", "`kind` is missing"),
        (
            "  url: https://git.example.com/platform/environments.git\n",
            "",
            "etc/0.yaml:1:1: `url` is missing",
        ),
        ("X-Scope-OrgID: team", "X-Scope-OrgID: 5", "put it into quotes"),
        ("settle: 30s", "settle: 30", "expected text, found the number 30; write a duration with its unit"),
        ("branch: main", "branch: main, branch: x", "the key `branch` stands here twice"),
        (
            "mode: auto",
            "mode: yes",
            "`yes` is not known here: expected one of `observe`, `propose`, `earn`, `auto`",
        ),
        (
            "mode: auto",
            "mode: auto, merge: manual",
            "holds for pull requests alone: set `delivery: pull-request`",
        ),
        ("mode: auto", "mode: auto, delivery: pull-request", "there is no `forge`: name one"),
        ("kind: token, token: {env: GIT_TOKEN}", "kind: forge", "there is no `forge`: name one"),
        (
            "environments:\n",
            "forge: {kind: github, auth: {kind: token, token: t0ken}}\nenvironments:\n",
            "a secret never stands",
        ),
        (
            "environments:\n",
            "forge: {kind: gitlab, auth: {kind: app, app_id: 1, private_key: {env: PASSWORD}}}\nenvironments:\n",
            "only GitHub has Apps",
        ),
        (
            "environments:\n",
            "forge: {kind: gitea, repository: env, auth: {kind: token, token: {env: PASSWORD}}}\nenvironments:\n",
            "must be the owner and the name of a repository",
        ),
        ("services:\n", "services: []\nx:\n", "the list must not be empty"),
        ("labels: {namespace: shop}", "labels: {service: shop}", "choose another name"),
        (
            "latency: {source: prom, query: 'p99{app=\"{{ service }}\"}'",
            "latency: {source: prom, query: 'p99'",
            "asks the same for every service",
        ),
        ("signals: [errors]", "signals: []", "no signal is asked about this service"),
        ("  traffic: {", "  tra ffic: {", "may only have letters"),
    ] {
        let text = mistakes(from, to);
        assert!(text.contains(expected), "{to}:\n{text}");
    }
}

#[test]
fn files_are_merged_and_nothing_is_defined_twice() {
    let (first, second) = VALID.split_at(VALID.find("signals:\n").unwrap());
    let settings = load_texts(&[first, second]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.estates[0].environments.len(), 2);
    let more =
        "signals:\n  more: {source: prom, query: up, by: app}\nservices:\n  - {name: web, paths: [web/**]}\n";
    let settings = load_texts(&[VALID, more, "# nothing\n"]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.estates[0].environments[0].services.len(), 3);

    let twice = "signals:\n  errors: {source: prom, query: up}\nrepository: {url: x}\n";
    let text = load_texts(&[VALID, twice]).unwrap_err().to_string();
    for expected in [
        "etc/1.yaml:2:3: `errors` in `signals` is defined twice: the other is at etc/0.yaml:15:3",
        "etc/0.yaml:15:3: `errors` in `signals` is defined twice: the other is at etc/1.yaml:2:3",
        "etc/1.yaml:3:1: `repository` is defined twice: the other is at etc/0.yaml:1:1",
    ] {
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn paths_start_at_the_directory_of_their_file() {
    let text = VALID.replacen(
        "url: https://git.example.com/platform/environments.git\n  auth: {kind: token, token: {env: GIT_TOKEN}}",
        "url: ../environments\n  ca_file: ca.pem\n  signing: {kind: ssh, key: /etc/key}",
        1,
    );
    let settings = load_texts(&[&text]).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(settings.estates[0].repository.url, "etc/../environments");
    assert_eq!(settings.estates[0].repository.http.ca_file, Some(PathBuf::from("etc/ca.pem")));
    let expected = "Some(Ssh { key_file: \"/etc/key\", passphrase: None })";
    assert_eq!(format!("{:?}", settings.estates[0].repository.signing), expected);
}

#[test]
fn secrets_come_from_files_too() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("password"), "p\u{e4}ss\n\n").unwrap();
    std::fs::write(directory.path().join("empty"), "\n").unwrap();
    std::fs::write(directory.path().join("large"), "x".repeat(100_000)).unwrap();
    let load_with = |file: &str| {
        let path = directory.path().join("backout.yaml");
        std::fs::write(&path, VALID.replace("{env: PASSWORD}", &format!("{{file: {file}}}"))).unwrap();
        load(&[path], &variables)
    };
    let settings = load_with("password").unwrap_or_else(|errors| panic!("{errors}"));
    let Some(SourceOptions::Prometheus(prometheus)) = settings.sources.values().next() else {
        panic!("no Prometheus")
    };
    assert!(
        matches!(&prometheus.auth, Auth::Basic { password, .. } if password.expose_secret() == "p\u{e4}ss")
    );
    for (file, expected) in
        [("empty", "is empty"), ("large", "larger than 64 KiB"), (".", "cannot read the secret")]
    {
        let text = load_with(file).unwrap_err().to_string();
        assert!(text.contains(expected), "{text}");
    }
}

#[test]
fn a_missing_file_and_an_empty_one_are_told() {
    let text = load(&[PathBuf::from("/nowhere/backout.yaml")], &variables).unwrap_err().to_string();
    assert!(text.starts_with("/nowhere/backout.yaml:1:1: cannot read the configuration"), "{text}");
    let text = load_texts(&[""]).unwrap_err().to_string();
    assert!(text.contains("`repository` is missing") && text.contains("`environments` is missing"), "{text}");
    load(&[], &variables).unwrap_err();
}

#[test]
fn the_committed_schema_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas/config.schema.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let current = serde_json::to_string_pretty(&schema()).unwrap() + "\n";
    assert!(
        committed == current,
        "schemas/config.schema.json is stale: renew it with `cargo run -- schema > schemas/config.schema.json`"
    );
}

/// The schema alone refuses unknown keys, so none of its objects may be open by mistake.
#[test]
fn the_schema_has_no_open_object() {
    fn open(schema: &serde_json::Value, at: &str, found: &mut Vec<String>) {
        if schema.get("properties").is_some_and(serde_json::Value::is_object)
            && schema.get("type") == Some(&"object".into())
            && schema.get("additionalProperties") != Some(&false.into())
        {
            found.push(at.to_owned());
        }
        let entries = schema.as_object().into_iter().flatten().map(|(key, inner)| (key.clone(), inner));
        let items = schema.as_array().into_iter().flatten().enumerate();
        for (key, inner) in entries.chain(items.map(|(index, inner)| (index.to_string(), inner))) {
            open(inner, &format!("{at}/{key}"), found);
        }
    }
    let mut found = Vec::new();
    open(&schema(), "#", &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_misspelt_key_of_a_server_is_told_wherever_it_stands() {
    for (from, to, expected) in [
        ("  author: {", "  time_out: 5s\n  author: {", "unknown key `time_out`: did you mean `timeout`?"),
        ("    headers:", "    ca_fil: x\n    headers:", "unknown key `ca_fil`: did you mean `ca_file`?"),
        (
            "environments:\n",
            "forge: {kind: gitea, prxy: x, auth: {kind: token, token: {env: PASSWORD}}}\nenvironments:\n",
            "unknown key `prxy`: did you mean `proxy`?",
        ),
    ] {
        let text = mistakes(from, to);
        assert!(text.contains(expected), "{to}:\n{text}");
    }
}

#[test]
fn every_example_in_the_documentation_loads() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks: Vec<&str> = text
        .split("```yaml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .filter(|block| block.starts_with("# backout.yaml"))
        .collect();
    assert!(!blocks.is_empty());
    for block in blocks {
        let file = SourceFile { path: PathBuf::from("docs/configuration.md"), text: block.to_owned() };
        let any = |name: &str| Some(if name == "HOME" { "/home/me" } else { "x" }.to_owned());
        parse(&[file], &any).unwrap_or_else(|errors| panic!("{errors}\n{block}"));
    }
}

/// Every mistake stands in its file.
fn assert_placed(text: &str) {
    let Err(errors) = load_texts(&[text]) else { return };
    assert!(!errors.errors().is_empty());
    let lines: Vec<&str> = text.split('\n').collect();
    for error in errors.errors() {
        let line = lines.get(error.line as usize - 1).unwrap_or_else(|| panic!("{error:?}"));
        let column = error.column as usize;
        assert!(column >= 1 && column <= line.chars().count() + 1, "{error:?}");
    }
    assert!(!errors.to_string().is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn a_mutated_text_never_panics_and_its_mistakes_have_places(
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..12, "\\PC|[\n\t :{}\\[\\]\"'#&*!|>%@-]"), 1..6),
        lines in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_u8..3), 0..3),
    ) {
        let mut text: Vec<String> = VALID.split('\n').map(str::to_owned).collect();
        for (from, to, what) in lines {
            let (from, to) = (from.index(text.len()), to.index(text.len()));
            match what {
                0 => { text.remove(from); }
                1 => { let line = text[from].clone(); text.insert(to, line); }
                _ => text.swap(from, to),
            }
        }
        let mut characters: Vec<char> = text.join("\n").chars().collect();
        for (at, removed, inserted) in edits {
            let at = at.index(characters.len() + 1);
            let end = (at + removed).min(characters.len());
            characters.splice(at..end, inserted.chars());
        }
        assert_placed(&characters.into_iter().collect::<String>());
    }

    #[test]
    fn any_text_at_all_is_read_or_refused(text in "\\PC{0,200}|[ \n:{}\\[\\],a&*'\"|>?!-]{0,200}") {
        assert_placed(&text);
    }
}

#[test]
fn no_service_is_in_two_environments_at_once() {
    let shared = VALID.replacen("branch: staging", "branch: main", 1);
    assert!(load_texts(&[&shared]).is_ok(), "its pattern has the environment's name");
    let text = shared.replacen("apps/{service}/{environment}/**", "apps/{service}/**", 1);
    let errors = load_texts(&[&text]).unwrap_err().to_string();
    assert!(errors.contains("in both environments `production` and `staging`"), "{errors}");
    let apart = text.replacen("policy: quick}", "policy: quick, paths: [\"apps/*/staging/**\"]}", 1);
    assert!(load_texts(&[&apart]).is_ok());
}

#[test]
fn a_file_is_a_source_too() {
    let from = "kind: prometheus\n    url: http://prometheus:9090\n    auth: {kind: basic, username: me, password: {env: PASSWORD}}\n    headers: {X-Scope-OrgID: team}";
    let to = "kind: csv\n    path: metrics.csv\n    value: v\n    labels: [service]\n    max_size: 1MiB";
    assert!(VALID.contains(from));
    let settings = load_texts(&[&VALID.replace(from, to)]).unwrap_or_else(|errors| panic!("{errors}"));
    let Some(SourceOptions::Csv(csv)) = settings.sources.values().next() else { panic!("no CSV") };
    assert_eq!(csv.path, PathBuf::from("etc/metrics.csv"), "beside the configuration");
    assert_eq!((csv.columns.value.as_deref(), csv.max_bytes), (Some("v"), 1 << 20));
    assert_eq!(csv.columns.labels.as_deref(), Some(&["service".to_owned()][..]));
    let errors = load_texts(&[&VALID.replace(from, "kind: csv\n    file: x")]).unwrap_err().to_string();
    assert!(errors.contains("unknown key `file`") && errors.contains("`path` is missing"), "{errors}");
    let errors = load_texts(&[&VALID.replace(from, "kind: csv\n    path: x\n    max_size: 0B")]).unwrap_err();
    assert!(errors.to_string().contains("must be from 1B to 4GiB"), "{errors}");
}

#[test]
fn a_url_is_a_template_for_plain_json() {
    let from = "kind: prometheus\n    url: http://prometheus:9090";
    let with =
        |url: &str| load_texts(&[&VALID.replace(from, &format!("kind: http-json\n    url: \"{url}\""))]);
    let url = "https://m.example.com/series/{query}?from={start}&to={end}&step={step}";
    let settings = with(url).unwrap_or_else(|errors| panic!("{errors}"));
    let Some(SourceOptions::HttpJson(options)) = settings.sources.values().next() else { panic!("no JSON") };
    assert_eq!((options.url.as_str(), options.max_body_bytes), (url, 64 << 20));
    assert!(matches!(&options.auth, Auth::Basic { username, .. } if username == "me"));
    for (url, expected) in [
        ("ftp://m/{query}", "http:// or https://"),
        ("http://m/{qeury}", "{qeury} is not known"),
        ("http://m/{start}", "every signal would get the same answer"),
        ("http://m/?q={query}&api_key=hunter2", "credentials never stand in a URL"),
        ("http://me:hunter2@m/{query}", "credentials never stand in a URL"),
    ] {
        let errors = with(url).unwrap_err().to_string();
        assert!(errors.contains(expected) && !errors.contains("hunter2"), "{url}: {errors}");
    }
}
