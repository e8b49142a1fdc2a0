//! Port 25 as forgers and honest strangers meet it: who a letter is from, and what becomes of it for that.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use mailstead_tests::letter::{header, headers};
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Demo, Letter, Reply, eventually};
use tempfile::TempDir;

use crate::{MAILSTEAD, demo};

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";
/// Everything about one letter, questions included, takes less.
const PATIENCE: Duration = Duration::from_secs(25);

/// A letter as home.test signed it, without what it got on its way.
fn signed_letter(demo: &Demo, subject: &str) -> String {
    let letter = Letter::new(ALICE, BOB, subject).bytes();
    demo.submission(ALICE).send(ALICE, &[BOB], &letter);
    let arrived = demo.imap(BOB).wait_for("INBOX", subject);
    let results = header(&arrived, "Authentication-Results").expect("what was found out");
    assert!(results.starts_with("mail.world.test;") && results.contains("dmarc=pass"), "{results}");
    let arrived = String::from_utf8(arrived).unwrap();
    let signed = arrived.find("\r\nDKIM-Signature:").expect("a signature") + 2;
    arrived[signed..].to_owned()
}

/// Brings a letter to bob from a host that has nothing to do with its author.
fn bring(demo: &Demo, letter: &str) -> Reply {
    let begun = Instant::now();
    let reply = demo.exchange("world.test").try_send("stranger@else.test", &[BOB], letter.as_bytes()).unwrap();
    assert!(begun.elapsed() < PATIENCE, "it took {:?}", begun.elapsed());
    reply
}

#[test]
fn a_signed_letter_is_believed_wherever_it_comes_from_and_a_changed_one_is_not() {
    let demo = demo();
    let letter = signed_letter(&demo, "signed at home");
    let claim = "Authentication-Results: mail.world.test; dmarc=pass header.from=bank.test";
    bring(&demo, &format!("{claim}\r\n{letter}")).expect(250);
    let arrived = eventually("the second copy is there", DELIVERY, || {
        let messages = demo.imap(BOB).messages_in("INBOX");
        messages.into_iter().map(|(_, _, bytes)| bytes).nth(1)
    });
    let results = headers(&arrived, "Authentication-Results");
    assert_eq!(results.len(), 1, "{results:?}");
    assert!(results[0].contains("dkim=pass") && !results[0].contains("bank.test"), "{results:?}");

    let refused = bring(&demo, &letter.replace("A line.", "Pay me.")).expect_status(550, "5.7.1");
    assert!(refused.to_string().contains("the policy of home.test (DMARC) is to refuse mail"), "{refused}");
    assert!(refused.to_string().contains("DKIM of home.test: fail, the body was changed after signing"), "{refused}");
    // What is refused is told without waiting for the disk.
    eventually("the story tells of both letters", DELIVERY, || {
        let story = demo.command("world.test").args(["trace", "stranger@else.test"]).run().output;
        let told = |what: &str| story.contains(what);
        (told("DMARC: it is proved to be from home.test by its signature.")
            && told("DMARC: it is not proved to be from home.test, whose owner asks for \"reject\" then."))
        .then_some(())
    });
}

#[test]
fn forged_and_malformed_letters_end_in_bounded_time_with_a_reason() {
    let demo = demo();
    let plain = "From: alice@home.test\r\nSubject: forged\r\n\r\nPay me.\r\n";
    bring(&demo, plain).expect_status(550, "5.7.1");
    bring(&demo, &format!("From: stranger@else.test\r\n{plain}")).expect_status(550, "5.7.1");
    let signature = |tags: &str| format!("DKIM-Signature: v=1; d=home.test; s=s; h=from; {tags}\r\n{plain}");
    for (tags, why) in [
        ("a=rsa-sha256; bh=AAAA; b=AAAA; x=1000000000", "it has expired"),
        ("a=rsa-sha256; bh=AAAA; b=AAAA; t=99999999999", "it is from the future"),
        ("a=rsa-sha256; bh=AAAA; b=AAAA; l=all", "its l= is no number"),
        ("a=rsa-sha1; bh=AAAA; b=AAAA", "rsa-sha1 proves nothing any more"),
        ("a=rsa-sha256; bh=AAAA; b=AAAA", "there is no key at s._domainkey.home.test"),
        ("complete garbage", "it is no list of tags"),
    ] {
        let refused = bring(&demo, &signature(tags)).expect_status(550, "5.7.1");
        assert!(refused.to_string().contains(why), "{tags}: {refused}");
    }
    let thousand: String = (0..1_000)
        .map(|n| format!("DKIM-Signature: v=1; a=rsa-sha256; d=d{n}.test; s=s; h=from; bh=AAAA; b=AAAA\r\n"))
        .collect();
    bring(&demo, &format!("{thousand}{plain}")).expect_status(550, "5.7.1");
    bring(&demo, &format!("{thousand}From: x@nobody.test\r\nSubject: signed by all\r\n\r\nHello.\r\n")).expect(250);
    let arrived = demo.imap(BOB).wait_for("INBOX", "signed by all");
    let results = header(&arrived, "Authentication-Results").unwrap();
    assert!(results.contains("990 more signatures were not looked at"), "{results}");
    let names: String = (0..20_000).map(|n| format!("x{n}:")).collect();
    bring(&demo, &signature(&format!("a=rsa-sha256; bh=AAAA; b=AAAA; h={names}from"))).expect_status(550, "5.7.1");
}

