//! Listeners and TLS over loopback.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mailstead_net::{Certificates, ClientTls, Limits, Listener, Peer, Permit, Stream};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Nothing here takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);

/// A port that greets, repeats what it hears until told to panic, and counts its sessions.
struct Port {
    address: std::net::SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
    ended: Arc<AtomicUsize>,
}

fn open(total: usize, per_address: usize) -> Port {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = listener.address();
    let (stop, stopped) = oneshot::channel();
    let ended = Arc::new(AtomicUsize::new(0));
    let counted = ended.clone();
    let serve = move |mut stream: Stream, _: Peer, permit: Permit| {
        let ended = counted.clone();
        async move {
            let mut heard = [0; 16];
            stream.write_all(b"hello").await.unwrap();
            while let Ok(count @ 1..) = stream.read(&mut heard).await {
                assert!(!heard.starts_with(b"panic"), "as was asked for");
                stream.write_all(&heard[..count]).await.unwrap();
            }
            ended.fetch_add(1, Ordering::SeqCst);
            drop(permit);
        }
    };
    let turn_away = |stream: Stream, _: Peer| async move { stream.turn_away(None, b"no place").await };
    let stopped = async move { drop(stopped.await) };
    let task = tokio::spawn(listener.run(Limits::new(total, per_address), stopped, serve, turn_away));
    Port { address, stop, task, ended }
}

impl Port {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }
}

async fn hear(stream: &mut TcpStream, length: usize) -> String {
    let mut heard = vec![0; length];
    timeout(DEADLINE, stream.read_exact(&mut heard)).await.unwrap().unwrap();
    String::from_utf8(heard).unwrap()
}

#[tokio::test]
async fn one_too_many_is_told_so_and_a_place_given_back_is_taken() {
    let port = open(10, 1);
    let mut first = port.connect().await;
    assert_eq!(hear(&mut first, 5).await, "hello");
    let mut second = port.connect().await;
    assert_eq!(hear(&mut second, 8).await, "no place");
    assert_eq!(second.read(&mut [0; 1]).await.unwrap(), 0, "and then it is closed");
    drop(first);
    let third = timeout(DEADLINE, async {
        loop {
            let mut third = port.connect().await;
            if hear(&mut third, 5).await == "hello" {
                return third;
            }
        }
    });
    drop(third.await.unwrap());
}

#[tokio::test]
async fn a_session_that_panics_takes_nobody_along_and_gives_its_place_back() {
    let port = open(10, 2);
    let mut other = port.connect().await;
    assert_eq!(hear(&mut other, 5).await, "hello");
    for _ in 0..5 {
        let mut doomed = port.connect().await;
        assert_eq!(hear(&mut doomed, 5).await, "hello");
        doomed.write_all(b"panic").await.unwrap();
        assert_eq!(timeout(DEADLINE, doomed.read(&mut [0; 1])).await.unwrap().unwrap_or(0), 0);
    }
    other.write_all(b"still there").await.unwrap();
    assert_eq!(hear(&mut other, 11).await, "still there");
}

#[tokio::test]
async fn stopping_accepts_nobody_more_and_waits_for_those_who_are_there() {
    let port = open(10, 10);
    let mut client = port.connect().await;
    assert_eq!(hear(&mut client, 5).await, "hello");
    port.stop.send(()).unwrap();
    let refused = timeout(DEADLINE, async { while TcpStream::connect(port.address).await.is_ok() {} });
    refused.await.unwrap();
    client.write_all(b"one more thing").await.unwrap();
    assert_eq!(hear(&mut client, 14).await, "one more thing");
    assert!(!port.task.is_finished());
    drop(client);
    timeout(DEADLINE, port.task).await.unwrap().unwrap();
    assert!(port.ended.load(Ordering::SeqCst) >= 1, "it ended by itself");
}

