//! The client's side: one connection to one server, for any number of messages.
//!
//! `handshake` and `transaction` are the protocol: replies in, commands out, no socket and no clock. `replies` reads
//! replies out of bytes, `dots` makes a message's bytes fit for the wire. [`Client`] is the thin driver.

mod capabilities;
mod connection;
mod dots;
mod handshake;
mod replies;
#[cfg(test)]
mod tests;
mod transaction;

use std::time::Duration;

use mailstead_message::{Address, ReversePath};
use mailstead_net::{BoxFuture, ClientTls, Flaw, Look, Stream, TlsFault, TlsInfo};
use tokio::time::{Instant, timeout_at};

use crate::Reply;
use crate::server::NotifyParam;
use capabilities::Capabilities;
use connection::Connection;
use dots::{BareLineEnd, DotStuffer};
use handshake::{Handshake, StartTls, Step};
use transaction::{Next, Transaction};

/// How to open a session.
#[derive(Debug, Clone)]
pub struct Options {
    /// Our name, for EHLO.
    pub hostname: String,
    /// The server's name, for TLS.
    pub server_name: String,
    /// What TLS is wanted.
    pub tls: Tls,
    /// Login, after TLS.
    pub login: Option<(String, String)>,
    /// Limits of patience.
    pub timeouts: Timeouts,
}

/// What TLS is wanted.
#[derive(Debug, Clone)]
pub enum Tls {
    /// None, ever.
    Never,
    /// STARTTLS when offered; if the handshake fails the error says so and the caller may connect again with [`Tls::Never`].
    Opportunistic(ClientTls),
    /// STARTTLS must be offered and succeed.
    Required(ClientTls),
    /// TLS from the first byte.
    Implicit(ClientTls),
}

/// Limits of patience (RFC 5321 4.5.3.2).
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// Banner.
    pub greeting: Duration,
    /// EHLO, MAIL, RCPT, RSET.
    pub command: Duration,
    /// Each block of data written.
    pub write: Duration,
    /// The reply behind the final dot.
    pub accepted: Duration,
    /// One message from MAIL up to the final dot, however slowly the server drinks it.
    pub message: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            greeting: Duration::from_secs(300),
            command: Duration::from_secs(300),
            write: Duration::from_secs(180),
            accepted: Duration::from_secs(600),
            // 50 MB at half a megabit a second take 800 seconds.
            message: Duration::from_secs(20 * 60),
        }
    }
}

/// Why a session or a message failed as a whole.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// The connection broke or timed out; `when` says in which step.
    #[error("{when}: {what}")]
    Network {
        /// The step.
        when: &'static str,
        /// The cause.
        what: String,
        /// The final dot had been sent: the peer may have taken the message.
        after_data: bool,
    },
    /// The server refused the session (banner, EHLO, AUTH).
    #[error("{when}: {reply}")]
    Refused {
        /// The step.
        when: &'static str,
        /// Its words.
        reply: Reply,
    },
    /// TLS failed.
    #[error("TLS: {0}")]
    Tls(TlsFault),
    /// The server broke the protocol.
    #[error("protocol error: {0}")]
    Protocol(String),
    /// Our side could not read the message it was to send.
    #[error("the message can't be read: {0}")]
    Message(String),
}

/// A recipient of an outgoing message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// The address.
    pub address: Address,
    /// NOTIFY, passed on when the server has DSN.
    pub notify: Option<NotifyParam>,
    /// ORCPT, passed on when the server has DSN.
    pub orcpt: Option<(String, String)>,
}

/// An outgoing envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// From.
    pub reverse_path: ReversePath,
    /// To, at least one.
    pub recipients: Vec<Recipient>,
    /// Bytes of the message.
    pub size: u64,
    /// Has bytes over 127.
    pub eight_bit: bool,
    /// Needs SMTPUTF8.
    pub smtputf8: bool,
    /// ENVID.
    pub envid: Option<String>,
    /// RET (true is FULL).
    pub ret_full: Option<bool>,
    /// REQUIRETLS: a server without it gets nothing.
    pub require_tls: bool,
}

/// Gives the message's bytes block by block (CRLF lines, not dot-stuffed), so that it need not be held in memory.
pub trait Source: Send {
    /// The next block; an empty one at the end.
    fn next<'a>(&'a mut self) -> BoxFuture<'a, std::io::Result<Vec<u8>>>;
}

