//! A house whose queue runs, and a small internet to deliver to: names as a test wants them, servers that behave as it
//! wants them to.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailstead_message::{Address, Domain, TraceId};
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind, Mx};
use mailstead_net::{BoxFuture, ClientTls};
use mailstead_outbound::{Policy, Runner, Schedule};
use mailstead_store::{
    Acceptance, NewQueueEntry, NewRecipient, Notify, Options, PasswordCost, Prepared, QueueAction, QueueEntry, Store,
    Timestamp, Uid,
};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::server::Server;

/// Nothing here takes longer, even on a busy machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const LETTER: &str = "From: Alice <alice@home.test>\r\nTo: bob@world.test\r\nSubject: Lunch\r\nMessage-ID: <1@home.test>\r\n\r\n.Hello\r\n";

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
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
    mx: Mutex<HashMap<String, Result<Vec<Mx>, DnsError>>>,
    hosts: Mutex<HashMap<String, Result<Vec<IpAddr>, DnsError>>>,
}

impl Names {
    pub(crate) fn mx(&self, domain: &str, records: &[(u16, &str)]) {
        let record = |(preference, host): &(u16, &str)| Mx { preference: *preference, host: (*host).to_owned() };
        self.mx_answer(domain, Ok(records.iter().map(record).collect()));
    }

    pub(crate) fn mx_answer(&self, domain: &str, answer: Result<Vec<Mx>, DnsError>) {
        self.mx.lock().unwrap().insert(domain.to_owned(), answer);
    }

    pub(crate) fn host(&self, host: &str, address: &str) {
        self.hosts.lock().unwrap().insert(host.to_owned(), Ok(vec![address.parse().unwrap()]));
    }
}

impl Dns for Names {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let found = match kind {
            Kind::Mx => {
                let mx = self.mx.lock().unwrap().get(name).cloned().unwrap_or(Err(DnsError::NoName));
                mx.map(|records| records.into_iter().map(Data::Mx).collect())
            }
            Kind::A => {
                let hosts = self.hosts.lock().unwrap().get(name).cloned().unwrap_or(Err(DnsError::NoName));
                hosts.map(|addresses| addresses.into_iter().map(Data::Address).collect())
            }
            _ => Err(DnsError::NoRecords),
        };
        Box::pin(std::future::ready(found.map(Answer::insecure)))
    }
}

/// A house with alice in it, the names, and the ports at which the servers listen.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) names: Arc<Names>,
    pub(crate) policy: Policy,
    folder: tempfile::TempDir,
}

/// A letter on its way.
pub(crate) struct Sent<'a> {
    pub(crate) from: Option<&'a str>,
    pub(crate) to: &'a [&'a str],
    pub(crate) notify: Option<Notify>,
    /// How many seconds ago it was written.
    pub(crate) age: i64,
    pub(crate) text: &'a str,
}

impl<'a> Sent<'a> {
    /// A letter of alice's, written now.
    pub(crate) fn to(to: &'a [&'a str]) -> Self {
        Self { from: Some("alice@home.test"), to, notify: None, age: 0, text: LETTER }
    }
}

impl World {
    pub(crate) async fn build() -> Self {
        mailstead_net::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let store = open(&folder);
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        store.add_account(address("alice@home.test"), "secret", None).await.unwrap();
        Self { store, names: Arc::default(), policy: policy(), folder }
    }

    /// A server under a name.
    pub(crate) async fn server(&mut self, host: &str) -> Server {
        let server = Server::start().await;
        self.names.host(host, "127.0.0.1");
        self.policy.port_overrides.insert(host.to_owned(), server.port());
        server
    }

    /// A name at whose port nobody listens.
    pub(crate) fn dead_host(&mut self, host: &str) {
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        self.names.host(host, "127.0.0.1");
        self.policy.port_overrides.insert(host.to_owned(), closed);
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
        let Self { store, names, policy, folder } = self;
        drop(store);
        Self { store: open(&folder), names, policy, folder }
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
fn policy() -> Policy {
    Policy {
        hostname: "mail.home.test".to_owned(),
        port: 25,
        port_overrides: HashMap::new(),
        allow_private: true,
        own_addresses: Vec::new(),
        concurrency: 4,
        per_destination: 1,
        schedule: Schedule::default(),
        verified_tls: ClientTls::verifying(&[]).unwrap(),
    }
}
