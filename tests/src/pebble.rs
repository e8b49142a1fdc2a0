//! Debian's pebble: a certificate authority by ACME (RFC 8555) that is strict on purpose.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Tool;
use crate::postfix::make_certificate;
use crate::process::{Process, free_port};

const READY: Duration = Duration::from_secs(30);
/// A domain it does not certify.
pub const BLOCKED: &str = "blocked.test";

/// An authority that can be stopped and started again, as another one that remembers nothing.
#[derive(Debug)]
pub struct Pebble {
    process: Option<Process>,
    /// Where it looks for proofs by HTTP, instead of 80.
    pub http: u16,
    /// Where it looks for proofs under TLS, instead of 443.
    pub https: u16,
    port: u16,
    management: u16,
    dns: String,
    reject_nonces: u8,
    folder: TempDir,
}

impl Pebble {
    /// Prepares one that asks this name server, throws away so many of a hundred good nonces, and whose certificates
    /// hold so many seconds. It does not start yet.
    #[track_caller]
    pub fn prepare(dns: &str, reject_nonces: u8, validity: Duration) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        make_certificate(folder.path(), "localhost");
        let (port, management, http, https) = (free_port(), free_port(), free_port(), free_port());
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("cert.pem"),
            "privateKey": folder.path().join("key.pem"),
            "httpPort": http,
            "tlsPort": https,
            "certificateValidityPeriod": validity.as_secs(),
            "domainBlocklist": [BLOCKED],
        }});
        std::fs::write(folder.path().join("pebble.json"), config.to_string()).unwrap();
        Self { process: None, http, https, port, management, dns: dns.to_owned(), reject_nonces, folder }
    }

    /// Prepares one and starts it.
    #[track_caller]
    pub fn start_new(dns: &str, reject_nonces: u8, validity: Duration) -> Self {
        let mut pebble = Self::prepare(dns, reject_nonces, validity);
        pebble.start();
        pebble
    }

    /// Starts it: with no account, no order and a new root.
    #[track_caller]
    pub fn start(&mut self) {
        let mut command = Command::new("pebble");
        command.arg("-config").arg(self.folder.path().join("pebble.json"));
        command.args(["-strict", "-dnsserver", &self.dns]).stdout(Stdio::null());
        command.env("PEBBLE_VA_NOSLEEP", "1").env("PEBBLE_WFE_NONCEREJECT", self.reject_nonces.to_string());
        let mut process = Process::start("pebble", &mut command, &self.folder.path().join("log"));
        process.wait_for_port(self.port, READY);
        process.wait_for_port(self.management, READY);
        self.process = Some(process);
        let roots = format!("https://localhost:{}/roots/0", self.management);
        let root =
            Tool::new("curl").args(["-sS", "--noproxy", "*", "--cacert"]).arg(self.https_root()).arg(roots).run();
        std::fs::write(self.root(), root.output).unwrap();
    }

    /// Takes it down.
    pub fn stop(&mut self) {
        self.process = None;
    }

    /// The root of what it certifies since its last start.
    pub fn root(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// `[acme]` of a configuration that asks it.
    pub fn config(&self) -> String {
        format!(
            "[acme]\ndirectory = \"https://localhost:{}/dir\"\nroot = \"{}\"\ncontact = \"postmaster@kept.test\"\n",
            self.port,
            self.https_root().display()
        )
    }

    fn https_root(&self) -> PathBuf {
        Path::new(self.folder.path()).join("cert.pem")
    }
}
