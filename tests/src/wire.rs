//! One connection, spoken by hand: what a client would never send, byte for byte.

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};

/// Silence that counts as hanging.
const SILENCE: Duration = Duration::from_secs(60);
/// Room for what one read brings.
const READ: usize = 64 << 10;

/// A connection to one port of an appliance or a peer, plain or under TLS.
#[derive(Debug)]
pub struct Wire {
    socket: Socket,
    buffer: Vec<u8>,
    start: usize,
    room: Vec<u8>,
}

#[derive(Debug)]
enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    Gone,
}

/// Answers to a flood that are kept: the last ones.
const FLOOD_END: usize = 4 << 10;

/// What became of a flood.
#[derive(Debug, Default)]
pub struct Flood {
    /// Bytes the peer's system took.
    pub sent: usize,
    /// Lines it answered.
    pub lines: usize,
    /// The last of what it answered.
    pub end: String,
}

impl Flood {
    /// True when one of its last answers has `part` in it.
    pub fn said(&self, part: &str) -> bool {
        self.end.contains(part)
    }
}

/// An SMTP reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its code; 0 when the connection was closed instead.
    pub code: u16,
    /// Its lines without code and separator.
    pub lines: Vec<String>,
}

impl Reply {
    /// Demands this code.
    ///
    /// # Panics
    /// When it is another; the message shows the whole reply.
    #[track_caller]
    pub fn expect(self, code: u16) -> Self {
        assert_eq!(self.code, code, "the reply was: {self}");
        self
    }

    /// Demands this code and, at the beginning of the text, this enhanced status.
    #[track_caller]
    pub fn expect_status(self, code: u16, status: &str) -> Self {
        assert_eq!(self.code, code, "the reply was: {self}");
        assert!(self.lines.iter().all(|l| l.starts_with(status)), "wanted {code} {status}; the reply was: {self}");
        self
    }
}

impl std::fmt::Display for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.code {
            0 => write!(f, "(connection closed)"),
            code => write!(f, "{code} {}", self.lines.join(" / ")),
        }
    }
}

impl Wire {
    /// Connects to a loopback port.
    #[track_caller]
    pub fn connect(port: u16) -> Self {
        Self::connect_from(Ipv4Addr::LOCALHOST, port).unwrap_or_else(|e| panic!("connecting to port {port}: {e}"))
    }

