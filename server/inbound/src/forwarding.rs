//! Sending on into the world: with a seal that says what we saw (ARC), and a reverse-path of our own (SRS).

use std::cell::OnceCell;

use mailstead_auth::body::{Canonicalization, Digest};
use mailstead_auth::check::Chain;
use mailstead_auth::seal::Findings;
use mailstead_message::Address;
use mailstead_smtp::server::MailFrom;
use mailstead_store::{StoreError, Timestamp};

use crate::{Letter, Signing, returns};

/// What was found out about a letter from the world, to be vouched for where it is sent on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What stands in `Authentication-Results` behind our name.
    pub results: String,
    /// What its ARC chain is worth.
    pub chain: Chain,
}

/// One letter being sent on.
pub(crate) struct Forwarding<'a> {
    pub(crate) signing: &'a Signing,
    /// Our name in `Authentication-Results`.
    pub(crate) hostname: &'a str,
    pub(crate) letter: &'a Letter,
    pub(crate) from: &'a MailFrom,
    pub(crate) found: Option<&'a Found>,
    pub(crate) at: Timestamp,
    body_hash: OnceCell<Vec<u8>>,
}

impl<'a> Forwarding<'a> {
    pub(crate) fn new(
        signing: &'a Signing,
        hostname: &'a str,
        letter: &'a Letter,
        from: &'a MailFrom,
        found: Option<&'a Found>,
        at: Timestamp,
    ) -> Self {
        Self { signing, hostname, letter, from, found, at, body_hash: OnceCell::new() }
    }

    /// The envelope's sender when the alias sends it on.
    pub(crate) fn sender(&self, alias: &Address) -> Result<MailFrom, StoreError> {
        let reverse_path = returns::outward(self.signing.store(), &self.from.reverse_path, alias, self.at)?;
        Ok(MailFrom { reverse_path, ..self.from.clone() })
    }

    /// The header with our seal before it; as it is where nothing was found out, as of our own people's letters.
    pub(crate) fn sealed(&self, alias: &Address, head: Vec<u8>) -> Result<Vec<u8>, StoreError> {
        let Some(found) = self.found else { return Ok(head) };
        let findings = Findings { authserv_id: self.hostname, results: &found.results, chain: found.chain };
        let seal = self.signing.seal(alias.domain(), &head, findings, self.at, || self.body_hash())?;
        Ok([seal.into_bytes(), head].concat())
    }

    /// Computed once, however many aliases send it on.
    fn body_hash(&self) -> Result<Vec<u8>, StoreError> {
        if let Some(known) = self.body_hash.get() {
            return Ok(known.clone());
        }
        let hash = self.letter.hash_body(Canonicalization::Relaxed, Digest::Sha256)?;
        Ok(self.body_hash.get_or_init(|| hash).clone())
    }
}
