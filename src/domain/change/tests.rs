use super::plan::tests::deployment;
use super::*;

#[test]
fn what_a_deployment_added_had_no_version_before() {
    for (before, after, wanted) in [
        ("a: 1\n", "a: 1\ntag: v1\n", "(nothing) → v1"),
        ("a: 1\ntag: v1\n", "a: 1\n", "v1 → (nothing)"),
        ("tag: v1\n", "tag: v2\n", "v1 → v2"),
    ] {
        let line = AlsoUndone::of(&deployment(before, after)).line();
        assert!(line.ends_with(&format!(", {wanted}")), "{line}");
    }
}

#[test]
fn a_path_in_a_diff_moves_no_cursor() {
    for (path, wanted) in [
        ("a/web/values.yaml", "a/web/values.yaml"),
        ("a/grün €.yaml", "a/grün €.yaml"),
        ("a/\u{1b}[31mred", "\"a/\\033[31mred\""),
        ("a/\u{202e}x", "\"a/\\342\\200\\256x\""),
        ("a/\"b\\\t\n", "\"a/\\\"b\\\\\\011\\012\""),
    ] {
        assert_eq!(quoted(path), wanted);
    }
}
