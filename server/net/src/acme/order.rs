//! One order: from "please" to a certificate (RFC 8555 7.4), with rustls-acme's client.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_acme::acme::{Account, AcmeError, Auth, AuthStatus, Directory, Identifier, Order, OrderStatus};

use super::schedule::Blame;
use super::words;
use crate::Certificates;
use crate::certificates::Proof;

/// An authority that says again and again that a nonce is stale is out of order; pebble does it on purpose, but seldom
/// so often.
const NONCE_TRIES: usize = 12;
/// How long an authority may think about a proof or an order: the sum of these pauses between looks.
const LOOKS: [Duration; 9] = [
    Duration::from_millis(200),
    Duration::from_millis(500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
    Duration::from_secs(30),
    Duration::from_secs(30),
];
/// An order goes through few states; one that runs in circles ends.
const MAX_STEPS: usize = 20;

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    pub(super) blame: Blame,
    pub(super) words: String,
}

impl Failure {
    pub(super) fn passing(words: impl Into<String>) -> Self {
        Self { blame: Blame::Passing, words: words.into() }
    }

    fn refused(words: impl Into<String>) -> Self {
        Self { blame: Blame::Refused, words: words.into() }
    }
}

/// How the authority is shown that a name is ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// TLS-ALPN-01, on port 443 (RFC 8737).
    Tls,
    /// HTTP-01, on port 80 (RFC 8555 8.3).
    Http,
}

/// A certificate authority and who we are to it.
#[derive(Debug, Clone)]
pub(super) struct Authority {
    pub(super) directory: String,
    /// `mailto:` and an address, or nothing.
    pub(super) contact: Vec<String>,
    pub(super) client: Arc<rustls::ClientConfig>,
}

/// An account at an authority, ready for orders.
pub(super) struct Customer {
    account: Account,
    client: Arc<rustls::ClientConfig>,
}

/// A certificate chain in PEM, and its key in PKCS #8.
pub(super) struct Issued {
    pub(super) chain: String,
    pub(super) key: Vec<u8>,
}

/// A new account key.
pub(super) fn account_key() -> Vec<u8> {
    Account::generate_key_pair()
}

impl Authority {
    /// Opens the account of this key, which is made where there is none yet; that agrees to the authority's terms.
    pub(super) async fn open_account(&self, key: &[u8]) -> Result<Customer, Failure> {
        let directory = Directory::discover(&self.client, &self.directory).await.map_err(|error| failure(&error))?;
        for url in [&directory.new_nonce, &directory.new_account, &directory.new_order] {
            under_tls(url)?;
        }
        let account =
            again(|| Account::create_with_keypair(&self.client, directory.clone(), &self.contact, key)).await?;
        Ok(Customer { account, client: Arc::clone(&self.client) })
    }
}

