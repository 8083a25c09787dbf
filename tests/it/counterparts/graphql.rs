//! The check of GraphQL documents against GitHub's schema.

use serde_json::{Value, json};

use crate::support::graphql::check;

const AUTO_MERGE: &str = "mutation($id: ID!, $method: PullRequestMergeMethod!) {
  enablePullRequestAutoMerge(input: {pullRequestId: $id, mergeMethod: $method}) { pullRequest { number } }
}";

fn variables() -> Value {
    json!({"id": "PR_1", "method": "SQUASH"})
}

#[test]
fn good_documents_have_no_problems() {
    let viewer = ("{ viewer { login } }", Value::Null);
    assert_eq!(check(&[viewer, (AUTO_MERGE, variables())]), Vec::<String>::new());
}

#[test]
fn wrong_documents_and_variables_are_found() {
    for (query, variables, says) in [
        (AUTO_MERGE.replace("number }", "nummer }"), variables(), "Cannot query field \"nummer\""),
        (
            AUTO_MERGE.replace("ID!", "Int!"),
            variables(),
            "of type \"Int!\" used in position expecting type \"ID!\"",
        ),
        (AUTO_MERGE.replace("$id, merge", "$ix, merge"), variables(), "Variable \"$ix\" is not defined"),
        (AUTO_MERGE.replace("{ number }", ""), variables(), "must have a selection of subfields"),
        (AUTO_MERGE.replace("pullRequestId: $id, ", ""), variables(), "Variable \"$id\" is never used"),
        (AUTO_MERGE.replace('}', ""), variables(), "Syntax Error"),
        (format!("query A {{ viewer {{ login }} }} {AUTO_MERGE}"), variables(), "2 operations"),
        (AUTO_MERGE.to_owned(), json!({"id": "PR_1"}), "\"$method\" of required type"),
        (AUTO_MERGE.to_owned(), json!({"id": "PR_1", "method": "squash"}), "\"squash\" does not exist"),
        (AUTO_MERGE.to_owned(), json!({"id": 1.5, "method": "SQUASH"}), "ID cannot represent value"),
        (AUTO_MERGE.to_owned(), json!({"id": "x", "method": "SQUASH", "ids": 1}), "\"$ids\" is given"),
    ] {
        let found = check(&[(&query, variables)]);
        assert!(found.iter().any(|problem| problem.contains(says)), "`{says}` is not in {found:?}");
    }
}
