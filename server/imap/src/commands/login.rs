//! STARTTLS, LOGIN, AUTHENTICATE (RFC 3501 6.2, RFC 4959, RFC 4616).

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use mailstead_net::Refusal;
use mailstead_net::sasl::{self, Credentials, CredentialsError};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::connection::{Arrival, Connection};
use crate::limits::{COMMAND_BUFFER, LOGIN_TIME, MAX_LOGIN_FAILURES};
use crate::reply::{Failure, Reply};
use crate::session::{Session, State, User};
use crate::wire::framing::Frame;

pub(super) async fn start_tls(session: &Session, connection: &mut Connection, tag: &str) -> Result<Reply, Failure> {
    if connection.is_encrypted() {
        return Err(Reply::bad("this connection is encrypted already").into());
    }
    if !matches!(session.state, State::NotAuthenticated) {
        return Err(Reply::bad("too late for that").into());
    }
    Reply::ok("begin TLS now").write(tag, &mut connection.out);
    connection.start_tls(&session.config.certificates).await?;
    // Its reply went out before the handshake: there is no other.
    Err(Failure::Answered)
}

pub(super) async fn login(
    session: &mut Session,
    connection: &mut Connection,
    user: String,
    password: Zeroizing<String>,
) -> Result<Reply, Failure> {
    may_log_in(session, connection)?;
    check(session, connection, &user, &password).await
}

pub(super) async fn authenticate(
    session: &mut Session,
    connection: &mut Connection,
    mechanism: &str,
    initial: Option<Vec<u8>>,
) -> Result<Reply, Failure> {
    may_log_in(session, connection)?;
    if mechanism != "PLAIN" {
        return Err(Reply::no("CANNOT", "only PLAIN is offered").into());
    }
    let response = match initial {
        Some(response) => Zeroizing::new(response),
        None => ask(connection).await?,
    };
    let Credentials { login, password } = sasl::plain_message(&response).map_err(|error| match error {
        CredentialsError::Identity => Reply::no("AUTHORIZATIONFAILED", error.to_string()),
        other => Reply::bad(other.to_string()),
    })?;
    check(session, connection, &login, &password).await
}

/// Asks for the response that did not come with the command.
async fn ask(connection: &mut Connection) -> Result<Zeroizing<Vec<u8>>, Failure> {
    connection.out.extend_from_slice(b"+ \r\n");
    let deadline = Instant::now() + LOGIN_TIME;
    loop {
        match connection.framer.next_raw_line() {
            Frame::Command(line) => {
                let line = Zeroizing::new(line);
                if line.as_slice() == b"*" {
                    return Err(Reply::bad("given up, as you wish").into());
                }
                let decoded = BASE64_STANDARD.decode(line.as_slice());
                return decoded.map(Zeroizing::new).map_err(|_| Reply::bad("that is no base64").into());
            }
            Frame::Incomplete => match connection.read(deadline, COMMAND_BUFFER).await? {
                Arrival::Bytes => {}
                Arrival::Late => return Err(Failure::Bye("nothing came for too long")),
                Arrival::Stopping => return Err(Failure::Bye("the server is going down, come back soon")),
            },
            _ => return Err(Failure::Bye("the line is too long")),
        }
    }
}

fn may_log_in(session: &Session, connection: &Connection) -> Result<(), Failure> {
    if !matches!(session.state, State::NotAuthenticated) {
        return Err(Reply::bad("already logged in").into());
    }
    if !connection.is_encrypted() {
        return Err(Reply::no("PRIVACYREQUIRED", "no passwords in clear text: STARTTLS first").into());
    }
    Ok(())
}

/// Asks the gate and the store; the same words whatever was wrong.
async fn check(
    session: &mut Session,
    connection: &mut Connection,
    login: &str,
    password: &str,
) -> Result<Reply, Failure> {
    let peer = session.peer.remote.ip();
    let admitted = session.gate.admit(peer, login, password, session.store.authenticate(login, password));
    let admitted = timeout_at(Instant::now() + LOGIN_TIME, admitted).await;
    match admitted {
        Ok(Ok(found)) => {
            tracing::info!(%peer, login = %found.address, "logged in by IMAP");
            let watch = session.store.watch(found.id);
            session.state = State::Authenticated(User { id: found.id, watch, condstore: false, view: None });
            let capabilities = super::capabilities(session, connection);
            Ok(Reply::ok("logged in").with_code(format!("CAPABILITY {capabilities}")))
        }
        Ok(Err(Refusal::Denied)) => {
            tracing::info!(%peer, ?login, "wrong name or password by IMAP");
            session.failures += 1;
            let reply = Reply::no("AUTHENTICATIONFAILED", "wrong name or password");
            if session.failures >= MAX_LOGIN_FAILURES {
                session.state = State::Logout;
                connection.untagged("BYE too many wrong passwords");
            }
            Err(reply.into())
        }
        Ok(Err(Refusal::Banned)) => {
            session.state = State::Logout;
            connection.untagged("BYE too many wrong passwords from your network, try again later");
            Err(Reply::no("UNAVAILABLE", "logins from your network are locked out for a while").into())
        }
        Ok(Err(Refusal::Error(error))) => Err(error.into()),
        Err(_) => Err(Reply::no("UNAVAILABLE", "the server is too busy to check passwords, try again later").into()),
    }
}
