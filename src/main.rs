//! The `backout` program.

fn main() {}
