//! Whether a request has a secret. Every comparison takes the same time.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whether a request has the secret as its bearer token.
pub(super) fn is_bearer(headers: &HeaderMap, secret: &[u8]) -> bool {
    credentials(headers, "bearer").is_some_and(|token| is_same(token, secret))
}

/// Whether a request has the secret as the password of a user, whoever that is.
pub(super) fn is_password(headers: &HeaderMap, secret: &[u8]) -> bool {
    let decoded =
        credentials(headers, "basic").and_then(|text| STANDARD.decode(text).ok()).unwrap_or_default();
    let colon = decoded.iter().position(|byte| *byte == b':');
    let password = colon.and_then(|colon| decoded.get(colon + 1..));
    password.is_some_and(|password| is_same(password, secret))
}

/// What the `Authorization` header has behind a scheme. A secret need not be ASCII.
fn credentials<'h>(headers: &'h HeaderMap, scheme: &str) -> Option<&'h [u8]> {
    let value = headers.get("authorization")?.as_bytes();
    let (found, rest) = value.split_at_checked(value.iter().position(|byte| *byte == b' ')?)?;
    found.eq_ignore_ascii_case(scheme.as_bytes()).then(|| rest.trim_ascii())
}

/// Whether a token is the secret. The hashes are compared, so that the time does not tell how long the secret is.
pub(super) fn is_same(token: &[u8], secret: &[u8]) -> bool {
    let (token, wanted) = (Sha256::digest(token), Sha256::digest(secret));
    !secret.is_empty() && bool::from(token.as_slice().ct_eq(wanted.as_slice()))
}
