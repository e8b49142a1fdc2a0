//! The records a domain should publish, and how each of them stands in DNS.
//!
//! [`list`] says which records there should be. [`look`] asks for them, of the domain's own servers and of the world's,
//! [`judge`] says what the answers are worth, [`spf`] does so for who may send, and [`growth`] says when the DMARC policy
//! may grow. Start reading at [`check`].

mod growth;
mod judge;
mod list;
mod look;
mod proxies;
mod spf;
mod told;

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use mailstead_message::Domain;
use mailstead_net::BoxFuture;
use mailstead_net::dns::Dns;
use mailstead_outbound::sts;
use mailstead_store::{DomainKey, KeyState, Store, StoreError};
use tokio::time::Instant;

use judge::Scene;
use list::{Facts, Item, KeyRecord, Standing, Subject, items};
use look::View;

pub use list::{Host, Services};
pub use mailstead_auth::check::Policy;
pub use told::{DomainCheck, Entry, Growth, Kind, Mistake, Need, Verdict};

/// All questions about a domain together; what is not answered then is said to be unknown.
const PATIENCE: Duration = Duration::from_secs(7);
/// Records that are looked at at once.
const AT_ONCE: usize = 16;

/// What a domain should publish, and what it may remove, without looking at DNS. The DMARC record asks for `policy`.
///
/// # Errors
/// There is no such domain, or the store can't be read.
pub fn advised(store: &Store, domain: &Domain, host: &Host, policy: Policy) -> Result<DomainCheck, StoreError> {
    Ok(told(domain, host, made(store, domain, host, policy, false)?))
}

/// The same, with how each record stands in DNS. Takes [`PATIENCE`] at most.
///
/// # Errors
/// There is no such domain, or the store can't be read.
pub async fn check(store: &Store, dns: &dyn Dns, domain: &Domain, host: &Host) -> Result<DomainCheck, StoreError> {
    store.require_domain(domain)?;
    let end = Instant::now() + PATIENCE;
    let view = View::find(dns, &[domain.as_str(), &host.name], end).await;
    let signed = view.zone(&host.name).is_some_and(|zone| zone.signed);
    let mut items = made(store, domain, host, Policy::None, signed)?;
    for item in &mut items {
        if let Some(zone) = view.zone(&item.entry.name) {
            item.entry.belong(&zone.name);
        }
    }
    let scene = Scene { host: &host.name, addresses: &host.addresses, issuer: host.issuer.as_deref() };
    let looks: Vec<BoxFuture<'_, Verdict>> =
        items.iter().map(|item| -> BoxFuture<'_, Verdict> { Box::pin(look::look(&view, item, &scene)) }).collect();
    let looks = stream::iter(looks).buffered(AT_ONCE).collect::<Vec<_>>();
    let (verdicts, stray) = tokio::join!(looks, stray(&view, host, &items));
    for (item, verdict) in items.iter_mut().zip(verdicts) {
        item.entry.need = look::need(item, &verdict);
        if matches!(verdict, Verdict::Right { note: Some(_) })
            && let Some(text) = look::sound_text(&view, item).await
        {
            item.entry.say(text);
        }
        item.entry.verdict = Some(verdict);
    }
    if let Some(stray) = stray {
        items.insert(1, stray);
    }
    let now = jiff::Timestamp::now();
    let dmarc = items.iter().find(|item| item.subject == Subject::Dmarc).map(|item| &item.entry);
    let published =
        dmarc.filter(|entry| matches!(entry.verdict, Some(Verdict::Right { .. } | Verdict::Spreading { .. })));
    let text = published.map(|entry| entry.value.as_str());
    let growth = growth::growth(store, domain, &host.addresses, text, now.as_second())?;
    Ok(DomainCheck {
        at: Some(now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()),
        remarks: remarks(&view, domain),
        growth: Some(growth),
        ..told(domain, host, items)
    })
}

/// What limits the look.
fn remarks(view: &View<'_>, domain: &Domain) -> Vec<String> {
    let name = domain.to_unicode();
    match view.zone(domain.as_str()) {
        None if view.is_unsure(domain.as_str()) => {
            vec![format!("The name servers of {name} do not answer now, so not everything can be told.")]
        }
        None => vec![format!(
            "DNS names no name servers for {name}. Is it spelled rightly, and registered? A domain bought just now may \
             need an hour to appear."
        )],
        Some(_) if !view.is_whole() => vec![format!(
            "The name servers of {name} themselves can't be asked from here, so a change may show here only after an hour."
        )],
        Some(_) => Vec::new(),
    }
}

/// An IPv6 address where there should be none.
async fn stray(view: &View<'_>, host: &Host, items: &[Item]) -> Option<Item> {
    if host.addresses.is_empty() || host.addresses.iter().any(|address| address.is_ipv6()) {
        return None;
    }
    let mut item = items.first()?.clone();
    let verdict = look::stray_ipv6(view, &host.name).await?;
    let Entry { id, title, kind, why, need, .. } = &mut item.entry;
    "aaaa".clone_into(id);
    "IPv6 address of the mail host".clone_into(title);
    (*kind, *need) = (Kind::Aaaa, Need::Obsolete);
    "Others prefer IPv6 where a name has it.".clone_into(why);
    item.entry.say(String::new());
    item.entry.verdict = Some(verdict);
    Some(item)
}

fn told(domain: &Domain, host: &Host, items: Vec<Item>) -> DomainCheck {
    DomainCheck {
        domain: domain.to_unicode(),
        host: host.name.clone(),
        at: None,
        remarks: Vec::new(),
        entries: items.into_iter().map(|item| item.entry).collect(),
        growth: None,
    }
}

fn made(store: &Store, domain: &Domain, host: &Host, policy: Policy, signed: bool) -> Result<Vec<Item>, StoreError> {
    store.require_domain(domain)?;
    let keys = store.domain_keys(domain)?;
    let relay = store.smarthost_for(Some(domain))?;
    let sts = store.sts_mode(domain)?.map(|mode| sts::Policy::own(mode, &host.name).record());
    Ok(items(&Facts {
        domain,
        host,
        keys: keys.iter().map(key_record).collect(),
        sts: sts.as_deref(),
        relay: relay.as_ref().map(|relay| relay.host.as_str()),
        signed,
        policy,
    }))
}

fn key_record(key: &DomainKey) -> KeyRecord<'_> {
    let standing = match key.state {
        KeyState::Upcoming => Standing::Upcoming,
        KeyState::Active => Standing::Signs,
        KeyState::Retiring => Standing::Retiring,
        KeyState::Gone => Standing::Gone,
    };
    KeyRecord { selector: &key.selector, text: &key.record, standing }
}

#[cfg(test)]
mod tests;
