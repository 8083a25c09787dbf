//! Freeze windows, and the mistakes in them.

use super::*;
use crate::domain::environment::freeze::frozen;
use crate::domain::time::Time;

/// A configuration with these freeze windows, each on a line of its own from line 6 on.
fn with(windows: &[&str]) -> String {
    let windows: String = windows.iter().map(|window| format!("      - {window}\n")).collect();
    format!(
        "repository: {{url: .}}\nenvironments:\n  production:\n    branch: main\n    freeze:\n{windows}\
         metrics:\n  prom: {{kind: prometheus, url: \"http://localhost:9090\"}}\nsignals:\n  \
         errors: {{query: 'errors{{app=\"{{{{ service }}}}\"}}', kind: error-ratio}}\nservices:\n  - {{pattern: \"apps/{{service}}/**\"}}\n"
    )
}

#[test]
fn windows_are_read_with_their_zone() {
    let text = with(&[
        "{schedule: \"0 16 * * FRI\", duration: 64h, time_zone: Europe/Berlin, why: the weekend}",
        "{schedule: \"0 2 * * *\", duration: 1h, why: backups}",
    ]);
    let settings = load_texts(&[&text]).unwrap_or_else(|errors| panic!("{errors}"));
    let freezes = &settings.estates[0].environments[0].freezes;
    let schedules: Vec<String> = freezes.iter().map(|freeze| freeze.schedule.to_string()).collect();
    assert_eq!(schedules, ["0 16 * * FRI", "0 2 * * *"]);
    // 2026-12-04T15:00:00Z is four o'clock in Berlin; 2026-12-08T02:00:00Z is two o'clock in UTC.
    for (now, until, why) in
        [(1_796_396_400, 1_796_626_800, "the weekend"), (1_796_695_200, 1_796_698_800, "backups")]
    {
        let found = frozen(freezes, Time::from_unix(now)).unwrap();
        assert_eq!((found.until, found.why.as_str()), (Some(Time::from_unix(until)), why));
    }
}

#[test]
fn each_mistake_in_a_window_has_its_place_and_the_fix() {
    for (window, told) in [
        (
            "{schedule: \"0 16 * *\", duration: 1h, why: x}",
            "etc/0.yaml:6:20: \"0 16 * *\" has 4 fields: write the five fields",
        ),
        (
            "{schedule: \"0 25 * * *\", duration: 1h, why: x}",
            "etc/0.yaml:6:20: \"25\" is no hour: write `*`, numbers from 0 to 23",
        ),
        ("{schedule: \"0 0 30 2 *\", duration: 1h, why: x}", "never begins"),
        ("{schedule: \"0 0 * * *\", duration: 0s, why: x}", "must be more than zero"),
        (
            "{schedule: \"0 0 * * *\", duration: 367d, why: x}",
            "must be at most 366d: for good, set `mode: propose`",
        ),
        ("{schedule: \"0 0 * * *\", duration: 1h, why: ' '}", "is empty: say why"),
        ("{schedule: \"0 0 * * *\", duration: 1h}", "`why` is missing"),
        (
            "{schedule: \"0 0 * * *\", duration: 1h, time_zone: Europe/Berln, why: x}",
            "etc/0.yaml:6:58: there is no time zone \"Europe/Berln\": write a name of the IANA time zone database",
        ),
        ("{schedule: \"0 0 * * *\", duration: 1h, timezone: UTC, why: x}", "did you mean `time_zone`?"),
    ] {
        let mistakes = load_texts(&[&with(&[window])]).unwrap_err().to_string();
        assert!(mistakes.contains(told), "{window}: {mistakes}");
    }
    let many = vec!["{schedule: \"0 0 * * *\", duration: 1h, why: x}"; 101];
    let mistakes = load_texts(&[&with(&many)]).unwrap_err().to_string();
    assert!(mistakes.contains("more than 100 windows"), "{mistakes}");
}
