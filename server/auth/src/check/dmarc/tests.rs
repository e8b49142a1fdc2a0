#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::time::Duration;

use super::*;
use crate::check::table::Table;
use crate::check::{DkimVerdict, Finding};

fn dkim(domain: &str, outcome: Outcome) -> DkimVerdicts {
    let finding = Finding { outcome, why: "why".to_owned() };
    let (selector, algorithm, shown) = Default::default();
    let verdict = DkimVerdict { domain: domain.to_owned(), selector, algorithm, shown, finding, testing: false };
    DkimVerdicts { looked_at: vec![verdict], passed_over: 0 }
}

async fn judge(records: &str, from: &str, signer: (&str, Outcome), spf: (&str, SpfResult)) -> DmarcVerdict {
    let table = Table::new(records).failing("_dmarc.down.test").failing("_dmarc.sub.world.test");
    let header = format!("From: {from}\r\n\r\n");
    let (dkim, spf) = (dkim(signer.0, signer.1), Spf { domain: spf.0.to_owned(), result: spf.1 });
    let inquiry = Inquiry::new(&table, Duration::from_secs(1));
    look_up(&inquiry, header.as_bytes()).await.judge(&inquiry, &Proofs { dkim: &dkim, spf: &spf }).await
}

#[tokio::test]
async fn a_letter_passes_by_what_is_aligned() {
    let no = ("x.test", Outcome::Fail);
    let nospf = || ("x.test", SpfResult::None);
    for (record, from, signer, spf, expected) in [
        ("p=reject", "a@world.test", ("world.test", Outcome::Pass), nospf(), Outcome::Pass),
        ("p=reject", "a@world.test", ("mail.world.test", Outcome::Pass), nospf(), Outcome::Pass),
        ("p=reject; adkim=s", "a@world.test", ("mail.world.test", Outcome::Pass), nospf(), Outcome::Fail),
        ("p=reject", "a@world.test", ("evilworld.test", Outcome::Pass), nospf(), Outcome::Fail),
        ("p=reject", "a@world.test", ("test", Outcome::Pass), nospf(), Outcome::Fail),
        ("p=reject", "a@world.test", ("world.test", Outcome::Policy), nospf(), Outcome::Fail),
        ("p=reject", "a@news.world.test", ("world.test", Outcome::Pass), nospf(), Outcome::Pass),
        ("p=reject", "a@world.test", no, ("world.test", SpfResult::Pass), Outcome::Pass),
        ("p=reject", "a@world.test", no, ("bounces.world.test", SpfResult::Pass), Outcome::Pass),
        ("p=reject; aspf=s", "a@world.test", no, ("bounces.world.test", SpfResult::Pass), Outcome::Fail),
        ("p=reject", "a@world.test", no, ("other.test", SpfResult::Pass), Outcome::Fail),
        ("p=reject", "a@world.test", no, ("world.test", SpfResult::SoftFail), Outcome::Fail),
        ("p=reject", "a@world.test", no, ("world.test", SpfResult::TempError(String::new())), Outcome::TempError),
        ("p=reject", "a@world.test", ("world.test", Outcome::TempError), nospf(), Outcome::TempError),
        ("p=reject", "a@world.test", ("other.test", Outcome::TempError), nospf(), Outcome::Fail),
        ("p=reject", "a@world.test", ("sub.world.test", Outcome::Pass), nospf(), Outcome::TempError),
        ("p=reject", "a@down.test", no, nospf(), Outcome::TempError),
        ("p=reject", "a@down.test", ("down.test", Outcome::Pass), nospf(), Outcome::Pass),
        ("p=reject", "a@elsewhere.test", no, nospf(), Outcome::None),
        ("p=reject", "", no, nospf(), Outcome::PermError),
        ("p=reject", "a@world.test\r\nFrom: b@x.test", no, nospf(), Outcome::PermError),
        ("p=reject", "a@world.test, b@x.test", ("x.test", Outcome::Pass), nospf(), Outcome::Fail),
        ("p=reject", "a@world.test, b@x.test", ("world.test", Outcome::Pass), nospf(), Outcome::Pass),
        ("p=reject", "a@a.test,a@b.test,a@c.test,a@d.test,a@e.test", no, nospf(), Outcome::PermError),
        ("p=reject", "not <an address", no, nospf(), Outcome::PermError),
    ] {
        let records = format!("_dmarc.world.test TXT v=DMARC1; {record}\nnews.world.test A 192.0.2.1");
        let verdict = judge(&records, from, signer, spf.clone()).await;
        assert_eq!(verdict.outcome, expected, "{record} {from} {signer:?} {spf:?}: {verdict:?}");
    }
}

