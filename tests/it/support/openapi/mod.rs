//! Whether a request is one that a forge's own description of its API allows, and an answer one that it may give.
//!
//! The descriptions are GitHub's (OpenAPI 3.0, from npm) and Forgejo's (Swagger 2.0, which a crate ships). The check is
//! stricter than the forges: what a description does not declare is an error, as a misspelt key is ignored by a forge
//! and would pass unseen.

mod examples;
mod route;
mod schema;

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::Validator;
use serde_json::{Map, Value};

use self::route::Route;
use self::schema::Dialect;
use super::command;
use super::npm::npm_file;

/// The most problems that an error names.
const MAX_PROBLEMS: usize = 5;
/// The most characters of one problem.
const MAX_LENGTH: usize = 300;

static GITHUB: LazyLock<Description> = LazyLock::new(|| {
    Description::load(&npm_file("@octokit/openapi/generated/api.github.com.json"), Dialect::OpenApi30)
});

static FORGEJO: LazyLock<Description> =
    LazyLock::new(|| Description::load(&forgejo_description(), Dialect::Swagger20));

/// A forge's API, as it is reached under a base path.
#[derive(Clone, Copy)]
pub(crate) struct Api {
    description: &'static Description,
    base: &'static str,
}

/// An operation of an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// Its name in the description, such as `pulls/create`.
    pub(crate) id: String,
    /// Its path with the parameters' names, such as `/repos/{owner}/{repo}/pulls`.
    pub(crate) path: String,
    /// Its method in lower case.
    pub(crate) method: String,
}

impl Api {
    /// GitHub's REST API, which github.com has at its root.
    pub(crate) fn github() -> Self {
        Self { description: &GITHUB, base: "" }
    }

    /// Forgejo's API, without its base path.
    pub(crate) fn forgejo() -> Self {
        Self { description: &FORGEJO, base: "" }
    }

    /// The same API under a base path: `/api/v3` on GitHub Enterprise Server, `/api/v1` on Forgejo.
    pub(crate) fn under(self, base: &'static str) -> Self {
        Self { base, ..self }
    }

    /// The ids of all operations.
    pub(crate) fn operation_ids(&self) -> BTreeSet<&'static str> {
        let paths = self.description.value["paths"].as_object().unwrap();
        let operations = paths.values().flat_map(|item| item.as_object().unwrap().values());
        operations.filter_map(|operation| operation.get("operationId")?.as_str()).collect()
    }

    /// Finds the operation of a request and checks its path, query and JSON body.
    ///
    /// # Errors
    /// What is wrong with it, up to a few problems.
    pub(crate) fn check(
        &self,
        method: &str,
        path_and_query: &str,
        body: Option<&Value>,
    ) -> Result<Operation, String> {
        let request = format!("{method} {path_and_query}");
        let (path, query) = path_and_query.split_once('?').unwrap_or((path_and_query, ""));
        let path = path.strip_prefix(self.base).ok_or(format!("{request}: not under {}", self.base))?;
        let description = self.description;
        let (route, values) = route::find(&description.routes, path)
            .ok_or_else(|| format!("{request}: {} has no such path", description.name))?;
        let operation = Operation {
            id: String::new(),
            path: route.template.clone(),
            method: method.to_ascii_lowercase(),
        };
        let Some(declared) = description.operation(&operation) else {
            return Err(format!("{request}: {} has no {method} of {}", description.name, route.template));
        };
        let id = declared["operationId"].as_str().expect("every operation has an id").to_owned();
        let operation = Operation { id, ..operation };
        let check = Check { description, operation: &operation, declared };
        let mut problems = check.path(&values);
        problems.extend(check.query(query));
        problems.extend(check.body(body));
        none(&format!("{request} ({})", operation.id), &problems).map(|()| operation)
    }

    /// Checks an answer to a request that [`Api::check`] has found the operation of.
    ///
    /// # Errors
    /// What is wrong with it, up to a few problems; a status that the description does not name is one.
    pub(crate) fn check_response(
        &self,
        operation: &Operation,
        status: u16,
        body: Option<&Value>,
    ) -> Result<(), String> {
        let description = self.description;
        let declared = description.operation(operation).expect("an operation is one of its own API");
        let what = format!("{status} to {}", operation.id);
        let Some(answer) = declared["responses"].get(status.to_string()) else {
            let known: Vec<&str> =
                declared["responses"].as_object().unwrap().keys().map(String::as_str).collect();
            return Err(format!("{what}: not among its statuses {}", known.join(", ")));
        };
        let answer = description.resolve(answer);
        let check = Check { description, operation, declared };
        let schema = match description.dialect {
            Dialect::OpenApi30 => json_content(&answer["content"]).map(|body| body["schema"].clone()),
            Dialect::Swagger20 => answer.get("schema").cloned().or_else(|| fields_as_headers(answer)),
        };
        let problems = match (schema, body) {
            (None, None) => Vec::new(),
            (None, Some(_)) => vec!["it declares no JSON body".to_owned()],
            (Some(_), None) => vec!["it has no body".to_owned()],
            (Some(schema), Some(body)) => check.value(&format!("answer {status}"), &schema, body, true),
        };
        none(&what, &problems)
    }
}

