//! From a deployment to a verdict: what is asked, what was found, and what it proves.

pub mod evidence;
pub mod lean;
pub mod peer;
pub mod question;
pub mod relation;
mod series;
pub mod stats;
pub mod usual;
pub mod verdict;
