//! What a service is: one of several clusters, one of several in a file, and one whose file is replaced with each version.

mod clusters;
mod entries;
mod replaced;
mod rules;
mod shared;

use super::table::{
    BEFORE, FINE, Files, LATELY, Rules, changed_lines, commit, commits_since, configure, deploy, errors,
    file, paths, problems, stage, told,
};
