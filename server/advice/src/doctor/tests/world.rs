//! A machine and a DNS in which all is well, to be broken piece by piece.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use mailstead_net::BoxFuture;
use mailstead_net::acme::{Source, Standing};
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};

use super::super::*;

pub(super) const HOST: &str = "mail.example.org";
pub(super) const V4: &str = "198.41.0.4";
pub(super) const V6: &str = "2001:500:2::c";
pub(super) const NOW: i64 = 1_795_600_000;

pub(super) fn at(seconds_ago: i64) -> Timestamp {
    Timestamp::from_second(NOW - seconds_ago).unwrap()
}

/// Answers by a table; what is not in it does not exist.
#[derive(Default, Clone)]
pub(super) struct Table {
    records: HashMap<(String, Kind), Vec<Data>>,
    broken: Vec<String>,
    pub whole: Option<bool>,
}

impl Table {
    pub(super) fn host(&mut self, name: &str, addresses: &[&str]) {
        for kind in [Kind::A, Kind::Aaaa] {
            let all = addresses.iter().map(|text| text.parse::<IpAddr>().unwrap());
            let of_kind: Vec<Data> = all.filter(|ip| ip.is_ipv4() == (kind == Kind::A)).map(Data::Address).collect();
            self.records.insert((name.to_owned(), kind), of_kind);
        }
    }

    pub(super) fn reverse(&mut self, address: &str, name: &str) {
        let mut asked = NameOf::default();
        futures_util::FutureExt::now_or_never(asked.ptr(address.parse().unwrap()));
        let question = asked.0.get_mut().unwrap().clone();
        self.records.insert((question, Kind::Ptr), vec![Data::Name(name.to_owned())]);
    }

    pub(super) fn forget(&mut self, name: &str) {
        self.records.retain(|(known, _), _| known != name);
    }

    /// No answer comes for names with this end.
    pub(super) fn mute(&mut self, end: &str) {
        self.broken.push(end.to_owned());
    }
}

/// Tells under which name an address is asked for.
#[derive(Default)]
struct NameOf(std::sync::Mutex<String>);

impl Dns for NameOf {
    fn ask<'a>(&'a self, name: &'a str, _: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        *self.0.lock().unwrap() = name.trim_end_matches('.').to_owned();
        Box::pin(std::future::ready(Err(DnsError::NoName)))
    }
}

impl Dns for Table {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let name = name.trim_end_matches('.');
        let answer = match self.records.get(&(name.to_owned(), kind)) {
            _ if self.broken.iter().any(|end| name.ends_with(end)) => Err(DnsError::Temporary("silence".to_owned())),
            Some(records) if records.is_empty() => Err(DnsError::NoRecords),
            Some(records) => Ok(Answer::insecure(records.clone())),
            None => Err(DnsError::NoName),
        };
        Box::pin(std::future::ready(answer))
    }

    fn is_whole(&self) -> bool {
        self.whole == Some(true)
    }

    fn is_known(&self) -> bool {
        self.whole.is_some()
    }
}

/// A machine made up.
#[derive(Clone)]
pub(super) struct Made {
    /// What is said at an address; nowhere else can be connected to.
    pub greetings: HashMap<IpAddr, String>,
    /// An address not in `greetings` is silent for ever, instead of refusing.
    pub silent: bool,
    pub behind: Option<SignedDuration>,
    pub listening: Vec<Listening>,
    pub holder: Option<Holder>,
    pub space: Space,
    pub access: Access,
    pub entries: Vec<Entry>,
    pub open_files: OpenFiles,
    pub user: u32,
}

impl Host for Made {
    fn now(&self) -> Timestamp {
        at(0)
    }

    fn greeting(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<String>> {
        Box::pin(async move {
            match self.greetings.get(&at.ip()) {
                Some(line) => Ok(line.clone()),
                None if self.silent => std::future::pending().await,
                None => Err(io::ErrorKind::ConnectionRefused.into()),
            }
        })
    }

    fn behind(&self, _: SocketAddr) -> BoxFuture<'_, io::Result<SignedDuration>> {
        Box::pin(std::future::ready(self.behind.ok_or_else(|| io::ErrorKind::TimedOut.into())))
    }

    fn listeners(&self) -> io::Result<Vec<Listening>> {
        Ok(self.listening.clone())
    }

