//! Debian's Postfix as the peer: its own configuration, queue and ports in a throw-away folder.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::names::command_with;
use crate::process::{Process, free_port, is_root};
use crate::{Names, Tool};

/// The user that owns delivered mail: no real one, above Postfix's least allowed number.
const MAIL_OWNER: u32 = 5000;
/// Starting takes Postfix's scripts a second or two on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A Postfix being put together.
#[derive(Debug, Default)]
pub struct Setup {
    domain: String,
    users: Vec<String>,
    forwards: Vec<(String, String)>,
    routes: Vec<(String, u16)>,
    lmtp: Option<PathBuf>,
    sasl: Option<PathBuf>,
    unhurried: bool,
    port: Option<u16>,
    address: Option<Ipv4Addr>,
    resolv_conf: Option<PathBuf>,
    further: String,
    certificate: Option<PathBuf>,
}

/// A running Postfix. Dropped, it is stopped and its folder removed.
#[derive(Debug)]
pub struct Postfix {
    process: Process,
    folder: TempDir,
    /// Where it takes mail from the world.
    pub smtp: u16,
    /// Where it takes mail from users over TLS, if [`Setup::submission`] asked for it.
    pub submissions: u16,
    domain: String,
}

impl Setup {
    /// A Postfix that is final for `domain`, with these users.
    pub fn new(domain: &str, users: &[&str]) -> Self {
        Self { domain: domain.into(), users: users.iter().map(|u| (*u).to_owned()).collect(), ..Self::default() }
    }

    /// Accepts mail for `user` and sends it on to `target`.
    pub fn forward(mut self, user: &str, target: &str) -> Self {
        self.forwards.push((user.into(), target.into()));
        self
    }

    /// Sends mail for `domain` to this loopback port.
    pub fn route(mut self, domain: &str, port: u16) -> Self {
        self.routes.push((domain.into(), port));
        self
    }

    /// Delivers through this LMTP socket instead of its own Maildir writer.
    pub fn lmtp(mut self, socket: &Path) -> Self {
        self.lmtp = Some(socket.into());
        self
    }

    /// Takes mail from users too, on a port of its own with TLS from the first byte; asks this Dovecot socket about
    /// passwords.
    pub fn submission(mut self, sasl: &Path) -> Self {
        self.sasl = Some(sasl.into());
        self
    }

