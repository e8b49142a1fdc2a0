//! The socket with its buffers and clocks: bytes in both directions, and no decisions.

use std::io;
use std::time::Duration;

use mailstead_net::sasl::Bindings;
use mailstead_net::{Certificates, Stream, stopped};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use crate::limits::{BLOCK, WRITE_TIME, WRITE_TIME_STOPPING};
use crate::wire::framing::Framer;

/// What waiting for the peer brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// More bytes are in the framer.
    Bytes,
    /// Nothing came in time.
    Late,
    /// The server goes down.
    Stopping,
}

/// A peer.
pub(crate) struct Connection {
    /// `None` only when a TLS handshake failed.
    stream: Option<Stream>,
    /// What came in.
    pub(crate) framer: Framer,
    /// What is to go out, sent by [`Connection::flush`].
    pub(crate) out: Vec<u8>,
    shutdown: watch::Receiver<bool>,
}

impl Connection {
    pub(crate) fn new(stream: Stream, shutdown: watch::Receiver<bool>) -> Self {
        Self { stream: Some(stream), framer: Framer::default(), out: Vec::new(), shutdown }
    }

    /// What a login can be bound to; `None` without TLS.
    pub(crate) fn bindings(&self) -> Option<Bindings> {
        self.stream.as_ref()?.tls().map(|tls| tls.bindings.clone())
    }

    /// True when the server goes down.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.shutdown.borrow()
    }

    /// Writes an untagged line.
    pub(crate) fn untagged(&mut self, line: &str) {
        self.out.extend_from_slice(b"* ");
        self.out.extend_from_slice(line.as_bytes());
        self.out.extend_from_slice(b"\r\n");
    }

    /// Sends what there is to say, and reads once. Safe to cancel when there is nothing to say.
    pub(crate) async fn read(&mut self, deadline: Instant, buffer: usize) -> io::Result<Arrival> {
        self.flush().await?;
        if self.framer.is_empty() {
            self.framer.shrink();
        }
        let Some(stream) = &mut self.stream else { return Err(gone()) };
        let input = self.framer.input();
        input.reserve(buffer);
        let read = tokio::select! {
            read = timeout_at(deadline, stream.read_buf(input)) => read,
            () = stopped(&mut self.shutdown) => return Ok(Arrival::Stopping),
        };
        match read {
            Ok(Ok(0)) => Err(gone()),
            Ok(Ok(_)) => Ok(Arrival::Bytes),
            Ok(Err(error)) => Err(error),
            Err(_) => Ok(Arrival::Late),
        }
    }

    /// Sends what there is to say. A peer that does not listen is as good as gone.
    pub(crate) async fn flush(&mut self) -> io::Result<()> {
        if self.out.is_empty() {
            return Ok(());
        }
        let mut block = std::mem::take(&mut self.out);
        self.write(&block).await?;
        block.clear();
        // One large answer must not leave its memory with a session that sleeps for hours.
        if block.capacity() <= 4 << 10 {
            self.out = block;
        }
        Ok(())
    }

    /// Sends what there is to say once it is worth a system call.
    pub(crate) async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.out.len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    /// Sends what there is to say, and then this.
    pub(crate) async fn send(&mut self, block: &[u8]) -> io::Result<()> {
        self.flush().await?;
        self.write(block).await
    }

    async fn write(&mut self, block: &[u8]) -> io::Result<()> {
        let shutdown = &mut self.shutdown;
        let Some(stream) = &mut self.stream else { return Err(gone()) };
        let sent = async {
            stream.write_all(block).await?;
            stream.flush().await
        };
        tokio::select! {
            biased;
            sent = timeout(WRITE_TIME, sent) => sent.unwrap_or_else(|late| Err(late.into())),
            () = stopped_for(shutdown, WRITE_TIME_STOPPING) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// Becomes TLS; whatever was read ahead is thrown away (RFC 3501 6.2.1).
    pub(crate) async fn start_tls(&mut self, certificates: &Certificates) -> io::Result<()> {
        self.flush().await?;
        self.framer.discard();
        let stream = self.stream.take().ok_or_else(gone)?;
        self.stream = Some(stream.accept_tls(certificates).await?);
        Ok(())
    }

    /// Says the last words and closes so that they arrive.
    pub(crate) async fn finish(mut self) {
        if self.flush().await.is_ok()
            && let Some(stream) = self.stream
        {
            stream.finish().await;
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Resolves when the server has been going down for so long.
async fn stopped_for(shutdown: &mut watch::Receiver<bool>, time: Duration) {
    stopped(shutdown).await;
    tokio::time::sleep(time).await;
}
