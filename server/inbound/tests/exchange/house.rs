//! A house with alice and carol in it, and a client that speaks SMTP with one of its doors.

use std::sync::Arc;
use std::time::Duration;

use mailstead_inbound::Policy;
use mailstead_message::{Address, Domain};
use mailstead_net::{Certificates, ClientTls, Gate, Limits, Peer, Stream};
use mailstead_smtp::server::{Config, Handler, Role, serve};
use mailstead_store::{Alias, Options, PasswordCost, QueueEntry, Store, Uid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Nothing here takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
/// Small, so that tests of spooling are quick.
pub(crate) const SPOOL_ABOVE: usize = 64 << 10;

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) gate: Arc<Gate>,
    certificates: Certificates,
    stop: watch::Sender<bool>,
    folder: tempfile::TempDir,
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn policy() -> Policy {
    Policy { hostname: "mail.home.test".to_owned(), max_received: 10 }
}

impl House {
    pub(crate) async fn build() -> Self {
        mailstead_net::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(&folder.path().join("data"), options).unwrap();
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        for name in ["alice@home.test", "carol@home.test"] {
            store.add_account(address(name), "secret", None).await.unwrap();
        }
        let certificates = Certificates::self_signed(folder.path(), &["localhost".to_owned()]).unwrap();
        Self { store, gate: Arc::default(), certificates, stop: watch::channel(false).0, folder }
    }

    pub(crate) async fn alias(&self, from: &str, targets: &[&str]) {
        let targets = targets.iter().map(|text| address(text)).collect();
        self.store.set_alias(Alias { address: address(from), targets }).await.unwrap();
    }

    /// A client before the banner; submission speaks TLS from the first byte.
    pub(crate) async fn knock(&self, handler: Arc<dyn Handler>, role: Role) -> Client {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let local = listener.local_addr().unwrap();
        let config = Config {
            hostname: "mail.home.test".to_owned(),
            role,
            implicit_tls: role == Role::Submission,
            certificates: self.certificates.clone(),
            max_message_size: 20 << 20,
            spool_above: SPOOL_ABOVE,
            spool_folder: self.folder.path().to_owned(),
            max_recipients: 100,
            max_messages: 100,
            max_errors: 100,
            max_refused_recipients: 100,
            max_commands: 1_000,
            command_timeout: DEADLINE,
            session_timeout: DEADLINE * 10,
        };
        let stopped = self.stop.subscribe();
        let connected = TcpStream::connect(local).await.unwrap();
        let (tcp, remote) = listener.accept().await.unwrap();
        let permit = Limits::new(1, 1).enter(remote.ip()).unwrap();
        let peer = Peer { remote, local };
        tokio::spawn(serve(Stream::plain(tcp), peer, permit, Arc::new(config), handler, stopped));
        let mut stream = Stream::plain(connected);
        if role == Role::Submission {
            stream = stream.connect_tls(&ClientTls::opportunistic(), "localhost").await.unwrap();
        }
        Client { stream, input: Vec::new() }
    }

    /// The messages in somebody's inbox, prefix and all, oldest first.
    pub(crate) fn inbox(&self, name: &str) -> Vec<String> {
        self.mailbox(name, "INBOX")
    }

    /// The messages in one of somebody's mailboxes, likewise.
    pub(crate) fn mailbox(&self, name: &str, mailbox: &str) -> Vec<String> {
        let account = self.store.accounts().unwrap().into_iter().find(|account| account.address == address(name));
        let snapshot = self.store.snapshot().unwrap();
        let inbox = snapshot.mailbox_by_name(account.unwrap().id, mailbox).unwrap().unwrap();
        let read = |uid: Uid| self.store.open_message(inbox.id, uid).unwrap().read_all().unwrap();
        let text = |uid: Uid| String::from_utf8_lossy(&read(uid)).into_owned();
        snapshot.uids(inbox.id).unwrap().into_iter().map(text).collect()
    }

    /// What waits to go out, with the bytes that will.
    pub(crate) fn queue(&self) -> Vec<(QueueEntry, String)> {
        let read = |entry: &QueueEntry| self.store.open_blob(entry.blob).unwrap().read_all().unwrap();
        let text = |entry: &QueueEntry| String::from_utf8_lossy(&read(entry)).into_owned();
        self.store.queue().unwrap().into_iter().map(|entry| (entry.clone(), text(&entry))).collect()
    }

    /// Waits until the stories of an address say this, for what is told without waiting for the disk.
    pub(crate) async fn told(&self, of: &str, what: &str) -> String {
        let told = async {
            loop {
                let stories = self.store.stories_of(&address(of), 100).unwrap();
                let mut events = stories.into_iter().flat_map(|story| story.events);
                if let Some(event) = events.find(|event| event.text.contains(what)) {
                    return event.text;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(DEADLINE, told).await.unwrap_or_else(|_| panic!("no story of {of} says {what:?}"))
    }
}

pub(crate) struct Client {
    stream: Stream,
    input: Vec<u8>,
}

impl Client {
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads one reply, all its lines.
    pub(crate) async fn reply(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let line = timeout(DEADLINE, self.line()).await.unwrap();
            reply.push_str(&line);
            if line.as_bytes().get(3) != Some(&b'-') {
                return reply;
            }
            reply.push('\n');
        }
    }

    async fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let rest = self.input.split_off(end + 2);
                let line = std::mem::replace(&mut self.input, rest);
                return String::from_utf8(line[..end].to_vec()).unwrap();
            }
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "the connection ended");
        }
    }

    /// Says a line and checks how the reply begins.
    pub(crate) async fn expect(&mut self, line: &str, start: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        let reply = self.reply().await;
        assert!(reply.starts_with(start), "{line:?} was answered {reply:?}, not {start:?}");
        reply
    }

    /// Waits for the banner and says EHLO.
    pub(crate) async fn greeted(mut self) -> Self {
        assert!(self.reply().await.starts_with("220 "));
        self.expect("EHLO mx.world.test", "250-").await;
        self
    }

    /// Sends a letter with DATA; gives the reply.
    pub(crate) async fn letter(&mut self, from: &str, to: &[&str], text: &str) -> String {
        self.expect(&format!("MAIL FROM:{from}"), "250 ").await;
        for to in to {
            self.expect(&format!("RCPT TO:{to}"), "250 ").await;
        }
        self.data(text).await
    }

    pub(crate) async fn data(&mut self, text: &str) -> String {
        self.expect("DATA", "354 ").await;
        self.send(format!("{text}.\r\n")).await;
        self.reply().await
    }
}
