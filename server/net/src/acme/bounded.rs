//! A bound on what an authority may say.
//!
//! The ACME client reads each answer to its end, however long. All it leaves to us is its TLS, so that is where the
//! octets are counted: past [`MAX_ORDER`] no record of that order is decrypted any more.

use std::cell::Cell;
use std::sync::{Arc, LazyLock};

use rustls::crypto::cipher::{
    AeadKey, InboundOpaqueMessage, InboundPlainMessage, Iv, KeyBlockShape, MessageDecrypter, MessageEncrypter,
    Tls12AeadAlgorithm, Tls13AeadAlgorithm, UnsupportedOperationError,
};
use rustls::crypto::{CipherSuiteCommon, CryptoProvider, aws_lc_rs};
use rustls::{ConnectionTrafficSecrets, Error, SupportedCipherSuite, Tls12CipherSuite, Tls13CipherSuite};

use super::order::Failure;

/// Octets that may come in for one order, all its connections together: some sixty of them, each with the authority's
/// own chain and a small answer, are one megabyte at most.
const MAX_ORDER: usize = 8 << 20;

tokio::task_local! {
    /// What is left of it.
    static LEFT: Cell<usize>;
}

/// Carries an order out within the bound.
pub(super) async fn order<T>(asked: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let asked = async {
        let outcome = asked.await;
        match outcome {
            Err(_) if LEFT.with(Cell::get) == 0 => Err(Failure::passing("the authority's answers have no end")),
            outcome => outcome,
        }
    };
    LEFT.scope(Cell::new(MAX_ORDER), asked).await
}

/// Counts a record.
fn count(octets: usize) -> Result<(), Error> {
    let within = LEFT.try_with(|left| {
        left.set(left.get().saturating_sub(octets));
        left.get() > 0
    });
    // Outside of an order nothing is read.
    if within == Ok(true) { Ok(()) } else { Err(Error::General("too much has been said".to_owned())) }
}

/// The same cryptography as everywhere else, with the bound.
pub(super) fn provider() -> Arc<CryptoProvider> {
    static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
        let mut provider = aws_lc_rs::default_provider();
        for suite in &mut provider.cipher_suites {
            *suite = bounded(*suite);
        }
        Arc::new(provider)
    });
    Arc::clone(&PROVIDER)
}

/// The suite, counting. It lives as long as the process, as suites must.
fn bounded(suite: SupportedCipherSuite) -> SupportedCipherSuite {
    match suite {
        SupportedCipherSuite::Tls12(suite) => SupportedCipherSuite::Tls12(Box::leak(Box::new(Tls12CipherSuite {
            common: common(&suite.common),
            aead_alg: Box::leak(Box::new(Bounded12(suite.aead_alg))),
            ..*suite
        }))),
        SupportedCipherSuite::Tls13(suite) => SupportedCipherSuite::Tls13(Box::leak(Box::new(Tls13CipherSuite {
            common: common(&suite.common),
            aead_alg: Box::leak(Box::new(Bounded13(suite.aead_alg))),
            ..*suite
        }))),
    }
}

fn common(of: &CipherSuiteCommon) -> CipherSuiteCommon {
    CipherSuiteCommon { ..*of }
}

struct Bounded(Box<dyn MessageDecrypter>);

impl MessageDecrypter for Bounded {
    fn decrypt<'a>(&mut self, record: InboundOpaqueMessage<'a>, seq: u64) -> Result<InboundPlainMessage<'a>, Error> {
        count(record.payload.len())?;
        self.0.decrypt(record, seq)
    }
}

struct Bounded12(&'static dyn Tls12AeadAlgorithm);

impl Tls12AeadAlgorithm for Bounded12 {
    fn encrypter(&self, key: AeadKey, iv: &[u8], extra: &[u8]) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv, extra)
    }

    fn decrypter(&self, key: AeadKey, iv: &[u8]) -> Box<dyn MessageDecrypter> {
        Box::new(Bounded(self.0.decrypter(key, iv)))
    }

    fn key_block_shape(&self) -> KeyBlockShape {
        self.0.key_block_shape()
    }

    fn extract_keys(
        &self,
        key: AeadKey,
        iv: &[u8],
        explicit: &[u8],
    ) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv, explicit)
    }
}

struct Bounded13(&'static dyn Tls13AeadAlgorithm);

impl Tls13AeadAlgorithm for Bounded13 {
    fn encrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageEncrypter> {
        self.0.encrypter(key, iv)
    }

    fn decrypter(&self, key: AeadKey, iv: Iv) -> Box<dyn MessageDecrypter> {
        Box::new(Bounded(self.0.decrypter(key, iv)))
    }

    fn key_len(&self) -> usize {
        self.0.key_len()
    }

    fn extract_keys(&self, key: AeadKey, iv: Iv) -> Result<ConnectionTrafficSecrets, UnsupportedOperationError> {
        self.0.extract_keys(key, iv)
    }
}
