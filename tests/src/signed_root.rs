//! A root of DNS of one's own, signed, for programs that ask `/etc/resolv.conf` and can't prove anything themselves:
//! Debian's unbound validates for them what [`Bind`] serves.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::bind::{Bind, Signed};
use crate::process::{Process, loopback_address};
use crate::{Names, Tool, eventually};

/// It is up within a second, but for a busy machine.
const READY: Duration = Duration::from_secs(30);

/// The running name servers. Dropped, they are gone.
#[derive(Debug)]
pub struct SignedRoot {
    /// Serves the zones, proved by signatures, for those who check them.
    pub bind: Bind,
    /// Has checked them, for those who don't.
    pub names: Names,
    _resolver: Process,
    _folder: TempDir,
}

impl SignedRoot {
    /// Serves these zones (see [`Bind::start`]).
    #[track_caller]
    pub fn serve(zones: &[(&str, &str, Signed)]) -> Self {
        let bind = Bind::start(zones);
        let folder = TempDir::new().expect("a temporary folder");
        let (address, resolver) = start_resolver(folder.path(), &bind);
        Self { bind, names: Names::at(address), _resolver: resolver, _folder: folder }
    }

    /// The section `[dns]` of Mailstead's configuration with which it checks these zones itself.
    pub fn configuration(&self) -> String {
        let anchor = self.bind.trust_anchor();
        format!("[dns]\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n", self.bind.address(), anchor.display())
    }
}

/// The data of the TLSA record that pins the key of a certificate (RFC 6698, RFC 7671 5.1: DANE-EE, public key, SHA-256).
#[track_caller]
pub fn tlsa(certificate: &Path) -> String {
    let folder = TempDir::new().expect("a temporary folder");
    let (pem, der) = (folder.path().join("pem"), folder.path().join("der"));
    Tool::new("openssl").args(["x509", "-pubkey", "-noout", "-in"]).arg(certificate).arg("-out").arg(&pem).run();
    Tool::new("openssl").args(["pkey", "-pubin", "-outform", "DER", "-in"]).arg(&pem).arg("-out").arg(&der).run();
    let said = Tool::new("sha256sum").arg(&der).run();
    format!("3 1 1 {}", said.output.split_whitespace().next().unwrap_or_default())
}

/// unbound at port 53 of a loopback address of its own.
fn start_resolver(at: &Path, bind: &Bind) -> (Ipv4Addr, Process) {
    let address = eventually("a loopback address whose port 53 is free", READY, || {
        let address = loopback_address();
        UdpSocket::bind((address, 53)).is_ok().then_some(address)
    });
    let upstream = bind.address();
    let text = format!(
        "server:\n interface: {address}@53\n do-daemonize: no\n use-syslog: no\n chroot: \"\"\n username: \"\"\n \
         pidfile: \"\"\n do-not-query-localhost: no\n trust-anchor-file: \"{}\"\n local-zone: \"test.\" nodefault\n \
         local-zone: \"127.in-addr.arpa.\" nodefault\n module-config: \"validator iterator\"\n num-threads: 1\n\
         remote-control:\n control-enable: no\nforward-zone:\n name: \".\"\n forward-addr: {}@{}\n",
        bind.trust_anchor().display(),
        upstream.ip(),
        upstream.port(),
    );
    std::fs::write(at.join("unbound.conf"), text).unwrap();
    let mut command = Command::new("/usr/sbin/unbound");
    command.arg("-d").arg("-c").arg(at.join("unbound.conf")).stdout(Stdio::null());
    let mut process = Process::start("unbound", &mut command, &at.join("log"));
    process.wait_for_address((address, 53).into(), READY);
    (address, process)
}
