//! What is kept of a name's certificate, and what a certificate says of itself.

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::{Deserialize, Serialize};
use x509_parser::prelude::{FromDer, X509Certificate, X509Name};

use super::schedule::Blame;
use crate::certificates::is_for;
use crate::tls::TlsError;

/// A name's certificate and how it stands with the next one. Times are seconds since 1970.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The name.
    pub name: String,
    /// What we have.
    pub held: Option<Held>,
    /// What went wrong last, since it last went well.
    pub trouble: Option<Trouble>,
    /// When the next is asked for; `None` when there is nothing to be tried.
    pub next: Option<i64>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// Whose fault it seems to be.
    pub blame: Blame,
    /// In plain words.
    pub words: String,
    /// How often in a row.
    pub times: u32,
    /// When last.
    pub at: i64,
}

/// A certificate with its chain and key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// DER, the end of the chain first.
    chain: Vec<Vec<u8>>,
    /// PKCS #8.
    key: Vec<u8>,
}

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Who signed it.
    pub issuer: String,
    /// From when on it holds.
    pub not_before: i64,
    /// Until when it holds.
    pub not_after: i64,
}

impl Record {
    /// Nothing yet: to be tried at once.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), held: None, trouble: None, next: Some(0) }
    }

    /// Reads what [`Record::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        postcard::from_bytes(bytes).ok()
    }

    /// For the shelf.
    pub(super) fn encode(&self) -> Result<Vec<u8>, String> {
        postcard::to_stdvec(self).map_err(|error| error.to_string())
    }

    /// What the certificate says of itself, if there is one.
    pub fn facts(&self) -> Option<Facts> {
        Facts::of(CertificateDer::from(self.held.as_ref()?.chain.first()?.as_slice())).ok()
    }
}

impl Held {
    /// Takes what an authority sent for `name`, after a look whether it can be used.
    ///
    /// # Errors
    /// It is not a certificate chain, not for this name or this key, or does not hold now.
    pub(super) fn take(pem: &str, key: &[u8], name: &str, now: i64) -> Result<Self, TlsError> {
        let wrong = |what: &dyn std::fmt::Display| TlsError(format!("the certificate that came can't be used: {what}"));
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<_, _>>().map_err(|error| wrong(&error))?;
        let first = chain.first().ok_or_else(|| wrong(&"there is none"))?;
        let facts = Facts::of(first.clone())?;
        if facts.not_after <= now {
            return Err(wrong(&"it has expired already, unless the clock of this server is wrong"));
        }
        if !is_for(first, name) {
            return Err(wrong(&format_args!("it is not for {name}")));
        }
        let held = Self { chain: chain.iter().map(|der| der.to_vec()).collect(), key: key.to_vec() };
        let (chain, key) = held.pair();
        crate::certificates::certified(chain, key)?;
        Ok(held)
    }

    /// For showing.
    pub(super) fn pair(&self) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let chain = self.chain.iter().map(|der| CertificateDer::from(der.clone())).collect();
        (chain, PrivatePkcs8KeyDer::from(self.key.clone()).into())
    }

    /// The key, in PKCS #8.
    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }
}

impl Facts {
    /// Reads them.
    ///
    /// # Errors
    /// It is not an X.509 certificate.
    pub fn of(certificate: CertificateDer<'_>) -> Result<Self, TlsError> {
        let (_, parsed) = X509Certificate::from_der(&certificate)
            .map_err(|error| TlsError(format!("this is not a certificate: {error}")))?;
        let validity = parsed.validity();
        Ok(Self {
            issuer: issuer(parsed.issuer()),
            not_before: validity.not_before.timestamp(),
            not_after: validity.not_after.timestamp(),
        })
    }
}

/// "Let's Encrypt, R11".
fn issuer(name: &X509Name<'_>) -> String {
    let first = |mut texts: Vec<&str>| if texts.is_empty() { None } else { Some(texts.swap_remove(0).to_owned()) };
    let organization = first(name.iter_organization().filter_map(|part| part.as_str().ok()).collect());
    let common = first(name.iter_common_name().filter_map(|part| part.as_str().ok()).collect());
    let parts: Vec<String> = organization.into_iter().chain(common).collect();
    let text: String = parts.join(", ").chars().filter(|c| !c.is_control()).collect();
    if text.is_empty() { "nobody named".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn made(name: &str, until: i32) -> (String, Vec<u8>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Some Authority");
        (params.self_signed(&key).unwrap().pem(), key.serialize_der())
    }

    #[test]
    fn only_a_certificate_that_can_be_shown_is_taken() {
        let now = 1_800_000_000;
        let (pem, key) = made("mail.home.test", 2040);
        let held = Held::take(&pem, &key, "mail.home.test", now).unwrap();
        let record = Record { held: Some(held), ..Record::new("mail.home.test") };
        let kept = Record::decode(&record.encode().unwrap()).unwrap();
        assert!(kept == record);
        let facts = kept.facts().unwrap();
        assert_eq!(facts.not_after, 2_208_988_800);
        assert!(facts.issuer.starts_with("Some Authority"), "{facts:?}");

        let refused = |pem: &str, key: &[u8], name: &str| Held::take(pem, key, name, now).err().unwrap().0;
        assert!(refused(&pem, &key, "mail.world.test").contains("not for mail.world.test"));
        assert!(refused(&pem, &made("x.test", 2040).1, "mail.home.test").contains("can't be used together"));
        let (old, old_key) = made("mail.home.test", 2001);
        assert!(refused(&old, &old_key, "mail.home.test").contains("expired already"));
        for garbage in ["", "hello", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(Held::take(garbage, &key, "mail.home.test", now).is_err(), "{garbage}");
        }
        assert!(Record::decode(b"garbage").is_none());
    }
}
