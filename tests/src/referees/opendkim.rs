//! OpenDKIM: its library behind `opendkim-testmsg`, which verifies and signs without a mail server, and its milter, with
//! which Postfix signs.

use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::SigningKey;
use crate::names::Names;
use crate::process::{Process, free_port};

/// It is up at once, but for a busy machine.
const READY: Duration = Duration::from_secs(30);

/// OpenDKIM with the tiny internet's names.
#[derive(Debug, Clone, Copy)]
pub struct OpenDkim<'a>(pub &'a Names);

impl OpenDkim<'_> {
    /// What it says against a message: nothing if a signature is right.
    ///
    /// # Errors
    /// Its complaint.
    pub fn verify(&self, message: &[u8]) -> Result<(), String> {
        let said = self.0.tool("opendkim-testmsg").input(message).run_any();
        match said.status {
            0 => Ok(()),
            _ => Err(said.errors),
        }
    }

    /// The message with its signature before it, of the kind of its day: rsa-sha1, relaxed/simple.
    #[track_caller]
    pub fn sign(&self, message: &[u8], key: &SigningKey, domain: &str, selector: &str) -> Vec<u8> {
        let tool = self.0.tool("opendkim-testmsg").args(["-C", "-d", domain, "-s", selector, "-k"]).arg(&key.file);
        let said = tool.input(message).run();
        said.output.into_bytes()
    }
}

/// OpenDKIM's milter. Dropped, it is gone.
#[derive(Debug)]
pub struct OpenDkimMilter {
    _process: Process,
    _folder: TempDir,
    /// Where Postfix finds it, on 127.0.0.1.
    pub port: u16,
}

impl OpenDkimMilter {
    /// Starts it to sign all mail of `domain` in these canonicalizations (`relaxed/simple`).
    #[track_caller]
    pub fn signing(domain: &str, selector: &str, key: &SigningKey, canonicalization: &str) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let file = folder.path().join("opendkim.conf");
        let text = format!(
            "Socket inet:{port}@127.0.0.1\nMode s\nDomain {domain}\nSelector {selector}\nKeyFile {}\n\
             Canonicalization {canonicalization}\nSignatureAlgorithm {}\nOversignHeaders From\n\
             InternalHosts 0.0.0.0/0\nBackground no\nSyslog no\nRequireSafeKeys no\n",
            key.file.display(),
            key.algorithm,
        );
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new("/usr/sbin/opendkim");
        command.arg("-f").arg("-x").arg(&file).stdout(Stdio::null());
        let mut process = Process::start("opendkim", &mut command, &folder.path().join("log"));
        process.wait_for_port(port, READY);
        Self { _process: process, _folder: folder, port }
    }
}
