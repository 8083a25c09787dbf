//! How a server wants to be logged in to. Source: <https://distribution.github.io/distribution/spec/auth/token/#how-to-authenticate>.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// The answer of a server to a request without a login, or with a login that may not do this.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// It wants a name and a password.
    Basic,
    /// It wants a token of another server.
    Bearer {
        /// The address of that one.
        realm: String,
        /// The name of the registry, which the token has to be made for.
        service: Option<String>,
    },
}

impl Challenge {
    /// What the headers of an answer say: tokens before passwords.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let all: Vec<&str> =
            headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok()).collect();
        let scheme = |text: &'_ str, name: &str| {
            let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
            first.eq_ignore_ascii_case(name).then(|| rest.to_owned())
        };
        let bearer = all.iter().find_map(|text| scheme(text, "Bearer"));
        let bearer = bearer.and_then(|text| {
            Some(Self::Bearer { realm: parameter(&text, "realm")?, service: parameter(&text, "service") })
        });
        bearer.or_else(|| all.iter().any(|text| scheme(text, "Basic").is_some()).then_some(Self::Basic))
    }
}

/// The value of `name="value"` in a list of such.
fn parameter(text: &str, name: &str) -> Option<String> {
    let mut rest = text;
    while let Some((key, after)) = rest.split_once('=') {
        let (value, behind) = match after.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        if key.trim_matches([',', ' ']).eq_ignore_ascii_case(name) {
            return Some(value.trim().to_owned());
        }
        rest = behind;
    }
    None
}

#[cfg(test)]
mod tests {
    use reqwest::header::HeaderValue;

    use super::*;

    #[test]
    fn what_a_server_wants_is_read() {
        let bearer = |realm: &str, service: Option<&str>| {
            Some(Challenge::Bearer { realm: realm.to_owned(), service: service.map(str::to_owned) })
        };
        for (headers, expected) in [
            (&[][..], None),
            (&["Basic realm=\"x\""], Some(Challenge::Basic)),
            (&["basic"], Some(Challenge::Basic)),
            (
                &["Bearer realm=\"https://a.io/token\",service=\"r, x=y\",scope=\"repository:a:pull,push\""],
                bearer("https://a.io/token", Some("r, x=y")),
            ),
            (&["bearer service=r, realm=https://a.io/token"], bearer("https://a.io/token", Some("r"))),
            (&["Basic realm=\"x\"", "Bearer realm=\"https://a.io\""], bearer("https://a.io", None)),
            (&["Bearer realm=\"open"], None),
            (&["Bearer"], None),
            (&["Negotiate"], None),
        ] {
            let mut map = HeaderMap::new();
            for header in headers {
                map.append(WWW_AUTHENTICATE, HeaderValue::from_static(header));
            }
            assert_eq!(Challenge::of(&map), expected, "{headers:?}");
        }
    }
}