    /// Listens on this port instead of a free one.
    pub fn at(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Listens on this loopback address, port 25.
    pub fn at_port_25_of(mut self, address: Ipv4Addr) -> Self {
        (self.address, self.port) = (Some(address), Some(25));
        self
    }

    /// Finds the world by these names instead of by [`Setup::route`].
    pub fn names(mut self, names: &Names) -> Self {
        self.resolv_conf = Some(names.resolv_conf());
        self
    }

    /// Shows the certificate in this folder (`cert.pem` and `key.pem`) instead of one made at start.
    pub fn certificate(mut self, folder: &Path) -> Self {
        self.certificate = Some(folder.into());
        self
    }

    /// Further lines of `main.cf` (`key = value`), in place of its own for the same key.
    pub fn further(mut self, lines: &str) -> Self {
        self.further.push_str(lines);
        self
    }

    /// Lifts the limits that exist to slow strangers down, so that only its real work is measured. What makes it
    /// durable stays as it is.
    pub fn unhurried(mut self) -> Self {
        self.unhurried = true;
        self
    }

    /// Starts it and waits until it listens.
    ///
    /// # Panics
    /// When it can't: not root, not installed, or its own complaint.
    #[track_caller]
    pub fn start(self) -> Postfix {
        assert!(is_root(), "Postfix can only be started by root: run these tests as root (tests/run does in CI)");
        let folder = TempDir::new().expect("a temporary folder");
        let root = folder.path();
        open_to_all(root);
        for name in ["etc", "queue", "data", "mail", "tls"] {
            std::fs::create_dir(root.join(name)).unwrap();
            open_to_all(&root.join(name));
        }
        chown(root.join("mail"), Some(MAIL_OWNER), Some(MAIL_OWNER)).unwrap();
        chown_to(&root.join("data"), "postfix");
        match &self.certificate {
            Some(folder) => ["cert.pem", "key.pem"].iter().for_each(|name| {
                std::fs::copy(folder.join(name), root.join("tls").join(name)).unwrap();
            }),
            None => make_certificate(&root.join("tls"), &format!("mail.{}", self.domain)),
        }
        let (smtp, submissions) = (self.port.unwrap_or_else(free_port), free_port());
        std::fs::write(root.join("etc/main.cf"), self.main_cf(root)).unwrap();
        std::fs::write(root.join("etc/master.cf"), self.master_cf(smtp, submissions)).unwrap();
        // `check` makes the queue's folders. The master is run directly, without a session of its own (`-d`), so that it
        // ends with the tests, however they end.
        Tool::new("/usr/sbin/postfix").arg("-c").arg(root.join("etc")).arg("check").run();
        const MASTER: &str = "/usr/lib/postfix/sbin/master";
        let mut command = match &self.resolv_conf {
            Some(names) => command_with(names, MASTER),
            None => Command::new(MASTER),
        };
        command.arg("-c").arg(root.join("etc")).arg("-d").stdout(Stdio::null());
        let mut process = Process::start("postfix", &mut command, &root.join("stderr"));
        process.wait_for_address((self.address(), smtp).into(), READY);
        Postfix { process, folder, smtp, submissions, domain: self.domain }
    }

    fn main_cf(&self, root: &Path) -> String {
        let (domain, at) = (&self.domain, root.display());
        let mut text = format!(
            "compatibility_level = 3.6\nqueue_directory = {at}/queue\ndata_directory = {at}/data\n\
             mail_owner = postfix\nsetgid_group = postdrop\nmaillog_file = {at}/log\nmaillog_file_prefixes = {at}\n\
             inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nmyhostname = mail.{domain}\nmydomain = {domain}\n\
             myorigin = {domain}\nmydestination =\nlocal_recipient_maps =\nalias_maps =\nalias_database =\n\
             mynetworks = 127.0.0.0/8\nbiff = no\nsmtputf8_enable = yes\n\
             smtpd_tls_security_level = may\nsmtpd_tls_cert_file = {at}/tls/cert.pem\nsmtpd_tls_key_file = {at}/tls/key.pem\n\
             smtpd_tls_received_header = yes\nsmtp_tls_security_level = may\nsmtp_tls_loglevel = 1\n\
             virtual_mailbox_domains = {domain}\nvirtual_mailbox_base = {at}/mail\n\
             virtual_uid_maps = static:{MAIL_OWNER}\nvirtual_gid_maps = static:{MAIL_OWNER}\n\
             virtual_mailbox_limit = 0\nmailbox_size_limit = 0\nmessage_size_limit = 52428800\n"
        );
        let users = self.users.iter().map(|u| format!("{{ {u}@{domain} = {u}/ }}"));
        let forwards = self.forwards.iter().map(|(user, target)| format!("{{ {user}@{domain} = {target} }}"));
        let routes = self.routes.iter().map(|(to, port)| format!("{{ {to} = smtp:[127.0.0.1]:{port} }}"));
        inline(&mut text, "virtual_mailbox_maps", users);
        inline(&mut text, "virtual_alias_maps", forwards);
        inline(&mut text, "transport_maps", routes);
        if let Some(socket) = &self.lmtp {
            writeln!(text, "virtual_transport = lmtp:unix:{}", socket.display()).unwrap();
        }
        text.push_str(if self.unhurried { UNHURRIED } else { IMPATIENT });
        // Every program of Postfix's warns of a key said twice, postlogd too, which then waits for itself to read that.
        let key = |line: &str| line.split(' ').next().unwrap_or_default().to_owned();
        let replaced: Vec<String> = self.further.lines().map(key).collect();
        let kept = text.lines().filter(|line| !replaced.contains(&key(line))).chain(self.further.lines());
        kept.map(|line| format!("{line}\n")).collect()
    }

    fn address(&self) -> Ipv4Addr {
        self.address.unwrap_or(Ipv4Addr::LOCALHOST)
    }

    fn master_cf(&self, smtp: u16, submissions: u16) -> String {
        let mut text = SERVICES.to_owned();
        if let Some(socket) = &self.sasl {
            writeln!(
                text,
                "127.0.0.1:{submissions} inet n - n - - smtpd\n  -o smtpd_tls_wrappermode=yes\n  \
                 -o smtpd_sasl_auth_enable=yes\n  -o smtpd_sasl_type=dovecot\n  -o smtpd_sasl_path={}\n  \
                 -o smtpd_relay_restrictions=permit_sasl_authenticated,reject",
                socket.display()
            )
            .unwrap();
        }
        // In this order the services come up: who finds this port open finds the others ready to be woken.
        writeln!(text, "{}:{smtp} inet n - n - - smtpd", self.address()).unwrap();
        text
    }
}

/// A queue that looks again every second, so that a test need not wait.
const IMPATIENT: &str = "minimal_backoff_time = 1s\nmaximal_backoff_time = 2s\nqueue_run_delay = 1s\n";

/// No limits on strangers, more processes than the benchmark has sessions.
const UNHURRIED: &str = "\
smtpd_client_connection_count_limit = 0
smtpd_client_connection_rate_limit = 0
default_process_limit = 200
in_flow_delay = 0
lmtp_destination_concurrency_limit = 50
";

/// The services behind the listeners, as Debian has them, without chroot.
const SERVICES: &str = "\
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

impl Postfix {
    /// Sends a message from the machine itself, with Postfix's own `sendmail`.
    #[track_caller]
    pub fn sendmail(&self, from: &str, to: &[&str], message: &[u8]) {
        let unix: Vec<u8> = message.iter().copied().filter(|&b| b != b'\r').collect();
        Tool::new("/usr/sbin/sendmail")
            .arg("-C")
            .arg(self.folder.path().join("etc"))
            .args(["-i", "-f", from, "--"])
            .args(to)
            .input(unix)
            .run();
    }

