//! Pins: how the agent keeps automation from putting back what it has backed out.
//!
//! A pin is an edit of some lines in a file that a tool reads: the range of an image policy, an annotation, a rule, a field of the
//! user's own. [`make`](make::make) finds the places and writes the pins, and [`lift`](lift::lift) takes one off again. Both go by
//! [`Pin::put`], which says what a text is with the pin. A pin is open where taking its lines off and putting it on again
//! gives the very text that is there. So no text has to be believed, and what a person has changed is not touched.

mod argocd;
mod edit;
mod flux;
mod json;
pub mod lift;
pub mod make;
mod object;
pub mod open;
mod own_field;
mod put;
mod renovate;
pub mod trial;
mod types;
mod versions;

pub use edit::PinEdit;
pub use types::{Mechanism, NoPin, Pin};

#[cfg(test)]
mod tests;
