//! A report in plain words.

use std::collections::{BTreeMap, BTreeSet};

use mailstead_message::report::{
    AuthResult, DmarcOutcome, DmarcPolicy, Findings, Report, TlsFailure, TlsOutcome, TlsPolicy, TlsResult,
};

use super::super::operator::time;
use mailstead_store::Timestamp;

/// Sentences about single senders or failures; whoever wants more asks for JSON.
const MAX_SENTENCES: usize = 50;

/// The sentences that tell it.
pub(super) fn of(report: &Report) -> Vec<String> {
    let when = format!("between {} and {}", time(Timestamp(report.begin)), time(Timestamp(report.end)));
    let mut sentences = match &report.findings {
        Findings::Dmarc(rows) => dmarc(&report.organisation, &when, rows),
        Findings::Tls(rows) => tls(&report.organisation, &when, rows),
    };
    if report.untold > 0 {
        sentences.push(format!("{} more are only counted, without a word on what became of them.", report.untold));
    }
    sentences
}

fn dmarc(who: &str, when: &str, rows: &[(DmarcOutcome, u64)]) -> Vec<String> {
    let (passed, failed): (Vec<_>, Vec<_>) = rows.iter().partition(|(row, _)| row.passed());
    let names = list(rows.iter().map(|(row, _)| row.header_from.to_unicode()));
    let total = sum(rows.iter());
    let mut sentences = vec![format!("{who} saw {} in the name of {names} {when}.", count(total, "letter"))];
    if failed.is_empty() && total > 0 {
        sentences.push("All of them were proved to be yours.".to_owned());
    } else if total > 0 {
        let (good, bad) = (sum(passed.iter().copied()), sum(failed.iter().copied()));
        sentences.push(format!("{} proved to be yours, {} not:", were(good), were(bad)));
    }
    let mut rest = failed;
    rest.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    sentences.extend(rest.iter().take(MAX_SENTENCES).map(|(row, count)| unproved(row, *count)));
    more(rest.len(), &mut sentences);
    sentences.extend(by_source(&passed));
    sentences
}

/// Where the good ones came from.
fn by_source(rows: &[&(DmarcOutcome, u64)]) -> Vec<String> {
    let mut sources = BTreeMap::<String, (u64, bool, bool)>::new();
    for (row, count) in rows {
        let source = sources.entry(row.source.to_canonical().to_string()).or_default();
        source.0 = source.0.saturating_add(*count);
        source.1 |= row.dkim_aligned;
        source.2 |= row.spf_aligned;
    }
    let total = sources.len();
    let told = sources.into_iter().take(MAX_SENTENCES).map(|(source, (letters, dkim, spf))| {
        let proof = match (dkim, spf) {
            (true, true) => "signature and sender's address",
            (true, false) => "signature alone, as when someone forwards them",
            (false, _) => "sender's address alone: they bore no signature of yours that held",
        };
        format!("{} came from {source}, proved by {proof}.", count(letters, "good letter"))
    });
    let mut sentences: Vec<String> = told.collect();
    more(total, &mut sentences);
    sentences
}

fn unproved(row: &DmarcOutcome, letters: u64) -> String {
    let source = row.source.to_canonical();
    let broken = row
        .dkim
        .iter()
        .any(|signature| signature.result != AuthResult::Pass && below(&signature.domain, row.domain.as_str()));
    let cause = if broken {
        "your signature on it was broken on the way, or could not be checked".to_owned()
    } else {
        let spf = row.spf.as_ref().map(|spf| format!("SPF says {} for {}", spf.result.as_str(), spf.domain));
        let spf = spf.unwrap_or_else(|| "SPF says nothing".to_owned());
        format!(
            "it bore no signature of yours and {spf}: not sent through this server, so a forgery, or a service that \
             sends in your name without being set up for it"
        )
    };
    let fate = match row.disposition {
        DmarcPolicy::None => "taken all the same",
        DmarcPolicy::Quarantine => "put aside as suspicious",
        DmarcPolicy::Reject => "refused",
    };
    let why = row.overrides.iter().map(|reason| match &reason.comment {
        Some(comment) => format!("{} ({comment})", reason.kind.as_str()),
        None => reason.kind.as_str().to_owned(),
    });
    let why: Vec<String> = why.collect();
    let why = if why.is_empty() { String::new() } else { format!(", because of {}", why.join(", ")) };
    format!("{letters} from {source}, {fate}{why}: {cause}.")
}

