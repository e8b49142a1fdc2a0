//! Somebody else's MTA-STS policy host, as good or bad as a test wants it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use mailstead_net::{Certificates, Stream};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How it answers.
#[derive(Clone)]
pub(crate) enum Answer {
    /// With these bytes.
    Say(String),
    /// With a body that never ends.
    Endless,
}

impl Answer {
    pub(crate) fn policy(mode: &str, mx: &str) -> Self {
        let body = format!("version: STSv1\r\nmode: {mode}\r\nmx: {mx}\r\nmax_age: 604800\r\n");
        Self::with("200 OK", "Content-Type: text/plain", &body)
    }

    pub(crate) fn with(status: &str, field: &str, body: &str) -> Self {
        let length = body.len();
        Self::Say(format!("HTTP/1.1 {status}\r\n{field}\r\nContent-Length: {length}\r\n\r\n{body}"))
    }
}

pub(crate) struct PolicyHost {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for PolicyHost {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PolicyHost {
    pub(crate) async fn start(shown: Certificates, answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (answer, requests) = (Arc::new(Mutex::new(answer)), Arc::default());
        let (answers, heard): (_, Arc<Mutex<Vec<String>>>) = (Arc::clone(&answer), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let answer = answers.lock().unwrap().clone();
                if let Ok(stream) = Stream::plain(tcp).accept_tls(&shown).await {
                    serve(stream, answer, &heard).await;
                }
            }
        });
        Self { address, answer, requests, task }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: Stream, answer: Answer, heard: &Mutex<Vec<String>>) {
    let mut request = Vec::new();
    let header = loop {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(end) = request.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8(request[..end + 4].to_vec()).unwrap();
        }
    };
    let length = header
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse::<usize>().unwrap());
    while request.len() < header.len() + length {
        if stream.read_buf(&mut request).await.unwrap_or(0) == 0 {
            return;
        }
    }
    heard.lock().unwrap().push(header);
    match answer {
        Answer::Say(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            stream.finish().await;
        }
        Answer::Endless => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n").await;
            while stream.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    }
}
