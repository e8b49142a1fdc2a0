//! The loop between a [`Stream`], a [`Session`] and a [`Handler`]: sockets, clocks and files, and no decisions.

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mailstead_net::{Peer, Permit, Stream, stopped};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::session::{Event, Session};
use super::spool::Spool;
use super::{Body, Config, Envelope, Handler};
use crate::Reply;

/// Read at a time while commands come: a pipelined group with its recipients fits.
const COMMAND_BUFFER: usize = 4 << 10;
/// Read at a time while a message comes.
const DATA_BUFFER: usize = 64 << 10;
/// A message must come faster than this many octets a second, seen over its whole; a modem did.
const MIN_RATE: u64 = 1 << 10;
/// When the server goes down, a message that is coming in has this long to end.
const STOP_PATIENCE: Duration = Duration::from_secs(15);

/// Serves one connection to its end. Never panics on what a peer sends.
pub async fn serve(
    stream: Stream,
    peer: Peer,
    permit: Permit,
    config: Arc<Config>,
    handler: Arc<dyn Handler>,
    shutdown: watch::Receiver<bool>,
) {
    let stream = match stream.begin(config.implicit_tls.then_some(&config.certificates)).await {
        Ok(stream) => stream,
        Err(error) => return tracing::debug!(peer = %peer.remote, %error, "no TLS"),
    };
    let mut session = Session::new(Arc::clone(&config), peer, stream.tls().cloned());
    if config.implicit_tls {
        session.offer_scram(handler.scram());
    }
    let clock = Clock::new(&config);
    let spool = Spool::default();
    let mut driver = Driver { stream: Some(stream), session, spool, config, handler, clock, shutdown };
    driver.run().await;
    if let Some(stream) = driver.stream.take() {
        stream.finish().await;
    }
    drop(permit);
}

/// Tells a connection there is no place for it (421 4.7.0) and closes it, in bounded time.
pub async fn turn_away(stream: Stream, config: Arc<Config>) {
    let mut words = Vec::new();
    let text = format!("{} has too many connections, come back later", config.hostname);
    Reply::new(421, (4, 7, 0), text).write_to(&mut words);
    stream.turn_away(config.implicit_tls.then_some(&config.certificates), &words).await;
}

struct Driver {
    /// `None` once the connection is of no more use.
    stream: Option<Stream>,
    session: Session,
    spool: Spool,
    config: Arc<Config>,
    handler: Arc<dyn Handler>,
    clock: Clock,
    shutdown: watch::Receiver<bool>,
}

impl Driver {
    async fn run(&mut self) {
        loop {
            if *self.shutdown.borrow() {
                self.session.stop();
            }
            let event = self.session.next_event();
            let over = matches!(event, Event::Close);
            if let Err(error) = self.handle(event).await {
                tracing::debug!(peer = %self.session.client().peer.remote, %error, "connection lost");
                self.stream = None;
                self.session.lost();
            }
            if over {
                return;
            }
        }
    }

    /// An error means that the connection is gone.
    async fn handle(&mut self, event: Event) -> io::Result<()> {
        match event {
            Event::Read => {
                self.flush().await?;
                self.read().await?;
            }
            Event::Delay(time, reply) => {
                self.flush().await?;
                tokio::select! {
                    () = sleep(time) => {}
                    () = stopped(&mut self.shutdown) => {}
                }
                self.session.delayed(&reply);
            }
            Event::StartTls => self.start_tls().await?,
            Event::Close => self.flush().await?,
            Event::Spool(block) => {
                let written = self.spool.append(&self.config.spool_folder, block).await;
                self.session.spooled(self.room(written));
            }
            Event::Discard => self.spool.discard(),
            Event::Abandoned(transaction, why) => {
                self.spool.discard();
                let (trace, from, recipients) = (transaction.trace, &transaction.from, &transaction.recipients);
                self.handler.abandoned(self.session.client(), trace, from, recipients, &why);
            }
            Event::Connected => {
                let answer = self.handler.connected(self.session.client()).await;
                self.session.connected(answer);
            }
            Event::Auth(claim) => {
                let answer = self.handler.authenticate(self.session.client(), claim).await;
                self.session.authenticated(answer);
            }
            Event::Mail(from) => {
                let trace = self.handler.trace();
                let answer = self.handler.mail(self.session.client(), trace, &from).await;
                self.session.mail_answered(trace, from, answer);
            }
            Event::Rcpt(to) => {
                let Some(open) = self.session.transaction() else { return Ok(()) };
                let client = self.session.client();
                let answer = self.handler.rcpt(client, open.trace, &open.from, &open.recipients, &to).await;
                self.session.rcpt_answered(to, answer);
            }
            Event::Message(envelope, tail) => self.message(envelope, tail).await,
        }
        Ok(())
    }

