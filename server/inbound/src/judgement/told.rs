//! A judgement as others hear of it: the sender's postmaster, the store, the report to the author's domain.

use mailstead_auth::check::{Disposition, Outcome, Policy, Record, SpfResult, Verdict};
use mailstead_smtp::server::{Client, Envelope};
use mailstead_store::{
    AuthResult, DkimAuth, DmarcOutcome, DmarcOverride, DmarcOverrideKind, DmarcPolicy, DmarcPublished, ReportKind,
    SpfAuth,
};

use super::Judgement;

/// Signatures named in a reply.
const NAMED_SIGNATURES: usize = 3;
/// Characters of a reply: one line of it holds some 500.
const MAX_REPLY: usize = 400;

/// Why a letter is refused.
pub(super) fn refused(verdict: &Verdict) -> String {
    let dmarc = &verdict.dmarc;
    let Some(author) = dmarc.author.as_ref().filter(|_| dmarc.outcome == Outcome::Fail) else {
        return format!("it can't be told who the message is from: {}", dmarc.why);
    };
    let text = format!(
        "the policy of {author} (DMARC) is to refuse mail that is not proved to be from there; {}",
        proofs(verdict)
    );
    cut(&text)
}

/// Why a letter is to come again.
pub(super) fn deferred(verdict: &Verdict) -> String {
    let author = verdict.dmarc.author.as_ref().map(ToString::to_string).unwrap_or_default();
    // What is not proved may still be vouched for.
    let why = if verdict.dmarc.outcome == Outcome::Fail { &verdict.arc.why } else { &verdict.dmarc.why };
    cut(&format!("it can't be told now whether the message is from {author}, try again later: {why}"))
}

/// What there was to prove it by.
fn proofs(verdict: &Verdict) -> String {
    let spf = verdict.origin.spf();
    let mut proofs = vec![format!("SPF of {}: {}", spf.domain, spf.result.word())];
    let signatures = &verdict.dkim.looked_at;
    proofs.extend(signatures.iter().take(NAMED_SIGNATURES).map(|signature| {
        let why = if signature.finding.why.is_empty() { String::new() } else { format!(", {}", signature.finding.why) };
        format!("DKIM of {}: {}{why}", signature.domain, signature.finding.outcome.word())
    }));
    if signatures.is_empty() {
        proofs.push("DKIM: no signature".to_owned());
    }
    proofs.join("; ")
}

fn cut(text: &str) -> String {
    text.chars().filter(|c| matches!(c, ' '..='~')).take(MAX_REPLY).collect()
}

/// As it is kept.
pub(super) fn record(judgement: &Judgement) -> mailstead_store::Verdict {
    let verdict = &judgement.verdict;
    mailstead_store::Verdict {
        results: verdict.results.clone(),
        told: judgement.told.clone(),
        reverse_name: judgement.reverse_name().cloned(),
        spf: spf(verdict),
        dkim: dkim(verdict),
        author: verdict.dmarc.author.clone(),
        dmarc: outcome(verdict.dmarc.outcome),
        disposition: disposition(judgement.disposition),
    }
}

/// As the report to the author's domain counts it; `None` where nobody wants to hear of it, or where it will be judged
/// again.
pub(super) fn tally(judgement: &Judgement, client: &Client, envelope: &Envelope) -> Option<DmarcOutcome> {
    let verdict = &judgement.verdict;
    let (domain, record) = verdict.dmarc.record.as_ref().filter(|(_, record)| record.wants_reports)?;
    // Two servers that reported each other's reports would never come to an end.
    let is_report = envelope.recipients.iter().all(|to| ReportKind::taken_by(to.address.local()).is_some());
    if judgement.disposition == Disposition::Defer || is_report {
        return None;
    }
    let mut recipients: Vec<_> = envelope.recipients.iter().map(|to| to.address.domain()).collect();
    recipients.dedup();
    Some(DmarcOutcome {
        domain: domain.clone(),
        published: published(record),
        source: client.peer.remote.ip().to_canonical(),
        disposition: disposition(judgement.disposition),
        dkim_aligned: verdict.dmarc.dkim_aligned,
        spf_aligned: verdict.dmarc.spf_aligned,
        overrides: overrides(judgement, record),
        header_from: verdict.dmarc.author.clone()?,
        envelope_from: envelope.from.reverse_path.as_ref().map(|path| path.domain().clone()),
        envelope_to: if let [only] = recipients.as_slice() { Some((*only).clone()) } else { None },
        dkim: dkim(verdict),
        spf: Some(spf(verdict)),
    })
}

