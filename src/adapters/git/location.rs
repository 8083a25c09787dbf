//! What the configured URL means: a local path, or a server to talk to over HTTP or SSH.

use std::fmt;
use std::path::PathBuf;

use reqwest::Url;
use secrecy::SecretString;

use super::login::GitAuth;

/// Where a repository is. Its `Display` has no secrets.
#[derive(Clone, Debug)]
pub(super) enum Location {
    /// On this machine.
    Local(PathBuf),
    /// On a web server.
    Http(HttpLocation),
    /// Behind an SSH server.
    Ssh(SshLocation),
}

/// A repository on a web server.
#[derive(Clone)]
pub(super) struct HttpLocation {
    /// The URL without user, password and fragment.
    pub(super) url: Url,
    /// The user and password that the URL had.
    pub(super) auth: GitAuth,
}

/// A repository behind an SSH server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SshLocation {
    /// Who logs in; without it OpenSSH's own choice.
    pub(super) user: Option<String>,
    /// A host name, an alias of the user's OpenSSH configuration, or an address (IPv6 without brackets).
    pub(super) host: String,
    /// The port; without it OpenSSH's own choice.
    pub(super) port: Option<u16>,
    /// The path on the server.
    pub(super) path: String,
}

impl Location {
    /// Reads a URL, a scp-like `user@host:path`, or a path. As in Git, text with a colon before its first slash is
    /// scp-like; `./a:b` is a path.
    ///
    /// # Errors
    /// Says what is wrong, without repeating the URL, which may hold a password.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, _)) = text.split_once("://") else {
            return parse_plain(text);
        };
        let url = || Url::parse(text).map_err(|e| format!("the repository's URL is not valid: {e}"));
        match scheme.to_ascii_lowercase().as_str() {
            "http" | "https" => parse_http(url()?).map(Self::Http),
            "ssh" | "git+ssh" | "ssh+git" => parse_ssh(&url()?).map(Self::Ssh),
            "file" => url()?
                .to_file_path()
                .map(Self::Local)
                .map_err(|()| "a file:// URL must have an absolute path and no host".to_owned()),
            _ => Err(
                "the repository's URL must start with https://, http://, ssh:// or file://, or be user@host:path \
                 or a path"
                    .to_owned(),
            ),
        }
    }

    /// What tells this repository from every other one; without user and password. A relative path means another repository in
    /// another directory.
    pub(super) fn identity(&self) -> String {
        match self {
            Self::Http(http) => http.url.to_string(),
            Self::Local(path) => {
                let whole = path.canonicalize().or_else(|_missing| std::path::absolute(path));
                whole.unwrap_or_else(|_unknown| path.clone()).display().to_string()
            }
            Self::Ssh(_) => self.to_string(),
        }
    }
}

fn parse_plain(text: &str) -> Result<Location, String> {
    let before_slash = text.split('/').next().unwrap_or("");
    if text.is_empty() {
        return Err("the repository's URL is empty".to_owned());
    }
    if !before_slash.contains(':') {
        return Ok(Location::Local(PathBuf::from(text)));
    }
    let (user, rest) = match before_slash.split_once('@') {
        Some((user, _)) => (Some(user.to_owned()), text.get(user.len() + 1..).unwrap_or("")),
        None => (None, text),
    };
    let (host, path) = match rest.strip_prefix('[').and_then(|rest| rest.split_once("]:")) {
        Some(parts) => parts,
        None => rest.split_once(':').ok_or("the repository's URL has no path")?,
    };
    checked_ssh(user, host, None, path).map(Location::Ssh)
}