    async fn message(&mut self, envelope: Envelope, tail: Vec<u8>) {
        let body = if self.spool.is_empty() && tail.len() <= self.config.spool_above {
            Some(Body::Memory(tail))
        } else {
            let written = self.spool.append(&self.config.spool_folder, tail).await;
            let room = self.room(written);
            self.spool.take().filter(|_| room).map(|(file, len)| Body::Spooled { file, len })
        };
        match body {
            Some(body) => {
                let reply = self.handler.message(self.session.client(), envelope, body).await;
                self.session.message_answered(&reply);
            }
            None => self.session.message_not_kept(envelope),
        }
    }

    fn room(&self, written: io::Result<()>) -> bool {
        if let Err(error) = &written {
            tracing::warn!(folder = %self.config.spool_folder.display(), %error, "a message can't be spooled");
        }
        written.is_ok()
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.flush().await?;
        let Some(stream) = self.stream.take() else { return Err(gone()) };
        let stream = stream.accept_tls(&self.config.certificates).await?;
        if let Some(tls) = stream.tls().cloned() {
            self.session.tls_started(tls);
            self.session.offer_scram(self.handler.scram());
        }
        self.stream = Some(stream);
        Ok(())
    }

    /// Sends what there is to say; a client that does not listen is as good as gone.
    async fn flush(&mut self) -> io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let Some(stream) = &mut self.stream else { return Err(gone()) };
        let sent = timeout(self.config.command_timeout, async {
            stream.write_all(&output).await?;
            stream.flush().await
        });
        sent.await.unwrap_or_else(|late| Err(late.into()))
    }

    /// Reads once, or tells the session what came instead: nothing, in time, or the end of the server.
    async fn read(&mut self) -> io::Result<()> {
        let Some(stream) = &mut self.stream else { return Err(gone()) };
        let (deadline, reply) = self.clock.deadline(&self.session, *self.shutdown.borrow());
        let receiving = self.session.is_receiving();
        let input = self.session.input();
        input.reserve(if receiving { DATA_BUFFER } else { COMMAND_BUFFER });
        let stopping = *self.shutdown.borrow();
        let read = tokio::select! {
            read = timeout_at(deadline, stream.read_buf(input)) => read,
            () = stopped(&mut self.shutdown), if !stopping => return Ok(()),
        };
        match read {
            Ok(Ok(0)) => Err(gone()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.session.end(&reply);
                Ok(())
            }
        }
    }
}

fn gone() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// How long a client may take.
struct Clock {
    session_end: Instant,
    command_timeout: Duration,
    /// When the session last got on, and how far it was then.
    since: Instant,
    steps: u64,
    stop_end: Option<Instant>,
}

impl Clock {
    fn new(config: &Config) -> Self {
        let now = Instant::now();
        Self {
            session_end: now + config.session_timeout,
            command_timeout: config.command_timeout,
            since: now,
            steps: 0,
            stop_end: None,
        }
    }

    /// Until when something must come, and the last word if it does not.
    fn deadline(&mut self, session: &Session, stopping: bool) -> (Instant, Reply) {
        let now = Instant::now();
        if self.steps != session.steps() {
            self.steps = session.steps();
            self.since = now;
        }
        let idle = (now + self.command_timeout, Reply::new(421, (4, 4, 2), "nothing came for too long, goodbye"));
        let earned = Duration::from_secs(session.received() / MIN_RATE);
        let slow =
            (self.since + self.command_timeout + earned, Reply::new(421, (4, 4, 2), "that came too slowly, goodbye"));
        let long = (self.session_end, Reply::new(421, (4, 4, 2), "the session lasts too long, connect again"));
        let stop = stopping.then(|| {
            let end = *self.stop_end.get_or_insert(now + STOP_PATIENCE);
            (end, Reply::new(421, (4, 3, 2), "the server is going down, come back later"))
        });
        [slow, long].into_iter().chain(stop).fold(idle, |first, other| if other.0 < first.0 { other } else { first })
    }
}
