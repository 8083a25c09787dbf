//! A real Prometheus with a history.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Server;

/// What Prometheus writes into its log as soon as it answers.
pub(crate) const READY: &str = "Server is ready to receive web requests";

/// A Prometheus on a free port of 127.0.0.1, with its data in a directory of its own. Stopped on drop.
pub(crate) struct Prometheus {
    _server: Server,
    port: u16,
    _directory: TempDir,
}

impl Prometheus {
    /// Starts it with this history, in OpenMetrics' text format (it must end in `# EOF`).
    pub(crate) fn start(openmetrics: &str) -> Self {
        Self::start_with(openmetrics, "")
    }

    /// The same with a web configuration: TLS and users.
    /// See <https://prometheus.io/docs/prometheus/latest/configuration/https/>.
    pub(crate) fn start_with(openmetrics: &str, web_config: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::write(path("history"), openmetrics).unwrap();
        let backfill = ["tsdb", "create-blocks-from", "openmetrics", "--max-block-duration=168h"];
        run(program("promtool").args(backfill).arg(path("history")).arg(path("data")));
        Self::start_in(directory, "scrape_configs: []\n", web_config)
    }

    /// Starts it without a history, and has it scrape this address each second.
    pub(crate) fn scraping(address: &str) -> Self {
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: it, static_configs: [{{targets: [\"{address}\"]}}]}}]\n"
        );
        Self::start_in(tempfile::tempdir().unwrap(), &config, "")
    }

    fn start_in(directory: TempDir, config: &str, web_config: &str) -> Self {
        let path = |name: &str| directory.path().join(name);
        fs::write(path("prometheus.yml"), config).unwrap();
        fs::write(path("web.yml"), web_config).unwrap();
        let prometheus = |port| {
            let mut start = program("prometheus");
            start
                .arg(format!("--config.file={}", path("prometheus.yml").display()))
                .arg(format!("--storage.tsdb.path={}", path("data").display()))
                .arg(format!("--web.config.file={}", path("web.yml").display()))
                .arg(format!("--web.listen-address=127.0.0.1:{port}"))
                .arg("--storage.tsdb.retention.time=20y")
                .stderr(fs::File::create(path("log")).unwrap());
            start
        };
        let log = || fs::read_to_string(path("log")).unwrap();
        let Some((server, port)) = Server::on_free_port(prometheus, |_| log().contains(READY)) else {
            panic!("prometheus did not start:\n{}", log());
        };
        Self { _server: server, port, _directory: directory }
    }

    /// Its address.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its address over TLS, with the name that its certificate has.
    pub(crate) fn tls_url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

/// A program of the test environment; without it the test fails.
#[expect(clippy::disallowed_methods, reason = "tests start their counterparts")]
pub(crate) fn program(name: &str) -> Command {
    let package = if name == "promtool" { "prometheus" } else { name };
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(found.is_ok(), "the program {name} is missing: apt-get install {package}");
    Command::new(name)
}

/// Runs a program to its end; the test fails if it does.
pub(crate) fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}
