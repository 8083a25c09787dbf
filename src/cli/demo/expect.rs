//! What the story must come to. The demo fails where the agent came to something else.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};

use super::event::{Event, What};
use super::repo::Repo;
use super::scene::SERVICES;

/// What the agent must come to, in this order.
const OUTCOMES: [(&str, &str); 12] = [
    ("checkout", "reverted"),
    ("checkout", "recovered"),
    ("payments", "healthy"),
    ("catalog", "reverted"),
    ("catalog", "recovered"),
    ("orders", "escalated"),
    ("mailer", "inconclusive"),
    ("search", "reverted"),
    ("search", "recovered"),
    ("orders", "healthy"),
    ("profile", "preexisting"),
    ("reviews", "inconclusive"),
];

/// What must stand in the reason of a deployment that is left alone.
const REASONS: [(&str, &str); 2] = [("mailer", "no data"), ("reviews", "not deployed too")];

/// The versions that must run in the end.
const VERSIONS: [(&str, &str); 8] = [
    ("checkout", "2.14.3"),
    ("catalog", "v3.8.1"),
    ("search", "0.41.2"),
    ("payments", "4.2.0"),
    ("orders", "1.8.1"),
    ("mailer", "0.9.3"),
    ("profile", "6.2.1"),
    ("reviews", "2.1.0"),
];

/// Compares what happened, and what the repo holds in the end, with what was meant.
pub(super) fn check(events: &[Event], repo: &Repo) -> anyhow::Result<()> {
    let outcomes: Vec<(&str, &str)> = events.iter().filter_map(|event| event.what.outcome()).collect();
    ensure!(outcomes == OUTCOMES, "the agent came to {outcomes:?} instead of {OUTCOMES:?}");
    for (name, part) in REASONS {
        let told = events.iter().any(|event| {
            matches!(&event.what, What::LeftAlone { service, reason, .. } if service == name && reason.contains(part))
        });
        ensure!(told, "{name} was left alone for another reason than `{part}`");
    }
    let tip = repo.tip()?;
    let versions: BTreeMap<&str, &str> = VERSIONS.into();
    for service in &SERVICES {
        let text = repo.text(service, tip)?;
        let first = service.first_text();
        // All but the version is as it was, to the byte; search was scaled out after its bad version, and stays so.
        let mut wanted = match versions.get(service.name) {
            Some(version) => service.with_version(&first, version).context("another form")?,
            None => first,
        };
        if service.name == "search" {
            wanted = wanted.replace("replicas: 3", "replicas: 5");
        }
        ensure!(text == wanted, "{} is not as it should be in the end:\n{text}", service.path);
    }
    Ok(())
}
