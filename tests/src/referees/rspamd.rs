//! rspamd with its own configuration folder: what it holds against a letter.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tempfile::TempDir;

use super::Arrival;
use crate::names::Names;
use crate::process::{Process, free_port};
use crate::{Tool, eventually};

/// Reading its rules takes it some seconds on a busy machine.
const READY: Duration = Duration::from_secs(60);

/// A running rspamd. Dropped, it is stopped and its folder removed.
#[derive(Debug)]
pub struct Rspamd {
    process: Process,
    folder: TempDir,
    port: u16,
}

/// What rspamd says of a letter.
#[derive(Debug, Clone, Deserialize)]
pub struct Judgement {
    /// The sum of all.
    pub score: f32,
    /// What it saw.
    pub symbols: BTreeMap<String, Symbol>,
}

/// One thing rspamd saw in a letter.
#[derive(Debug, Clone, Deserialize)]
pub struct Symbol {
    /// What it counts, above zero against the letter.
    pub score: f32,
    /// What it was seen in.
    #[serde(default)]
    pub options: Vec<String>,
}

impl Rspamd {
    /// Starts it and waits until it answers.
    #[track_caller]
    pub fn start(names: &Names) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let at = folder.path().display().to_string();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        std::fs::create_dir(folder.path().join("db")).unwrap();
        let port = free_port();
        std::fs::write(folder.path().join("rspamd.conf"), configuration(&at, port)).unwrap();
        Tool::new("chown").args(["-R", "_rspamd:_rspamd", &at]).run();
        let mut command = names.command("rspamd");
        command.args(["-f", "-u", "_rspamd", "-g", "_rspamd", "-c"]).arg(folder.path().join("rspamd.conf"));
        command.arg(format!("--var=DBDIR={at}/db")).arg(format!("--var=LOCAL_CONFDIR={at}")).stdout(Stdio::null());
        let mut process = Process::start("rspamd", &mut command, &folder.path().join("log"));
        process.wait_for_port(port, READY);
        let rspamd = Self { process, folder, port };
        // The port is open before anyone behind it listens.
        let answers = || rspamd.client().arg("symbols").input("Subject: x\r\n\r\nx\r\n").run_any().status == 0;
        eventually("rspamd answers", READY, || answers().then_some(()));
        rspamd
    }

    /// Its judgement of a letter that came that way.
    #[track_caller]
    pub fn judge(&self, message: &[u8], arrival: &Arrival) -> Judgement {
        let tool = self.client().arg("--json");
        let tool = tool.args(["--ip", &arrival.address, "--helo", &arrival.host, "--hostname", &arrival.host]);
        let tool = tool.args(["--from", &arrival.sender, "--rcpt", &arrival.recipient]);
        let said = tool.arg("symbols").input(message).run();
        serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said}"))
    }

    fn client(&self) -> Tool {
        Tool::new("rspamc").home(self.folder.path()).args(["-h", &format!("127.0.0.1:{}", self.port)])
    }
}

impl Drop for Rspamd {
    fn drop(&mut self) {
        // Killed outright it would leave its workers behind.
        self.process.signal("TERM");
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while self.process.ended().is_none() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Debian's rules as they are, with no local address trusted, and without what asks strangers' servers.
fn configuration(at: &str, port: u16) -> String {
    format!(
        ".include \"$CONFDIR/common.conf\"\n\
         options {{\n filters = \"chartable,dkim,regexp\";\n pidfile = \"{at}/pid\";\n tempdir = \"{at}/db\";\n \
         dns {{ timeout = 5s; retransmits = 2; sockets = 4; }}\n local_addrs = [];\n \
         url_tld = \"${{SHAREDIR}}/effective_tld_names.dat\";\n control_socket = \"{at}/sock mode=0600\";\n \
         cache_file = \"{at}/db/symbols.cache\";\n explicit_modules = [\"settings\"];\n \
         disable_hyperscan = true;\n task_timeout = 30s;\n}}\n\
         logging {{ type = \"console\"; level = \"notice\"; }}\n\
         worker \"normal\" {{ bind_socket = \"127.0.0.1:{port}\"; count = 1; }}\n\
         rbl {{ enabled = false; }}\nfuzzy_check {{ enabled = false; }}\nasn {{ enabled = false; }}\n"
    )
}
