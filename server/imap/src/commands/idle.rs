//! IDLE (RFC 2177).

use tokio::time::Instant;

use crate::connection::{Arrival, Connection};
use crate::limits::{COMMAND_BUFFER, IDLE_KEEPALIVE};
use crate::reply::{Failure, Reply};
use crate::session::{Moment, Session, Told};
use crate::wire::framing::Frame;

pub(super) async fn idle(session: &mut Session, connection: &mut Connection) -> Result<Reply, Failure> {
    connection.out.extend_from_slice(b"+ idling\r\n");
    let end = Instant::now() + session.config.idle_timeout;
    let mut keepalive = Instant::now() + IDLE_KEEPALIVE;
    loop {
        match connection.framer.next_raw_line() {
            Frame::Command(line) if line.eq_ignore_ascii_case(b"DONE") => return Ok(Reply::ok("no longer idle")),
            Frame::Incomplete => {}
            _ => return Err(Reply::bad("only DONE ends IDLE").into()),
        }
        session.tell_changes(Moment::Any, &Told::new(), &mut connection.out);
        // Outside the select: a write must not be cut short by news.
        connection.flush().await?;
        let mut watch = session.user()?.watch.clone();
        let arrival = tokio::select! {
            arrival = connection.read(end.min(keepalive), COMMAND_BUFFER) => arrival?,
            // When the store closes, so does the server: the connection hears of that.
            Ok(()) = watch.changed() => continue,
        };
        match arrival {
            Arrival::Bytes => {}
            Arrival::Stopping => return Err(Failure::Bye("the server is going down, come back soon")),
            // RFC 2177: whoever idles must come back before half an hour is over.
            Arrival::Late if Instant::now() >= end => return Err(Failure::Bye("idle for too long")),
            Arrival::Late => {
                connection.untagged("OK still here");
                keepalive = Instant::now() + IDLE_KEEPALIVE;
            }
        }
    }
}
