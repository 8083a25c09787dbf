//! Bringing changes before people.
