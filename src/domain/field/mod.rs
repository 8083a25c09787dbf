//! Finding, comparing and splicing the bytes of a field.
