//! Do our addresses lead back to our name (reverse DNS)?

use std::net::IpAddr;

use futures_util::future::join_all;
use mailstead_net::dns::DnsError;

use super::finding::{Finding, Subject};
use super::{Names, Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "reverse",
    title: "Reverse DNS",
    why: "Large mailbox providers refuse letters from an address whose reverse name (PTR) does not lead back to it.",
};

pub(super) async fn look(patient: &Patient, names: &Names) -> Vec<Finding> {
    if names.public.is_empty() {
        let none = "No public address of this machine is known, so there is no reverse name to look at.";
        return vec![SUBJECT.unknown(none).todo("If it has one, behind NAT, write it into delivery.own_addresses.")];
    }
    join_all(names.public.iter().map(|address| of(patient, *address))).await
}

async fn of(patient: &Patient, address: IpAddr) -> Finding {
    let host = &patient.hostname;
    let set = |finding: Finding| {
        finding.about(address).todo(format!(
            "Set the reverse name of {address} to {host} in the control panel of whoever rents you this machine."
        ))
    };
    let found = match patient.dns.ptr(address).await {
        Ok(answer) => answer.records,
        Err(DnsError::NoName | DnsError::NoRecords) => {
            return set(SUBJECT.bad(format!("{address} has no reverse name.")));
        }
        Err(error) => {
            return SUBJECT
                .unknown(format!("The reverse name of {address} can't be looked up: {error}."))
                .about(address);
        }
    };
    let confirmed = join_all(found.iter().map(|name| leads_to(patient, name, address))).await;
    let confirmed: Vec<&String> = found.iter().zip(confirmed).filter(|(_, yes)| *yes).map(|(name, _)| name).collect();
    let shown = words::list(&found.iter().take(3).map(|name| name.escape_debug().to_string()).collect::<Vec<_>>());
    match confirmed.as_slice() {
        names if names.contains(&host) => {
            SUBJECT.good(format!("{address} is called {host}, and {host} leads back to it.")).about(address)
        }
        [] => set(SUBJECT.bad(format!("{address} is called {shown}, but that name does not lead back to it."))),
        _ => set(SUBJECT.warning(format!("{address} is called {shown}, and not {host} as this server calls itself."))),
    }
}

async fn leads_to(patient: &Patient, name: &str, address: IpAddr) -> bool {
    patient.dns.addresses(name).await.is_ok_and(|answer| answer.records.contains(&address))
}
