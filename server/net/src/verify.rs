//! How we look at the certificates of servers we connect to, and what we say of them.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::dane::Dane;
use crate::tls::{TlsError, provider};

/// What is wrong with a server's TLS, for programs (the words of RFC 8460 4.3 distinguish these).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// STARTTLS is not there.
    NotOffered,
    /// The certificate is for other names.
    Name,
    /// The certificate's time is over.
    Expired,
    /// Nobody we trust has signed it.
    NotTrusted,
    /// It is not the one its TLSA records name.
    Tlsa,
    /// Anything else: the handshake broke, or took too long.
    Handshake,
}

/// What is wrong with a server's TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct TlsFault {
    /// For programs.
    pub flaw: Flaw,
    /// For people, without a full stop; what is a peer's in it is escaped.
    pub text: String,
}

impl TlsFault {
    /// Puts both together.
    pub fn new(flaw: Flaw, text: impl Into<String>) -> Self {
        Self { flaw, text: text.into() }
    }

    /// The handshake came to nothing.
    pub fn broken(error: &io::Error) -> Self {
        Self::new(Flaw::Handshake, format!("the handshake failed: {}", error.to_string().escape_debug()))
    }
}

/// What looking at a certificate came to: in what it is right, or what is wrong with it.
pub type Look = Result<String, TlsFault>;

/// How certificates of servers we connect to are judged. Every connection is looked at anew: a resumed session would
/// pass unseen.
#[derive(Debug, Clone)]
pub struct ClientTls {
    measure: Measure,
    /// A certificate that is found wrong ends the handshake; otherwise it is only told.
    strict: bool,
}

/// By what a certificate is measured.
#[derive(Debug, Clone)]
enum Measure {
    /// By nothing.
    Nothing,
    /// By the authorities we trust, and its names (RFC 9525).
    Authorities(Arc<RootCertStore>),
    /// By what DNS says it must be.
    Dns(Arc<Dane>),
}

impl ClientTls {
    /// Takes any certificate (opportunistic STARTTLS, RFC 7435).
    pub fn opportunistic() -> Self {
        Self { measure: Measure::Nothing, strict: false }
    }

    /// Verifies against the web's roots, and these in addition.
    pub fn verifying(extra_roots: &[CertificateDer<'static>]) -> Result<Self, TlsError> {
        let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        for root in extra_roots {
            roots.add(root.clone()).map_err(|error| TlsError(format!("a root certificate can't be used: {error}")))?;
        }
        Ok(Self { measure: Measure::Authorities(Arc::new(roots)), strict: true })
    }

    /// Verifies by TLSA records (RFC 7672).
    pub fn dane(dane: Dane) -> Self {
        Self { measure: Measure::Dns(Arc::new(dane)), strict: true }
    }

    /// Measures by the same, but takes any certificate and only tells what it found.
    pub fn lenient(&self) -> Self {
        Self { measure: self.measure.clone(), strict: false }
    }

    /// The configuration of one connection, and where its verdict will be.
    pub(crate) fn connection(&self) -> Result<(Arc<rustls::ClientConfig>, Arc<Watch>), TlsFault> {
        let watch = Arc::new(Watch { tls: self.clone(), seen: Mutex::default() });
        let builder = rustls::ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsFault::new(Flaw::Handshake, format!("TLS can't start: {error}")))?;
        let mut config = builder
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&watch) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        config.resumption = Resumption::disabled();
        Ok((Arc::new(config), watch))
    }
}

impl Measure {
    fn look(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Look {
        match self {
            Self::Nothing => Ok("not looked at".to_owned()),
            Self::Authorities(roots) => by_authorities(certificate, others, roots, &[name], now)
                .map(|()| format!("valid for {}", name.to_str().escape_debug())),
            Self::Dns(dane) => dane.look(certificate, others, now),
        }
    }
}

/// Builds a chain to one of these roots, and looks for one of these names.
pub(crate) fn by_authorities(
    certificate: &CertificateDer<'_>,
    others: &[CertificateDer<'_>],
    roots: &RootCertStore,
    names: &[&ServerName<'_>],
    now: UnixTime,
) -> Result<(), TlsFault> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|error| fault_of(&error))?;
    let algorithms = provider().signature_verification_algorithms.all;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, others, now, algorithms)
        .map_err(|error| fault_of(&error))?;
    let mut fault = TlsFault::new(Flaw::Name, "the certificate has no name to look for");
    for name in names {
        match verify_server_name(&parsed, name) {
            Ok(()) => return Ok(()),
            Err(error) => fault = fault_of(&error),
        }
    }
    Err(fault)
}

