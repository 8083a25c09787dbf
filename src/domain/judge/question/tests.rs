//! Tests of asking.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{MinTraffic, Only, Signal, SignalKind};
use crate::domain::ids::{EnvironmentName, ServiceName, SignalName, SourceName};
use crate::domain::judge::evidence::Series;

fn signal(query: &str, by: Option<&str>) -> Signal {
    let (name, source) = (SignalName::new("errors").unwrap(), SourceName::new("prom").unwrap());
    Signal { by: by.map(str::to_owned), ..Signal::new(name, source, query, SignalKind::ErrorRatio) }
}

fn subject(service: &str, at: i64, query: &str, by: Option<&str>) -> Subject {
    Subject {
        environment: EnvironmentName::new("production").unwrap(),
        service: ServiceName::new(service).unwrap(),
        labels: BTreeMap::new(),
        image_tag: None,
        deployed_at: Time::from_unix(at),
        policy: Policy::default(),
        signals: vec![signal(query, by)],
        unusual: Vec::new(),
    }
}

fn series(service: &str, values: &[(i64, f64)]) -> Series {
    Series {
        labels: BTreeMap::from([("app".to_owned(), service.to_owned())]),
        samples: values.iter().copied().map(Sample::from).collect(),
    }
}

#[test]
fn one_request_answers_for_many_services() {
    let until = Time::from_unix(100_000);
    let questions: Vec<Question> = (0..1_000)
        .flat_map(|i| {
            ask(&subject(&format!("s{i}"), 99_000 + i % 7, "sum by (app) (x)", Some("app")), until, 0)
        })
        .collect();
    assert_eq!(questions.len(), 1_000);
    assert_eq!(requests(&questions).0.len(), 1);
    let own = ask(&subject("a", 99_000, "x{app=\"{{service}}\"}", None), until, 0);
    let other = ask(&subject("b", 99_000, "x{app=\"{{service}}\"}", None), until, 0);
    assert_eq!(requests(&[own, other].concat()).0.len(), 2);
}

#[test]
fn windows_lie_on_the_step_whenever_they_are_asked_for() {
    let question = &ask(&subject("a", 99_999, "x", None), Time::from_unix(100_001), 0)[0];
    let window = question.request.as_ref().unwrap().window;
    assert_eq!((window.start.unix() % 60, window.end.unix()), (0, 99_960));
}

