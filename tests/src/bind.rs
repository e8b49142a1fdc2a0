//! Debian's BIND as a small DNS of its own, from the root down: signed, unsigned and broken zones on loopback.
//!
//! BIND answers for all zones at once, as a resolver would that passes signatures along. For those who go down from the
//! root, NSD serves the root, its children and what lies below them on addresses of their own.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Tool;
use crate::process::{Process, free_port};

/// Starting takes well under a second.
const READY: Duration = Duration::from_secs(30);
/// Where the root, its children, and all others are, for those who go down.
const ROOT: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 1);
const TOPS: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 2);
const OTHERS: Ipv4Addr = Ipv4Addr::new(127, 0, 53, 3);

/// How a zone is signed. The root and top-level zones that are not given are made, and signed with NSEC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    /// Not at all, and its parent proves it.
    No,
    /// Rightly, with NSEC.
    Nsec,
    /// Rightly, with NSEC3.
    Nsec3,
    /// Rightly, with NSEC3 that leaves out unsigned children (opt-out), as most top-level domains do.
    OptOut,
    /// Rightly, with NSEC, but its parent does not know.
    Island,
    /// Its signatures have run out.
    Expired,
    /// Its first A or TLSA record was changed after signing.
    Forged,
    /// Its parent says that it is signed, but no signature is served.
    Stripped,
}

/// A running BIND. Dropped, it is killed and its folder removed.
#[derive(Debug)]
pub struct Bind {
    /// The process.
    pub process: Process,
    port: u16,
    folder: TempDir,
    names: Vec<String>,
}

/// Servers of the root, of its children, and of all others, on one port.
#[derive(Debug)]
pub struct Layers {
    /// The root's.
    pub root: SocketAddr,
    /// The processes, from the root down.
    pub processes: [Process; 3],
}

struct Zone {
    records: String,
    signed: Signed,
}

impl Bind {
    /// Starts one with these zones: name, records (zone-file lines, relative or absolute), and how they are signed. SOA
    /// records and delegations are added, and a server of the zone's own unless it has a line `@ NS …`.
    ///
    /// # Panics
    /// When it can't: not installed, or its own complaint.
    #[track_caller]
    pub fn start(zones: &[(&str, &str, Signed)]) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let mut all = with_parents(zones);
        // Children first: their keys' digests go into their parents.
        let mut names: Vec<String> = all.keys().cloned().collect();
        names.sort_by_key(|name| std::cmp::Reverse(labels(name)));
        for name in &names {
            let zone = &all[name];
            let digests = write_zone(folder.path(), name, &zone.records, zone.signed);
            if let Some(parent) = parent(name, &all) {
                let delegation = servers(name, &zone.records) + &digests + "\n";
                all.get_mut(&parent).unwrap().records += &delegation;
            }
        }
        let port = free_port();
        std::fs::write(folder.path().join("named.conf"), configuration(folder.path(), port, &names)).unwrap();
        let mut command = Command::new("/usr/sbin/named");
        command.arg("-g").arg("-n1").arg("-c").arg(folder.path().join("named.conf")).stdout(Stdio::null());
        let log = folder.path().join("log");
        let mut process = Process::start("named", &mut command, &log);
        crate::eventually("named serves its zones", READY, || {
            assert!(process.ended().is_none(), "named ended:\n{}", process.tail());
            std::fs::read_to_string(&log).unwrap_or_default().contains(" running\n").then_some(())
        });
        Self { process, port, folder, names }
    }

    /// Serves the zones layer by layer, as the world does.
    #[track_caller]
    pub fn layers(&self) -> Layers {
        let layers = [ROOT, TOPS, OTHERS].map(|address| {
            let names = self.names.iter().filter(|name| server(name) == IpAddr::V4(address));
            serve_layer(self.folder.path(), SocketAddr::from((address, self.port)), names)
        });
        Layers { root: SocketAddr::from((ROOT, self.port)), processes: layers }
    }

    /// Where it answers for all zones.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// A file with the root's key, as a DNSKEY record.
    pub fn trust_anchor(&self) -> PathBuf {
        self.folder.path().join("root.key")
    }
}