/// What became of one message: a result for each recipient, in order.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The server's last word on each recipient: success means it has taken responsibility.
    pub recipients: Vec<Reply>,
    /// The server has the DSN extension, so NOTIFY=SUCCESS is its duty now.
    pub dsn: bool,
}

/// An open session.
#[derive(Debug)]
pub struct Client {
    connection: Connection,
    offered: Capabilities,
    /// The server may still hold a transaction that came to nothing.
    reset: bool,
    usable: bool,
}

/// How far a message has come before its final dot.
enum Stage {
    /// This block, dot included, is still to be written.
    LastBlock(Vec<u8>),
    /// As before, but nobody receives it: only the session is kept in step.
    DotAlone,
    /// All is said, the session goes on.
    Over,
    /// All is said, the session can't go on.
    Broken,
}

impl Client {
    /// Greets, says EHLO (HELO as the last resort), does TLS and login. `name` becomes what the server calls itself in its
    /// banner, also where the session fails later; with STARTTLS, anybody may have said it.
    pub async fn open(stream: Stream, options: Options, name: &mut Option<String>) -> Result<Self, ClientError> {
        let Options { hostname, server_name, tls, login, timeouts } = options;
        let mut connection = Connection::new(stream, timeouts);
        let (start_tls, tls) = match tls {
            Tls::Never => (StartTls::Never, None),
            Tls::Opportunistic(tls) => (StartTls::IfOffered, Some(tls)),
            Tls::Required(tls) => (StartTls::Required, Some(tls)),
            Tls::Implicit(tls) => {
                connection = connection.encrypt(&tls, &server_name).await?;
                (StartTls::Required, None)
            }
        };
        let mut handshake = Handshake::new(hostname, start_tls, login, connection.tls().is_some());
        let banner = connection.greeting().await?;
        *name = name_in(&banner);
        let mut step = handshake.reply(banner)?;
        loop {
            step = match step {
                Step::Ready(offered) => return Ok(Self { connection, offered, reset: false, usable: true }),
                Step::Send { line, when } => handshake.reply(connection.command(&line, when).await?)?,
                Step::Encrypt => {
                    let Some(tls) = &tls else {
                        return Err(ClientError::Tls(TlsFault::new(Flaw::Handshake, "TLS was not asked for")));
                    };
                    connection = connection.encrypt(tls, &server_name).await?;
                    handshake.encrypted()
                }
            };
        }
    }

    /// TLS, if it is on.
    pub fn tls(&self) -> Option<&TlsInfo> {
        self.connection.tls()
    }

    /// What we found of the server's certificate, if TLS is on: with a lenient [`ClientTls`] it may be wrong.
    pub fn certificate(&self) -> Option<&Look> {
        self.connection.certificate()
    }

    /// True when the server promises to send on only under verified TLS what is to travel so (RFC 8689).
    pub fn offers_require_tls(&self) -> bool {
        self.offered.require_tls && self.tls().is_some()
    }

    /// False when no further message can be sent: the last one could not be ended properly.
    pub fn is_usable(&self) -> bool {
        self.usable
    }

    /// Sends one message, pipelined where offered. A server without 8BITMIME still gets 8-bit bytes only if the
    /// caller allows by not setting `eight_bit`; otherwise, and for SMTPUTF8 and SIZE likewise, all recipients fail with a
    /// local 5.6.3 / 5.6.7 / 5.3.4 reply without a byte sent. A message with a bare CR or LF fails with a local 5.6.11,
    /// after which [`Self::is_usable`] is false. After an `Err` the session must be dropped.
    pub async fn send(&mut self, envelope: &Outgoing, source: &mut dyn Source) -> Result<Outcome, ClientError> {
        if !self.usable {
            return Err(ClientError::Protocol("the session is over".to_owned()));
        }
        let mut transaction = Transaction::new(envelope, &self.offered, self.reset);
        let commands = transaction.commands();
        if !commands.is_empty() {
            // Whoever drops this future half way leaves a session nobody can go on with.
            self.usable = false;
            self.usable = self.exchange(&mut transaction, commands, source).await?;
            self.reset = transaction.unfinished;
        }
        Ok(Outcome { recipients: transaction.results(), dsn: self.offered.dsn })
    }

