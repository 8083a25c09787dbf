//! The counterparts that stand in for the forges are themselves right: they accept what a forge does, and no more.

mod emulator;
mod graphql;
mod openapi;

#[test]
#[should_panic(expected = "run scripts/test once")]
fn what_is_not_installed_is_named_with_what_to_do() {
    crate::support::npm::npm_file("no-such-package/file.json");
}
