//! A server with alice and carol on it, and a client that reads lines.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailstead_message::{Address, Domain};
use mailstead_net::{Certificates, ClientTls, Gate, Limits, Peer, Stream};
use mailstead_pop3::Config;
use mailstead_store::{Append, FlagSet, Options, PasswordCost, Prepared, Store, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// Nothing here takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct House {
    pub(crate) store: Store,
    pub(crate) shutdown: watch::Sender<bool>,
    plain: SocketAddr,
    tls: SocketAddr,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn build() -> Self {
        Self::with(Duration::from_secs(10 * 60), 1_000).await
    }

    /// With an idle timeout, and so many places.
    pub(crate) async fn with(idle_timeout: Duration, places: usize) -> Self {
        mailstead_net::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(&folder.path().join("data"), options).unwrap();
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        for name in ["alice", "carol"] {
            store.add_account(address(name), "open sesame", None).await.unwrap();
        }
        let certificates = Certificates::self_signed(folder.path(), &["localhost".to_owned()]).unwrap();
        let (shutdown, stopped) = watch::channel(false);
        let config = |implicit_tls| Config {
            hostname: "mail.home.test".to_owned(),
            implicit_tls,
            certificates: certificates.clone(),
            idle_timeout,
        };
        let plain = listen(config(false), places, store.clone(), stopped.clone());
        let tls = listen(config(true), places, store.clone(), stopped);
        Self { store, shutdown, plain, tls, _folder: folder }
    }

    /// Puts messages into an INBOX.
    pub(crate) async fn deliver(&self, name: &str, messages: &[impl AsRef<[u8]>]) {
        let account = self.store.authenticate(&address(name).to_string(), "open sesame").await.unwrap().unwrap().id;
        let inbox = self.store.snapshot().unwrap().mailbox_by_name(account, "INBOX").unwrap().unwrap();
        let append = |message: &[u8]| Append {
            message: Prepared::from_bytes(message).unwrap(),
            flags: FlagSet::default(),
            internal_date: Timestamp(1_700_000_000),
        };
        self.store.append(inbox.id, messages.iter().map(|message| append(message.as_ref())).collect()).await.unwrap();
    }

    /// A client without TLS, greeted or turned away.
    pub(crate) async fn stranger(&self) -> (Client, String) {
        let mut client = Client::new(Stream::plain(TcpStream::connect(self.plain).await.unwrap()));
        let greeting = client.line().await;
        (client, greeting)
    }

    /// A greeted client under TLS, not logged in.
    pub(crate) async fn guest(&self) -> Client {
        let stream = Stream::plain(TcpStream::connect(self.tls).await.unwrap());
        let mut client = Client::new(stream).encrypted().await;
        assert!(client.line().await.starts_with("+OK "));
        client
    }

    /// Somebody, logged in.
    pub(crate) async fn client(&self, name: &str) -> Client {
        let mut client = self.guest().await;
        client.ok(&format!("USER {}", address(name))).await;
        client.ok("PASS open sesame").await;
        client
    }
}

fn address(name: &str) -> Address {
    Address::parse(&format!("{name}@home.test")).unwrap()
}

fn listen(config: Config, places: usize, store: Store, stopped: watch::Receiver<bool>) -> SocketAddr {
    let listener = mailstead_net::Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.address();
    let (config, gate) = (Arc::new(config), Arc::new(Gate::default()));
    let turned_away = Arc::clone(&config);
    tokio::spawn(listener.run(
        Limits::new(places, places),
        std::future::pending(),
        move |stream, peer: Peer, permit| {
            let (config, gate) = (Arc::clone(&config), Arc::clone(&gate));
            mailstead_pop3::serve(stream, peer, permit, config, store.clone(), gate, stopped.clone())
        },
        move |stream, _| mailstead_pop3::turn_away(stream, Arc::clone(&turned_away)),
    ));
    address
}

pub(crate) struct Client {
    stream: Stream,
    input: Vec<u8>,
}

impl Client {
    fn new(stream: Stream) -> Self {
        Self { stream, input: Vec::new() }
    }

    /// The same connection under TLS; what was read ahead is lost.
    pub(crate) async fn encrypted(self) -> Self {
        let tls = ClientTls::opportunistic();
        Self::new(self.stream.connect_tls(&tls, "localhost").await.unwrap())
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line without its end; empty at the end of the connection.
    pub(crate) async fn line(&mut self) -> String {
        let mut scanned = 0;
        loop {
            if let Some(end) = self.input[scanned..].iter().position(|byte| *byte == b'\n') {
                let rest = self.input.split_off(scanned + end + 1);
                let line = std::mem::replace(&mut self.input, rest);
                return String::from_utf8(line).unwrap().strip_suffix("\r\n").expect("lines end in CRLF").to_owned();
            }
            scanned = self.input.len();
            if !self.more().await {
                assert!(self.input.is_empty(), "the connection ended within a line");
                return String::new();
            }
        }
    }

    async fn more(&mut self) -> bool {
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.input)).await.expect("nothing came");
        read.unwrap_or(0) > 0
    }

    pub(crate) async fn command(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n")).await;
        self.line().await
    }

    pub(crate) async fn ok(&mut self, command: &str) -> String {
        let line = self.command(command).await;
        assert!(line.starts_with("+OK"), "{command}: {line}");
        line
    }

    pub(crate) async fn err(&mut self, command: &str) -> String {
        let line = self.command(command).await;
        assert!(line.starts_with("-ERR "), "{command}: {line}");
        line
    }

    /// The lines of an answer up to its dot, unstuffed.
    pub(crate) async fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            match line.strip_prefix('.') {
                Some("") => return lines,
                Some(stuffed) => lines.push(stuffed.to_owned()),
                None => lines.push(line),
            }
        }
    }

    /// A command whose answer has many lines.
    pub(crate) async fn long(&mut self, command: &str) -> Vec<String> {
        self.ok(command).await;
        self.lines().await
    }

    /// What still comes until the server closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.input)
    }
}
