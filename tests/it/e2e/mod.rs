//! The built program against real counterparts: Prometheus, nginx, OpenSSH and Git.

mod artifacts;
mod bounds;
mod daemon;
mod engine;
mod estates;
mod evidence;
mod guards;
mod identity;
mod landing;
mod lineage;
mod metrics;
mod narrow;
mod proof;
mod races;
mod recovery;
mod rewritten;
mod schema;
mod secrets;
mod shapes;
mod sources;
mod stage;
mod story;
mod table;
mod trouble;
mod via_review;
mod whole;
