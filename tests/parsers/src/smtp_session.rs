//! A whole SMTP session, with a house that believes everything.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use mailstead_message::{Address, TraceId};
use mailstead_net::sasl::Bindings;
use mailstead_net::{Certificates, Peer, TlsInfo};
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Admitted, Config, Envelope, Event, Identity, Role, Session};

const MAX_MESSAGE: u64 = 10_000;
const MAX_RECIPIENTS: usize = 5;
/// Bytes said at most for each byte heard, and on top of that: EHLO's list is the longest answer.
const MAX_SAID: (usize, usize) = (200, 2_000);

static CONFIGS: LazyLock<[Arc<Config>; 2]> = LazyLock::new(|| {
    mailstead_net::tls::install_crypto();
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::self_signed(folder.path(), &["mail.home.test".to_owned()]).unwrap();
    [Role::Exchange, Role::Submission].map(|role| {
        Arc::new(Config {
            hostname: "mail.home.test".to_owned(),
            role,
            implicit_tls: role == Role::Submission,
            certificates: certificates.clone(),
            max_message_size: MAX_MESSAGE,
            spool_above: 1_000,
            spool_folder: "/nonexistent".into(),
            max_recipients: MAX_RECIPIENTS,
            max_messages: 50,
            max_errors: 50,
            max_refused_recipients: 50,
            max_commands: 1_000,
            command_timeout: Duration::from_secs(60),
            session_timeout: Duration::from_secs(600),
        })
    })
});

/// What became of a session: all that was said, the messages handed over, and whether it is closed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    said: Vec<u8>,
    messages: Vec<Vec<u8>>,
    closed: bool,
}

/// Takes all that a client sends; whatever it is, port 25 and 465 must bear it, cut anywhere.
pub fn smtp_session(input: &[u8]) {
    for config in &*CONFIGS {
        let outcome = play(config, input, input.len());
        // Behind STARTTLS what was read ahead is thrown away, so that there cuts do matter.
        if !input.to_ascii_uppercase().windows(8).any(|window| window == b"STARTTLS") {
            assert_eq!(outcome, play(config, input, 11), "where the stream is cut makes a difference");
        }
        assert_said(&outcome.said, input.len());
        outcome.messages.iter().for_each(|message| assert_message(message));
    }
}

fn play(config: &Arc<Config>, input: &[u8], block: usize) -> Outcome {
    let address = "192.0.2.1:1234".parse().unwrap();
    let tls = config.implicit_tls.then(tls);
    let mut session = Session::new(config.clone(), Peer { remote: address, local: address }, tls);
    let (mut outcome, mut spooled) = (Outcome::default(), Vec::new());
    settle(&mut session, &mut outcome, &mut spooled);
    for block in input.chunks(block.max(1)) {
        if outcome.closed {
            break;
        }
        session.receive(block);
        settle(&mut session, &mut outcome, &mut spooled);
    }
    session.lost();
    settle(&mut session, &mut outcome, &mut spooled);
    outcome
}

fn settle(session: &mut Session, outcome: &mut Outcome, spooled: &mut Vec<u8>) {
    loop {
        match session.next_event() {
            Event::Read => break,
            Event::Close => {
                outcome.closed = true;
                break;
            }
            Event::Connected => session.connected(Ok(())),
            Event::Auth(claim) => {
                let address = Address::parse("alice@home.test").unwrap();
                let refusal = Reply::new(535, (5, 7, 8), claim.login());
                let known = claim.guess() == "secret";
                session.authenticated(if known {
                    Ok(Admitted { identity: Identity { account: 1, address }, last_word: None })
                } else {
                    Err(refusal)
                });
            }
            Event::Mail(from) => session.mail_answered(TraceId::from_u64(7), from, Ok(())),
            Event::Rcpt(to) => {
                let refusal = Reply::new(550, (5, 1, 1), format!("no {} here", to.address));
                let unknown = to.address.local().as_str().starts_with('x');
                session.rcpt_answered(to, if unknown { Err(refusal) } else { Ok(()) });
            }
            Event::Spool(block) => {
                spooled.extend(block);
                session.spooled(true);
            }
            Event::Discard | Event::Abandoned(..) => spooled.clear(),
            Event::Message(envelope, tail) => {
                assert_envelope(&envelope);
                outcome.messages.push([std::mem::take(spooled), tail].concat());
                session.message_answered(&Reply::new(250, (2, 0, 0), "kept"));
            }
            Event::Delay(_, reply) => session.delayed(&reply),
            Event::StartTls => session.tls_started(tls()),
        }
        outcome.said.extend(session.take_output());
    }
    outcome.said.extend(session.take_output());
}

fn tls() -> TlsInfo {
    TlsInfo {
        version: "TLSv1.3".to_owned(),
        cipher: "TLS_AES_128_GCM_SHA256".to_owned(),
        server_name: None,
        bindings: Bindings::default(),
    }
}

fn assert_envelope(envelope: &Envelope) {
    assert!((1..=MAX_RECIPIENTS).contains(&envelope.recipients.len()));
}

/// CRLF ends every line, and nothing else any.
fn assert_message(message: &[u8]) {
    assert!(message.len() as u64 <= MAX_MESSAGE);
    let text = String::from_utf8_lossy(message);
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
    assert!(text.is_empty() || text.ends_with("\r\n"), "{text:?}");
}

fn assert_said(said: &[u8], heard: usize) {
    assert!(said.len() <= heard * MAX_SAID.0 + MAX_SAID.1, "{} bytes said to {heard}", said.len());
    let text = std::str::from_utf8(said).unwrap();
    for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
        let code: u16 = line.get(..3).unwrap().parse().unwrap();
        assert!((200..600).contains(&code) && line.len() <= 510, "{line:?}");
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
    }
}
