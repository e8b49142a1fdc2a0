//! Debian's Postfix and a root zone signed by Debian's BIND: certificates that DNS vouches for are insisted on, in both
//! directions, and those of names without proof are not.

use mailstead_tests::bind::Signed;
use mailstead_tests::postfix::{Setup, make_certificate};
use mailstead_tests::process::loopback_address;
use mailstead_tests::signed_root::tlsa;
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Letter, Postfix, Served, SignedRoot, eventually};
use tempfile::TempDir;

use crate::MAILSTEAD;

const ALICE: &str = "alice@kept.test";
const DAVE: &str = "dave@post.test";

/// Mailstead and Postfix at port 25 of addresses of their own, under one signed root.
struct World {
    served: Served,
    postfix: Postfix,
    _root: SignedRoot,
}

/// Domains that lead to Mailstead: `kept` with the right TLSA record, `shady` with a wrong one, `bare` with none and a host
/// name that is not in the certificate. Domains that lead to Postfix: `post` with the right one, `wrong` with a wrong one,
/// `plain` with a wrong one too, but in a zone that is not signed.
#[track_caller]
fn open(postfix_policy: &str) -> World {
    let mut served = Served::prepare(MAILSTEAD, None, "");
    let folder = TempDir::new().unwrap();
    make_certificate(folder.path(), "mail.post.test");
    let (ours, theirs) = (tlsa(&served.certificate()), tlsa(&folder.path().join("cert.pem")));
    let (here, there) = (loopback_address(), loopback_address());
    let zones: Vec<(String, String, Signed)> = [
        ("kept", here, Some(&ours), Signed::Nsec),
        ("shady", here, Some(&theirs), Signed::Nsec),
        ("bare", here, None, Signed::Nsec),
        ("post", there, Some(&theirs), Signed::Nsec),
        ("wrong", there, Some(&ours), Signed::Nsec),
        ("plain", there, Some(&ours), Signed::No),
    ]
    .map(|(name, address, tlsa, signed)| {
        let tlsa = tlsa.map(|tlsa| format!("_25._tcp.mail IN TLSA {tlsa}\n")).unwrap_or_default();
        (format!("{name}.test"), format!("@ IN MX 10 mail\nmail IN A {address}\n{tlsa}"), signed)
    })
    .into();
    let zones: Vec<_> =
        zones.iter().map(|(name, records, signed)| (name.as_str(), records.as_str(), *signed)).collect();
    let root = SignedRoot::serve(&zones);
    for domain in ["shady.test", "bare.test"] {
        served.command().args(["domain", "add", domain]).run();
        served.command().args(["alias", "add", &format!("alice@{domain}"), ALICE]).run();
    }
    served.at_port_25_of(here);
    served.configure(&format!("{}[delivery]\nallow_private = true\n", root.configuration()));
    served.start();
    let postfix = Setup::new("post.test", &["dave"])
        .at_port_25_of(there)
        .names(&root.names)
        .certificate(folder.path())
        .further(
            "virtual_mailbox_domains = post.test, wrong.test, plain.test\n\
             virtual_mailbox_maps = inline:{ {dave@post.test = dave/}, {dave@wrong.test = dave/}, \
             {dave@plain.test = dave/} }\nsmtp_dns_support_level = dnssec\nsmtp_host_lookup = dns\n",
        )
        .further(&format!("smtp_tls_CAfile = {}\n", served.certificate().display()))
        .further(postfix_policy)
        .start();
    World { served, postfix, _root: root }
}

impl World {
    #[track_caller]
    fn postfix_sends(&self, to: &str, subject: &str) {
        self.postfix.sendmail(DAVE, &[to], &Letter::new(DAVE, to, subject).bytes());
    }

    /// Waits until Postfix says this of its connections or deliveries.
    #[track_caller]
    fn postfix_says(&self, what: &str) {
        eventually(&format!("Postfix says {what:?}\n{}", self.postfix.log()), DELIVERY, || {
            self.postfix.log().contains(what).then_some(())
        });
    }

    #[track_caller]
    fn we_send(&self, to: &str, subject: &str) {
        self.served.try_submission("alice").unwrap().send(ALICE, &[to], &Letter::new(ALICE, to, subject).bytes());
    }

    /// What the queue says of a letter that could not leave.
    #[track_caller]
    fn why_waiting(&self, to: &str) -> String {
        eventually(&format!("the letter to {to} waits with a reason"), DELIVERY, || {
            let queue = self.served.queue();
            let entry = queue.as_array()?.iter().find(|entry| entry.to_string().contains(to))?.to_string();
            entry.contains("TLSA").then_some(entry)
        })
    }
}

#[test]
fn postfix_with_dane_trusts_our_certificate_by_its_tlsa_record_and_no_other() {
    let world = open("smtp_tls_security_level = dane\n");
    world.postfix_sends(ALICE, "proved by DNS");
    world.served.imap("alice").wait_for("INBOX", "proved by DNS");
    world.postfix_says("Verified TLS connection established to mail.kept.test");
    world.postfix_sends("alice@shady.test", "not proved");
    world.postfix_says("mail.shady.test[");
    world.postfix_says("status=deferred (Server certificate not");
    assert!(world.served.imap("alice").messages_in("INBOX").len() == 1, "{}", world.postfix.log());
}

#[test]
fn postfix_that_verifies_our_certificate_finds_it_right_and_a_name_it_lacks_wrong() {
    let world = open("smtp_tls_security_level = verify\n");
    world.postfix_sends(ALICE, "proved by its issuer");
    world.served.imap("alice").wait_for("INBOX", "proved by its issuer");
    world.postfix_says("Verified TLS connection established to mail.kept.test");
    world.postfix_sends("alice@bare.test", "another name");
    world.postfix_says("status=deferred (Server certificate not verified)");
    assert!(world.served.imap("alice").messages_in("INBOX").len() == 1, "{}", world.postfix.log());
}

#[test]
fn we_deliver_where_the_tlsa_record_is_right_and_refuse_where_it_is_wrong_but_only_when_it_is_proved() {
    let world = open("smtp_tls_security_level = may\n");
    world.we_send(DAVE, "to a proved server");
    let stored = world.postfix.wait_for("dave", "to a proved server");
    let stored = String::from_utf8_lossy(&stored).into_owned();
    assert!(stored.contains("(using TLSv1.3 with cipher"), "{stored}");
    world.we_send("dave@plain.test", "to an unsigned zone");
    world.postfix.wait_for("dave", "to an unsigned zone");
    world.we_send("dave@wrong.test", "to an impostor");
    let why = world.why_waiting("dave@wrong.test");
    assert!(why.contains("mail.wrong.test"), "{why}");
    assert!(!String::from_utf8_lossy(&world.postfix.delivered("dave").concat()).contains("to an impostor"), "{why}");
}
