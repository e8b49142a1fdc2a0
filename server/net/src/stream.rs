//! A connection, plain or under TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector, client, server};

use crate::certificates::ACME_TLS;
use crate::sasl::Bindings;
use crate::{Certificates, ClientTls, Flaw, Look, TlsFault};

/// A handshake takes two round trips; a peer that needs longer than this is not coming.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a peer may take to hear our last words.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);
/// How long telling somebody that there is no place may take, a TLS handshake included.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(5);
/// What a peer may still send while it hears them; beyond that it is cut off.
const FINISH_BYTES: usize = 1 << 20;

/// What is known of a TLS session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3`, `TLSv1.2`.
    pub version: String,
    /// Cipher suite name.
    pub cipher: String,
    /// The name the client asked for (SNI), or that we asked for.
    pub server_name: Option<String>,
    /// What a login can be bound to, where we are the server.
    pub bindings: Bindings,
}

impl TlsInfo {
    fn of(connection: &rustls::CommonState, server_name: Option<String>) -> Self {
        let version = match connection.protocol_version() {
            Some(rustls::ProtocolVersion::TLSv1_3) => "TLSv1.3".to_owned(),
            Some(rustls::ProtocolVersion::TLSv1_2) => "TLSv1.2".to_owned(),
            other => format!("{other:?}"),
        };
        let cipher = connection
            .negotiated_cipher_suite()
            .and_then(|suite| suite.suite().as_str())
            .map(|name| name.replacen("TLS13_", "TLS_", 1))
            .unwrap_or_default();
        Self { version, cipher, server_name, bindings: Bindings::default() }
    }
}

/// A TCP connection, plain or under TLS, with Nagle's delay off.
#[derive(Debug)]
pub struct Stream {
    io: Io,
    tls: Option<TlsInfo>,
    certificate: Option<Look>,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Server(Box<server::TlsStream<TcpStream>>),
    Client(Box<client::TlsStream<TcpStream>>),
}

impl Stream {
    /// Wraps a connected socket.
    pub fn plain(tcp: TcpStream) -> Self {
        // Replies are written whole: waiting for more to send only costs time. A socket that refuses still works.
        let _ = tcp.set_nodelay(true);
        Self { io: Io::Plain(tcp), tls: None, certificate: None }
    }

    /// The TLS session, if there is one.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.tls.as_ref()
    }

    /// Becomes TLS as the server. The caller must have dropped whatever it had read ahead.
    ///
    /// # Errors
    /// The handshake failed or took too long.
    pub async fn accept_tls(self, certificates: &Certificates) -> io::Result<Self> {
        self.accept_tls_offering(certificates, &[]).await
    }

    /// Becomes HTTPS as the server. `None` when it was a certificate authority that only wanted to see that we hold a
    /// key (RFC 8737 3): it has seen that.
    ///
    /// # Errors
    /// The handshake failed or took too long.
    pub async fn accept_https(self, certificates: &Certificates) -> io::Result<Option<Self>> {
        let stream = self.accept_tls_offering(certificates, &[b"http/1.1", ACME_TLS]).await?;
        let proof_only = match &stream.io {
            Io::Server(tls) => tls.get_ref().1.alpn_protocol() == Some(ACME_TLS),
            Io::Plain(_) | Io::Client(_) => false,
        };
        if proof_only {
            stream.finish().await;
            return Ok(None);
        }
        Ok(Some(stream))
    }

    async fn accept_tls_offering(self, certificates: &Certificates, alpn: &[&[u8]]) -> io::Result<Self> {
        let tcp = self.into_plain()?;
        let acceptor = TlsAcceptor::from(certificates.server_config(alpn));
        let stream = timeout(HANDSHAKE_TIMEOUT, acceptor.accept(tcp)).await.map_err(|_| too_slow())??;
        let (_, connection) = stream.get_ref();
        let mut info = TlsInfo::of(connection, connection.server_name().map(str::to_owned));
        info.bindings = Bindings::of(connection, certificates.shown_to(info.server_name.as_deref()).as_ref());
        Ok(Self { io: Io::Server(Box::new(stream)), tls: Some(info), certificate: None })
    }

    /// Begins a connection: with TLS, where these certificates say that TLS comes first.
    ///
    /// # Errors
    /// The handshake failed or took too long.
    pub async fn begin(self, implicit_tls: Option<&Certificates>) -> io::Result<Self> {
        match implicit_tls {
            Some(certificates) => self.accept_tls(certificates).await,
            None => Ok(self),
        }
    }

    /// Begins a connection only to say these last words and close it, in bounded time.
    pub async fn turn_away(self, implicit_tls: Option<&Certificates>, words: &[u8]) {
        let goodbye = async {
            let mut stream = self.begin(implicit_tls).await?;
            stream.write_all(words).await?;
            stream.finish().await;
            io::Result::Ok(())
        };
        // Whoever does not listen misses it.
        let _ = timeout(TURN_AWAY_TIMEOUT, goodbye).await;
    }

    /// What we found of the server's certificate, where we are the client: with a lenient [`ClientTls`] it may be wrong.
    pub fn certificate(&self) -> Option<&Look> {
        self.certificate.as_ref()
    }

    /// Becomes TLS as the client of `host`, a name or an address.
    ///
    /// # Errors
    /// The handshake failed, took too long, or the certificate is not what was asked for.
    pub async fn connect_tls(self, tls: &ClientTls, host: &str) -> Result<Self, TlsFault> {
        let tcp = self.into_plain().map_err(|error| TlsFault::broken(&error))?;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| TlsFault::new(Flaw::Name, format!("{} is not a server's name", host.escape_debug())))?;
        let (config, watch) = tls.connection()?;
        let stream = match timeout(HANDSHAKE_TIMEOUT, TlsConnector::from(config).connect(name, tcp)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(watch.fault(&error)),
            Err(_) => return Err(TlsFault::broken(&too_slow())),
        };
        let info = TlsInfo::of(stream.get_ref().1, Some(host.to_owned()));
        Ok(Self { io: Io::Client(Box::new(stream)), tls: Some(info), certificate: watch.seen() })
    }

    /// Closes so that our last words reach the peer: a reset would throw them away. Bounded in time and bytes.
    pub async fn finish(mut self) {
        let goodbye = async {
            if self.shutdown().await.is_err() {
                return;
            }
            let mut rest = [0; 4096];
            let mut drained = 0;
            while let Ok(read @ 1..) = self.read(&mut rest).await {
                drained += read;
                if drained > FINISH_BYTES {
                    return;
                }
            }
        };
        let _ = timeout(FINISH_TIMEOUT, goodbye).await;
    }

    fn into_plain(self) -> io::Result<TcpStream> {
        match self.io {
            Io::Plain(tcp) => Ok(tcp),
            Io::Server(_) | Io::Client(_) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "the connection is under TLS already"))
            }
        }
    }
}

fn too_slow() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_read(cx, buf),
            Io::Server(io) => Pin::new(io).poll_read(cx, buf),
            Io::Client(io) => Pin::new(io).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_write(cx, buf),
            Io::Server(io) => Pin::new(io).poll_write(cx, buf),
            Io::Client(io) => Pin::new(io).poll_write(cx, buf),
        }
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_flush(cx),
            Io::Server(io) => Pin::new(io).poll_flush(cx),
            Io::Client(io) => Pin::new(io).poll_flush(cx),
        }
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.io {
            Io::Plain(io) => Pin::new(io).poll_shutdown(cx),
            Io::Server(io) => Pin::new(io).poll_shutdown(cx),
            Io::Client(io) => Pin::new(io).poll_shutdown(cx),
        }
    }
}
