//! A house whose queue runs, and a small internet to deliver to: names as a test wants them, servers that behave as it
//! wants them to.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailstead_message::{Address, Domain, TraceId};
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind, Mx, Tlsa};
use mailstead_net::{BoxFuture, ClientTls};
use mailstead_outbound::{Policy, Runner, Schedule};
use mailstead_store::{
    Acceptance, Day, NewQueueEntry, NewRecipient, Notify, Options, PasswordCost, Prepared, QueueAction, QueueEntry,
    Store, Timestamp, TlsNeed, TlsOutcome, TlsResult, Uid,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::authority::Authority;
use crate::policy_host::{self, PolicyHost};
use crate::server::Server;

/// Nothing here takes longer, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const LETTER: &str = "From: Alice <alice@home.test>\r\nTo: bob@world.test\r\nSubject: Lunch\r\nMessage-ID: <1@home.test>\r\n\r\n.Hello\r\n";

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

pub(crate) fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

/// Waits until it is so.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it never came to be that {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

/// The names of the internet, changeable at any moment. What nobody set does not exist.
#[derive(Default)]
pub(crate) struct Names {
    mx: Said<Mx>,
    hosts: Said<IpAddr>,
    txt: Said<Vec<u8>>,
    tlsa: Said<Tlsa>,
    secure: Mutex<HashSet<String>>,
    unproved: AtomicBool,
}

impl Names {
    /// From now on nothing can be proved.
    pub(crate) fn prove_nothing(&self) {
        self.unproved.store(true, Ordering::SeqCst);
        self.secure.lock().unwrap().clear();
    }

    pub(crate) fn mx(&self, domain: &str, records: &[(u16, &str)]) {
        let record = |(preference, host): &(u16, &str)| Mx { preference: *preference, host: (*host).to_owned() };
        self.mx_answer(domain, Ok(records.iter().map(record).collect()));
    }

    pub(crate) fn mx_answer(&self, domain: &str, answer: Result<Vec<Mx>, DnsError>) {
        self.mx.lock().unwrap().insert(domain.to_owned(), answer);
    }

    pub(crate) fn txt(&self, name: &str, text: &str) {
        self.txt_answer(name, Ok(vec![text.as_bytes().to_vec()]));
    }

    pub(crate) fn txt_answer(&self, name: &str, answer: Result<Vec<Vec<u8>>, DnsError>) {
        self.txt.lock().unwrap().insert(name.to_owned(), answer);
    }

    pub(crate) fn tlsa(&self, name: &str, answer: Result<Vec<Tlsa>, DnsError>) {
        self.tlsa.lock().unwrap().insert(name.to_owned(), answer);
    }

    /// Says whether DNSSEC proves what is said of a name.
    pub(crate) fn secure(&self, name: &str, secure: bool) {
        let mut names = self.secure.lock().unwrap();
        _ = if secure { names.insert(name.to_owned()) } else { names.remove(name) };
    }

    pub(crate) fn host(&self, host: &str, address: &str) {
        self.hosts.lock().unwrap().insert(host.to_owned(), Ok(vec![address.parse().unwrap()]));
    }
}

impl Dns for Names {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let found = match kind {
            Kind::Mx => look(&self.mx, name, Data::Mx),
            Kind::A => look(&self.hosts, name, Data::Address),
            Kind::Txt => look(&self.txt, name, Data::Txt),
            Kind::Tlsa => look(&self.tlsa, name, Data::Tlsa),
            _ => Err(DnsError::NoRecords),
        };
        let secure = self.secure.lock().unwrap().contains(name);
        Box::pin(std::future::ready(found.map(|records| Answer { secure, ..Answer::insecure(records) })))
    }

    fn proves(&self) -> bool {
        !self.unproved.load(Ordering::SeqCst)
    }
}

/// What is said under a name.
type Said<T> = Mutex<HashMap<String, Result<Vec<T>, DnsError>>>;

fn look<T: Clone>(said: &Said<T>, name: &str, data: impl Fn(T) -> Data) -> Result<Vec<Data>, DnsError> {
    let found = said.lock().unwrap().get(name).cloned().unwrap_or(Err(DnsError::NoName));
    found.map(|records| records.into_iter().map(data).collect())
}

/// A house with alice in it, the names, and the ports at which the servers listen.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) names: Arc<Names>,
    pub(crate) policy: Policy,
    /// Whose certificates are believed.
    pub(crate) authority: Authority,
    folder: tempfile::TempDir,
}

/// A letter on its way.
pub(crate) struct Sent<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) to: &'a [&'a str],
    pub(crate) notify: Option<Notify>,
    pub(crate) tls: TlsNeed,
    /// How many seconds ago it was written.
    pub(crate) age: i64,
    pub(crate) text: &'a str,
}

impl<'a> Sent<'a> {
    /// A letter of alice's, written now.
    pub(crate) fn to(to: &'a [&'a str]) -> Self {
        Self { from: Some("alice@home.test"), to, notify: None, tls: TlsNeed::Usual, age: 0, text: LETTER }
    }
}

impl World {
    pub(crate) async fn build() -> Self {
        mailstead_net::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        store.add_account(address("alice@home.test"), "secret", None).await.unwrap();
        let authority = Authority::new();
        let policy = policy(ClientTls::verifying(std::slice::from_ref(&authority.root)).unwrap());
        Self { store, names: Arc::default(), policy, authority, folder }
    }

    /// A server under a name.
    pub(crate) async fn server(&mut self, host: &str) -> Server {
        let server = Server::start().await;
        self.lead(host, server.port());
        server
    }

