use super::*;
use crate::domain::environment::policy::Policy;
use crate::domain::environment::signal::{Signal, SignalKind};
use crate::domain::ids::{SignalName, SourceName};
use crate::domain::judge::verdict::{Judgement, Verdict};

/// One signal with these samples, and what a judge could say about it.
pub(crate) fn made(
    samples: &[Sample],
    deployed_at: Time,
    kind: SignalKind,
    line: Option<f64>,
) -> (Evidence, Judgement) {
    let name = SignalName::new("errors").unwrap();
    let signal = Signal::new(name.clone(), SourceName::new("p").unwrap(), "q", kind);
    let signals = vec![SignalEvidence::new(signal, "q".to_owned(), Found::Samples(samples.to_vec()))];
    let evidence = Evidence::new(deployed_at, deployed_at, &Policy::default(), signals);
    let finding = Finding {
        signal: name,
        percent: false,
        verdict: Verdict::Regressed,
        before: Some(1.0),
        after: Some(2.0),
        since: None,
        line,
        coincidence: None,
        reason: String::new(),
    };
    let findings = vec![finding];
    (evidence, Judgement { verdict: Verdict::Regressed, since: None, reason: String::new(), findings })
}
