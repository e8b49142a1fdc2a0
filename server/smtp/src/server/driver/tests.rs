//! Sessions over real sockets on loopback, with a house made of cardboard.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::io::{Read as _, Seek as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Mutex;

use mailstead_message::{Address, TraceId};
use mailstead_net::{BoxFuture, Certificates, ClientTls, Limits};
use rustls_pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::server::{Admitted, Claim, Client, Identity, MailFrom, RcptTo, Role};

/// Takes everything, and remembers it.
#[derive(Default)]
struct Cardboard {
    messages: Mutex<Vec<(bool, Vec<u8>)>>,
    abandoned: Mutex<Vec<String>>,
}

impl Handler for Cardboard {
    fn connected<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { Ok(()) })
    }
    fn trace(&self) -> TraceId {
        TraceId::from_u64(1)
    }
    fn authenticate<'a>(&'a self, _: &'a Client, claim: Claim) -> BoxFuture<'a, Result<Admitted, Reply>> {
        let right = (claim.login(), claim.guess()) == ("alice", "secret");
        let identity = Identity { account: 1, address: Address::parse("alice@home.test").unwrap() };
        let admitted = Admitted { identity, last_word: None };
        Box::pin(async move { if right { Ok(admitted) } else { Err(Reply::new(535, (5, 7, 8), "wrong")) } })
    }
    fn mail<'a>(&'a self, _: &'a Client, _: TraceId, _: &'a MailFrom) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { Ok(()) })
    }
    fn rcpt<'a>(
        &'a self,
        _: &'a Client,
        _: TraceId,
        _: &'a MailFrom,
        _: &'a [RcptTo],
        _: &'a RcptTo,
    ) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { Ok(()) })
    }
    fn message<'a>(&'a self, _: &'a Client, _: Envelope, body: Body) -> BoxFuture<'a, Reply> {
        let kept = match body {
            Body::Memory(bytes) => (false, bytes),
            Body::Spooled { mut file, len } => {
                let mut bytes = Vec::new();
                file.rewind().unwrap();
                file.read_to_end(&mut bytes).unwrap();
                assert_eq!(bytes.len() as u64, len);
                (true, bytes)
            }
        };
        self.messages.lock().unwrap().push(kept);
        Box::pin(async { Reply::new(250, (2, 0, 0), "kept") })
    }
    fn abandoned(&self, _: &Client, _: TraceId, _: &MailFrom, _: &[RcptTo], why: &str) {
        self.abandoned.lock().unwrap().push(why.to_owned());
    }
}

struct World {
    house: Arc<Cardboard>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
    _folder: tempfile::TempDir,
}

