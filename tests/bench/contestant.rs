//! The two sides, set up alike.

use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use mailstead_tests::postfix::Setup;
use mailstead_tests::process::proportional_tree_kib;
use mailstead_tests::served::{self, Served};
use mailstead_tests::{Dovecot, Imap, Postfix, Smtp, Wire};

use crate::delivery::Letters;

/// The mail domain both are final for.
pub(crate) const DOMAIN: &str = "kept.test";
/// People who get the deliveries, in turn; and one whose mailbox is read.
pub(crate) const PEOPLE: [&str; 8] = ["alice", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan"];
/// Whose mailbox is read.
pub(crate) const READER: &str = "reader";

/// Both sides, running.
pub(crate) struct Pair {
    /// Mailstead.
    pub(crate) ours: Contestant,
    /// Postfix and Dovecot.
    pub(crate) theirs: Contestant,
}

/// One side, as a client sees it.
pub(crate) struct Contestant {
    /// For the table.
    pub(crate) name: &'static str,
    smtp: u16,
    submissions: (u16, PathBuf),
    imaps: (u16, PathBuf),
    side: Side,
}

enum Side {
    Mailstead(Served),
    Debian(Postfix, Dovecot),
}

/// Memory of both sides, in KiB.
pub(crate) struct Memory {
    /// Mailstead's resident set.
    pub(crate) ours: u64,
    /// The others' proportional sets.
    pub(crate) theirs: u64,
}

impl Pair {
    /// Starts both, with the same people.
    pub(crate) fn start(binary: &Path) -> Self {
        Self { ours: mailstead(binary, "Mailstead", LIKE_WITH_LIKE), theirs: debian() }
    }

    /// Mailstead, then the others.
    pub(crate) fn both(&self) -> [&Contestant; 2] {
        [&self.ours, &self.theirs]
    }

    /// What both take now.
    pub(crate) fn memory(&self) -> Memory {
        Memory { ours: self.ours.memory_kib(), theirs: self.theirs.memory_kib() }
    }
}

/// What Postfix does not do in Debian's configuration, Mailstead does not do beside it: what that costs is measured by
/// itself (see `price`).
const LIKE_WITH_LIKE: &str =
    "[dns]\nservers = [\"127.0.0.1:9\"]\n[checks]\nenabled = false\n[delivery]\nsign = false\n";

/// Mailstead with these further lines of configuration.
pub(crate) fn mailstead(binary: &Path, name: &'static str, further: &str) -> Contestant {
    let binary = binary.to_str().expect("a path in UTF-8");
    // All clients share one address here.
    let further = format!("[limits]\nsessions_per_address = 2000\n{further}");
    let mut served = Served::prepare(binary, None, &further);
    for name in PEOPLE.iter().skip(2).chain([&READER]) {
        let password = served::password(name) + "\n";
        served.command().args(["account", "add", &format!("{name}@{DOMAIN}")]).input(password).run();
    }
    served.start();
    let (ports, certificate) = (served.ports, served.certificate());
    Contestant {
        name,
        smtp: ports.smtp,
        submissions: (ports.submissions, certificate.clone()),
        imaps: (ports.imaps, certificate),
        side: Side::Mailstead(served),
    }
}

fn debian() -> Contestant {
    let logins: Vec<(String, String)> =
        PEOPLE.iter().chain([&READER]).map(|name| (format!("{name}@{DOMAIN}"), served::password(name))).collect();
    let logins: Vec<(&str, &str)> =
        logins.iter().map(|(login, password)| (login.as_str(), password.as_str())).collect();
    let dovecot = Dovecot::start(served::HOST, &logins);
    let people: Vec<&str> = PEOPLE.iter().chain([&READER]).copied().collect();
    let postfix = Setup::new(DOMAIN, &people).lmtp(&dovecot.lmtp()).submission(&dovecot.sasl()).unhurried().start();
    Contestant {
        name: "Postfix + Dovecot",
        smtp: postfix.smtp,
        submissions: (postfix.submissions, postfix.certificate()),
        imaps: (dovecot.imaps, dovecot.certificate()),
        side: Side::Debian(postfix, dovecot),
    }
}

impl Contestant {
    /// A session on port 25, in the clear.
    pub(crate) fn exchange(&self) -> io::Result<Smtp> {
        let mut smtp = Smtp::new(Wire::connect_from(Ipv4Addr::LOCALHOST, self.smtp)?);
        smtp.try_hello("client.test")?;
        Ok(smtp)
    }

    /// A session of submission over TLS, logged in as alice.
    pub(crate) fn submission(&self) -> io::Result<Smtp> {
        let (port, certificate) = &self.submissions;
        let wire = Wire::connect_from(Ipv4Addr::LOCALHOST, *port)?;
        let mut smtp = Smtp::new(wire.into_tls(served::HOST, certificate)?);
        smtp.try_hello("laptop.test")?;
        let reply = smtp.try_login(&format!("alice@{DOMAIN}"), &served::password("alice"))?;
        if reply.code == 235 { Ok(smtp) } else { Err(io::Error::other(reply.to_string())) }
    }

    /// A session of IMAP over TLS, logged in as the reader.
    pub(crate) fn imap(&self) -> Imap {
        let (port, certificate) = &self.imaps;
        let mut imap = Imap::connect_tls(*port, served::HOST, certificate);
        imap.login(&format!("{READER}@{DOMAIN}"), &served::password(READER));
        imap
    }

    /// Gives the reader the first of these letters, as the world would.
    pub(crate) fn give(&self, letters: &Letters) {
        let mut data = Vec::new();
        letters.write(0, &mut data);
        let reply = self
            .exchange()
            .and_then(|mut smtp| smtp.try_send_ready("sender@other.test", &[&format!("{READER}@{DOMAIN}")], &data));
        assert_eq!(reply.as_ref().ok().map(|reply| reply.code), Some(250), "{}: {reply:?}", self.name);
    }

    /// Messages taken that are not in a mailbox yet.
    pub(crate) fn waiting(&self) -> usize {
        match &self.side {
            Side::Mailstead(_) => 0,
            Side::Debian(postfix, _) => postfix.waiting(),
        }
    }

    /// Memory of all its processes: resident for one, proportional for many.
    pub(crate) fn memory_kib(&self) -> u64 {
        match &self.side {
            Side::Mailstead(served) => served.process.as_ref().map_or(0, |p| p.resident_kib()),
            Side::Debian(postfix, dovecot) => proportional_tree_kib(postfix.id()) + proportional_tree_kib(dovecot.id()),
        }
    }
}

/// Time from starting the process to its first banner: of an empty store, five times.
pub(crate) fn start_up_times(binary: &Path) -> Vec<Duration> {
    let binary = binary.to_str().expect("a path in UTF-8");
    let mut served = Served::prepare(binary, None, "");
    (0..5)
        .map(|_| {
            let took = served.start();
            served.kill();
            took
        })
        .collect()
}