    /// Connects to a loopback port from another loopback address, so that one test can be many clients.
    pub fn connect_from(source: Ipv4Addr, port: u16) -> io::Result<Self> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        if source != Ipv4Addr::LOCALHOST {
            socket.bind(&SocketAddr::new(IpAddr::V4(source), 0).into())?;
        }
        socket.connect(&SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port).into())?;
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(SILENCE))?;
        tcp.set_write_timeout(Some(SILENCE))?;
        Ok(Self { socket: Socket::Plain(tcp), buffer: Vec::new(), start: 0, room: vec![0; READ] })
    }

    /// Connects with TLS from the first byte, trusting only the authority in `ca`.
    #[track_caller]
    pub fn connect_tls(port: u16, host: &str, ca: &Path) -> Self {
        Self::connect(port).into_tls(host, ca).unwrap_or_else(|e| panic!("TLS with {host} on port {port}: {e}"))
    }

    /// Begins TLS now. What was received in clear text before and not read yet is thrown away.
    pub fn into_tls(mut self, host: &str, ca: &Path) -> io::Result<Self> {
        let Socket::Plain(tcp) = std::mem::replace(&mut self.socket, Socket::Gone) else {
            return Err(io::Error::other("TLS is on already"));
        };
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let session = ClientConnection::new(trusting(ca)?, name).map_err(io::Error::other)?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        self.buffer.clear();
        self.start = 0;
        self.socket = Socket::Tls(Box::new(stream));
        Ok(self)
    }

    /// The certificate the peer showed, in DER.
    pub fn certificate(&self) -> Option<Vec<u8>> {
        let Socket::Tls(stream) = &self.socket else { return None };
        Some(stream.conn.peer_certificates()?.first()?.to_vec())
    }

    /// Keeps little memory from now on, for tests that open thousands.
    pub fn slim(&mut self) {
        self.room = vec![0; 1 << 10];
    }

    /// How long a read may wait.
    pub fn set_patience(&mut self, patience: Duration) {
        let tcp = match &self.socket {
            Socket::Plain(tcp) => tcp,
            Socket::Tls(stream) => &stream.sock,
            Socket::Gone => return,
        };
        let _ = tcp.set_read_timeout(Some(patience));
    }

    /// Sends these bytes.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Plain(tcp) => tcp.write_all(bytes),
            Socket::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
            Socket::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Sends these bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref()).unwrap_or_else(|e| panic!("sending: {e}"));
    }

    /// Sends a line with its CRLF.
    #[track_caller]
    pub fn line(&mut self, line: impl AsRef<[u8]>) {
        self.send([line.as_ref(), b"\r\n"].concat());
    }

    /// The next line without its line end; `None` when the connection is closed.
    pub fn try_read_line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut looked = 0;
        loop {
            let waiting = &self.buffer[self.start..];
            if let Some(end) = waiting[looked..].iter().position(|&b| b == b'\n') {
                let line = &waiting[..looked + end];
                let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                self.start += looked + end + 1;
                return Ok(Some(line));
            }
            looked = waiting.len();
            if self.fill()? == 0 {
                return Ok(None);
            }
        }
    }

    /// The next line as text.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn read_line(&mut self) -> String {
        let line = self.try_read_line().unwrap_or_else(|e| panic!("waiting for a line: {e}"));
        String::from_utf8_lossy(&line.expect("the connection was closed instead of a line")).into_owned()
    }

    /// Exactly this many bytes.
    pub fn try_read_exact(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.buffer.len() - self.start < count {
            if self.fill()? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let bytes = self.buffer[self.start..self.start + count].to_vec();
        self.start += count;
        Ok(bytes)
    }

    /// What has come and was not read yet, waiting for something if there is nothing; empty at the end.
    pub fn chunk(&mut self) -> io::Result<&[u8]> {
        if self.start == self.buffer.len() {
            self.fill()?;
        }
        Ok(&self.buffer[self.start..])
    }

    /// Marks bytes of [`Wire::chunk`] as read.
    pub fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// True when the peer closes, whatever it says before.
    pub fn closes(&mut self) -> bool {
        loop {
            match self.try_read_line() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(e) => return e.kind() != io::ErrorKind::WouldBlock && e.kind() != io::ErrorKind::TimedOut,
            }
        }
    }

    /// Sends these pieces one after the other while reading, until all are sent and the peer closes, or it cuts the
    /// connection before. Only for plain connections.
    pub fn flood(self, pieces: impl Iterator<Item = Vec<u8>> + Send + 'static) -> Flood {
        let Socket::Plain(mut tcp) = self.socket else { panic!("a flood needs a plain connection") };
        let mut sender = tcp.try_clone().expect("a second handle");
        let sending = std::thread::spawn(move || {
            let sent = pieces.take_while(|piece| sender.write_all(piece).is_ok()).map(|piece| piece.len()).sum();
            let _ = sender.shutdown(std::net::Shutdown::Write);
            sent
        });
        let (mut room, mut flood) = (vec![0; READ], Flood::default());
        while let Ok(count @ 1..) = tcp.read(&mut room) {
            flood.lines += room[..count].iter().filter(|&&b| b == b'\n').count();
            flood.end.push_str(&String::from_utf8_lossy(&room[..count]));
            let cut = flood.end.len().saturating_sub(FLOOD_END);
            flood.end = String::from_utf8_lossy(&flood.end.as_bytes()[cut..]).into_owned();
        }
        flood.sent = sending.join().expect("the sender");
        flood
    }

    /// The next SMTP reply; code 0 when the connection is closed instead.
    pub fn try_reply(&mut self) -> io::Result<Reply> {
        let mut reply = Reply { code: 0, lines: Vec::new() };
        loop {
            let Some(line) = self.try_read_line()? else { return Ok(Reply { code: 0, lines: Vec::new() }) };
            let line = String::from_utf8_lossy(&line).into_owned();
            let code = line.get(..3).and_then(|c| c.parse().ok());
            reply.code = code.ok_or_else(|| io::Error::other(format!("not a reply: {line:?}")))?;
            reply.lines.push(line.get(4..).unwrap_or_default().to_owned());
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(reply);
            }
        }
    }

    /// The next SMTP reply; a broken connection counts as closed.
    #[track_caller]
    pub fn reply(&mut self) -> Reply {
        match self.try_reply() {
            Ok(reply) => reply,
            Err(e) if matches!(e.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => {
                Reply { code: 0, lines: Vec::new() }
            }
            Err(e) => panic!("waiting for a reply: {e}"),
        }
    }

    /// Sends an SMTP command and reads its reply.
    #[track_caller]
    pub fn command(&mut self, line: impl AsRef<[u8]>) -> Reply {
        self.line(line);
        self.reply()
    }

    fn fill(&mut self) -> io::Result<usize> {
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        } else if self.start > READ {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let count = loop {
            let result = match &mut self.socket {
                Socket::Plain(tcp) => tcp.read(&mut self.room),
                Socket::Tls(stream) => stream.read(&mut self.room),
                Socket::Gone => Ok(0),
            };
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // A peer that closes without close_notify has closed all the same.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break 0,
                other => break other?,
            }
        };
        self.buffer.extend_from_slice(&self.room[..count]);
        Ok(count)
    }
}

/// A TLS configuration that trusts only the certificates in this PEM file.
fn trusting(ca: &Path) -> io::Result<Arc<ClientConfig>> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca).map_err(io::Error::other)? {
        roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Ok(Arc::new(config.map_err(io::Error::other)?.with_root_certificates(roots).with_no_client_auth()))
}