fn config(role: Role, spool_folder: PathBuf) -> Config {
    let made = rcgen::generate_simple_self_signed(["mail.home.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    Config {
        hostname: "mail.home.test".into(),
        role,
        implicit_tls: false,
        certificates: Certificates::new(vec![made.cert.der().clone()], key).unwrap(),
        max_message_size: 4 << 20,
        spool_above: 100_000,
        spool_folder,
        max_recipients: 10,
        max_messages: 10,
        max_errors: 10,
        max_refused_recipients: 10,
        max_commands: 1_000,
        command_timeout: Duration::from_secs(60),
        session_timeout: Duration::from_secs(60),
    }
}

/// Serves one connection, configured by `change`.
async fn world(role: Role, change: impl FnOnce(&mut Config)) -> World {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(role, folder.path().to_owned());
    change(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let house = Arc::new(Cardboard::default());
    let (stop, shutdown) = watch::channel(false);
    let handler: Arc<dyn Handler> = house.clone();
    let served = tokio::spawn(async move {
        let (tcp, remote) = listener.accept().await.unwrap();
        let permit = Limits::new(1, 1).enter(remote.ip()).unwrap();
        let peer = Peer { remote, local: address };
        let session = serve(Stream::plain(tcp), peer, permit, Arc::new(config), handler, shutdown);
        assert!(size_of_val(&session) < 8 << 10, "two thousand idle sessions must be cheap");
        session.await;
    });
    World { house, address, stop, served, _folder: folder }
}

/// A client that knows only lines.
struct Wire(Stream);

impl Wire {
    async fn connect(address: SocketAddr) -> Self {
        Self(Stream::plain(TcpStream::connect(address).await.unwrap()))
    }

    async fn into_tls(self) -> Self {
        let tls = ClientTls::opportunistic();
        Self(self.0.connect_tls(&tls, "mail.home.test").await.unwrap())
    }

    /// One reply, all its lines.
    async fn reply(&mut self) -> String {
        let mut said = Vec::new();
        loop {
            let start = said.len();
            while !said.ends_with(b"\n") || said.len() == start {
                let byte = timeout(Duration::from_secs(20), self.0.read_u8()).await.expect("an answer in time");
                said.push(byte.expect("an answer"));
            }
            if said.get(start + 3) == Some(&b' ') {
                return String::from_utf8(said).unwrap();
            }
        }
    }

    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.0.write_all(bytes.as_ref()).await.unwrap();
        self.0.flush().await.unwrap();
    }

    async fn expect(&mut self, line: &str, start: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        let reply = self.reply().await;
        assert!(reply.starts_with(start), "{line}: {reply}");
        reply
    }

    /// The server has closed, properly.
    async fn ends(&mut self) {
        let mut rest = Vec::new();
        timeout(Duration::from_secs(20), self.0.read_to_end(&mut rest)).await.expect("an end").expect("a clean end");
        assert_eq!(rest, b"");
    }

    async fn up_to_data(&mut self) {
        self.reply().await;
        self.expect("EHLO client.test", "250").await;
        self.send("MAIL FROM:<bob@world.test>\r\nRCPT TO:<alice@home.test>\r\nDATA\r\n").await;
        for code in ["250", "250", "354"] {
            assert!(self.reply().await.starts_with(code));
        }
    }
}

#[tokio::test]
async fn a_letter_is_submitted_under_starttls() {
    let world = world(Role::Submission, |_| {}).await;
    let mut wire = Wire::connect(world.address).await;
    wire.reply().await;
    wire.expect("EHLO laptop.test", "250").await;
    wire.send("STARTTLS\r\nEHLO injected.test\r\n").await;
    assert!(wire.reply().await.starts_with("220"));
    let mut wire = wire.into_tls().await;
    wire.expect("MAIL FROM:<alice@home.test>", "503").await;
    assert!(wire.expect("EHLO laptop.test", "250").await.contains("AUTH PLAIN LOGIN"));
    wire.expect("AUTH PLAIN AGFsaWNlAHdyb25n", "535").await;
    wire.expect("AUTH PLAIN AGFsaWNlAHNlY3JldA==", "235").await;
    wire.send("MAIL FROM:<alice@home.test>\r\nRCPT TO:<bob@world.test>\r\nBDAT 3 LAST\r\na:bQUIT\r\n").await;
    for code in ["250 2.1.0", "250 2.1.5", "250 2.0.0 kept", "221"] {
        assert!(wire.reply().await.starts_with(code));
    }
    wire.ends().await;
    assert_eq!(*world.house.messages.lock().unwrap(), [(false, b"a:b\r\n".to_vec())]);
}

#[tokio::test]
async fn implicit_tls_greets_under_tls() {
    let world = world(Role::Submission, |config| config.implicit_tls = true).await;
    let mut wire = Wire::connect(world.address).await.into_tls().await;
    assert_eq!(wire.reply().await, "220 mail.home.test ESMTP Mailstead\r\n");
    assert!(!wire.expect("EHLO laptop.test", "250").await.contains("STARTTLS"));
}

#[tokio::test]
async fn a_large_letter_is_spooled_and_a_small_one_is_not() {
    let world = world(Role::Exchange, |_| {}).await;
    let mut wire = Wire::connect(world.address).await;
    wire.up_to_data().await;
    let small = b"Subject: small\r\n\r\n.\r\n".to_vec();
    wire.send("Subject: small\r\n\r\n..\r\n.\r\n").await;
    assert!(wire.reply().await.starts_with("250 2.0.0 kept"));
    wire.send("MAIL FROM:<>\r\nRCPT TO:<alice@home.test>\r\nDATA\r\n").await;
    for _ in 0..3 {
        wire.reply().await;
    }
    let large = b"a line of a long letter\r\n".repeat(100_000);
    wire.send(&large).await;
    wire.expect(".", "250 2.0.0 kept").await;
    assert!(*world.house.messages.lock().unwrap() == [(false, small), (true, large)]);
}

#[tokio::test]
async fn a_spool_that_does_not_work_is_a_temporary_error_and_the_session_goes_on() {
    let world = world(Role::Exchange, |config| config.spool_folder = PathBuf::from("/nonexistent/spool")).await;
    let mut wire = Wire::connect(world.address).await;
    wire.up_to_data().await;
    wire.send(b"a line of a long letter\r\n".repeat(20_000)).await;
    wire.expect(".", "452 4.3.1").await;
    wire.expect("NOOP", "250").await;
    assert!(world.house.abandoned.lock().unwrap()[0].contains("452 4.3.1"));
}

#[tokio::test]
async fn silence_is_answered_with_421() {
    let world = world(Role::Exchange, |config| config.command_timeout = Duration::from_millis(50)).await;
    let mut wire = Wire::connect(world.address).await;
    wire.reply().await;
    assert!(wire.reply().await.starts_with("421 4.4.2"));
    wire.ends().await;
}

#[tokio::test]
async fn a_session_ends_however_busy_it_is() {
    let world = world(Role::Exchange, |config| config.session_timeout = Duration::from_millis(50)).await;
    let mut wire = Wire::connect(world.address).await;
    wire.up_to_data().await;
    wire.send("Subject: endless\r\n").await;
    assert!(wire.reply().await.starts_with("421 4.4.2"));
    wire.ends().await;
    assert_eq!(world.house.abandoned.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn trickling_bytes_gain_no_time() {
    let config = Config { command_timeout: Duration::from_secs(10), ..config(Role::Exchange, PathBuf::new()) };
    let address = "192.0.2.1:1".parse().unwrap();
    let mut session = Session::new(Arc::new(config.clone()), Peer { remote: address, local: address }, None);
    session.connected(Ok(()));
    let mut clock = Clock::new(&config);
    let first = clock.deadline(&session, false).0;
    session.receive(b"NO");
    session.next_event();
    assert_eq!(clock.deadline(&session, false).0, first, "half a command is no progress");
    session.receive(b"OP\r\n");
    session.next_event();
    assert!(clock.deadline(&session, false).0 > first);
}

#[tokio::test]
async fn going_down_lets_a_message_end_and_says_so() {
    let world = world(Role::Exchange, |_| {}).await;
    let mut wire = Wire::connect(world.address).await;
    wire.up_to_data().await;
    world.stop.send(true).unwrap();
    wire.expect("Subject: the last\r\n.", "250 2.0.0 kept").await;
    assert!(wire.reply().await.starts_with("421 4.3.2"));
    wire.ends().await;
    drop(wire);
    world.served.await.unwrap();
}

#[tokio::test]
async fn going_down_wakes_the_idle() {
    let world = world(Role::Exchange, |_| {}).await;
    let mut wire = Wire::connect(world.address).await;
    wire.reply().await;
    world.stop.send(true).unwrap();
    assert!(wire.reply().await.starts_with("421 4.3.2"));
    wire.ends().await;
}

#[tokio::test]
async fn a_lost_connection_abandons_its_transaction() {
    let world = world(Role::Exchange, |_| {}).await;
    let mut wire = Wire::connect(world.address).await;
    wire.up_to_data().await;
    wire.send("Subject: half\r\n").await;
    drop(wire);
    world.served.await.unwrap();
    assert_eq!(*world.house.abandoned.lock().unwrap(), ["the connection was lost"]);
    assert!(world.house.messages.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_too_many_is_told_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let config = Arc::new(config(Role::Exchange, PathBuf::new()));
    let away = tokio::spawn(async move { turn_away(Stream::plain(listener.accept().await.unwrap().0), config).await });
    let mut wire = Wire::connect(address).await;
    assert!(wire.reply().await.starts_with("421 4.7.0"));
    wire.ends().await;
    drop(wire);
    away.await.unwrap();
}