fn tls(who: &str, when: &str, rows: &[(TlsOutcome, u64)]) -> Vec<String> {
    let names = list(rows.iter().map(|(row, _)| row.domain.to_unicode()));
    let good = sum(rows.iter().filter(|(row, _)| row.failure.is_none()));
    let failures: Vec<_> = rows.iter().filter(|(row, count)| row.failure.is_some() && *count > 0).collect();
    let bad = sum(failures.iter().copied());
    let sessions = count(good.saturating_add(bad), "session");
    let mut sentences = vec![format!("{who} opened {sessions} to deliver mail to {names} {when}.")];
    sentences.push(match (good, bad) {
        (0, 0) => "Nothing is told of any.".to_owned(),
        (_, 0) => "TLS was as it should be in all of them.".to_owned(),
        _ => format!("TLS was as it should be in {good}, and not in {bad}:"),
    });
    let told = failures.iter().filter_map(|(row, count)| Some(failed(row.failure.as_ref()?, *count)));
    sentences.extend(told.take(MAX_SENTENCES));
    more(failures.len(), &mut sentences);
    let policies: BTreeSet<String> = rows.iter().map(|(row, _)| policy(&row.policy)).collect();
    sentences.extend(policies.into_iter().take(MAX_SENTENCES));
    sentences
}

fn failed(failure: &TlsFailure, sessions: u64) -> String {
    let what = match failure.result {
        TlsResult::StarttlsNotSupported => "the server offered no TLS",
        TlsResult::CertificateHostMismatch => "the certificate was for another name",
        TlsResult::CertificateExpired => "the certificate had expired",
        TlsResult::CertificateNotTrusted => "the certificate was not trusted",
        TlsResult::ValidationFailure => "TLS failed",
        TlsResult::TlsaInvalid => "no TLSA record fitted the certificate",
        TlsResult::DnssecInvalid => "the TLSA records' signatures were not valid",
        TlsResult::DaneRequired => "there were no TLSA records, though they were required",
        TlsResult::StsPolicyFetchError => "the MTA-STS policy could not be fetched",
        TlsResult::StsPolicyInvalid => "the MTA-STS policy was not valid",
        TlsResult::StsWebpkiInvalid => "the certificate of the MTA-STS policy's host was not valid",
    };
    let host = failure.mx.as_ref().map(|mx| format!(" at {mx}")).unwrap_or_default();
    let address = failure.receiving_ip.map(|ip| format!(" [{}]", ip.to_canonical())).unwrap_or_default();
    let reason = failure.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    format!("In {sessions}{host}{address} {what}{reason}.")
}

fn policy(policy: &TlsPolicy) -> String {
    match policy {
        TlsPolicy::Sts { lines, .. } => format!("The MTA-STS policy they saw: {}.", lines.join("; ")),
        TlsPolicy::Tlsa { records } => format!("The TLSA records they saw: {}.", records.join("; ")),
        TlsPolicy::NotFound => "They found no policy: neither MTA-STS nor TLSA records.".to_owned(),
    }
}

fn more(total: usize, sentences: &mut Vec<String>) {
    if let Some(left) = total.checked_sub(MAX_SENTENCES).filter(|left| *left > 0) {
        sentences.push(format!("... and {left} more like these: see --json."));
    }
}

fn sum<'a, T: 'a>(rows: impl Iterator<Item = &'a (T, u64)>) -> u64 {
    rows.fold(0, |sum, (_, count)| sum.saturating_add(*count))
}

/// Each name once.
fn list(names: impl Iterator<Item = String>) -> String {
    let names: BTreeSet<String> = names.collect();
    match names.len() {
        0 => "your domain".to_owned(),
        1..=5 => names.into_iter().collect::<Vec<_>>().join(", "),
        number => format!("{number} names of yours"),
    }
}

fn were(number: u64) -> String {
    format!("{number} {}", if number == 1 { "was" } else { "were" })
}

fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

fn below(name: &str, domain: &str) -> bool {
    let front = name.to_ascii_lowercase();
    front.strip_suffix(domain).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

#[cfg(test)]
mod tests;
