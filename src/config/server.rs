//! The daemon's server: where it listens, and who may wake it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use secrecy::ExposeSecret as _;

use super::context::Context;
use super::types;
use crate::serve::{HookOptions, ServerOptions};

/// The most webhooks.
const MAX_HOOKS: usize = 32;

/// The shortest secret of a webhook, in bytes: what nobody can guess.
const MIN_SECRET_BYTES: usize = 16;

impl Context<'_> {
    /// The server of the daemon; none where the configuration has none.
    pub(super) fn daemon_server(&mut self, run: Option<&types::Run>) -> Option<ServerOptions> {
        let run = run?;
        let hooks = self.hooks(run);
        let Some(listen) = &run.listen else {
            if !hooks.is_empty() {
                let place = self.place(&["run", "hooks"]);
                self.findings.add(place, "nobody listens: set `listen`, such as `listen: 0.0.0.0:8080`");
            }
            return None;
        };
        match listen.parse::<SocketAddr>() {
            Ok(listen) => Some(ServerOptions { listen, hooks }),
            Err(_) => {
                let message = format!(
                    "`{listen}` is no address with a port: write it as `127.0.0.1:8080`, `0.0.0.0:8080` or `[::]:8080`"
                );
                self.findings.add(self.place(&["run", "listen"]), message);
                None
            }
        }
    }

    fn hooks(&mut self, run: &types::Run) -> BTreeMap<String, HookOptions> {
        let mut hooks = BTreeMap::new();
        for (name, wire) in run.hooks.iter().flatten() {
            let keys = ["run", "hooks", name];
            let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            if name.is_empty() || name.len() > 40 || !name.chars().all(is_plain) {
                let message =
                    format!("`{name}` cannot be the end of a path: take up to 40 of a to z, 0 to 9 and `-`");
                self.findings.add(self.place(&keys), message);
            }
            let place = [&keys[..], &["secret"]].concat();
            let secret = self.secret(&wire.secret, &place);
            let length = secret.expose_secret().len();
            // An empty one was told.
            if (1..MIN_SECRET_BYTES).contains(&length) {
                let message = format!(
                    "the secret has {length} bytes: take at least {MIN_SECRET_BYTES}, such as of `openssl rand -hex 32`"
                );
                self.findings.add(self.place(&place), message);
            }
            hooks.insert(name.clone(), HookOptions { sender: wire.sender, secret });
        }
        if hooks.len() > MAX_HOOKS {
            let message = format!("there are {} webhooks: at most {MAX_HOOKS} are taken", hooks.len());
            self.findings.add(self.place(&["run", "hooks"]), message);
        }
        hooks
    }
}