impl Customer {
    /// Gets a certificate for one name. The key is the one before when there was one: then a TLSA record "3 1 1" made
    /// from it stays true.
    pub(super) async fn order(
        &self,
        name: &str,
        way: Way,
        key: Option<&[u8]>,
        certificates: &Certificates,
    ) -> Result<Issued, Failure> {
        let key = match key {
            Some(key) => KeyPair::try_from(key),
            None => KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256),
        }
        .map_err(|error| Failure::passing(format!("no key could be made: {error}")))?;
        let request = request(name, &key).map_err(|error| Failure::refused(format!("{name}: {error}")))?;
        let (url, mut order) = again(|| self.account.new_order(&self.client, vec![name.to_owned()])).await?;
        under_tls(&url)?;
        for _ in 0..MAX_STEPS {
            order = match &order.status {
                OrderStatus::Pending => {
                    for authorization in &order.authorizations {
                        self.prove(authorization, way, certificates).await?;
                    }
                    self.look_until(&url, |status| *status != OrderStatus::Pending).await?
                }
                OrderStatus::Processing => self.look_until(&url, |status| *status != OrderStatus::Processing).await?,
                OrderStatus::Ready => {
                    let finalize = under_tls(&order.finalize)?;
                    again(|| self.account.finalize(&self.client, finalize, &request)).await?
                }
                OrderStatus::Valid { certificate } => {
                    under_tls(certificate)?;
                    let chain = again(|| self.account.certificate(&self.client, certificate)).await?;
                    return Ok(Issued { chain, key: key.serialize_der() });
                }
                OrderStatus::Invalid => {
                    let problem = order.error.as_ref().map(words::problem);
                    let why = problem.unwrap_or_else(|| "it does not say why".to_owned());
                    return Err(Failure::refused(format!("the authority refused the order: {why}")));
                }
            };
        }
        Err(Failure::passing("the authority's order ran in circles"))
    }

    /// Shows that a name is ours, and waits until the authority has seen it.
    async fn prove(&self, authorization: &str, way: Way, certificates: &Certificates) -> Result<(), Failure> {
        let authorization = under_tls(authorization)?;
        let auth = again(|| self.account.auth(&self.client, authorization)).await?;
        match auth.status {
            AuthStatus::Pending => {}
            AuthStatus::Valid => return Ok(()),
            _ => return Err(refusal(&auth)),
        }
        let (proof, challenge) = self.prepare(&auth, way, certificates)?;
        under_tls(&challenge)?;
        again(|| self.account.challenge(&self.client, &challenge)).await?;
        for pause in LOOKS {
            tokio::time::sleep(pause).await;
            let auth = again(|| self.account.auth(&self.client, authorization)).await?;
            match auth.status {
                AuthStatus::Pending => {}
                AuthStatus::Valid => {
                    drop(proof);
                    return Ok(());
                }
                _ => return Err(refusal(&auth)),
            }
        }
        Err(Failure::passing("the authority took too long to look at the proof"))
    }

    /// Puts the proof where the authority will look; gives it and the challenge's URL.
    fn prepare(&self, auth: &Auth, way: Way, certificates: &Certificates) -> Result<(Proof, String), Failure> {
        let Identifier::Dns(name) = &auth.identifier;
        match way {
            Way::Tls => {
                let made = self.account.tls_alpn_01(&auth.challenges, name.clone());
                let (challenge, shown) = made.map_err(|error| failure(&error))?;
                Ok((certificates.prove_by_tls(name, shown), challenge.url.clone()))
            }
            Way::Http => {
                let made = self.account.http_01(&auth.challenges);
                let (challenge, authorization) = made.map_err(|error| failure(&error))?;
                Ok((certificates.prove_by_http(&challenge.token, authorization), challenge.url.clone()))
            }
        }
    }

    /// Looks at the order until it is so, or there is no more patience.
    async fn look_until(&self, url: &str, done: impl Fn(&OrderStatus) -> bool) -> Result<Order, Failure> {
        for pause in LOOKS {
            let order = again(|| self.account.order(&self.client, url)).await?;
            if done(&order.status) {
                return Ok(order);
            }
            tokio::time::sleep(pause).await;
        }
        Err(Failure::passing("the authority took too long with the order"))
    }
}

/// The certificate signing request, in DER.
fn request(name: &str, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
    let mut params = CertificateParams::new(vec![name.to_owned()])?;
    params.distinguished_name = DistinguishedName::new();
    Ok(params.serialize_request(key)?.der().to_vec())
}

/// An authority's URL must be https (RFC 8555 6.1): without TLS anybody could answer in its place, and without end.
fn under_tls(url: &str) -> Result<&str, Failure> {
    match url.get(..8) {
        Some(scheme) if scheme.eq_ignore_ascii_case("https://") => Ok(url),
        _ => Err(Failure::passing("the authority leads to a place without TLS")),
    }
}

/// Does it again as long as the authority only finds the nonce stale, as it may at any time (RFC 8555 6.5).
async fn again<T, F>(mut act: impl FnMut() -> F) -> Result<T, Failure>
where
    F: Future<Output = Result<T, AcmeError>>,
{
    for _ in 1..NONCE_TRIES {
        match act().await {
            Err(error) if words::is_stale_nonce(&error) => {}
            other => return other.map_err(|error| failure(&error)),
        }
    }
    act().await.map_err(|error| failure(&error))
}

/// What went wrong with a request.
fn failure(error: &AcmeError) -> Failure {
    match error {
        AcmeError::NoTlsAlpn01Challenge => {
            Failure::refused("the authority does not want to look on port 443 (it offers no TLS-ALPN-01)")
        }
        AcmeError::NoHttp01Challenge => {
            Failure::refused("the authority does not want to look on port 80 (it offers no HTTP-01)")
        }
        other => words::of(other),
    }
}

/// What the authority found wrong with a proof.
fn refusal(auth: &Auth) -> Failure {
    let problem = auth.challenges.iter().find_map(|challenge| challenge.error.as_ref());
    let why = problem.map_or_else(|| "it does not say why".to_owned(), words::problem);
    Failure::refused(format!("the authority could not see that the name is ours: {why}"))
}
