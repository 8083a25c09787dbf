//! Credentials in the form of Docker's `config.json`, as `docker login` writes them and Kubernetes keeps them in Secrets.
//! Source: <https://docs.docker.com/reference/cli/docker/login/#credential-stores>. Programs that keep credentials are not run.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;
use serde::Deserialize;

use super::options::Credentials;
use crate::domain::artifact::image::DOCKER_HUB;

/// The largest file that is read: as large as a Secret of Kubernetes may be.
const MAX_FILE_BYTES: u64 = 1 << 20;

#[derive(Deserialize)]
struct DockerConfig {
    #[serde(default)]
    auths: BTreeMap<String, DockerAuth>,
}

#[derive(Deserialize)]
struct DockerAuth {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<SecretString>,
}

/// The credentials for a host in the file. None at all where it does not name the host.
pub(super) fn credentials(path: &Path, host: &str) -> Result<Credentials, String> {
    let broken = |reason: &str| format!("has no credentials: {}: {reason}", path.display());
    let file = std::fs::File::open(path).map_err(|error| broken(&error.to_string()))?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(|error| broken(&error.to_string()))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(broken(&format!("it is larger than {MAX_FILE_BYTES} bytes")));
    }
    // What serde says of a mistake may hold a part of a secret.
    let config: DockerConfig = serde_json::from_slice(&bytes)
        .map_err(|error| broken(&format!("it is no config.json of Docker, at line {}", error.line())))?;
    let names = |key: &str| {
        let bare = key.trim_start_matches("https://").trim_start_matches("http://");
        let name = bare.split('/').next().unwrap_or(bare);
        name.eq_ignore_ascii_case(host) || host == DOCKER_HUB && name.eq_ignore_ascii_case("index.docker.io")
    };
    let Some((_, found)) = config.auths.into_iter().find(|(key, _)| names(key)) else {
        return Ok(Credentials::None);
    };
    if let Some(token) = found.identitytoken {
        return Ok(Credentials::Identity(token));
    }
    let decoded = found.auth.and_then(|auth| STANDARD.decode(auth.trim()).ok());
    let pair = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = pair.and_then(|pair| pair.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned())));
    match pair.or_else(|| found.username.zip(found.password)) {
        Some((username, password)) => {
            Ok(Credentials::Basic { username, password: SecretString::from(password) })
        }
        None => Err(broken(
            "it leaves the login to a credential helper, and none is run: write a file with `auth` in `auths`",
        )),
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_credentials_of_a_host_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config.json");
        let shown = |text: &str, host: &str| {
            std::fs::write(&path, text).unwrap();
            match credentials(&path, host) {
                Ok(Credentials::None) => "none".to_owned(),
                Ok(Credentials::Basic { username, password }) => {
                    format!("{username}/{}", password.expose_secret())
                }
                Ok(Credentials::Identity(token)) => format!("identity {}", token.expose_secret()),
                Ok(Credentials::Bearer(_)) => "bearer".to_owned(),
                Err(reason) => reason,
            }
        };
        let auth = STANDARD.encode("me:p:w");
        let file = format!(
            r#"{{"auths": {{"https://index.docker.io/v1/": {{"auth": "{auth}"}}, "ghcr.io": {{"username": "a", "password": "b"}},
                "r.io:5000": {{"identitytoken": "t"}}, "h.io": {{}}}}, "credsStore": "desktop"}}"#
        );
        for (host, expected) in
            [("docker.io", "me/p:w"), ("ghcr.io", "a/b"), ("r.io:5000", "identity t"), ("r.io", "none")]
        {
            assert_eq!(shown(&file, host), expected, "{host}");
        }
        assert!(shown(&file, "h.io").contains("credential helper"), "{}", shown(&file, "h.io"));
        let broken = shown("{\"auths\": {\"ghcr.io\": \"s3cret\"}}", "ghcr.io");
        assert!(broken.contains("no config.json of Docker") && !broken.contains("s3cret"), "{broken}");
        std::fs::remove_file(&path).unwrap();
        assert!(credentials(&path, "ghcr.io").is_err());
    }
}
