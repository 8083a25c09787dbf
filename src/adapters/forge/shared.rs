//! What the adapters of all forges do in the same way.

use std::collections::BTreeMap;

use crate::ports::ForgeError;

/// The label of issues that ask a person to roll back by hand.
pub(super) const MANUAL_LABEL: &str = "needs-manual-rollback";

/// Of how many people it is asked whether they may push, for one pull request: strangers may comment as often as they like.
const MAX_COMMANDERS: usize = 30;

/// Who may push, of those who have given commands.
#[derive(Default)]
pub(super) struct Commanders(BTreeMap<String, bool>);

impl Commanders {
    /// Whether somebody may push; `ask` is called once for each, for so many of them.
    pub(super) async fn may_push<F: Future<Output = Result<bool, ForgeError>>>(
        &mut self,
        login: &str,
        ask: impl FnOnce() -> F,
    ) -> Result<bool, ForgeError> {
        if let Some(known) = self.0.get(login) {
            return Ok(*known);
        }
        let may = self.0.len() < MAX_COMMANDERS && ask().await?;
        self.0.insert(login.to_owned(), may);
        Ok(may)
    }
}