    /// Says QUIT and closes, in bounded time.
    pub async fn quit(self) {
        self.connection.quit(self.usable).await;
    }
    /// Runs a transaction to its end; true when the session can go on.
    async fn exchange(
        &mut self,
        transaction: &mut Transaction,
        commands: Vec<u8>,
        source: &mut dyn Source,
    ) -> Result<bool, ClientError> {
        let limit = self.connection.timeouts().message;
        let stage = timeout_at(Instant::now() + limit, self.up_to_the_dot(transaction, commands, source));
        let Ok(stage) = stage.await else {
            let what = format!("not done within {}", connection::told(limit));
            return Err(ClientError::Network { when: "sending the message", what, after_data: false });
        };
        match stage? {
            Stage::Over => Ok(true),
            Stage::Broken => Ok(false),
            Stage::DotAlone => Ok(self.connection.finish(b".\r\n").await.is_ok_and(|reply| {
                transaction.final_dot();
                transaction.reply(reply).is_ok()
            })),
            Stage::LastBlock(block) => {
                let reply = self.connection.finish(&block).await?;
                transaction.final_dot();
                match transaction.reply(reply) {
                    Ok(_) => Ok(true),
                    Err(ClientError::Protocol(what)) => {
                        Err(ClientError::Network { when: "end of data", what, after_data: true })
                    }
                    Err(error) => Err(error),
                }
            }
        }
    }

    /// Sends envelope and message but for the last block, which has the final dot.
    async fn up_to_the_dot(
        &mut self,
        transaction: &mut Transaction,
        commands: Vec<u8>,
        source: &mut dyn Source,
    ) -> Result<Stage, ClientError> {
        self.connection.write_commands(&commands, "MAIL FROM").await?;
        loop {
            let reply = self.connection.reply(transaction.awaited()).await?;
            match transaction.reply(reply)? {
                Next::Read => {}
                Next::Write => {
                    let commands = transaction.commands();
                    self.connection.write_commands(&commands, transaction.awaited()).await?;
                }
                Next::Message => return self.message(transaction, source).await,
                Next::DotAlone => return Ok(Stage::DotAlone),
                Next::Muddled => return Ok(Stage::Broken),
                Next::Done => return Ok(Stage::Over),
            }
        }
    }

    /// Streams the message, always one block behind, so that the dot travels with the last one.
    async fn message(&mut self, transaction: &mut Transaction, source: &mut dyn Source) -> Result<Stage, ClientError> {
        let mut stuffer = DotStuffer::default();
        let mut out = Vec::new();
        loop {
            let block = source.next().await.map_err(|error| ClientError::Message(error.to_string()))?;
            if block.is_empty() {
                break;
            }
            if !out.is_empty() {
                if let Err(error) = self.connection.write_block(&out).await {
                    return self.broken_off(transaction, error).await;
                }
                out.clear();
            }
            if let Err(error) = stuffer.push(&block, &mut out) {
                return Ok(unsendable(transaction, error));
            }
        }
        match stuffer.finish(&mut out) {
            Ok(()) => Ok(Stage::LastBlock(out)),
            Err(error) => Ok(unsendable(transaction, error)),
        }
    }

    /// A server that closes in the middle of a message has often said why.
    async fn broken_off(&mut self, transaction: &mut Transaction, error: ClientError) -> Result<Stage, ClientError> {
        match self.connection.last_words().await {
            Some(reply) if reply.is_permanent() || (reply.is_temporary() && reply.code != 421) => {
                transaction.settle_rest(&reply);
                Ok(Stage::Broken)
            }
            Some(reply) if reply.code == 421 => Err(ClientError::Refused { when: "sending the message", reply }),
            _ => Err(error),
        }
    }
}

/// The message may not leave as it is. The final dot is never sent, so the server drops what it has of it.
fn unsendable(transaction: &mut Transaction, error: BareLineEnd) -> Stage {
    transaction.settle_rest(&Reply::new(554, (5, 6, 11), error.to_string()));
    Stage::Broken
}

/// What a server calls itself: the first word of its banner (RFC 5321 4.2).
fn name_in(banner: &Reply) -> Option<String> {
    let word = banner.lines.first()?.split(' ').next()?;
    (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_graphic())).then(|| word.to_owned())
}
