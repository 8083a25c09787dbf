//! Whether GraphQL documents and their variables are right by GitHub's schema.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};

use serde_json::{Value, json};

use super::npm::{node, npm_file};

/// graphql-js with the schema, for as long as the test program runs: it ends when its standard input does.
static CHECKER: LazyLock<Mutex<Checker>> = LazyLock::new(|| Mutex::new(Checker::start()));

struct Checker {
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
    _child: Child,
}

impl Checker {
    fn start() -> Self {
        npm_file("@octokit/graphql-schema/schema.graphql");
        let mut child = node("graphql.mjs").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (questions, answers) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { questions, answers: BufReader::new(answers), _child: child }
    }

    fn ask(&mut self, query: &str, variables: &Value) -> Vec<String> {
        writeln!(self.questions, "{}", json!({"query": query, "variables": variables})).unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer).expect("graphql.mjs answers each line");
        let errors = answer["errors"].as_array().unwrap();
        errors.iter().map(|error| error.as_str().unwrap().to_owned()).collect()
    }
}

/// What is wrong with these documents, each of which has one operation, and their variables; nothing when all is well.
/// A variable that is given and not declared is wrong too.
pub(crate) fn check(documents: &[(&str, Value)]) -> Vec<String> {
    let mut checker = CHECKER.lock().unwrap_or_else(PoisonError::into_inner);
    documents.iter().flat_map(|(query, variables)| checker.ask(query, variables)).collect()
}
