//! The style sheet of the pages, with that of the charts.

use super::svg;

/// The style sheet: light or dark as the reader's system is.
#[must_use]
pub fn style() -> String {
    format!("{}\n{}", include_str!("style.css"), svg::style())
}
