#![allow(clippy::unwrap_used, clippy::expect_used)]
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::table::Table;
use super::*;
use crate::body::{BodyHasher, Digest};

const NOW: i64 = 1_800_000_000;
pub(super) const LETTER: &str =
    "From: Bob <bob@world.test>\r\nTo: alice@home.test\r\nSubject:  Hello \r\n\tworld\r\n\r\nHello  Alice, \r\n\r\n";
pub(super) const TAGS: &str = "v=1; a=ed25519-sha256; c=relaxed/relaxed; d=world.test; s=s1; h=from:to:subject:from";

/// A key of world.test, and who signs with it. Canonicalises by another's code than what is tested.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    pub(super) fn new() -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(&[7; 32]).unwrap())
    }

    fn record(&self) -> String {
        format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(self.0.public_key()))
    }

    /// The letter with a field that has these tags, its hash and its signature on top.
    pub(super) fn sign(&self, field: &str, tags: &str, letter: &str) -> String {
        let (header, body) = letter.split_once("\r\n\r\n").unwrap();
        let bh = STANDARD.encode(hashes(body.as_bytes()).relaxed.unwrap());
        let unsigned = format!(" {tags};\r\n\tbh={bh};\r\n\tb=");
        let lines = format!("{header}\r\n").replace("\r\n\t", "\u{1}");
        let fields: Vec<(String, String)> = lines
            .split_terminator("\r\n")
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_owned(), format!("{}\r\n", value.replace('\u{1}', "\r\n\t"))))
            .collect();
        let mut picked: Vec<(&[u8], &[u8])> = Vec::new();
        let names = tags.split("h=").nth(1).unwrap().split(';').next().unwrap();
        for name in names.split(':') {
            let found = fields.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
            let found = found.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
            picked.extend(found.filter(|found| !picked.contains(found)));
        }
        picked.push((field.as_bytes(), unsigned.as_bytes()));
        self.finish(field, &unsigned, picked, letter)
    }

    fn finish(&self, field: &str, unsigned: &str, signed: Vec<(&[u8], &[u8])>, letter: &str) -> String {
        let mut data = Vec::new();
        mail_auth::dkim::Canonicalization::Relaxed.canonicalize_headers(signed.into_iter(), &mut data);
        let signature = STANDARD.encode(self.0.sign(digest(&SHA256, &data).as_ref()));
        format!("{field}:{unsigned}{signature}\r\n{letter}")
    }

    /// Adds a link to a chain, over what is sealed so far.
    pub(super) fn seal(&self, instance: u32, domain: &str, results: &str, letter: &str) -> String {
        let tags = format!("i={instance}; a=ed25519-sha256; c=relaxed/relaxed; d={domain}; s=s1; h=from:to:subject");
        let letter = self.sign("ARC-Message-Signature", &tags, letter);
        let letter = format!("ARC-Authentication-Results: i={instance}; {results}\r\n{letter}");
        let cv = if instance == 1 { "none" } else { "pass" };
        let unsigned = format!(" i={instance}; a=ed25519-sha256; cv={cv}; d={domain}; s=s1; b=");
        let (header, _) = letter.split_once("\r\n\r\n").unwrap();
        let header = format!("{header}\r\n");
        let fields: Vec<_> = mailstead_message::header::fields(header.as_bytes()).collect();
        let mut signed: Vec<(&[u8], Vec<u8>)> = Vec::new();
        for number in 1..=instance {
            for name in ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"] {
                let of = format!(" i={number};");
                let field = fields.iter().find(|field| field.is(name) && field.value.starts_with(of.as_bytes()));
                signed.extend(field.map(|field| (field.name.as_bytes(), [field.value, b"\r\n"].concat())));
            }
        }
        signed.push((b"ARC-Seal", unsigned.clone().into_bytes()));
        let signed = signed.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        self.finish("ARC-Seal", &unsigned, signed, &letter)
    }
}

