//! The simulated cluster: it runs what the branch says, a little later, and has metrics accordingly.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::scene::{NETWORK_FAULT, PROFILE_FAULT_FROM, SERVICES, Service, harm, minute};
use crate::domain::time::Time;

/// How long it takes from a commit on the branch to its pods.
const ROLLOUT_SECS: i64 = 30;

/// What ran when. Every service's versions, each with the time since which it runs, in time order.
#[derive(Debug, Default)]
pub(super) struct Cluster(Mutex<BTreeMap<&'static str, Vec<(Time, String)>>>);

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// The share of failed requests.
    Errors,
    /// The 99th percentile of the duration of requests, in seconds.
    Latency,
}

impl Cluster {
    /// The branch says since `at` that this version runs.
    pub(super) fn follow(&self, service: &Service, version: &str, at: Time) {
        let mut rollouts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = rollouts.entry(service.name).or_default();
        if history.last().is_none_or(|(_, running)| running != version) {
            history.push((at.plus_secs(ROLLOUT_SECS), version.to_owned()));
        }
    }

    /// What a metric of a service was at a time; nothing for services without metrics, and before there was anything.
    pub(super) fn value(&self, service: &Service, metric: Metric, at: Time) -> Option<f64> {
        if !service.measured {
            return None;
        }
        let rollouts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let history = rollouts.get(service.name)?;
        let (_, version) = history.iter().rev().find(|(since, _)| *since <= at)?;
        let harm = harm(service.name, version);
        let (usual_errors, usual_latency) = usual(service);
        Some(match metric {
            Metric::Errors => {
                let level = usual_errors + harm.errors + outside_errors(service, at);
                level * (1.0 + 0.2 * noise(service.name, 1, at))
            }
            Metric::Latency => usual_latency * harm.slowdown * (1.0 + 0.08 * noise(service.name, 2, at)),
        })
    }
}

/// The usual share of failures, and the usual latency in seconds: a little different for each service.
fn usual(service: &Service) -> (f64, f64) {
    let place = SERVICES.iter().take_while(|other| other.name != service.name).count();
    let place = f64::from(u8::try_from(place).unwrap_or(0));
    (0.002 + 0.0004 * place, 0.12 + 0.03 * place)
}

/// Failures that no deployment has caused.
fn outside_errors(service: &Service, at: Time) -> f64 {
    let profile = service.name == "profile" && at >= minute(PROFILE_FAULT_FROM);
    let network = at >= minute(NETWORK_FAULT.0) && at < minute(NETWORK_FAULT.1);
    f64::from(u8::from(profile)) * 0.06 + f64::from(u8::from(network)) * 0.1
}

/// A number from −1 to 1 that looks random, and is the same for the same arguments.
fn noise(name: &str, kind: u64, at: Time) -> f64 {
    let seed = name.bytes().fold(kind, |seed, byte| seed.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte));
    let mut random =
        fastrand::Rng::with_seed(seed ^ at.unix().unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15));
    random.f64() * 2.0 - 1.0
}
