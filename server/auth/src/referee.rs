//! For tests: what mail-auth says about what we signed, with keys from a table and body hashes of our own making, for
//! its are wrong for some bodies.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use mail_auth::common::crypto::HashAlgorithm;
use mail_auth::common::parse::TxtRecordParser as _;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::Canonicalization as Shape;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::{AuthenticatedMessage, DkimResult, MessageAuthenticator, Parameters, ResolverCache, Txt};
use mailstead_message::header;

use crate::body::{BodyHasher, Canonicalization, Digest};

#[derive(Default)]
pub(crate) struct Referee {
    records: HashMap<Box<str>, Txt>,
}

impl ResolverCache<Box<str>, Txt> for Referee {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.records.get(name).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: std::time::Instant) {}
}

impl Referee {
    pub(crate) fn publish(&mut self, selector: &str, domain: &str, record: &str) {
        let key = DomainKey::parse(record.as_bytes()).unwrap();
        self.records.insert(format!("{selector}._domainkey.{domain}.").into(), Txt::DomainKey(Arc::new(key)));
    }

    /// `pass home.test selector` for each signature, in their order.
    pub(crate) fn dkim(&self, message: &[u8]) -> Vec<String> {
        let parsed = parse(message);
        runtime().block_on(async {
            let outputs = nobody().verify_dkim(Parameters::new(&parsed).with_txt_cache(self)).await;
            let told = |output: &mail_auth::DkimOutput<'_>| {
                let signature = output.signature();
                let who = signature.map(|signature| format!("{} {}", signature.d, signature.s)).unwrap_or_default();
                format!("{} {who}", result(output.result()))
            };
            outputs.iter().map(told).collect()
        })
    }

    /// What the ARC chain is worth, and how long it is.
    pub(crate) fn arc(&self, message: &[u8]) -> (String, usize) {
        let parsed = parse(message);
        runtime().block_on(async {
            let output = nobody().verify_arc(Parameters::new(&parsed).with_txt_cache(self)).await;
            (result(output.result()), output.sets().len())
        })
    }
}

fn result(result: &DkimResult) -> String {
    match result {
        DkimResult::Pass => "pass".to_owned(),
        DkimResult::None => "none".to_owned(),
        other => format!("{other:?}"),
    }
}

fn parse(message: &[u8]) -> AuthenticatedMessage<'_> {
    let mut parsed = AuthenticatedMessage::parse(message).unwrap();
    let body = &message[header::header_len(message)..];
    for (shape, algorithm, _, hash) in &mut parsed.body_hashes {
        let shape = if *shape == Shape::Relaxed { Canonicalization::Relaxed } else { Canonicalization::Simple };
        let digest = if *algorithm == HashAlgorithm::Sha256 { Digest::Sha256 } else { Digest::Sha1 };
        let mut hasher = BodyHasher::new(shape, digest);
        hasher.update(body);
        *hash = hasher.finish();
    }
    parsed
}

/// Asks no name server.
fn nobody() -> MessageAuthenticator {
    MessageAuthenticator::new(ResolverConfig::from_parts(None, Vec::new(), Vec::new()), ResolverOpts::default())
        .unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
