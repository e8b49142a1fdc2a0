#![allow(clippy::unwrap_used, clippy::expect_used)]

use mailstead_message::Domain;
use mailstead_message::report::{DkimAuth, DmarcOverride, DmarcOverrideKind, DmarcPublished, SpfAuth};

use super::*;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn row(source: [u8; 4], dkim: bool, spf: bool) -> DmarcOutcome {
    DmarcOutcome {
        domain: domain("home.test"),
        published: DmarcPublished {
            strict_dkim: false,
            strict_spf: false,
            policy: DmarcPolicy::Reject,
            subdomains: None,
            nonexistent: None,
            testing: false,
            percent: None,
            failure_options: None,
        },
        source: source.into(),
        disposition: DmarcPolicy::None,
        dkim_aligned: dkim,
        spf_aligned: spf,
        overrides: Vec::new(),
        header_from: domain("home.test"),
        envelope_from: None,
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
    }
}

fn report(findings: Findings, untold: u64) -> Report {
    Report {
        organisation: "google.com".into(),
        contact: String::new(),
        id: "1".into(),
        begin: 1_728_000_000,
        end: 1_728_086_399,
        findings,
        untold,
    }
}

#[test]
fn forged_broken_and_forwarded_letters_are_told_apart() {
    let forged = DmarcOutcome {
        disposition: DmarcPolicy::Reject,
        spf: Some(SpfAuth { domain: "evil.test".into(), of_helo: false, result: AuthResult::Fail }),
        ..row([203, 0, 113, 9], false, false)
    };
    let broken = DmarcOutcome {
        dkim: vec![DkimAuth { domain: "home.test".into(), selector: "s".into(), result: AuthResult::Fail }],
        overrides: vec![DmarcOverride { kind: DmarcOverrideKind::MailingList, comment: Some("list.test".into()) }],
        ..row([198, 51, 100, 1], false, false)
    };
    let rows =
        vec![(row([192, 0, 2, 7], true, true), 30), (row([198, 51, 100, 2], true, false), 1), (forged, 1), (broken, 2)];
    let expected = [
        "google.com saw 34 letters in the name of home.test between 2024-10-04T00:00:00Z and 2024-10-04T23:59:59Z.",
        "31 were proved to be yours, 3 were not:",
        "2 from 198.51.100.1, taken all the same, because of mailing_list (list.test): your signature on it was broken \
         on the way, or could not be checked.",
        "1 from 203.0.113.9, refused: it bore no signature of yours and SPF says fail for evil.test: not sent through \
         this server, so a forgery, or a service that sends in your name without being set up for it.",
        "30 good letters came from 192.0.2.7, proved by signature and sender's address.",
        "1 good letter came from 198.51.100.2, proved by signature alone, as when someone forwards them.",
        "7 more are only counted, without a word on what became of them.",
    ];
    assert_eq!(of(&report(Findings::Dmarc(rows), 7)), expected);
}

#[test]
fn good_news_is_short() {
    let rows = vec![(row([192, 0, 2, 7], true, true), 1)];
    let told = of(&report(Findings::Dmarc(rows), 0));
    assert_eq!(told.len(), 3);
    assert_eq!(told[1], "All of them were proved to be yours.");
    let tls = TlsOutcome { domain: domain("home.test"), policy: TlsPolicy::NotFound, failure: None };
    let told = of(&report(Findings::Tls(vec![(tls, 2)]), 0));
    assert_eq!(
        told[1..],
        ["TLS was as it should be in all of them.", "They found no policy: neither MTA-STS nor TLSA records.",]
    );
}

#[test]
fn failures_of_tls_name_the_server_and_the_cause() {
    let policy = TlsPolicy::Sts { lines: vec!["version: STSv1".into(), "mode: enforce".into()], mx: Vec::new() };
    let failure = TlsFailure {
        result: TlsResult::CertificateExpired,
        sending_ip: None,
        mx: Some("mx.home.test".into()),
        helo: None,
        receiving_ip: Some([192, 0, 2, 1].into()),
        reason: Some("since Monday".into()),
    };
    let good = TlsOutcome { domain: domain("home.test"), policy: policy.clone(), failure: None };
    let bad = TlsOutcome { failure: Some(failure), ..good.clone() };
    let expected = [
        "google.com opened 12 sessions to deliver mail to home.test between 2024-10-04T00:00:00Z and \
         2024-10-04T23:59:59Z.",
        "TLS was as it should be in 9, and not in 3:",
        "In 3 at mx.home.test [192.0.2.1] the certificate had expired (since Monday).",
        "The MTA-STS policy they saw: version: STSv1; mode: enforce.",
    ];
    assert_eq!(of(&report(Findings::Tls(vec![(good, 9), (bad, 3)]), 0)), expected);
}

#[test]
fn many_rows_end_in_a_hint() {
    let rows = (0..60).map(|number| (row([203, 0, 113, number], false, false), 1)).collect();
    let told = of(&report(Findings::Dmarc(rows), 0));
    assert_eq!(told.len(), 2 + MAX_SENTENCES + 1);
    assert_eq!(told.last().unwrap(), "... and 10 more like these: see --json.");
}
