//! Certificates measured by what a secure DNS says of them (RFC 6698, 7671, 7672).

use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls_pki_types::{CertificateDer, ServerName, TrustAnchor, UnixTime};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::dns::Tlsa;
use crate::verify::{Flaw, Look, TlsFault, by_authorities};

/// Records looked at; who publishes more means ill.
const MAX_RECORDS: usize = 50;
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
            let roots = anchors(record, others);
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

/// The authorities the record means: those of the chain that match it, or what it holds in full.
fn anchors(record: &Tlsa, chain: &[CertificateDer<'_>]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for certificate in chain.iter().take(MAX_CHAIN).filter(|certificate| matches(record, certificate)) {
        // What can't be read can't be trusted: the others may do.
        let _ = roots.add(certificate.clone().into_owned());
    }
    match (roots.is_empty(), record.matching, record.selector) {
        (true, 0, 0) => {
            let _ = roots.add(CertificateDer::from(record.data.clone()));
        }
        // RFC 7671 5.2.2: a bare key need not come with a certificate; it is that of whoever signed the last one.
        (true, 0, 1) => roots.roots.extend(bare_key(record, chain)),
        _ => {}
    }
    roots
}

fn bare_key(record: &Tlsa, chain: &[CertificateDer<'_>]) -> Option<TrustAnchor<'static>> {
    let (_, last) = X509Certificate::from_der(chain.last()?).ok()?;
    let anchor = TrustAnchor {
        subject: contents(last.issuer().as_raw())?.to_vec().into(),
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
