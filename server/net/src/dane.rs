//! Certificates measured by what a secure DNS says of them (RFC 6698, 7671, 7672).

use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::dns::Tlsa;
use crate::verify::{Flaw, Look, TlsFault, by_authorities};

/// Records looked at; who publishes more means ill.
const MAX_RECORDS: usize = 20;
/// Certificates of a chain looked at.
const MAX_CHAIN: usize = 16;

/// What a server's certificate must be: usable TLSA records, and the names an authority's certificate may be for.
#[derive(Debug, Clone)]
pub struct Dane {
    records: Vec<Tlsa>,
    names: Vec<ServerName<'static>>,
}

/// Which certificates a record speaks of (RFC 7672 3.1: the PKIX usages 0 and 1 are unusable for SMTP).
const TRUST_ANCHOR: u8 = 2;
const END_ENTITY: u8 = 3;

impl Dane {
    /// Keeps the usable records; `None` when there is none. `names` are the mail host's and the domain's, for records
    /// that name an authority (RFC 7672 3.2.2).
    pub fn new(records: &[Tlsa], names: &[&str]) -> Option<Self> {
        let records: Vec<Tlsa> = records.iter().filter(|record| is_usable(record)).take(MAX_RECORDS).cloned().collect();
        let names = names.iter().filter_map(|name| ServerName::try_from((*name).to_owned()).ok()).collect();
        (!records.is_empty()).then_some(Self { records, names })
    }

    /// Looks at a server's certificate: its own key, or else an authority it comes from, must be one of the records'.
    pub(crate) fn look(&self, certificate: &CertificateDer<'_>, others: &[CertificateDer<'_>], now: UnixTime) -> Look {
        // RFC 7672 3.1.1: neither names nor times matter here, the record says it all.
        if let Some(record) = self.of_usage(END_ENTITY).find(|record| matches(record, certificate)) {
            return Ok(format!("the one its TLSA record {} names", shown(record)));
        }
        let mut fault = TlsFault::new(Flaw::Tlsa, "the certificate matches none of the TLSA records");
        for record in self.of_usage(TRUST_ANCHOR) {
            let roots = anchors(record, certificate, others);
            if roots.is_empty() {
                continue;
            }
            let names: Vec<&ServerName<'_>> = self.names.iter().collect();
            match by_authorities(certificate, others, &roots, &names, now) {
                Ok(()) => return Ok(format!("from the authority its TLSA record {} names", shown(record))),
                Err(why) => fault = why,
            }
        }
        Err(fault)
    }

    fn of_usage(&self, usage: u8) -> impl Iterator<Item = &Tlsa> {
        self.records.iter().filter(move |record| record.usage == usage)
    }
}

/// The record that names the key of a certificate of ours (`3 1 1`), which stays the same when it is renewed. `None` for
/// one that signed itself: an authority's, with another key, is to take its place.
pub fn own_record(certificate: &CertificateDer<'_>) -> Option<Tlsa> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    if parsed.issuer() == parsed.subject() {
        return None;
    }
    let data = digest::digest(&digest::SHA256, parsed.public_key().raw).as_ref().to_vec();
    Some(Tlsa { usage: END_ENTITY, selector: 1, matching: 1, data })
}

fn shown(record: &Tlsa) -> String {
    format!("{} {} {}", record.usage, record.selector, record.matching)
}

fn is_usable(record: &Tlsa) -> bool {
    let length = record.data.len();
    let fits = match record.matching {
        0 => length > 0,
        1 => length == 32,
        2 => length == 64,
        _ => false,
    };
    fits && matches!(record.usage, TRUST_ANCHOR | END_ENTITY) && record.selector <= 1
}

/// True when the certificate, or its key, is what the record says (RFC 6698 2.1.2, 2.1.3).
fn matches(record: &Tlsa, certificate: &CertificateDer<'_>) -> bool {
    let parsed;
    let selected: &[u8] = if record.selector == 0 {
        certificate
    } else {
        let Ok((_, found)) = X509Certificate::from_der(certificate) else { return false };
        parsed = found;
        parsed.public_key().raw
    };
    match record.matching {
        1 => digest::digest(&digest::SHA256, selected).as_ref() == record.data,
        2 => digest::digest(&digest::SHA512, selected).as_ref() == record.data,
        _ => selected == record.data,
    }
}

