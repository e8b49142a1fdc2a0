//! The loop between a [`Stream`], a [`Session`] and the store: sockets, clocks and the disk, and no decisions.

use std::io;
use std::sync::Arc;

use mailstead_net::sasl::{Claim, Offer};
use mailstead_net::{Gate, Peer, Permit, Refusal, Stream, stopped};
use mailstead_store::{MailboxId, Store, StoreError, Uid};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};

use crate::Config;
use crate::limits::{BLOCK, COMMAND_BUFFER, LOGIN_TIME, STOP_PATIENCE, WRITE_TIME};
use crate::maildrop::Maildrop;
use crate::session::{Event, LoginAnswer, MessageRefusal, Session};

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
    let session = Session::new(&config.hostname, offer(&stream, &store));
    let login_end = Instant::now() + LOGIN_TIME;
    let mut driver =
        Driver { stream: Some(stream), session, peer, config, store, gate, login_end, shutdown, stop_end: None };
    driver.run().await;
    if let Some(stream) = driver.stream.take() {
        stream.finish().await;
    }
    drop(permit);
}

/// Tells a connection there is no place for it (`-ERR [SYS/TEMP]`) and closes it, in bounded time.
pub async fn turn_away(stream: Stream, config: Arc<Config>) {
    let words = b"-ERR [SYS/TEMP] too many connections, come back later\r\n";
    stream.turn_away(config.implicit_tls.then_some(&config.certificates), words).await;
}

