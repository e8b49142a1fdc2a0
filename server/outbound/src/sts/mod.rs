//! MTA-STS (RFC 8461): what a domain says by HTTPS of the servers that take its mail.

mod fetch;
mod policy;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailstead_message::Domain;
use mailstead_net::dns::DnsError;
use mailstead_store::{StsMode, StsPolicy, Timestamp, TlsResult};

use tokio::sync::watch;

use crate::Context;
use fetch::NotFetched;

pub use fetch::PATH;
pub(crate) use fetch::connect_https;
pub use policy::{Malformed, Pattern, Policy, record_id};

/// After a policy could not be fetched it is not asked for again so soon, in seconds (RFC 8461 3.3).
const RETRY_AFTER: i64 = 5 * 60;
/// Failures remembered.
const MAX_FAILURES: usize = 1_000;
/// A policy is fetched anew although its id is the same when it is older than this, in seconds: so that the next
/// failure finds one that holds for long (RFC 8461 10.2).
const REFRESH_AFTER: i64 = 24 * 60 * 60;

/// Policies renewed in one round.
const RENEWED_AT_ONCE: usize = 200;
/// Between two rounds.
const ROUND: Duration = Duration::from_secs(60 * 60);

/// What is known of a domain's policy.
#[derive(Debug, Clone, Default)]
pub(crate) struct Standing {
    /// The policy that applies: in enforcement or in testing.
    pub(crate) policy: Option<Policy>,
    /// How that is known, and what went wrong on the way, in sentences.
    pub(crate) told: Vec<String>,
    /// What went wrong on the way, for the report.
    pub(crate) failure: Option<(TlsResult, String)>,
}

/// Which policies could not be fetched lately.
#[derive(Debug, Default)]
pub(crate) struct Failures(Mutex<HashMap<Domain, (Timestamp, NotFetched)>>);

impl Failures {
    fn recent(&self, domain: &Domain, now: Timestamp) -> Option<NotFetched> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, failure) = failures.get(domain)?;
        (0..RETRY_AFTER).contains(&(now.0 - at.0)).then(|| failure.clone())
    }

    fn note(&self, domain: &Domain, now: Timestamp, failure: NotFetched) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MAX_FAILURES {
            failures.retain(|_, (at, _)| (0..RETRY_AFTER).contains(&(now.0 - at.0)));
        }
        if failures.len() < MAX_FAILURES {
            failures.insert(domain.clone(), (now, failure));
        }
    }

    fn forget(&self, domain: &Domain) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(domain);
    }
}

/// Finds a domain's policy: the one in store while its id stays and it is fresh, else the one its host shows now. What
/// can't be found leaves a policy that still holds in force, and is as good as none without one (RFC 8461 3.3, 5.1).
pub(crate) async fn standing(context: &Context, domain: &Domain) -> Standing {
    let now = context.now();
    let kept = kept(context, domain, now).await;
    let id = match context.dns.txt(&format!("_mta-sts.{domain}")).await {
        Ok(answer) => record_id(&answer.records).map_err(|error| (TlsResult::StsPolicyInvalid, error.to_string())),
        Err(DnsError::NoName | DnsError::NoRecords) => Ok(None),
        Err(error) => Err((TlsResult::StsPolicyFetchError, format!("its MTA-STS record can't be found: {error}"))),
    };
    let id = match (id, &kept) {
        (Ok(Some(id)), _) => id,
        (Ok(None), None) => return Standing::default(),
        (Ok(None), Some(kept)) => return kept.standing(domain, "its MTA-STS record is gone", None),
        (Err((result, why)), None) => return without(domain, result, why),
        (Err((result, why)), Some(kept)) => return kept.standing(domain, &why, Some(result)),
    };
    if let Some(kept) = kept.as_ref().filter(|kept| kept.policy.id == id && kept.is_fresh(now)) {
        return kept.standing(domain, "", None);
    }
    match refetched(context, domain, id, now).await {
        Ok(kept) => kept.standing(domain, "", None),
        Err(NotFetched { result, text }) => match kept {
            Some(kept) => kept.standing(domain, &text, Some(result)),
            None => without(domain, result, text),
        },
    }
}

