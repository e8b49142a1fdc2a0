//! A mail server that takes everything and remembers it, or misbehaves as told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// A message the sink took.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The reverse-path, without angle brackets.
    pub sender: String,
    /// The recipients, without angle brackets.
    pub recipients: Vec<String>,
    /// The bytes between DATA and the final dot, dot-unstuffed.
    pub message: Vec<u8>,
}

/// A listening sink. Dropped, it takes no more connections.
#[derive(Debug)]
pub struct Sink {
    taken: Arc<Mutex<Vec<Taken>>>,
    over: Arc<AtomicBool>,
    /// Where it listens.
    pub port: u16,
}

impl Sink {
    /// Listens on this loopback port (0: a free one) and takes everything.
    #[track_caller]
    pub fn listen(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap_or_else(|e| panic!("port {port}: {e}"));
        let port = listener.local_addr().unwrap().port();
        let sink = Self { taken: Arc::default(), over: Arc::default(), port };
        let (taken, over) = (sink.taken.clone(), sink.over.clone());
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if over.load(Ordering::Relaxed) {
                    return;
                }
                let taken = taken.clone();
                std::thread::spawn(move || drop(converse(connection, &taken)));
            }
        });
        sink
    }

    /// What it took so far.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn converse(connection: TcpStream, taken: &Mutex<Vec<Taken>>) -> std::io::Result<()> {
    let mut writer = connection.try_clone()?;
    let mut reader = BufReader::new(connection);
    let mut current = Taken { sender: String::new(), recipients: Vec::new(), message: Vec::new() };
    writer.write_all(b"220 sink.test ESMTP\r\n")?;
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(());
        }
        let text = String::from_utf8_lossy(&line).into_owned();
        let reply = match text.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            "EHLO" => "250-sink.test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8\r\n",
            "MAIL" => {
                current = Taken { sender: path(&text), recipients: Vec::new(), message: Vec::new() };
                "250 ok\r\n"
            }
            "RCPT" => {
                current.recipients.push(path(&text));
                "250 ok\r\n"
            }
            "DATA" => {
                writer.write_all(b"354 go\r\n")?;
                current.message = body(&mut reader)?;
                taken.lock().unwrap().push(current.clone());
                "250 taken\r\n"
            }
            "QUIT" => return writer.write_all(b"221 bye\r\n"),
            _ => "250 ok\r\n",
        };
        writer.write_all(reply.as_bytes())?;
    }
}

fn path(line: &str) -> String {
    let inside = line.split_once('<').map_or("", |(_, rest)| rest);
    inside.split('>').next().unwrap_or_default().to_owned()
}

fn body(reader: &mut impl BufRead) -> std::io::Result<Vec<u8>> {
    let mut message = Vec::new();
    let mut line = Vec::new();
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        match line.as_slice() {
            b".\r\n" => return Ok(message),
            [b'.', rest @ ..] => message.extend_from_slice(rest),
            whole => message.extend_from_slice(whole),
        }
    }
}
