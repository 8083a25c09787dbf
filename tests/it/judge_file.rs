//! `backout judge`: a file of metrics, judged without any repository.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use backout::domain::judge::verdict::{Judgement, Verdict};

use crate::support::command;

/// 2026-11-20T03:00:00Z.
const DEPLOYED: i64 = 1_795_143_600;

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

fn run(file: &Path, arguments: &[&str]) -> Run {
    let output = command(env!("CARGO_BIN_EXE_backout"))
        .args(["judge", "--deployed-at", "2026-11-20T03:00:00Z", "--series"])
        .arg(file)
        .args(arguments)
        .current_dir(file.parent().unwrap())
        .env_remove("BACKOUT_LOG")
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[track_caller]
fn judged(file: &Path, arguments: &[&str]) -> Judgement {
    let run = run(file, &[arguments, &["--format", "json"]].concat());
    let judgement: Judgement =
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stderr));
    assert_eq!(run.code, Some(if judgement.verdict == Verdict::Regressed { 4 } else { 0 }));
    judgement
}

fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/csv-metrics/metrics.csv")
}

/// A directory with one file in it.
fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join(name);
    std::fs::write(&path, text).unwrap();
    (directory, path)
}

/// Two hours, a value a minute: 0.002 or so, and 0.3 since four minutes after the deployment.
fn values() -> impl Iterator<Item = (i64, f64)> {
    (-90..=30).map(|minute: i64| {
        let usual = if minute % 3 == 0 { 0.002 } else { 0.003 };
        (DEPLOYED + minute * 60, if minute >= 4 { 0.3 } else { usual })
    })
}

#[test]
fn the_example_is_regressed_and_its_neighbour_healthy() {
    let run = run(&example(), &["--service", "checkout"]);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    for expected in [
        "regressed: errors rose from 0.2 % to 6.2 % at 03:04:00Z, 4 min after the deployment",
        "errors: regressed [error-ratio, higher is worse, guessed from the name: see --kind]",
        "latency_ms: regressed [latency",
        "▲ deployed 03:00",
        "▲ onset 03:04",
        "1.22 % ┤╌╌",
    ] {
        assert!(run.stdout.contains(expected), "{expected}\n{}", run.stdout);
    }
    let longest = run.stdout.lines().filter(|line| line.contains('┤')).map(|line| line.chars().count()).max();
    assert!(longest.unwrap() <= 84, "{}", run.stdout);
    assert_eq!(judged(&example(), &["--service", "search"]).verdict, Verdict::Healthy);
}

#[test]
fn a_stream_says_when_the_verdict_was_final() {
    let run = run(&example(), &["--service", "checkout", "--stream"]);
    assert!(run.stdout.contains("final at 2026-11-20T03:06:00Z, 6 min after"), "{}", run.stdout);
    let text = self::run(&example(), &["--service", "search", "--stream", "--format", "json"]).stdout;
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["stream"]["final_at"], "2026-11-20T03:21:00Z", "{json:#}");
    assert_eq!(json["verdict"]["verdict"], "healthy");
    let early = ["--service", "checkout", "--at", "2026-11-20T03:03:00Z", "--stream"];
    let early = self::run(&example(), &early);
    assert_eq!(early.code, Some(0));
    assert!(early.stdout.contains("not final after 3 moments"), "{}", early.stdout);
}

