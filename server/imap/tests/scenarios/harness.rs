//! A server with alice and carol on it, and a client that reads whole responses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mailstead_imap::Config;
use mailstead_message::{Address, Domain};
use mailstead_net::{Certificates, ClientTls, Gate, Limits, Peer, Stream};
use mailstead_store::{Options, PasswordCost, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::timeout;

/// Nothing here takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct House {
    _store: Store,
    pub(crate) shutdown: watch::Sender<bool>,
    plain: SocketAddr,
    tls: SocketAddr,
    _folder: tempfile::TempDir,
}

impl House {
    pub(crate) async fn build() -> Self {
        Self::with_idle_timeout(Duration::from_secs(30 * 60)).await
    }

    pub(crate) async fn with_idle_timeout(idle_timeout: Duration) -> Self {
        mailstead_net::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(&folder.path().join("data"), options).unwrap();
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        for name in ["alice", "carol"] {
            let address = Address::parse(&format!("{name}@home.test")).unwrap();
            store.add_account(address, "secret", None).await.unwrap();
        }
        let certificates = Certificates::self_signed(folder.path(), &["localhost".to_owned()]).unwrap();
        let (shutdown, stopped) = watch::channel(false);
        let config = |implicit_tls| Config {
            hostname: "mail.home.test".to_owned(),
            implicit_tls,
            certificates: certificates.clone(),
            max_message_size: 20 << 20,
            spool_folder: folder.path().to_owned(),
            idle_timeout,
        };
        let plain = listen(config(false), store.clone(), stopped.clone()).await;
        let tls = listen(config(true), store.clone(), stopped).await;
        Self { _store: store, shutdown, plain, tls, _folder: folder }
    }

    /// A greeted client without TLS.
    pub(crate) async fn stranger(&self) -> Client {
        let mut client = Client::new(Stream::plain(TcpStream::connect(self.plain).await.unwrap()));
        assert!(client.line().await.starts_with("* OK"));
        client
    }

    /// A greeted client under TLS, not logged in.
    pub(crate) async fn guest(&self) -> Client {
        let stream = Stream::plain(TcpStream::connect(self.tls).await.unwrap());
        let mut client = Client::new(stream).encrypted().await;
        assert!(client.line().await.starts_with("* OK"));
        client
    }

    /// Alice, logged in.
    pub(crate) async fn alice(&self) -> Client {
        self.client("alice").await
    }

    pub(crate) async fn client(&self, name: &str) -> Client {
        let mut client = self.guest().await;
        client.ok(&format!("LOGIN {name}@home.test secret")).await;
        client
    }

    /// Alice, with INBOX selected.
    pub(crate) async fn alice_in_inbox(&self) -> Client {
        let mut alice = self.alice().await;
        alice.ok("SELECT INBOX").await;
        alice
    }
}

async fn listen(config: Config, store: Store, stopped: watch::Receiver<bool>) -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (config, gate, limits) = (Arc::new(config), Arc::new(Gate::default()), Limits::new(1000, 1000));
    tokio::spawn(async move {
        while let Ok((tcp, remote)) = listener.accept().await {
            let peer = Peer { remote, local: address };
            let permit = limits.enter(remote.ip()).unwrap();
            let (config, gate) = (Arc::clone(&config), Arc::clone(&gate));
            let serve =
                mailstead_imap::serve(Stream::plain(tcp), peer, permit, config, store.clone(), gate, stopped.clone());
            tokio::spawn(serve);
        }
    });
    address
}

pub(crate) struct Client {
    stream: Stream,
    input: Vec<u8>,
    tag: u32,
}

impl Client {
    fn new(stream: Stream) -> Self {
        Self { stream, input: Vec::new(), tag: 0 }
    }

    /// The same connection under TLS; what was read ahead is lost.
    pub(crate) async fn encrypted(self) -> Self {
        let tls = ClientTls::opportunistic();
        Self { stream: self.stream.connect_tls(&tls, "localhost").await.unwrap(), input: Vec::new(), tag: self.tag }
    }

    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// Reads one response, literals in place; empty at the end of the connection.
    pub(crate) async fn line(&mut self) -> String {
        String::from_utf8_lossy(&self.bytes().await).into_owned()
    }

