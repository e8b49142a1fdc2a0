//! Does the server prove its names?

use jiff::Timestamp;
use mailstead_net::acme::{Source, Standing};

use super::books::Books;
use super::finding::{Finding, Subject};
use super::host::Host;
use super::{Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "certificates",
    title: "Certificates",
    why: "Mail programs refuse to log in where the certificate is not valid, and careful servers refuse to deliver.",
};

pub(super) fn look(patient: &Patient, host: &dyn Host, books: &Books) -> Vec<Finding> {
    let now = host.now();
    let (own, others): (Vec<&Standing>, Vec<&Standing>) =
        books.certificates.iter().partition(|standing| standing.name == patient.hostname);
    let mut findings = vec![match own.first() {
        Some(standing) => of_host(standing, now),
        None if patient.running => helped(SUBJECT.bad(format!("There is no certificate for {}.", patient.hostname))),
        None => SUBJECT.unknown(format!("No certificate for {} is kept here yet.", patient.hostname)),
    }];
    let (waiting, rest): (Vec<&Standing>, Vec<&Standing>) =
        others.into_iter().partition(|standing| standing.expires.is_none() && standing.waits_for_dns);
    findings.extend(rest.into_iter().filter_map(|standing| of_other(standing, now)));
    if !waiting.is_empty() {
        let names: Vec<&str> = waiting.iter().map(|standing| standing.name.as_str()).collect();
        let are =
            if names.len() == 1 { "does not lead here yet, so it has" } else { "do not lead here yet, so they have" };
        findings.push(
            SUBJECT
                .unknown(format!("{} {are} no certificate.", words::list(&names)))
                .about("waiting")
                .todo("Nothing, if you don't want these names; else publish their DNS records.")
                .page("/domains")
                .command("mailstead certificate list"),
        );
    }
    findings
}

fn of_host(standing: &Standing, now: Timestamp) -> Finding {
    let name = &standing.name;
    let trouble = trouble(standing);
    match standing.expires.and_then(|at| Timestamp::from_second(at).ok()) {
        _ if standing.source == Source::SelfSigned => {
            let what = format!(
                "The certificate for {name} is one the server made itself, which nobody else believes{trouble}."
            );
            helped(SUBJECT.bad(what))
        }
        None => helped(SUBJECT.bad(format!("There is no certificate for {name}{trouble}."))),
        Some(end) if end <= now => helped(SUBJECT.bad(format!("The certificate for {name} has ended{trouble}."))),
        Some(end) => {
            let left = words::span(end.duration_since(now));
            match standing.alarming {
                true => helped(SUBJECT.warning(format!("The certificate for {name} ends in {left}{trouble}."))),
                false => SUBJECT.good(format!("The certificate for {name} is good for {left} more.")),
            }
        }
    }
}

/// Other names are told of only when something is wrong.
fn of_other(standing: &Standing, now: Timestamp) -> Option<Finding> {
    let (name, trouble) = (&standing.name, trouble(standing));
    let found = match standing.expires.and_then(|at| Timestamp::from_second(at).ok()) {
        None if standing.trouble.is_none() => return None,
        None => SUBJECT.warning(format!("There is no certificate for {name}{trouble}.")),
        Some(end) if end <= now => SUBJECT.bad(format!("The certificate for {name} has ended{trouble}.")),
        Some(end) if standing.alarming => {
            let left = words::span(end.duration_since(now));
            SUBJECT.warning(format!("The certificate for {name} ends in {left}{trouble}."))
        }
        Some(_) => return None,
    };
    Some(helped(found.about(name)))
}

fn trouble(standing: &Standing) -> String {
    let words =
        standing.trouble.as_ref().map(|words| format!("; the last try failed: {}", words.trim_end_matches('.')));
    words.unwrap_or_default()
}

fn helped(finding: Finding) -> Finding {
    finding
        .todo("See what keeps it from being issued, mend that, and ask again.")
        .page("/certificates")
        .command("mailstead certificate list")
        .command("mailstead certificate renew")
}