fn labels(name: &str) -> usize {
    name.split('.').filter(|label| !label.is_empty()).count()
}

/// The server of a zone.
fn server(name: &str) -> IpAddr {
    IpAddr::V4(match labels(name) {
        0 => ROOT,
        1 => TOPS,
        _ => OTHERS,
    })
}

fn absolute(name: &str) -> String {
    format!("{name}.")
}

/// The given zones, the root (named by the empty string) and what lies between.
fn with_parents(zones: &[(&str, &str, Signed)]) -> BTreeMap<String, Zone> {
    let mut all = BTreeMap::new();
    for (name, records, signed) in zones {
        all.insert((*name).to_owned(), Zone { records: (*records).to_owned() + "\n", signed: *signed });
    }
    for (name, _, _) in zones {
        let top = name.rsplit('.').next().unwrap_or_default();
        for above in [top, ""] {
            all.entry(above.to_owned()).or_insert(Zone { records: String::new(), signed: Signed::Nsec });
        }
    }
    all.entry(String::new()).or_insert(Zone { records: String::new(), signed: Signed::Nsec });
    all
}

fn parent(name: &str, all: &BTreeMap<String, Zone>) -> Option<String> {
    let mut above = name;
    while !above.is_empty() {
        above = above.split_once('.').map_or("", |(_, next)| next);
        if all.contains_key(above) {
            return Some(above.to_owned());
        }
    }
    None
}

/// The NS records of a zone, and the address of its own server.
fn servers(name: &str, records: &str) -> String {
    let fields = records.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let given: String = fields
        .filter_map(|fields| match fields.as_slice() {
            ["@", "NS", host] => Some(format!("{name}. 5 IN NS {host}\n")),
            _ => None,
        })
        .collect();
    if !given.is_empty() {
        return given;
    }
    let own = own_server(name);
    format!("{name}. 5 IN NS {own}\n{own} 5 IN A {}\n", server(name))
}

fn own_server(name: &str) -> String {
    if name.is_empty() { "ns.".to_owned() } else { format!("ns.{name}.") }
}

fn file_name(name: &str) -> String {
    if name.is_empty() { "root.zone".to_owned() } else { format!("{name}.zone") }
}

/// Writes the file that is served; gives the DS records for its parent.
fn write_zone(folder: &Path, name: &str, records: &str, signed: Signed) -> String {
    let origin = absolute(name);
    let (own, servers) = (own_server(name), servers(name, records));
    let text = format!("$TTL 5\n$ORIGIN {origin}\n@ 5 IN SOA {own} {own} 1 3600 600 86400 5\n{servers}{records}");
    let served = folder.join(file_name(name));
    std::fs::write(&served, text).unwrap();
    if signed == Signed::No {
        return String::new();
    }
    let keys = folder.join("keys");
    let _ = std::fs::create_dir(&keys);
    let generate = |further: &[&str]| {
        let tool = Tool::new("dnssec-keygen").args(["-q", "-a", "ECDSAP256SHA256", "-K"]).arg(&keys);
        tool.args(further).arg(&origin).run().output.trim().to_owned()
    };
    generate(&[]);
    let top = generate(&["-f", "KSK"]);
    let key = std::fs::read_to_string(keys.join(format!("{top}.key"))).unwrap();
    let key = key.lines().find(|line| !line.starts_with(';')).unwrap().replace(" IN ", " 3600 IN ");
    if name.is_empty() {
        std::fs::write(folder.join("root.key"), key + "\n").unwrap();
    }
    let result = folder.join("signed");
    // One thread alone writes the names in their order.
    let mut tool = Tool::new("dnssec-signzone").args(["-q", "-n", "1", "-S", "-P", "-O", "full", "-K"]).arg(&keys);
    tool = tool.arg("-d").arg(&keys).args(["-o", &origin, "-f"]).arg(&result);
    tool = match signed {
        Signed::Nsec3 => tool.args(["-3", "-", "-H", "0"]),
        Signed::OptOut => tool.args(["-3", "-", "-H", "0", "-A"]),
        Signed::Expired => tool.args(["-s", "20200101000000", "-e", "20200201000000"]),
        _ => tool,
    };
    tool.arg(&served).run();
    if signed != Signed::Stripped {
        let text = std::fs::read_to_string(&result).unwrap();
        std::fs::write(&served, if signed == Signed::Forged { forge(&text) } else { text }).unwrap();
    }
    match signed {
        Signed::Island => String::new(),
        _ => std::fs::read_to_string(keys.join(format!("dsset-{origin}"))).unwrap(),
    }
}

