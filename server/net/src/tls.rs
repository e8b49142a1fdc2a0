//! Certificates we show, and how we look at those of others.

use std::path::Path;

use rustls_pki_types::{CertificateDer, PrivateKeyDer};

/// Why a certificate can't be used.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

/// The certificates we show, chosen by SNI and replaceable while running; cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates {}

impl Certificates {
    /// One chain and key, shown to everybody.
    pub fn new(_chain: Vec<CertificateDer<'static>>, _key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        unimplemented!()
    }
    /// Reads PEM files.
    pub fn from_pem_files(_chain: &Path, _key: &Path) -> Result<Self, TlsError> {
        unimplemented!()
    }
    /// Makes a self-signed certificate for these names, kept in the folder so that devices need to trust it only once.
    pub fn self_signed(_folder: &Path, _names: &[String]) -> Result<Self, TlsError> {
        unimplemented!()
    }
    /// Replaces what is shown from now on.
    pub fn replace(&self, _chain: Vec<CertificateDer<'static>>, _key: PrivateKeyDer<'static>) -> Result<(), TlsError> {
        unimplemented!()
    }
    /// The rustls configuration, for users that need it (axum). `alpn` are the protocols offered.
    pub fn server_config(&self, _alpn: &[&[u8]]) -> std::sync::Arc<rustls::ServerConfig> {
        unimplemented!()
    }
}

/// How certificates of servers we connect to are judged.
#[derive(Debug, Clone)]
pub struct ClientTls {}

impl ClientTls {
    /// Takes any certificate (opportunistic STARTTLS, RFC 7435).
    pub fn opportunistic() -> Result<Self, TlsError> {
        unimplemented!()
    }
    /// Verifies against the web's roots, and these in addition.
    pub fn verifying(_extra_roots: &[CertificateDer<'static>]) -> Result<Self, TlsError> {
        unimplemented!()
    }
}

/// Installs aws-lc-rs as the process's crypto provider. Call once at start; a second call does nothing.
pub fn install_crypto() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
