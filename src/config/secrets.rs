//! Secrets: read from environment variables and files, never from the configuration's text.

use std::io::Read as _;
use std::path::Path;

use secrecy::SecretString;

use super::context::Context;
use super::report::Place;
use super::types::Secret;

/// The largest secret; a chain of certificates with its key is smaller.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

impl Context<'_> {
    /// Reads a secret that the configuration names at `keys`.
    pub(super) fn secret(&mut self, secret: &Secret, keys: &[&str]) -> SecretString {
        let inner = match secret {
            Secret::Env(_) => "env",
            Secret::File(_) => "file",
        };
        let place = self.place(&[keys, &[inner]].concat());
        let read = match secret {
            Secret::Env(name) => self.variable(name, place),
            Secret::File(path) => {
                let path = self.file(path, place);
                read_file(&path)
                    .map_err(|reason| format!("cannot read the secret in {}: {reason}", path.display()))
            }
        };
        match read {
            Ok(text) if text.is_empty() => self.findings.add(place, "the secret is empty"),
            Ok(text) => return SecretString::from(text),
            Err(message) => self.findings.add(place, message),
        }
        SecretString::default()
    }

    fn variable(&mut self, name: &str, place: Place) -> Result<String, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
            // Perhaps somebody wrote the secret itself.
            self.findings.hide(place);
            return Err("not the name of an environment variable: write letters, digits and _".to_owned());
        }
        (self.environment_variables)(name)
            .ok_or_else(|| format!("the environment variable {name} is not set"))
    }

    /// Reads a file with text in PEM.
    pub(super) fn pem(&mut self, path: &Path, keys: &[&str]) -> String {
        let place = self.place(keys);
        let path = self.file(path, place);
        read_file(&path).unwrap_or_else(|reason| {
            self.findings.add(place, format!("cannot read {}: {reason}", path.display()));
            String::new()
        })
    }
}

/// The text of a file without the line breaks at its end.
fn read_file(path: &Path) -> Result<String, String> {
    let file = std::fs::File::open(path).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    if bytes.len() as u64 > MAX_SECRET_BYTES {
        return Err(format!("larger than {} KiB", MAX_SECRET_BYTES / 1024));
    }
    let text = String::from_utf8(bytes).map_err(|_utf8| "not UTF-8 text".to_owned())?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
