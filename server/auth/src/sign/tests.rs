#![allow(clippy::unwrap_used, clippy::expect_used)]
use proptest::prelude::*;

use super::*;
use crate::body::{BodyHasher, Canonicalization, Digest};
use crate::keys::Algorithm;
use crate::referee::Referee;

const NOW: i64 = 1_795_535_230;

fn body_hash(body: &[u8]) -> Vec<u8> {
    let mut hasher = BodyHasher::new(Canonicalization::Relaxed, Digest::Sha256);
    hasher.update(body);
    hasher.finish()
}

/// The message with its signatures, and a referee who knows the keys.
fn signed(header: &[u8], body: &[u8]) -> (Vec<u8>, Referee) {
    let (rsa, ed25519) = (rsa(), Key::generate(Algorithm::Ed25519).unwrap());
    let keys = [Selected { selector: "ms202611r", key: rsa }, Selected { selector: "ms202611e", key: &ed25519 }];
    let domain = Domain::parse("home.test").unwrap();
    let fields = sign(&domain, &keys, header, &body_hash(body), NOW).unwrap();
    let mut referee = Referee::default();
    for Selected { selector, key } in keys {
        referee.publish(selector, "home.test", &key.record().unwrap());
    }
    ([fields.as_bytes(), header, body].concat(), referee)
}

/// One for all tests: making it takes longer than all they do with it.
fn rsa() -> &'static Key {
    static KEY: std::sync::LazyLock<Key> = std::sync::LazyLock::new(|| Key::generate(Algorithm::Rsa).unwrap());
    &KEY
}

const HEADER: &[u8] = b"From: Alice <alice@home.test>\r\nTo: bob@world.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n  folded \t here\r\n\
    Date: Tue, 24 Nov 2026 15:47:10 +0000\r\nMessage-ID: <1@home.test>\r\nX-Mailer: a program\r\n\r\n";
const BODY: &[u8] = b"Hello  Bob \r\n  \r\n\r\nYours\r\n \r\n\r\n";

