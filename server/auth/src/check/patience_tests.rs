#![allow(clippy::unwrap_used, clippy::expect_used)]
//! What slow, silent and broken DNS of whomever does to a verdict.

use std::time::Duration;

use super::tests::{LETTER, Signer, TAGS, judge, visit, world};
use super::*;

const BANK: &str = "_dmarc.bank.test TXT v=DMARC1; p=reject\nbank.test A 192.0.2.99";
const FORGED: &str = "From: ceo@bank.test\r\nTo: alice@home.test\r\nSubject: pay\r\n\r\nPay me.\r\n";

fn signature(domain: &str, selector: &str) -> String {
    format!(
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={selector}; h=from; bh=AAAA; b=AAAA\r\n"
    )
}

fn domains(names: &[&str]) -> Vec<Domain> {
    names.iter().map(|name| Domain::parse(name).unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn who_forges_an_author_can_not_use_up_the_time_to_find_the_author_s_policy() {
    let long = Duration::from_secs(1);
    for letter in [
        format!("{}{FORGED}", signature("evil.test", "s")),
        // The chain of a forger may be as slow.
        Signer::new().seal(1, "evil.test", "evil.test; dmarc=pass header.from=bank.test", FORGED),
    ] {
        let table = world(BANK).slow("_dmarc.bank.test", long).slow("_dmarc.test", long);
        let table = table.silent("s._domainkey.evil.test").silent("s1._domainkey.evil.test").silent("evil.test");
        let verdict = judge(&table, &visit("198.51.100.1", "x@evil.test"), &letter).await;
        assert_eq!(verdict.disposition(&[]), Disposition::Refuse, "{verdict:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_letter_waits_where_our_own_patience_ends_before_its_author_s_policy_is_known() {
    let table = world(BANK).slow("_dmarc.bank.test", Duration::from_secs(3_600));
    let verdict = judge(&table, &visit("198.51.100.1", "x@world.test"), FORGED).await;
    assert_eq!(verdict.dmarc.outcome, Outcome::TempError);
    assert_eq!(verdict.disposition(&[]), Disposition::Defer, "{verdict:?}");
}

#[tokio::test(start_paused = true)]
async fn an_author_of_whom_nothing_is_asked_hides_no_other() {
    let table = world(BANK).slow("_dmarc.bank.test", Duration::from_secs(3_600));
    let letter = FORGED.replace("ceo@bank.test", "a@evil.test, ceo@bank.test");
    for record in ["p=none", "p=none; np=none"] {
        let table = world(&format!("_dmarc.evil.test TXT v=DMARC1; {record}"));
        let table = table.slow("_dmarc.bank.test", Duration::from_secs(3_600));
        let verdict = judge(&table, &visit("198.51.100.1", "x@world.test"), &letter).await;
        assert_eq!(verdict.disposition(&[]), Disposition::Defer, "{verdict:?}");
    }
    let verdict = judge(&table, &visit("198.51.100.1", "x@world.test"), &letter.replace("bank.test", "no.test")).await;
    assert_eq!(verdict.disposition(&[]), Disposition::Accept, "{verdict:?}");
}

#[tokio::test]
async fn a_letter_that_names_no_author_is_taken_for_junk() {
    for from in ["From: \"service@bank.test\":;\r\n", "From:\r\n", ""] {
        let letter = format!("{from}To: alice@home.test\r\n\r\nx\r\n");
        let verdict = judge(&world(BANK), &visit("192.0.2.7", "bob@world.test"), &letter).await;
        assert_eq!(verdict.disposition(&[]), Disposition::Junk, "{from}: {verdict:?}");
    }
}

#[tokio::test]
async fn an_author_whose_own_dns_is_broken_is_taken_for_junk_and_never_refused() {
    let table = world("").failing("_dmarc.bank.test");
    let verdict = judge(&table, &visit("198.51.100.1", "x@world.test"), FORGED).await;
    assert_eq!(verdict.disposition(&[]), Disposition::Junk, "{verdict:?}");
    // It is proved whatever the policy may be.
    let table = world("").failing("_dmarc.world.test");
    let letter = Signer::new().sign("DKIM-Signature", TAGS, LETTER);
    let verdict = judge(&table, &visit("198.51.100.1", "x@other.test"), &letter).await;
    assert_eq!(verdict.disposition(&[]), Disposition::Accept, "{verdict:?}");
}

#[tokio::test]
async fn an_author_s_own_policy_holds_although_dns_fails_above_it() {
    let table = world(BANK).failing("_dmarc.test");
    let from = |path| visit("198.51.100.1", path);
    let verdict = judge(&table, &from("x@elsewhere.example"), FORGED).await;
    assert_eq!((verdict.dmarc.outcome, verdict.disposition(&[])), (Outcome::Fail, Disposition::Refuse), "{verdict:?}");
    // Whether somebody below the top is of the author's organisation can't be told.
    let signed = Signer::new().sign("DKIM-Signature", TAGS, FORGED);
    let verdict = judge(&table, &from("x@elsewhere.example"), &signed).await;
    assert_eq!(verdict.disposition(&[]), Disposition::Defer, "{verdict:?}");
    let own = Signer::new().sign("DKIM-Signature", TAGS, LETTER);
    let verdict = judge(&world("").failing("_dmarc.test"), &from("x@elsewhere.example"), &own).await;
    assert_eq!(verdict.disposition(&[]), Disposition::Accept, "{verdict:?}");
}

#[tokio::test]
async fn what_is_asked_for_names_that_do_not_exist_is_not_forgotten_while_dns_fails() {
    let table = world("_dmarc.bank.test TXT v=DMARC1; p=none; np=reject").failing("no.bank.test");
    let letter = FORGED.replace("bank.test", "no.bank.test");
    let verdict = judge(&table, &visit("198.51.100.1", "x@world.test"), &letter).await;
    assert_eq!(verdict.disposition(&[]), Disposition::Defer, "{verdict:?}");
}

#[tokio::test]
async fn a_trusted_sealer_whose_key_can_not_be_had_now_makes_the_letter_wait() {
    let sealed = Signer::new().seal(1, "list.test", "mx.list.test; dmarc=pass header.from=world.test", LETTER);
    let from_list = visit("198.51.100.1", "list@list.test");
    let down = || world("").failing("s1._domainkey.list.test");
    let verdict = judge(&down(), &from_list, &sealed).await;
    assert_eq!(verdict.disposition(&domains(&["list.test"])), Disposition::Defer, "{verdict:?}");
    assert_eq!(verdict.disposition(&domains(&["other.test"])), Disposition::Refuse);
    assert_eq!(verdict.disposition(&[]), Disposition::Refuse);
    // Nobody saw that it was its author's.
    let failed = sealed.replace("dmarc=pass", "dmarc=fail");
    let verdict = judge(&down(), &from_list, &failed).await;
    assert_eq!(verdict.disposition(&domains(&["list.test"])), Disposition::Refuse);
    // One link is known to be broken: it will never be whole.
    let twice = Signer::new().seal(2, "world.test", "x.test; arc=pass", &sealed);
    let broken = twice.replace("x.test; arc=pass", "x.test; arc=fine");
    let verdict = judge(&down(), &from_list, &broken).await;
    assert!(!verdict.arc.undecided, "{verdict:?}");
    assert_eq!(verdict.disposition(&domains(&["list.test", "world.test"])), Disposition::Refuse);
}

#[tokio::test(start_paused = true)]
async fn a_letter_asks_few_questions_at_once_and_its_signatures_before_its_chain() {
    let signer = Signer::new();
    let mut letter = signer.sign("DKIM-Signature", TAGS, LETTER);
    for link in 1..=40 {
        letter = signer.seal(link, &format!("d{link}.test"), "x; none", &letter);
    }
    let table = (1..=40).fold(world(""), |table, link| table.silent(&format!("s1._domainkey.d{link}.test")));
    let verdict = judge(&table, &visit("198.51.100.1", "x@other.test"), &letter).await;
    assert_eq!(verdict.dkim.looked_at[0].finding.outcome, Outcome::Pass, "{verdict:?}");
    assert_eq!(verdict.disposition(&[]), Disposition::Accept);
    // The keys, the author's policy, and what is asked of the client.
    assert!(table.most_in_flight() <= 16, "{}", table.most_in_flight());
}

#[tokio::test]
async fn a_large_header_is_judged_as_a_small_one_and_a_chain_without_end_not_at_all() {
    let signer = Signer::new();
    let padding = format!("X-Padding: {}\r\n", "x".repeat(100_000));
    let signed = signer.sign("DKIM-Signature", TAGS, &format!("{padding}{LETTER}"));
    let passed = "mx.list.test; dmarc=pass header.from=world.test";
    let from_list = visit("198.51.100.1", "list@list.test");
    let mut letter = signer.seal(1, "list.test", passed, &signed);
    let verdict = judge(&world(""), &from_list, &letter).await;
    assert_eq!(verdict.dkim.looked_at[0].finding.outcome, Outcome::Pass, "{verdict:?}");
    assert_eq!(verdict.arc.chain, Chain::Passed(1));
    for link in 2..=4 {
        letter = signer.seal(link, "list.test", &format!("x; none ({})", "y".repeat(100_000)), &letter);
    }
    let verdict = judge(&world(""), &from_list, &letter).await;
    assert_eq!((verdict.arc.chain, verdict.arc.why.as_str()), (Chain::Failed, "it is too long to be looked at"));
    assert_eq!(verdict.disposition(&[]), Disposition::Accept);
}
