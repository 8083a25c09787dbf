//! A person asks for a revert: the same surgical change, without metrics and guards.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::act::deliver::{MAX_REFUSALS, MAX_TRIES, Route, deliver, pause};
use super::act::error::DeliveryError;
use super::act::revert::{Current, ToRevert, plan_at};
use super::look::artifacts::look_for;
use super::look::branches::Branches;
use super::look::context::{Intent, Pass};
use super::look::lineage::pasts;
use super::look::search::{SearchError, deployments_at, last_deployment};
use super::look::services::services_found_twice;
use super::world::{Estate, Stop, World};
use crate::domain::artifact::ArtifactsTold;
use crate::domain::artifact::named::MAX_ARTIFACTS;
use crate::domain::change::receipt::Receipt;
use crate::domain::change::{Asked, Change, NoChange};
use crate::domain::deployment::Deployment;
use crate::domain::deployment::artifacts::exchanged;
use crate::domain::deployment::lineage::{Earlier, Goal};
use crate::domain::environment::Environment;
use crate::domain::ids::{CommitId, ServiceName};
use crate::ports::{PushError, RepositoryError};

/// What a person wants reverted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// The last deployment of a service.
    Service(ServiceName),
    /// A commit, with all services that it deployed, or with one of them.
    Commit(CommitId, Option<ServiceName>),
}

/// Why a request cannot be met.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There is no such deployment.
    #[error("{0}")]
    NotFound(String),
    /// Its values are gone, or it is not clear how to put them back.
    #[error("{service}: {none}")]
    NoChange {
        /// The service.
        service: ServiceName,
        /// Why there is nothing to do, or nothing may be done.
        none: NoChange,
    },
    /// Reading or delivering failed.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
}

impl From<RepositoryError> for RequestError {
    fn from(error: RepositoryError) -> Self {
        Self::Delivery(error.into())
    }
}

impl From<SearchError> for RequestError {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::NotFound(reason) => Self::NotFound(reason),
            SearchError::Repository(error) => error.into(),
        }
    }
}

/// How many earlier states are told.
const MAX_EARLIER: usize = 5;

/// A person's request about one environment.
pub struct Request<'a> {
    world: &'a World,
    estate: &'a Estate,
    environment: &'a Arc<Environment>,
    /// Who asks and why, for the commit message.
    asked: Asked<'a>,
    /// Whether the revert leads to the newest state that is known to be good, as the agent's own do, and not to the one just
    /// before the deployment.
    to_good: bool,
    branches: Branches,
    stop: Stop,
}

/// A revert that was worked out on request, with the files as they are now.
pub struct Prepared {
    /// The deployment that is reverted.
    pub deployment: Deployment,
    /// The state that the revert leads to, if the newest good one was asked for.
    goal: Option<Goal>,
    /// What the registries say about what goes back, in words.
    checked: Vec<String>,
    /// The change.
    pub change: Change,
    /// The files that it touches, before it.
    pub current: Current,
}

/// The reverts that were worked out on request.
#[derive(Default)]
pub struct PreparedAll {
    /// One for each service that still holds what was deployed.
    pub reverts: Vec<Prepared>,
    /// The services of which nothing is left to revert, each with why.
    pub back: Vec<(ServiceName, String)>,
}

impl<'a> Request<'a> {
    /// A request about an environment of an estate: for a revert to the newest state that is known to be good (`to_good`), or to
    /// the one just before the deployment.
    #[must_use]
    pub fn new(
        world: &'a World,
        estate: &'a Estate,
        environment: &'a Arc<Environment>,
        asked: Asked<'a>,
        to_good: bool,
    ) -> Self {
        let branches =
            Branches::new(estate, std::slice::from_ref(environment), world.clock.now(), Default::default());
        Self { world, estate, environment, asked, to_good, branches, stop: Stop::default() }
    }