fn hashes(body: &[u8]) -> BodyHashes {
    let hash = |shape| {
        let mut hasher = BodyHasher::new(shape, Digest::Sha256);
        hasher.update(body);
        Some(hasher.finish())
    };
    BodyHashes { simple: hash(Canonicalization::Simple), relaxed: hash(Canonicalization::Relaxed) }
}

pub(super) fn visit(ip: &str, path: &str) -> Visit {
    Visit { ip: ip.parse().unwrap(), helo: "mx.world.test".to_owned(), reverse_path: Address::parse(path).ok() }
}

pub(super) async fn judge(table: &Table, visit: &Visit, letter: &str) -> Verdict {
    let header = mailstead_message::header::header_len(letter.as_bytes());
    let (header, body) = letter.as_bytes().split_at(header);
    let origin = Origin::check(table, visit).await;
    Verdict::check(table, visit, origin, header, &hashes(body), NOW).await
}

pub(super) fn world(more: &str) -> Table {
    let record = Signer::new().record();
    Table::new(&format!(
        "world.test TXT v=spf1 ip4:192.0.2.7 -all
        world.test A 192.0.2.7
        s1._domainkey.world.test TXT {record}
        _dmarc.world.test TXT v=DMARC1; p=reject; rua=mailto:reports@world.test
        s1._domainkey.list.test TXT {record}
        7.2.0.192.in-addr.arpa PTR mx.world.test
        mx.world.test A 192.0.2.7
        {more}"
    ))
}

#[tokio::test]
async fn a_good_letter_passes_everything() {
    let letter = Signer::new().sign("DKIM-Signature", TAGS, LETTER);
    let verdict = judge(&world(""), &visit("192.0.2.7", "bob@world.test"), &letter).await;
    assert_eq!(verdict.dkim.looked_at[0].finding, Finding::new(Outcome::Pass, ""));
    assert_eq!(
        (verdict.dmarc.outcome, verdict.dmarc.dkim_aligned, verdict.dmarc.spf_aligned),
        (Outcome::Pass, true, true)
    );
    assert_eq!(verdict.disposition(&[]), Disposition::Accept);
    assert!(verdict.may_be_answered());
    let shown = verdict.dkim.looked_at[0].shown.clone();
    let expected = format!(
        "spf=pass smtp.mailfrom=bob@world.test;\r\n\tspf=none smtp.helo=mx.world.test;\r\n\tdkim=pass\r\n\t \
         header.d=world.test\r\n\t header.s=s1\r\n\t header.a=ed25519-sha256\r\n\t header.b={};\r\n\t\
         dmarc=pass\r\n\t header.from=world.test\r\n\t polrec.p=reject polrec.domain=world.test;\r\n\tarc=none;\r\n\t\
         iprev=pass\r\n\t policy.iprev=192.0.2.7 (mx.world.test)",
        if shown.contains('/') { format!("\"{shown}\"") } else { shown }
    );
    assert_eq!(verdict.results, expected);
    let words = verdict.words(&[]).join("\n");
    assert!(
        words.contains("DKIM: signed by world.test (key s1, ed25519-sha256), and the signature is right."),
        "{words}"
    );
    assert!(words.contains("DMARC: it is proved to be from world.test by its signature and by SPF."), "{words}");
}

