//! Whether a webhook comes from whom it says: each sender in its own way, and every comparison in constant time.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::domain::time::Time;
use crate::serve::options::Sender;
use crate::serve::token::{is_bearer, is_same};

/// How old or how far ahead a signed time may be, in seconds, as Standard Webhooks recommends.
const TOLERANCE_SECS: i64 = 300;

/// The prefix of a signing secret of Standard Webhooks; the key follows in Base64.
const KEY_PREFIX: &str = "whsec_";

/// Whether the headers prove that the sender has the secret.
pub(super) fn is_proven(
    sender: Sender,
    secret: &SecretString,
    (headers, body): (&HeaderMap, &[u8]),
    now: Time,
) -> bool {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let key = secret.expose_secret().as_bytes();
    let hex_of =
        |name: &str| header(name).and_then(|text| from_hex(text.strip_prefix("sha256=").unwrap_or(text)));
    match sender {
        Sender::Github => hex_of("x-hub-signature-256").is_some_and(|mac| is_mac(key, &[body], &mac)),
        Sender::Gitea => {
            let mac = hex_of("x-gitea-signature").or_else(|| hex_of("x-forgejo-signature"));
            mac.or_else(|| hex_of("x-hub-signature-256")).is_some_and(|mac| is_mac(key, &[body], &mac))
        }
        Sender::Flux => hex_of("x-signature").is_some_and(|mac| is_mac(key, &[body], &mac)),
        Sender::Gitlab => match header("webhook-signature") {
            Some(signatures) => {
                let signed = (header("webhook-id"), header("webhook-timestamp"), signatures);
                is_signed(secret.expose_secret(), signed, body, now)
            }
            None => header("x-gitlab-token").is_some_and(|token| is_same(token.as_bytes(), key)),
        },
        Sender::Alertmanager | Sender::Generic => is_bearer(headers, key),
    }
}

/// Whether one of the signatures that a header lists is Standard Webhooks' own of the id, the time and the body, and the time is now.
fn is_signed(
    secret: &str,
    (id, time, signatures): (Option<&str>, Option<&str>, &str),
    body: &[u8],
    now: Time,
) -> bool {
    let (Some(id), Some(time)) = (id, time) else { return false };
    let Some(at) = time.parse::<i64>().ok().map(Time::from_unix) else { return false };
    if now.secs_since(at).abs() > TOLERANCE_SECS {
        return false;
    }
    let key = match secret.strip_prefix(KEY_PREFIX) {
        Some(key) => STANDARD.decode(key).unwrap_or_default(),
        None => secret.as_bytes().to_vec(),
    };
    let parts = [id.as_bytes(), b".", time.as_bytes(), b".", body];
    // A sender that changes its key signs with both for a while: two, and no more, are looked at.
    let macs = signatures.split(' ').filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok());
    macs.take(2).any(|mac| is_mac(&key, &parts, &mac))
}

/// Whether this is the HMAC-SHA-256 of the parts. Nothing is signed with an empty key.
fn is_mac(key: &[u8], parts: &[&[u8]], expected: &[u8]) -> bool {
    let Some(mut mac) = Hmac::<Sha256>::new_from_slice(key).ok().filter(|_| !key.is_empty()) else {
        return false;
    };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(expected).is_ok()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let text = text.trim().as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let pair = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    (text.len() == 64).then(|| text.chunks(2).map(pair).collect())?
}

#[cfg(test)]
mod tests;
