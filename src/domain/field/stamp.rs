//! Texts that say of themselves that they are whole: a signature or a checksum covers them, or they stand for a file that is kept
//! elsewhere. Such a text goes back to what it was before byte for byte, or not at all.

use std::sync::LazyLock;

use regex::Regex;

/// What covers a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamp {
    /// The MAC of SOPS, which covers the values in the clear as well.
    /// Source: <https://getsops.io/docs/#message-authentication-code>.
    Sops,
    /// A signature of OpenPGP around the text. Source: <https://datatracker.ietf.org/doc/html/rfc9580#section-7>.
    Signature,
    /// It is a pointer of Git LFS, of which all lines are one value.
    /// Source: <https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md>.
    LargeFile,
}

static SOPS_MAC: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r#"(?m)(?:^|[{,])\s*"?(?:sops_)?mac"?\s*[:=]\s*["']?ENC\[[^\]\n]*"#).ok());
static SOPS_ENCRYPTED_ONLY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r#"(?m)(?:^|[{,])\s*"?(?:sops_)?mac_only_encrypted"?\s*[:=]\s*["']?true"#).ok()
});

/// How a pointer of Git LFS begins, also one of its first releases.
const POINTERS: [&str; 2] =
    ["version https://git-lfs.github.com/spec/", "version https://hawser.github.com/spec/"];

impl Stamp {
    /// What covers a text, if anything does. With `mac_only_encrypted` SOPS leaves the values in the clear alone.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let is = |regex: &Option<Regex>| regex.as_ref().is_some_and(|regex| regex.is_match(text));
        if POINTERS.iter().any(|begin| text.starts_with(begin)) {
            Some(Self::LargeFile)
        } else if text.contains("sops") && is(&SOPS_MAC) && !is(&SOPS_ENCRYPTED_ONLY) {
            Some(Self::Sops)
        } else if text.contains("-----BEGIN PGP SIGN") {
            Some(Self::Signature)
        } else {
            None
        }
    }

    /// Whether a value at this address is a part of the stamp: it changes with whatever else does.
    #[must_use]
    pub fn has(self, address: &str) -> bool {
        let key = address.rsplit(['.', ' ', '>']).next().unwrap_or(address);
        match self {
            Self::Sops => {
                address.contains("sops")
                    && matches!(key, "mac" | "lastmodified" | "sops_mac" | "sops_lastmodified")
            }
            Self::LargeFile => address.starts_with("size "),
            // See `unsigned`.
            Self::Signature => false,
        }
    }

    /// The stamp itself, in a text that it covers: empty where the text is all that there is of it.
    #[must_use]
    pub fn text_of(self, text: &str) -> String {
        match self {
            Self::Sops => {
                let found = SOPS_MAC.as_ref().and_then(|regex| regex.find(text));
                found.map_or("", |found| found.as_str().trim_start()).to_owned()
            }
            Self::Signature => {
                text.lines().skip_while(|line| !line.starts_with("-----BEGIN PGP SIGNATURE")).collect()
            }
            Self::LargeFile => String::new(),
        }
    }

    /// What it says of its file, for people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Sops => "the MAC of SOPS covers all of it",
            Self::Signature => "a signature covers all of it",
            Self::LargeFile => "it is a pointer of Git LFS",
        }
    }
}

/// A text without the signatures in it.
#[must_use]
pub fn unsigned(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_inside = false;
    for line in text.split_inclusive('\n') {
        is_inside |= line.starts_with("-----BEGIN PGP SIGNATURE-----");
        if !is_inside {
            out.push_str(line);
        }
        is_inside &= !line.starts_with("-----END PGP SIGNATURE-----");
    }
    out
}

/// How the name of a file ends that signs or sums up the file of the same name without it.
const DETACHED: [&str; 9] =
    [".sig", ".asc", ".minisig", ".sha256", ".sha512", ".sha1", ".md5", ".sha256sum", ".prov"];

/// The path of the file that a file signs or sums up.
#[must_use]
pub fn signed_by(path: &str) -> Option<&str> {
    DETACHED.iter().find_map(|end| path.strip_suffix(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_covers_a_text_is_known_by_its_form() {
        for (text, stamp) in [
            ("tag: v1\nsops:\n    mac: ENC[AES256_GCM,data:x]\n    version: 3.8.1\n", Some(Stamp::Sops)),
            ("{\"tag\": \"v1\", \"sops\": {\n\"mac\": \"ENC[AES256_GCM]\"}}", Some(Stamp::Sops)),
            ("{\"sops\":{\"age\":[],\"mac\":\"ENC[AES256_GCM]\"}}", Some(Stamp::Sops)),
            ("tag: v1\nsops: {mac: 'ENC[AES256_GCM]'}\n", Some(Stamp::Sops)),
            ("{\"sops\":{\"mac\":\"ENC[x]\",\"mac_only_encrypted\":true}}", None),
            ("version https://hawser.github.com/spec/v1\noid sha256:aa\nsize 1\n", Some(Stamp::LargeFile)),
            ("TAG=v1\nsops_mac=ENC[AES256_GCM]\nsops_lastmodified=x\n", Some(Stamp::Sops)),
            ("[a]\ntag = v1\n[sops]\nmac = ENC[AES256_GCM]\n", Some(Stamp::Sops)),
            ("sops:\n    mac: ENC[x]\n    mac_only_encrypted: true\n", None),
            ("sops_mac=ENC[x]\nsops_mac_only_encrypted=true\n", None),
            ("-----BEGIN PGP SIGNED MESSAGE-----\ntag: v1\n", Some(Stamp::Signature)),
            ("version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 1\n", Some(Stamp::LargeFile)),
            ("mac: 00:11:22:33:44:55\n", None),
            ("tag: v1\n", None),
        ] {
            assert_eq!(Stamp::of(text), stamp, "{text}");
        }
        for address in ["sops.mac", "sops.lastmodified", "[sops] > mac", "sops_mac", "sops_lastmodified"] {
            assert!(Stamp::Sops.has(address), "{address}");
        }
        for address in ["sops.version", "password", "web.mac", "sops.kms[0 of 1].arn"] {
            assert!(!Stamp::Sops.has(address), "{address}");
        }
        assert_eq!(signed_by("a/b.yaml.sig"), Some("a/b.yaml"));
        assert_eq!(signed_by("a/b.yaml"), None);
    }
}
