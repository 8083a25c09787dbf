//! A person wants the pins of a service off.

use std::sync::Arc;

use super::follow::pins::{ByHand, lift_pins};
use super::look::branches::Branches;
use super::look::context::{Intent, Pass};
use super::look::state::State;
use super::report::EnvironmentReport;
use super::world::{Estate, Stop, World};
use crate::domain::environment::Environment;
use crate::domain::ids::ServiceName;
use crate::ports::RepositoryError;

/// Takes off the open pins of a service in an environment, as of the last fetch, the way that the environment's changes are delivered.
/// What came of it is in the report.
///
/// # Errors
/// When the branch cannot be read.
pub async fn unpin_service(
    world: &World,
    (estate, environment): (&Estate, &Arc<Environment>),
    service: &ServiceName,
    who: &str,
) -> Result<EnvironmentReport, RepositoryError> {
    let now = world.clock.now();
    let branches = Branches::new(estate, std::slice::from_ref(environment), now, Default::default());
    let stop = Stop::default();
    let pass =
        Pass { world, estate, environment, branches: &branches, now, intent: Intent::Act, stop: &stop };
    let mut report = EnvironmentReport::new(environment.name.clone());
    let mut state = State::read(&pass).await?;
    lift_pins(&pass, &mut state, Some(ByHand { service, who }), &mut report).await?;
    report.head = Some(state.snapshot.head);
    Ok(report)
}