/// A description of an API, with what was made from it so far.
struct Description {
    name: String,
    dialect: Dialect,
    value: Value,
    routes: Vec<Route>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Description {
    fn load(path: &Path, dialect: Dialect) -> Self {
        let value: Value = serde_json::from_slice(&fs::read(path).unwrap()).unwrap();
        let name = value["info"]["title"].as_str().unwrap().to_owned();
        let paths = value["paths"].as_object().unwrap().iter();
        let route = |(template, item): (&String, &Value)| {
            Route::new(template, &multi_names(&value, dialect, template, item))
        };
        let routes = paths.map(route).collect();
        Self { name, dialect, routes, value, validators: Mutex::default() }
    }

    fn operation(&self, operation: &Operation) -> Option<&Value> {
        self.value["paths"].get(&operation.path)?.get(&operation.method)
    }

    /// What a value stands for, if it is a reference.
    fn resolve<'d>(&'d self, value: &'d Value) -> &'d Value {
        schema::resolve(&self.value, value)
    }

    /// The validator of this name, compiled the first time that it is asked for.
    fn validator(&self, name: String, schema: &Value, answer: bool) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let compile = || {
            let schema = schema::json_schema(&self.value, self.dialect, schema, answer);
            let options = jsonschema::draft202012::options().should_validate_formats(true);
            Arc::new(options.build(&schema).unwrap_or_else(|error| panic!("{}: {error}", self.name)))
        };
        Arc::clone(validators.entry(name).or_insert_with(compile))
    }
}

/// The check of one operation.
struct Check<'a> {
    description: &'static Description,
    operation: &'a Operation,
    declared: &'static Value,
}

impl Check<'_> {
    /// The declared parameters that stand in `place`.
    fn parameters(&self, place: &str) -> Vec<&'static Value> {
        let all = self.declared["parameters"].as_array().into_iter().flatten();
        all.map(|parameter| self.description.resolve(parameter)).filter(|p| p["in"] == place).collect()
    }

    fn path(&self, values: &[(String, String)]) -> Vec<String> {
        let declared = self.parameters("path");
        let check = |(name, value): &(String, String)| {
            let parameter = declared.iter().find(|parameter| parameter["name"] == **name)?;
            self.parameter(parameter, std::slice::from_ref(value))
        };
        values.iter().filter_map(check).collect()
    }

    fn query(&self, query: &str) -> Vec<String> {
        let mut given: Vec<(String, Vec<String>)> = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let [name, value] = [name, value].map(|text| route::decode(&text.replace('+', " ")));
            match given.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => given.push((name, vec![value])),
            }
        }
        let mut problems = Vec::new();
        let declared = self.parameters("query");
        for parameter in &declared {
            let name = parameter["name"].as_str().unwrap();
            match given.iter().find(|(given, _)| given == name) {
                Some((_, values)) => problems.extend(self.parameter(parameter, values)),
                None if parameter["required"] == true => problems.push(format!("the query needs {name}")),
                None => {}
            }
        }
        let known = |name: &str| declared.iter().any(|parameter| parameter["name"] == name);
        let unknown = given.iter().filter(|(name, _)| !known(name));
        problems.extend(unknown.map(|(name, _)| format!("it takes no {name} in its query")));
        problems
    }

    /// Whether one of the values that a parameter's text may stand for is as declared.
    fn parameter(&self, parameter: &Value, texts: &[String]) -> Option<String> {
        let (name, place) = (parameter["name"].as_str().unwrap(), parameter["in"].as_str().unwrap());
        let schema = match self.description.dialect {
            Dialect::OpenApi30 => parameter["schema"].clone(),
            Dialect::Swagger20 => {
                let mut schema = parameter.as_object().unwrap().clone();
                schema.retain(|key, _| key != "required");
                Value::Object(schema)
            }
        };
        let key = format!("{} {} {place} {name}", self.operation.method, self.operation.path);
        let validator = self.description.validator(key, &schema, false);
        let scalars = |text: &String| {
            let parsed = serde_json::from_str(text).ok();
            let parsed = parsed.filter(|value: &Value| value.is_number() || value.is_boolean());
            [Some(Value::String(text.clone())), parsed].into_iter().flatten()
        };
        let mut candidates: Vec<Value> = Vec::new();
        let items: Vec<String> = match texts {
            [one] => {
                candidates.extend(scalars(one));
                one.split(',').map(str::to_owned).collect()
            }
            several => several.to_vec(),
        };
        candidates.push(items.iter().cloned().map(Value::String).collect());
        candidates.push(items.iter().filter_map(|text| scalars(text).last()).collect());
        let good = candidates.iter().any(|candidate| validator.is_valid(candidate));
        let given = texts.join(", ");
        (!good).then(|| shorten(&format!("{name} in the {place} is `{given}`, declared as {schema}")))
    }

    fn body(&self, body: Option<&Value>) -> Vec<String> {
        let (declared, schema) = match self.description.dialect {
            Dialect::OpenApi30 => {
                let declared = self.declared.get("requestBody").map(|body| self.description.resolve(body));
                let content = declared.and_then(|body| json_content(&body["content"]));
                (declared, content.map(|content| &content["schema"]))
            }
            Dialect::Swagger20 => {
                let declared = self.parameters("body").first().copied();
                (declared, declared.and_then(|body| body.get("schema")))
            }
        };
        match (declared, schema, body) {
            (None, _, None) => Vec::new(),
            (None, _, Some(_)) => vec!["it takes no body".to_owned()],
            (Some(declared), _, None) if declared["required"] == true => vec!["it needs a body".to_owned()],
            (Some(_), _, None) => Vec::new(),
            (Some(_), None, Some(_)) => vec!["it takes no JSON".to_owned()],
            (Some(_), Some(schema), Some(body)) => self.value("body", schema, body, false),
        }
    }

    fn value(&self, what: &str, schema: &Value, value: &Value, answer: bool) -> Vec<String> {
        let key = format!("{} {} {what}", self.operation.method, self.operation.path);
        let validator = self.description.validator(key, schema, answer);
        let problem = |error| format!("{what}: {}", schema::explain(&error));
        validator.iter_errors(value).take(MAX_PROBLEMS).map(problem).collect()
    }
}

