//! One appliance under `mailstead serve`, with fixed ports and a folder that outlives its process.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::demo::Ports;
use crate::process::{Process, free_port};
use crate::{Imap, Smtp, Tool, Wire};

/// Starting takes far under a second; a busy machine may need more.
const READY: Duration = Duration::from_secs(60);
/// Its name, and its certificate's.
pub const HOST: &str = "mail.kept.test";
/// No test asks the world's name servers.
const NO_NAMES: &str = "[dns]\nservers = [\"127.0.0.1:9\"]\n";
/// Where no DNS answers, nobody can be judged, and every letter from the world would have to come again.
const NO_CHECKS: &str = "[checks]\nenabled = false\n";

/// Where its certificates come from, and the ports of its web.
#[derive(Debug, Clone, Copy)]
pub struct Site {
    /// From files; else it looks after itself.
    pub files: bool,
    /// Port of plain HTTP.
    pub http: Option<u16>,
    /// Port of HTTPS.
    pub https: Option<u16>,
}

/// An appliance that can be stopped, killed and started again.
#[derive(Debug)]
pub struct Served {
    /// The process, while it runs.
    pub process: Option<Process>,
    /// Its ports, the same at every start.
    pub ports: Ports,
    binary: PathBuf,
    folder: TempDir,
}

impl Served {
    /// Writes a configuration with these further lines, for data in `data` (or in a temporary folder); makes the domain
    /// `kept.test` with the accounts alice and carol. It does not start yet.
    #[track_caller]
    pub fn prepare(binary: &str, data: Option<&Path>, further: &str) -> Self {
        Self::prepare_site(binary, data, Site { files: true, http: None, https: Some(free_port()) }, further)
    }

    /// The same with a web, and with certificates from elsewhere.
    #[track_caller]
    pub fn prepare_site(binary: &str, data: Option<&Path>, site: Site, further: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let data = data.map_or_else(|| folder.path().join("data"), Path::to_owned);
        crate::postfix::make_certificate(folder.path(), HOST);
        let ports = Ports {
            smtp: free_port(),
            submission: free_port(),
            submissions: free_port(),
            imap: free_port(),
            imaps: free_port(),
            pop3: free_port(),
            pop3s: free_port(),
            http: site.http.unwrap_or_default(),
            https: site.https.unwrap_or_default(),
        };
        let names = if further.contains("[dns]") { "" } else { NO_NAMES };
        let judges = (names.is_empty() && !further.contains("127.0.0.1:9")) || further.contains("[checks]");
        let checks = if judges { "" } else { NO_CHECKS };
        let listen = |name: &str, port: u16| format!("{name} = [\"127.0.0.1:{port}\"]\n");
        let web = |name: &str, port: Option<u16>| port.map_or(format!("{name} = []\n"), |port| listen(name, port));
        let at = folder.path().display();
        let tls = format!("[tls]\ncertificate = \"{at}/cert.pem\"\nkey = \"{at}/key.pem\"\n");
        let text = format!(
            "hostname = \"{HOST}\"\ndata = \"{}\"\n{}[listen]\n{}{}{}{}{}{}{}{}{}{names}{checks}{further}",
            data.display(),
            if site.files { &tls } else { "" },
            listen("smtp", ports.smtp),
            listen("submission", ports.submission),
            listen("submissions", ports.submissions),
            listen("imap", ports.imap),
            listen("imaps", ports.imaps),
            listen("pop3", ports.pop3),
            listen("pop3s", ports.pop3s),
            web("http", site.http),
            web("https", site.https),
        );
        std::fs::write(folder.path().join("mailstead.toml"), text).unwrap();
        let served = Self { process: None, ports, binary: binary.into(), folder };
        served.command().args(["domain", "add", "kept.test"]).run();
        for name in ["alice", "carol"] {
            served.command().args(["account", "add", &format!("{name}@kept.test")]).input(password(name) + "\n").run();
        }
        served
    }

