use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag};

use super::*;
use crate::domain::change::Asked;
use crate::domain::change::plan::{self, Target};
use crate::domain::deployment::{ChangeKind, Documents, changes_of};
use crate::domain::environment::policy::{Mixed, Policy, SchemaDetector};
use crate::domain::environment::signal::{Signal, SignalKind};
use crate::domain::field::Selection;
use crate::domain::history::landing::Landing;
use crate::domain::history::ledger::rollback_id;
use crate::domain::history::snapshot::{Content, FileDiff, FileVersion, Person};
use crate::domain::ids::{
    BlobId, BranchName, CommitId, EnvironmentName, FilePath, ServiceName, SignalName, SourceName,
};
use crate::domain::judge::evidence::{Found, Gap, Sample, Segment, SignalEvidence};
use crate::domain::judge::verdict::{Finding, Judgement, Verdict, judge};
use crate::domain::schema::Migration;
use crate::domain::schema::change::SchemaChange;
use crate::domain::schema::sql::classify;
use crate::domain::time::Time;

/// The most characters of a text: GitHub takes 65,536.
const MAX_BODY: usize = 60_000;

const DEPLOYED: Time = Time::from_unix(1_795_144_440);

fn deployment(old: &str, new: &str, subject: &str) -> Deployment {
    let path = FilePath::new("apps/checkout/production/values.yaml").unwrap();
    let version = |text: &str| {
        Some(FileVersion { blob: BlobId::from_bytes([1; 20]), bytes: Some(Arc::from(text.as_bytes())) })
    };
    let files = vec![FileDiff { path, was: None, old: version(old), new: version(new), turned: None }];
    let (fields, left_behind) = changes_of(&files, &Selection::default(), &Documents::default());
    Deployment {
        id: rollback_id(
            &EnvironmentName::new("production").unwrap(),
            &ServiceName::new("checkout").unwrap(),
            CommitId::from_bytes([0x7a; 20]),
        ),
        environment: EnvironmentName::new("production").unwrap(),
        service: ServiceName::new("checkout").unwrap(),
        group: None,
        rule: 0,
        labels: BTreeMap::new(),
        commit: CommitId::from_bytes([0x7a; 20]),
        parent: CommitId::from_bytes([6; 20]),
        at: DEPLOYED,
        landing: Landing::by_committer(DEPLOYED),
        author: Person { name: "Ann Lee".to_owned(), email: "ann@example.com".to_owned() },
        subject: subject.to_owned(),
        fields,
        left_behind,
        files,
        schema: Vec::new(),
        migrations: Vec::new(),
        kind: ChangeKind::Release,
        beyond: None,
        bound: None,
        superseded_by: None,
    }
}

fn release() -> Deployment {
    let text = |tag, replicas| {
        format!(
            "image:\n  repository: registry.example.com/shop/checkout\n  tag: {tag}\nreplicas: {replicas}\n"
        )
    };
    deployment(&text("v1.4.2", 2), &text("v1.5.0", 3), "checkout: v1.5.0 (#482)")
}

fn planned(deployment: &Deployment, motive: Motive<'_>) -> Change {
    let new = |file: &FileDiff| (file.path.clone(), file.new.as_ref().map(Content::from));
    let current: BTreeMap<FilePath, Option<Content>> = deployment.files.iter().map(new).collect();
    let target = Target {
        branch: &BranchName::new("main").unwrap(),
        head: CommitId::from_bytes([8; 20]),
        current: &current,
        moved: &BTreeMap::new(),
        policy: &Policy { mixed: Mixed::Fields, ..Policy::default() },
        now: DEPLOYED.plus_secs(540),
    };
    plan::plan(deployment, motive, &target).unwrap()
}

fn signal(name: &str, kind: SignalKind, query: &str, found: Found) -> SignalEvidence {
    let signal =
        Signal::new(SignalName::new(name).unwrap(), SourceName::new("prometheus").unwrap(), query, kind);
    SignalEvidence::new(signal, query.to_owned(), found)
}

/// Eighty minutes before the deployment and nine after it: `value` of the minutes since.
fn series(value: impl Fn(i64) -> f64) -> Found {
    let sample = |minute: i64| Sample { at: DEPLOYED.plus_secs(minute * 60), value: value(minute) };
    Found::Samples((-80..9).map(sample).collect())
}

