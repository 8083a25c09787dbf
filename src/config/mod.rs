//! From `backout.yaml` to the types of the domain.
