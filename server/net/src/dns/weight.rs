//! What an answer weighs in memory: up to a hundred times what it does on the wire.

use hickory_resolver::proto::dnssec::rdata::DNSSECRData;
use hickory_resolver::proto::op::DnsResponse;
use hickory_resolver::proto::rr::{RData, Record};

/// Heavier answers are no answers. A text of 64 KB still is one, and so are hundreds of mail exchangers.
pub(super) const MAX_WEIGHT: usize = 128 << 10;

/// A record with its names, beside what it has on the wire.
const RECORD: usize = 384;
/// One string of a text.
const STRING: usize = 48;
/// An address may become a name server to be remembered, with its connections.
const ADDRESS: usize = 1_024;
/// One type in a list of those that a name has.
const TYPE: usize = 8;

/// Roughly the bytes that the answer takes while it is remembered.
pub(super) fn weight(response: &DnsResponse) -> usize {
    response.as_buffer().len() + response.all_sections().map(beside).sum::<usize>()
}

fn beside(record: &Record) -> usize {
    RECORD
        + match &record.data {
            RData::A(_) | RData::AAAA(_) => ADDRESS,
            RData::TXT(text) => STRING * text.txt_data.len(),
            RData::DNSSEC(DNSSECRData::NSEC(nsec)) => TYPE * nsec.type_set().iter().count(),
            RData::DNSSEC(DNSSECRData::NSEC3(nsec3)) => TYPE * nsec3.type_set().iter().count(),
            _ => 0,
        }
}
