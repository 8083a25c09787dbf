//! Where pages are: their paths, and the links between them.

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use super::state::ServiceState;
use crate::domain::ids::{EnvironmentName, ServiceName};

/// What is written otherwise in a path of a link.
const NOT_IN_PATH: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'%').add(b'<').add(b'>').add(b'?').add(b'`');

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first one: all environments.
    Index,
    /// The style sheet.
    Style,
    /// An environment, with its services in all states or in one.
    Environment(EnvironmentName, Option<ServiceState>),
    /// A service.
    Service(EnvironmentName, ServiceName),
}

impl Place {
    /// Its path from the first page's folder, as a file has it.
    #[must_use]
    pub fn path(&self) -> String {
        match self {
            Self::Index => "index.html".to_owned(),
            Self::Style => "style.css".to_owned(),
            Self::Environment(name, state) => {
                let state = state.map_or("index", ServiceState::word);
                format!("environments/{}/{state}.html", folder_of(name))
            }
            Self::Service(environment, service) => {
                format!("environments/{}/services/{}", folder_of(environment), file_of(service))
            }
        }
    }

    /// How a link on another page names it.
    pub(super) fn link(&self, from: &Self) -> String {
        let up = "../".repeat(from.path().matches('/').count());
        format!("{up}{}", utf8_percent_encode(&self.path(), NOT_IN_PATH))
    }
}

/// The name of the folder about an environment.
#[must_use]
pub fn folder_of(environment: &EnvironmentName) -> String {
    part(environment.as_str())
}

/// The name of the file about a service.
#[must_use]
pub fn file_of(service: &ServiceName) -> String {
    format!("{}.html", part(service.as_str()))
}

/// A name as one part of a path. No name has a `~`, so that two names never have the same part.
fn part(name: &str) -> String {
    name.replace('/', "~")
}
