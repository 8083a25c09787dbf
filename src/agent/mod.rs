//! One pass over everything that is watched, and the loop around it.
//!
//! This is the shell: it calls the ports and the rules of [`crate::domain`] and has no rules of its own. It never names
//! an adapter, and never prints.
//!
//! `pass` is the top and reads as the story. Below it lies a folder for each of its steps, and each imports only from
//! those below it:
//!
//! | step | what it does |
//! | --- | --- |
//! | `follow` | goes on with what earlier passes began: pull requests, recoveries |
//! | `tell` | writes verdicts into the notes, and tells the forge of them |
//! | `act` | works reverts out and delivers them |
//! | `decide` | asks the guards about every deployment |
//! | `judge` | gathers evidence and judges it |
//! | `look` | reads branches, notes and proposals |
//! | `report`, `world`, `share` | what a pass did, what it works with, and which environments are this process's |

mod act;
mod caught;
pub mod check;
mod decide;
mod events;
mod follow;
mod judge;
mod look;
mod no_effect;
mod overview;
mod pass;
mod queue;
mod report;
pub mod request;
mod run;
mod share;
mod status;
mod tell;
mod took;
mod unpin;
mod world;

pub use act::error::DeliveryError;
pub use events::{Event, EventKind, events};
pub use look::branches::{Fetched, fetch};
pub use look::context::Intent;
pub use look::pauses::{EnvironmentBrakes, brakes};
pub use overview::{Overview, ToldVerdict, overview};
pub use pass::pass;
pub use report::{
    EnvironmentReport, Incident, Item, LeftAlone, PassReport, PinNews, PinStep, Recovered, Reviewed,
    WaitingProposal,
};
pub use run::{Wakes, run, wait_for};
pub use share::Share;
pub use status::{BudgetStatus, EnvironmentStatus, PinStatus, Quarantined, ServiceStatus, status};
pub use took::{Stage, Took};
pub use unpin::unpin_service;
pub use world::{Estate, Source, Stop, World};
