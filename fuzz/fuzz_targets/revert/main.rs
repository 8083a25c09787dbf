//! Three versions of a file made of arbitrary bytes, and what must hold of every revert. See fuzz/README.md.

#![no_main]

mod check;
// The sources alone: the crate would bring Git, TLS and some two hundred others with it.
#[allow(dead_code, unused_imports, reason = "what is of no use here is of use in the crate")]
#[path = "../../../src/domain/field/mod.rs"]
mod field;
mod input;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    if let Some(case) = input::Case::new(data) {
        check::check(&case);
    }
});