struct Driver {
    /// `None` once the connection is of no more use.
    stream: Option<Stream>,
    session: Session,
    peer: Peer,
    config: Arc<Config>,
    store: Store,
    gate: Arc<Gate>,
    login_end: Instant,
    shutdown: watch::Receiver<bool>,
    /// When what is still going out is cut off, once the server goes down.
    stop_end: Option<Instant>,
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
                tracing::debug!(peer = %self.peer.remote, %error, "connection lost");
                self.stream = None;
                self.session.abandon();
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
                self.read().await
            }
            Event::Flush => self.flush_if_large().await,
            Event::Close => self.flush().await,
            Event::StartTls => self.start_tls().await,
            Event::Login(claim) => {
                let answer = self.log_in(claim).await;
                self.session.login_answered(answer);
                Ok(())
            }
            Event::Message(mailbox, uid) => self.message(mailbox, uid).await,
            Event::Remove(mailbox, uids) => {
                let count = uids.len();
                let removed = self.store.remove_messages(mailbox, uids).await;
                match &removed {
                    Ok(()) => tracing::info!(peer = %self.peer.remote, count, "messages deleted by POP3"),
                    Err(error) => tracing::error!(%error, "messages can't be deleted by POP3"),
                }
                self.session.removed(removed.is_ok());
                Ok(())
            }
        }
    }

    /// Asks the gate and the store, and takes the maildrop.
    async fn log_in(&self, claim: Claim) -> LoginAnswer {
        let (peer, login) = (self.peer.remote.ip(), claim.login());
        let check = claim.check(
            async |login, password| self.store.authenticate(login, password).await,
            |login, fits| self.store.authenticate_by_proof(login, fits),
        );
        let admitted = self.gate.admit(peer, login, claim.guess(), check);
        let (found, last_word) = match timeout(LOGIN_TIME, admitted).await {
            Ok(Ok(found)) => found,
            Ok(Err(Refusal::Denied)) => {
                tracing::info!(%peer, ?login, "wrong name or password by POP3");
                return LoginAnswer::Denied(claim.denial());
            }
            Ok(Err(Refusal::Banned)) => return LoginAnswer::LockedOut,
            Ok(Err(Refusal::Error(error))) => {
                tracing::error!(%error, "a login by POP3 failed");
                return LoginAnswer::Unavailable;
            }
            Err(_) => return LoginAnswer::Unavailable,
        };
        self.store.note_login(&found, "POP3", peer);
        let store = self.store.clone();
        match blocking(move || Maildrop::open(&store, found.id)).await {
            Ok(maildrop) => {
                tracing::info!(%peer, login = %found.address, "logged in by POP3");
                LoginAnswer::Welcome(maildrop, last_word)
            }
            Err(error) => {
                tracing::error!(login = %found.address, %error, "a maildrop can't be read");
                LoginAnswer::Unavailable
            }
        }
    }

    /// Sends a message, a block in memory at a time.
    async fn message(&mut self, mailbox: MailboxId, uid: Uid) -> io::Result<()> {
        let store = self.store.clone();
        let opened = blocking(move || {
            let mut reader = store.open_message(mailbox, uid)?;
            let block = reader.read(0..BLOCK as u64)?;
            Ok((reader, block))
        });
        let (mut reader, mut block) = match opened.await {
            Ok(opened) => opened,
            Err(error) => {
                self.session.message_refused(refusal(&error, mailbox, uid));
                return Ok(());
            }
        };
        let size = reader.len();
        self.session.message_begins(size);
        let mut sent = 0;
        loop {
            let wanted = self.session.message_block(&block);
            sent += block.len() as u64;
            if !wanted || sent >= size {
                break;
            }
            self.flush_if_large().await?;
            let read = blocking(move || {
                let block = reader.read(sent..sent.saturating_add(BLOCK as u64))?;
                if block.is_empty() {
                    Err(StoreError::Damaged(format!("message {uid} is short")))
                } else {
                    Ok((reader, block))
                }
            });
            // There is no way to take back what was sent: a broken connection tells the client that it has no message.
            (reader, block) = read.await.map_err(|error| {
                refusal(&error, mailbox, uid);
                io::Error::other(error)
            })?;
        }
        self.session.message_ends();
        self.flush_if_large().await
    }

    async fn start_tls(&mut self) -> io::Result<()> {
        self.flush().await?;
        let stream = self.stream.take().ok_or_else(gone)?;
        let stream = self.stream.insert(stream.accept_tls(&self.config.certificates).await?);
        if let Some(offer) = offer(stream, &self.store) {
            self.session.tls_started(offer);
        }
        Ok(())
    }

    /// Sends what there is to say once it is worth a system call.
    async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.session.output_len() >= BLOCK { self.flush().await } else { Ok(()) }
    }

    /// Sends what there is to say; a client that does not listen is as good as gone.
    async fn flush(&mut self) -> io::Result<()> {
        let output = self.session.take_output();
        if output.is_empty() {
            return Ok(());
        }
        let Some(stream) = &mut self.stream else { return Err(gone()) };
        let sent = timeout(WRITE_TIME, async {
            stream.write_all(&output).await?;
            stream.flush().await
        });
        tokio::select! {
            biased;
            () = cut_off(&mut self.shutdown, &mut self.stop_end) => Err(io::ErrorKind::TimedOut.into()),
            sent = sent => sent.unwrap_or_else(|late| Err(late.into())),
        }
    }

    /// Reads once, or tells the session what came instead: nothing, in time, or the end of the server.
    async fn read(&mut self) -> io::Result<()> {
        let logged_in = self.session.is_logged_in();
        let deadline = if logged_in { Instant::now() + self.config.idle_timeout } else { self.login_end };
        let Some(stream) = &mut self.stream else { return Err(gone()) };
        let input = self.session.input();
        input.reserve(COMMAND_BUFFER);
        let read = tokio::select! {
            read = timeout_at(deadline, stream.read_buf(input)) => read,
            () = stopped(&mut self.shutdown) => return Ok(()),
        };
        match read {
            Ok(Ok(0)) => Err(gone()),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(error),
            Err(_) => {
                self.session.abandon();
                Ok(())
            }
        }
    }
}

/// How one may log in on this connection; not at all without TLS.
fn offer(stream: &Stream, store: &Store) -> Option<Offer> {
    Some(Offer::new(stream.tls()?.bindings.clone(), store.scram_terms()))
}

/// Runs what blocks on the disk off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Io(error.to_string())))
}

/// What a client hears of a message that can't be read, and the log besides.
fn refusal(error: &StoreError, mailbox: MailboxId, uid: Uid) -> MessageRefusal {
    match error {
        StoreError::NotFound(_) => return MessageRefusal::Gone,
        StoreError::Closed => return MessageRefusal::Unavailable,
        _ => tracing::error!(%mailbox, %uid, %error, "a message can't be read"),
    }
    match error {
        StoreError::Damaged(_) => MessageRefusal::Damaged,
        _ => MessageRefusal::Unavailable,
    }
}

fn gone() -> io::Error {
    io::ErrorKind::UnexpectedEof.into()
}

/// Resolves when the server has been going down for [`STOP_PATIENCE`].
async fn cut_off(shutdown: &mut watch::Receiver<bool>, end: &mut Option<Instant>) {
    stopped(shutdown).await;
    sleep_until(*end.get_or_insert_with(|| Instant::now() + STOP_PATIENCE)).await;
}
