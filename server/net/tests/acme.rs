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
struct Memory {
    kept: Mutex<HashMap<String, Vec<u8>>>,
    names: Mutex<Vec<String>>,
    full: bool,
}

impl Default for Memory {
    fn default() -> Self {
        Self { kept: Mutex::default(), names: Mutex::new(vec![HOST.to_owned()]), full: false }
    }
}

impl Shelf for Memory {
    fn names(&self) -> Result<Vec<String>, String> {
        Ok(self.names.lock().unwrap().clone())
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

    fn list(&self, beginning: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
        let kept = self.kept.lock().unwrap().clone();
        Ok(kept.into_iter().filter(|(key, _)| key.starts_with(beginning)).collect())
    }

    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        self.kept.lock().unwrap().retain(|key, _| !keys.contains(key));
        Box::pin(std::future::ready(Ok(())))
    }
}

/// An answer that ends so goes on for ever.
const ENDLESS: &str = "{\"a\":\"";

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
                while answer.ends_with(ENDLESS) && stream.write_all(&[b' '; 16 << 10]).await.is_ok() {}
                stream.finish().await;
            });
        }
    });
    (directory, root)
}

/// A keeper that asks this authority, and where it looks for proof.
fn keeper(directory: &str, roots: Vec<CertificateDer<'static>>, shelf: Arc<Memory>, ports: bool) -> Keeper {
    mailstead_net::tls::install_crypto();
    let settings = Settings {
        directory: directory.to_owned(),
        contact: Some("postmaster@home.test".to_owned()),
        roots,
        own_addresses: Vec::new(),
        https: ports,
        http: ports,
    };
    let folder = tempfile::tempdir().unwrap();
    let shown = Certificates::self_signed(folder.path(), &[HOST.to_owned()]).unwrap();
    Keeper::new(HOST, Fallback::SelfSigned, shown, Arc::new(Here), shelf, Some(settings)).unwrap()
}

