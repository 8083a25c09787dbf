//! The leases by which agents share the work.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::context::Context;
use super::types;
use crate::adapters::kubernetes::LeaseOptions;
use crate::domain::lease::MAX_SHARDS;

const DURATION_SECS: u32 = 15;
/// How long a lease lasts at least, and at most, in seconds: a request is not to be its end, and an agent that is gone not to be missed.
const DURATIONS_SECS: [u32; 2] = [3, 600];

/// The longest name, in characters: a number follows it, and both are part of a path.
const MAX_NAME: usize = 60;

/// Where Kubernetes puts what a pod needs to speak to the API. Source:
/// <https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/#directly-accessing-the-rest-api>.
const ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount";

impl Context<'_> {
    /// The leases; none where the configuration has none.
    pub(super) fn leases(&mut self, run: Option<&types::Run>) -> Option<LeaseOptions> {
        let wire = run?.lease.as_ref()?;
        let place = |key: &'static str| ["run", "lease", key];
        let name = wire.name.as_str();
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.len() > MAX_NAME
            || !name.chars().all(is_plain)
            || !name.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            let message = format!(
                "`{name}` cannot name a Lease: take up to {MAX_NAME} of a to z, 0 to 9 and `-`, the first no `-`"
            );
            self.findings.add(self.place(&place("name")), message);
        }
        let duration_secs = self.seconds(wire.duration, DURATION_SECS, self.place(&place("duration")));
        let [least, most] = DURATIONS_SECS;
        if !(least..=most).contains(&duration_secs) {
            self.findings.add(self.place(&place("duration")), "must be from 3s to 10m");
        }
        let shards = wire.shards.unwrap_or(1);
        if !(1..=MAX_SHARDS).contains(&shards) {
            self.findings.add(self.place(&place("shards")), format!("must be from 1 to {MAX_SHARDS}"));
        }
        if let Some(server) = &wire.server
            && !["http://", "https://"].iter().any(|scheme| server.starts_with(scheme))
        {
            let message = format!("`{server}` is no URL: write it as `https://10.0.0.1:443`");
            self.findings.add(self.place(&place("server")), message);
        }
        let account = wire.account.as_ref().map(|path| self.path(path, self.place(&place("account"))));
        Some(LeaseOptions {
            name: name.to_owned(),
            shards,
            expiry: Duration::from_secs(duration_secs.into()),
            server: wire.server.clone().or_else(|| self.server_of_cluster()),
            account: account.unwrap_or_else(|| PathBuf::from(ACCOUNT)),
            me: self.of_pod("POD_NAME").or_else(|| self.of_pod("HOSTNAME")),
        })
    }

    /// The API server of the cluster that the process is in.
    fn server_of_cluster(&self) -> Option<String> {
        let host = self.of_pod("KUBERNETES_SERVICE_HOST")?;
        let port = self.of_pod("KUBERNETES_SERVICE_PORT").unwrap_or_else(|| "443".to_owned());
        match host.parse() {
            Ok(IpAddr::V6(address)) => Some(format!("https://[{address}]:{port}")),
            Ok(IpAddr::V4(_)) | Err(_) => Some(format!("https://{host}:{port}")),
        }
    }

    fn of_pod(&self, name: &str) -> Option<String> {
        (self.environment_variables)(name).filter(|text| !text.is_empty())
    }
}
