//! Whether a wildcard's records may stand for a name: only where nothing closer exists (RFC 4035 5.3.4).
//!
//! The library demands that the wildcard itself be denied as well, and so rejects most rightly signed answers by NSEC.

use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::dnssec::rdata::{DNSSECRData, NSEC, SigInput};
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

/// True when the records of this kind at `name` are a wildcard's, by their proved signature, and nothing proved stands
/// beside them: so they may have been taken from another name that does not exist. The library looks for no proof where
/// all else in the answer is proved to be unsigned, which is easily added.
pub(super) fn is_unfounded(message: &Message, name: &Name, kind: RecordType) -> bool {
    let shown = message.authorities.iter().any(|record| {
        record.proof == Proof::Secure && matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
    });
    !shown && is_expanded(message, name, kind)
}

/// True when the records of this kind at `name` are a wildcard's, by their proved signature.
pub(super) fn is_expanded(message: &Message, name: &Name, kind: RecordType) -> bool {
    signatures(message, name, kind).any(|signature| signature.num_labels < name.num_labels())
}

/// True when a proved NSEC record shows that `name`, or what of it is one label longer than the wildcard's own parent,
/// does not exist. The signatures of all records must have been checked before.
pub(super) fn is_proved(message: &Message, name: &Name, kind: RecordType) -> bool {
    let mut expanded = signatures(message, name, kind).peekable();
    expanded.peek().is_some()
        && expanded.all(|signature| {
            let closest = signature.num_labels;
            closest < name.num_labels() && {
                let next_closer = name.trim_to(usize::from(closest) + 1);
                message
                    .authorities
                    .iter()
                    .filter(|record| signature.signer_name.zone_of(&record.name))
                    .any(|record| proved_nsec(record).is_some_and(|nsec| denies(&record.name, nsec, &next_closer)))
            }
        })
}

/// The proved signatures of the records of this kind at the name.
fn signatures<'m>(message: &'m Message, name: &'m Name, kind: RecordType) -> impl Iterator<Item = &'m SigInput> {
    let proved = message.answers.iter().filter(|record| record.proof == Proof::Secure && record.name == *name);
    proved.filter_map(move |record| match &record.data {
        RData::DNSSEC(DNSSECRData::RRSIG(signature)) if signature.input().type_covered == kind => {
            Some(signature.input())
        }
        _ => None,
    })
}

fn proved_nsec(record: &Record) -> Option<&NSEC> {
    match &record.data {
        RData::DNSSEC(DNSSECRData::NSEC(nsec)) if record.proof == Proof::Secure => Some(nsec),
        _ => None,
    }
}

/// True when the NSEC record lies around the name, and neither the name nor anything below it exists.
fn denies(owner: &Name, nsec: &NSEC, name: &Name) -> bool {
    let next = nsec.next_domain_name();
    let types = nsec.type_set();
    // Of a parent's record at a delegation nothing follows for what is below (RFC 6840 4.1).
    let delegation = types.contains(RecordType::NS) && !types.contains(RecordType::SOA);
    if owner.zone_of(name) && (delegation || types.contains(RecordType::DNAME)) {
        return false;
    }
    // The zone's last name has its first one as its next, after which only names of that very zone are missing: a child
    // zone's last record says nothing of its parent's names.
    let last = next <= owner && next.zone_of(name);
    owner < name && (name < next || last) && !name.zone_of(next)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn shows(owner: &str, next: &str, types: &[RecordType], absent: &str) -> bool {
        denies(&name(owner), &NSEC::new(name(next), types.iter().copied()), &name(absent))
    }

    #[test]
    fn a_name_between_two_others_does_not_exist() {
        let own = &[RecordType::A];
        assert!(shows("a.test.", "c.test.", own, "b.test."));
        assert!(shows("z.test.", "test.", own, "zz.test."), "after the last name");
        assert!(!shows("z.aaa.test.", "aaa.test.", own, "mx.test."), "after the last name of a child zone");
        assert!(!shows("a.test.", "c.test.", own, "a.test."), "the owner itself");
        assert!(!shows("a.test.", "c.test.", own, "c.test."), "the next name");
        assert!(!shows("a.test.", "c.test.", own, "d.test."), "outside");
        assert!(!shows("a.test.", "x.b.test.", own, "b.test."), "something lies below it");
    }

    #[test]
    fn a_delegation_says_nothing_of_what_is_below_it() {
        assert!(!shows("a.test.", "c.test.", &[RecordType::NS], "b.a.test."));
        assert!(!shows("a.test.", "c.test.", &[RecordType::DNAME], "b.a.test."));
        assert!(shows("a.test.", "c.test.", &[RecordType::NS, RecordType::SOA], "b.a.test."));
        assert!(shows("a.test.", "c.test.", &[RecordType::NS], "b.test."));
    }
}
