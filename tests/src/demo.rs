//! The real binary, run as `mailstead demo --json`: a tiny internet with two appliances in it.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use crate::process::Process;
use crate::{Http, Imap, Smtp, Tool, Wire};

/// A demo must be ready within this time, even unoptimised on a machine busy with other tests.
const READY: Duration = Duration::from_secs(60);

/// The line a ready demo prints for programs.
#[derive(Debug, Clone, Deserialize)]
pub struct World {
    /// The private CA's certificate, PEM.
    pub ca: PathBuf,
    /// Where its DNS answers.
    pub dns: String,
    /// Its folder.
    pub data: PathBuf,
    /// Its appliances: home.test, then world.test.
    pub servers: Vec<Server>,
}

/// One appliance.
#[derive(Debug, Clone, Deserialize)]
pub struct Server {
    /// Its mail domain.
    pub domain: String,
    /// Its host name, which its certificate carries.
    pub host: String,
    /// The address it listens on.
    pub address: String,
    /// Its ports.
    pub ports: Ports,
    /// Ready accounts.
    pub accounts: Vec<Account>,
    /// Who governs it at the web.
    pub operator: Account,
}

/// The ports of one appliance.
#[derive(Debug, Clone, Copy, Deserialize)]
#[allow(missing_docs, reason = "the names say it")]
pub struct Ports {
    pub smtp: u16,
    pub submission: u16,
    pub submissions: u16,
    pub imap: u16,
    pub imaps: u16,
    pub pop3: u16,
    pub pop3s: u16,
    pub http: u16,
    pub https: u16,
}

/// A login.
#[derive(Debug, Clone, Deserialize)]
pub struct Account {
    /// Address and login name.
    pub address: String,
    /// Password.
    pub password: String,
}

/// A running demo. Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct Demo {
    /// The process.
    pub process: Process,
    /// What it said of itself.
    pub world: World,
    binary: PathBuf,
    folder: TempDir,
}

impl Demo {
    /// Starts `binary demo --json --dir TEMPORARY` with these further arguments and waits until it is ready.
    #[track_caller]
    pub fn start(binary: &str, arguments: &[&str]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let (process, world) = launch(binary.as_ref(), folder.path(), arguments);
        Self { process, world, binary: binary.into(), folder }
    }

    /// Cuts the power and starts again on the same folder.
    #[track_caller]
    pub fn crash_and_restart(&mut self, arguments: &[&str]) {
        self.process.kill();
        (self.process, self.world) = launch(&self.binary, self.folder.path(), arguments);
    }

    /// Presses Ctrl-C and waits for the end.
    #[track_caller]
    pub fn interrupt(&mut self) -> ExitStatus {
        self.process.signal("INT");
        self.process.wait(Duration::from_secs(20))
    }

    /// The appliance of `home.test`, where alice and carol live.
    pub fn home(&self) -> &Server {
        self.server("home.test")
    }

    /// The appliance of `world.test`, where bob lives.
    pub fn world(&self) -> &Server {
        self.server("world.test")
    }

    fn server(&self, domain: &str) -> &Server {
        self.world.servers.iter().find(|s| s.domain == domain).unwrap_or_else(|| panic!("no {domain} in the demo"))
    }

    /// The account of that name at that appliance.
    pub fn account(&self, address: &str) -> Account {
        let all = self.world.servers.iter().flat_map(|s| s.accounts.iter().chain([&s.operator]));
        all.clone().find(|a| a.address == address).unwrap_or_else(|| panic!("no {address} in the demo")).clone()
    }

    /// Where alice, bob or carol reads: her or his own appliance.
    pub fn server_of(&self, address: &str) -> &Server {
        self.server(address.rsplit('@').next().unwrap_or_default())
    }

    /// A session of IMAP over TLS, logged in.
    #[track_caller]
    pub fn imap(&self, address: &str) -> Imap {
        let server = self.server_of(address);
        let mut imap = Imap::connect_tls(server.ports.imaps, &server.host, &self.world.ca);
        imap.login(address, &self.account(address).password);
        imap
    }

    /// A connection to the web of that domain's appliance.
    #[track_caller]
    pub fn web(&self, domain: &str) -> Http {
        let server = self.server(domain);
        Http::new(Wire::connect_tls(server.ports.https, &server.host, &self.world.ca), &server.host)
    }

    /// A session of submission over TLS, logged in.
    #[track_caller]
    pub fn submission(&self, address: &str) -> Smtp {
        let server = self.server_of(address);
        let mut smtp = Smtp::new(Wire::connect_tls(server.ports.submissions, &server.host, &self.world.ca));
        smtp.hello("laptop.test");
        smtp.login(address, &self.account(address).password);
        smtp
    }

    /// A session on port 25 of the appliance of that domain, past EHLO.
    #[track_caller]
    pub fn exchange(&self, domain: &str) -> Smtp {
        let mut smtp = Smtp::new(Wire::connect(self.server(domain).ports.smtp));
        smtp.hello("client.test");
        smtp
    }

    /// The command line of that domain's appliance, driving the running server: `mailstead --data FOLDER …`.
    pub fn command(&self, domain: &str) -> Tool {
        Tool::new(&self.binary).arg("--data").arg(self.data_of(domain))
    }

    /// The web of that domain's appliance, without the slash at the end.
    pub fn site(&self, domain: &str) -> String {
        let server = self.server(domain);
        format!("https://{}:{}", server.host, server.ports.https)
    }

    /// The data folder of that domain's appliance.
    pub fn data_of(&self, domain: &str) -> PathBuf {
        self.world.data.join(domain)
    }

    /// The folder given to the demo.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn launch(binary: &Path, folder: &Path, arguments: &[&str]) -> (Process, World) {
    let mut command = Command::new(binary);
    command.args(["demo", "--json", "--dir"]).arg(folder.join("demo")).args(arguments).stdout(Stdio::piped());
    let mut process = Process::start("mailstead demo", &mut command, &folder.join("log"));
    let line = process.first_line(READY);
    let world =
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("the demo's line is not the agreed one: {e}\n{line}"));
    (process, world)
}
