//! Passwords: argon2id, a bounded number at once, never on the threads that serve sessions.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::{Semaphore, oneshot};
use zeroize::Zeroizing;

use crate::{PasswordCost, StoreError};

/// Hashes computed at once: each takes 19 MiB and a core.
const AT_ONCE: usize = 2;
/// Octets of a password: longer ones are no better, and hashing them costs.
const MAX_PASSWORD: usize = 1_024;

/// Makes and checks password hashes.
#[derive(Debug)]
pub(crate) struct Passwords {
    cost: PasswordCost,
    places: Arc<Semaphore>,
    /// The hash of a password nobody knows, checked in place of an unknown account's so that it takes as long.
    dummy: String,
}

impl Passwords {
    pub(crate) fn new(cost: PasswordCost) -> Result<Self, StoreError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| StoreError::Io(error.to_string()))?;
        let dummy = hash(cost, &secret)?;
        Ok(Self { cost, places: Arc::new(Semaphore::new(AT_ONCE)), dummy })
    }

    /// Hashes a new password.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] for an empty one or one that is too long.
    pub(crate) async fn make(&self, password: &str) -> Result<String, StoreError> {
        if password.is_empty() || password.len() > MAX_PASSWORD {
            return Err(StoreError::Invalid("a password has 1 to 1024 characters".to_owned()));
        }
        let (cost, password) = (self.cost, Zeroizing::new(password.as_bytes().to_vec()));
        self.compute(move || hash(cost, &password)).await
    }

    /// Checks a password against a hash; without a hash it takes as long and fails.
    pub(crate) async fn check(&self, password: &str, known: Option<&str>) -> Result<bool, StoreError> {
        let (exists, known) = (known.is_some(), known.unwrap_or(&self.dummy).to_owned());
        let fits = password.len() <= MAX_PASSWORD;
        let password = Zeroizing::new(if fits { password.as_bytes().to_vec() } else { Vec::new() });
        let check = move || {
            let known = PasswordHash::new(&known).map_err(|_| StoreError::Damaged("a password's hash".to_owned()))?;
            // The hash names its own parameters.
            Ok(Argon2::default().verify_password(&password, &known).is_ok())
        };
        Ok(self.compute(check).await? && exists && fits)
    }

    pub(crate) async fn compute<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Held by the thread: whoever gives up waiting does not end the work.
        let place = Arc::clone(&self.places).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let (answer, result) = oneshot::channel();
        // A thread of its own, since this must work outside a tokio runtime too.
        std::thread::Builder::new()
            .name("password".to_owned())
            .spawn(move || {
                let done = work();
                drop(place);
                let _ = answer.send(done);
            })
            .map_err(|error| StoreError::Io(error.to_string()))?;
        result.await.map_err(|_| StoreError::Closed)?
    }
}

fn hash(cost: PasswordCost, password: &[u8]) -> Result<String, StoreError> {
    let mut salt = [0; 16];
    getrandom::fill(&mut salt).map_err(|error| StoreError::Io(error.to_string()))?;
    let failed = |what: String| StoreError::Io(format!("a password can't be hashed: {what}"));
    let salt = SaltString::encode_b64(&salt).map_err(|error| failed(error.to_string()))?;
    let (memory, passes) = match cost {
        PasswordCost::Standard => (19 * 1024, 2),
        PasswordCost::Light => (64, 1),
    };
    let params = Params::new(memory, passes, 1, None).map_err(|error| failed(error.to_string()))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    Ok(argon.hash_password(password, &salt).map_err(|error| failed(error.to_string()))?.to_string())
}