    /// Reads one response without its line end.
    pub(crate) async fn bytes(&mut self) -> Vec<u8> {
        let mut from = 0;
        loop {
            let Some(end) = self.input[from..].windows(2).position(|two| two == b"\r\n").map(|end| from + end) else {
                if !self.more().await {
                    return std::mem::take(&mut self.input);
                }
                continue;
            };
            match literal(&self.input[from..end]) {
                Some(size) => {
                    from = end + 2 + size;
                    while self.input.len() < from {
                        assert!(self.more().await, "the connection ended within a literal");
                    }
                }
                None => {
                    let rest = self.input.split_off(end + 2);
                    let mut line = std::mem::replace(&mut self.input, rest);
                    line.truncate(end);
                    return line;
                }
            }
        }
    }

    /// Reads what comes next; false at the end of the connection.
    pub(crate) async fn more(&mut self) -> bool {
        let read = timeout(DEADLINE, self.stream.read_buf(&mut self.input)).await.expect("nothing came");
        read.unwrap_or(0) > 0
    }

    /// Sends a command and reads up to its tagged reply: all lines, the last without its tag.
    pub(crate) async fn command(&mut self, command: &str) -> Vec<String> {
        let tag = self.start(command).await;
        self.answer(&tag).await
    }

    /// Sends a command without waiting; gives its tag.
    pub(crate) async fn start(&mut self, command: &str) -> String {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.send(format!("{tag} {command}\r\n")).await;
        tag
    }

    pub(crate) async fn answer(&mut self, tag: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            assert!(!line.is_empty(), "the connection ended after {lines:?}");
            if let Some(reply) = line.strip_prefix(&format!("{tag} ")) {
                lines.push(reply.to_owned());
                return lines;
            }
            lines.push(line);
        }
    }

    /// A command that must succeed: the untagged lines, and the reply.
    #[track_caller]
    pub(crate) fn ok<'a>(&'a mut self, command: &'a str) -> impl Future<Output = Vec<String>> + 'a {
        self.expect(command, "OK")
    }

    #[track_caller]
    pub(crate) fn no<'a>(&'a mut self, command: &'a str) -> impl Future<Output = Vec<String>> + 'a {
        self.expect(command, "NO")
    }

    #[track_caller]
    pub(crate) fn bad<'a>(&'a mut self, command: &'a str) -> impl Future<Output = Vec<String>> + 'a {
        self.expect(command, "BAD")
    }

    pub(crate) async fn expect(&mut self, command: &str, condition: &str) -> Vec<String> {
        let lines = self.command(command).await;
        assert!(lines.last().unwrap().starts_with(&format!("{condition} ")), "{command}: {lines:?}");
        lines
    }

    /// Appends a message; gives the tagged reply.
    pub(crate) async fn append(&mut self, mailbox: &str, options: &str, message: &[u8]) -> String {
        let tag = self.start(&format!("APPEND {mailbox} {options}{{{}}}", message.len())).await;
        loop {
            let line = self.line().await;
            if line.starts_with('+') {
                break;
            }
            if let Some(reply) = line.strip_prefix(&format!("{tag} ")) {
                return reply.to_owned();
            }
        }
        self.send(message).await;
        self.send("\r\n").await;
        self.answer(&tag).await.pop().unwrap()
    }

    /// Appends small letters with these subjects to INBOX.
    pub(crate) async fn letters(&mut self, subjects: &[&str]) {
        for subject in subjects {
            let reply = self.append("INBOX", "", letter(subject).as_bytes()).await;
            assert!(reply.starts_with("OK [APPENDUID "), "{reply}");
        }
    }

    /// True once the server has closed the connection; what came before is read.
    pub(crate) async fn is_closed(&mut self) -> bool {
        while self.more().await {}
        true
    }
}

pub(crate) fn letter(subject: &str) -> String {
    format!("From: Bob <bob@world.test>\r\nTo: alice@home.test\r\nSubject: {subject}\r\n\r\nThis is {subject}.\r\n")
}

fn literal(line: &[u8]) -> Option<usize> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|byte| *byte == b'{')?;
    std::str::from_utf8(&inner[open + 1..]).ok()?.parse().ok()
}

/// The lines that contain a text.
pub(crate) fn with<'a>(lines: &'a [String], part: &str) -> Vec<&'a str> {
    lines.iter().map(String::as_str).filter(|line| line.contains(part)).collect()
}

/// The untagged lines.
pub(crate) fn untagged(lines: &[String]) -> Vec<&str> {
    lines.iter().map(String::as_str).filter(|line| line.starts_with("* ")).collect()
}

/// The number behind a response code such as `HIGHESTMODSEQ`.
pub(crate) fn code(lines: &[String], name: &str) -> u64 {
    let text = lines.join("\n");
    let after = text.split(&format!("{name} ")).nth(1).unwrap_or_else(|| panic!("no {name} in {text}"));
    after.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
}