fn parse_http(mut url: Url) -> Result<HttpLocation, String> {
    let no_base = |()| "the repository's URL has no host".to_owned();
    let decode = |text: &str| percent_decode(text);
    let auth = match (url.username(), url.password()) {
        ("", None) => GitAuth::None,
        ("", Some(token)) | (token, None) => GitAuth::Token(SecretString::from(decode(token)?)),
        (username, Some(password)) => {
            GitAuth::Basic { username: decode(username)?, password: SecretString::from(decode(password)?) }
        }
    };
    url.set_username("").map_err(no_base)?;
    url.set_password(None).map_err(no_base)?;
    url.set_fragment(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(HttpLocation { url, auth })
}

fn parse_ssh(url: &Url) -> Result<SshLocation, String> {
    if url.password().is_some() {
        return Err("an ssh:// URL cannot have a password: use a key".to_owned());
    }
    let user = match url.username() {
        "" => None,
        user => Some(percent_decode(user)?),
    };
    let host = url.host_str().unwrap_or("");
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let path = percent_decode(url.path())?;
    // `ssh://host/~user/x` is relative to a home directory, as in Git.
    let path = if path.starts_with("/~") { path.get(1..).unwrap_or("") } else { path.as_str() };
    checked_ssh(user, host, url.port(), path)
}

fn checked_ssh(
    user: Option<String>,
    host: &str,
    port: Option<u16>,
    path: &str,
) -> Result<SshLocation, String> {
    let strange = |text: &str| {
        text.is_empty() || text.starts_with('-') || text.chars().any(|c| c.is_control() || c.is_whitespace())
    };
    if strange(host) {
        return Err("the repository's host must not be empty, start with a dash or have spaces".to_owned());
    }
    if user.as_deref().is_some_and(strange) {
        return Err("the repository's user must not be empty, start with a dash or have spaces".to_owned());
    }
    if path.is_empty() || path.starts_with('-') || path.chars().any(char::is_control) {
        return Err(
            "the repository's path on the SSH server must not be empty or start with a dash".to_owned()
        );
    }
    Ok(SshLocation { user, host: host.to_owned(), port, path: path.to_owned() })
}

fn percent_decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let byte = std::str::from_utf8(&digits).ok().and_then(|d| u8::from_str_radix(d, 16).ok());
                bytes.push(byte.ok_or("the repository's URL has a % that is no escape")?);
                rest = tail;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).map_err(|_utf8| "the repository's URL is not UTF-8".to_owned())
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Http(http) => write!(f, "{}", http.shown()),
            Self::Ssh(ssh) => write!(f, "{ssh}"),
        }
    }
}

impl HttpLocation {
    /// The URL without its query, in which some people put tokens.
    fn shown(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.to_string()
    }
}

impl fmt::Debug for HttpLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpLocation").field("url", &self.shown()).finish_non_exhaustive()
    }
}

impl fmt::Display for SshLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?
        } else {
            write!(f, "{}", self.host)?
        }
        if let Some(port) = self.port {
            write!(f, ":{port}")?;
        }
        let slash = if self.path.starts_with('/') { "" } else { "/" };
        write!(f, "{slash}{}", self.path)
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn ssh(text: &str) -> SshLocation {
        match Location::parse(text).unwrap() {
            Location::Ssh(ssh) => ssh,
            other @ (Location::Local(_) | Location::Http(_)) => panic!("{other}"),
        }
    }

    #[test]
    fn every_form_of_address_is_understood() {
        assert!(matches!(Location::parse("/srv/env.git"), Ok(Location::Local(p)) if p == *"/srv/env.git"));
        assert!(matches!(Location::parse("./a:b"), Ok(Location::Local(_))));
        assert!(matches!(Location::parse("file:///srv/a%20b"), Ok(Location::Local(p)) if p == *"/srv/a b"));
        let scp = ssh("git@example.com:team/env.git");
        assert_eq!((scp.user.as_deref(), scp.host.as_str()), (Some("git"), "example.com"));
        assert_eq!((scp.port, scp.path.as_str()), (None, "team/env.git"));
        let url = ssh("ssh://git@[::1]:2222/~me/env.git");
        assert_eq!((url.host.as_str(), url.port, url.path.as_str()), ("::1", Some(2222), "~me/env.git"));
        assert_eq!(ssh("[::1]:env.git").host, "::1");
    }

    #[test]
    fn a_relative_path_is_known_by_where_it_leads() {
        let identity = |text: &str| Location::parse(text).unwrap().identity();
        let here = std::env::current_dir().unwrap().canonicalize().unwrap();
        assert_eq!(identity("src"), here.join("src").display().to_string());
        assert_eq!(identity("./src/../src"), identity("src"));
        assert_eq!(identity("not-there.git"), here.join("not-there.git").display().to_string());
    }

    #[test]
    fn addresses_that_would_be_options_or_are_unknown_are_refused() {
        for bad in
            ["", "-oProxyCommand=x:y", "ssh://-x/y", "a@-b:c", "host:-x", "ftp://x/y", "ssh://u:p@h/x", "h:"]
        {
            Location::parse(bad).unwrap_err();
        }
    }

    #[test]
    fn credentials_in_a_url_are_used_and_never_shown() {
        let location = Location::parse("https://me:s%40cret@example.com/env.git/?token=s%40cret").unwrap();
        let shown = format!("{location} {location:?}");
        assert!(!shown.contains("cret") && !shown.contains("me:"), "{shown}");
        let Location::Http(http) = location else { panic!() };
        let GitAuth::Basic { username, password } = http.auth else { panic!() };
        assert_eq!((username.as_str(), password.expose_secret()), ("me", "s@cret"));
    }

    #[test]
    fn an_error_does_not_repeat_the_url() {
        let error = Location::parse("https://me:secret@exa mple/env").unwrap_err();
        assert!(!error.contains("secret"), "{error}");
    }
}
