//! A small, quick SMTP client.

use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::{Reply, Wire};

/// An SMTP session.
#[derive(Debug)]
pub struct Smtp {
    /// The connection, for what no client would send.
    pub wire: Wire,
}

impl Smtp {
    /// Takes over a connection that has said nothing yet.
    pub fn new(wire: Wire) -> Self {
        Self { wire }
    }

    /// Reads the banner and says EHLO; gives the extensions.
    pub fn try_hello(&mut self, name: &str) -> io::Result<Vec<String>> {
        let banner = self.wire.try_reply()?;
        if banner.code != 220 {
            return Err(io::Error::other(format!("banner: {banner}")));
        }
        let reply = self.try_command(&format!("EHLO {name}"))?;
        if reply.code != 250 {
            return Err(io::Error::other(format!("EHLO: {reply}")));
        }
        Ok(reply.lines.into_iter().skip(1).collect())
    }

    /// Reads the banner and says EHLO; gives the extensions.
    #[track_caller]
    pub fn hello(&mut self, name: &str) -> Vec<String> {
        self.try_hello(name).unwrap_or_else(|e| panic!("{e}"))
    }

    /// Says AUTH PLAIN.
    pub fn try_login(&mut self, login: &str, password: &str) -> io::Result<Reply> {
        let token = BASE64_STANDARD.encode(format!("\0{login}\0{password}"));
        self.try_command(&format!("AUTH PLAIN {token}"))
    }

    /// Says AUTH PLAIN and demands success.
    #[track_caller]
    pub fn login(&mut self, login: &str, password: &str) {
        self.try_login(login, password).unwrap_or_else(|e| panic!("AUTH: {e}")).expect(235);
    }

    /// Sends one command and reads its reply.
    pub fn try_command(&mut self, line: &str) -> io::Result<Reply> {
        self.wire.try_send(format!("{line}\r\n").as_bytes())?;
        self.wire.try_reply()
    }

    /// Sends a message whose `data` is ready for the wire (see [`ready_for_the_wire`]), pipelining the envelope.
    /// Gives the reply to the final dot, or the first reply that stood in its way.
    pub fn try_send_ready(&mut self, from: &str, to: &[&str], data: &[u8]) -> io::Result<Reply> {
        let mut envelope = format!("MAIL FROM:<{from}>\r\n");
        for recipient in to {
            envelope.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
        }
        envelope.push_str("DATA\r\n");
        self.wire.try_send(envelope.as_bytes())?;
        let mut refused = None;
        for _ in 0..=to.len() {
            let reply = self.wire.try_reply()?;
            if reply.code != 250 {
                refused.get_or_insert(reply);
            }
        }
        let go = self.wire.try_reply()?;
        if go.code != 354 {
            let reply = refused.unwrap_or(go);
            let _ = self.try_command("RSET")?;
            return Ok(reply);
        }
        self.wire.try_send(data)?;
        self.wire.try_reply()
    }

    /// Sends a message and gives the reply that decided on it.
    pub fn try_send(&mut self, from: &str, to: &[&str], message: &[u8]) -> io::Result<Reply> {
        self.try_send_ready(from, to, &ready_for_the_wire(message))
    }

    /// Sends a message and demands that it is accepted.
    #[track_caller]
    pub fn send(&mut self, from: &str, to: &[&str], message: &[u8]) -> Reply {
        self.try_send(from, to, message).unwrap_or_else(|e| panic!("sending: {e}")).expect(250)
    }

    /// Says goodbye.
    pub fn quit(mut self) {
        let _ = self.try_command("QUIT");
    }
}

/// A message as DATA carries it: dot-stuffed and with the final dot (RFC 5321 4.5.2).
pub fn ready_for_the_wire(message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len() + 64);
    for line in message.split_inclusive(|&b| b == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend_from_slice(line);
    }
    if !data.ends_with(b"\r\n") {
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(b".\r\n");
    data
}