    /// Takes mail from the world at port 25 of this loopback address too, from the next start on.
    pub fn at_port_25_of(&self, address: Ipv4Addr) {
        let file = self.folder.path().join("mailstead.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        let own = format!("smtp = [\"127.0.0.1:{}\"", self.ports.smtp);
        std::fs::write(&file, text.replace(&own, &format!("{own}, \"{address}:25\""))).unwrap();
    }

    /// Takes its host name out of the configuration: it is to be chosen while setting up.
    pub fn unname(&self) {
        let file = self.folder.path().join("mailstead.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, text.replace(&format!("hostname = \"{HOST}\"\n"), "")).unwrap();
    }

    /// Adds these lines to its configuration, from the next start on.
    pub fn configure(&self, further: &str) {
        let file = self.folder.path().join("mailstead.toml");
        let mut text = std::fs::read_to_string(&file).unwrap();
        if further.contains("[dns]") {
            text = text.replace(NO_NAMES, "").replace(NO_CHECKS, "");
        }
        std::fs::write(&file, text + further).unwrap();
    }

    /// Starts it; gives the time to its first banner.
    #[track_caller]
    pub fn start(&mut self) -> Duration {
        assert!(self.process.is_none(), "it runs already");
        let mut command = Command::new(&self.binary);
        command.arg("--config").arg(self.folder.path().join("mailstead.toml")).arg("serve").stdout(Stdio::null());
        let start = Instant::now();
        let mut process = Process::start("mailstead serve", &mut command, &self.folder.path().join("log"));
        process.wait_for_port(self.ports.smtp, READY);
        let banner = Wire::connect(self.ports.smtp).reply();
        let took = start.elapsed();
        assert_eq!(banner.code, 220, "{banner}");
        process.wait_for_port(self.ports.imaps, READY);
        self.process = Some(process);
        took
    }

    /// Cuts the power: `SIGKILL`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// Asks it to stop and waits for the end.
    #[track_caller]
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.signal("TERM");
            let status = process.wait(Duration::from_secs(30));
            assert!(status.success(), "{status}\n{}", process.tail());
        }
    }

    /// `mailstead --config FILE …`
    pub fn command(&self) -> Tool {
        Tool::new(&self.binary).arg("--config").arg(self.folder.path().join("mailstead.toml"))
    }

    /// The queue, as `queue list --json` shows it.
    #[track_caller]
    pub fn queue(&self) -> serde_json::Value {
        let said = self.command().args(["--json", "queue", "list"]).run();
        serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// The certificates, as `certificate list --json` shows them.
    #[track_caller]
    pub fn certificates(&self) -> Vec<serde_json::Value> {
        let said = self.command().args(["--json", "certificate", "list"]).run();
        serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    /// Its certificate, which is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    /// A session of IMAP over TLS, logged in as `name`@kept.test.
    pub fn try_imap(&self, name: &str) -> std::io::Result<Imap> {
        let wire = Wire::connect_from(Ipv4Addr::LOCALHOST, self.ports.imaps)?;
        let mut imap = Imap::try_new(wire.into_tls(HOST, &self.certificate())?)?;
        let answer = imap.try_command(&format!("LOGIN {name}@kept.test {}", password(name)))?;
        match answer.status.as_str() {
            "OK" => Ok(imap),
            _ => Err(std::io::Error::other(format!("{answer:?}"))),
        }
    }

    /// A session of IMAP over TLS, logged in as `name`@kept.test.
    #[track_caller]
    pub fn imap(&self, name: &str) -> Imap {
        self.try_imap(name).unwrap_or_else(|e| panic!("IMAP as {name}: {e}"))
    }

    /// A session on port 25, past EHLO.
    pub fn try_exchange(&self) -> std::io::Result<Smtp> {
        let mut smtp = Smtp::new(Wire::connect_from(Ipv4Addr::LOCALHOST, self.ports.smtp)?);
        smtp.try_hello("client.test")?;
        Ok(smtp)
    }

    /// A session of submission over TLS, logged in as `name`@kept.test.
    pub fn try_submission(&self, name: &str) -> std::io::Result<Smtp> {
        let wire = Wire::connect_from(Ipv4Addr::LOCALHOST, self.ports.submissions)?;
        let mut smtp = Smtp::new(wire.into_tls(HOST, &self.certificate())?);
        smtp.try_hello("laptop.test")?;
        let reply = smtp.try_login(&format!("{name}@kept.test"), &password(name))?;
        match reply.code {
            235 => Ok(smtp),
            _ => Err(std::io::Error::other(reply.to_string())),
        }
    }
}

/// The password of a ready account.
pub fn password(name: &str) -> String {
    format!("{name}'s-secret")
}
