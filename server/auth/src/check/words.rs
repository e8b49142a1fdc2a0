//! A verdict in sentences for the operator.

use mailstead_message::Domain;

use super::{Chain, Outcome, SpfResult, Verdict};

/// Everything that was looked at, in the order in which it was.
pub(super) fn tell(verdict: &Verdict, trusted: &[Domain]) -> Vec<String> {
    let mut told = vec![spf(verdict), reverse(verdict)];
    told.extend(dkim(verdict));
    told.extend(arc(verdict, trusted));
    told.push(dmarc(verdict));
    told
}

fn spf(verdict: &Verdict) -> String {
    let spf = verdict.origin.spf();
    let domain = spf.domain.escape_debug();
    match &spf.result {
        SpfResult::None => format!("SPF: {domain} does not say who may send its mail."),
        SpfResult::Neutral => format!("SPF: {domain} says nothing about this address."),
        SpfResult::Pass => format!("SPF: {domain} lets this address send its mail."),
        SpfResult::Fail => format!("SPF: {domain} does not let this address send its mail."),
        SpfResult::SoftFail => format!("SPF: {domain} says that this address should probably not send its mail."),
        SpfResult::TempError(why) => format!("SPF: {domain} could not be asked: {why}."),
        SpfResult::PermError(why) => format!("SPF: the record of {domain} can't be used: {why}."),
    }
}

fn reverse(verdict: &Verdict) -> String {
    let reverse = &verdict.origin.reverse;
    match &reverse.name {
        Some(name) => format!("Reverse DNS: the address is {name}, and that name leads back to it."),
        None => format!("Reverse DNS: {}.", reverse.finding.why),
    }
}

fn dkim(verdict: &Verdict) -> Vec<String> {
    let dkim = &verdict.dkim;
    if dkim.looked_at.is_empty() {
        return vec!["DKIM: nobody signed it.".to_owned()];
    }
    let mut told: Vec<String> = dkim
        .looked_at
        .iter()
        .map(|signature| {
            let signer = match (signature.domain.as_str(), signature.selector.as_str()) {
                ("", _) => "a signature without a readable domain".to_owned(),
                (domain, selector) => {
                    format!("signed by {domain} (key {selector}, {})", signature.algorithm.escape_debug())
                }
            };
            let testing = if signature.testing { " The domain says that it is only testing." } else { "" };
            match signature.finding.outcome {
                Outcome::Pass => format!("DKIM: {signer}, and the signature is right.{testing}"),
                _ => {
                    format!("DKIM: {signer}, which proves nothing: {}.{testing}", signature.finding.why.escape_debug())
                }
            }
        })
        .collect();
    if dkim.passed_over > 0 {
        told.push(format!("DKIM: {} more signatures were not looked at.", dkim.passed_over));
    }
    told
}

fn arc(verdict: &Verdict, trusted: &[Domain]) -> Option<String> {
    let arc = &verdict.arc;
    match arc.chain {
        Chain::None => None,
        Chain::Failed if arc.undecided => {
            Some(format!("ARC: it can't be told now what the chain of those who handled it proves: {}.", arc.why))
        }
        Chain::Failed => Some(format!("ARC: the chain of those who handled it proves nothing: {}.", arc.why)),
        Chain::Passed(_) => {
            let sealers = arc.sealers.join(", ");
            Some(match verdict.voucher(trusted) {
                Some(voucher) => {
                    format!("ARC: sealed by {sealers}, all trusted here, and {voucher} saw that it was its author's.")
                }
                None => format!("ARC: sealed by {sealers}, and the chain is whole."),
            })
        }
    }
}

fn dmarc(verdict: &Verdict) -> String {
    let dmarc = &verdict.dmarc;
    let author = dmarc.author.as_ref().map_or_else(|| "nobody".to_owned(), ToString::to_string);
    match dmarc.outcome {
        Outcome::None | Outcome::Policy => format!("DMARC: {}.", dmarc.why),
        Outcome::Pass => {
            let by = match (dmarc.dkim_aligned, dmarc.spf_aligned) {
                (true, true) => "by its signature and by SPF",
                (false, true) => "by SPF",
                _ => "by its signature",
            };
            format!("DMARC: it is proved to be from {author} {by}.")
        }
        Outcome::Fail => {
            let wish = dmarc.policy.word();
            format!("DMARC: it is not proved to be from {author}, whose owner asks for \"{wish}\" then.")
        }
        Outcome::TempError => format!("DMARC: it can't be told now whether it is from {author}: {}.", dmarc.why),
        Outcome::PermError => format!("DMARC: it can't be told who it is from: {}.", dmarc.why),
    }
}