#[tokio::test]
async fn the_policy_is_the_nearest_record_s() {
    for (records, from, expected) in [
        ("_dmarc.o.test TXT v=DMARC1; p=reject", "a@o.test", Some(Policy::Reject)),
        ("_dmarc.o.test TXT v=DMARC1; p=quarantine", "a@x.o.test", Some(Policy::Quarantine)),
        ("_dmarc.o.test TXT v=DMARC1;p=reject;sp=none", "a@x.o.test", Some(Policy::None)),
        ("_dmarc.o.test TXT v=DMARC1;p=none;np=reject", "a@x.o.test", Some(Policy::Reject)),
        ("_dmarc.o.test TXT v=DMARC1;p=none;np=reject\nx.o.test A 192.0.2.1", "a@x.o.test", Some(Policy::None)),
        (
            "_dmarc.o.test TXT v=DMARC1; p=reject\n_dmarc.x.o.test TXT v=DMARC1; p=none",
            "a@x.o.test",
            Some(Policy::None),
        ),
        ("_dmarc.o.test TXT v=DMARC1; p=reject; t=y", "a@o.test", Some(Policy::Quarantine)),
        ("_dmarc.o.test TXT v=DMARC1; p=quarantine; pct=0", "a@o.test", Some(Policy::None)),
        ("_dmarc.o.test TXT v=DMARC1; p=reject; pct=20", "a@o.test", Some(Policy::Reject)),
        ("_dmarc.o.test TXT v=DMARC1; p=Reject ; adkim=junk; nonsense", "a@o.test", Some(Policy::Reject)),
        ("_dmarc.o.test TXT v=DMARC1; p=junk; rua=mailto:a@o.test", "a@o.test", Some(Policy::None)),
        ("_dmarc.o.test TXT v=DMARC1; p=junk", "a@o.test", None),
        ("_dmarc.o.test TXT v=DMARC1; p=reject; sp=junk", "a@o.test", None),
        ("_dmarc.o.test TXT v=DMARC2; p=reject", "a@o.test", None),
        ("_dmarc.o.test TXT p=reject; v=DMARC1", "a@o.test", None),
        ("_dmarc.o.test TXT v=DMARC1; p=reject\n_dmarc.o.test TXT v=DMARC1; p=none", "a@o.test", None),
        ("_dmarc.o.test TXT v=DMARC1; p=reject\n_dmarc.o.test TXT other", "a@o.test", Some(Policy::Reject)),
        // The top says it is no organisation.
        ("_dmarc.test TXT v=DMARC1; p=reject; psd=y", "a@x.o.test", Some(Policy::Reject)),
        ("_dmarc.d.e.f.g.h.i.test TXT v=DMARC1; p=reject", "a@a.b.c.d.e.f.g.h.i.test", Some(Policy::Reject)),
        ("_dmarc.c.d.e.f.g.h.i.test TXT v=DMARC1; p=reject", "a@a.b.c.d.e.f.g.h.i.test", None),
    ] {
        let verdict = judge(records, from, ("", Outcome::Fail), ("", SpfResult::None)).await;
        assert_eq!(verdict.record.map(|_| verdict.policy), expected, "{records} {from}");
    }
}

#[tokio::test]
async fn organisations_end_where_their_records_say() {
    let pass = |domain: &'static str| (domain, Outcome::Pass);
    for (records, from, signer, expected) in [
        // One of two tenants below a public suffix that says so.
        ("_dmarc.test TXT v=DMARC1; p=reject; psd=y", "a@one.test", "two.test", Outcome::Fail),
        ("_dmarc.test TXT v=DMARC1; p=reject; psd=y", "a@one.test", "x.one.test", Outcome::Pass),
        // A part of an organisation that is its own.
        (
            "_dmarc.o.test TXT v=DMARC1; p=reject\n_dmarc.x.o.test TXT v=DMARC1; p=reject; psd=n",
            "a@x.o.test",
            "o.test",
            Outcome::Fail,
        ),
        (
            "_dmarc.o.test TXT v=DMARC1; p=reject\n_dmarc.x.o.test TXT v=DMARC1; p=reject; psd=n",
            "a@o.test",
            "x.o.test",
            Outcome::Fail,
        ),
    ] {
        let verdict = judge(records, from, pass(signer), ("", SpfResult::None)).await;
        assert_eq!(verdict.outcome, expected, "{records} {from} {signer}");
    }
}