/// A certificate authority, and certificates made by it.
struct Authority {
    root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    fn certify(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Certificates {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        change(&mut params);
        let made = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Certificates::new(vec![made.der().clone()], key).unwrap()
    }
}

/// A handshake; gives what the client sees as its version, or why it would not.
async fn handshake(shown: &Certificates, tls: &ClientTls, host: &str) -> Result<String, String> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let shown = shown.clone();
    let serving = tokio::spawn(async move {
        let mut stream = Stream::plain(server).accept_tls(&shown).await?;
        stream.write_all(b"ok").await?;
        stream.finish().await;
        std::io::Result::Ok(())
    });
    let connected = Stream::plain(client).connect_tls(tls, host).await;
    let seen = match connected {
        Ok(mut stream) => {
            let mut heard = [0; 2];
            stream.read_exact(&mut heard).await.map_err(|error| error.to_string())?;
            assert_eq!(&heard, b"ok");
            Ok(stream.tls().unwrap().version.clone())
        }
        Err(error) => Err(error.to_string()),
    };
    timeout(DEADLINE, serving).await.unwrap().unwrap().ok();
    seen
}

#[tokio::test]
async fn certificates_of_every_kind_of_wrong_are_refused_where_it_matters_and_nowhere_else() {
    mailstead_net::tls::install_crypto();
    let (ours, theirs) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let good = ours.certify("mail.test", |_| {});
    let wrong = [
        ("for another name", ours.certify("other.test", |_| {})),
        ("by a stranger", theirs.certify("mail.test", |_| {})),
        ("by itself", Certificates::self_signed(folder.path(), &["mail.test".to_owned()]).unwrap()),
        ("long over", ours.certify("mail.test", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1))),
        ("not begun", ours.certify("mail.test", |params| params.not_before = rcgen::date_time_ymd(2100, 1, 1))),
    ];
    let verifying = ClientTls::verifying(std::slice::from_ref(&ours.root)).unwrap();
    let opportunistic = ClientTls::opportunistic();
    assert_eq!(handshake(&good, &verifying, "mail.test").await.unwrap(), "TLSv1.3");
    for (what, certificates) in &wrong {
        assert!(handshake(certificates, &verifying, "mail.test").await.is_err(), "{what}");
        assert_eq!(handshake(certificates, &opportunistic, "mail.test").await.unwrap(), "TLSv1.3", "{what}");
    }
    assert!(handshake(&good, &opportunistic, "not a name").await.is_err());
}

#[tokio::test]
async fn a_new_certificate_is_shown_from_then_on_and_a_broken_one_never() {
    mailstead_net::tls::install_crypto();
    let (old, new) = (Authority::new(), Authority::new());
    let shown = old.certify("mail.test", |_| {});
    let verifying = ClientTls::verifying(std::slice::from_ref(&new.root)).unwrap();
    assert!(handshake(&shown, &verifying, "mail.test").await.is_err());
    let (first, second) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
    let params = CertificateParams::new(vec!["mail.test".to_owned()]).unwrap();
    let made = params.signed_by(&first, &new.issuer).unwrap();
    let key = |pair: &KeyPair| PrivateKeyDer::Pkcs8(pair.serialize_der().into());
    assert!(shown.replace(vec![made.der().clone()], key(&second)).is_err(), "the key is another's");
    assert!(handshake(&shown, &verifying, "mail.test").await.is_err());
    let before = shown.server_config(&[]);
    shown.replace(vec![made.der().clone()], key(&first)).unwrap();
    assert_eq!(handshake(&shown, &verifying, "mail.test").await.unwrap(), "TLSv1.3");
    // Tickets are the configuration's: a login bound to the new certificate must not be made in a session of the old.
    assert!(!std::sync::Arc::ptr_eq(&before, &shown.server_config(&[])), "tickets of the old one are still taken");
    assert!(std::sync::Arc::ptr_eq(&shown.server_config(&[]), &shown.server_config(&[])));
}

