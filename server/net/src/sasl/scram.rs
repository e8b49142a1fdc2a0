//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS, the server's side (RFC 5802, RFC 7677). Bytes in, bytes out.
//!
//! The client proves that it has a password without showing it, and hears a proof that we know it. With -PLUS both hold
//! for this very TLS connection (RFC 5056): whoever sits in the middle with a certificate of their own gets nothing.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Bindings, CredentialsError};

/// Octets of a message; names and nonces are short.
const MAX_MESSAGE: usize = 4 << 10;
/// Octets of our part of the nonce, before base64.
const NONCE: usize = 18;

/// The terms of a login by SCRAM, and our part of its nonce.
#[derive(Debug)]
pub(super) struct Opening {
    pub(super) plus: bool,
    pub(super) bindings: Bindings,
    pub(super) salt: Vec<u8>,
    pub(super) rounds: u32,
    pub(super) nonce: String,
}

/// A login that waits for the client's proof.
#[derive(Debug)]
pub(super) struct Challenged {
    login: String,
    /// What `c=` must say.
    bound: Vec<u8>,
    nonce: String,
    /// What both have said so far.
    said: String,
}

/// A name, and the proof that somebody has its password.
#[derive(Debug)]
pub struct Proof {
    /// Login name.
    pub login: String,
    /// What both have said.
    said: String,
    proof: [u8; 32],
}

pub(super) fn nonce() -> String {
    STANDARD.encode(rand::random::<[u8; NONCE]>())
}

impl Opening {
    /// Reads client-first-message; gives server-first-message.
    pub(super) fn answer(self, message: &[u8]) -> Result<(String, Challenged), CredentialsError> {
        let message = text(message)?;
        let (flag, rest) = message.split_once(',').ok_or(CredentialsError::Scram)?;
        let (identity, bare) = rest.split_once(',').ok_or(CredentialsError::Scram)?;
        let header = message.strip_suffix(bare).ok_or(CredentialsError::Scram)?;
        let data = self.binding(flag)?;
        let mut parts = bare.split(',');
        let login = match parts.next().ok_or(CredentialsError::Scram)?.split_once('=') {
            Some(("n", name)) => super::name(unescaped(name)?.as_bytes())?,
            Some(("m", _)) => return Err(CredentialsError::Extension),
            _ => return Err(CredentialsError::Scram),
        };
        match identity.split_once('=') {
            None if identity.is_empty() => {}
            Some(("a", name)) if unescaped(name)? == login => {}
            Some(("a", _)) => return Err(CredentialsError::Identity),
            _ => return Err(CredentialsError::Scram),
        }
        let theirs = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(CredentialsError::Scram)?;
        // RFC 5802 7 `printable`; no comma is left.
        if theirs.is_empty() || !theirs.bytes().all(|byte| byte.is_ascii_graphic()) || !parts.all(is_extension) {
            return Err(CredentialsError::Scram);
        }
        let nonce = format!("{theirs}{}", self.nonce);
        let first = format!("r={nonce},s={},i={}", STANDARD.encode(&self.salt), self.rounds);
        let bound = [header.as_bytes(), data.as_slice()].concat();
        Ok((first.clone(), Challenged { login, bound, nonce, said: format!("{bare},{first}") }))
    }

    /// What the login is bound to, by the flag it begins with (RFC 5802 6).
    fn binding(&self, flag: &str) -> Result<Vec<u8>, CredentialsError> {
        match (flag, flag.strip_prefix("p=")) {
            (_, Some(kind)) if self.plus => {
                self.bindings.get(kind).map(<[u8]>::to_vec).ok_or(CredentialsError::BindingType)
            }
            // It believes that we can't, but we have offered it: somebody in the middle has taken that away.
            ("y", None) if !self.plus && self.bindings.is_empty() => Ok(Vec::new()),
            ("y", None) if !self.plus => Err(CredentialsError::Binding),
            ("n", None) if !self.plus => Ok(Vec::new()),
            _ => Err(CredentialsError::Scram),
        }
    }
}

impl Challenged {
    /// Reads client-final-message.
    pub(super) fn answer(self, message: &[u8]) -> Result<Proof, CredentialsError> {
        let message = text(message)?;
        let (before, proof) = message.rsplit_once(",p=").ok_or(CredentialsError::Scram)?;
        let proof = STANDARD.decode(proof).map_err(|_| CredentialsError::Scram)?;
        let proof = <[u8; 32]>::try_from(proof).map_err(|_| CredentialsError::Scram)?;
        let mut parts = before.split(',');
        let bound = parts.next().and_then(|part| part.strip_prefix("c=")).ok_or(CredentialsError::Scram)?;
        let nonce = parts.next().and_then(|part| part.strip_prefix("r=")).ok_or(CredentialsError::Scram)?;
        let bound = STANDARD.decode(bound).map_err(|_| CredentialsError::Scram)?;
        if !parts.all(is_extension) {
            return Err(CredentialsError::Scram);
        }
        if nonce != self.nonce {
            return Err(CredentialsError::Nonce);
        }
        if verify_slices_are_equal(&bound, &self.bound).is_err() {
            return Err(CredentialsError::Binding);
        }
        Ok(Proof { login: self.login, said: format!("{},{before}", self.said), proof })
    }
}

impl Proof {
    /// Whether it proves the password of this `StoredKey`, in constant time.
    pub fn fits(&self, stored_key: &[u8; 32]) -> bool {
        let mut client_key = self.signed(stored_key);
        for (byte, proof) in client_key.iter_mut().zip(self.proof) {
            *byte ^= proof;
        }
        let hashed = digest::digest(&digest::SHA256, &client_key);
        verify_slices_are_equal(hashed.as_ref(), stored_key).is_ok()
    }

    /// server-final-message: the proof that we have the `ServerKey`.
    pub(super) fn answer(&self, server_key: &[u8; 32]) -> String {
        format!("v={}", STANDARD.encode(self.signed(server_key)))
    }

    fn signed(&self, key: &[u8; 32]) -> [u8; 32] {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), self.said.as_bytes());
        let mut signature = [0; 32];
        for (byte, signed) in signature.iter_mut().zip(tag.as_ref()) {
            *byte = *signed;
        }
        signature
    }
}

fn text(message: &[u8]) -> Result<&str, CredentialsError> {
    if message.len() > MAX_MESSAGE {
        return Err(CredentialsError::Scram);
    }
    std::str::from_utf8(message).map_err(|_| CredentialsError::Text)
}

/// An attribute to be passed over (RFC 5802 7 `attr-val`), unless it is one that must be understood.
fn is_extension(part: &str) -> bool {
    let mut characters = part.chars();
    let name = characters.next().filter(char::is_ascii_alphabetic);
    name.is_some_and(|name| name != 'm') && characters.next() == Some('=') && characters.next().is_some()
}

/// Reads a `saslname`.
fn unescaped(name: &str) -> Result<String, CredentialsError> {
    let mut pieces = name.split('=');
    let mut read = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (character, rest) = match (piece.strip_prefix("2C"), piece.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(CredentialsError::Scram),
        };
        read.push(character);
        read.push_str(rest);
    }
    Ok(read)
}
