//! stub
use super::ids::FilePath;
/// stub
pub const PLACES: [&str; 1] = ["CODEOWNERS"];
/// stub
pub fn owners(_: &str, _: &[&FilePath]) -> Vec<String> {
    Vec::new()
}
