//! Labels, which have numbers here: they are looked up by their names, and made where there are none.

use http::Method;
use serde_json::json;

use super::Gitea;
use super::types::Label;
use crate::adapters::forge::rest::path_part;
use crate::ports::ForgeError;

/// The colour of a label that is made: amber, as it asks for attention.
const COLOUR: &str = "#fbca04";

impl Gitea {
    /// The numbers of these labels. One that is neither there nor can be made is left out.
    pub(super) async fn label_ids(&self, names: &[&str]) -> Result<Vec<i64>, ForgeError> {
        if names.is_empty() {
            return Ok(Vec::new());
        }
        let mut known: Vec<Label> = self.pages(&format!("{}/labels", self.root)).await?;
        let is_missing = |known: &[Label], name: &str| !known.iter().any(|label| label.name == *name);
        if names.iter().any(|name| is_missing(&known, name)) {
            known.extend(self.labels_of_organisation().await?);
        }
        let mut is_made = false;
        for name in names {
            if is_missing(&known, name) {
                is_made |= self.make_label(name).await;
            }
        }
        if is_made {
            known.extend(self.pages::<Label>(&format!("{}/labels", self.root)).await?);
        }
        // Gitea takes several labels of one name, such as of two agents that each make one: all of them use the first.
        let first = |name: &&str| {
            let ids = known.iter().filter(|label| label.name == *name).map(|label| label.id);
            ids.min()
        };
        Ok(names.iter().filter_map(first).collect())
    }

    /// An organisation has labels for all of its repositories, and a person has none.
    async fn labels_of_organisation(&self) -> Result<Vec<Label>, ForgeError> {
        let path = format!("/orgs/{}/labels?limit={}", path_part(self.owner()), super::PAGE);
        match self.rest.get_if_any::<Option<Vec<Label>>>(&path).await {
            Ok(labels) => Ok(labels.flatten().unwrap_or_default()),
            // Tokens for repositories alone may not ask.
            Err(ForgeError::Denied(_)) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    async fn make_label(&self, name: &str) -> bool {
        let body = json!({"name": name, "color": COLOUR});
        let made = self.rest.send(Method::POST, &format!("{}/labels", self.root), &body).await;
        if let Err(error) = &made {
            tracing::warn!(%error, name, "there is no such label, and it cannot be made");
        }
        made.is_ok()
    }
}
