//! Git over HTTP as in production: nginx, fcgiwrap and `git http-backend`, with a user name and a password.

use std::path::{Path, PathBuf};

use super::git::{bare, git};
use super::{Server, command, installed};

/// The user that may read and push.
pub(crate) const USER: &str = "agent";
/// Its password.
pub(crate) const PASSWORD: &str = "s3cret-Passw0rd";

/// A bare repository behind a web server on 127.0.0.1; stopped and deleted on drop.
pub(crate) struct HttpRemote {
    _nginx: Server,
    _fcgiwrap: Server,
    directory: tempfile::TempDir,
    port: u16,
    scheme: &'static str,
}

impl HttpRemote {
    /// Starts the server with an empty bare repository `env.git`.
    ///
    /// # Panics
    /// When a program is missing or does not start.
    pub(crate) fn start() -> Self {
        Self::start_as("http")
    }

    /// The same behind TLS, with a certificate that only [`Self::certificate`] vouches for.
    ///
    /// # Panics
    /// When a program is missing or does not start.
    pub(crate) fn start_tls() -> Self {
        Self::start_as("https")
    }

    fn start_as(scheme: &'static str) -> Self {
        let nginx = installed("nginx", "nginx-light");
        let fcgiwrap = installed("fcgiwrap", "fcgiwrap");
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().to_owned();
        bare(&root, "env.git");
        if scheme == "https" {
            make_certificate(&root);
        }
        // Forges take a token as the password of any user; this one is what the agent calls itself then.
        let token = format!("x-access-token:{{PLAIN}}{}", super::forge::TOKEN);
        std::fs::write(root.join("htpasswd"), format!("{USER}:{{PLAIN}}{PASSWORD}\n{token}\n")).unwrap();
        let socket = root.join("fcgi.sock");
        let mut start = command(&fcgiwrap);
        start
            .args(["-c", "6", "-s"])
            .arg(format!("unix:{}", socket.display()))
            .env("GIT_CONFIG_NOSYSTEM", "1");
        let mut wrapper = Server::spawn(start);
        assert!(wrapper.is_ready(|| socket.exists()), "fcgiwrap does not start");
        let nginx = |port| {
            std::fs::write(root.join("nginx.conf"), config(&root, port, scheme)).unwrap();
            let mut start = command(&nginx);
            start.arg("-c").arg(root.join("nginx.conf")).arg("-p").arg(&root);
            start.arg("-e").arg(root.join("error.log"));
            start
        };
        // Its pid is written when the port is its own.
        let is_ready = |_| std::fs::read_to_string(root.join("nginx.pid")).is_ok_and(|pid| !pid.is_empty());
        let Some((server, port)) = Server::on_free_port(nginx, is_ready) else {
            let log = std::fs::read_to_string(root.join("error.log")).unwrap_or_default();
            panic!("nginx does not start: {log}");
        };
        Self { _nginx: server, _fcgiwrap: wrapper, directory, port, scheme }
    }

    /// The URL without credentials.
    pub(crate) fn url(&self) -> String {
        format!("{}://127.0.0.1:{}/env.git", self.scheme, self.port)
    }

    /// The bare repository behind it.
    pub(crate) fn repository(&self) -> PathBuf {
        self.directory.path().join("env.git")
    }

    /// The server's own certificate (PEM), which no system trusts.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    /// What the server has been asked, a line a request.
    pub(crate) fn access_log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default()
    }
}

fn make_certificate(root: &Path) {
    let made = command(&installed("openssl", "openssl"))
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
        .args(["-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(root.join("key.pem"))
        .arg("-out")
        .arg(root.join("cert.pem"))
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

fn config(root: &Path, port: u16, scheme: &str) -> String {
    let backend = format!("{}/git-http-backend", git(root, &["--exec-path"]));
    let root = root.display();
    let tls = if scheme == "https" {
        format!("ssl; ssl_certificate {root}/cert.pem; ssl_certificate_key {root}/key.pem")
    } else {
        String::new()
    };
    format!(
        "daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log {root}/access.log;
  client_body_temp_path {root}/body; proxy_temp_path {root}/proxy; fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi; scgi_temp_path {root}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port} {tls};
    location /moved/ {{ rewrite ^/moved/(.*)$ /$1 permanent; }}
    location / {{
      auth_basic git; auth_basic_user_file {root}/htpasswd;
      fastcgi_pass unix:{root}/fcgi.sock;
      fastcgi_param SCRIPT_FILENAME {backend};
      fastcgi_param GIT_PROJECT_ROOT {root};
      fastcgi_param GIT_HTTP_EXPORT_ALL 1;
      fastcgi_param GIT_PROTOCOL $http_git_protocol;
      fastcgi_param PATH_INFO $uri;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param CONTENT_TYPE $content_type;
      fastcgi_param CONTENT_LENGTH $content_length;
      fastcgi_param HTTP_CONTENT_ENCODING $http_content_encoding;
      fastcgi_param REMOTE_USER $remote_user;
      fastcgi_param REMOTE_ADDR $remote_addr;
    }}
  }}
}}
"
    )
}
