//! Controls for signals that are asked service by service: the same question about services without a deployment.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::deployment::Deployment;
use crate::domain::environment::found::FoundService;
use crate::domain::environment::signal::Signal;
use crate::domain::environment::{Environment, ServiceFiles, ServiceRule};
use crate::domain::ids::{EnvironmentName, ServiceName};
use crate::domain::judge::evidence::{Evidence, Found, SignalEvidence};
use crate::domain::judge::question::{MAX_CONTROLS, Part, Question, Subject, ask};
use crate::domain::time::Time;

/// A service that had no deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Peer {
    /// What it is called as a control.
    pub shown: String,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Its name.
    pub service: ServiceName,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// What is asked about it.
    pub signals: Vec<Signal>,
}

/// Whether a signal finds its controls by asking for them: where its answer is about one service alone, in one part.
#[must_use]
pub fn needs_peers(signal: &SignalEvidence) -> bool {
    let asked = &signal.signal;
    asked.by.is_none() && asked.segment.is_none() && matches!(signal.found, Found::Samples(_))
}

/// The services of an environment, by name: those that are named, and those that were found.
#[must_use]
pub fn peers(environment: &Environment, found: Vec<FoundService>) -> BTreeMap<ServiceName, Peer> {
    let peer = |service: ServiceName, labels: BTreeMap<String, String>, rule: &ServiceRule| Peer {
        shown: service.to_string(),
        environment: environment.name.clone(),
        service,
        labels,
        signals: rule.signals.clone(),
    };
    let mut peers: BTreeMap<ServiceName, Peer> = BTreeMap::new();
    for rule in &environment.services {
        if let (ServiceFiles::Named(name, _), None) = (&rule.files, &rule.each) {
            peers.entry(name.clone()).or_insert_with(|| peer(name.clone(), rule.labels.clone(), rule));
        }
    }
    for FoundService { name, labels, rule, .. } in found {
        if let Some(rule) = environment.services.get(rule) {
            peers.entry(name.clone()).or_insert_with(|| peer(name, labels, rule));
        }
    }
    peers
}

/// The queries about these deployments. One that is the same for another service says nothing about that one alone.
#[must_use]
pub fn queries_of(deployments: &[Deployment], environment: &Environment, until: Time) -> BTreeSet<String> {
    let asked = |deployment: &Deployment| {
        let rule = environment.services.get(deployment.rule)?;
        Some(ask(&Subject::of(deployment, &rule.policy, &rule.signals), until, 0))
    };
    let questions = deployments.iter().filter_map(asked).flatten();
    questions.filter_map(|question| Some(question.request.ok()?.query)).collect()
}