/// Lets it run until `done` is true of what it tells.
async fn run_until(keeper: &Keeper, done: impl Fn(&[Standing]) -> bool) -> Vec<Standing> {
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(keeper.clone().run(stopped));
    let standings = loop {
        let standings = keeper.standings();
        if done(&standings) {
            break standings;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    stop.send(true).unwrap();
    running.await.unwrap();
    standings
}

/// What is told of the mail host, once the first attempt is over.
async fn told(answer: &str, shelf: Arc<Memory>) -> Standing {
    let (directory, root) = authority(answer).await;
    let keeper = keeper(&directory, vec![root], shelf, true);
    run_until(&keeper, |standings| standings[0].trouble.is_some()).await.remove(0)
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
        (http("200 OK", &directory.replace('x', "https://localhost:1/o")), "Connection refused"),
        (http("200 OK", directory), "the authority leads to a place without TLS"),
        (http("404 Not Found", "<html>"), "the authority said no: HTTP status 404"),
        (http("500 Oops", ""), "the authority said no: HTTP status 500"),
        (http("429 Slower", problem), "the authority said no: too many orders (rateLimited)"),
        ("\u{1b}[2J\r\n\r\n".to_owned(), "the authority can't be asked: "),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n{".to_owned(), "the authority can't be asked: "),
    ] {
        let standing = timeout(DEADLINE, told(&answer, Arc::default())).await.unwrap();
        let trouble = standing.trouble.unwrap();
        assert!(trouble.contains(words) && !trouble.contains(char::is_control), "{answer:?}: {trouble:?}");
        assert_eq!(standing.source, Source::SelfSigned);
        assert!(standing.next.is_some(), "{answer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_authority_that_never_answers_is_given_up_in_bounded_time() {
    let standing = told("", Arc::default()).await;
    assert_eq!(standing.trouble.as_deref(), Some("the authority took too long"));
}

#[tokio::test]
async fn an_authority_whose_answer_has_no_end_fills_no_memory() {
    for beginning in [
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
        "HTTP/1.1 400 No\r\nTransfer-Encoding: chunked\r\n\r\nfffffffff\r\n",
    ] {
        let standing = timeout(DEADLINE, told(&format!("{beginning}{ENDLESS}"), Arc::default())).await.unwrap();
        assert_eq!(standing.trouble.as_deref(), Some("the authority's answers have no end"), "{beginning}");
    }
}

#[tokio::test]
async fn what_is_kept_for_names_that_are_gone_is_forgotten() {
    let (directory, root) = authority(&http("500 Oops", "")).await;
    let shelf = Arc::new(Memory::default());
    let gone = format!("certificate {directory} mta-sts.gone.test");
    let account = format!("account {directory}");
    for key in [&gone, &account] {
        shelf.kept.lock().unwrap().insert(key.clone(), b"of no use".to_vec());
    }
    let keeper = keeper(&directory, vec![root], Arc::clone(&shelf), true);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(keeper.run(stopped));
    let forgotten = async {
        while shelf.kept.lock().unwrap().contains_key(&gone) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, forgotten).await.unwrap();
    assert!(shelf.kept.lock().unwrap().contains_key(&account), "the account is nobody's name");
    stop.send(true).unwrap();
    running.await.unwrap();
}

#[tokio::test]
async fn no_account_is_made_whose_key_can_not_be_kept() {
    let full = Arc::new(Memory { full: true, ..Memory::default() });
    let standing = timeout(DEADLINE, told(&http("200 OK", "hello"), full)).await.unwrap();
    assert_eq!(standing.trouble.as_deref(), Some("the account's key can't be kept: the disk is full"));
}

#[tokio::test]
async fn a_server_that_starts_again_and_again_does_not_bother_an_authority_that_said_no() {
    let problem = r#"{"type":"urn:ietf:params:acme:error:rateLimited","detail":"too many orders"}"#;
    let (directory, root) = authority(&http("429 Slower", problem)).await;
    let shelf = Arc::new(Memory::default());
    let first = keeper(&directory, vec![root.clone()], Arc::clone(&shelf), true);
    let refused = timeout(DEADLINE, run_until(&first, |standings| standings[0].trouble.is_some())).await.unwrap();
    eventually_kept(&shelf, 2).await;
    let again = keeper(&directory, vec![root], shelf, true);
    assert_eq!(again.standings()[0].next, refused[0].next, "it waits for the time it had promised");
}

/// Waits until so many things are kept.
async fn eventually_kept(shelf: &Memory, count: usize) {
    let kept = async {
        while shelf.kept.lock().unwrap().len() < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(DEADLINE, kept).await.unwrap();
}

#[tokio::test]
async fn what_can_not_be_had_is_not_asked_for_and_says_why() {
    let (directory, root) = authority("").await;
    let private = keeper(&directory, Vec::new(), Arc::default(), true).standings().remove(0);
    assert_eq!((private.next, private.waits_for_dns), (None, false));
    assert!(private.trouble.unwrap().contains("no public authority"));
    let closed = keeper(&directory, vec![root], Arc::default(), false);
    let told = closed.standings().remove(0);
    assert_eq!(told.next, None);
    assert!(told.trouble.unwrap().contains("nothing listens on port 443 or 80"));
    assert!(closed.renew(Some(HOST)).unwrap_err().contains("nothing listens"));
    assert_eq!(closed.renew(None).unwrap(), Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn names_come_and_go_while_it_runs() {
    let (directory, root) = authority("").await;
    let shelf = Arc::new(Memory::default());
    let keeper = keeper(&directory, vec![root], Arc::clone(&shelf), true);
    let further = "mta-sts.late.test".to_owned();
    shelf.names.lock().unwrap().push(further.clone());
    let has_it = |standings: &[Standing]| standings.iter().any(|standing| standing.name == further);
    let told =
        run_until(&keeper, |standings| has_it(standings) && standings.iter().all(|one| one.trouble.is_some())).await;
    assert_eq!((told.len(), told[0].name.as_str()), (2, HOST));
    shelf.names.lock().unwrap().pop();
    run_until(&keeper, |standings| !has_it(standings)).await;
}