fn evidence() -> Evidence {
    let wobble = |minute: i64| f64::from(u8::try_from((minute * 7).rem_euclid(5)).unwrap());
    let errors =
        series(
            |minute| {
                if minute < 2 { 0.001 + wobble(minute) / 10_000.0 } else { 0.052 + wobble(minute) / 1_000.0 }
            },
        );
    let latency = series(|minute| 0.21 + wobble(minute) / 100.0);
    let signals = vec![
        signal(
            "errors",
            SignalKind::ErrorRatio,
            "sum(rate(http_requests_total{app=\"checkout\",code=~\"5..\"}[5m]))\n  / sum(rate(http_requests_total{app=\"checkout\"}[5m]))",
            errors,
        ),
        signal(
            "latency-p99",
            SignalKind::Latency,
            "histogram_quantile(0.99, checkout_seconds_bucket)",
            latency,
        ),
        signal("orders", SignalKind::Traffic, "sum(rate(orders_total[5m]))", Found::Gap(Gap::NoData)),
    ];
    Evidence::new(DEPLOYED, DEPLOYED.plus_secs(540), &Policy::default(), signals)
}

/// Compares with a text that is kept beside this file, for people to read.
#[track_caller]
fn assert_reads(actual: &str, kept: &str, name: &str) {
    assert!(actual == kept, "tests/{name} should read:\n>>>>\n{actual}<<<<\n");
}

#[test]
fn a_pull_request_that_merges_itself() {
    let (bad, evidence) = (release(), evidence());
    let judgement = judge(&evidence);
    let motive = Motive::Metrics(&judgement);
    let change = planned(&bad, motive);
    let story = Story {
        change: &change,
        deployment: &bad,
        motive,
        evidence: Some(&evidence),
        rules: ReviewRules::default(),
        deaf: None,
    };
    let text =
        body(&story, ChartStyle::Mermaid, "the forge merges it when nothing is in the way: test; 1 approval");
    assert_eq!(title(&change), "Revert checkout in production: v1.5.0 → v1.4.2");
    assert_eq!(id_in(&text), Some(change.id.as_str()));
    assert_reads(&text, include_str!("tests/auto.md"), "auto.md");
}

#[test]
fn a_pull_request_that_a_person_merges() {
    let (bad, evidence) = (release(), evidence());
    let judgement = judge(&evidence);
    let motive = Motive::Metrics(&judgement);
    let change = planned(&bad, motive);
    let rules = ReviewRules { merge: Merge::Manual, deadline_secs: 3_600 };
    let story =
        Story { change: &change, deployment: &bad, motive, evidence: Some(&evidence), rules, deaf: None };
    let text = body(&story, ChartStyle::Line, "a person merges it, or comments `/backout approve`");
    assert_reads(&text, include_str!("tests/manual.md"), "manual.md");
}

#[test]
fn a_pull_request_that_a_person_asked_for() {
    let bad = release();
    let motive = Motive::Request(Asked { who: "bob <bob@example.com>", why: None });
    let change = planned(&bad, motive);
    let story = Story {
        change: &change,
        deployment: &bad,
        motive,
        evidence: None,
        rules: ReviewRules::default(),
        deaf: None,
    };
    let text = body(&story, ChartStyle::Mermaid, "it waits");
    assert!(text.contains("goes back because `bob <bob@example.com>` asked for it."), "{text}");
    assert!(!text.contains("### Signals") && !text.contains("<details>"), "{text}");
}

fn migration(path: &str, sql: Option<&str>) -> Migration {
    let worst = sql.and_then(|sql| classify(sql).into_iter().max_by_key(|one| one.effect));
    Migration { path: FilePath::new(path).unwrap(), worst }
}

