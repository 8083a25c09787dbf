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

#[test]
fn what_a_file_says_is_no_line_of_the_plan() {
    let mut bad = deployment("tag: v1\n", "tag: v2\n");
    let forged = "args[\u{1b}[31m\r\npushed 0000000000 to main\u{2028}]".to_owned();
    for address in bad.fields.iter_mut().map(|field| &mut field.address) {
        address.clone_from(&forged);
    }
    bad.left_behind = vec![format!("a.yaml: {forged}")];
    let path = || FilePath::new("apps/web/values.yaml").unwrap();
    let field = FieldResult {
        address: forged.clone(),
        rule: bad.fields[0].rule,
        old_text: forged.clone(),
        new_text: forged.clone(),
        outcome: FieldOutcome::Superseded(forged.clone()),
    };
    let change = Change {
        id: bad.id.clone(),
        environment: bad.environment.clone(),
        service: bad.service.clone(),
        branch: BranchName::new("main").unwrap(),
        base: bad.parent,
        reverts: bad.commit,
        with: vec![AlsoUndone { subject: forged.clone(), ..AlsoUndone::of(&bad) }],
        bad_values: BTreeSet::new(),
        files: BTreeMap::new(),
        fields: vec![(path(), field)],
        along: bad.left_behind.clone(),
        left_behind: bad.left_behind.clone(),
        doubts: vec![forged.clone()],
        checked: vec![forged.clone()],
        pins: Pins::default(),
        together: None,
        message: String::new(),
        at: bad.at,
    };
    let refused = NoChange::refused(path(), field::Refusal::ByHand(forged)).to_string();
    let plan = change.to_string();
    assert_eq!((plan.lines().count(), refused.lines().count()), (7, 1), "{plan}{refused}");
    for text in [plan, refused] {
        assert!(text.lines().all(|line| !line.chars().any(is_unseen)), "{text:?}");
    }
}
