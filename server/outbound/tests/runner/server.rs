//! Somebody else's mail server, as good or bad as a test wants it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use mailstead_net::{Certificates, Stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::authority::Shown;

/// How it behaves; changeable at any moment.
#[derive(Clone)]
pub(crate) struct Habits {
    pub(crate) banner: &'static str,
    /// Extensions in EHLO, beside STARTTLS.
    pub(crate) extensions: &'static [&'static str],
    pub(crate) tls: Tls,
    /// What it shows under TLS; one it has made itself without.
    pub(crate) shown: Option<Certificates>,
    pub(crate) mail: &'static str,
    /// The reply for a recipient.
    pub(crate) rcpt: fn(&str) -> &'static str,
    /// Recipients taken in one transaction.
    pub(crate) room: usize,
    pub(crate) end: End,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tls {
    NotOffered,
    Works,
    /// Says 220, then nothing that is TLS.
    Broken,
}

/// What it does behind the final dot.
#[derive(Clone, Copy)]
pub(crate) enum End {
    Say(&'static str),
    /// Takes the message, says so, and is gone.
    SayAndVanish(&'static str),
    /// Takes the message and is gone without a word.
    Vanish,
    /// Says nothing until it is given another habit.
    Ponder,
}

impl Default for Habits {
    fn default() -> Self {
        Self {
            banner: "220 mx.world.test",
            extensions: &["PIPELINING", "8BITMIME"],
            tls: Tls::NotOffered,
            shown: None,
            mail: "250 2.1.0 ok",
            rcpt: |_| "250 2.1.5 ok",
            room: 100,
            end: End::Say("250 2.0.0 taken"),
        }
    }
}

/// A message it got, whatever it said to it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) mail: String,
    pub(crate) rcpt: Vec<String>,
    pub(crate) text: String,
    /// The final dot came.
    pub(crate) is_whole: bool,
    pub(crate) tls: bool,
    /// Which connection brought it.
    pub(crate) connection: usize,
}

#[derive(Default)]
struct Shared {
    habits: Mutex<Habits>,
    got: Mutex<Vec<Got>>,
    connections: Mutex<usize>,
}

pub(crate) struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let theirs = shared.clone();
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let connection = {
                    let mut connections = theirs.connections.lock().unwrap();
                    *connections += 1;
                    *connections
                };
                let session =
                    Session { stream: Some(Stream::plain(tcp)), input: Vec::new(), shared: theirs.clone(), connection };
                tokio::spawn(session.serve());
            }
        });
        Self { address, shared, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn habits(&self) -> MutexGuard<'_, Habits> {
        self.shared.habits.lock().unwrap()
    }

    /// From now on it offers STARTTLS and shows that.
    pub(crate) fn shows(&self, shown: &Shown) {
        let mut habits = self.habits();
        habits.tls = Tls::Works;
        habits.shown = Some(shown.certificates.clone());
    }

    pub(crate) fn got(&self) -> Vec<Got> {
        self.shared.got.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        *self.shared.connections.lock().unwrap()
    }
}

struct Session {
    /// `None` when it is over.
    stream: Option<Stream>,
    input: Vec<u8>,
    shared: Arc<Shared>,
    connection: usize,
}

impl Session {
    async fn serve(mut self) {
        let habits = || self.shared.habits.lock().unwrap().clone();
        let banner = habits().banner;
        self.say(banner).await;
        let (mut mail, mut rcpt, mut in_mail) = (String::new(), Vec::new(), false);
        while let Some(line) = self.line().await {
            let habits = self.shared.habits.lock().unwrap().clone();
            let upper = line.to_ascii_uppercase();
            if upper.starts_with("EHLO") {
                self.hello(&habits).await;
            } else if upper == "STARTTLS" {
                self.say("220 go ahead").await;
                self.start_tls(&habits).await;
            } else if upper.starts_with("MAIL") {
                (mail, rcpt) = (line, Vec::new());
                in_mail = habits.mail.starts_with('2');
                self.say(habits.mail).await;
            } else if upper.starts_with("RCPT") && !in_mail {
                self.say("503 5.5.1 MAIL first").await;
            } else if upper.starts_with("RCPT") {
                let reply = if rcpt.len() < habits.room { (habits.rcpt)(&line) } else { "452 too many recipients" };
                if reply.starts_with('2') {
                    rcpt.push(line);
                }
                self.say(reply).await;
            } else if upper == "DATA" && rcpt.is_empty() {
                self.say("554 5.5.1 no valid recipients").await;
            } else if upper == "DATA" {
                self.say("354 go on").await;
                let got = Got { mail: mail.clone(), rcpt: rcpt.clone(), ..self.message().await };
                self.shared.got.lock().unwrap().push(got);
                self.end().await;
            } else if upper == "QUIT" {
                self.say("221 bye").await;
                self.stream = None;
            } else {
                self.say("250 ok").await;
            }
        }
    }

    async fn hello(&mut self, habits: &Habits) {
        let is_plain = self.stream.as_ref().is_some_and(|stream| stream.tls().is_none());
        let starttls = (is_plain && habits.tls != Tls::NotOffered).then_some("STARTTLS");
        let mut lines: Vec<&str> = vec!["mx.world.test"];
        lines.extend(habits.extensions.iter().copied().chain(starttls));
        let last = lines.len() - 1;
        for (index, line) in lines.into_iter().enumerate() {
            self.say(&format!("250{}{line}", if index == last { ' ' } else { '-' })).await;
        }
    }

    async fn start_tls(&mut self, habits: &Habits) {
        let Some(stream) = self.stream.take() else { return };
        self.input.clear();
        match habits.tls {
            Tls::Works => {
                let folder = tempfile::tempdir().unwrap();
                let own = || Certificates::self_signed(folder.path(), &["mx.world.test".to_owned()]).unwrap();
                let shown = habits.shown.clone().unwrap_or_else(own);
                self.stream = stream.accept_tls(&shown).await.ok();
            }
            Tls::Broken | Tls::NotOffered => {
                self.stream = Some(stream);
                self.say("this is not TLS").await;
                self.stream = None;
            }
        }
    }

    async fn message(&mut self) -> Got {
        let (mut text, mut is_whole) = (String::new(), false);
        while let Some(line) = self.line().await {
            is_whole = line == ".";
            if is_whole {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
        let tls = self.stream.as_ref().is_some_and(|stream| stream.tls().is_some());
        Got { mail: String::new(), rcpt: Vec::new(), text, is_whole, tls, connection: self.connection }
    }

    async fn end(&mut self) {
        let end = || self.shared.habits.lock().unwrap().end;
        while matches!(end(), End::Ponder) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        match end() {
            End::Say(reply) => self.say(reply).await,
            End::SayAndVanish(reply) => {
                self.say(reply).await;
                self.stream = None;
            }
            End::Vanish | End::Ponder => self.stream = None,
        }
    }

    async fn say(&mut self, line: &str) {
        let Some(stream) = &mut self.stream else { return };
        let said = async {
            stream.write_all(format!("{line}\r\n").as_bytes()).await?;
            stream.flush().await
        };
        if said.await.is_err() {
            self.stream = None;
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.input.windows(2).position(|two| two == b"\r\n") {
                let rest = self.input.split_off(end + 2);
                let line = std::mem::replace(&mut self.input, rest);
                return Some(String::from_utf8(line).unwrap().trim_end().to_owned());
            }
            if self.stream.as_mut()?.read_buf(&mut self.input).await.unwrap_or(0) == 0 {
                return None;
            }
        }
    }
}
