//! A root of DNS of one's own, signed: Debian's BIND serves it, Debian's unbound validates it for those who can't.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, free_port, loopback_address};
use crate::{Names, Tool, eventually};

/// Both are up within a second, but for a busy machine.
const READY: Duration = Duration::from_secs(30);

/// The running name servers. Dropped, they are gone.
#[derive(Debug)]
pub struct SignedRoot {
    _authority: Process,
    _resolver: Process,
    folder: TempDir,
    /// Where the authoritative server listens, on 127.0.0.1.
    pub port: u16,
    /// The validating resolver, for programs that ask `/etc/resolv.conf`.
    pub names: Names,
}

impl SignedRoot {
    /// Serves a root zone with these records (lines of a zone file, absolute names), signed, and a delegation to each of
    /// these unsigned zones with theirs.
    #[track_caller]
    pub fn serve(records: &str, unsigned: &[(&str, &str)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let at = folder.path();
        let mut root = format!("{}{records}", beginning("."));
        let mut zones = zone(".", "root.signed");
        for (name, records) in unsigned {
            writeln!(root, "{name}. NS ns.servers.").unwrap();
            std::fs::write(at.join(name), format!("{}{records}", beginning(&format!("{name}.")))).unwrap();
            zones += &zone(name, name);
        }
        root.push_str("ns.servers. A 127.0.0.1\n");
        std::fs::write(at.join("root"), root).unwrap();
        for kind in [["-f", "KSK"].as_slice(), &[]] {
            Tool::new("dnssec-keygen").args(["-q", "-a", "ECDSAP256SHA256", "-K"]).arg(at).args(kind).arg(".").run();
        }
        let sign = Tool::new("dnssec-signzone").args(["-q", "-S", "-o", ".", "-K"]).arg(at).arg("-d").arg(at);
        sign.arg("-f").arg(at.join("root.signed")).arg(at.join("root")).run();
        let port = free_port();
        let authority = start_authority(at, port, &zones);
        std::fs::write(at.join("anchor"), keys(at)).unwrap();
        let (address, resolver) = start_resolver(at, port);
        Self { _authority: authority, _resolver: resolver, folder, port, names: Names::at(address) }
    }

    /// The file with the root's keys, as a zone file has them.
    pub fn anchor(&self) -> PathBuf {
        self.folder.path().join("anchor")
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

fn beginning(origin: &str) -> String {
    format!("$TTL 60\n{origin} SOA ns.servers. hostmaster.servers. 1 3600 600 86400 60\n{origin} NS ns.servers.\n")
}

fn zone(name: &str, file: &str) -> String {
    format!("zone \"{name}\" {{ type primary; file \"{file}\"; }};\n")
}

fn start_authority(at: &Path, port: u16, zones: &str) -> Process {
    let folder = at.display();
    let text = format!(
        "options {{ directory \"{folder}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }}; \
         recursion no; dnssec-validation no; pid-file none; session-keyfile none; }};\ncontrols {{ }};\n{zones}"
    );
    std::fs::write(at.join("named.conf"), text).unwrap();
    let mut command = std::process::Command::new("/usr/sbin/named");
    command.args(["-g", "-n", "1", "-c"]).arg(at.join("named.conf")).stdout(Stdio::null());
    let mut process = Process::start("named", &mut command, &at.join("named.log"));
    process.wait_for_port(port, READY);
    process
}

/// unbound at port 53 of a loopback address of its own, down from the root BIND serves.
fn start_resolver(at: &Path, upstream: u16) -> (Ipv4Addr, Process) {
    let address = eventually("a loopback address whose port 53 is free", READY, || {
        let address = loopback_address();
        UdpSocket::bind((address, 53)).is_ok().then_some(address)
    });
    let text = format!(
        "server:\n interface: {address}@53\n do-daemonize: no\n use-syslog: no\n chroot: \"\"\n username: \"\"\n \
         pidfile: \"\"\n directory: \"{at}\"\n do-not-query-localhost: no\n trust-anchor-file: \"{at}/anchor\"\n \
         local-zone: \"test.\" nodefault\n local-zone: \"127.in-addr.arpa.\" nodefault\n module-config: \"validator iterator\"\n num-threads: 1\n\
         remote-control:\n control-enable: no\nstub-zone:\n name: \".\"\n stub-addr: 127.0.0.1@{upstream}\n",
        at = at.display()
    );
    std::fs::write(at.join("unbound.conf"), text).unwrap();
    let mut command = std::process::Command::new("/usr/sbin/unbound");
    command.arg("-d").arg("-c").arg(at.join("unbound.conf")).stdout(Stdio::null());
    let mut process = Process::start("unbound", &mut command, &at.join("unbound.log"));
    process.wait_for_address((address, 53).into(), READY);
    (address, process)
}

/// The DNSKEY records of the root: of the key that signs keys, and of the one that signs the zone.
fn keys(at: &Path) -> String {
    let files = std::fs::read_dir(at).unwrap().flatten().map(|entry| entry.path());
    let keys = files.filter(|path| path.extension().is_some_and(|extension| extension == "key"));
    let text: String = keys.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    text.lines().filter(|line| !line.starts_with(';')).map(|line| format!("{line}\n")).collect()
}
