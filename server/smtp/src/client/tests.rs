//! Sessions over loopback with servers that follow a script, most of them hostile.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use mailstead_net::Certificates;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use super::*;

/// What the server does next.
enum Act {
    /// Writes this at once.
    Say(&'static str),
    /// Reads until this has come.
    Await(&'static str),
    /// Becomes TLS.
    Tls,
    /// Writes one byte at a time, slowly, for ever.
    Drip,
    /// Says nothing more until the other side closes.
    Hang,
}
use Act::{Await, Drip, Hang, Say, Tls as DoTls};

/// Plays the script on one connection, then closes; gives all it heard.
async fn server(script: Vec<Act>) -> (SocketAddr, JoinHandle<String>) {
    install_crypto();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = Stream::plain(tcp);
        let (mut heard, mut seen) = (Vec::new(), 0);
        for act in script {
            match act {
                Say(text) => {
                    stream.write_all(text.as_bytes()).await.unwrap();
                    stream.flush().await.unwrap();
                }
                Await(text) => loop {
                    let rest = heard.get(seen..).unwrap();
                    if let Some(at) = rest.windows(text.len()).position(|window| window == text.as_bytes()) {
                        seen += at + text.len();
                        break;
                    }
                    if stream.read_buf(&mut heard).await.unwrap_or(0) == 0 {
                        return String::from_utf8(heard).unwrap();
                    }
                },
                DoTls => {
                    let folder = tempfile::tempdir().unwrap();
                    let shown = Certificates::self_signed(folder.path(), &["mx.test".to_owned()]).unwrap();
                    stream = match stream.accept_tls(&shown).await {
                        Ok(stream) => stream,
                        Err(_) => return String::from_utf8(heard).unwrap(),
                    };
                }
                Drip => {
                    while stream.write_all(b"2").await.is_ok() && stream.flush().await.is_ok() {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                    }
                }
                Hang => while stream.read_buf(&mut heard).await.unwrap_or(0) > 0 {},
            }
        }
        String::from_utf8(heard).unwrap()
    });
    (address, task)
}

fn install_crypto() {
    mailstead_net::tls::install_crypto();
}

async fn open(address: SocketAddr, tls: Tls) -> Result<Client, ClientError> {
    let short = Duration::from_millis(300);
    let timeouts = Timeouts {
        greeting: short,
        command: Duration::from_secs(5),
        write: Duration::from_secs(5),
        accepted: short,
        message: Duration::from_secs(10),
    };
    let options =
        Options { hostname: "home.test".to_owned(), server_name: "mx.test".to_owned(), tls, login: None, timeouts };
    let stream = Stream::plain(TcpStream::connect(address).await.unwrap());
    let mut name = None;
    let opened = Client::open(stream, options, &mut name).await;
    assert!(opened.is_err() || name.is_some(), "each of these servers says its name");
    opened
}

fn envelope() -> Outgoing {
    Outgoing {
        reverse_path: Some(Address::parse("alice@home.test").unwrap()),
        recipients: vec![Recipient { address: Address::parse("bob@mx.test").unwrap(), notify: None, orcpt: None }],
        size: 10,
        eight_bit: false,
        smtputf8: false,
        envid: None,
        ret_full: None,
        require_tls: false,
    }
}

struct Blocks(Vec<&'static [u8]>);

impl Source for Blocks {
    fn next<'a>(&'a mut self) -> BoxFuture<'a, std::io::Result<Vec<u8>>> {
        let block = if self.0.is_empty() { Vec::new() } else { self.0.remove(0).to_vec() };
        Box::pin(std::future::ready(Ok(block)))
    }
}

