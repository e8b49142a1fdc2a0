//! The alias of a whole subtree (DNAME, RFC 6672): servers make an unsigned CNAME record of it for each name below.

use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::Message;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinDecoder};

use super::wildcard;

/// True when just this alias follows from a proved DNAME record in the message.
pub(super) fn gives(message: &Message, alias: &Record) -> bool {
    let RData::CNAME(target) = &alias.data else { return false };
    message.answers.iter().any(|record| {
        record.proof == Proof::Secure
            && record.record_type() == RecordType::DNAME
            && follows(&record.name, &record.data, &alias.name).is_some_and(|follows| follows == target.0)
            && !wildcard::is_expanded(message, &record.name, RecordType::DNAME)
    })
}

/// What the name becomes: the end that is the owner's is exchanged for the target.
fn follows(owner: &Name, data: &RData, name: &Name) -> Option<Name> {
    // The library does not know the type.
    let RData::Unknown { rdata, .. } = data else { return None };
    let mut decoder = BinDecoder::new(&rdata.anything);
    let target = Name::read(&mut decoder).ok().filter(|_| decoder.is_empty())?;
    if !owner.zone_of(name) || owner == name {
        return None;
    }
    let kept = name.iter().count().checked_sub(owner.iter().count())?;
    Name::from_labels(name.iter().take(kept).chain(target.iter())).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hickory_resolver::proto::rr::rdata::NULL;

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn becomes(owner: &str, target: &[u8], asked: &str) -> Option<Name> {
        let data = RData::Unknown { code: RecordType::DNAME, rdata: NULL::with(target.to_vec()) };
        follows(&name(owner), &data, &name(asked))
    }

    #[test]
    fn names_below_the_owner_move_with_it() {
        let target = b"\x03new\x04test\0";
        assert_eq!(becomes("old.test.", target, "a.b.old.test."), Some(name("a.b.new.test.")));
        assert_eq!(becomes("old.test.", b"\0", "a.old.test."), Some(name("a.")));
        assert_eq!(becomes("old.test.", target, "old.test."), None, "the owner itself stays");
        assert_eq!(becomes("old.test.", target, "bold.test."), None);
        let long = format!("{}.old.test.", vec!["x".repeat(63); 3].join("."));
        let longer = [b"\x3f".as_slice(), &[b'y'; 63], b"\0"].concat();
        assert_eq!(becomes("old.test.", &longer, &long), None, "too long a name");
        assert_eq!(becomes("old.test.", b"\x03ne", "a.old.test."), None, "garbage");
        assert_eq!(becomes("old.test.", b"\0\0", "a.old.test."), None, "and more of it");
    }
}