/// The authorities the record means: those of the chain behind the certificate that match it, or what it holds in full.
fn anchors(record: &Tlsa, certificate: &CertificateDer<'_>, chain: &[CertificateDer<'_>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for authority in chain.iter().take(MAX_CHAIN).filter(|authority| matches(record, authority)) {
        // What can't be read can't be trusted: the others may do.
        let _ = roots.add(authority.clone().into_owned());
    }
    match (roots.is_empty(), record.matching, record.selector) {
        (true, 0, 0) => {
            let _ = roots.add(CertificateDer::from(record.data.clone()));
        }
        // RFC 7671 5.2.2: a bare key need not come with a certificate; it is that of whoever signed the last one.
        (true, 0, 1) => roots.roots.extend(bare_key(record, chain.last().unwrap_or(certificate))),
        _ => {}
    }
    roots
}

fn bare_key(record: &Tlsa, signed: &CertificateDer<'_>) -> Option<TrustAnchor<'static>> {
    let (_, signed) = X509Certificate::from_der(signed).ok()?;
    let anchor = TrustAnchor {
        subject: contents(signed.issuer().as_raw())?.to_vec().into(),
        subject_public_key_info: contents(&record.data)?.to_vec().into(),
        name_constraints: None,
    };
    Some(anchor)
}

/// What is within a DER SEQUENCE.
fn contents(sequence: &[u8]) -> Option<&[u8]> {
    let (tag, rest) = sequence.split_first()?;
    let (first, rest) = rest.split_first()?;
    let length_octets = if *first < 0x80 { 0 } else { usize::from(*first & 0x7f) };
    (*tag == 0x30 && length_octets <= 3).then_some(())?;
    rest.get(length_octets..)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::Duration;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

    use super::*;

    /// An authority, one below it, and what they sign.
    struct World {
        root: CertificateDer<'static>,
        middle: CertificateDer<'static>,
        issuer: Issuer<'static, KeyPair>,
    }

    fn authority(name: &str) -> CertificateParams {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    impl World {
        fn new() -> Self {
            let (root_key, middle_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
            let params = authority("root");
            let root = params.self_signed(&root_key).unwrap().der().clone();
            let top = Issuer::new(params, root_key);
            let params = authority("middle");
            let middle = params.signed_by(&middle_key, &top).unwrap().der().clone();
            Self { root, middle, issuer: Issuer::new(params, middle_key) }
        }

        fn leaf(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
            let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            change(&mut params);
            params.signed_by(&KeyPair::generate().unwrap(), &self.issuer).unwrap().der().clone()
        }
    }

    fn expired(params: &mut CertificateParams) {
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    }

    fn record(usage: u8, selector: u8, matching: u8, certificate: &CertificateDer<'_>) -> Tlsa {
        let (_, parsed) = X509Certificate::from_der(certificate).unwrap();
        let selected = if selector == 0 { certificate.as_ref() } else { parsed.public_key().raw };
        let data = match matching {
            0 => selected.to_vec(),
            1 => digest::digest(&digest::SHA256, selected).as_ref().to_vec(),
            _ => digest::digest(&digest::SHA512, selected).as_ref().to_vec(),
        };
        Tlsa { usage, selector, matching, data }
    }

    fn look(records: &[Tlsa], leaf: &CertificateDer<'_>, chain: &[&CertificateDer<'static>]) -> Result<String, Flaw> {
        let chain: Vec<_> = chain.iter().map(|certificate| (*certificate).clone()).collect();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(1_790_000_000));
        let dane = Dane::new(records, &["mx.world.test", "world.test"]).unwrap();
        dane.look(leaf, &chain, now).map_err(|fault| fault.flaw)
    }

    #[test]
    fn our_own_record_names_the_key_of_what_an_authority_signed() {
        let leaf = World::new().leaf("mx.world.test", |_| {});
        assert!(look(&[own_record(&leaf).unwrap()], &leaf, &[]).is_ok());
        let own = CertificateParams::new(vec!["mx.world.test".to_owned()]).unwrap();
        let own = own.self_signed(&KeyPair::generate().unwrap()).unwrap();
        assert_eq!(own_record(own.der()), None, "another key will take its place");
    }

    #[test]
    fn a_servers_own_record_needs_neither_name_nor_time_nor_authority() {
        let (world, other) = (World::new(), World::new());
        let leaf = world.leaf("elsewhere.test", expired);
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let right = record(3, selector, matching, &leaf);
                assert!(look(std::slice::from_ref(&right), &leaf, &[]).unwrap().contains("TLSA record 3"));
                let wrong = record(3, selector, matching, &other.leaf("mx.world.test", |_| {}));
                assert_eq!(look(std::slice::from_ref(&wrong), &leaf, &[]), Err(Flaw::Tlsa));
                assert!(look(&[wrong, right], &leaf, &[]).is_ok(), "one of several is enough");
            }
        }
    }

    #[test]
    fn an_authoritys_record_needs_a_chain_a_name_and_a_time() {
        let (world, other) = (World::new(), World::new());
        let good = world.leaf("mx.world.test", |_| {});
        for selector in [0, 1] {
            for matching in [0, 1, 2] {
                let records = [record(2, selector, matching, &world.root)];
                let chain = [&world.middle, &world.root];
                assert!(look(&records, &good, &chain).unwrap().contains("TLSA record 2"), "{selector} {matching}");
                assert!(look(&records, &world.leaf("world.test", |_| {}), &chain).is_ok(), "the domain's name");
                assert_eq!(look(&records, &world.leaf("far.test", |_| {}), &chain), Err(Flaw::Name));
                assert_eq!(look(&records, &world.leaf("mx.world.test", expired), &chain), Err(Flaw::Expired));
                let stranger = other.leaf("mx.world.test", |_| {});
                assert_eq!(look(&records, &stranger, &[&other.middle, &world.root]), Err(Flaw::NotTrusted));
                assert!(look(&records, &stranger, &[&other.middle, &other.root]).is_err());
                // The authority in between may be named as well.
                let records = [record(2, selector, matching, &world.middle)];
                assert!(look(&records, &good, &[&world.middle]).is_ok());
            }
        }
    }

    #[test]
    fn only_what_a_record_holds_in_full_may_be_missing_from_the_chain() {
        let world = World::new();
        let good = world.leaf("mx.world.test", |_| {});
        for selector in [0, 1] {
            assert!(look(&[record(2, selector, 0, &world.root)], &good, &[&world.middle]).is_ok(), "{selector}");
            assert_eq!(look(&[record(2, selector, 1, &world.root)], &good, &[&world.middle]), Err(Flaw::Tlsa));
        }
        let bare = record(2, 1, 0, &world.middle);
        assert!(look(&[bare], &good, &[]).is_ok(), "the key signed the server's certificate itself");
        assert!(look(&[record(2, 1, 0, &world.root)], &good, &[]).is_err());
        let bare = Tlsa { usage: 2, selector: 1, matching: 0, data: b"rubbish".to_vec() };
        assert!(look(&[bare], &good, &[&world.middle]).is_err());
    }

    #[test]
    fn records_that_cannot_be_used_are_none() {
        let leaf = World::new().leaf("mx.world.test", |_| {});
        let good = record(3, 1, 1, &leaf);
        for (usage, selector, matching) in [(0, 1, 1), (1, 1, 1), (4, 1, 1), (255, 1, 1), (3, 2, 1), (3, 1, 3)] {
            let record = Tlsa { usage, selector, matching, data: good.data.clone() };
            assert!(Dane::new(&[record], &[]).is_none(), "{usage} {selector} {matching}");
        }
        for (matching, length) in [(0, 0), (1, 31), (1, 64), (2, 32)] {
            let record = Tlsa { usage: 3, selector: 1, matching, data: vec![0; length] };
            assert!(Dane::new(&[record], &[]).is_none(), "{matching} {length}");
        }
        let unusable = Tlsa { usage: 1, ..good.clone() };
        assert!(look(&[unusable, good], &leaf, &[]).is_ok());
    }
}
