//! The examples of RFC 6376 and RFC 8463, with the keys their appendices publish, through the path every letter takes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;

use mailstead_auth::body::{BodyHasher, Canonicalization, Digest};
use mailstead_auth::check::{BodyHashes, Origin, Outcome, Verdict, Visit, shapes};
use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};

/// RFC 6376 A.2: rsa-sha256, simple/simple.
const RFC_6376: &str = include_str!("../../../tests/fixtures/rfc/rfc6376-a2.eml");
/// RFC 8463 A.3: ed25519-sha256 and rsa-sha256, relaxed/relaxed.
const RFC_8463: &str = include_str!("../../../tests/fixtures/rfc/rfc8463-a3.eml");
/// Appendix C of RFC 6376 and A.2 of RFC 8463.
const KEYS: [(&str, &str); 3] = [
    (
        "brisbane._domainkey.example.com",
        "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYf\
         cTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QID\
         AQAB",
    ),
    ("brisbane._domainkey.football.example.com", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="),
    (
        "test._domainkey.football.example.com",
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi\
         0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K\
         4w3QIDAQAB",
    ),
];
/// In November 2026: the examples' signatures have no end.
const NOW: i64 = 1_795_600_000;

struct Keys(HashMap<&'static str, &'static str>);

impl Dns for Keys {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move {
            let record = self.0.get(name.trim_end_matches('.')).filter(|_| kind == Kind::Txt);
            record.map(|text| Answer::insecure(vec![Data::Txt(text.as_bytes().to_vec())])).ok_or(DnsError::NoName)
        })
    }
}

async fn judge(message: &str) -> Verdict {
    let message = message.replace('\n', "\r\n");
    let (header, body) = message.split_at(message.find("\r\n\r\n").unwrap() + 2);
    let (header, body) = (header.as_bytes(), &body.as_bytes()[2..]);
    let mut hashes = BodyHashes::default();
    for shape in shapes(header, NOW) {
        let mut hasher = BodyHasher::new(shape, Digest::Sha256);
        hasher.update(body);
        match shape {
            Canonicalization::Simple => hashes.simple = Some(hasher.finish()),
            Canonicalization::Relaxed => hashes.relaxed = Some(hasher.finish()),
        }
    }
    let keys = Keys(KEYS.into_iter().collect());
    let visit = Visit { ip: "192.0.2.1".parse().unwrap(), helo: "mail.example.com".into(), reverse_path: None };
    let origin = Origin::check(&keys, &visit).await;
    Verdict::check(&keys, &visit, origin, header, &hashes, NOW).await
}

async fn outcomes(message: &str) -> Vec<(String, String, Outcome)> {
    let looked_at = judge(message).await.dkim.looked_at;
    looked_at.into_iter().map(|one| (one.domain, one.algorithm, one.finding.outcome)).collect()
}

fn found(domain: &str, algorithm: &str, outcome: Outcome) -> (String, String, Outcome) {
    (domain.to_owned(), algorithm.to_owned(), outcome)
}

#[tokio::test]
async fn the_example_of_rfc_6376_passes_and_fails_with_any_word_changed() {
    let with = |outcome| vec![found("example.com", "rsa-sha256", outcome)];
    assert_eq!(outcomes(RFC_6376).await, with(Outcome::Pass));
    for (old, new) in [
        ("hungry yet", "thirsty yet"),
        ("Is dinner ready?", "Is dinner late?"),
        ("client1.football", "client2.football"),
        ("To: Suzie", "To:  Suzie"),
        ("with SUBMISSION;\n      Fri", "with SUBMISSION;\n     Fri"),
        ("q=dns/txt; i=joe@", "q=dns/txt; i=jim@"),
        ("We lost the game. Are", "We lost the game.  Are"),
    ] {
        assert_eq!(RFC_6376.matches(old).count(), 1, "{old:?}");
        assert_eq!(outcomes(&RFC_6376.replace(old, new)).await, with(Outcome::Fail), "{old:?} to {new:?}");
    }
}

#[tokio::test]
async fn both_signatures_of_the_example_of_rfc_8463_pass_and_fail_with_any_word_changed() {
    let with = |outcome| {
        let domain = "football.example.com";
        vec![found(domain, "ed25519-sha256", outcome), found(domain, "rsa-sha256", outcome)]
    };
    assert_eq!(outcomes(RFC_8463).await, with(Outcome::Pass));
    for (old, new, outcome) in [
        ("hungry yet", "thirsty yet", Outcome::Fail),
        ("Is dinner ready?", "Is dinner late?", Outcome::Fail),
        // It is signed once more than it is there.
        ("Subject: ", "Subject: once more\nSubject: ", Outcome::Fail),
        ("Message-ID: ", "Received: by way of\nMessage-ID: ", Outcome::Pass),
        ("To: Suzie", "TO :\n\tSuzie", Outcome::Pass),
        ("the game.  Are", "the game. \t Are", Outcome::Pass),
        ("Joe.\n", "Joe. \n\n \n\n", Outcome::Pass),
    ] {
        assert_eq!(RFC_8463.matches(old).count(), 1, "{old:?}");
        assert_eq!(outcomes(&RFC_8463.replace(old, new)).await, with(outcome), "{old:?} to {new:?}");
    }
}

#[tokio::test]
async fn the_examples_authors_are_who_they_say_though_their_domains_ask_for_nothing() {
    assert_eq!(judge(RFC_8463).await.dmarc.outcome, Outcome::None);
}