    fn holder(&self, _: u64) -> Option<Holder> {
        self.holder.clone()
    }

    fn space(&self, _: &Path) -> io::Result<Space> {
        Ok(self.space)
    }

    fn access(&self, _: &Path) -> io::Result<Access> {
        Ok(self.access)
    }

    fn entries(&self, _: &Path) -> io::Result<Vec<Entry>> {
        Ok(self.entries.clone())
    }

    fn open_files(&self) -> io::Result<OpenFiles> {
        Ok(self.open_files)
    }

    fn user(&self) -> io::Result<u32> {
        Ok(self.user)
    }
}

/// All of it.
pub(super) struct World {
    pub dns: Table,
    pub host: Made,
    pub books: Books,
    pub running: bool,
    pub listen: Vec<(String, SocketAddr)>,
    pub own: Vec<IpAddr>,
    pub hostname: String,
}

impl World {
    /// All is well.
    pub(super) fn good() -> Self {
        let mut dns = Table { whole: Some(true), ..Table::default() };
        dns.host(HOST, &[V4, V6]);
        dns.reverse(V4, HOST);
        dns.reverse(V6, HOST);
        dns.host("2.0.0.127.list.test", &["127.0.0.2"]);
        dns.host("mx.big.test", &["192.175.48.1", "2001:500:84::b"]);
        dns.host("time.big.test", &["192.175.48.2"]);
        let greeting = || "220 mx.big.test ESMTP".to_owned();
        let host = Made {
            greetings: [("192.175.48.1", greeting()), ("2001:500:84::b", greeting())]
                .map(|(ip, line)| (ip.parse().unwrap(), line))
                .into(),
            silent: false,
            behind: Some(SignedDuration::from_millis(-40)),
            listening: Vec::new(),
            holder: None,
            space: Space { bytes: 25 << 30, free_bytes: 20 << 30, inodes: 1_000_000, free_inodes: 900_000 },
            access: Access { mode: 0o40700, owner: 105 },
            entries: Vec::new(),
            open_files: OpenFiles { open: 60, limit: Some(65_536) },
            user: 105,
        };
        let standing = Standing {
            name: HOST.to_owned(),
            source: Source::Acme,
            issuer: Some("Let's Encrypt".to_owned()),
            expires: Some(NOW + 60 * 86_400),
            alarming: false,
            trouble: None,
            waits_for_dns: false,
            next: Some(NOW + 30 * 86_400),
        };
        let books =
            Books { domains: 1, certificates: vec![standing], copies: Copies::Last(at(86_400)), ..Books::default() };
        let everywhere = |key: &str, port: u16| {
            [("0.0.0.0", port), ("::", port)]
                .map(|(ip, port)| (key.to_owned(), (ip.parse::<IpAddr>().unwrap(), port).into()))
        };
        Self {
            dns,
            host,
            books,
            running: true,
            listen: [everywhere("smtp", 25), everywhere("imaps", 993)].concat(),
            own: vec!["127.0.0.1".parse().unwrap(), V4.parse().unwrap(), V6.parse().unwrap()],
            hostname: HOST.to_owned(),
        }
    }

    pub(super) fn doctor(self) -> (Doctor, Books) {
        let list = |name: &str| vec![name.to_owned()];
        let patient = Patient {
            hostname: self.hostname,
            data: "/var/lib/mailstead".into(),
            running: self.running,
            listen: self.listen,
            sessions: 2_000,
            own_addresses: self.own,
            delivery_port: 25,
            dns: Arc::new(self.dns),
            probes: Probes {
                mail_servers: list("mx.big.test"),
                block_lists: list("list.test"),
                time_servers: list("time.big.test"),
            },
        };
        (Doctor::new(patient, Arc::new(self.host)), self.books)
    }

    /// Everything that is found.
    pub(super) async fn examined(self) -> Examination {
        let (doctor, books) = self.doctor();
        doctor.examine(books).await
    }

    /// The one thing that is found not to be well.
    #[track_caller]
    pub(super) fn fault(self) -> Finding {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let found = runtime.block_on(self.examined());
        let mut faults = found.findings.into_iter().filter(|finding| finding.light != Light::Good).collect::<Vec<_>>();
        assert_eq!(faults.len(), 1, "{faults:#?}");
        faults.remove(0)
    }
}
