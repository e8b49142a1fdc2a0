//! What the demo tells: a table for people, one line of JSON for programs.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Serialize;

use super::password;
use crate::appliance::{Bound, SERVICES, Service};

/// All there is to know of a running demo.
#[derive(Debug, Serialize)]
pub(crate) struct Facts {
    /// The authority's certificate.
    pub(crate) ca: PathBuf,
    /// The name server.
    pub(crate) dns: SocketAddr,
    /// The data folder.
    pub(crate) data: PathBuf,
    #[serde(skip)]
    pub(crate) kept: bool,
    #[serde(skip)]
    pub(crate) seeded: usize,
    /// The servers.
    pub(crate) servers: Vec<Server>,
}

/// One server.
#[derive(Debug, Serialize)]
pub(crate) struct Server {
    domain: String,
    host: String,
    address: String,
    ports: serde_json::Map<String, serde_json::Value>,
    accounts: Vec<Login>,
    operator: Login,
}

/// Someone who can log in.
#[derive(Debug, Serialize)]
pub(crate) struct Login {
    address: String,
    password: String,
}

impl Server {
    /// Describes a server by its bound ports.
    pub(crate) fn describe(domain: &str, host: &str, accounts: &[&str], operator: &str, bound: &Bound) -> Self {
        let login =
            |local_part: &str| Login { address: format!("{local_part}@{domain}"), password: password(local_part) };
        let ports = SERVICES
            .iter()
            .filter_map(|(service, key, _)| bound.address(*service).map(|at| ((*key).to_owned(), at.port().into())))
            .collect();
        let address = bound.address(Service::Smtp).map(|at| at.ip().to_string()).unwrap_or_default();
        Self {
            domain: domain.to_owned(),
            host: host.to_owned(),
            address,
            ports,
            accounts: accounts.iter().map(|local_part| login(local_part)).collect(),
            operator: login(operator),
        }
    }

    fn port(&self, key: &str) -> u64 {
        self.ports.get(key).and_then(serde_json::Value::as_u64).unwrap_or_default()
    }
}

impl Facts {
    /// One line for programs.
    pub(crate) fn json(&self) -> Result<String, String> {
        serde_json::to_string(self).map(|line| line + "\n").map_err(|error| error.to_string())
    }

    /// A short table for people.
    pub(crate) fn table(&self) -> String {
        let mut out = String::from("\nA tiny internet is running on this machine.\n");
        let columns: Vec<&Server> = self.servers.iter().collect();
        let mut row = |name: &str, value: &dyn Fn(&Server) -> String| {
            let _ = write!(out, "  {name:<22}");
            for server in &columns {
                let _ = write!(out, "{:<34}", value(server));
            }
            out.truncate(out.trim_end().len());
            out.push('\n');
        };
        row("", &|_| String::new());
        row("domain", &|server| server.domain.clone());
        row("host to type in", &|server| server.address.clone());
        row("IMAP      TLS", &|server| server.port("imaps").to_string());
        row("          STARTTLS", &|server| server.port("imap").to_string());
        row("POP3      TLS", &|server| server.port("pop3s").to_string());
        row("          STARTTLS", &|server| server.port("pop3").to_string());
        row("sending   TLS", &|server| server.port("submissions").to_string());
        row("          STARTTLS", &|server| server.port("submission").to_string());
        row("SMTP from the world", &|server| server.port("smtp").to_string());
        row("web", &|server| format!("https://{}:{}/", server.address, server.port("https")));
        let most = self.servers.iter().map(|server| server.accounts.len()).max().unwrap_or_default();
        for index in 0..most {
            row(if index == 0 { "login" } else { "" }, &|server| {
                server.accounts.get(index).map(|login| login.address.clone()).unwrap_or_default()
            });
            row(if index == 0 { "password" } else { "" }, &|server| {
                server.accounts.get(index).map(|login| login.password.clone()).unwrap_or_default()
            });
        }
        row("operator", &|server| server.operator.address.clone());
        row("password", &|server| server.operator.password.clone());
        let _ = write!(out, "\n  certificate authority {}\n  name server           {}\n", self.ca.display(), self.dns);
        let fate = if self.kept { "kept" } else { "removed at the end" };
        let _ = writeln!(out, "  data                  {} ({fate})", self.data.display());
        if self.seeded > 0 {
            let _ = writeln!(out, "  alice@home.test has {} letters.", self.seeded);
        }
        if let (Some(home), Some(world)) = (self.servers.first(), self.servers.last()) {
            let (Some(alice), Some(bob)) = (home.accounts.first(), world.accounts.first()) else { return out };
            let ca = self.ca.display();
            let _ = write!(
                out,
                "\nA letter from alice to bob, and how he reads it:\n\
                 \x20 printf 'Subject: hello\\r\\n\\r\\nThe first letter.\\r\\n' | curl --ssl-reqd --cacert {ca} \\\n\
                 \x20   smtp://localhost:{} -u {}:{} --mail-from {} --mail-rcpt {} -T -\n\
                 \x20 curl --cacert {ca} 'imaps://localhost:{}/INBOX;UID=1' -u {}:{}\n\
                 What became of it:\n\
                 \x20 {} --data {} trace {}\n\n\
                 Ctrl-C ends it.\n",
                home.port("submission"),
                alice.address,
                alice.password,
                alice.address,
                bob.address,
                world.port("imaps"),
                bob.address,
                bob.password,
                program(),
                self.data.join(&home.domain).display(),
                bob.address,
            );
        }
        out
    }
}

/// The running program as a shell finds it: it is seldom on the PATH when the demo is tried.
fn program() -> String {
    std::env::current_exe().map_or_else(|_| "mailstead".to_owned(), |path| path.display().to_string())
}
