#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bombs;
mod formats;
mod wanted;

use mailstead_message::Domain;

use super::*;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn published() -> DmarcPublished {
    DmarcPublished {
        strict_dkim: false,
        strict_spf: true,
        policy: DmarcPolicy::Reject,
        subdomains: Some(DmarcPolicy::Quarantine),
        nonexistent: Some(DmarcPolicy::Reject),
        testing: false,
        percent: None,
        failure_options: Some("1".to_owned()),
    }
}

fn dmarc_rows() -> Vec<(DmarcOutcome, u64)> {
    let good = DmarcOutcome {
        domain: domain("world.test"),
        published: published(),
        source: [192, 0, 2, 7].into(),
        disposition: DmarcPolicy::None,
        dkim_aligned: true,
        spf_aligned: true,
        overrides: Vec::new(),
        header_from: domain("world.test"),
        envelope_from: Some(domain("bounce.world.test")),
        envelope_to: Some(domain("home.test")),
        dkim: vec![DkimAuth { domain: "world.test".into(), selector: "s1".into(), result: AuthResult::Pass }],
        spf: Some(SpfAuth { domain: "bounce.world.test".into(), of_helo: false, result: AuthResult::Pass }),
    };
    let forged = DmarcOutcome {
        source: "2001:db8::1".parse().unwrap(),
        disposition: DmarcPolicy::Quarantine,
        dkim_aligned: false,
        spf_aligned: false,
        overrides: vec![DmarcOverride {
            kind: DmarcOverrideKind::LocalPolicy,
            comment: Some("arc=pass & <trusted>".into()),
        }],
        envelope_from: None,
        dkim: vec![
            DkimAuth { domain: "a.test".into(), selector: "x".into(), result: AuthResult::Fail },
            DkimAuth { domain: "b.test".into(), selector: "y".into(), result: AuthResult::Permerror },
        ],
        spf: Some(SpfAuth { domain: "mx.far.test".into(), of_helo: true, result: AuthResult::Softfail }),
        ..good.clone()
    };
    vec![(good, 31), (forged, 1)]
}

fn tls_rows() -> Vec<(TlsOutcome, u64)> {
    let sts = TlsPolicy::Sts {
        lines: vec!["version: STSv1".into(), "mode: enforce".into(), "mx: *.world.test".into()],
        mx: vec!["*.world.test".into()],
    };
    let expired = TlsFailure {
        result: TlsResult::CertificateExpired,
        sending_ip: Some([192, 0, 2, 1].into()),
        mx: Some("mx.world.test".into()),
        helo: None,
        receiving_ip: Some("2001:db8::7".parse().unwrap()),
        reason: Some("expired on \"Monday\"".into()),
    };
    let plain = TlsFailure { result: TlsResult::StarttlsNotSupported, receiving_ip: None, ..expired.clone() };
    let row =
        |policy: &TlsPolicy, failure| TlsOutcome { domain: domain("world.test"), policy: policy.clone(), failure };
    let tlsa = TlsPolicy::Tlsa { records: vec!["3 1 1 00ff".into()] };
    vec![
        (row(&sts, Some(expired)), 3),
        (row(&sts, Some(plain)), 1),
        (row(&sts, None), 5_326),
        (row(&tlsa, None), 2),
        (row(&TlsPolicy::NotFound, None), 1),
    ]
}

fn report(findings: Findings) -> Report {
    Report {
        organisation: "home.test".into(),
        contact: "postmaster@home.test".into(),
        id: "20000.world.test".into(),
        begin: 1_728_000_000,
        end: 1_728_086_399,
        findings,
        untold: 0,
    }
}

fn dmarc_report() -> Report {
    report(Findings::Dmarc(dmarc_rows()))
}

fn tls_report() -> Report {
    report(Findings::Tls(tls_rows()))
}
