//! A connection, plain or under TLS.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{Certificates, ClientTls};

/// What is known of a TLS session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3`, `TLSv1.2`.
    pub version: String,
    /// Cipher suite name.
    pub cipher: String,
    /// The name the client asked for (SNI), or that we asked for.
    pub server_name: Option<String>,
}

/// A TCP connection, plain or under TLS, with Nagle's delay off.
#[derive(Debug)]
pub struct Stream {}

impl Stream {
    /// Wraps a connected socket.
    pub fn plain(_tcp: tokio::net::TcpStream) -> Self {
        unimplemented!()
    }
    /// The TLS session, if there is one.
    pub fn tls(&self) -> Option<&TlsInfo> {
        unimplemented!()
    }
    /// Becomes TLS as the server. The caller must have dropped whatever it had read ahead.
    pub async fn accept_tls(self, _certificates: &Certificates) -> io::Result<Self> {
        unimplemented!()
    }
    /// Becomes TLS as the client of `host`.
    pub async fn connect_tls(self, _tls: &ClientTls, _host: &str) -> io::Result<Self> {
        unimplemented!()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, _cx: &mut Context<'_>, _buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        unimplemented!()
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, _buf: &[u8]) -> Poll<io::Result<usize>> {
        unimplemented!()
    }
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        unimplemented!()
    }
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        unimplemented!()
    }
}
