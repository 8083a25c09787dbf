//! Files as people write them, and as they should not.

use super::*;

const NOW: Time = Time::from_unix(1_796_083_200); // 2026-12-01T00:00:00Z

fn name(text: &str) -> EnvironmentName {
    EnvironmentName::new(text).unwrap()
}

/// What is paused in an environment, in words.
fn paused(text: &str, environment: &str) -> Vec<String> {
    let entries = read_pause_file(text.as_bytes(), NOW).unwrap();
    let pauses = entries.iter().filter_map(|entry| entry.in_environment(&name(environment), "the file"));
    pauses.map(|pause| format!("{} is {pause}", pause.what())).collect()
}

#[test]
fn entries_pause_an_environment_or_a_service() {
    let text = "# while we move\n\
        - {service: checkout, until: 2026-12-01T18:00:00Z, why: a test of the load}\n\
        - until: \"2026-12-02T09:00:00+01:00\"\n  why: >\n    the move\n  environment: production\n";
    assert_eq!(
        paused(text, "production"),
        [
            "checkout in production is paused until 2026-12-01T18:00:00Z by the file: a test of the load",
            "production is paused until 2026-12-02T08:00:00Z by the file: the move",
        ]
    );
    assert_eq!(paused(text, "staging").len(), 1, "the second names the other one");
    for empty in ["", "# nothing\n", "[]", "---\n", "~"] {
        assert_eq!(paused(empty, "production"), Vec::<String>::new(), "{empty:?}");
    }
}

#[test]
fn what_is_over_is_read_and_holds_no_more() {
    let entries = read_pause_file(b"- {until: 2026-11-30T18:00:00Z, why: x}", NOW).unwrap();
    let pause = entries[0].in_environment(&name("production"), "the file").unwrap();
    assert!(!pause.is_open(NOW));
}

#[test]
fn a_mistake_is_told_with_its_line() {
    let long = format!(
        "- {{until: 2026-12-01T18:00:00Z, why: x}}\n{}",
        "- {until: x, why: y}\n".repeat(MAX_PAUSES - 1)
    );
    let many = "- {until: 2026-12-01T18:00:00Z, why: x}\n".repeat(MAX_PAUSES + 1);
    let deep = "[".repeat(1_000);
    for (text, told) in [
        ("- {until: 2026-12-01T18:00:00Z}", "line 1: `why` is missing"),
        ("\n- {why: x}", "line 2: `until` is missing"),
        ("- {until: 2026-12-01T18:00:00Z, why: ''}", "line 1: `why` is missing"),
        (
            "- until: tomorrow\n  why: x",
            "line 1: `until: tomorrow` is no time: write it like 2026-12-01T18:00:00Z",
        ),
        ("- why: x\n  until: 2026-12-01", "line 2: `until: 2026-12-01` is no time"),
        (
            "- why: x\n  until: 2027-12-01T00:00:00Z",
            "line 2: `until: 2027-12-01T00:00:00Z` is more than 30 days ahead",
        ),
        ("- {unitl: 2026-12-01T18:00:00Z, why: x}", "line 1: unknown key `unitl`"),
        ("- {why: x, why: y}", "line 1: the key `why` stands in one entry twice"),
        ("- {why: x, until: 2026-12-01T18:00:00Z, service: ../x\u{7}}", "line 1"),
        ("- {why: x, until: 2026-12-01T18:00:00Z, environment: 'a b'}", "line 1"),
        ("until: 2026-12-01T18:00:00Z\nwhy: x", "line 1: write a list of entries"),
        ("- a\n- b", "line 1: write a list of entries"),
        ("- [a]", "line 1: write a list of entries"),
        ("- {why: [x]}", "line 1: write a list of entries"),
        ("- {why: x\n- {", "not valid YAML"),
        ("- {why: *x}", "line 1"),
        ("- {why: !!str x}", "tags are not read here"),
        (long.as_str(), "line 2: `until: x` is no time"),
        (many.as_str(), "more than 500 entries"),
        (deep.as_str(), "line 1"),
    ] {
        let told_in_fact = read_pause_file(text.as_bytes(), NOW).unwrap_err();
        assert!(told_in_fact.starts_with(".backout/pause.yaml, line "), "{text:.60}: {told_in_fact}");
        assert!(told_in_fact.contains(told), "{text:.60}: {told_in_fact}");
        assert!(told_in_fact.chars().count() < 400, "{told_in_fact}");
    }
    assert!(read_pause_file(b"- \xff", NOW).unwrap_err().contains("is not UTF-8"));
    assert!(read_pause_file(&vec![b' '; MAX_BYTES + 1], NOW).unwrap_err().contains("larger than 256 KiB"));
}