#[tokio::test]
async fn a_signature_is_judged_by_everything_that_can_be_wrong_with_it() {
    let letter = |tags: &str| Signer::new().sign("DKIM-Signature", tags, LETTER);
    let with = |more: &str| letter(&format!("{TAGS}; {more}"));
    let instead = |old: &str, new: &str| letter(&TAGS.replace(old, new));
    let past = (NOW - 1).to_string();
    for (text, expected, why) in [
        (with(&format!("t={}; x={}", NOW - 9, NOW + 9)), Outcome::Pass, ""),
        (with("i=bob@sub.world.test; q=dns/txt"), Outcome::Pass, ""),
        (letter(TAGS).replace("Hello  Alice, ", "Hello Alice,"), Outcome::Pass, ""),
        (letter(TAGS).replace("Hello  Alice", "Pay me, Alice"), Outcome::Fail, "the body was changed"),
        (letter(TAGS).replace("Subject:  Hello", "Subject: Pay"), Outcome::Fail, "the header was changed"),
        (letter(TAGS).replace("From: Bob", "From: x@bank.test\r\nFrom: Bob"), Outcome::Fail, "the header was changed"),
        (with(&format!("x={past}")), Outcome::Fail, "it has expired"),
        (with(&format!("t={}", NOW + 90_000)), Outcome::Policy, "it is from the future"),
        (with("t=2; x=1"), Outcome::PermError, "it expired before"),
        (with("t=soon"), Outcome::PermError, "its t= is no number"),
        (with("l=14"), Outcome::Pass, ""),
        (format!("{}Pay me.\r\n", with("l=14")), Outcome::Policy, "only a part of the body"),
        (with("l=14").replace("Hello  Alice", "Pay me, Alice"), Outcome::Policy, "only a part of the body"),
        (with("l=all"), Outcome::PermError, "its l= is no number"),
        (with("i=bob@bank.test"), Outcome::PermError, "its i= is not"),
        (with("q=http"), Outcome::PermError, "its key is not in DNS"),
        (with("v=1"), Outcome::PermError, "no list of tags"),
        (instead("v=1", "v=2"), Outcome::PermError, "its version"),
        (instead("v=1; ", ""), Outcome::PermError, "it has no v="),
        (instead("ed25519-sha256", "rsa-sha1"), Outcome::PermError, "rsa-sha1 proves nothing"),
        (instead("ed25519-sha256", "rsa-sha256"), Outcome::PermError, "its key is for another algorithm"),
        (instead("ed25519-sha256", "rot13"), Outcome::PermError, "its algorithm is unknown"),
        (instead("relaxed/relaxed", "relaxed/nofws"), Outcome::PermError, "its canonicalization"),
        (instead("from:to:subject:from", "to:subject"), Outcome::PermError, "does not cover From"),
        (instead("from:to", &format!("from:{}to", "x:".repeat(600))), Outcome::PermError, "too many fields"),
        (instead("s=s1", "s=s2"), Outcome::PermError, "there is no key at s2._domainkey.world.test"),
        (instead("s=s1", "s=.."), Outcome::PermError, "its s= is no selector"),
        (instead("s=s1", "s=down"), Outcome::TempError, "SERVFAIL"),
    ] {
        let table = world("").failing("down._domainkey.world.test");
        let verdict = judge(&table, &visit("192.0.2.7", "bob@world.test"), &text).await;
        let finding = &verdict.dkim.looked_at[0].finding;
        assert_eq!(finding.outcome, expected, "{finding:?}\n{text}");
        assert!(finding.why.contains(why), "{finding:?} for {why}");
    }
}