#[test]
fn an_issue_for_a_schema_change() {
    let mut bad = release();
    let sql = "ALTER TABLE orders ADD COLUMN note text;\nALTER TABLE orders DROP COLUMN total;\n";
    bad.migrations =
        vec![migration("db/migrations/0042_orders.sql", Some(sql)), migration("db/migrations/0043.py", None)];
    bad.schema = bad.migrations.iter().filter_map(Migration::change).collect();
    let evidence = evidence();
    let judgement = judge(&evidence);
    let change = planned(&bad, Motive::Metrics(&judgement));
    let current = bad.files.iter().map(|file| (file.path.clone(), file.new.as_ref().map(Content::from)));
    let diff = change.diff(&current.collect());
    let plan = Plan { change: &change, diff: &diff };
    let text = issue_body(&bad, &judgement, Some(&evidence), Some(plan), ChartStyle::Mermaid);
    assert_eq!(
        issue_title(&bad),
        "Roll back checkout in production by hand: v1.5.0 changed the database schema"
    );
    let mark = issue_mark(&text).unwrap();
    assert_eq!((mark.id, mark.deployment), (change.id, bad.commit));
    assert_eq!((mark.environment, mark.service), (bad.environment, bad.service));
    assert_eq!(issue_mark(text.split_once('\n').unwrap().1), None);
    assert_reads(&text, include_str!("tests/issue.md"), "issue.md");
}

#[test]
fn a_comment_where_the_deployment_came_from() {
    let bad = release();
    let judgement = judge(&evidence());
    let done = "It is taken back by https://forge.example/shop/env/pull/512, which merges itself.";
    let outcome = Outcome { deployment: bad, judgement, done: done.to_owned() };
    let text = source_comment(std::slice::from_ref(&outcome), None).unwrap();
    assert_reads(&text, include_str!("tests/comment.md"), "comment.md");
    assert_eq!(source_comment(&[], None), None);
}

#[test]
fn a_comment_about_several_services_of_a_commit() {
    let outcome = |number: usize| {
        let mut deployment = release();
        deployment.service = format!("checkout-{number:02}").parse().unwrap();
        let done = "It was taken back by 7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a.".to_owned();
        Outcome { deployment, judgement: judge(&evidence()), done }
    };
    let text = source_comment(&[outcome(1), outcome(2)], None).unwrap();
    assert_reads(&text, include_str!("tests/comment-several.md"), "comment-several.md");
    let one = source_comment(&[outcome(1)], None).unwrap();
    assert_eq!(one.lines().next(), text.lines().next(), "it is the same comment that knows more");
    let many: Vec<Outcome> = (0..90).map(outcome).collect();
    let text = source_comment(&many, None).unwrap();
    let shown = text.lines().filter(|line| line.starts_with("| `checkout-")).count();
    assert_eq!(shown, 50);
    assert!(text.contains("made 90 services worse") && text.contains("\nAnd 40 more.\n"), "{text}");
}

/// A text that would leave its place, steer a forge, or pass for the agent's own marks.
fn hostile() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "(</details>|<!-- /backout:status -->|<!-- backout:closed x -->|-->|\n```\n|\n\n# x\n|\\| y \\|)",
        "(@ann |fixes #5|\\[skip ci\\]|\n/merge\n|<script>|!\\[a\\]\\(b\\)|\"\\]\n%%\\{init: x\\}%%|\u{202e})",
        "\\PC{0,6}",
        "`{1,4}",
    ];
    proptest::collection::vec(piece, 0..10).prop_map(|pieces| pieces.concat())
}

fn finding(name: &str, reason: &str) -> Finding {
    Finding {
        signal: SignalName::new(name).unwrap(),
        percent: false,
        verdict: Verdict::Regressed,
        before: Some(0.2),
        after: Some(1e9),
        since: Some(DEPLOYED.plus_secs(60)),
        line: Some(-4.0),
        coincidence: None,
        reason: reason.to_owned(),
    }
}

/// The parts of a text that are no text: they must not depend on what is quoted.
fn structure(markdown: &str) -> Vec<String> {
    let parser = Parser::new_ext(markdown, Options::ENABLE_TABLES);
    let kept = |event: Event<'_>| match event {
        Event::Start(Tag::Link { .. } | Tag::Image { .. }) => Some("link".to_owned()),
        Event::Start(tag) => Some(format!("{tag:?}")),
        Event::Html(html) => Some(html.trim().to_owned()),
        Event::InlineHtml(html) => Some(html.into_string()),
        Event::Code(_) => Some("code".to_owned()),
        Event::Rule | Event::HardBreak | Event::FootnoteReference(_) | Event::TaskListMarker(_) => {
            Some(format!("{event:?}"))
        }
        Event::End(_) | Event::Text(_) | Event::SoftBreak | Event::InlineMath(_) | Event::DisplayMath(_) => {
            None
        }
    };
    parser.filter_map(kept).collect()
}

