//! A real registry of images: Debian's `docker-registry`, filled by `skopeo` with images that `umoci` makes. Nothing leaves this machine.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use tempfile::TempDir;

use super::fault::Reply;
use super::{Server, command, installed, unix_now};

/// Who may log in.
pub(crate) const USER: &str = "reader";
/// With this password.
pub(crate) const PASSWORD: &str = "pa55-w0rd";

/// A registry on a free port of 127.0.0.1. Stopped on drop.
pub(crate) struct Registry {
    server: Option<Server>,
    port: u16,
    /// Its images, and those that are made for it.
    directory: TempDir,
}

impl Registry {
    /// Starts an empty one that anybody may read and write.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (server, port) = serve(directory.path(), "open", "");
        Self { server: Some(server), port, directory }
    }

    /// Starts another one with the same images that wants a name and a password.
    pub(crate) fn with_passwords(&self) -> Guarded {
        let users = self.path("htpasswd");
        let entry =
            command(&installed("htpasswd", "apache2-utils")).args(["-nbB", USER, PASSWORD]).output().unwrap();
        fs::write(&users, entry.stdout).unwrap();
        let auth = format!("auth:\n  htpasswd:\n    realm: test\n    path: {}\n", users.display());
        let (server, port) = serve(self.directory.path(), "passwords", &auth);
        Guarded { _server: server, port }
    }

    /// Starts another one with the same images that wants a token, which a server of tokens gives to whoever has the password, or to
    /// everybody.
    pub(crate) fn with_tokens(&self, to_everybody: bool) -> Guarded {
        let (key, certificate) = (self.path("token.key"), self.path("token.pem"));
        let make =
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=tokens", "-keyout"];
        run(openssl().args(make).arg(&key).arg("-out").arg(&certificate));
        let tokens = TokenServer { key, certificate, to_everybody };
        let realm = tokens.start();
        let auth = format!(
            "auth:\n  token:\n    realm: {realm}\n    service: images\n    issuer: test\n    rootcertbundle: {}\n",
            self.path("token.pem").display()
        );
        let (server, port) = serve(self.directory.path(), "tokens", &auth);
        Guarded { _server: server, port }
    }

    /// Its host, as images name it.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Pushes an image with these labels under a name: `shop/app:v1`. What is there under that name moves on. Returns its digest.
    pub(crate) fn push(&self, name: &str, labels: &[(&str, &str)]) -> String {
        let layout = self.path("layout");
        let umoci = || command(&installed("umoci", "umoci"));
        if !layout.exists() {
            run(umoci().arg("init").arg("--layout").arg(&layout));
        }
        let tag = format!("image-{}", fastrand::u64(..));
        let image = format!("{}:{tag}", layout.display());
        run(umoci().args(["new", "--image", &image]));
        // Without something of its own it would be the same image as others.
        let own = format!("--config.label=made={tag}");
        let all: Vec<String> =
            labels.iter().map(|(key, value)| format!("--config.label={key}={value}")).collect();
        run(umoci().args(["config", "--image", &image, &own]).args(&all));
        let place = format!("docker://{}/{name}", self.host());
        run(skopeo().args(["copy", "--dest-tls-verify=false", &format!("oci:{image}"), &place]));
        self.digest(name)
    }

    /// The digest of what stands under a name.
    pub(crate) fn digest(&self, name: &str) -> String {
        let place = format!("docker://{}/{name}", self.host());
        let inspect = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &place];
        run(skopeo().args(inspect)).trim().to_owned()
    }

    /// Removes an image, with all tags that it has.
    pub(crate) fn remove(&self, name: &str) {
        let place = format!("docker://{}/{name}", self.host());
        run(skopeo().args(["delete", "--tls-verify=false", &place]));
    }

    /// Stops it: nobody answers at its port any more.
    pub(crate) fn stop(&mut self) {
        self.server = None;
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A registry that wants a login, with the images of another one.
pub(crate) struct Guarded {
    _server: Server,
    port: u16,
}

impl Guarded {
    /// Its host, as images name it.
    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

fn serve(directory: &Path, name: &str, auth: &str) -> (Server, u16) {
    let log = directory.join(format!("{name}.log"));
    let start = |port: u16| {
        let config = directory.join(format!("{name}.yml"));
        let images = directory.join("images");
        let text = format!(
            "version: 0.1\nlog: {{level: info}}\nstorage:\n  filesystem: {{rootdirectory: {}}}\n  delete: {{enabled: true}}\n\
             http: {{addr: \"127.0.0.1:{port}\"}}\n{auth}",
            images.display()
        );
        fs::write(&config, text).unwrap();
        let mut start = command(&installed("docker-registry", "docker-registry"));
        start.arg("serve").arg(config).stdout(Stdio::null()).stderr(fs::File::create(&log).unwrap());
        start.env("OTEL_TRACES_EXPORTER", "none");
        start
    };
    let answers = |port: u16| TcpStream::connect(("127.0.0.1", port)).is_ok();
    Server::on_free_port(start, answers)
        .unwrap_or_else(|| panic!("docker-registry did not start:\n{}", fs::read_to_string(&log).unwrap()))
}

fn skopeo() -> std::process::Command {
    let mut skopeo = command(&installed("skopeo", "skopeo"));
    skopeo.arg("--insecure-policy");
    skopeo
}

fn openssl() -> std::process::Command {
    command(&installed("openssl", "openssl"))
}

/// Runs a program to its end; returns what it printed.
fn run(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Gives out tokens for one registry. Source: <https://distribution.github.io/distribution/spec/auth/jwt/>.
struct TokenServer {
    key: PathBuf,
    certificate: PathBuf,
    to_everybody: bool,
}

impl TokenServer {
    /// Starts it; its thread ends with the test program. Returns its address.
    fn start(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                self.answer(stream.unwrap());
            }
        });
        format!("http://{address}/token")
    }

    fn answer(&self, mut stream: TcpStream) {
        let (mut request, mut chunk) = (String::new(), [0; 4096]);
        while !request.contains("\r\n\r\n") {
            match stream.read(&mut chunk) {
                Ok(read) if read > 0 => request.push_str(&String::from_utf8_lossy(&chunk[..read])),
                _ => return,
            }
        }
        let login = format!("basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let is_known = request.to_lowercase().contains(&login.to_lowercase());
        let scope = request.split(['?', '&', ' ']).find_map(|pair| pair.strip_prefix("scope="));
        let scope = scope.unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
        let reply = match is_known || self.to_everybody {
            true => Reply::new(200, &[], format!("{{\"token\":\"{}\"}}", self.token(&scope))),
            false => Reply::new(401, &[], "{}"),
        };
        drop(stream.write_all(&reply.bytes));
    }

    /// A token for what is asked for: `repository:shop/app:pull`.
    fn token(&self, scope: &str) -> String {
        let mut parts = scope.split(':');
        let (kind, name, action) = (parts.next(), parts.next(), parts.next());
        let access = match (kind, name, action) {
            (Some(kind), Some(name), Some(action)) => {
                serde_json::json!([{"type": kind, "name": name, "actions": [action]}])
            }
            _ => serde_json::json!([]),
        };
        let pem = fs::read_to_string(&self.certificate).unwrap();
        let chain: String = pem.lines().filter(|line| !line.starts_with("-----")).collect();
        let now = unix_now();
        let head = serde_json::json!({"typ": "JWT", "alg": "RS256", "x5c": [chain]});
        let claims = serde_json::json!({
            "iss": "test", "sub": USER, "aud": "images", "exp": now + 300, "nbf": now - 60, "iat": now, "jti": "1", "access": access,
        });
        let encoded = |part: &serde_json::Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", encoded(&head), encoded(&claims));
        let mut openssl = openssl();
        openssl.args(["dgst", "-sha256", "-sign"]).arg(&self.key);
        let mut signing = openssl.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        signing.stdin.take().unwrap().write_all(signed.as_bytes()).unwrap();
        let signature = signing.wait_with_output().unwrap().stdout;
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}
