//! The daemon's server: where it listens, and who may wake it.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use secrecy::{ExposeSecret as _, SecretString};

use super::context::Context;
use super::types;
use super::types::Secret;
use crate::serve::{HookOptions, PageOptions, ServerOptions};

/// The most webhooks.
const MAX_HOOKS: usize = 32;

/// The shortest secret of a webhook and of the pages, in bytes: what nobody can guess.
const MIN_SECRET_BYTES: usize = 16;

impl Context<'_> {
    /// The server of the daemon; none where the configuration has none.
    pub(super) fn daemon_server(&mut self, run: Option<&types::Run>) -> Option<ServerOptions> {
        let run = run?;
        let (hooks, page) = (self.hooks(run), self.page(run));
        let Some(listen) = &run.listen else {
            let unheard = [("hooks", !hooks.is_empty()), ("page", page.is_some())];
            for (key, _) in unheard.into_iter().filter(|(_, is_set)| *is_set) {
                let place = self.place(&["run", key]);
                self.findings.add(place, "nobody listens: set `listen`, such as `listen: 0.0.0.0:8080`");
            }
            return None;
        };
        match listen.parse::<SocketAddr>() {
            Ok(listen) => Some(ServerOptions { listen, hooks, page }),
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
            let secret = self.long_secret(&wire.secret, &[&keys[..], &["secret"]].concat());
            hooks.insert(name.clone(), HookOptions { sender: wire.sender, secret });
        }
        if hooks.len() > MAX_HOOKS {
            let message = format!("there are {} webhooks: at most {MAX_HOOKS} are taken", hooks.len());
            self.findings.add(self.place(&["run", "hooks"]), message);
        }
        hooks
    }

    fn page(&mut self, run: &types::Run) -> Option<PageOptions> {
        let page = run.page.as_ref()?;
        let secret = page.secret.as_ref();
        Some(PageOptions {
            secret: secret.map(|secret| self.long_secret(secret, &["run", "page", "secret"])),
        })
    }

    /// A secret that nobody can guess.
    fn long_secret(&mut self, secret: &Secret, place: &[&str]) -> SecretString {
        let secret = self.secret(secret, place);
        let length = secret.expose_secret().len();
        // An empty one was told.
        if (1..MIN_SECRET_BYTES).contains(&length) {
            let message = format!(
                "the secret has {length} bytes: take at least {MIN_SECRET_BYTES}, such as of `openssl rand -hex 32`"
            );
            self.findings.add(self.place(place), message);
        }
        secret
    }
}
