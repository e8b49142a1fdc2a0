//! Certificates we show, and how we look at those of others.

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, RwLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// Why a certificate can't be used, in a sentence.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct TlsError(pub String);

/// A self-signed certificate's file, and its key's.
const SELF_SIGNED: [&str; 2] = ["self-signed.pem", "self-signed.key"];

/// The certificate we show, replaceable while running; cheap to clone.
#[derive(Debug, Clone)]
pub struct Certificates {
    shown: Arc<Shown>,
    configs: Arc<RwLock<ConfigsByAlpn>>,
}

/// Configurations by the ALPN protocols they offer.
type ConfigsByAlpn = HashMap<Vec<Vec<u8>>, Arc<rustls::ServerConfig>>;

#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner())))
    }
}

impl Certificates {
    /// One chain and key, shown to everybody.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let key = certified(chain, key)?;
        Ok(Self { shown: Arc::new(Shown(RwLock::new(Arc::new(key)))), configs: Arc::default() })
    }

    /// Reads PEM files.
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let (chain, key) = read_pem(chain, key)?;
        Self::new(chain, key)
    }

    /// Makes a self-signed certificate for these names, kept in the folder so that devices need to trust it only once.
    pub fn self_signed(folder: &Path, names: &[String]) -> Result<Self, TlsError> {
        let [chain, key] = SELF_SIGNED.map(|name| folder.join(name));
        if let Ok(kept) = Self::from_pem_files(&chain, &key) {
            return Ok(kept);
        }
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| TlsError(format!("a self-signed certificate can't be made: {error}")))?;
        write_private(&key, made.signing_key.serialize_pem().as_bytes())?;
        write_private(&chain, made.cert.pem().as_bytes())?;
        Self::from_pem_files(&chain, &key)
    }

    /// Replaces what is shown from now on.
    pub fn replace(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), TlsError> {
        let key = Arc::new(certified(chain, key)?);
        *self.shown.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = key;
        Ok(())
    }

    /// Reads PEM files and shows them from now on; the old certificate stays when they are unusable.
    pub fn reload_pem_files(&self, chain: &Path, key: &Path) -> Result<(), TlsError> {
        let (chain, key) = read_pem(chain, key)?;
        self.replace(chain, key)
    }

    /// The rustls configuration, for users that need it (axum). `alpn` are the protocols offered.
    pub fn server_config(&self, alpn: &[&[u8]]) -> Arc<rustls::ServerConfig> {
        let wanted: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        if let Some(config) = self.configs.read().unwrap_or_else(|poisoned| poisoned.into_inner()).get(&wanted) {
            return Arc::clone(config);
        }
        let builder = rustls::ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|_| rustls::ServerConfig::builder());
        let mut config =
            builder.with_no_client_auth().with_cert_resolver(Arc::clone(&self.shown) as Arc<dyn ResolvesServerCert>);
        config.alpn_protocols = wanted.clone();
        if let Ok(ticketer) = aws_lc_rs::Ticketer::new() {
            config.ticketer = ticketer;
        }
        let config = Arc::new(config);
        self.configs.write().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(wanted, Arc::clone(&config));
        config
    }
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn certified(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| TlsError(format!("the certificate and its key can't be used together: {error}")))
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read_pem(chain: &Path, key: &Path) -> Result<Pair, TlsError> {
    let wrong = |path: &Path, what: &dyn std::fmt::Display| TlsError(format!("{}: {what}", path.display()));
    let certificates: Vec<_> = CertificateDer::pem_file_iter(chain)
        .map_err(|error| wrong(chain, &error))?
        .collect::<Result<_, _>>()
        .map_err(|error| wrong(chain, &error))?;
    if certificates.is_empty() {
        return Err(wrong(chain, &"there is no certificate in this file"));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    Ok((certificates, key))
}

fn write_private(path: &Path, bytes: &[u8]) -> Result<(), TlsError> {
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .map_err(|error| TlsError(format!("{}: can't be written: {error}", path.display())))
}

/// How certificates of servers we connect to are judged.
#[derive(Debug, Clone)]
pub struct ClientTls(Arc<rustls::ClientConfig>);

impl ClientTls {
    /// Takes any certificate (opportunistic STARTTLS, RFC 7435).
    pub fn opportunistic() -> Result<Self, TlsError> {
        let config = client_builder()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate(provider())))
            .with_no_client_auth();
        Ok(Self(Arc::new(config)))
    }

    /// Verifies against the web's roots, and these in addition.
    pub fn verifying(extra_roots: &[CertificateDer<'static>]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in extra_roots {
            roots.add(root.clone()).map_err(|error| TlsError(format!("a root certificate can't be used: {error}")))?;
        }
        Ok(Self(Arc::new(client_builder()?.with_root_certificates(roots).with_no_client_auth())))
    }

    pub(crate) fn config(&self) -> Arc<rustls::ClientConfig> {
        Arc::clone(&self.0)
    }
}

fn client_builder() -> Result<rustls::ConfigBuilder<rustls::ClientConfig, rustls::WantsVerifier>, TlsError> {
    rustls::ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError(format!("TLS can't start: {error}")))
}

/// Any certificate will do, but its key must have signed the handshake.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.0.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// Installs aws-lc-rs as the process's crypto provider. Call once at start; a second call does nothing.
pub fn install_crypto() {
    let _ = aws_lc_rs::default_provider().install_default();
}
