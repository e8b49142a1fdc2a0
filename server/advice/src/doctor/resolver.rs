//! Who answers questions about names, and what is lost by it?

use super::Patient;
use super::finding::{Finding, Subject};

pub(super) const SUBJECT: Subject = Subject {
    id: "dns",
    title: "Name resolution",
    why: "Where letters go is found in DNS, and only signed answers (DNSSEC) can prove which server is the right one.",
};

pub(super) fn look(patient: &Patient) -> Vec<Finding> {
    let told = patient.dns.describe();
    vec![if patient.dns.is_whole() {
        SUBJECT.good(told)
    } else if !patient.dns.is_known() {
        SUBJECT.unknown(told)
    } else {
        SUBJECT
            .warning(told)
            .todo("Let this machine reach port 53 of the world over UDP and TCP, or install a resolver on it.")
            .command("sudo apt install unbound")
    }]
}
