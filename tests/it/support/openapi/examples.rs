//! A description's own examples, against the description: whether it is read as it is meant.

use serde_json::Value;

use super::{Api, Check, Operation, json_content};

impl Api {
    /// How many examples of the description are right by it, and what is wrong with the others. Each schema of each
    /// operation is compiled on the way.
    pub(crate) fn check_examples(&self) -> (usize, Vec<String>) {
        let (mut good, mut wrong) = (0, Vec::new());
        let mut count = |result: Result<(), String>| match result {
            Ok(()) => good += 1,
            Err(problem) => wrong.push(problem),
        };
        let description = self.description;
        for (path, item) in description.value["paths"].as_object().unwrap() {
            for (method, declared) in item.as_object().unwrap() {
                let id = declared["operationId"].as_str().unwrap().to_owned();
                let operation = Operation { id, path: path.clone(), method: method.clone() };
                let check = Check { description, operation: &operation, declared };
                for parameter in ["path", "query"].iter().flat_map(|place| check.parameters(place)) {
                    check.parameter(parameter, &["1".to_owned()]);
                }
                check.body(Some(&Value::Null));
                for body in self.examples(&declared["requestBody"]) {
                    count(super::none(&operation.id, &check.body(Some(body))));
                }
                for (status, answer) in declared["responses"].as_object().unwrap() {
                    let status = status.parse().unwrap();
                    drop(self.check_response(&operation, status, Some(&Value::Null)));
                    for body in self.examples(description.resolve(answer)) {
                        count(self.check_response(&operation, status, Some(body)));
                    }
                }
            }
        }
        (good, wrong)
    }

    /// The description's first example of an answer, if it has one.
    pub(crate) fn example(&self, operation: &Operation, status: u16) -> Option<Value> {
        let declared = self.description.operation(operation)?;
        let answer = self.description.resolve(declared["responses"].get(status.to_string())?);
        self.examples(answer).next().cloned()
    }

    fn examples<'d>(&self, body: &'d Value) -> impl Iterator<Item = &'d Value> + use<'d> {
        let description = self.description;
        let examples = json_content(&body["content"]).and_then(|content| content["examples"].as_object());
        examples.into_iter().flatten().map(|(_, example)| &description.resolve(example)["value"])
    }
}