/// A body in JSON, among its media types.
fn json_content(content: &Value) -> Option<&Value> {
    let content = content.as_object()?;
    let suffixed = || content.iter().find(|(name, _)| name.ends_with("+json")).map(|(_, media)| media);
    content.get("application/json").or_else(suffixed)
}

/// Forgejo's description has the fields of some errors as headers of theirs.
fn fields_as_headers(answer: &Value) -> Option<Value> {
    let properties: Map<String, Value> = answer.get("headers")?.as_object()?.clone();
    Some(serde_json::json!({"type": "object", "properties": properties}))
}

/// The names of the parameters of a path that may be several segments of it: GitHub says which; of Forgejo's they are
/// those that its router has as `*`.
fn multi_names<'d>(value: &'d Value, dialect: Dialect, template: &str, item: &'d Value) -> Vec<&'d str> {
    if dialect == Dialect::Swagger20 {
        return match template {
            "/repos/{owner}/{repo}/git/refs/{ref}" => vec!["ref"],
            "/repos/{owner}/{repo}/branches/{branch}" => vec!["branch"],
            _ => vec!["filepath"],
        };
    }
    let operations = item.as_object().into_iter().flatten();
    let parameters = operations.filter_map(|(_, operation)| operation["parameters"].as_array()).flatten();
    let parameters = parameters.map(|parameter| schema::resolve(value, parameter));
    let multi = parameters.filter(|p| p["in"] == "path" && p["x-multi-segment"] == true);
    multi.filter_map(|parameter| parameter["name"].as_str()).collect()
}

fn none(what: &str, problems: &[String]) -> Result<(), String> {
    if problems.is_empty() {
        return Ok(());
    }
    let shown: Vec<&str> = problems.iter().take(MAX_PROBLEMS).map(String::as_str).collect();
    Err(format!("{what}: {}", shown.join("; ")))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(MAX_LENGTH) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Forgejo's description in the source of the crate `forgejo-api`, which is fetched and never built.
fn forgejo_description() -> PathBuf {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forgejo/Cargo.toml");
    // Any one platform: without it Cargo wants the dependencies of all of them.
    let platform = ["--filter-platform", "x86_64-unknown-linux-gnu", "--format-version", "1"];
    let mut metadata = command(env!("CARGO"));
    metadata.args(["metadata", "--offline", "--locked"]).args(platform).arg("--manifest-path").arg(&manifest);
    let output = metadata.output().unwrap();
    assert!(
        output.status.success(),
        "this test needs Forgejo's description of its API: run scripts/test once, which fetches it:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    let package = packages.iter().find(|package| package["name"] == "forgejo-api").unwrap();
    Path::new(package["manifest_path"].as_str().unwrap()).with_file_name("swagger.v1.json")
}