fn told(words: &[String; 4], count: usize) -> String {
    let [subject, value, reason, status] = words;
    let mut bad = release();
    bad.subject.clone_from(subject);
    bad.author.name = format!("x{value}");
    bad.left_behind = vec![value.clone(); count];
    let judgement = Judgement {
        verdict: Verdict::Regressed,
        since: Some(DEPLOYED),
        reason: reason.clone(),
        findings: (0..count).map(|number| finding(&format!("errors-{number}"), reason)).collect(),
    };
    let values = |minute: i64| f64::from(i32::try_from(minute).unwrap()) * 1e7;
    let signals = (0..count).map(|number| {
        let mut asked = signal(&format!("errors-{number}"), SignalKind::Custom, value, series(values));
        if let Found::Samples(samples) = asked.found.clone() {
            asked.segments.push(Segment { name: value.clone(), samples, seasonal: Vec::new() });
        }
        asked.warnings.push(status.clone());
        asked
    });
    let evidence = Evidence::new(DEPLOYED, DEPLOYED.plus_secs(540), &Policy::default(), signals.collect());
    let motive = Motive::Metrics(&judgement);
    let mut change = planned(&bad, motive);
    let (path, mut field) = change.fields[0].clone();
    field.old_text.clone_from(value);
    field.new_text.clone_from(subject);
    field.address.clone_from(reason);
    change.fields = vec![(path, field); count];
    let rules = ReviewRules::default();
    let story =
        Story { change: &change, deployment: &bad, motive, evidence: Some(&evidence), rules, deaf: None };
    body(&story, ChartStyle::Mermaid, status)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn quoted_text_changes_nothing_around_it(words in [hostile(), hostile(), hostile(), hostile()]) {
        let plain = ["a", "b", "c", "d"].map(str::to_owned);
        let text = told(&words, 2);
        // A status may have code of its own.
        let count = |text: &str| {
            let mut structure = structure(text);
            structure.retain(|part| part != "code");
            structure
        };
        prop_assert_eq!(count(&text), count(&told(&plain, 2)));
        prop_assert_eq!(closing_reason(&text), None);
        prop_assert!(!text.contains("\n/m"), "{}", text);
        let lower = text.to_lowercase();
        for never in ["[skip ci]", "fixes #5", "\u{202e}"] {
            prop_assert!(!lower.contains(never), "{} in {}", never, text);
        }
        // Within a word it is a mail address, or an image's digest.
        let mut mentions = lower.match_indices("@ann").map(|(at, _)| &lower[..at]);
        prop_assert!(mentions.all(|before| before.ends_with(|c: char| c.is_ascii_alphanumeric() || c == '_')));
    }

    #[test]
    fn no_text_is_longer_than_a_forge_takes(piece in "[`@|\\PC]{1,4}", count in 1_usize..60) {
        let long = piece.repeat(6_000);
        let text = told(&[long.clone(), long.clone(), long.clone(), long], count);
        prop_assert!(text.chars().count() <= MAX_BODY, "{}", text.chars().count());
        prop_assert!(text.ends_with("</details>\n"));
        let mut bad = release();
        bad.migrations = vec![migration(&("x/".repeat(1_000) + "y.sql"), Some("DROP TABLE a;")); count];
        let (subject, findings) = (piece.repeat(6_000), vec![finding("errors", &piece.repeat(6_000)); count]);
        let judgement = Judgement {
            verdict: Verdict::Regressed,
            since: None,
            reason: subject.clone(),
            findings,
        };
        let change = planned(&bad, Motive::Metrics(&judgement));
        bad.subject.clone_from(&subject);
        bad.schema = vec![SchemaChange::unknown(SchemaDetector::Trailers, subject)];
        let diff = format!("+{piece}\n").repeat(6_000);
        let plan = Some(Plan { change: &change, diff: &diff });
        let text = issue_body(&bad, &judgement, None, plan, ChartStyle::Mermaid);
        prop_assert!(text.chars().count() <= MAX_BODY, "{}", text.chars().count());
        let outcome = Outcome { deployment: bad, judgement, done: diff };
        for count in [1, 200] {
            let text = source_comment(&vec![outcome.clone(); count], Some(outcome.done.as_str())).unwrap();
            prop_assert!(text.chars().count() <= MAX_BODY, "{}", text.chars().count());
        }
    }
}
