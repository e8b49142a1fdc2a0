//! Reading one message: what it says of one name, and whether that is proved.

use std::time::Duration;

use hickory_resolver::net::{DnsError as HickoryError, NetError};
use hickory_resolver::proto::dnssec::Proof;
use hickory_resolver::proto::op::{Message, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

use super::{DnsError, MAX_NEGATIVE_TTL, MAX_TTL, dname, temporary, wildcard};

/// What a message says of the name it was asked about.
#[derive(Debug)]
pub(super) struct Reading {
    pub says: Says,
    /// It is signed, and the signatures are valid up to the trust anchor.
    pub secure: bool,
    /// How long it holds.
    pub ttl: Duration,
}

#[derive(Debug, PartialEq)]
pub(super) enum Says {
    /// These records.
    Records(Vec<RData>),
    /// The name is another one's alias.
    Alias(Name),
    /// The name does not exist.
    NoName,
    /// The name exists, without such records.
    NoRecords,
    /// It can't be told, because an alias may hide behind what could not be proved: to be asked for the alias alone.
    Unclear(DnsError),
}

/// How messages are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Manner {
    /// Records come with proofs, and what has none counts for nothing.
    pub proved: bool,
    /// Zones' own servers are asked: an honest one shows the zone in which a name does not exist.
    pub own_way: bool,
}

/// Reads what came of a question.
pub(super) fn read(
    came: Result<Message, NetError>,
    name: &Name,
    kind: RecordType,
    manner: Manner,
) -> Result<Reading, DnsError> {
    match came {
        Ok(message) => Reader { message: &message, denial: None, name, kind, manner }.read(),
        Err(NetError::Dns(HickoryError::Nsec { response, proof, .. })) => {
            Reader { message: &response, denial: Some(proof), name, kind, manner }.read()
        }
        Err(NetError::Dns(HickoryError::NoRecordsFound(none))) => {
            let mut message = Message::query();
            message.metadata.response_code = none.response_code;
            message.add_authorities(none.soa.map(|soa| soa.into_record_of_rdata()));
            Reader { message: &message, denial: None, name, kind, manner }.read()
        }
        Err(NetError::Dns(HickoryError::DnssecBogus)) => Err(DnsError::Bogus(format!("{name} {kind}"))),
        Err(other) => Err(temporary(&other)),
    }
}

struct Reader<'a> {
    message: &'a Message,
    /// What the library found wrong with the proof that something does not exist (a wildcard's use needs one too).
    denial: Option<Proof>,
    name: &'a Name,
    kind: RecordType,
    manner: Manner,
}