/// The questions to ask for controls: for each, the place of the signal in the evidence and the name of the control. At
/// most [`MAX_CONTROLS`] a signal, in the order of the peers. What cannot be asked about a peer, or is asked in the words of
/// a service with a deployment (`taken`) or of another peer, is left out.
#[must_use]
pub fn control_questions(
    subject: &Subject,
    until: Time,
    evidence: &Evidence,
    peers: &[&Peer],
    taken: &BTreeSet<String>,
) -> Vec<(usize, String, Question)> {
    let mut questions = Vec::new();
    for (index, signal) in evidence.signals.iter().enumerate().filter(|(_, signal)| needs_peers(signal)) {
        let mut asked: BTreeSet<String> = BTreeSet::from([signal.asked.clone()]);
        let question = |peer: &&Peer| {
            let alike = Subject {
                environment: peer.environment.clone(),
                service: peer.service.clone(),
                labels: peer.labels.clone(),
                image_tag: None,
                signals: vec![signal.signal.clone()],
                ..subject.clone()
            };
            let own = ask(&alike, until, 0).into_iter().find(|question| question.part == Part::Signal)?;
            let query = &own.request.as_ref().ok()?.query;
            (!taken.contains(query) && asked.insert(query.clone())).then(|| (index, peer.shown.clone(), own))
        };
        let with_signal = peers.iter().copied().filter(|peer| peer.signals.contains(&signal.signal));
        questions.extend(with_signal.collect::<Vec<_>>().iter().filter_map(question).take(MAX_CONTROLS));
    }
    questions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::environment::policy::Policy;
    use crate::domain::environment::signal::SignalKind;
    use crate::domain::ids::{SignalName, SourceName};
    use crate::domain::judge::evidence::Sample;
    use crate::domain::judge::question::{Reading, evidence};

    fn signal(query: &str, by: Option<&str>) -> Signal {
        let (name, source) = (SignalName::new("errors").unwrap(), SourceName::new("prom").unwrap());
        Signal { by: by.map(str::to_owned), ..Signal::new(name, source, query, SignalKind::ErrorRatio) }
    }

    fn peer(service: &str, environment: &str, signal: &Signal) -> Peer {
        Peer {
            shown: format!("{service} ({environment})"),
            environment: EnvironmentName::new(environment).unwrap(),
            service: ServiceName::new(service).unwrap(),
            labels: BTreeMap::from([("zone".to_owned(), service[..1].to_owned())]),
            signals: vec![signal.clone()],
        }
    }

    fn controls(signal: &Signal, peers: &[Peer], taken: &[&str]) -> Vec<(String, String)> {
        let subject = Subject {
            environment: EnvironmentName::new("production").unwrap(),
            service: ServiceName::new("web").unwrap(),
            labels: BTreeMap::from([("zone".to_owned(), "w".to_owned())]),
            image_tag: Some("v2".to_owned()),
            deployed_at: Time::from_unix(6_000),
            policy: Policy::default(),
            signals: vec![signal.clone()],
            unusual: Vec::new(),
        };
        let until = Time::from_unix(7_000);
        let found = Reading::of(Found::Samples(vec![Sample::from((6_000, 1.0))]));
        let whole = evidence(&subject, until, vec![(ask(&subject, until, 0).remove(0), found)]);
        let taken = taken.iter().map(|query| (*query).to_owned()).collect();
        let peers: Vec<&Peer> = peers.iter().collect();
        let found = control_questions(&subject, until, &whole, &peers, &taken);
        found.into_iter().map(|(_, name, question)| (name, question.request.unwrap().query)).collect()
    }

    #[test]
    fn a_control_is_asked_the_same_in_its_own_words() {
        let by_service = signal("x{{service}}-{{environment}}", None);
        let other = signal("y{{service}}", None);
        let peers = [
            peer("api", "production", &by_service),
            peer("cart", "production", &other),
            peer("db", "production", &by_service),
            peer("web", "staging", &by_service),
        ];
        let asked = controls(&by_service, &peers, &["xdb-production"]);
        let queries: Vec<&str> = asked.iter().map(|(_, query)| query.as_str()).collect();
        assert_eq!(queries, ["xapi-production", "xweb-staging"]);
        assert_eq!(asked[1].0, "web (staging)");
        let by_zone = signal("x{{zone}}", None);
        let peers = ["wool", "api", "auth"].map(|name| peer(name, "production", &by_zone));
        let asked = controls(&by_zone, &peers, &[]);
        assert_eq!(asked.len(), 1, "the zone of the service itself, and the same zone again: {asked:?}");
        let by_tag = signal("x{{service}}{{image_tag}}", None);
        assert_eq!(controls(&by_tag, &[peer("api", "production", &by_tag)], &[]), []);
        let shared = signal("x", Some("app"));
        assert_eq!(controls(&shared, &[peer("api", "production", &shared)], &[]), []);
    }

    #[test]
    fn a_signal_has_a_bounded_number_of_controls() {
        let by_service = signal("x{{service}}", None);
        let peers: Vec<Peer> = (0..20).map(|i| peer(&format!("s{i}"), "production", &by_service)).collect();
        assert_eq!(controls(&by_service, &peers, &[]).len(), MAX_CONTROLS);
    }
}