    /// Leads a name to a port of this machine.
    pub(crate) fn lead(&mut self, host: &str, port: u16) {
        self.names.host(host, "127.0.0.1");
        self.policy.port_overrides.insert(host.to_owned(), port);
    }

    /// A domain's MTA-STS policy host, with a certificate as it should be.
    pub(crate) async fn policy_host(&mut self, domain: &str, answer: policy_host::Answer) -> PolicyHost {
        let name = format!("mta-sts.{domain}");
        let host = PolicyHost::start(self.authority.certify(&name).certificates, answer).await;
        self.lead(&name, host.port());
        host
    }

    /// A name at whose port nobody listens.
    pub(crate) fn dead_host(&mut self, host: &str) {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        self.lead(host, closed);
    }

    /// `world.test` with one server.
    pub(crate) async fn with_bob() -> (Self, Server) {
        let mut world = Self::build().await;
        let server = world.server("mx.world.test").await;
        world.names.mx("world.test", &[(10, "mx.world.test")]);
        (world, server)
    }

    pub(crate) async fn send(&self, sent: Sent<'_>) {
        let recipient = |to: &&str| NewRecipient { address: address(to), orcpt: None, notify: sent.notify };
        let entry = NewQueueEntry {
            reverse_path: sent.from.map(address),
            recipients: sent.to.iter().map(recipient).collect(),
            envid: None,
            ret: None,
            eight_bit: !sent.text.is_ascii(),
            smtputf8: false,
            tls: sent.tls,
        };
        let acceptance = Acceptance {
            message: Prepared::from_bytes(sent.text.as_bytes()).unwrap(),
            received: Timestamp(now() - sent.age),
            deliveries: Vec::new(),
            queue: vec![entry],
            report: None,
            trace: TraceId::new(0, rand::random()),
            story: Vec::new(),
        };
        self.store.accept(vec![acceptance]).await.unwrap();
    }

    pub(crate) fn run(&self) -> Running {
        let (stop, stopped) = watch::channel(false);
        let runner = Runner::new(self.store.clone(), self.names.clone(), self.policy.clone());
        Running { stop, task: tokio::spawn(runner.run(stopped)) }
    }

    /// As after a restart of the process.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, names, policy, authority, folder } = self;
        drop(store);
        Self { store: open(&folder), names, policy, authority, folder }
    }

    /// The messages in alice's inbox, oldest first.
    pub(crate) fn inbox(&self) -> Vec<String> {
        let account = self.store.accounts().unwrap().remove(0);
        let snapshot = self.store.snapshot().unwrap();
        let inbox = snapshot.mailbox_by_name(account.id, "INBOX").unwrap().unwrap();
        let read = |uid: Uid| self.store.open_message(inbox.id, uid).unwrap().read_all().unwrap();
        snapshot.uids(inbox.id).unwrap().into_iter().map(|uid| String::from_utf8(read(uid)).unwrap()).collect()
    }

    pub(crate) fn queue(&self) -> Vec<QueueEntry> {
        self.store.queue().unwrap()
    }

    /// Waits until nothing is left to be sent.
    pub(crate) async fn sent(&self) {
        until("the queue is empty", || self.queue().is_empty()).await;
    }

    /// Waits until the only entry has been tried so often.
    pub(crate) async fn tried(&self, times: u32) -> QueueEntry {
        let entry = || self.queue().into_iter().find(|entry| entry.attempts >= times);
        until("the message was tried", || entry().is_some()).await;
        entry().unwrap()
    }

    /// Waits until every entry was tried or is gone.
    pub(crate) async fn tried_or_sent(&self) {
        until("all was tried", || self.queue().iter().all(|entry| entry.attempts > 0)).await;
    }

    /// What was counted for the TLS report to a domain, in a fixed order.
    pub(crate) fn counted(&self, name: &str) -> Vec<(TlsOutcome, u64)> {
        self.store.tls_tally(Day::of(Timestamp(now())), &domain(name)).unwrap().rows
    }

    /// What was found wrong with TLS there, or that nothing was.
    pub(crate) fn results(&self, name: &str) -> Vec<Option<TlsResult>> {
        self.counted(name).into_iter().map(|(outcome, _)| outcome.failure.map(|failure| failure.result)).collect()
    }

    /// Sends bob a letter and waits until it was tried; true when it was delivered.
    pub(crate) async fn try_a_letter(&self) -> bool {
        self.send(Sent::to(&["bob@world.test"])).await;
        let running = self.run();
        self.tried_or_sent().await;
        running.stop().await;
        self.queue().is_empty()
    }

    pub(crate) async fn act(&self, action: QueueAction) {
        let id = self.queue().first().expect("nothing is in the queue").id;
        self.store.queue_action(id, action).await.unwrap();
    }

    /// All that is told of an address.
    pub(crate) fn story(&self, of: &str) -> String {
        let stories = self.store.stories_of(&address(of), 100).unwrap();
        stories.into_iter().flat_map(|story| story.events).map(|event| event.text + "\n").collect()
    }
}

pub(crate) struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.send(true).unwrap();
        self.task.await.unwrap();
    }
}

fn open(folder: &tempfile::TempDir) -> Store {
    let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
    Store::open(&folder.path().join("data"), options).unwrap()
}

/// Waits are long, so that only what a test asks for is tried again.
fn policy(verified_tls: ClientTls) -> Policy {
    Policy {
        hostname: "mail.home.test".to_owned(),
        port: 25,
        port_overrides: HashMap::new(),
        allow_private: true,
        own_addresses: Vec::new(),
        concurrency: 4,
        per_destination: 1,
        schedule: Schedule::default(),
        verified_tls,
    }
}
