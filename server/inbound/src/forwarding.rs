//! Sending on into the world: with a seal that says what we saw (ARC), and a reverse-path of our own (SRS).

use std::cell::{OnceCell, RefCell};

use mailstead_auth::body::{Canonicalization, Digest};
use mailstead_auth::check::Chain;
use mailstead_auth::seal::Findings;
use mailstead_message::{Address, ReversePath};
use mailstead_smtp::server::MailFrom;
use mailstead_store::{StoreError, Timestamp};

use crate::{Letter, Reception, returns};

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
    reception: &'a Reception,
    letter: &'a Letter,
    from: &'a MailFrom,
    found: Option<&'a Found>,
    at: Timestamp,
    body_hash: OnceCell<Vec<u8>>,
    told: RefCell<Vec<String>>,
}

impl<'a> Forwarding<'a> {
    pub(crate) fn new(
        reception: &'a Reception,
        letter: &'a Letter,
        from: &'a MailFrom,
        found: Option<&'a Found>,
        at: Timestamp,
    ) -> Self {
        Self { reception, letter, from, found, at, body_hash: OnceCell::new(), told: RefCell::default() }
    }

    /// The header with our seal before it, and the envelope's sender, with which an alias sends it on. There is no seal
    /// where nothing was found out, as of our own people's letters.
    pub(crate) fn send_on(&self, alias: &Address, head: Vec<u8>) -> Result<(Vec<u8>, MailFrom), StoreError> {
        let seal = self.seal(alias, &head)?;
        let reverse_path = returns::outward(self.reception.store(), &self.from.reverse_path, alias, self.at)?;
        self.tell(alias, &reverse_path, !seal.is_empty());
        Ok(([seal.into_bytes(), head].concat(), MailFrom { reverse_path, ..self.from.clone() }))
    }

    /// Sentences for the story.
    pub(crate) fn into_told(self) -> Vec<String> {
        self.told.into_inner()
    }

    fn seal(&self, alias: &Address, head: &[u8]) -> Result<String, StoreError> {
        let Some(found) = self.found else { return Ok(String::new()) };
        let hostname = &self.reception.policy().hostname;
        let findings = Findings { authserv_id: hostname, results: &found.results, chain: found.chain };
        let signing = self.reception.signing();
        match signing.seal(alias.domain(), head, findings, self.at, || self.body_hash()) {
            // The letter is worth more than the seal.
            Err(error @ StoreError::Damaged(_)) => {
                tracing::error!(%alias, "a letter is sent on without a seal: {error}");
                Ok(String::new())
            }
            sealed => sealed,
        }
    }

    /// Computed once, however many aliases send it on.
    fn body_hash(&self) -> Result<Vec<u8>, StoreError> {
        if let Some(known) = self.body_hash.get() {
            return Ok(known.clone());
        }
        let hash = self.letter.hash_body(Canonicalization::Relaxed, Digest::Sha256)?;
        Ok(self.body_hash.get_or_init(|| hash).clone())
    }

    fn tell(&self, alias: &Address, reverse_path: &ReversePath, sealed: bool) {
        let seal = if sealed { " and vouches for what was found out here (ARC)" } else { "" };
        let text = match reverse_path {
            Some(sender) if *reverse_path != self.from.reverse_path => {
                format!("{alias} sends it on with {sender} for its sender (SRS){seal}.")
            }
            _ if sealed => format!("{alias} sends it on{seal}."),
            _ => return,
        };
        self.told.borrow_mut().push(text);
    }
}
