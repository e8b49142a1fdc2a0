//! Certificates we show, chosen by the name a client asks for, and replaceable while running.

pub mod files;

use std::collections::HashMap;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use crate::tls::{TlsError, provider};

/// The ALPN protocol by which an authority asks for proof under TLS (RFC 8737 6.2).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// A self-signed certificate's file, and its key's.
const SELF_SIGNED: [&str; 2] = ["self-signed.pem", "self-signed.key"];

/// The certificates we show; cheap to clone, and all clones show the same.
///
/// There is always one to fall back to, the mail host's: a client that names no host, or a strange one, sees that.
#[derive(Debug, Clone)]
pub struct Certificates {
    shown: Arc<Shown>,
    configs: Arc<RwLock<ConfigsByAlpn>>,
}

/// Configurations by the ALPN protocols they offer.
type ConfigsByAlpn = HashMap<Vec<Vec<u8>>, Arc<rustls::ServerConfig>>;

#[derive(Debug)]
struct Shown(RwLock<Table>);

#[derive(Debug)]
struct Table {
    fallback: Arc<CertifiedKey>,
    /// By host name, lower case.
    named: HashMap<String, Arc<CertifiedKey>>,
    proofs: Proofs,
}

/// What certificate authorities look for now, to see that a name is ours.
#[derive(Debug, Default)]
struct Proofs {
    /// Under TLS (RFC 8737), by host name.
    tls: HashMap<String, Arc<CertifiedKey>>,
    /// Under HTTP (RFC 8555 8.3): key authorizations by token.
    http: HashMap<String, String>,
}

impl Shown {
    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let table = self.read();
        let name = hello.server_name();
        if hello.alpn().is_some_and(|mut offered| offered.next() == Some(ACME_TLS) && offered.next().is_none()) {
            return name.and_then(|name| table.proofs.tls.get(name)).map(Arc::clone);
        }
        Some(Arc::clone(name.and_then(|name| table.named.get(name)).unwrap_or(&table.fallback)))
    }
}

