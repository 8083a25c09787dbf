use super::plan::tests::deployment;
use super::plan::{Target, plan};
use super::together::together;
use super::*;
use crate::domain::environment::policy::Policy;
use crate::domain::judge::verdict::Verdict;

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

/// The service `cart`, which the same commit deployed.
fn cart(bad: &Deployment) -> Deployment {
    let path = FilePath::new("apps/cart/values.yaml").unwrap();
    let mut cart = bad.clone();
    cart.service = "cart".parse().unwrap();
    cart.id = "of cart".to_owned();
    cart.files.iter_mut().for_each(|file| file.path = path.clone());
    cart.fields.iter_mut().for_each(|field| field.path = path.clone());
    cart
}

fn alone(bad: &Deployment, judgement: &Judgement) -> Change {
    let current = BTreeMap::from([(bad.files[0].path.clone(), Some(b"tag: v2\n".to_vec().into()))]);
    let (branch, policy) = (BranchName::new("main").unwrap(), Policy::default());
    let target = Target {
        branch: &branch,
        head: bad.commit,
        current: &current,
        moved: &BTreeMap::new(),
        policy: &policy,
        now: bad.at,
    };
    plan(bad, Motive::Metrics(judgement), &target).unwrap()
}

#[test]
fn services_of_a_group_are_one_change_with_a_block_for_each() {
    let bad = Deployment { group: Some("shop".parse().unwrap()), ..deployment("tag: v1\n", "tag: v2\n") };
    let judged =
        |verdict| Judgement { verdict, since: None, reason: "errors rose".to_owned(), findings: Vec::new() };
    let (red, fine) = (judged(Verdict::Regressed), judged(Verdict::Healthy));
    let of_cart = || alone(&cart(&bad), &fine);
    let joined = |others| together(alone(&bad, &red), (&bad, Motive::Metrics(&red)), others, true);
    let change = joined(vec![(of_cart(), Motive::Metrics(&fine))]);
    assert_eq!(change.files.len(), 2, "the files of both");
    assert_eq!(change.pins.without, ["what goes back as a group is not pinned"]);
    assert_eq!(
        change.to_string(),
        "revert 0707070707 of web in production\n  apps/web/values.yaml: tag: v2 → v1 (tag or digest key)\n  \
         not pinned: what goes back as a group is not pinned\nwith cart, of the same group shop\n  \
         apps/cart/values.yaml: tag: v2 → v1 (tag or digest key)\n"
    );
    let (subject, rest) = change.message.split_once('\n').unwrap();
    assert_eq!(subject, "Revert web and 1 more of shop in production: v2 → v1");
    let blocks: Vec<&str> = rest.split("\n\n").filter(|part| part.starts_with("Backout-Id")).collect();
    let seven = "07".repeat(20);
    let evidence = format!("Backout-Evidence: refs/notes/backout-* on {seven}");
    let block = |service: &str, more: &str| {
        format!(
            "Backout-Id: of {service}\nBackout-Service: {service}\nBackout-Environment: production\nBackout-Reverts: \
             {seven}\n{more}Backout-From: v2\nBackout-To: v1\n{evidence}"
        )
    };
    assert_eq!(blocks[0], block("web", ""));
    assert_eq!(blocks[1].trim_end(), block("cart", "Backout-Together-With: web\n"));
    let entries = change.as_entries();
    let shown = entries.iter().map(|one| (one.service.as_str(), one.is_of_bad())).collect::<Vec<_>>();
    assert_eq!(shown, [("web", true), ("cart", false)]);
    // What was bad too is kept out too. Without others it is the change alone.
    let both = joined(vec![(of_cart(), Motive::Metrics(&red))]);
    assert!(both.as_entries().iter().all(RevertEntry::is_of_bad));
    assert_eq!(joined(Vec::new()), alone(&bad, &red));
}