#[test]
fn an_answer_is_taken_apart_by_service() {
    let question = &ask(&subject("a", 6_000, "x", Some("app")), Time::from_unix(6_600), 0)[0];
    let reply: Reply = Ok((
        vec![series("a", &[(6_000, 1.0)]), series("b", &[(6_000, 2.0)]), series("c", &[(6_000, 3.0)])],
        vec![],
    ));
    let deployed = BTreeSet::from(["a".to_owned(), "c".to_owned()]);
    let reading = Sorted::new(&reply, Some("app"), &deployed).read(question);
    assert_eq!(reading.found, Found::Samples(vec![Sample::from((6_000, 1.0))]));
    assert_eq!(reading.controls.iter().map(|c| c.service.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_season_that_could_not_be_asked_leaves_no_verdict() {
    let subject = subject("a", 6_000, "x", None);
    let until = Time::from_unix(7_000);
    let question = ask(&subject, until, 0).remove(0);
    let reading = Reading::of(Found::Samples(vec![Sample::from((6_060, 1.0))]));
    let whole = evidence(&subject, until, vec![(question, reading)]);
    let mut empty = whole.clone();
    add_seasonal(&mut empty, 86_400, vec![Reading::gap(Gap::NoData)]);
    assert!(matches!(empty.signals[0].found, Found::Samples(_)));
    let mut unanswered = whole;
    add_seasonal(&mut unanswered, 86_400, vec![Reading::gap(Gap::Unavailable("503".to_owned()))]);
    assert!(matches!(&unanswered.signals[0].found, Found::Gap(Gap::Unavailable(why)) if why.contains("503")));
}

#[test]
fn missing_several_or_no_series_are_gaps() {
    let question = &ask(&subject("a", 6_000, "x", None), Time::from_unix(6_600), 0)[0];
    let found = |question, reply: &Reply| Sorted::new(reply, None, &BTreeSet::new()).read(question).found;
    assert_eq!(found(question, &Ok((vec![], vec![]))), Found::Gap(Gap::NoData));
    let two: Reply = Ok((vec![series("a", &[(6_000, 1.0)]), series("b", &[(6_000, 2.0)])], vec![]));
    assert_eq!(found(question, &two), Found::Gap(Gap::Ambiguous(2)));
    let broken = &ask(&subject("a", 6_000, "x{{nothing}}", None), Time::from_unix(6_600), 0)[0];
    assert!(matches!(found(broken, &two), Found::Gap(Gap::Rejected(_))));
}

fn part(region: &str, values: &[(i64, f64)]) -> Series {
    let mut series = series("a", values);
    series.labels.insert("region".to_owned(), region.to_owned());
    series
}

fn split(series: Vec<Series>, shift_secs: u32) -> (Subject, Question, Reading) {
    let mut subject = subject("a", 6_000, "x", Some("app"));
    subject.signals[0].segment = Some("region".to_owned());
    let question = ask(&subject, Time::from_unix(7_000), shift_secs).remove(0);
    let reading = Sorted::new(&Ok((series, vec![])), Some("app"), &BTreeSet::new()).read(&question);
    (subject, question, reading)
}

#[test]
fn a_split_signal_has_its_parts_by_name_each_with_its_own_season() {
    let now = vec![part("us", &[(6_000, 2.0)]), part("eu", &[(6_000, 1.0)]), part("ap", &[(-9, 3.0)])];
    let (subject, question, reading) = split(now, 0);
    let names: Vec<&str> = reading.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!(names, ["eu", "us"], "a part without samples in the window is none");
    assert_eq!(reading.found, Found::Samples(vec![Sample::from((6_000, 1.0))]));
    assert!(reading.controls.is_empty());
    let mut whole = evidence(&subject, Time::from_unix(7_000), vec![(question, reading)]);
    let (_, _, yesterday) = split(vec![part("us", &[(6_000 - 86_400, 7.0)])], 86_400);
    add_seasonal(&mut whole, 86_400, vec![yesterday]);
    let signal = &whole.signals[0];
    let seasons: Vec<usize> = signal.segments.iter().map(|part| part.seasonal[0].samples.len()).collect();
    assert_eq!((seasons, signal.seasonal[0].samples.len()), (vec![0, 1], 0));
}

#[test]
fn parts_that_cannot_be_told_apart_are_gaps() {
    let twice = vec![part("eu", &[(6_000, 1.0)]), part("eu", &[(6_060, 1.0)])];
    assert_eq!(split(twice, 0).2.found, Found::Gap(Gap::Ambiguous(2)));
    for unnamed in [series("a", &[(6_000, 1.0)]), part("", &[(6_000, 1.0)])] {
        let reading = split(vec![part("eu", &[(6_000, 1.0)]), unnamed], 0).2;
        assert!(matches!(&reading.found, Found::Gap(Gap::Rejected(why)) if why.contains("region")));
        assert!(reading.segments.is_empty());
    }
    assert_eq!(split(vec![], 0).2.found, Found::Gap(Gap::NoData));
}

#[test]
fn of_many_parts_those_with_the_most_samples_are_kept() {
    let mut all: Vec<Series> = (0..40).map(|i| part(&format!("r{i:02}"), &[(6_000, 1.0)])).collect();
    all[0] = part("r00", &[]);
    all[39] = part("r39", &[(6_000, 1.0), (6_060, 1.0)]);
    let (subject, question, reading) = split(all, 0);
    assert_eq!(reading.segments.len(), 39);
    let whole = evidence(&subject, Time::from_unix(7_000), vec![(question, reading)]);
    let signal = &whole.signals[0];
    let names: Vec<&str> = signal.segments.iter().map(|segment| segment.name.as_str()).collect();
    assert_eq!((names.len(), names[0], names[30], names[31]), (MAX_SEGMENTS, "r01", "r31", "r39"));
    assert!(signal.warnings[0].starts_with("7 of 39 parts by region"), "{:?}", signal.warnings);
}

#[test]
fn a_least_traffic_is_asked_for_beside_its_signal_and_only_then() {
    let mut subject = subject("a", 6_000, "x", Some("app"));
    subject.signals[0].segment = Some("region".to_owned());
    let least = MinTraffic { query: "rate{{service}}".to_owned(), at_least: 1.0 };
    subject.signals[0].min_traffic = Some(least);
    subject.signals.push(signal("y", Some("app")));
    let until = Time::from_unix(7_000);
    assert_eq!(ask(&subject, until, 86_400).len(), 2);
    let questions = ask(&subject, until, 0);
    let (merged, places) = requests(&questions);
    let queries: Vec<&str> = merged.iter().map(|request| request.query.as_str()).collect();
    assert_eq!((queries, places), (vec!["x", "ratea", "y"], vec![Some(0), Some(1), Some(2)]));
    let answers: [Reply; 3] = [
        Ok((vec![part("eu", &[(6_000, 1.0)]), part("us", &[(6_000, 1.0)])], vec![])),
        Ok((vec![series("a", &[(6_000, 9.0)]), series("b", &[(6_000, 8.0)])], vec!["late".to_owned()])),
        Ok((vec![series("a", &[(6_000, 2.0)])], vec![])),
    ];
    let read = |answers: &[Reply; 3]| {
        let pairs = questions.iter().cloned().zip(answers);
        let readings = pairs.map(|(question, reply)| {
            let reading = Sorted::new(reply, Some("app"), &BTreeSet::new()).read(&question);
            (question, reading)
        });
        evidence(&subject, until, readings.collect())
    };
    let whole = read(&answers);
    assert_eq!(whole.signals.len(), 2);
    assert_eq!(whole.signals[0].traffic, Some(Found::Samples(vec![Sample::from((6_000, 9.0))])));
    assert_eq!(whole.signals[0].warnings, ["late"]);
    assert_eq!((whole.signals[1].asked.as_str(), &whole.signals[1].traffic), ("y", &None));
    // It is the traffic of the whole service.
    let [errors, _, other] = answers;
    let parts: Reply = Ok((vec![part("eu", &[(6_000, 1.0)]), part("us", &[(6_000, 1.0)])], vec![]));
    let split = read(&[errors, parts, other]);
    assert_eq!(split.signals[0].traffic, Some(Found::Gap(Gap::Ambiguous(2))));
}

#[test]
fn only_the_services_that_are_asked_about_are_wanted() {
    let until = Time::from_unix(100_000);
    let of = |service: &str, by: Option<&str>| ask(&subject(service, 99_000, "x", by), until, 0);
    let (merged, _) = requests(&[of("a", Some("app")), of("b", Some("app")), of("a", Some("app"))].concat());
    let only = |values: &[&str]| Only {
        label: "app".to_owned(),
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    };
    assert_eq!(merged.iter().map(|one| one.only.clone()).collect::<Vec<_>>(), [Some(only(&["a", "b"]))]);
    // The label may hold another name than the service's.
    let mut renamed = subject("a", 99_000, "x", Some("app"));
    renamed.labels.insert("app".to_owned(), "A-1".to_owned());
    assert_eq!(ask(&renamed, until, 86_400)[0].request.as_ref().unwrap().only, Some(only(&["A-1"])));
    assert_eq!(of("a", None)[0].request.as_ref().unwrap().only, None);
    let moment = at_one_moment(&of("a", Some("app"))[0], Time::from_unix(99_011));
    let moment = moment.request.unwrap();
    let at = Time::from_unix(98_960 + 40);
    assert_eq!((moment.window.start, moment.window.end, moment.only), (at, at, None));
}

#[test]
fn of_many_services_the_first_by_name_are_asked_about_as_controls() {
    let names: Vec<String> = (0..40).map(|n| format!("s{n:02}")).collect();
    let reply = |count: usize| -> Reply {
        let mut all: Vec<Series> = names.iter().take(count).map(|name| series(name, &[(0, 1.0)])).collect();
        all.reverse();
        all.push(Series::default());
        Ok((all, vec![]))
    };
    let deployed = BTreeSet::from(["s00".to_owned(), "s03".to_owned(), "elsewhere".to_owned()]);
    let only = candidates(&reply(40), "app", &deployed).unwrap();
    assert_eq!((only.label.as_str(), only.values.len()), ("app", 4 * MAX_CONTROLS));
    assert_eq!(only.values.iter().take(3).collect::<Vec<_>>(), ["s01", "s02", "s04"]);
    // With no more than are asked about anyway, all are: also those that had no sample at that moment.
    assert_eq!(candidates(&reply(34), "app", &deployed), None);
    assert!(candidates(&reply(35), "app", &deployed).is_some());
    assert_eq!(candidates(&Err(Gap::NoData), "app", &deployed), None);
}
