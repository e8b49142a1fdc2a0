//! What is kept of an app password (RFC 5802 3, RFC 7677): enough to prove it, never the password.

use std::num::NonZeroU32;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac, pbkdf2};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

/// Rounds of PBKDF2, the fewest that RFC 7677 4 allows: a random password gains nothing by more.
pub(crate) const ROUNDS: NonZeroU32 = NonZeroU32::new(4_096).unwrap();
/// Bytes of the salt. There is one for all: the passwords are random, so that nobody has a table of them, and a salt that
/// everybody has tells nobody which names exist or belong together.
pub(crate) const SALT_BYTES: usize = 16;

/// `StoredKey` and `ServerKey` of SCRAM-SHA-256; wiped when dropped.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct ScramKeys {
    /// Proves that a client has the password.
    pub(crate) stored: [u8; 32],
    /// Proves to the client that we know it.
    pub(crate) server: [u8; 32],
}

impl std::fmt::Debug for ScramKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ScramKeys")
    }
}

impl Drop for ScramKeys {
    fn drop(&mut self) {
        self.stored.zeroize();
        self.server.zeroize();
    }
}

impl ScramKeys {
    /// The keys of a password in ASCII, which SASLprep leaves as it is.
    pub(crate) fn derive(password: &str, salt: &[u8]) -> Self {
        let mut salted = Zeroizing::new([0; 32]);
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password.as_bytes(), salted.as_mut_slice());
        let client = hash(salted.as_slice(), b"Client Key");
        let mut keys = Self { stored: [0; 32], server: *hash(salted.as_slice(), b"Server Key") };
        keys.stored.copy_from_slice(digest::digest(&digest::SHA256, client.as_slice()).as_ref());
        keys
    }

    /// Keys of no password.
    pub(crate) fn nobodys() -> Self {
        Self { stored: [0; 32], server: [0; 32] }
    }

    /// Whether they are of the password of this `StoredKey`, in constant time.
    pub(crate) fn is_of(&self, stored: &[u8; 32]) -> bool {
        verify_slices_are_equal(&self.stored, stored).is_ok()
    }
}

fn hash(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// RFC 7677 3: both keys, by what they sign there.
    #[test]
    fn the_keys_are_those_of_the_rfcs_example() {
        let keys = ScramKeys::derive("pencil", &STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap());
        let said = "n=user,r=rOprNGfwEbeRWgbNEkqO,\
                    r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,\
                    c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let server = hash(&keys.server, said.as_bytes());
        assert_eq!(STANDARD.encode(server.as_slice()), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
        let proof = STANDARD.decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=").unwrap();
        let signature = hash(&keys.stored, said.as_bytes());
        let client: Vec<u8> = proof.iter().zip(signature.iter()).map(|(proof, signed)| proof ^ signed).collect();
        assert_eq!(digest::digest(&digest::SHA256, &client).as_ref(), keys.stored);
    }
}
