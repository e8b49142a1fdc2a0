//! The keys we sign with: how they are made, read, named and published (RFC 6376 3.6.1, RFC 8463).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// How a key signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// `rsa-sha256`, of 2048 bits: what everybody verifies.
    Rsa,
    /// `ed25519-sha256`: short and quick, not yet verified by everybody.
    Ed25519,
}

impl Algorithm {
    /// Both, in the order in which their signatures stand in a letter.
    pub const ALL: [Self; 2] = [Self::Rsa, Self::Ed25519];

    /// The `a=` of a signature.
    pub fn signature_name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }

    /// The `k=` of a record.
    fn key_name(self) -> &'static str {
        match self {
            Self::Rsa => "rsa",
            Self::Ed25519 => "ed25519",
        }
    }

    /// The last letter of our selectors.
    fn letter(self) -> char {
        match self {
            Self::Rsa => 'r',
            Self::Ed25519 => 'e',
        }
    }
}

/// Why a key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// None could be made.
    #[error("no key could be made")]
    Generation,
    /// It is neither an RSA nor an Ed25519 key in PKCS#8.
    #[error("the signing key can't be read")]
    Unreadable,
    /// It did not sign.
    #[error("the signing key does not sign")]
    Signing,
}

/// A private key. What it is made of shows nowhere but in [`Self::to_pkcs8`].
pub struct Key(Pair);

enum Pair {
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Key").field(&self.algorithm()).finish()
    }
}

impl Key {
    /// Makes a key. RSA takes about a tenth of a second of CPU.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub fn generate(algorithm: Algorithm) -> Result<Self, KeyError> {
        let pair = match algorithm {
            Algorithm::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            Algorithm::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        pair.map(Self).map_err(|_| KeyError::Generation)
    }

    /// Reads a key that [`Self::to_pkcs8`] wrote.
    ///
    /// # Errors
    /// It is none.
    pub fn from_pkcs8(der: &[u8]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(der)
            .map(Pair::Ed25519)
            .or_else(|_| RsaKeyPair::from_pkcs8(der).map(Pair::Rsa))
            .map_err(|_| KeyError::Unreadable)?;
        Ok(Self(pair))
    }