/// Changes the data of all A and TLSA records that are not the server's own: which of them comes first is chance.
fn forge(zone: &str) -> String {
    let mut done = false;
    let lines = zone.lines().map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let address = matches!(fields.as_slice(), [name, _, _, "A" | "TLSA", ..] if !name.starts_with("ns."));
        if !address {
            return line.to_owned();
        }
        done = true;
        let (kept, last) = line.rsplit_once(char::is_whitespace).unwrap();
        let forged = if last.contains('.') { "192.0.2.99".to_owned() } else { "0".repeat(last.len()) };
        format!("{kept} {forged}")
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    assert!(done, "there is no A or TLSA record to forge in\n{zone}");
    text
}

fn configuration(folder: &Path, port: u16, names: &[String]) -> String {
    let mut text = format!(
        "options {{ directory \"{0}\"; pid-file none; session-keyfile \"{0}/session.key\"; recursion no;\n\
         dnssec-validation no; allow-transfer {{ none; }}; listen-on-v6 {{ none; }};\n\
         listen-on port {port} {{ 127.0.0.1; }}; }};\ncontrols {{ }};\n",
        folder.display()
    );
    for name in names {
        let _ = writeln!(text, "zone \"{name}.\" {{ type primary; file \"{}\"; }};", file_name(name));
    }
    text
}

fn serve_layer<'a>(folder: &Path, at: SocketAddr, names: impl Iterator<Item = &'a String>) -> Process {
    let own = folder.join(at.ip().to_string());
    std::fs::create_dir_all(&own).unwrap();
    let mut text = format!(
        "server:\n ip-address: {}@{}\n server-count: 1\n username: \"\"\n chroot: \"\"\n zonesdir: \"{}\"\n \
         pidfile: \"\"\n xfrdfile: \"\"\n zonelistfile: \"{own}/zones\"\n xfrdir: \"{own}\"\n\
         remote-control:\n control-enable: no\n",
        at.ip(),
        at.port(),
        folder.display(),
        own = own.display()
    );
    for name in names {
        let _ = writeln!(text, "zone:\n name: \"{name}.\"\n zonefile: \"{}\"", file_name(name));
    }
    std::fs::write(own.join("nsd.conf"), text).unwrap();
    let mut command = Command::new("/usr/sbin/nsd");
    command.arg("-d").arg("-c").arg(own.join("nsd.conf")).stdout(Stdio::null());
    let mut process = Process::start("nsd", &mut command, &own.join("log"));
    crate::eventually("nsd serves its zones", READY, || {
        assert!(process.ended().is_none(), "nsd ended:\n{}", process.tail());
        answers(at).then_some(())
    });
    process
}

/// True when a question about the root zone gets any reply.
fn answers(server: SocketAddr) -> bool {
    // Number 1, one question: the SOA record of the root.
    const QUESTION: [u8; 17] = [0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    let sent = socket.send_to(&QUESTION, server);
    sent.is_ok() && socket.recv(&mut [0; 512]).is_ok()
}