/// A demo whose DNS says more, and can be made to say something else.
struct Told {
    demo: Demo,
    file: PathBuf,
    _folder: TempDir,
}

impl Told {
    fn start(records: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records");
        std::fs::write(&file, records).unwrap();
        let demo = Demo::start(MAILSTEAD, &["--records", file.to_str().unwrap()]);
        Self { demo, file, _folder: folder }
    }
}

/// The selectors of a letter's signatures.
fn selectors(letter: &str) -> Vec<String> {
    let signatures = headers(letter.as_bytes(), "DKIM-Signature");
    let selector = |value: String| value.split(" s=").nth(1).unwrap().split(';').next().unwrap().to_owned();
    signatures.into_iter().map(selector).collect()
}

#[test]
fn a_letter_waits_while_dns_fails_and_comes_when_it_answers() {
    let told = Told::start("");
    let letter = signed_letter(&told.demo, "in bad weather");
    let failing: String =
        selectors(&letter).iter().map(|s| format!("{s}._domainkey.home.test. 5 IN ANY !SERVFAIL\n")).collect();
    std::fs::write(&told.file, &failing).unwrap();
    let refused = eventually("the change is seen", Duration::from_secs(60), || {
        let reply = bring(&told.demo, &letter);
        (reply.code == 451).then_some(reply)
    });
    refused.expect_status(451, "4.4.3");
    std::fs::write(&told.file, "").unwrap();
    eventually("the letter is taken", Duration::from_secs(60), || {
        (bring(&told.demo, &letter).code == 250).then_some(())
    });
}

#[test]
fn garbage_in_dns_is_no_proof_and_costs_little() {
    let garbage = "A".repeat(60_000);
    let told = Told::start(&format!(
        "g._domainkey.home.test. 5 IN TXT v=DKIM1; p={garbage}\n\
         else.test. 5 IN TXT v=spf1 include:else.test -all\n\
         shop.test. 5 IN TXT v=spf1 -all\n\
         _dmarc.shop.test. 5 IN TXT v=DMARC1; p=quarantine\n"
    ));
    let demo = &told.demo;
    let signed = "DKIM-Signature: v=1; a=rsa-sha256; d=home.test; s=g; h=from; bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=; b=AAAA\r\n";
    let refused =
        bring(demo, &format!("{signed}From: alice@home.test\r\nSubject: x\r\n\r\n\r\n")).expect_status(550, "5.7.1");
    assert!(refused.to_string().contains("SPF of else.test: permerror"), "{refused}");
    bring(demo, "From: sale@shop.test\r\nSubject: bargain\r\n\r\nHello.\r\n").expect(250);
    demo.imap(BOB).wait_for("Junk", "bargain");
    assert!(demo.imap(BOB).messages_in("INBOX").is_empty());
    let story = demo.command("world.test").args(["trace", "stranger@else.test"]).run().output;
    assert!(story.contains("it is in Junk of bob@world.test"), "{story}");
    assert!(story.contains("SPF: the record of else.test can't be used: it takes more than 10 lookups."), "{story}");
}

#[test]
fn the_operator_chooses_whose_seals_are_believed() {
    let demo = demo();
    let command = |arguments: &[&str]| demo.command("home.test").args(arguments).run().output;
    assert!(command(&["sealer", "list"]).contains("Nobody's seals are trusted."));
    assert!(command(&["sealer", "trust", "lists.example.org"]).contains("lists.example.org"));
    assert_eq!(command(&["sealer", "list"]).trim(), "lists.example.org");
    assert_eq!(command(&["--json", "sealer", "list"]).trim(), "[\"lists.example.org\"]");
    assert!(command(&["sealer", "distrust", "lists.example.org"]).contains("no more"));
    assert_eq!(command(&["--json", "sealer", "list"]).trim(), "[]");
}