/// RFC 8463 A: the signature of an Ed25519 key is the same for everybody.
#[test]
fn the_letter_of_rfc_8463_gets_the_signature_of_rfc_8463() {
    let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
    let pkcs8 = [&b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20"[..], &seed].concat();
    let key = Key::from_pkcs8(&pkcs8).unwrap();
    assert_eq!(key.record().unwrap(), "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
    let body = b"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
    assert_eq!(STANDARD.encode(body_hash(body)), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
    let mut text = Vec::new();
    for (name, value) in [
        ("From", "Joe SixPack <joe@football.example.com>"),
        ("To", "Suzie Q <suzie@shopping.example.net>"),
        ("Subject", "Is dinner ready?"),
        ("Date", "Fri, 11 Jul 2003 21:00:37 -0700 (PDT)"),
        ("Message-ID", "<20030712040037.46341.5F8J@football.example.com>"),
    ] {
        relaxed(name, format!(" {value}").as_bytes(), &mut text);
        text.extend_from_slice(b"\r\n");
    }
    let mut field = FoldedField::new("DKIM-Signature");
    for word in "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=football.example.com; i=@football.example.com; q=dns/txt; \
        s=brisbane; t=1528637909; h=from : to : subject : date : message-id : from : subject : date; \
        bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"
        .split_whitespace()
    {
        field.word(word);
    }
    let field = finish(field, text, &key).unwrap();
    let signature: String = field.rsplit_once("b=").unwrap().1.split_whitespace().collect();
    let expected = "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==";
    // The tag is split at its last "b=", and a signature may hold one by chance; this one does not.
    assert_eq!(signature, expected);
}

#[test]
fn both_signatures_of_a_letter_are_verified_by_others() {
    let (message, referee) = signed(HEADER, BODY);
    assert_eq!(referee.dkim(&message), ["pass home.test ms202611r", "pass home.test ms202611e"]);
}

#[test]
fn the_signature_fields_are_folded_and_say_what_they_should() {
    let (message, _) = signed(HEADER, BODY);
    let text = String::from_utf8(message).unwrap();
    let fields = text.split("From: Alice").next().unwrap();
    assert!(fields.lines().all(|line| line.len() <= 78), "{fields}");
    let unfolded = fields.replace("\r\n\t", " ");
    let first = unfolded.lines().next().unwrap();
    assert!(
        first.starts_with(
            "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=home.test; s=ms202611r; t=1795535230;"
        ),
        "{first}"
    );
    let listed: String = first.split("h=").nth(1).unwrap().split(';').next().unwrap().split_whitespace().collect();
    assert_eq!(
        listed, "From:From:Reply-To:Subject:Subject:Date:Date:To:To:Cc:Message-ID:Message-ID",
        "once more than they occur"
    );
    assert!(!unfolded.contains(" l=") && !unfolded.contains("X-Mailer"));
}

#[test]
fn what_is_changed_or_added_on_the_way_breaks_the_signatures() {
    let (message, referee) = signed(HEADER, BODY);
    let text = String::from_utf8(message).unwrap();
    for tampered in [
        text.replace("To: bob", "To: eve"),
        text.replace("Yours", "Mine"),
        format!("From: eve@world.test\r\n{text}"),
        format!("Subject: another\r\n{text}"),
        format!("Cc: eve@world.test\r\n{text}"),
        format!("Reply-To: eve@world.test\r\n{text}"),
    ] {
        let results = referee.dkim(tampered.as_bytes());
        assert!(results.len() == 2 && results.iter().all(|result| !result.starts_with("pass")), "{results:?}");
    }
    // What every list and relay adds, and white space, may come and go.
    for harmless in [
        format!("Received: from x by y; now\r\nList-Id: <l.world.test>\r\nSender: list@world.test\r\n{text}"),
        text.replace("Hello  Bob \r\n", "Hello Bob\r\n"),
        text.replace("  folded \t here", "\tfolded here   "),
    ] {
        let results = referee.dkim(harmless.as_bytes());
        assert!(results.iter().all(|result| result.starts_with("pass")), "{results:?}\n{harmless}");
    }
}

#[test]
fn endless_headers_are_signed_in_bounded_time() {
    let many = [b"List-Post: <x>\r\n".repeat(60_000), HEADER.to_vec()].concat();
    let domain = Domain::parse("home.test").unwrap();
    let fields = sign(&domain, &[Selected { selector: "s", key: rsa() }], &many, &body_hash(BODY), NOW).unwrap();
    assert!(fields.len() < 2_000, "{}", fields.len());
    assert_eq!(fields.matches("List-Post").count(), MAX_OF_ONE_NAME);
}

#[test]
fn what_is_there_too_often_to_be_signed_breaks_no_signature() {
    for (name, count) in [("To", MAX_OF_ONE_NAME - 1), ("To", MAX_OF_ONE_NAME), ("Sender", MAX_OF_ONE_NAME + 10)] {
        let many = [format!("{name}: x@y.test\r\n").repeat(count).into_bytes(), HEADER.to_vec()].concat();
        let (message, referee) = signed(&many, BODY);
        assert_eq!(referee.dkim(&message), ["pass home.test ms202611r", "pass home.test ms202611e"], "{count} {name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn whatever_is_signed_is_verified(
        values in proptest::collection::vec(("[A-Za-z-]{1,12}", "[ \ta-z:;=<>@ü]{0,90}"), 0..12),
        body in "([ \ta-zé.]{0,20}(\r\n)?){0,12}",
    ) {
        let names = ["Subject", "To", "Cc", "List-Id", "Sender", "Content-Type", "References", "X-Any"];
        let fields = values.iter().enumerate().map(|(index, (name, value))| {
            let name = names.get(index % 12).copied().unwrap_or(name.trim_matches('-'));
            // A field is never only white space, and a folded line neither (RFC 5322 3.2.2).
            format!("{}: x{}\r\n y\r\n", if name.is_empty() { "X" } else { name }, value.replace(" \t", "\r\n z"))
        });
        let header = format!("From: alice@home.test\r\n{}\r\n", fields.collect::<String>());
        let (message, referee) = signed(header.as_bytes(), body.as_bytes());
        let results = referee.dkim(&message);
        prop_assert!(results.len() == 2 && results.iter().all(|result| result.starts_with("pass")), "{results:?}");
    }
}
