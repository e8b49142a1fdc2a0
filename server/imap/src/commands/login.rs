//! STARTTLS, LOGIN, AUTHENTICATE (RFC 3501 6.2, RFC 4959, RFC 4616).

use mailstead_net::Refusal;
use mailstead_net::sasl::{self, Claim, Credentials, CredentialsError, Mechanism, Offer, Turn};
use mailstead_store::Login;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::connection::{Arrival, Connection};
use crate::limits::{COMMAND_BUFFER, LOGIN_TIME, MAX_LOGIN_FAILURES};
use crate::reply::{Failure, Reply};
use crate::session::{Session, State, User};
use crate::wire::framing::Frame;

pub(super) async fn start_tls(session: &mut Session, connection: &mut Connection, tag: &str) -> Result<Reply, Failure> {
    if session.offer.is_some() {
        return Err(Reply::bad("this connection is encrypted already").into());
    }
    if !matches!(session.state, State::NotAuthenticated) {
        return Err(Reply::bad("too late for that").into());
    }
    Reply::ok("begin TLS now").write(tag, &mut connection.out);
    connection.start_tls(&session.config.certificates).await?;
    if let Some(bindings) = connection.bindings() {
        session.offer_logins(bindings);
    }
    // Its reply went out before the handshake: there is no other.
    Err(Failure::Answered)
}

pub(super) async fn login(
    session: &mut Session,
    connection: &mut Connection,
    user: String,
    password: Zeroizing<String>,
) -> Result<Reply, Failure> {
    may_log_in(session)?;
    let claim = Claim::Password(Credentials { login: user, password });
    let (found, _) = check(session, connection, &claim).await?;
    Ok(welcome(session, &found))
}

pub(super) async fn authenticate(
    session: &mut Session,
    connection: &mut Connection,
    mechanism: &str,
    initial: Option<Vec<u8>>,
) -> Result<Reply, Failure> {
    let offer = may_log_in(session)?;
    let offered = Mechanism::parse(mechanism).filter(|mechanism| *mechanism != Mechanism::Login);
    let mut exchange = offered
        .and_then(|mechanism| offer.begin(mechanism))
        .ok_or_else(|| Reply::no("CANNOT", "that mechanism is not offered here, CAPABILITY names those that are"))?;
    let mut message = match initial {
        Some(response) => Zeroizing::new(response),
        None => ask(connection, exchange.first_question()).await?,
    };
    let claim = loop {
        match exchange.answer(&message).map_err(refusal)? {
            Turn::Ask(question, next) => {
                message = ask(connection, &question).await?;
                exchange = next;
            }
            Turn::Check(claim) => break claim,
        }
    };
    let (found, last_word) = check(session, connection, &claim).await?;
    if let Some(word) = last_word
        && !ask(connection, &word).await?.is_empty()
    {
        return Err(refusal(CredentialsError::Scram).into());
    }
    Ok(welcome(session, &found))
}

fn refusal(error: CredentialsError) -> Reply {
    match error {
        CredentialsError::Identity => Reply::no("AUTHORIZATIONFAILED", error.to_string()),
        error if error.is_refusal() => Reply::no("AUTHENTICATIONFAILED", error.to_string()),
        error => Reply::bad(error.to_string()),
    }
}

/// Asks for the next message of the login.
async fn ask(connection: &mut Connection, question: &str) -> Result<Zeroizing<Vec<u8>>, Failure> {
    connection.out.extend_from_slice(format!("+ {question}\r\n").as_bytes());
    let deadline = Instant::now() + LOGIN_TIME;
    loop {
        match connection.framer.next_raw_line() {
            Frame::Command(line) => {
                let line = Zeroizing::new(line);
                if line.as_slice() == b"*" {
                    return Err(Reply::bad("given up, as you wish").into());
                }
                return sasl::response(&line).map_err(|error| refusal(error).into());
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

fn may_log_in(session: &Session) -> Result<&Offer, Failure> {
    if !matches!(session.state, State::NotAuthenticated) {
        return Err(Reply::bad("already logged in").into());
    }
    let without = || Reply::no("PRIVACYREQUIRED", "no passwords in clear text: STARTTLS first").into();
    session.offer.as_ref().ok_or_else(without)
}

/// Asks the gate and the store; the same words whatever was wrong. With who it is comes what the client must hear before.
async fn check(
    session: &mut Session,
    connection: &mut Connection,
    claim: &Claim,
) -> Result<(Login, Option<String>), Failure> {
    let (peer, login, store) = (session.peer.remote.ip(), claim.login(), &session.store);
    let check = claim.check(
        async |login, password| store.authenticate(login, password).await,
        |login, fits| store.authenticate_by_proof(login, fits),
    );
    let admitted = session.gate.admit(peer, login, claim.guess(), check);
    let admitted = timeout_at(Instant::now() + LOGIN_TIME, admitted).await;
    match admitted {
        Ok(Ok(found)) => Ok(found),
        Ok(Err(Refusal::Denied)) => {
            tracing::info!(%peer, ?login, "wrong name or password by IMAP");
            session.failures += 1;
            let reply = Reply::no("AUTHENTICATIONFAILED", claim.denial());
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

fn welcome(session: &mut Session, found: &Login) -> Reply {
    let peer = session.peer.remote.ip();
    session.store.note_login(found, "IMAP", peer);
    tracing::info!(%peer, login = %found.address, "logged in by IMAP");
    let watch = session.store.watch(found.id);
    session.state = State::Authenticated(User { id: found.id, watch, condstore: false, view: None });
    Reply::ok("logged in").with_code(format!("CAPABILITY {}", super::capabilities(session)))
}
