//! Statistics, one a file, each with its source.
