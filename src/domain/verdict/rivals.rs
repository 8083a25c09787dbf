//! Several deployments close together: whose doing the damage is.

use crate::domain::evidence::{Evidence, Relation, Rival};
use crate::domain::time::{Time, human_secs};

/// Why this deployment cannot be blamed for damage since `since`, if another one could as well.
///
/// Of two, the damage is laid to the one that the other depends on; else to the one whose own signals moved first; else to
/// the one that was deployed last before they moved. Where none of this tells them apart, neither is blamed. Times less
/// than two steps apart are the same: nobody can measure the difference. The rule is the same from either side, so at
/// most one of them is blamed.
pub(super) fn excuse(evidence: &Evidence, since: Time) -> Option<String> {
    let step = evidence.signals.iter().map(|signal| i64::from(signal.signal.step_secs)).max().unwrap_or(1);
    let close = step.max(1).saturating_mul(2);
    let others: Vec<&Rival> =
        evidence.rivals.iter().filter(|rival| could_be(rival, evidence.deployed_at, since, close)).collect();
    let first = others.first()?;
    let names: Vec<&str> = others.iter().map(|rival| rival.service.as_str()).collect();
    let ago = human_secs(evidence.deployed_at.secs_since(first.deployed_at).abs());
    let order = if first.deployed_at <= evidence.deployed_at { "before" } else { "after" };
    let why = match first.relation {
        Relation::Dependency => "on which this one depends, got worse too".to_owned(),
        Relation::Dependent | Relation::Unknown => "got worse too, and not later".to_owned(),
    };
    Some(format!(
        "it may be the doing of {}: {} was deployed {ago} {order} this one, {why}",
        names.join(", "),
        first.service
    ))
}

fn could_be(rival: &Rival, deployed_at: Time, since: Time, close: i64) -> bool {
    let later = rival.since.secs_since(since);
    match rival.relation {
        Relation::Dependency => later <= close,
        Relation::Dependent => later < -close,
        Relation::Unknown if later.abs() > close => later < 0,
        // This one is to blame when it was the last to be deployed before both moved.
        Relation::Unknown => deployed_at.secs_since(rival.deployed_at) <= close,
    }
}