async fn send(client: &mut Client, blocks: &[&'static [u8]]) -> Result<Outcome, ClientError> {
    client.send(&envelope(), &mut Blocks(blocks.to_vec())).await
}

const GREETING: [Act; 3] =
    [Say("220 mx.test\r\n"), Await("EHLO home.test\r\n"), Say("250-mx.test\r\n250 PIPELINING\r\n")];

fn script(acts: impl IntoIterator<Item = Act>) -> Vec<Act> {
    GREETING.into_iter().chain(acts).collect()
}

#[tokio::test]
async fn a_message_goes_out_pipelined_and_stuffed() {
    let acts = [
        Await("DATA\r\n"),
        Say("250 ok\r\n250 ok\r\n354 go\r\n"),
        Await("\r\n.\r\n"),
        Say("250 2.0.0 yours\r\n"),
        Await("QUIT\r\n"),
        Say("221 bye\r\n"),
    ];
    let (address, heard) = server(script(acts)).await;
    let mut client = open(address, Tls::Never).await.unwrap();
    let outcome = send(&mut client, &[b"Subject: x\r\n\r", b"\n.dot", b"\r\n..\r\nend"]).await.unwrap();
    assert_eq!(outcome.recipients[0].to_string(), "250 2.0.0 yours");
    client.quit().await;
    let wire = "EHLO home.test\r\nMAIL FROM:<alice@home.test>\r\nRCPT TO:<bob@mx.test>\r\nDATA\r\n\
                Subject: x\r\n\r\n..dot\r\n...\r\nend\r\n.\r\nQUIT\r\n";
    assert_eq!(heard.await.unwrap(), wire);
}

#[tokio::test]
async fn one_session_carries_several_messages_and_a_failed_one_is_reset() {
    let acts = [
        Await("DATA\r\n"),
        Say("250 ok\r\n250 ok\r\n451 not now\r\n"),
        Await("DATA\r\n"),
        Say("250 reset\r\n250 ok\r\n250 ok\r\n354 go\r\n"),
        Await("\r\n.\r\n"),
        Say("250 ok\r\n"),
        Hang,
    ];
    let (address, heard) = server(script(acts)).await;
    let mut client = open(address, Tls::Never).await.unwrap();
    assert_eq!(send(&mut client, &[b"a\r\n"]).await.unwrap().recipients[0].code, 451);
    assert!(client.is_usable());
    assert_eq!(send(&mut client, &[b"b\r\n"]).await.unwrap().recipients[0].code, 250);
    drop(client);
    assert!(heard.await.unwrap().contains("DATA\r\nRSET\r\nMAIL"));
}

#[tokio::test]
async fn hostile_banners_are_bounded_errors() {
    let long = Box::leak(format!("220 {}\r\n", "x".repeat(100_000)).into_boxed_str());
    let endless = Box::leak("220-more\r\n".repeat(10_000).into_boxed_str());
    for (acts, expected) in [
        (vec![Say(long), Hang], "over 2048 bytes"),
        (vec![Say(endless), Hang], "over 128 lines"),
        (vec![Say("220-a\r\n250 b\r\n"), Hang], "different codes"),
        (vec![Say("HTTP/1.1 400 Bad Request\r\n"), Hang], "does not begin with a reply code"),
        (vec![Hang], "no answer within"),
        (vec![Drip], "no answer within"),
        (vec![], "closed the connection"),
        (vec![Say("554 go away\r\n"), Hang], "greeting: 554 go away"),
    ] {
        let (address, _task) = server(acts).await;
        let error = open(address, Tls::Never).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_reply_nobody_asked_for_ends_the_session() {
    let mut acts: Vec<Act> = GREETING.into_iter().collect();
    acts[2] = Say("250 mx.test\r\n250 ok\r\n");
    acts.push(Hang);
    let (address, _task) = server(acts).await;
    let mut client = open(address, Tls::Never).await.unwrap();
    let error = send(&mut client, &[b"a\r\n"]).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");
}

#[tokio::test]
async fn an_acceptance_before_the_dot_is_not_taken_for_one() {
    let acts = [Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n250 accepted\r\n"), Hang];
    let (address, heard) = server(script(acts)).await;
    let mut client = open(address, Tls::Never).await.unwrap();
    let error = send(&mut client, &[b"a\r\n"]).await.unwrap_err();
    assert!(matches!(error, ClientError::Protocol(_)), "{error}");
    drop(client);
    assert!(!heard.await.unwrap().contains("\r\n.\r\n"));
}

#[tokio::test]
async fn a_connection_lost_behind_the_dot_leaves_doubt_and_before_it_none() {
    for (acts, doubt) in [
        (vec![Await("DATA\r\n")], false),
        (vec![Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n")], false),
        (vec![Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Await("\r\n.\r\n")], true),
        (vec![Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Await("\r\n.\r\n"), Hang], true),
        (vec![Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Await("\r\n.\r\n"), Say("?\r\n"), Hang], true),
        (
            vec![Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Await("\r\n.\r\n"), Say("354 ?\r\n"), Hang],
            true,
        ),
    ] {
        let (address, _task) = server(script(acts)).await;
        let mut client = open(address, Tls::Never).await.unwrap();
        match send(&mut client, &[b"a\r\n"]).await.unwrap_err() {
            ClientError::Network { after_data, .. } => assert_eq!(after_data, doubt),
            error => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_bare_line_end_is_refused_here_and_its_dot_is_never_sent() {
    let acts = [Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Hang];
    let (address, heard) = server(script(acts)).await;
    let mut client = open(address, Tls::Never).await.unwrap();
    let outcome = send(&mut client, &[b"good\r\n", b"bad\n.\r\nMAIL FROM:<x@y>\r\n", b"more\r\n"]).await.unwrap();
    assert_eq!(outcome.recipients[0].status, Some((5, 6, 11)));
    assert!(outcome.recipients[0].is_permanent() && !client.is_usable());
    assert!(send(&mut client, &[b"next\r\n"]).await.is_err());
    client.quit().await;
    let heard = heard.await.unwrap();
    assert!(!heard.contains("bad") && !heard.contains("\r\n.\r\n"), "{heard}");
}

#[tokio::test]
async fn a_server_that_breaks_off_the_message_is_heard() {
    let acts = [Await("DATA\r\n"), Say("250 ok\r\n250 ok\r\n354 go\r\n"), Await("x"), Say("552 5.3.4 too large\r\n")];
    let (address, _task) = server(script(acts)).await;
    let mut client = open(address, Tls::Never).await.unwrap();
    let block: &'static [u8] = Box::leak("xxxxxxx\r\n".repeat(100_000).into_boxed_str()).as_bytes();
    let outcome = send(&mut client, &[block; 64]).await.unwrap();
    assert_eq!(outcome.recipients[0].to_string(), "552 5.3.4 too large");
    assert!(!client.is_usable());
}

#[tokio::test]
async fn replies_injected_before_tls_are_dropped_and_ehlo_is_said_again() {
    let acts = vec![
        Say("220 mx.test\r\n"),
        Await("EHLO home.test\r\n"),
        Say("250-mx.test\r\n250-DSN\r\n250 STARTTLS\r\n"),
        Await("STARTTLS\r\n"),
        Say("220 go\r\n250-evil\r\n250 DSN\r\n250 ok\r\n"),
        DoTls,
        Await("EHLO home.test\r\n"),
        Say("250 mx.test\r\n"),
        Hang,
    ];
    let (address, heard) = server(acts).await;
    let client = open(address, Tls::Opportunistic(ClientTls::opportunistic())).await.unwrap();
    assert!(client.tls().is_some());
    assert_eq!(client.offered, Capabilities::default());
    drop(client);
    assert_eq!(heard.await.unwrap().matches("EHLO").count(), 2);
}

#[tokio::test]
async fn a_certificate_of_nobody_is_refused_where_it_matters() {
    let start = || {
        vec![
            Say("220 mx.test\r\n"),
            Await("EHLO home.test\r\n"),
            Say("250-mx.test\r\n250 STARTTLS\r\n"),
            Await("STARTTLS\r\n"),
            Say("220 go\r\n"),
            DoTls,
        ]
    };
    let (address, _task) = server(start()).await;
    let error = open(address, Tls::Required(ClientTls::verifying(&[]).unwrap())).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls(_)), "{error}");
    let (address, _task) = server(vec![DoTls]).await;
    let error = open(address, Tls::Implicit(ClientTls::verifying(&[]).unwrap())).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls(_)), "{error}");
}

#[tokio::test]
async fn a_broken_handshake_is_told_as_such() {
    let acts = vec![
        Say("220 mx.test\r\n"),
        Await("EHLO home.test\r\n"),
        Say("250-mx.test\r\n250 STARTTLS\r\n"),
        Await("STARTTLS\r\n"),
        Say("220 go\r\n"),
        Await("\u{1}"),
        Say("this is no TLS\r\n"),
    ];
    let (address, _task) = server(acts).await;
    let error = open(address, Tls::Opportunistic(ClientTls::opportunistic())).await.unwrap_err();
    assert!(matches!(error, ClientError::Tls(_)), "{error}");
}

#[tokio::test]
async fn tls_from_the_first_byte_works() {
    let acts = std::iter::once(DoTls).chain(script([Hang])).collect();
    let (address, _task) = server(acts).await;
    let client = open(address, Tls::Implicit(ClientTls::opportunistic())).await.unwrap();
    assert_eq!(client.tls().unwrap().server_name.as_deref(), Some("mx.test"));
}
