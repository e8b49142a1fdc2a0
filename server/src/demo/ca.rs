//! The tiny internet's certificate authority.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A private authority: it signs the servers' certificates and nothing else.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    file: PathBuf,
}

impl Authority {
    /// Makes an authority and writes its certificate to `ca.pem` in the folder.
    pub(super) fn create(folder: &Path) -> Result<Self, String> {
        let complain =
            |error: &dyn std::fmt::Display| format!("the demo's certificate authority can't be made: {error}");
        let key = KeyPair::generate().map_err(|error| complain(&error))?;
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "Mailstead demo authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).map_err(|error| complain(&error))?;
        let file = folder.join("ca.pem");
        std::fs::write(&file, certificate.pem()).map_err(|error| complain(&error))?;
        let der = certificate.der().clone();
        Ok(Self { issuer: Issuer::new(params, key), certificate: der, file })
    }

    /// The file to give to mail programs.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The authority's own certificate.
    pub(super) fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// Signs a certificate for these names and addresses.
    pub(super) fn issue(
        &self,
        names: &[String],
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), String> {
        let complain = |error: rcgen::Error| format!("a certificate of the demo can't be made: {error}");
        let key = KeyPair::generate().map_err(complain)?;
        let mut params = CertificateParams::new(names).map_err(complain)?;
        let common_name = names.first().map(String::as_str).unwrap_or("localhost");
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, &self.issuer).map_err(complain)?;
        let chain = vec![certificate.der().clone(), self.certificate.clone()];
        Ok((chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))))
    }
}
