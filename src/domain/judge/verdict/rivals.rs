//! Several deployments close together: whose doing the damage is.

use crate::domain::judge::evidence::{Evidence, Relation, Rival};
use crate::domain::time::{Time, human_secs};

/// Why this deployment cannot be blamed for damage since `since`, if another one could as well.
///
/// Of two, the damage is laid to the one that the other depends on; else to the one whose own signals moved first; else to
/// the one that was deployed last before they moved. Where none of this tells them apart, neither is blamed. Times less
/// than two steps apart are the same: nobody can measure the difference. The rule is the same from either side, so of two
/// whose signals moved after both were deployed at most one is blamed.
pub(super) fn excuse(evidence: &Evidence, since: Time) -> Option<Excuse> {
    let own = Own { deployed_at: evidence.deployed_at, since, step_secs: evidence.step_secs() };
    let others: Vec<(&Rival, Blame)> = evidence
        .rivals
        .iter()
        .map(|rival| (rival, own.against(rival)))
        .filter(|(_, blame)| *blame != Blame::This)
        .collect();
    let (first, _) = others.first()?;
    let names: Vec<&str> = others.iter().map(|(rival, _)| rival.service.as_str()).collect();
    let earlier_secs = evidence.deployed_at.secs_since(first.deployed_at);
    let when = match earlier_secs {
        0 => "in the same second as".to_owned(),
        1.. => format!("{} before", human_secs(earlier_secs)),
        _ => format!("{} after", human_secs(-earlier_secs)),
    };
    let why = match first.relation {
        Relation::Dependency => "on which this one depends, got worse too",
        Relation::Dependent | Relation::Unknown => "got worse too, and not later",
    };
    let which = &first.service;
    let names = names.join(", ");
    let why = format!("it may be the doing of {names}: {which}, deployed {when} this one, {why}");
    Some(Excuse { why, is_tie: others.iter().all(|(_, blame)| *blame == Blame::Nobody) })
}

/// Why a deployment is not blamed although it regressed.
#[derive(Clone, Debug)]
pub(super) struct Excuse {
    pub(super) why: String,
    /// Whether nobody is blamed: then waiting does not help, and a person must tell.
    pub(super) is_tie: bool,
}

/// Who is to blame, of two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blame {
    This,
    Other,
    Nobody,
}

struct Own {
    deployed_at: Time,
    since: Time,
    step_secs: u32,
}

impl Own {
    fn against(&self, rival: &Rival) -> Blame {
        let close = i64::from(self.step_secs.max(rival.step_secs).max(1)).saturating_mul(2);
        // What it did before this deployment, it did without harm to this service.
        if rival.since < self.deployed_at.minus_secs(close) {
            return Blame::This;
        }
        let one_of = |other: bool| if other { Blame::Other } else { Blame::This };
        let later = rival.since.secs_since(self.since);
        let newer = self.deployed_at.secs_since(rival.deployed_at);
        match rival.relation {
            Relation::Dependency => one_of(later <= close),
            Relation::Dependent => one_of(later < -close),
            Relation::Unknown if later.abs() > close => one_of(later < 0),
            // Both moved at once: the last to be deployed before that is to blame.
            Relation::Unknown if newer.abs() > close => one_of(newer < 0),
            Relation::Unknown => Blame::Nobody,
        }
    }
}
