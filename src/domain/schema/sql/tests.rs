//! `tests/data/schema/migrations.sql`: migrations as people and tools write them, what each means, and why.
//!
//! A case begins with a line of three dashes: for which database or by which tool, the class, and a part of the reason.

use super::*;

const CASES: &str = include_str!("../../../../tests/data/schema/migrations.sql");

#[test]
fn each_migration_means_what_the_table_says() {
    let mut count = 0;
    for case in CASES.split("--- ").filter(|case| !case.trim().is_empty()) {
        let (head, sql) = case.split_once('\n').unwrap();
        let (class, why) = head.split_once(':').unwrap();
        let expected = match class.split(' ').nth(1) {
            Some("expand") => Effect::Expand,
            Some("contract") => Effect::Contract,
            Some("unknown") => Effect::Unknown,
            other => panic!("{head}: {other:?}"),
        };
        let found = classify(sql);
        let is_said = |one: &SqlFinding| one.effect == expected && one.why.contains(why.trim());
        assert_eq!(effect_of(&found), expected, "{head}\n{sql}{found:#?}");
        assert!(why.trim().is_empty() || found.iter().any(is_said), "{head}\n{sql}{found:#?}");
        count += 1;
    }
    assert!(count >= 150, "{count} cases");
}

#[test]
fn a_statement_is_named_with_its_line() {
    let found = classify("-- one\n\nALTER TABLE a ADD COLUMN b int;\n\n  DROP TABLE c;\n");
    let told: Vec<_> = found.iter().map(|one| (one.line, one.statement.as_str())).collect();
    assert_eq!(told, [(3, "ALTER TABLE a ADD COLUMN b int"), (5, "DROP TABLE c")]);
}

#[test]
fn what_is_too_much_is_unknown() {
    let long = format!("SELECT '{}';", "x".repeat(MAX_BYTES));
    assert_eq!(effect_of(&classify(&long)), Effect::Unknown);
    let many = "CREATE TABLE a (b int);".repeat(MAX_STATEMENTS + 1);
    assert_eq!(effect_of(&classify(&many)), Effect::Unknown);
    let deep = format!("SELECT {}1{};", "(".repeat(5_000), ")".repeat(5_000));
    assert_eq!(effect_of(&classify(&deep)), Effect::Unknown);
    assert_eq!(effect_of(&classify("")), Effect::Expand);
    assert_eq!(effect_of(&classify("'")), Effect::Unknown);
}

proptest::proptest! {
    #[test]
    fn any_text_is_classified_without_panic(text in "[A-Za-z0-9_ ;()'\"$\\-\n,.=]{0,200}") {
        let _found = classify(&text);
    }

    /// What nobody can read is never said to be safe.
    #[test]
    fn words_that_are_no_sql_are_unknown(word in "[a-z]{3,9}", other in "[a-z]{3,9}") {
        let sql = format!("zz{word} {other} qq;");
        proptest::prop_assert_eq!(effect_of(&classify(&sql)), Effect::Unknown);
    }
}