/// Renews policies before they run out, until `shutdown` turns true: whoever can keep us from their hosts for a while
/// must not thereby get a letter that is written later (RFC 8461 10.2).
pub(crate) async fn renew(context: Arc<Context>, mut shutdown: watch::Receiver<bool>) {
    let rounds = async {
        loop {
            let (store, now) = (context.store.clone(), context.now());
            match tokio::task::spawn_blocking(move || store.aging_sts_policies(now, RENEWED_AT_ONCE)).await {
                Ok(Ok(domains)) => {
                    for domain in domains {
                        standing(&context, &domain).await;
                    }
                }
                Ok(Err(error)) => tracing::warn!("the MTA-STS policies of others can't be read: {error}"),
                // The runtime is being shut down.
                Err(_) => {}
            }
            tokio::time::sleep(ROUND).await;
        }
    };
    tokio::select! {
        () = rounds => {}
        _ = shutdown.wait_for(|closing| *closing) => {}
    }
}

/// A policy that holds.
#[derive(Debug, Clone)]
struct Kept {
    policy: StsPolicy,
    parsed: Policy,
}

impl Kept {
    fn is_fresh(&self, now: Timestamp) -> bool {
        let age = now.0 - self.policy.fetched.0;
        let life = self.policy.expires.0 - self.policy.fetched.0;
        (0..REFRESH_AFTER.min(life / 2).max(1)).contains(&age)
    }

    /// `trouble` is what kept us from a newer one.
    fn standing(&self, domain: &Domain, trouble: &str, failure: Option<TlsResult>) -> Standing {
        let fetched = crate::report::time(self.policy.fetched);
        let mode = self.parsed.mode;
        let mut told = vec![format!(
            "{domain} has an MTA-STS policy in mode {mode} (id {}, fetched at {fetched}).",
            self.policy.id
        )];
        if !trouble.is_empty() {
            told.push(format!("It could not be renewed ({trouble}); it holds until {}.", self.until()));
        }
        let policy = (mode != StsMode::None).then(|| self.parsed.clone());
        Standing { policy, told, failure: failure.map(|result| (result, trouble.to_owned())) }
    }

    fn until(&self) -> String {
        crate::report::time(self.policy.expires)
    }
}

fn without(domain: &Domain, result: TlsResult, why: String) -> Standing {
    let told = format!("{domain} has an MTA-STS policy that can't be used, so none applies: {why}.");
    Standing { policy: None, told: vec![told], failure: Some((result, why)) }
}

async fn kept(context: &Context, domain: &Domain, now: Timestamp) -> Option<Kept> {
    let (store, name) = (context.store.clone(), domain.clone());
    let read = tokio::task::spawn_blocking(move || store.sts_policy(&name)).await;
    let policy = match read {
        Ok(Ok(policy)) => policy?,
        Ok(Err(error)) => {
            tracing::warn!(%domain, "an MTA-STS policy can't be read: {error}");
            return None;
        }
        Err(_) => return None,
    };
    let parsed = Policy::parse(&policy.text).ok()?;
    (policy.expires > now).then_some(Kept { policy, parsed })
}

async fn refetched(context: &Context, domain: &Domain, id: String, now: Timestamp) -> Result<Kept, NotFetched> {
    if let Some(failure) = context.sts.recent(domain, now) {
        return Err(failure);
    }
    match fetch::fetch(context, domain).await {
        Ok(parsed) => {
            context.sts.forget(domain);
            let expires = Timestamp(now.0.saturating_add(i64::from(parsed.max_age)));
            let policy = StsPolicy { id, text: parsed.to_string(), fetched: now, expires };
            // Without a place to keep it, it is good for now.
            if let Err(error) = context.store.keep_sts_policy(domain, policy.clone()).await {
                tracing::warn!(%domain, "an MTA-STS policy can't be kept: {error}");
            }
            Ok(Kept { policy, parsed })
        }
        Err(failure) => {
            tracing::info!(%domain, "the MTA-STS policy can't be had: {}", failure.text);
            context.sts.note(domain, now, failure.clone());
            Err(failure)
        }
    }
}