#[test]
fn every_shape_of_file_gives_the_same_judgement() {
    let (mut long, mut wide, mut pairs) =
        ("timestamp,metric,value\n".to_owned(), "timestamp,errors\n".to_owned(), vec![]);
    for (at, value) in values() {
        writeln!(long, "{at},errors,{value}").unwrap();
        writeln!(wide, "{at},{value}").unwrap();
        pairs.push(format!("[{at},\"{value}\"]"));
    }
    let series = format!(r#"{{"data":[{{"labels":{{"metric":"errors"}},"values":[{}]}}]}}"#, pairs.join(","));
    let (_a, long) = file("long.csv", &long);
    let expected = judged(&long, &[]);
    assert_eq!(expected.verdict, Verdict::Regressed);
    for (name, text) in [("wide.csv", &wide), ("series.json", &series), ("series.txt", &series)] {
        let (_directory, path) = file(name, text);
        assert_eq!(judged(&path, &[]), expected, "{name}");
    }
    assert_eq!(judged(&long, &["--step", "60s"]), expected, "as the agent takes them");
    let pairs = format!("[{}]", pairs.join(","));
    let (_b, pairs) = file("pairs.json", &pairs);
    let named = judged(&pairs, &["--kind", "error-ratio", "--min-difference", "value=1%"]);
    assert_eq!((&named.verdict, named.since), (&expected.verdict, expected.since));
    let (_c, other) = file("wide.csv", &wide.replace("timestamp,errors", "when,errors"));
    assert_eq!(judged(&other, &["--timestamp-column", "when"]), expected);
    let falling = judged(&long, &["--direction", "errors=lower-is-worse", "--kind", "errors=custom"]);
    assert_ne!(falling.verdict, Verdict::Regressed);
}

#[test]
fn what_happens_every_day_is_no_regression() {
    // Nine days, a value every five minutes, ten times as slow between 03:00 and 04:00.
    let mut table = "timestamp,latency\n".to_owned();
    let mut last_day = table.clone();
    for at in (DEPLOYED - 8 * 86_400 - 28_800..=DEPLOYED + 9_000).step_by(300) {
        let peak = (at - DEPLOYED).rem_euclid(86_400) < 3_600 && at != DEPLOYED;
        let uneven = u8::try_from(at / 300 % 7).unwrap();
        let row = format!("{at},{}\n", f64::from(uneven) + if peak { 1_000.0 } else { 100.0 });
        table.push_str(&row);
        if at > DEPLOYED - 40_000 {
            last_day.push_str(&row);
        }
    }
    let (_a, all) = file("all.csv", &table);
    let (_b, last_day) = file("day.csv", &last_day);
    let during = ["--at", "2026-11-20T03:50:00Z"];
    assert_eq!(judged(&last_day, &during).verdict, Verdict::Regressed);
    let judgement = judged(&all, &during);
    assert_ne!(judgement.verdict, Verdict::Regressed, "{}", judgement.reason);
}

#[test]
fn other_services_show_that_it_happened_everywhere() {
    let mut table = "timestamp,metric,service,value\n".to_owned();
    for service in ["a", "b", "c"] {
        for (at, value) in values() {
            writeln!(table, "{at},errors,{service},{value}").unwrap();
        }
    }
    let (_directory, path) = file("all.csv", &table);
    let everywhere = judged(&path, &["--service", "a"]);
    assert!(matches!(&everywhere.verdict, Verdict::Pending | Verdict::Inconclusive(_)), "{everywhere:?}");
    let alone = judged(&path, &["--select", r#"service="a""#]);
    assert_eq!(alone.verdict, Verdict::Regressed);
}

#[test]
fn a_picture_is_well_formed_and_the_same_each_time() {
    let directory = tempfile::tempdir().unwrap();
    let draw = |name: &str| {
        let path = directory.path().join(name);
        let run = run(&example(), &["--service", "checkout", "--svg", path.to_str().unwrap()]);
        assert_eq!(run.code, Some(4), "{}", run.stderr);
        std::fs::read_to_string(path).unwrap()
    };
    let svg = draw("a.svg");
    assert_eq!(svg, draw("b.svg"));
    let document = roxmltree::Document::parse(&svg).unwrap();
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    for expected in ["errors", "latency_ms", "deployed 03:00", "onset 03:04", "regressed", "03:15", "6 %"] {
        assert!(texts.contains(&expected), "{expected}: {texts:?}");
    }
    assert!(svg.contains("prefers-color-scheme: dark"));
    assert!(!svg.contains("var("), "not every viewer knows variables");
    assert!(texts.iter().any(|text| text.starts_with("thin lines: ")), "{texts:?}");
    assert!(texts.iter().any(|text| text.starts_with("usual ")), "{texts:?}");
}

#[test]
fn a_file_that_ends_just_before_the_window_closes_is_judged_to_its_end() {
    let mut table = "timestamp,errors\n".to_owned();
    for (at, value) in values() {
        writeln!(table, "{},{}", at - 30, value.min(0.0025)).unwrap();
    }
    let (_a, whole) = file("whole.csv", &table);
    let end = |path: &Path| run(path, &[]).stdout.lines().nth(1).unwrap().to_owned();
    assert!(end(&whole).ends_with("judged as of 2026-11-20T03:30:00Z"), "{}", end(&whole));
    let shorter: Vec<&str> = table.lines().collect();
    let (_b, shorter) = file("shorter.csv", &shorter[..shorter.len() - 1].join("\n"));
    assert!(end(&shorter).ends_with("judged as of 2026-11-20T03:28:30Z"), "{}", end(&shorter));
}

#[test]
fn hostile_names_stay_in_their_place() {
    let evil = "</text><script>alert(1)</script>\u{1b}[31m\u{202e}{{ 7 * 7 }}&#x1b;'";
    let mut table = format!("timestamp,service,\"{evil}\"\n");
    for (at, value) in values() {
        writeln!(table, "{at},\"{evil}\"\"\",{value}").unwrap();
    }
    let (directory, path) = file("evil.csv", &table);
    let svg = directory.path().join("out.svg");
    let arguments = ["--label-column", "service", "--svg", svg.to_str().unwrap(), "--kind", "error-ratio"];
    let run = run(&path, &arguments);
    assert_eq!(run.code, Some(4), "{}", run.stderr);
    assert!(run.stdout.contains("</text><script>alert(1)</script> [31m"), "{}", run.stdout);
    for text in [&run.stdout, &run.stderr] {
        assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    }
    let text = std::fs::read_to_string(svg).unwrap();
    let document = roxmltree::Document::parse(&text).unwrap();
    assert!(!document.descendants().any(|node| node.tag_name().name() == "script"));
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    assert!(texts.iter().any(|text| text.starts_with("</text><script>alert(1)</script> [31m")), "{texts:?}");

    let broken = table.replace(",0.3\n", ",\u{1b}]0;evil\u{7}\n");
    let (_directory, path) = file("evil\u{1b}[2J.csv", &broken);
    let run = self::run(&path, &["--label-column", "service"]);
    assert_eq!(run.code, Some(1));
    assert!(!run.stderr.chars().any(|c| c.is_control() && c != '\n'), "{:?}", run.stderr);
}

#[test]
fn mistakes_are_told_with_their_place_and_fix() {
    let table = "timestamp,metric,service,value\n1795143600,errors,a,1\n1795143660,errors,b,2\n";
    let (_a, path) = file("x.csv", table);
    let with = |text: &str, arguments: &[&str]| {
        let (_directory, path) = file("x.csv", text);
        let run = run(&path, arguments);
        assert_eq!(run.code, Some(1), "{}", run.stdout);
        run.stderr
    };
    for (text, arguments, expected) in [
        (table, &[][..], "choose one with --service: a, b"),
        (table, &["--service", "c"], "there is no service c: there are a, b"),
        (table, &["--service", "a", "--at", "2026-11-20T02:00:00Z"], "before the deployment"),
        (table, &["--service", "a", "--select", "rate(x)"], "--select: the query, character 5"),
        (table, &["--select", r#"{service="x"}"#], "nothing that --select leaves"),
        (table, &["--service", "a", "--kind", "errors=eror"], "--kind: \"eror\" is not known"),
        (&table.replace("service", "zone"), &[], "errors has 2 series, which differ in zone"),
        (&table.replace("timestamp", "time"), &[], "--timestamp-column"),
        (&table.replace(",2\n", ",two\n"), &[], "x.csv: line 3, column \"value\": \"two\" is not a number"),
        (&table.replace("17951436", "17951"), &["--service", "a"], "is not among them"),
        ("", &[], "no header"),
        ("[[1, true]]", &[], "at /0/1"),
    ] {
        let told = with(text, arguments);
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let missing = run(&path.with_file_name("y.csv"), &[]);
    assert!(missing.code == Some(1) && missing.stderr.contains("y.csv"), "{}", missing.stderr);
}