#[tokio::test]
async fn a_self_signed_certificate_is_made_once_and_only_we_can_read_its_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let names = ["mail.test".to_owned()];
    Certificates::self_signed(folder.path(), &names).unwrap();
    let read = || std::fs::read(folder.path().join("self-signed.pem")).unwrap();
    let first = read();
    Certificates::self_signed(folder.path(), &names).unwrap();
    assert_eq!(read(), first);
    let mode = std::fs::metadata(folder.path().join("self-signed.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn last_words_arrive_although_the_peer_is_still_talking() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    client.write_all(&[b'x'; 100_000]).await.unwrap();
    let goodbye = tokio::spawn(async move { Stream::plain(server).turn_away(None, b"goodbye").await });
    assert_eq!(hear(&mut client, 7).await, "goodbye");
    drop(client);
    timeout(DEADLINE, goodbye).await.unwrap().unwrap();
}

/// What a web client is shown that asks for `host` and offers these protocols, if anything.
async fn shown_to(shown: &Certificates, host: &str, alpn: &[&[u8]]) -> Option<Vec<u8>> {
    let mut config = rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone))
        .with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|protocol| protocol.to_vec()).collect();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (server, _) = listener.accept().await.unwrap();
    let shown = shown.clone();
    let serving = tokio::spawn(async move { Stream::plain(server).accept_https(&shown).await });
    let name = rustls_pki_types::ServerName::try_from(host.to_owned()).unwrap();
    let connected = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, client).await;
    let seen = connected.ok().map(|stream| {
        let (_, session) = stream.get_ref();
        let proof = session.alpn_protocol() == Some(b"acme-tls/1".as_slice());
        (session.peer_certificates().unwrap()[0].to_vec(), proof)
    });
    let served = timeout(DEADLINE, serving).await.unwrap().unwrap();
    let (certificate, proof) = seen?;
    assert_eq!(served.unwrap().is_none(), proof, "after a proof nothing more is served, after anything else a page is");
    Some(certificate)
}

#[derive(Debug)]
struct Anyone;

impl rustls::client::danger::ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &rustls_pki_types::ServerName<'_>,
        _: &[u8],
        _: rustls_pki_types::UnixTime,
    ) -> Result<rustls::client::danger::ServerCertVerified, rustls::Error> {
        Ok(rustls::client::danger::ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &rustls::DigitallySignedStruct,
    ) -> Result<rustls::client::danger::HandshakeSignatureValid, rustls::Error> {
        Ok(rustls::client::danger::HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

#[tokio::test]
async fn each_name_is_shown_its_own_certificate_and_an_authority_the_proof() {
    mailstead_net::tls::install_crypto();
    let pair = |name: &str| {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.der().clone(), PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into()))
    };
    let (host, host_key) = pair("mail.test");
    let (policy, policy_key) = pair("mta-sts.test");
    let (proof, proof_key) = pair("mta-sts.test");
    let shown = Certificates::new(vec![host.clone()], host_key).unwrap();
    shown.show("MTA-STS.test", vec![policy.clone()], policy_key).unwrap();
    let acme: &[&[u8]] = &[b"acme-tls/1"];
    let web: &[&[u8]] = &[b"h2", b"http/1.1"];
    for alpn in [web, &[]] {
        assert_eq!(shown_to(&shown, "mta-sts.test", alpn).await, Some(policy.to_vec()));
        assert_eq!(shown_to(&shown, "strange.test", alpn).await, Some(host.to_vec()));
    }
    assert_eq!(shown_to(&shown, "mta-sts.test", acme).await, None, "nobody waits for a proof");

    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let key = rustls::sign::CertifiedKey::from_der(vec![proof.clone()], proof_key, &provider).unwrap();
    let shown_proof = shown.prove_by_tls("mta-sts.test", key);
    assert_eq!(shown_to(&shown, "mta-sts.test", acme).await, Some(proof.to_vec()));
    assert_eq!(shown_to(&shown, "mail.test", acme).await, None);
    assert_eq!(shown_to(&shown, "mta-sts.test", web).await, Some(policy.to_vec()));
    drop(shown_proof);
    assert_eq!(shown_to(&shown, "mta-sts.test", acme).await, None);
    shown.withdraw("mta-sts.test");
    assert_eq!(shown_to(&shown, "mta-sts.test", web).await, Some(host.to_vec()));
}