#[tokio::test]
async fn a_key_record_is_judged_by_everything_that_can_be_wrong_with_it() {
    let letter = Signer::new().sign("DKIM-Signature", &TAGS.replace("s=s1", "s=k"), LETTER);
    let good = Signer::new().record();
    let long = format!("{good}; n={}", "x".repeat(64_000));
    let short = "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKJ2lzDLZ8XlVambQfMXn3LRGKOD5o6lMIgulclWjZwP56LRqdg5ZX15bhc/GsvW8xW/R5Sh1NnkJNyL/cqY1a8CAwEAAQ==";
    for (record, expected, why) in [
        (good.clone(), Outcome::Pass, ""),
        (format!("{good}; t=y:s; s=email; h=sha256:sha1; x=unknown"), Outcome::Pass, ""),
        (format!("{good}; h=sha1"), Outcome::PermError, "not for SHA-256"),
        (format!("{good}; s=chat"), Outcome::PermError, "not for e-mail"),
        (format!("{good}; k=rsa"), Outcome::PermError, "malformed"),
        (good.replace("DKIM1", "DKIM2"), Outcome::PermError, "unknown version"),
        ("v=DKIM1; p=".to_owned(), Outcome::PermError, "revoked"),
        ("v=DKIM1; k=elgamal; p=AAAA".to_owned(), Outcome::PermError, "unknown type"),
        ("v=DKIM1".to_owned(), Outcome::PermError, "malformed"),
        ("complete garbage".to_owned(), Outcome::PermError, "malformed"),
        (short.to_owned(), Outcome::PermError, "512 bits"),
        ("v=DKIM1; k=ed25519; p=AAAA".to_owned(), Outcome::Fail, ""),
        (long, Outcome::PermError, "too long"),
    ] {
        let table = world(&format!("k._domainkey.world.test TXT {record}"));
        let verdict = judge(&table, &visit("192.0.2.7", "bob@world.test"), &letter).await;
        let finding = &verdict.dkim.looked_at[0].finding;
        assert_eq!(finding.outcome, expected, "{finding:?} {record:.80}");
        assert!(finding.why.contains(why), "{finding:?} for {why}");
    }
    let below =
        Signer::new().sign("DKIM-Signature", &format!("{TAGS}; i=@sub.world.test").replace("s=s1", "s=k"), LETTER);
    let table = world(&format!("k._domainkey.world.test TXT {good}; t=s"));
    let verdict = judge(&table, &visit("192.0.2.7", "bob@world.test"), &below).await;
    assert_eq!(verdict.dkim.looked_at[0].finding.outcome, Outcome::PermError);
}

#[tokio::test]
async fn of_a_thousand_signatures_ten_are_looked_at() {
    let junk: String = (0..1_000)
        .map(|n| format!("DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.test; s=s; h=from; bh=AAAA; b=AAAA\r\n"))
        .collect();
    let letter = format!("{junk}{}", Signer::new().sign("DKIM-Signature", TAGS, LETTER));
    let table = world("");
    let visit = visit("192.0.2.7", "bob@world.test");
    let origin = Origin::check(&table, &visit).await;
    let before = table.asked();
    let verdict = Verdict::check(&table, &visit, origin, letter.as_bytes(), &BodyHashes::default(), NOW).await;
    assert_eq!((verdict.dkim.looked_at.len(), verdict.dkim.passed_over), (10, 991));
    assert!(table.asked() - before < 20, "{}", table.asked());
    assert!(verdict.results.contains("reason=\"991 more signatures were not looked at\""), "{}", verdict.results);
}

#[tokio::test]
async fn a_whole_chain_of_trusted_sealers_vouches_for_a_changed_letter() {
    let signer = Signer::new();
    let signed = signer.sign("DKIM-Signature", TAGS, LETTER);
    let passed = "mx.list.test; dmarc=pass (p=reject) header.from=world.test";
    let once = signer.seal(1, "list.test", passed, &signed.replace("Hello  Alice", "[list] Hello"));
    let twice = signer.seal(2, "world.test", "x.test; arc=pass", &once);
    let from_list = visit("198.51.100.1", "list@list.test");
    let trusted = |domains: &[&str]| domains.iter().map(|domain| Domain::parse(domain).unwrap()).collect::<Vec<_>>();
    for (letter, chain, domains, expected) in [
        (&once, Chain::Passed(1), &["list.test"][..], Disposition::Accept),
        (&once, Chain::Passed(1), &[], Disposition::Refuse),
        (&once, Chain::Passed(1), &["other.test"], Disposition::Refuse),
        (&twice, Chain::Passed(2), &["list.test", "world.test"], Disposition::Accept),
        (&twice, Chain::Passed(2), &["list.test"], Disposition::Refuse),
        (&once.replace("[list] Hello", "Pay me"), Chain::Failed, &["list.test"], Disposition::Refuse),
        (&once.replace("dmarc=pass", "dmarc=pass "), Chain::Passed(1), &["list.test"], Disposition::Refuse),
        (&twice.replace("arc=pass", "arc=none"), Chain::Failed, &["list.test", "world.test"], Disposition::Refuse),
        (&twice.replace("cv=none", "cv=pass"), Chain::Failed, &["list.test", "world.test"], Disposition::Refuse),
        (&twice.replace("ARC-Seal: i=1", "X-Seal: i=1"), Chain::Failed, &["list.test"], Disposition::Refuse),
    ] {
        let verdict = judge(&world(""), &from_list, letter).await;
        if !letter.contains("dmarc=pass  ") {
            assert_eq!(verdict.arc.chain, chain, "{:?}\n{letter}", verdict.arc);
            assert_eq!(verdict.disposition(&trusted(domains)), expected, "{letter}");
        }
    }
    let failed = signer.seal(1, "list.test", "mx.list.test; dmarc=fail header.from=world.test", &signed);
    let changed = failed.replace("DKIM-Signature", "X-Signature");
    let verdict = judge(&world(""), &from_list, &changed).await;
    assert_eq!(verdict.arc.chain, Chain::Passed(1));
    assert_eq!(verdict.disposition(&trusted(&["list.test"])), Disposition::Refuse);
}

