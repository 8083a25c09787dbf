//! Telling: verdicts are written into the notes, and shown to people on the forge.

pub(super) mod announce;
pub(super) mod comments;
pub(super) mod elsewhere;
pub(super) mod issues;
pub(super) mod looks;
pub(super) mod notes;
pub(super) mod pulls;
pub(super) mod write_down;