fn published(record: &Record) -> DmarcPublished {
    DmarcPublished {
        strict_dkim: record.strict_dkim,
        strict_spf: record.strict_spf,
        policy: policy(record.policy),
        subdomains: record.subdomains.map(policy),
        nonexistent: record.nonexistent.map(policy),
        testing: record.testing,
        percent: record.percent,
        failure_options: record.failure_options.clone(),
    }
}

/// Why the record was not followed to the letter.
fn overrides(judgement: &Judgement, record: &Record) -> Vec<DmarcOverride> {
    let dmarc = &judgement.verdict.dmarc;
    let mut overrides = Vec::new();
    if dmarc.outcome != Outcome::Fail {
        return overrides;
    }
    if dmarc.policy != Policy::None && judgement.disposition == Disposition::Accept {
        let sealers = judgement.verdict.arc.sealers.join(", ");
        let comment = Some(format!("arc=pass, sealed by {sealers}"));
        overrides.push(DmarcOverride { kind: DmarcOverrideKind::LocalPolicy, comment });
    }
    if record.testing {
        overrides.push(DmarcOverride { kind: DmarcOverrideKind::PolicyTestMode, comment: None });
    } else if record.percent == Some(0) {
        overrides.push(DmarcOverride { kind: DmarcOverrideKind::SampledOut, comment: None });
    }
    overrides
}

fn policy(policy: Policy) -> DmarcPolicy {
    match policy {
        Policy::None => DmarcPolicy::None,
        Policy::Quarantine => DmarcPolicy::Quarantine,
        Policy::Reject => DmarcPolicy::Reject,
    }
}

fn disposition(disposition: Disposition) -> DmarcPolicy {
    match disposition {
        Disposition::Accept | Disposition::Defer => DmarcPolicy::None,
        Disposition::Junk => DmarcPolicy::Quarantine,
        Disposition::Refuse => DmarcPolicy::Reject,
    }
}

fn dkim(verdict: &Verdict) -> Vec<DkimAuth> {
    let named = verdict.dkim.looked_at.iter().filter(|signature| !signature.domain.is_empty());
    named
        .map(|signature| DkimAuth {
            domain: signature.domain.clone(),
            selector: signature.selector.clone(),
            result: outcome(signature.finding.outcome),
        })
        .collect()
}

fn spf(verdict: &Verdict) -> SpfAuth {
    let spf = verdict.origin.spf();
    let result = match spf.result {
        SpfResult::None => AuthResult::None,
        SpfResult::Neutral => AuthResult::Neutral,
        SpfResult::Pass => AuthResult::Pass,
        SpfResult::Fail => AuthResult::Fail,
        SpfResult::SoftFail => AuthResult::Softfail,
        SpfResult::TempError(_) => AuthResult::Temperror,
        SpfResult::PermError(_) => AuthResult::Permerror,
    };
    SpfAuth { domain: spf.domain.clone(), of_helo: verdict.origin.mail_from.is_none(), result }
}

fn outcome(outcome: Outcome) -> AuthResult {
    match outcome {
        Outcome::None => AuthResult::None,
        Outcome::Pass => AuthResult::Pass,
        Outcome::Fail => AuthResult::Fail,
        Outcome::Policy => AuthResult::Policy,
        Outcome::TempError => AuthResult::Temperror,
        Outcome::PermError => AuthResult::Permerror,
    }
}
