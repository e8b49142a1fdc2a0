//! What binds a login to its TLS connection (RFC 5056): `tls-exporter` (RFC 9266) and `tls-server-end-point` (RFC 5929).

use aws_lc_rs::digest;
use rustls_pki_types::CertificateDer;
use x509_parser::oid_registry as oid;
use x509_parser::prelude::{FromDer as _, X509Certificate};
use x509_parser::signature_algorithm::SignatureAlgorithm;

/// What a login can be bound to; equal on both sides only when nobody sits in between.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Bindings {
    exporter: Option<[u8; 32]>,
    end_point: Option<Vec<u8>>,
}

impl std::fmt::Debug for Bindings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Bindings")
    }
}

impl Bindings {
    /// Those of a connection on which we have shown this certificate.
    pub(crate) fn of(connection: &rustls::ServerConnection, shown: Option<&CertificateDer<'_>>) -> Self {
        // With TLS 1.2 only if the client extends the master secret (RFC 9266 4.2), and programs differ in what an empty
        // context is there.
        let exports = connection.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
        let exporter = exports.then(|| {
            let label = b"EXPORTER-Channel-Binding";
            connection.export_keying_material([0; 32], label, Some(b"")).ok()
        });
        Self { exporter: exporter.flatten(), end_point: shown.and_then(|shown| end_point(shown)) }
    }

    /// What a login that is bound in this way must be bound to.
    pub(super) fn get(&self, kind: &str) -> Option<&[u8]> {
        match kind {
            "tls-exporter" => self.exporter.as_ref().map(<[u8; 32]>::as_slice),
            "tls-server-end-point" => self.end_point.as_deref(),
            _ => None,
        }
    }

    /// True when there is nothing to bind a login to.
    pub fn is_empty(&self) -> bool {
        self.exporter.is_none() && self.end_point.is_none()
    }

    /// Those of no real connection.
    #[cfg(test)]
    pub(super) fn made_up(exporter: Option<[u8; 32]>, end_point: Option<Vec<u8>>) -> Self {
        Self { exporter, end_point }
    }
}

/// The hash of a certificate by the algorithm of its own signature, where that has one (RFC 5929 4.1).
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let (_, parsed) = X509Certificate::from_der(certificate).ok()?;
    let signed = &parsed.signature_algorithm;
    let algorithm = match signed.oid() {
        // MD5 and SHA-1 give way to SHA-256.
        id if *id == oid::OID_PKCS1_MD5WITHRSAENC
            || *id == oid::OID_PKCS1_SHA1WITHRSA
            || *id == oid::OID_PKCS1_SHA256WITHRSA
            || *id == oid::OID_SIG_ECDSA_WITH_SHA256 =>
        {
            &digest::SHA256
        }
        id if *id == oid::OID_PKCS1_SHA384WITHRSA || *id == oid::OID_SIG_ECDSA_WITH_SHA384 => &digest::SHA384,
        id if *id == oid::OID_PKCS1_SHA512WITHRSA || *id == oid::OID_SIG_ECDSA_WITH_SHA512 => &digest::SHA512,
        _ => match SignatureAlgorithm::try_from(signed) {
            Ok(SignatureAlgorithm::RSASSA_PSS(params)) => match params.hash_algorithm_oid() {
                hash if *hash == oid::OID_HASH_SHA1 || *hash == oid::OID_NIST_HASH_SHA256 => &digest::SHA256,
                hash if *hash == oid::OID_NIST_HASH_SHA384 => &digest::SHA384,
                hash if *hash == oid::OID_NIST_HASH_SHA512 => &digest::SHA512,
                _ => return None,
            },
            _ => return None,
        },
    };
    Some(digest::digest(algorithm, certificate).as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn certificate(algorithm: &'static rcgen::SignatureAlgorithm) -> CertificateDer<'static> {
        let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
        let params = rcgen::CertificateParams::new(["mail.home.test".to_owned()]).unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn a_certificate_is_hashed_as_it_was_signed() {
        for (algorithm, length) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            assert_eq!(end_point(&certificate(algorithm)).map(|hash| hash.len()), length, "{algorithm:?}");
        }
        let shown = certificate(&rcgen::PKCS_ECDSA_P256_SHA256);
        assert_eq!(end_point(&shown).unwrap(), digest::digest(&digest::SHA256, &shown).as_ref());
        assert_eq!(end_point(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
