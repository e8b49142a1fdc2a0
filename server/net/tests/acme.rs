//! Certificates by ACME, against authorities that are out of their minds. (Against a real one: tests/appliance.)
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mailstead_net::acme::{Fallback, Keeper, Settings, Shelf, Source, Standing};
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};
use mailstead_net::{BoxFuture, Certificates, Stream};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_secs(30);
const HOST: &str = "mail.home.test";

/// Every name leads to loopback.
struct Here;

impl Dns for Here {
    fn ask<'a>(&'a self, _name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let here = Answer::insecure(vec![Data::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))]);
        Box::pin(std::future::ready(if kind == Kind::A { Ok(here) } else { Err(DnsError::NoRecords) }))
    }
}

/// A shelf in memory, or one on a full disk.
#[derive(Default)]
struct Memory {
    kept: Mutex<HashMap<String, Vec<u8>>>,
    full: bool,
}

impl Shelf for Memory {
    fn names(&self) -> Result<Vec<String>, String> {
        Ok(vec![HOST.to_owned()])
    }

    fn load(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(self.kept.lock().unwrap().get(key).cloned())
    }

    fn save(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), String>> {
        if !self.full {
            self.kept.lock().unwrap().insert(key, bytes);
        }
        Box::pin(std::future::ready(if self.full { Err("the disk is full".to_owned()) } else { Ok(()) }))
    }
}

/// An authority that answers every request with these bytes; with none, never.
async fn authority(answer: &str) -> (String, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let root = made.cert.der().clone();
    let key = rustls_pki_types::PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()).into();
    let certificates = Certificates::new(vec![root.clone()], key).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let directory = format!("https://localhost:{}/dir", listener.local_addr().unwrap().port());
    let answer = answer.to_owned();
    tokio::spawn(async move {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            let (certificates, answer) = (certificates.clone(), answer.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = Stream::plain(tcp).accept_tls(&certificates).await else { return };
                if answer.is_empty() {
                    std::future::pending::<()>().await;
                }
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                stream.finish().await;
            });
        }
    });
    (directory, root)
}

/// What is told of the mail host, once the first attempt is over.
async fn told(answer: &str, shelf: Memory) -> Standing {
    mailstead_net::tls::install_crypto();
    let (directory, root) = authority(answer).await;
    let settings = Settings {
        directory,
        contact: Some("postmaster@home.test".to_owned()),
        roots: vec![root],
        own_addresses: Vec::new(),
        https: true,
        http: true,
    };
    let folder = tempfile::tempdir().unwrap();
    let shown = Certificates::self_signed(folder.path(), &[HOST.to_owned()]).unwrap();
    let keeper =
        Keeper::new(HOST, Fallback::SelfSigned, shown, Arc::new(Here), Arc::new(shelf), Some(settings)).unwrap();
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(keeper.clone().run(stopped));
    let standing = loop {
        let standing = keeper.standings().into_iter().next().unwrap();
        if standing.trouble.is_some() {
            break standing;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    stop.send(true).unwrap();
    running.await.unwrap();
    standing
}

fn http(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn an_authority_that_talks_nonsense_is_told_of_and_asked_again_later() {
    let problem = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many orders"}"#;
    let directory = r#"{"newNonce":"https://localhost:1/n","newAccount":"https://localhost:1/a","newOrder":"x"}"#;
    for (answer, words) in [
        (http("200 OK", "hello"), "the authority can't be asked: "),
        (http("200 OK", "{}"), "missing field"),
        (http("200 OK", directory), "Connection refused"),
        (http("404 Not Found", "<html>"), "the authority said no: HTTP status 404"),
        (http("500 Oops", ""), "the authority said no: HTTP status 500"),
        (http("429 Slower", problem), "the authority said no: too many orders (rateLimited)"),
        ("\u{1b}[2J\r\n\r\n".to_owned(), "the authority can't be asked: "),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{".to_owned(), "the authority can't be asked: "),
    ] {
        let standing = timeout(DEADLINE, told(&answer, Memory::default())).await.unwrap();
        let trouble = standing.trouble.unwrap();
        assert!(trouble.contains(words) && !trouble.contains(char::is_control), "{answer:?}: {trouble:?}");
        assert_eq!(standing.source, Source::SelfSigned);
        assert!(standing.next.is_some(), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_never_answers_is_given_up_in_bounded_time() {
    let standing = told("", Memory::default()).await;
    assert_eq!(standing.trouble.as_deref(), Some("the authority took too long"));
}

#[tokio::test]
async fn no_account_is_made_whose_key_can_not_be_kept() {
    let full = Memory { full: true, ..Memory::default() };
    let standing = timeout(DEADLINE, told(&http("200 OK", "hello"), full)).await.unwrap();
    assert_eq!(standing.trouble.as_deref(), Some("the account's key can't be kept: the disk is full"));
}