#[tokio::test]
async fn a_name_that_does_not_lead_back_is_none() {
    for (records, expected, name) in [
        ("9.2.0.192.in-addr.arpa PTR a.test\na.test A 192.0.2.9", Outcome::Pass, Some("a.test")),
        ("9.2.0.192.in-addr.arpa PTR a.test\na.test A 192.0.2.8", Outcome::Fail, None),
        ("9.2.0.192.in-addr.arpa PTR a.test", Outcome::Fail, None),
        ("9.2.0.192.in-addr.arpa PTR down.test", Outcome::TempError, None),
        ("", Outcome::PermError, None),
    ] {
        let table = world(records).failing("down.test");
        let verdict = judge(&table, &visit("::ffff:192.0.2.9", "bob@world.test"), LETTER).await;
        let reverse = verdict.origin.reverse;
        assert_eq!(reverse.finding.outcome, expected, "{records}");
        assert_eq!(reverse.name.map(|name| name.to_string()).as_deref(), name);
    }
}

#[tokio::test]
async fn a_chain_that_dns_says_nothing_of_is_not_called_broken() {
    let sealed = Signer::new().seal(1, "list.test", "mx.list.test; dmarc=pass header.from=world.test", LETTER);
    let table = world("").failing("s1._domainkey.list.test");
    let verdict = judge(&table, &visit("198.51.100.1", "list@list.test"), &sealed).await;
    assert_eq!((verdict.arc.chain, verdict.arc.undecided), (Chain::Failed, true));
    let broken = sealed.replace("Hello  Alice", "Pay me");
    let verdict = judge(&world(""), &visit("198.51.100.1", "list@list.test"), &broken).await;
    assert_eq!((verdict.arc.chain, verdict.arc.undecided), (Chain::Failed, false));
}

proptest::proptest! {
    #[test]
    fn any_header_is_judged_without_panic(
        fields in proptest::collection::vec(
            (
                "(DKIM-Signature|ARC-Seal|ARC-Message-Signature|ARC-Authentication-Results|From|Authentication-Results|X)",
                "([ivabdshclxtqz]|bh|cv)?[=: ;]{0,2}[a-z0-9=;:/@<>\\(\\)\", \t.\u{e4}-]{0,40}",
            ),
            0..12,
        ),
        junk in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..60),
    ) {
        let mut header: Vec<u8> = fields.iter().flat_map(|(name, value)| format!("{name}: {value}\r\n").into_bytes()).collect();
        header.extend(junk);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let text = String::from_utf8_lossy(&header).into_owned();
        let verdict = runtime.block_on(judge(&world(""), &visit("192.0.2.7", "bob@world.test"), &text));
        let field = format!("Authentication-Results: mail.home.test;\r\n\t{}\r\n", verdict.results);
        proptest::prop_assert!(field.is_ascii() && field.lines().all(|line| line.len() < 998), "{}", field);
        proptest::prop_assert_eq!(mailstead_message::header::fields(field.as_bytes()).count(), 1);
        let told = verdict.words(&[]);
        proptest::prop_assert!(told.iter().all(|sentence| !sentence.contains(char::is_control)), "{:?}", told);
    }
}
