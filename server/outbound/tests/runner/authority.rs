//! A certificate authority, and certificates right and wrong.

use mailstead_net::Certificates;
use mailstead_net::dns::Tlsa;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) struct Authority {
    pub(crate) root: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, format!("authority {}", rand::random::<u32>()));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).unwrap().der().clone();
        Self { root, issuer: Issuer::new(params, key) }
    }

    pub(crate) fn certify(&self, host: &str) -> Shown {
        self.certify_until(host, 2100)
    }

    /// A certificate that ends with the beginning of that year.
    pub(crate) fn certify_until(&self, host: &str, year: i32) -> Shown {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(year, 1, 1);
        let made = params.signed_by(&key, &self.issuer).unwrap().der().clone();
        let pair = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let certificates = Certificates::new(vec![made.clone(), self.root.clone()], pair).unwrap();
        Shown { certificates, certificate: made }
    }
}

/// A certificate as `openssl req -x509` makes it: its own authority, and nobody else's.
pub(crate) fn self_made(host: &str) -> Shown {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(vec![host.to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let made = params.self_signed(&key).unwrap().der().clone();
    let certificates = Certificates::new(vec![made.clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into())).unwrap();
    Shown { certificates, certificate: made }
}

/// What a server shows.
#[derive(Clone)]
pub(crate) struct Shown {
    pub(crate) certificates: Certificates,
    certificate: CertificateDer<'static>,
}

impl Shown {
    /// The record that names it: DANE-EE, the whole certificate, in full.
    pub(crate) fn tlsa(&self) -> Tlsa {
        Tlsa { usage: 3, selector: 0, matching: 0, data: self.certificate.to_vec() }
    }
}