/// Names of a certificate that are told; it may have hundreds.
const NAMES_TOLD: usize = 5;
/// Characters told of what is wrong with a certificate; its names and extensions may be as long as it likes.
const MAX_TOLD: usize = 500;

fn fault_of(error: &rustls::Error) -> TlsFault {
    let rustls::Error::InvalidCertificate(what) = error else {
        return TlsFault::new(Flaw::Handshake, error.to_string().escape_debug().to_string());
    };
    let (flaw, text) = match what {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            (Flaw::Expired, "the certificate has expired".to_owned())
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            (Flaw::NotTrusted, "the certificate is not valid yet".to_owned())
        }
        CertificateError::NotValidForName => (Flaw::Name, "the certificate is for another name".to_owned()),
        CertificateError::NotValidForNameContext { expected, presented } => {
            let names: Vec<String> = presented.iter().take(NAMES_TOLD).map(|name| plain_name(name)).collect();
            let names = if names.is_empty() { "no name".to_owned() } else { names.join(", ") };
            let more = if presented.len() > NAMES_TOLD { " and others" } else { "" };
            let expected = expected.to_str();
            (Flaw::Name, format!("the certificate is for {names}{more}, not for {}", expected.escape_debug()))
        }
        CertificateError::UnknownIssuer => {
            (Flaw::NotTrusted, "the certificate is not from an authority we trust".to_owned())
        }
        CertificateError::BadSignature => (Flaw::NotTrusted, "the certificate's signature is wrong".to_owned()),
        CertificateError::BadEncoding => (Flaw::NotTrusted, "the certificate can't be read".to_owned()),
        other => (Flaw::NotTrusted, format!("the certificate can't be trusted: {}", other.to_string().escape_debug())),
    };
    TlsFault { flaw, text: text.chars().take(MAX_TOLD).collect() }
}

/// rustls writes `DnsName("mx.test")`.
fn plain_name(name: &str) -> String {
    let inner = name.split_once("(\"").and_then(|(_, rest)| rest.strip_suffix("\")"));
    inner.unwrap_or(name).escape_debug().to_string()
}

/// Looks at one connection's certificate. Whatever it thinks of it, its key must have signed the handshake.
#[derive(Debug)]
pub(crate) struct Watch {
    tls: ClientTls,
    seen: Mutex<Option<Look>>,
}

impl Watch {
    /// What was seen, once the certificate was there.
    pub(crate) fn seen(&self) -> Option<Look> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What ended the handshake.
    pub(crate) fn fault(&self, error: &io::Error) -> TlsFault {
        match self.seen() {
            Some(Err(fault)) if self.tls.strict => fault,
            _ => TlsFault::broken(error),
        }
    }
}

impl ServerCertVerifier for Watch {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let look = self.tls.measure.look(certificate, others, name, now);
        let good = look.is_ok() || !self.tls.strict;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(look);
        if good {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::InvalidCertificate(CertificateError::ApplicationVerificationFailure))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = provider().signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_certificates_names_are_told_harmlessly_and_never_at_length() {
        let long = format!("DnsName(\"{}\")", "x".repeat(10_000));
        let presented = vec!["DnsName(\"a.test\")".to_owned(), "DnsName(\"b\n\u{1b}[2J\")".to_owned(), long];
        let expected = ServerName::try_from("mx.test").unwrap();
        let error = CertificateError::NotValidForNameContext { expected, presented };
        let fault = fault_of(&rustls::Error::InvalidCertificate(error));
        assert_eq!(fault.flaw, Flaw::Name);
        assert!(fault.text.starts_with("the certificate is for a.test, b\\n"), "{fault}");
        assert!(fault.text.len() <= MAX_TOLD && !fault.text.contains(char::is_control), "{fault}");
    }
}