impl Certificates {
    /// One chain and key, shown to everybody.
    ///
    /// # Errors
    /// The key is not the certificate's, or of a kind that can't be used.
    pub fn new(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<Self, TlsError> {
        let fallback = Arc::new(certified(chain, key)?);
        let table = Table { fallback, named: HashMap::new(), proofs: Proofs::default() };
        Ok(Self { shown: Arc::new(Shown(RwLock::new(table))), configs: Arc::default() })
    }

    /// Reads PEM files.
    ///
    /// # Errors
    /// They can't be read or used; the sentence names the file.
    pub fn from_pem_files(chain: &Path, key: &Path) -> Result<Self, TlsError> {
        let (chain, key) = files::read(chain, key)?;
        Self::new(chain, key)
    }

    /// Makes a self-signed certificate for these names, kept in the folder so that devices need to trust it only once,
    /// as long as the names stay the same.
    ///
    /// # Errors
    /// It can't be made or kept.
    pub fn self_signed(folder: &Path, names: &[String]) -> Result<Self, TlsError> {
        let [chain, key] = SELF_SIGNED.map(|name| folder.join(name));
        if let Ok(kept) = Self::from_pem_files(&chain, &key)
            && kept.fallback().first().is_some_and(|shown| names.iter().all(|name| is_for(shown, name)))
        {
            return Ok(kept);
        }
        let made = rcgen::generate_simple_self_signed(names)
            .map_err(|error| TlsError(format!("a self-signed certificate can't be made: {error}")))?;
        write_private(&key, made.signing_key.serialize_pem().as_bytes())?;
        write_private(&chain, made.cert.pem().as_bytes())?;
        Self::from_pem_files(&chain, &key)
    }

    /// Replaces what everybody is shown who asks for no name that has a certificate of its own.
    ///
    /// # Errors
    /// As [`Certificates::new`]; the old one stays.
    pub fn replace(&self, chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<(), TlsError> {
        let key = Arc::new(certified(chain, key)?);
        self.shown.write().fallback = key;
        self.forget_tickets();
        Ok(())
    }

    /// Shows this to those who ask for `name`, from now on.
    ///
    /// # Errors
    /// As [`Certificates::new`]; the old one stays.
    pub fn show(
        &self,
        name: &str,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), TlsError> {
        let key = Arc::new(certified(chain, key)?);
        self.shown.write().named.insert(name.to_ascii_lowercase(), key);
        self.forget_tickets();
        Ok(())
    }

    /// `name` has no certificate of its own any more.
    pub fn withdraw(&self, name: &str) {
        self.shown.write().named.remove(&name.to_ascii_lowercase());
        self.forget_tickets();
    }

    /// No session begun under another certificate is taken up again: a login may be bound to the one it was begun with.
    fn forget_tickets(&self) {
        self.configs.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The certificate shown to those who ask for this name, or for none.
    pub(crate) fn shown_to(&self, name: Option<&str>) -> Option<CertificateDer<'static>> {
        let table = self.shown.read();
        name.and_then(|name| table.named.get(name)).unwrap_or(&table.fallback).cert.first().cloned()
    }

    /// The chain shown to everybody who asks for no name that has a certificate of its own.
    pub fn fallback(&self) -> Vec<CertificateDer<'static>> {
        self.shown.read().fallback.cert.clone()
    }

    /// What an authority that fetches `/.well-known/acme-challenge/TOKEN` must be answered (RFC 8555 8.3).
    pub fn http_proof(&self, token: &str) -> Option<String> {
        self.shown.read().proofs.http.get(token).cloned()
    }

    /// Shows an authority that fetches `token` that we hold the key, until the proof is dropped.
    pub fn prove_by_http(&self, token: &str, key_authorization: String) -> Proof {
        self.shown.write().proofs.http.insert(token.to_owned(), key_authorization);
        Proof { shown: Arc::clone(&self.shown), http: true, key: token.to_owned() }
    }

    /// Shows an authority that asks for `name` under TLS that we hold the key, until the proof is dropped.
    pub fn prove_by_tls(&self, name: &str, certificate: CertifiedKey) -> Proof {
        let name = name.to_ascii_lowercase();
        self.shown.write().proofs.tls.insert(name.clone(), Arc::new(certificate));
        Proof { shown: Arc::clone(&self.shown), http: false, key: name }
    }

    /// The rustls configuration, for users that need it (axum). `alpn` are the protocols offered.
    pub fn server_config(&self, alpn: &[&[u8]]) -> Arc<rustls::ServerConfig> {
        let wanted: Vec<Vec<u8>> = alpn.iter().map(|protocol| protocol.to_vec()).collect();
        if let Some(config) = self.configs.read().unwrap_or_else(PoisonError::into_inner).get(&wanted) {
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
        self.configs.write().unwrap_or_else(PoisonError::into_inner).insert(wanted, Arc::clone(&config));
        config
    }
}

/// A proof that an authority can look at as long as this value lives.
#[derive(Debug)]
pub struct Proof {
    shown: Arc<Shown>,
    http: bool,
    key: String,
}

impl Drop for Proof {
    fn drop(&mut self) {
        let proofs = &mut self.shown.write().proofs;
        if self.http {
            proofs.http.remove(&self.key);
        } else {
            proofs.tls.remove(&self.key);
        }
    }
}

pub(crate) fn certified(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<CertifiedKey, TlsError> {
    CertifiedKey::from_der(chain, key, &provider())
        .map_err(|error| TlsError(format!("the certificate and its key can't be used together: {error}")))
}

/// True when a certificate may be shown for this name.
pub(crate) fn is_for(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let (Ok(parsed), Ok(name)) =
        (rustls::server::ParsedCertificate::try_from(certificate), ServerName::try_from(name.to_owned()))
    else {
        return false;
    };
    rustls::client::verify_server_name(&parsed, &name).is_ok()
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