impl Reader<'_> {
    fn read(&self) -> Result<Reading, DnsError> {
        let mut records = self.at_name(self.kind).peekable();
        if records.peek().is_some() {
            return self.positive(records);
        }
        let mut aliases = self.at_name(RecordType::CNAME).peekable();
        if self.kind != RecordType::CNAME && aliases.peek().is_some() {
            return self.alias(aliases);
        }
        self.negative()
    }

    fn at_name(&self, kind: RecordType) -> impl Iterator<Item = &Record> {
        self.message.answers.iter().filter(move |record| record.record_type() == kind && record.name == *self.name)
    }

    /// Secure, insecure, or not to be believed.
    fn proof<'r>(&self, kind: RecordType, records: impl Iterator<Item = &'r Record>) -> Result<bool, DnsError> {
        if !self.manner.proved {
            return Ok(false);
        }
        if self.denial.is_none() && wildcard::is_unfounded(self.message, self.name, kind) {
            return Err(self.bogus());
        }
        let mut secure = true;
        let denial = self.denial.filter(|_| !wildcard::is_proved(self.message, self.name, kind));
        for record in records {
            match record.proof {
                Proof::Secure => {}
                Proof::Insecure => secure = false,
                // An alias that follows from that of a whole subtree has no signature of its own (RFC 6672 5.3.1).
                _ if dname::gives(self.message, record) => return Ok(secure),
                Proof::Bogus | Proof::Indeterminate => return Err(self.bogus()),
            }
        }
        if let Some(proof) = denial {
            match proof {
                Proof::Secure => {}
                Proof::Insecure => secure = false,
                Proof::Bogus | Proof::Indeterminate => return Err(self.bogus()),
            }
        }
        Ok(secure)
    }

    fn bogus(&self) -> DnsError {
        let name = self.name.to_ascii().escape_debug().to_string();
        DnsError::Bogus(format!("{name} {}", self.kind))
    }

    fn positive<'r>(&self, records: impl Iterator<Item = &'r Record>) -> Result<Reading, DnsError> {
        let records: Vec<&Record> = records.collect();
        let secure = self.proof(self.kind, records.iter().copied())?;
        let ttl = records.iter().map(|record| record.ttl).min().unwrap_or_default();
        let says = Says::Records(records.into_iter().map(|record| record.data.clone()).collect());
        Ok(Reading { says, secure, ttl: seconds(ttl).min(MAX_TTL) })
    }

    fn alias<'r>(&self, aliases: impl Iterator<Item = &'r Record>) -> Result<Reading, DnsError> {
        let aliases: Vec<&Record> = aliases.collect();
        let [alias, more @ ..] = aliases.as_slice() else { return Err(self.bogus()) };
        if more.iter().any(|other| other.data != alias.data) {
            return Err(DnsError::Temporary(format!("{} is an alias of several names", self.name)));
        }
        let RData::CNAME(target) = &alias.data else { return Err(self.bogus()) };
        let (secure, says) = match self.proof(RecordType::CNAME, std::iter::once(*alias)) {
            Ok(secure) => (secure, Says::Alias(target.0.clone())),
            // The missing proof may be about the alias's target, which is asked for on its own.
            Err(error) if alias.proof == Proof::Secure => (false, Says::Unclear(error)),
            Err(error) => return Err(error),
        };
        Ok(Reading { says, secure, ttl: seconds(alias.ttl).min(MAX_TTL) })
    }

    fn negative(&self) -> Result<Reading, DnsError> {
        let nothing = match self.message.metadata.response_code {
            ResponseCode::NXDomain => Says::NoName,
            ResponseCode::NoError => Says::NoRecords,
            code => return Err(DnsError::Temporary(format!("the answer says {code}"))),
        };
        let covering = |record: &&Record| record.name.zone_of(self.name);
        let zone = self.message.authorities.iter().filter(covering).find_map(|record| match &record.data {
            RData::SOA(soa) => Some(seconds(record.ttl.min(soa.minimum)).min(MAX_NEGATIVE_TTL)),
            _ => None,
        });
        let ttl = zone.unwrap_or_default();
        let elsewhere = || DnsError::Temporary(format!("the answer about {} speaks of another name", self.name));
        let signature = |record: &Record| record.record_type() == RecordType::RRSIG;
        if !self.message.answers.iter().all(signature) {
            return Ok(Reading { says: Says::Unclear(elsewhere()), secure: false, ttl });
        }
        if self.manner.own_way && zone.is_none() && nothing == Says::NoName {
            return Ok(Reading { says: Says::Unclear(elsewhere()), secure: false, ttl });
        }
        if !self.manner.proved {
            // An alias that leads nowhere: the zone shown is its target's.
            let foreign =
                !self.message.authorities.is_empty() && !self.message.authorities.iter().any(|r| covering(&r));
            let says = if foreign { Says::Unclear(elsewhere()) } else { nothing };
            return Ok(Reading { says, secure: false, ttl });
        }
        let says_of = |proof: Proof| self.message.authorities.iter().filter(covering).any(|r| r.proof == proof);
        let denied = self.message.authorities.iter().any(|record| {
            record.proof == Proof::Secure && matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3)
        });
        let (says, secure) = match self.denial {
            Some(Proof::Bogus | Proof::Indeterminate) => (Says::Unclear(self.bogus()), false),
            Some(_) if denied || says_of(Proof::Insecure) => (nothing, false),
            None if denied && says_of(Proof::Secure) => (nothing, true),
            // The library has looked whether the name's own zone is unsigned when nothing at all was shown.
            None if says_of(Proof::Insecure) || self.message.authorities.is_empty() => (nothing, false),
            _ => (Says::Unclear(self.bogus()), false),
        };
        Ok(Reading { says, secure, ttl })
    }
}

fn seconds(ttl: u32) -> Duration {
    Duration::from_secs(u64::from(ttl))
}