    fn pass(&self) -> Pass<'_> {
        Pass {
            world: self.world,
            estate: self.estate,
            environment: self.environment,
            branches: &self.branches,
            now: self.world.clock.now(),
            intent: Intent::Act,
            stop: &self.stop,
        }
    }

    /// Works out the reverts for what is wanted, one for each service, against the branch as of the last fetch.
    ///
    /// # Errors
    /// Says which deployment was not found, or why it cannot be put back.
    pub async fn prepare(&self, wanted: &Wanted) -> Result<PreparedAll, RequestError> {
        let pass = self.pass();
        let (head, found) = match wanted {
            Wanted::Service(service) => {
                let (head, last) = last_deployment(&pass, service).await?;
                (head, vec![last])
            }
            Wanted::Commit(commit, service) => {
                let (head, mut found) = deployments_at(&pass, *commit).await?;
                if let Some(service) = service {
                    found.retain(|deployment| deployment.service == *service);
                    if found.is_empty() {
                        let environment = &self.environment.name;
                        let reason =
                            format!("{} is no deployment of {service} in {environment}", commit.short());
                        return Err(RequestError::NotFound(reason));
                    }
                }
                (head, found)
            }
        };
        let twice = services_found_twice(&pass, head, found.iter()).await?;
        if let Some(problem) = twice.into_values().next() {
            return Err(RequestError::NotFound(problem));
        }
        let mut prepared = PreparedAll::default();
        let several = found.len() > 1;
        for deployment in found {
            if let Some(why) = &deployment.beyond {
                return Err(RequestError::NotFound(why.clone()));
            }
            let policy = pass.policy(&deployment);
            let goal = if self.to_good { Some(self.goal(&pass, &deployment, head).await?) } else { None };
            let checked = checked(&pass, &deployment, goal.as_ref()).await?;
            let to_revert = ToRevert::requested(&deployment, goal.as_ref(), self.asked, &policy, &checked);
            let planned = match plan_at(&pass, &to_revert, head).await? {
                Ok(planned) => planned,
                // The others of the commit may still be there.
                Err(none @ (NoChange::Restored(_) | NoChange::Superseded(_))) if several => {
                    prepared.back.push((deployment.service.clone(), none.to_string()));
                    continue;
                }
                Err(none) => {
                    let service = deployment.service.clone();
                    return Err(RequestError::NoChange { service, none });
                }
            };
            let (change, current) = (*planned.change, planned.current);
            prepared.reverts.push(Prepared { deployment, goal, checked, change, current });
        }
        if prepared.reverts.is_empty() {
            let each: Vec<String> =
                prepared.back.iter().map(|(service, why)| format!("{service}: {why}")).collect();
            return Err(RequestError::NotFound(each.join("\n")));
        }
        Ok(prepared)
    }

    /// Makes a revert that was prepared, the way that the environment's changes are delivered. When the branch has moved it is
    /// worked out again from the new state.
    ///
    /// # Errors
    /// When the values are gone by now, the branch keeps moving, or the remote refuses.
    pub async fn deliver(&self, prepared: &Prepared) -> Result<(Change, Receipt), RequestError> {
        let pass = self.pass();
        let deployment = &prepared.deployment;
        let policy = pass.policy(deployment);
        let (goal, checked) = (prepared.goal.as_ref(), &prepared.checked);
        let to_revert = ToRevert::requested(deployment, goal, self.asked, &policy, checked);
        let (mut last, mut refused, mut refusals) = (None, false, 0);
        let mut seen = None;
        for tries in 0..MAX_TRIES {
            let snapshot = self.branches.fetch_again(self.environment).await?;
            refusals = if seen == Some(snapshot.head) { refusals + 1 } else { 0 };
            refused |= refusals >= MAX_REFUSALS;
            seen = Some(snapshot.head);
            let none = |none| RequestError::NoChange { service: deployment.service.clone(), none };
            let planned = plan_at(&pass, &to_revert, snapshot.head).await?.map_err(none)?;
            match deliver(&pass, &snapshot, &planned, Route::of(&pass, false, refused)).await {
                Ok(receipt) => return Ok((*planned.change, receipt)),
                Err(DeliveryError::Push(rejected @ PushError::Rejected { .. })) => last = Some(rejected),
                Err(error) => return Err(error.into()),
            }
            pause(tries).await;
        }
        let gave_up =
            || PushError::Rejected { reference: self.environment.branch.to_string(), reason: String::new() };
        Err(DeliveryError::from(last.unwrap_or_else(gave_up)).into())
    }

    /// The state to which the agent itself would revert.
    async fn goal(
        &self,
        pass: &Pass<'_>,
        deployment: &Deployment,
        head: CommitId,
    ) -> Result<Goal, RequestError> {
        let service = BTreeSet::from([deployment.service.clone()]);
        let past = pasts(pass, service, Some(head)).await?.remove(&deployment.service).unwrap_or_default();
        match past.goal(&pass.policy(deployment), deployment, pass.now, &[]) {
            Some(goal @ (Goal::Undo(..) | Goal::TakenBack(_))) => Ok(goal),
            Some(Goal::NoneGood(_) | Goal::Under(_)) | None => Err(RequestError::NotFound(format!(
                "no state of {} before {} is known to be good: leave out --to-good for the state just before it",
                deployment.service,
                deployment.commit.short()
            ))),
        }
    }

    /// The known-good states of a service before a deployment, newest first: what there is to go back to when the values just
    /// before it are bad as well.
    ///
    /// # Errors
    /// When the history cannot be read.
    pub async fn earlier(&self, deployment: &Deployment) -> Result<Vec<Earlier>, RequestError> {
        let pass = self.pass();
        let service = BTreeSet::from([deployment.service.clone()]);
        let past = pasts(&pass, service, None).await?.remove(&deployment.service).unwrap_or_default();
        Ok(past.good_before(&pass.policy(deployment), deployment, pass.now, MAX_EARLIER))
    }
}

/// What the registries say about what goes back. A person who wants it gets it all the same.
async fn checked(
    pass: &Pass<'_>,
    deployment: &Deployment,
    goal: Option<&Goal>,
) -> Result<Vec<String>, RepositoryError> {
    let changes = match goal {
        Some(Goal::Undo(changes, _)) => changes.clone(),
        Some(Goal::NoneGood(_) | Goal::TakenBack(_) | Goal::Under(_)) | None => vec![deployment.clone()],
    };
    let exchanges = pass.git(move |_| Ok::<_, RepositoryError>(exchanged(&changes))).await?;
    let mut told = ArtifactsTold::default();
    for exchange in exchanges.iter().take(MAX_ARTIFACTS) {
        told.target.push(look_for(pass, &exchange.back, None).await);
    }
    Ok(told.lines())
}
