//! Whether everything that a pass needs is there: each finding with what to do about it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use super::look::found::find_services;
use super::look::pauses::brakes;
use super::no_effect::{Doubts, NoEffect, PlaceOf, look};
use super::world::{Estate, World, blocking};
use crate::domain::change::Change;
use crate::domain::environment::Environment;
use crate::domain::environment::found::{FoundService, found_twice};
use crate::domain::environment::policy::Delivery;
use crate::domain::ids::{BranchName, CommitId, GroupName, ServiceName};
use crate::domain::judge::evidence::Series;
use crate::domain::judge::question::{MAX_SEGMENTS, Part, Question, Subject, ask};
use crate::ports::{Answer, Forge, ForgeError, RepositoryError, SourceError, in_the_way};

/// What was looked at, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// What was looked at.
    pub what: String,
    /// What was found.
    pub found: String,
    /// What to do about it; none where all is well.
    pub fix: Option<String>,
    /// Whether it may be meant as it is: what does not fit today may fit what comes. It does not make the check fail.
    #[serde(rename = "note", skip_serializing_if = "std::ops::Not::not")]
    pub is_note: bool,
}

impl Checked {
    fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), fix: None, is_note: false }
    }

    fn bad(what: impl Into<String>, found: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { what: what.into(), found: found.into(), fix: Some(fix.into()), is_note: false }
    }

    /// Whether something is wrong.
    #[must_use]
    pub fn is_bad(&self) -> bool {
        self.fix.is_some() && !self.is_note
    }
}

/// How much time a query is tried on.
const TRIED_SECS: i64 = 600;
/// The most groups that are shown, and services of each: more nobody reads.
const MAX_NAMED: usize = 20;

/// Checks reading and pushing of every environment, every metric query on one service, and what the configuration says without effect.
/// `place_of` says where its keys stand.
pub async fn check(world: &World, place_of: PlaceOf<'_>) -> Vec<Checked> {
    let mut checked = vec![Checked::good("records".to_owned(), about_records(world).to_owned())];
    let mut doubts = Doubts::default();
    for (estate, environment) in world.environments() {
        check_environment((world, estate), environment, (place_of, &mut doubts), &mut checked).await;
    }
    let told = |(place, doubt): (String, NoEffect)| Checked {
        is_note: doubt.may_be_meant,
        ..Checked::bad(place, doubt.found, doubt.fix)
    };
    checked.extend(doubts.all().map(told));
    checked
}

/// Whom the notes are believed.
fn about_records(world: &World) -> &'static str {
    if world.records_proven {
        "a key proves which of them are the agent's own; others count for nothing"
    } else {
        "`record.key` is not set: anybody who may push notes can write a record, so each pass derives anew what it acts on; set \
         `record.key` to prove which are the agent's own"
    }
}

