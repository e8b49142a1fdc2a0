//! Reports on TLS and DMARC: as a letter, packed, or bare.

use mailstead_auth::report::{
    DmarcOutcome, Findings, MAX_LIST, MAX_ROWS, MAX_UNPACKED, MAX_WORD, Report, TlsOutcome, Unreadable, dmarc, tls,
    unpack,
};
use mailstead_message::Domain;

use crate::assert_harmless;

/// Rows a policy may have beyond the most: those read before it is known that there are too many.
const MARGIN: usize = 2_001;

/// Takes a report in any form.
pub fn report(bytes: &[u8]) {
    let _ = unpack::read(bytes).map(|report| assert_report(&report));
    if let Ok(unpacked) = unpack::unpack(bytes, MAX_UNPACKED) {
        assert!(unpacked.len() <= MAX_UNPACKED);
        match unpack::parse(&unpacked) {
            Ok(report) => assert_report(&report),
            Err(why) => assert_harmless(&why.to_string()),
        }
    }
}

fn assert_report(report: &Report) {
    for text in [&report.organisation, &report.contact, &report.id] {
        assert_word(text);
    }
    assert!(report.begin <= report.end && !report.organisation.is_empty() && !report.id.is_empty());
    match &report.findings {
        Findings::Tls(rows) => {
            assert!(rows.len() <= MAX_ROWS + MARGIN);
            rows.iter().for_each(|(row, _)| assert_bounded(row, row.clone(), TlsOutcome::cut));
        }
        Findings::Dmarc(rows) => {
            assert!(rows.len() <= MAX_ROWS);
            rows.iter().for_each(|(row, _)| assert_bounded(row, row.clone(), DmarcOutcome::cut));
            rows.iter().flat_map(|(row, _)| &row.dkim).for_each(|signature| assert_word(&signature.selector));
        }
    }
    // What was not told is told in words that are not read again.
    let report = Report { untold: 0, ..report.clone() };
    if let Some(once) = rewritten(&report).and_then(Result::ok) {
        assert_eq!(rewritten(&once), Some(Ok(once.clone())), "writing and reading are not inverse");
    }
}

/// Nothing is left to be cut.
fn assert_bounded<T: PartialEq + std::fmt::Debug>(row: &T, mut copy: T, cut: impl Fn(&mut T)) {
    cut(&mut copy);
    assert_eq!(&copy, row, "more than {MAX_LIST} entries or {MAX_WORD} characters");
}

fn assert_word(text: &str) {
    assert_harmless(text);
    assert!(text.chars().count() <= MAX_WORD);
}

/// As it is when written and read again; `None` when it has no row.
fn rewritten(report: &Report) -> Option<Result<Report, Unreadable>> {
    let about = |domain: Option<&Domain>| domain.cloned();
    let text = match &report.findings {
        Findings::Tls(rows) => tls::write(report, &about(rows.first().map(|(row, _)| &row.domain))?, rows),
        Findings::Dmarc(rows) => dmarc::write(report, &about(rows.first().map(|(row, _)| &row.domain))?, rows),
    };
    Some(unpack::parse(text.as_bytes()).map(|report| Report { untold: 0, ..report }))
}
