//! IPv6: whole, absent, or half set up?

use std::net::IpAddr;

use mailstead_net::reach::is_public;

use super::finding::{Finding, Subject};
use super::{Names, Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "ipv6",
    title: "IPv6",
    why: "Whoever has IPv6 tries it first, so half of it is worse than none: mail waits, is refused, or is lost.",
};

pub(super) fn look(patient: &Patient, names: &Names) -> Vec<Finding> {
    let published = match &names.published {
        Ok(published) => published,
        Err(error) if error.is_temporary() => {
            return vec![SUBJECT.unknown("Where the host name leads is not known, so it can't be told.")];
        }
        Err(_) => return Vec::new(),
    };
    let aaaa: Vec<IpAddr> = published.iter().copied().filter(IpAddr::is_ipv6).collect();
    let own: Vec<IpAddr> =
        patient.own_addresses.iter().copied().filter(|own| own.is_ipv6() && is_public(*own)).collect();
    let exchange = patient.listen.iter().filter(|(key, address)| key == "smtp" && address.is_ipv6());
    let listens = exchange.count() > 0;
    let host = &patient.hostname;
    vec![match (aaaa.as_slice(), own.as_slice()) {
        ([], []) => SUBJECT.good("This machine has IPv4 only, and its name says so."),
        ([], own) => SUBJECT
            .warning(format!("This machine sends over IPv6 ({}), but {host} has no AAAA record.", words::list(own)))
            .todo("Publish that AAAA record and set its reverse name, or turn IPv6 off on this machine."),
        (aaaa, []) => SUBJECT
            .bad(format!("{host} leads to {}, but this machine has no public IPv6 address.", words::list(aaaa)))
            .todo("Give the machine that address, or remove the AAAA record."),
        (aaaa, _) if !listens => SUBJECT
            .bad(format!("{host} leads to {}, but Mailstead takes no mail over IPv6.", words::list(aaaa)))
            .todo("Add \"[::]:25\" to listen.smtp in the configuration and restart, or remove the AAAA record."),
        _ => SUBJECT.good(format!("{host} is reached over IPv4 and IPv6.")),
    }]
}