async fn check_environment(
    (world, estate): (&World, &Estate),
    environment: &Arc<Environment>,
    (place_of, doubts): (PlaceOf<'_>, &mut Doubts),
    checked: &mut Vec<Checked>,
) {
    let name = &environment.name;
    let head = match read_right(estate, environment).await {
        Ok(head) => head,
        Err(error) => {
            let key = estate.key();
            let fix = format!("check {key}.url, the branch and {key}.auth");
            checked.push(Checked::bad(format!("read {name}"), error.to_string(), fix));
            return;
        }
    };
    checked.push(Checked::good(
        format!("read {name}"),
        format!("{} is at {}", environment.branch, head.short()),
    ));
    checked.extend(check_pauses((world, estate), environment, head).await);
    let proposals = || BranchName::new(format!("backout/{name}/check")).ok();
    let branch = match environment.delivery {
        Delivery::Push => environment.branch.clone(),
        Delivery::Branch | Delivery::PullRequest => proposals().unwrap_or_else(|| environment.branch.clone()),
    };
    let pushed = blocking(&estate.repository, move |repository| repository.check_push(&branch)).await;
    checked.push(match pushed {
        Ok(()) => Checked::good(format!("push to {name}"), "allowed, as far as Git tells without pushing; the rules that the server has for the branch are not tested"),
        Err(error) => Checked::bad(
            format!("push to {name}"),
            error.to_string(),
            "give the token or key write access to the repository, or use mode: observe",
        ),
    });
    if let Some(forge) = &estate.forge {
        checked.push(check_forge(forge.as_ref(), environment).await);
    }
    let found = match find(estate, environment, head).await {
        Ok(found) => {
            let looked = look((world, estate), environment, (head, &found), place_of, doubts).await;
            looked.map(|()| services(world, environment, found, checked))
        }
        Err(error) => Err(error),
    };
    match found {
        Ok(services) => {
            checked.extend(check_proposals(estate, environment, &services).await);
            check_services((world, estate), environment, &services, checked).await;
        }
        Err(error) => {
            let fix = "check that the branch holds a complete history";
            checked.push(Checked::bad(format!("list the files of {name}"), error.to_string(), fix));
        }
    }
}

/// What may be meant as a pause and is not understood, or pauses nothing.
async fn check_pauses(
    (world, estate): (&World, &Estate),
    environment: &Environment,
    head: CommitId,
) -> Vec<Checked> {
    let what = format!("pauses of {}", environment.name);
    let tips = BTreeMap::from([(environment.branch.clone(), head)]);
    match brakes(world, estate, &tips).await {
        Ok(held) => {
            let own = held.into_iter().filter(|one| one.environment == environment.name);
            let problems = own.flat_map(|one| one.problems);
            let fix =
                "correct it, or remove it: until then it may hold the agent back, or not do what was meant";
            problems.map(|problem| Checked::bad(what.clone(), problem, fix)).collect()
        }
        Err(error) => {
            let fix = format!("check {}.url and {0}.auth", estate.key());
            vec![Checked::bad(what, error.to_string(), fix)]
        }
    }
}

/// The branches beside which those on which reverts wait cannot be made.
async fn check_proposals(
    estate: &Estate,
    environment: &Environment,
    services: &FoundServices,
) -> Vec<Checked> {
    let what = format!("branches for proposals of {}", environment.name);
    let listed = blocking(&estate.repository, |repository| repository.remote_branches("backout")).await;
    let listed = match listed {
        Ok(listed) => listed,
        Err(error) => {
            let fix = format!("check {}.url and {0}.auth", estate.key());
            return vec![Checked::bad(what, error.to_string(), fix)];
        }
    };
    let services = services.values().flatten().map(|subject| &subject.service);
    let wanted = services
        .filter_map(|service| Change::branch_for(&environment.name, service, CommitId::from_bytes([0; 20])));
    let there: BTreeSet<&str> = wanted
        .filter_map(|wanted| in_the_way(listed.keys().map(BranchName::as_str), wanted.as_str()))
        .collect();
    let told = |there: &str| {
        let found =
            format!("the branch {there} is in the way of those named {there}/…: no revert can wait on one");
        Checked::bad(what.clone(), found, format!("rename the branch {there}, or remove it"))
    };
    there.into_iter().map(told).collect()
}

async fn check_forge(forge: &dyn Forge, environment: &Environment) -> Checked {
    let what = format!("pull requests into {}", environment.name);
    let told = match forge.check(&environment.branch, environment.delivery).await {
        // Where deployments that changed a schema are told of.
        Ok(told) => forge.issues().await.map(|_| told),
        refused => refused,
    };
    match told {
        Ok(found) => Checked::good(what, found),
        Err(ForgeError::Unavailable(reason)) => {
            Checked::bad(what, reason, "check `forge.url`, and that the forge is up")
        }
        Err(
            ForgeError::Denied(reason)
            | ForgeError::Refused(reason)
            | ForgeError::Taken(reason)
            | ForgeError::Off(reason),
        ) => Checked::bad(
            what,
            reason,
            "check `forge.repository`, and what the credentials in `forge.auth` may do",
        ),
    }
}

async fn read_right(estate: &Estate, environment: &Arc<Environment>) -> Result<CommitId, RepositoryError> {
    let branch = environment.branch.clone();
    blocking(&estate.repository, move |repository| {
        let heads = repository.fetch(std::slice::from_ref(&branch))?;
        heads.get(&branch).copied().ok_or_else(|| RepositoryError::NotFound(format!("the branch {branch}")))
    })
    .await
}

/// The services that each rule of the environment finds, by name.
type FoundServices = BTreeMap<usize, Vec<Subject>>;

async fn find(
    estate: &Estate,
    environment: &Arc<Environment>,
    head: CommitId,
) -> Result<Vec<FoundService>, RepositoryError> {
    let environment = Arc::clone(environment);
    blocking(&estate.repository, move |repository| find_services(repository, &environment, head, None)).await
}

fn services(
    world: &World,
    environment: &Environment,
    found: Vec<FoundService>,
    checked: &mut Vec<Checked>,
) -> FoundServices {
    for twice in found_twice(environment, &found).into_values() {
        let fix = "change the rules under `services`: until then nothing is judged or reverted of it";
        checked.push(Checked::bad(format!("services of {}", environment.name), twice, fix));
    }
    checked.extend(groups(environment, &found));
    let mut names: BTreeMap<usize, BTreeMap<String, Subject>> = BTreeMap::new();
    for found in found {
        let of_rule = names.entry(found.rule).or_default();
        of_rule.entry(found.name.to_string()).or_insert_with(|| subject(world, environment, found));
    }
    let all = (0..environment.services.len())
        .map(|index| (index, names.remove(&index).unwrap_or_default().into_values().collect()));
    all.collect()
}

/// The services of each group. What one commit deploys of them goes back together.
fn groups(environment: &Environment, found: &[FoundService]) -> Vec<Checked> {
    let mut groups: BTreeMap<&GroupName, BTreeSet<&ServiceName>> = BTreeMap::new();
    for service in found {
        if let Some(group) = &service.group {
            groups.entry(group).or_default().insert(&service.name);
        }
    }
    let told = |(group, services): (&GroupName, BTreeSet<&ServiceName>)| {
        let first: Vec<&str> = services.iter().take(MAX_NAMED).map(|service| service.as_str()).collect();
        let more = if services.len() > first.len() { " and more" } else { "" };
        let found = match services.len() {
            1 => format!("{} alone: no other service goes back with it", first.join("")),
            count => format!("{count} services, {}{more}", first.join(", ")),
        };
        Checked::good(format!("group {group} of {}", environment.name), found)
    };
    groups.into_iter().take(MAX_NAMED).map(told).collect()
}

fn subject(world: &World, environment: &Environment, service: FoundService) -> Subject {
    let now = world.clock.now();
    let rule = environment.services.get(service.rule);
    let mut policy = rule.map(|rule| rule.policy.clone()).unwrap_or_default();
    policy.baseline_secs = 0;
    Subject {
        environment: environment.name.clone(),
        service: service.name,
        labels: service.labels,
        image_tag: Some("latest".to_owned()),
        deployed_at: now.minus_secs(TRIED_SECS),
        policy,
        signals: rule.map(|rule| rule.signals.clone()).unwrap_or_default(),
        unusual: Vec::new(),
    }
}

async fn check_services(
    (world, estate): (&World, &Estate),
    environment: &Environment,
    services: &FoundServices,
    checked: &mut Vec<Checked>,
) {
    for (index, subjects) in services {
        let what = format!("services of {} (rule {})", environment.name, index + 1);
        let Some(subject) = subjects.first() else {
            let fix = "check the pattern or paths of the service, and the paths of the environment";
            checked.push(Checked::bad(what, "no file matches", fix));
            continue;
        };
        checked
            .push(Checked::good(what, format!("{} found, for example {}", subjects.len(), subject.service)));
        for question in ask(subject, world.clock.now(), 0) {
            checked.push(check_query((world, estate), subjects, &question).await);
        }
    }
}

/// Asks for one service, the first of `subjects`.
async fn check_query(
    (world, estate): (&World, &Estate),
    subjects: &[Subject],
    question: &Question,
) -> Checked {
    let service = subjects.first().map_or("", |subject| subject.service.as_str());
    let what = match question.part {
        Part::Signal => format!("signal {} for {service}", question.signal.name),
        Part::Traffic => format!("traffic of signal {} for {service}", question.signal.name),
    };
    let request = match &question.request {
        Ok(request) => request,
        Err(gap) => return Checked::bad(what, gap.to_string(), "correct the template of the query"),
    };
    let Some(source) = world.sources.get(&request.source) else {
        return Checked::bad(
            what,
            format!("there is no metric source {}", request.source),
            "define it under metrics",
        );
    };
    match source.range(&estate.name, request).await {
        Ok(answer) => check_answer(what, subjects, question, &answer),
        Err(SourceError::Unavailable(reason)) => Checked::bad(
            what,
            reason,
            "check the address or the file of the metric source, and that it can be read",
        ),
        Err(SourceError::Rejected(reason)) => Checked::bad(
            what,
            reason,
            "correct the query or the columns of the file; of a server also the credentials",
        ),
    }
}

fn check_answer(what: String, subjects: &[Subject], question: &Question, answer: &Answer) -> Checked {
    let Some(by) = &question.signal.by else {
        let all: Vec<&Series> = answer.series.iter().collect();
        if all.is_empty() {
            return Checked::bad(what, "no data", "check the query's labels: nothing matches this service");
        }
        let fix = "aggregate the query to one series, or name the label of the service with by:";
        return check_series(what, question, &all, "", fix);
    };
    let values: Vec<&String> = answer.series.iter().filter_map(|series| series.labels.get(by)).collect();
    let own = answer.series.iter().filter(|series| series.labels.get(by) == Some(&question.by_value));
    match own.collect::<Vec<_>>().as_slice() {
        [] if answer.series.is_empty() => Checked::bad(
            what,
            "no data",
            "check the name of the metric and the labels of the query: nothing matches",
        ),
        [] if values.is_empty() => {
            let found = format!("{} series, none with the label {by}", answer.series.len());
            let labels: BTreeSet<&str> =
                answer.series.iter().flat_map(|series| series.labels.keys()).map(String::as_str).collect();
            let fix = match labels.is_empty() {
                true => format!("have the query keep the label {by} (in PromQL: `by ({by})`)"),
                false => {
                    let some: Vec<&str> = labels.into_iter().take(5).collect();
                    format!(
                        "have `by` name one of the labels that are there ({}), or have the query keep {by}",
                        some.join(", ")
                    )
                }
            };
            Checked::bad(what, found, fix)
        }
        [] => {
            let some: BTreeSet<&str> = values.iter().map(|value| value.as_str()).collect();
            let some: Vec<&str> = some.into_iter().take(5).collect();
            let found = format!("no series with {by}={:?}; there are {}", question.by_value, some.join(", "));
            let fix = "have `by` name the label that holds what the pattern captures as {service}, or have the pattern \
                       capture the values that are there"
                .to_owned();
            Checked::bad(what, found, fix)
        }
        own => {
            let silent = silent(subjects, by, &values);
            check_series(what, question, own, &silent, &format!("aggregate the query with `by ({by})` alone"))
        }
    }
}

/// Whether the series of one service are one, or can be told apart where the signal is split. `more` is added to what was
/// found, and `fix` says how to get a single one.
fn check_series(what: String, question: &Question, own: &[&Series], more: &str, fix: &str) -> Checked {
    let samples: usize = own.iter().map(|series| series.samples.len()).sum();
    let Some(label) = question.signal.segment.as_ref().filter(|_| question.part == Part::Signal) else {
        return match own.len() {
            1 => Checked::good(what, format!("{samples} samples in the last 10 minutes{more}")),
            several => Checked::bad(what, format!("{several} series for this service, one is needed"), fix),
        };
    };
    let named = own.iter().filter_map(|series| series.labels.get(label));
    let names: Vec<&String> = named.filter(|name| !name.is_empty()).collect();
    let parts: BTreeSet<&str> = names.iter().map(|name| name.as_str()).collect();
    let fix = |kept: &str| {
        let by = question.signal.by.iter().map(String::as_str).chain([label.as_str()]).collect::<Vec<_>>();
        format!("aggregate the query with `by ({})`{kept}", by.join(", "))
    };
    if names.len() < own.len() {
        let found = format!("{} of {} series have no label {label}", own.len() - names.len(), own.len());
        return Checked::bad(what, found, fix(" so that its series keep that label"));
    }
    if parts.len() < names.len() {
        let found = format!("{} series for {} parts by {label}", names.len(), parts.len());
        return Checked::bad(what, found, fix(" alone"));
    }
    let most = match parts.len() > MAX_SEGMENTS {
        true => format!(", of which the {MAX_SEGMENTS} with the most samples are judged"),
        false => String::new(),
    };
    let found = format!(
        "{} parts by {label}{most}, with {samples} samples in the last 10 minutes{more}",
        parts.len()
    );
    Checked::good(what, found)
}

/// Names the services that an answer for all of them says nothing about: no fault where they have no traffic, but
/// nothing will be judged about them either.
fn silent(subjects: &[Subject], by: &str, values: &[&String]) -> String {
    let known: BTreeSet<&str> = values.iter().map(|value| value.as_str()).collect();
    let missing: Vec<&str> = subjects
        .iter()
        .filter(|subject| {
            !known.contains(subject.labels.get(by).map_or(subject.service.as_str(), String::as_str))
        })
        .map(|subject| subject.service.as_str())
        .collect();
    let some: Vec<&str> = missing.iter().copied().take(5).collect();
    match missing.len() {
        0 => format!(", and all of {} services have some", subjects.len()),
        count => {
            format!(", but {count} of {} services have none, such as {}", subjects.len(), some.join(", "))
        }
    }
}
