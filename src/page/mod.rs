//! What people read in a browser: pages without scripts, drawn from values alone, and pictures of judgements.
//!
//! The daemon's server answers with these pages, and `backout page` writes them as files. Their addresses are the same, and all links
//! are relative, so that they work below any path, and from a disk.

mod deployment;
mod environment;
mod frame;
mod index;
mod place;
mod service;
mod site;
mod state;
mod style;
pub(crate) mod svg;
#[cfg(test)]
mod tests;

pub use self::environment::{Filter, environment};
pub use self::frame::CSP;
pub use self::index::index;
pub use self::place::{Place, file_of, folder_of};
pub use self::service::service;
pub use self::site::{Seen, Shown, Site};
pub use self::state::ServiceState;
pub use self::style::style;
