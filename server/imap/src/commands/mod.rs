//! The commands: which are allowed when, what the server says it can do, and one file per family.

pub(crate) mod append;
mod copy;
mod expunge;
mod fetch;
mod idle;
mod list;
mod login;
mod mailboxes;
mod search;
mod select;
mod status;
mod store;

use crate::connection::Connection;
use crate::reply::{Failure, Reply};
use crate::session::{Moment, Session, State, Told};
use crate::wire::Command;

/// What every session can. Told before login as well: many clients ask only once, and before.
const CAPABILITIES: &str = "IMAP4rev1 LITERAL+ SASL-IR ID ENABLE IDLE NAMESPACE UNSELECT CHILDREN UIDPLUS MOVE \
                            SPECIAL-USE CREATE-SPECIAL-USE LIST-EXTENDED LIST-STATUS STATUS=SIZE CONDSTORE ESEARCH";
/// What ENABLE knows (RFC 5161).
const ENABLEABLE: [&str; 1] = ["CONDSTORE"];

/// The capabilities at this moment, without the word `CAPABILITY`.
pub(crate) fn capabilities(session: &Session) -> String {
    let login = match (&session.state, &session.offer) {
        (State::Authenticated(_) | State::Logout, _) => String::new(),
        (State::NotAuthenticated, Some(offer)) => offer.mechanisms().map(|name| format!(" AUTH={name}")).collect(),
        (State::NotAuthenticated, None) => " STARTTLS LOGINDISABLED".to_owned(),
    };
    format!("{CAPABILITIES} APPENDLIMIT={}{login}", session.config.max_message_size)
}

/// Carries out one command. What it says before its tagged reply is in the connection's output.
pub(crate) async fn run(
    session: &mut Session,
    connection: &mut Connection,
    tag: &str,
    command: Command,
) -> Result<Reply, Failure> {
    let moment = moment_after(&command);
    let mut told = Told::new();
    let reply = dispatch(session, connection, tag, command, &mut told).await;
    // A refused command is as good an occasion as another to tell what has changed.
    if !matches!(reply, Err(Failure::Connection(_) | Failure::Bye(_))) {
        session.tell_changes(moment, &told, &mut connection.out);
    }
    reply
}

/// RFC 3501 7.4.1: no EXPUNGE while FETCH, STORE or SEARCH are answered by message numbers.
fn moment_after(command: &Command) -> Moment {
    match command {
        Command::Fetch { uid: false, .. } | Command::Store { uid: false, .. } | Command::Search { uid: false, .. } => {
            Moment::NoExpunge
        }
        _ => Moment::Any,
    }
}

async fn dispatch(
    session: &mut Session,
    connection: &mut Connection,
    tag: &str,
    command: Command,
    told: &mut Told,
) -> Result<Reply, Failure> {
    match command {
        Command::Capability => {
            let capabilities = capabilities(session);
            connection.untagged(&format!("CAPABILITY {capabilities}"));
            Ok(Reply::ok("that is all"))
        }
        Command::Noop => Ok(Reply::ok("done")),
        Command::Logout => {
            session.deselect();
            session.state = State::Logout;
            connection.untagged("BYE until next time");
            Ok(Reply::ok("logged out"))
        }
        Command::Id => {
            connection.untagged("ID (\"name\" \"Mailstead\")");
            Ok(Reply::ok("pleased to meet you"))
        }
        Command::StartTls => login::start_tls(session, connection, tag).await,
        Command::Authenticate { mechanism, initial } => {
            login::authenticate(session, connection, &mechanism, initial).await
        }
        Command::Login { user, password } => login::login(session, connection, user, password).await,
        command => {
            session.user()?;
            authenticated(session, connection, tag, command, told).await
        }
    }
}

async fn authenticated(
    session: &mut Session,
    connection: &mut Connection,
    tag: &str,
    command: Command,
    told: &mut Told,
) -> Result<Reply, Failure> {
    match command {
        Command::Enable(names) => Ok(enable(session, connection, &names)),
        Command::Namespace => {
            connection.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
            Ok(Reply::ok("one namespace for all"))
        }
        Command::Select { mailbox, read_only, condstore } => {
            select::select(session, connection, &mailbox, read_only, condstore).await
        }
        Command::Create { mailbox, uses } => mailboxes::create(session, &mailbox, &uses).await,
        Command::Delete(mailbox) => mailboxes::delete(session, &mailbox).await,
        Command::Rename { from, to } => mailboxes::rename(session, &from, &to).await,
        Command::Subscribe(mailbox) => mailboxes::subscribe(session, &mailbox, true).await,
        Command::Unsubscribe(mailbox) => mailboxes::subscribe(session, &mailbox, false).await,
        Command::List(list) => list::list(session, connection, &list).await,
        Command::Lsub { reference, pattern } => list::lsub(session, connection, &reference, &pattern),
        Command::Status { mailbox, items } => status::status(session, connection, &mailbox, &items),
        Command::Idle => idle::idle(session, connection).await,
        Command::Check => {
            session.view()?;
            // Everything is on disk before it is acknowledged: there is nothing left to do.
            Ok(Reply::ok("all is safe"))
        }
        Command::Close => expunge::close(session).await,
        Command::Unselect => {
            session.view()?;
            session.deselect();
            Ok(Reply::ok("left"))
        }
        Command::Expunge { uids } => expunge::expunge(session, uids.as_ref()).await,
        Command::Search { uid, search } => search::search(session, connection, tag, uid, search).await,
        Command::Fetch { uid, set, fetch } => fetch::fetch(session, connection, uid, &set, fetch, told).await,
        Command::Store { uid, set, store } => store::store(session, connection, uid, &set, store, told).await,
        Command::Copy { uid, set, mailbox } => copy::copy(session, uid, &set, &mailbox).await,
        Command::Move { uid, set, mailbox } => copy::move_messages(session, connection, uid, &set, &mailbox).await,
        // Before-login commands were taken by the caller.
        _ => Err(Reply::bad("not now").into()),
    }
}

/// RFC 5161: what is unknown is passed over.
fn enable(session: &mut Session, connection: &mut Connection, names: &[String]) -> Reply {
    let known = ENABLEABLE.into_iter().filter(|known| names.iter().any(|name| name == known));
    let enabled: String = known.map(|name| format!(" {name}")).collect();
    if enabled.contains("CONDSTORE") {
        session.enable_condstore(&mut connection.out);
    }
    connection.untagged(&format!("ENABLED{enabled}"));
    Reply::ok("enabled what is known")
}
