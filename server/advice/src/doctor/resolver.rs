//! Who answers questions about names, and what is lost by it?

use super::finding::{Finding, Subject};
use super::{Names, Patient};

pub(super) const SUBJECT: Subject = Subject {
    id: "dns",
    title: "Name resolution",
    why: "Where letters go is found in DNS, and only signed answers (DNSSEC) can prove which server is the right one.",
};

pub(super) fn look(patient: &Patient, names: &Names) -> Vec<Finding> {
    let told = patient.dns.describe();
    let silent = names.published.as_ref().is_err_and(mailstead_net::dns::DnsError::is_temporary);
    vec![if patient.dns.is_whole() {
        SUBJECT.good(told)
    } else if !patient.dns.is_known() {
        SUBJECT.unknown(told)
    } else {
        let found = match silent {
            true => SUBJECT.bad(format!("{told} Our own name could not even be looked up just now.")),
            false => SUBJECT.warning(told),
        };
        found
            .todo("Let this machine reach port 53 of the world over UDP and TCP, or install a resolver on it.")
            .command("sudo apt install unbound")
    }]
}
