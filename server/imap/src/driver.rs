//! From the first byte of a connection to its last: frames in, commands carried out, replies out.

use std::io;
use std::sync::Arc;

use mailstead_net::{Gate, Peer, Permit, Stream};
use mailstead_store::Store;
use tokio::sync::watch;
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::Config;
use crate::commands::{self, append};
use crate::connection::{Arrival, Connection};
use crate::limits::{COMMAND_BUFFER, LOGIN_TIME, MAX_COMMANDS_BEFORE_LOGIN, MAX_LITERALS, MAX_LITERALS_BEFORE_LOGIN};
use crate::reply::{Failure, Reply, store_reply};
use crate::session::{Session, State};
use crate::wire::framing::{Frame, Literal};
use crate::wire::{self, BadRequest, SyntaxError};

/// Serves one connection to its end. Never panics on what a peer sends.
pub async fn serve(
    stream: Stream,
    peer: Peer,
    permit: Permit,
    config: Arc<Config>,
    store: Store,
    gate: Arc<Gate>,
    shutdown: watch::Receiver<bool>,
) {
    let stream = match stream.begin(config.implicit_tls.then_some(&config.certificates)).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(peer = %peer.remote, %error, "no TLS"),
    };
    let mut connection = Connection::new(stream, shutdown);
    let mut session = Session { config, store, gate, peer, offer: None, state: State::NotAuthenticated, failures: 0 };
    if let Some(bindings) = connection.bindings() {
        session.offer_logins(bindings);
    }
    let capabilities = commands::capabilities(&session);
    connection.untagged(&format!("OK [CAPABILITY {capabilities}] {} Mailstead ready", session.config.hostname));
    let ended = converse(&mut session, &mut connection).await;
    session.deselect();
    match ended {
        Ok(()) => connection.finish().await,
        Err(error) => tracing::debug!(peer = %peer.remote, %error, "connection lost"),
    }
    drop(permit);
}

/// Tells a connection there is no place for it (`* BYE`) and closes it, in bounded time.
pub async fn turn_away(stream: Stream, config: Arc<Config>) {
    let words = b"* BYE [LIMIT] too many connections, come back later\r\n";
    stream.turn_away(config.implicit_tls.then_some(&config.certificates), words).await;
}

/// Takes frames until the session ends. An error means that the connection is gone.
async fn converse(session: &mut Session, connection: &mut Connection) -> io::Result<()> {
    let login_end = Instant::now() + LOGIN_TIME;
    let mut commands_before_login = 0;
    loop {
        let logged_in = match session.state {
            State::Logout => return Ok(()),
            State::Authenticated(_) => true,
            State::NotAuthenticated => false,
        };
        let outcome = match connection.framer.next() {
            Frame::Incomplete => {
                let deadline = if logged_in { Instant::now() + session.config.idle_timeout } else { login_end };
                wait(connection, deadline).await
            }
            Frame::Command(_) | Frame::Literal(_)
                if !logged_in && commands_before_login == MAX_COMMANDS_BEFORE_LOGIN =>
            {
                Err(Failure::Bye("too many commands without a login"))
            }
            Frame::Command(command) => {
                commands_before_login += u32::from(!logged_in);
                run(session, connection, Zeroizing::new(command)).await
            }
            Frame::Literal(literal) => {
                commands_before_login += u32::from(!logged_in);
                take_literal(session, connection, literal).await
            }
            // Streamed literals are read where they are asked for.
            Frame::Chunk(_) | Frame::ChunksEnd => Ok(()),
            Frame::TooLong(start) => {
                too_long(&start, &mut connection.out);
                Err(Failure::Bye("the command line is too long"))
            }
        };
        match outcome {
            Ok(()) | Err(Failure::Answered) => connection.flush_if_large().await?,
            Err(Failure::Bye(why)) => {
                connection.untagged(&format!("BYE {why}"));
                return Ok(());
            }
            Err(Failure::Connection(error)) => return Err(error),
            // Refusals have been told with their tag by now; these had none.
            Err(Failure::Refused(reply)) => reply.write("*", &mut connection.out),
            Err(Failure::Store(error)) => store_reply(&error).write("*", &mut connection.out),
        }
    }
}

/// Waits for the next command, and ends the session when there is none.
async fn wait(connection: &mut Connection, deadline: Instant) -> Result<(), Failure> {
    match connection.read(deadline, COMMAND_BUFFER).await? {
        Arrival::Bytes => Ok(()),
        Arrival::Late => Err(Failure::Bye("nothing came for too long")),
        Arrival::Stopping => Err(Failure::Bye("the server is going down, come back soon")),
    }
}

async fn run(session: &mut Session, connection: &mut Connection, command: Zeroizing<Vec<u8>>) -> Result<(), Failure> {
    let request = match wire::parse(&command) {
        Ok(request) => request,
        Err(bad) => return misunderstood(session, connection, &bad),
    };
    drop(command);
    let reply = match commands::run(session, connection, &request.tag, request.command).await {
        Ok(reply) | Err(Failure::Refused(reply)) => reply,
        Err(Failure::Store(error)) => store_reply(&error),
        Err(failure) => return Err(failure),
    };
    reply.write(&request.tag, &mut connection.out);
    Ok(())
}

fn misunderstood(session: &Session, connection: &mut Connection, bad: &BadRequest) -> Result<(), Failure> {
    let text = bad.error.to_string();
    let reply = match bad.error {
        // RFC 3501 6.4.4: the charsets we have are told.
        SyntaxError::Charset => Reply::no("BADCHARSET (UTF-8 US-ASCII)", text),
        SyntaxError::MailboxName => Reply::no("CANNOT", text),
        SyntaxError::TooMany(_) | SyntaxError::TooDeep => Reply::bad(text).with_code("LIMIT"),
        SyntaxError::Tag | SyntaxError::UnknownCommand | SyntaxError::Expected { .. } => Reply::bad(text),
    };
    tracing::debug!(peer = %session.peer.remote, error = %bad.error, "a command is not understood");
    reply.write(bad.tag.as_deref().unwrap_or("*"), &mut connection.out);
    Ok(())
}

/// Decides about an announced literal before a byte of it is read.
async fn take_literal(session: &mut Session, connection: &mut Connection, literal: Literal) -> Result<(), Failure> {
    if let Some(head) = wire::append_head(&literal.head)
        && matches!(session.state, State::Authenticated(_))
    {
        return append::run(session, connection, head, &literal).await;
    }
    let most = match session.state {
        State::Authenticated(_) => MAX_LITERALS,
        State::NotAuthenticated | State::Logout => MAX_LITERALS_BEFORE_LOGIN,
    };
    let size = usize::try_from(literal.size).unwrap_or(usize::MAX);
    if connection.framer.held().saturating_add(size) > most {
        too_long(&literal.head, &mut connection.out);
        if literal.synchronising {
            connection.framer.refuse();
            return Ok(());
        }
        return Err(Failure::Bye("the literal is too large"));
    }
    connection.framer.hold();
    if literal.synchronising {
        connection.out.extend_from_slice(b"+ go ahead\r\n");
    }
    Ok(())
}

/// Says to a command of which only the beginning is known that it is too long.
fn too_long(start: &[u8], out: &mut Vec<u8>) {
    let tag = match wire::parse(start) {
        Ok(request) => Some(request.tag),
        Err(bad) => bad.tag,
    };
    let reply = Reply::bad("the command is too long").with_code("TOOBIG");
    reply.write(tag.as_deref().unwrap_or("*"), out);
}