    /// The messages delivered to a user, as they lie in the Maildir.
    pub fn delivered(&self, user: &str) -> Vec<Vec<u8>> {
        let folder = self.folder.path().join("mail").join(user).join("new");
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| std::fs::read(entry.path()).ok()).collect()
    }

    /// Waits for a message with `part` in it to reach a user.
    #[track_caller]
    pub fn wait_for(&self, user: &str, part: &str) -> Vec<u8> {
        let end = std::time::Instant::now() + crate::wait::DELIVERY;
        loop {
            if let Some(message) = self.delivered(user).into_iter().find(|m| crate::letter::contains(m, part)) {
                return message;
            }
            let log = || self.log();
            assert!(std::time::Instant::now() < end, "no message with {part:?} at {user}@{}:\n{}", self.domain, log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Its log so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Its queue, as `postqueue -j` shows it: a line for each message.
    pub fn queue(&self) -> String {
        Tool::new("/usr/sbin/postqueue").arg("-c").arg(self.folder.path().join("etc")).arg("-j").run().output
    }

    /// Messages it has taken and not delivered yet.
    pub fn waiting(&self) -> usize {
        let queue = self.folder.path().join("queue");
        let count = |name: &str| std::fs::read_dir(queue.join(name)).map_or(0, Iterator::count);
        ["maildrop", "incoming", "active"].into_iter().map(count).sum()
    }

    /// The number of its master process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The certificate it shows.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls/cert.pem")
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- postfix's log ---\n{}\n---", self.log());
        }
        self.process.signal("TERM");
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while self.process.ended().is_none() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn inline(text: &mut String, key: &str, entries: impl Iterator<Item = String>) {
    let entries: Vec<String> = entries.collect();
    match entries.is_empty() {
        true => writeln!(text, "{key} =").unwrap(),
        false => writeln!(text, "{key} = inline:{{ {} }}", entries.join(", ")).unwrap(),
    }
}

/// Makes a self-signed certificate for `host`: `cert.pem` and `key.pem` in `folder`.
pub fn make_certificate(folder: &Path, host: &str) {
    Tool::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"])
        .args(["-subj", &format!("/CN={host}"), "-addext", &format!("subjectAltName=DNS:{host}")])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .arg("-keyout")
        .arg(folder.join("key.pem"))
        .arg("-out")
        .arg(folder.join("cert.pem"))
        .run();
}

fn open_to_all(folder: &Path) {
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn chown_to(folder: &Path, user: &str) {
    Tool::new("chown").arg(user).arg(folder).run();
}