    /// The key as PKCS#8 in DER.
    ///
    /// # Errors
    /// None that a key of ours has.
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Unreadable)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
            Pair::Ed25519(pair) => {
                let der = pair.to_pkcs8v1().map_err(|_| KeyError::Unreadable)?;
                Ok(Zeroizing::new(der.as_ref().to_vec()))
            }
        }
    }

    /// How it signs.
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Pair::Rsa(_) => Algorithm::Rsa,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The text of the TXT record under which the world finds the public key.
    ///
    /// # Errors
    /// None that a key of ours has.
    pub fn record(&self) -> Result<String, KeyError> {
        let public = match &self.0 {
            Pair::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| KeyError::Unreadable)?;
                STANDARD.encode(der.as_ref())
            }
            Pair::Ed25519(pair) => STANDARD.encode(pair.public_key().as_ref()),
        };
        Ok(format!("v=DKIM1; k={}; p={public}", self.algorithm().key_name()))
    }

    /// The signature of a text (RFC 6376 3.3.1, RFC 8463 3).
    ///
    /// # Errors
    /// The key does not sign.
    pub fn sign(&self, text: &[u8]) -> Result<Vec<u8>, KeyError> {
        match &self.0 {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text, &mut signature)
                    .map_err(|_| KeyError::Signing)?;
                Ok(signature)
            }
            Pair::Ed25519(pair) => {
                let hash = digest(&SHA256, text);
                let signature = pair.try_sign(hash.as_ref()).map_err(|_| KeyError::Signing)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

/// A name for a new key that tells an operator when it was made: `ms202611r`, or `ms202611-2r` where there is one of
/// that month already. `taken` says which are in use.
pub fn selector(algorithm: Algorithm, now: i64, taken: impl Fn(&str) -> bool) -> String {
    let month = jiff::Timestamp::from_second(now).unwrap_or_default().strftime("%Y%m");
    let letter = algorithm.letter();
    let first = format!("ms{month}{letter}");
    if !taken(&first) {
        return first;
    }
    (2_u64..).map(|number| format!("ms{month}-{number}{letter}")).find(|name| !taken(name)).unwrap_or(first)
}

/// True when a TXT record found in DNS publishes the same key as `ours`: its other tags are the operator's affair.
pub fn is_published(ours: &str, found: &[u8]) -> bool {
    let wanted = tags(ours);
    let found = String::from_utf8_lossy(found);
    let found = tags(&found);
    let same = |name: &str| {
        let value =
            |tags: &[(String, String)]| tags.iter().find(|(tag, _)| tag == name).map(|(_, value)| value.clone());
        value(&wanted) == value(&found)
    };
    // `k=rsa` may be left out (RFC 6376 3.6.1).
    let kind = |tags: &[(String, String)]| {
        tags.iter().find(|(tag, _)| tag == "k").map_or_else(|| "rsa".to_owned(), |(_, value)| value.to_lowercase())
    };
    same("p") && kind(&wanted) == kind(&found)
}

/// The tags of a record, white space gone.
fn tags(record: &str) -> Vec<(String, String)> {
    let tag = |part: &str| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_lowercase(), value.split_whitespace().collect::<String>()))
    };
    record.split(';').filter_map(tag).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn a_key_is_read_back_as_it_was_made_and_tells_nothing() {
        for algorithm in Algorithm::ALL {
            let key = Key::generate(algorithm).unwrap();
            let der = key.to_pkcs8().unwrap();
            let again = Key::from_pkcs8(&der).unwrap();
            assert_eq!(again.algorithm(), algorithm);
            assert_eq!(again.record().unwrap(), key.record().unwrap());
            assert_eq!(again.sign(b"text").unwrap(), key.sign(b"text").unwrap());
            assert_eq!(format!("{key:?}"), format!("Key({algorithm:?})"));
        }
        for garbage in [&b""[..], b"garbage", &[0x30; 100]] {
            assert_eq!(Key::from_pkcs8(garbage).unwrap_err(), KeyError::Unreadable);
        }
    }

    #[test]
    fn records_say_what_kind_of_key_they_hold() {
        let rsa = Key::generate(Algorithm::Rsa).unwrap().record().unwrap();
        // 2048 bits as SubjectPublicKeyInfo.
        assert!(rsa.starts_with("v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA"), "{rsa}");
        let ed25519 = Key::generate(Algorithm::Ed25519).unwrap().record().unwrap();
        assert!(ed25519.starts_with("v=DKIM1; k=ed25519; p=") && ed25519.len() == 22 + 44, "{ed25519}");
    }

    #[test]
    fn a_selector_tells_the_month_and_is_never_given_twice() {
        let now = 1_795_535_230;
        assert_eq!(selector(Algorithm::Rsa, now, |_| false), "ms202611r");
        assert_eq!(selector(Algorithm::Ed25519, now, |_| false), "ms202611e");
        let taken = ["ms202611r", "ms202611-2r"];
        assert_eq!(selector(Algorithm::Rsa, now, |name| taken.contains(&name)), "ms202611-3r");
    }

    #[test]
    fn what_dns_says_is_compared_by_the_key_alone() {
        for (ours, found, same) in [
            ("v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=rsa; p=AAAA", true),
            ("v=DKIM1; k=rsa; p=AAAA", "p=AA AA;t=s", true),
            ("v=DKIM1; k=ed25519; p=AAAA", "v=DKIM1;k=Ed25519;p=AAAA;", true),
            ("v=DKIM1; k=ed25519; p=AAAA", "v=DKIM1; p=AAAA", false),
            ("v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=rsa; p=AAAB", false),
            ("v=DKIM1; k=rsa; p=AAAA", "v=DKIM1; k=rsa; p=", false),
            ("v=DKIM1; k=rsa; p=AAAA", "\u{fffd}", false),
        ] {
            assert_eq!(is_published(ours, found.as_bytes()), same, "{ours} / {found}");
        }
    }
}
