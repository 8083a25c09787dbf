//! The wire form of what is remembered in Git: commit trailers, and JSON lines in notes.
