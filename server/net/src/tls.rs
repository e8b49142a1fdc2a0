//! What all TLS here shares.

use std::sync::{Arc, LazyLock};

use rustls::crypto::{CryptoProvider, aws_lc_rs};

/// Why a certificate can't be used, in a sentence.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

pub(crate) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(aws_lc_rs::default_provider()));
    Arc::clone(&PROVIDER)
}

/// Installs aws-lc-rs as the process's crypto provider. Call once at start; a second call does nothing.
pub fn install_crypto() {
    let _ = aws_lc_rs::default_provider().install_default();
}
