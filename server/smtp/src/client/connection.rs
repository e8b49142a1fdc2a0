//! The socket's side of a session: writes commands, reads replies, each within its time.

use std::io;
use std::time::Duration;

use mailstead_net::{ClientTls, Flaw, Look, Stream, TlsFault, TlsInfo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::replies::Replies;
use super::{ClientError, Timeouts};
use crate::Reply;

/// What is read from the socket at once.
const READ_BLOCK: usize = 4096;
/// How long goodbyes and the last words of a closing server are waited for.
const FAREWELL: Duration = Duration::from_secs(5);

/// A connection to a server.
#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    replies: Replies,
    timeouts: Timeouts,
}

impl Connection {
    pub(super) fn new(stream: Stream, timeouts: Timeouts) -> Self {
        Self { stream, replies: Replies::default(), timeouts }
    }

    pub(super) fn tls(&self) -> Option<&TlsInfo> {
        self.stream.tls()
    }

    pub(super) fn certificate(&self) -> Option<&Look> {
        self.stream.certificate()
    }

    pub(super) fn timeouts(&self) -> &Timeouts {
        &self.timeouts
    }

    /// Does the TLS handshake. Replies read ahead were injected by somebody on the way: they are dropped here.
    pub(super) async fn encrypt(self, tls: &ClientTls, host: &str) -> Result<Self, ClientError> {
        let Self { stream, replies: _, timeouts } = self;
        match timeout(timeouts.command, stream.connect_tls(tls, host)).await {
            Ok(Ok(stream)) => Ok(Self::new(stream, timeouts)),
            Ok(Err(fault)) => Err(ClientError::Tls(fault)),
            Err(_) => {
                let text = format!("no handshake within {}", told(timeouts.command));
                Err(ClientError::Tls(TlsFault::new(Flaw::Handshake, text)))
            }
        }
    }

    pub(super) async fn greeting(&mut self) -> Result<Reply, ClientError> {
        self.read("greeting", self.timeouts.greeting, false).await
    }

    /// Writes one command and reads its reply.
    pub(super) async fn command(&mut self, line: &[u8], when: &'static str) -> Result<Reply, ClientError> {
        self.write_commands(line, when).await?;
        self.reply(when).await
    }

    /// Writes commands whose replies are all still to come.
    pub(super) async fn write_commands(&mut self, lines: &[u8], when: &'static str) -> Result<(), ClientError> {
        self.expect_silence(when)?;
        self.write(lines, when, self.timeouts.command, false).await
    }

    /// Reads the reply to a command.
    pub(super) async fn reply(&mut self, when: &'static str) -> Result<Reply, ClientError> {
        self.read(when, self.timeouts.command, false).await
    }

    /// Writes a block of the message.
    pub(super) async fn write_block(&mut self, block: &[u8]) -> Result<(), ClientError> {
        self.write(block, "sending the message", self.timeouts.write, false).await
    }

    /// Writes the last block, final dot included, and reads the verdict. From its first byte on, the server may take
    /// the message without our hearing of it.
    pub(super) async fn finish(&mut self, block: &[u8]) -> Result<Reply, ClientError> {
        // A verdict before the dot would be taken for the one behind it.
        self.expect_silence("sending the message")?;
        if let Err(error) = self.write(block, "sending the final dot", self.timeouts.write, true).await {
            // A success now is no answer to a dot that never left.
            return self.last_words().await.filter(|reply| !reply.is_success()).ok_or(error);
        }
        self.read("end of data", self.timeouts.accepted, true).await
    }

    /// What a server said that has stopped listening, if anything.
    pub(super) async fn last_words(&mut self) -> Option<Reply> {
        self.read("end of data", FAREWELL, false).await.ok()
    }

    /// Closes; says QUIT if `politely`.
    pub(super) async fn quit(mut self, politely: bool) {
        if politely && self.write(b"QUIT\r\n", "QUIT", FAREWELL, false).await.is_ok() {
            let _ = self.read("QUIT", FAREWELL, false).await;
        }
        // The other side may be gone already; there is nobody to tell.
        let _ = timeout(FAREWELL, self.stream.shutdown()).await;
    }

    /// A reply nobody asked for would be taken for the answer to the next command.
    fn expect_silence(&mut self, when: &'static str) -> Result<(), ClientError> {
        if self.replies.is_empty() {
            return Ok(());
        }
        match self.replies.take() {
            Ok(Some(reply)) if reply.code == 421 => Err(ClientError::Refused { when, reply }),
            Ok(Some(reply)) => {
                Err(ClientError::Protocol(format!("a reply before {when} that nobody asked for: {reply}")))
            }
            Ok(None) => Err(ClientError::Protocol(format!("a reply before {when} that nobody asked for"))),
            Err(error) => Err(ClientError::Protocol(error.to_string())),
        }
    }

    async fn write(
        &mut self,
        bytes: &[u8],
        when: &'static str,
        limit: Duration,
        after_data: bool,
    ) -> Result<(), ClientError> {
        let written = timeout(limit, async {
            self.stream.write_all(bytes).await?;
            self.stream.flush().await
        });
        let what = match written.await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("the server takes no data for {}", told(limit)),
        };
        Err(ClientError::Network { when, what, after_data })
    }

    /// Reads one reply, the whole of it within `limit`.
    async fn read(&mut self, when: &'static str, limit: Duration, after_data: bool) -> Result<Reply, ClientError> {
        let lost = |what: String| ClientError::Network { when, what, after_data };
        let read = timeout(limit, async {
            loop {
                match self.replies.take() {
                    Ok(Some(reply)) => return Ok(reply),
                    Ok(None) => {}
                    Err(error) if after_data => return Err(lost(error.to_string())),
                    Err(error) => return Err(ClientError::Protocol(format!("{when}: {error}"))),
                }
                let mut block = [0; READ_BLOCK];
                let count = self.stream.read(&mut block).await.map_err(|error: io::Error| lost(error.to_string()))?;
                match block.get(..count) {
                    Some(bytes) if count > 0 => self.replies.feed(bytes),
                    _ => return Err(lost("the server closed the connection".to_owned())),
                }
            }
        });
        match read.await {
            Ok(result) => result,
            Err(_) => Err(lost(format!("no answer within {}", told(limit)))),
        }
    }
}

/// A time for people.
pub(super) fn told(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 120.. => format!("{} minutes", seconds / 60),
        1 => "1 second".to_owned(),
        seconds => format!("{seconds} seconds"),
    }
}
