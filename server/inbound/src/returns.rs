//! Reverse-paths of our own, for what aliases send on into the world, and whom they stand for.
//!
//! Most senders fit into such an address ([`mailstead_auth::srs`]); one too long for that, or beyond ASCII, is
//! remembered by the store, and the address names it.

use mailstead_auth::srs::{Srs, SrsError, VALID_DAYS, is_rewritten};
use mailstead_message::{Address, LocalPart, ReversePath};
use mailstead_store::{Route, Store, StoreError, Timestamp};

/// What addresses of remembered senders begin with.
const REMEMBERED: &str = "return=";
/// Seconds for which a sender is remembered after its last letter.
const KEPT: i64 = VALID_DAYS * 24 * 60 * 60;

/// The reverse-path under which the alias sends on what that sender wrote. A sender of ours needs none: we may speak
/// for our domains already.
pub(crate) fn outward(
    store: &Store,
    sender: &ReversePath,
    alias: &Address,
    now: Timestamp,
) -> Result<ReversePath, StoreError> {
    let Some(sender) = sender else { return Ok(None) };
    if store.route(sender)? != Route::NotLocal {
        return Ok(Some(sender.clone()));
    }
    let srs = srs(store)?;
    // A name beyond ASCII would keep the copy from every server without SMTPUTF8.
    let rewritten = srs.forward(sender, alias.domain(), now.0).filter(|rewritten| !rewritten.needs_smtputf8());
    if rewritten.is_some() {
        return Ok(rewritten);
    }
    let token = srs.token(sender);
    store.remember_sender(&token, sender, now);
    let local = LocalPart::from_unquoted(&format!("{REMEMBERED}{token}"));
    Ok(local.ok().map(|local| alias.with_local(local)))
}

/// True when an address looks like one of those reverse-paths.
pub(crate) fn is_return_path(address: &Address) -> bool {
    is_rewritten(address) || token(address).is_some()
}

/// The sender a reverse-path of ours stands for, or why it stands for nobody.
pub(crate) fn homeward(
    store: &Store,
    address: &Address,
    now: Timestamp,
) -> Result<Result<Address, SrsError>, StoreError> {
    let Some(token) = token(address) else { return Ok(srs(store)?.reverse(address, now.0)) };
    Ok(match store.remembered_sender(&token)? {
        Some((_, last)) if last.0 < now.0.saturating_sub(KEPT) => Err(SrsError::Expired),
        Some((sender, _)) => Ok(sender),
        None => Err(SrsError::Forged),
    })
}

/// Whom a report on a message is for: who wrote it, not the reverse-path an alias sent it on with.
///
/// # Errors
/// The store can't be read.
pub fn original_sender(store: &Store, reverse_path: &Address, now: Timestamp) -> Result<Address, StoreError> {
    let is_ours = is_return_path(reverse_path) && store.route(reverse_path)? != Route::NotLocal;
    let original = if is_ours { homeward(store, reverse_path, now)?.ok() } else { None };
    Ok(original.unwrap_or_else(|| reverse_path.clone()))
}

/// Forgets the remembered senders who have not written for so long that no report comes back any more.
///
/// # Errors
/// Those of any change.
pub async fn forget_senders(store: &Store, now: Timestamp) -> Result<(), StoreError> {
    store.forget_senders(Timestamp(now.0.saturating_sub(KEPT))).await
}

fn token(address: &Address) -> Option<String> {
    let local = address.local().as_str().to_ascii_lowercase();
    local.strip_prefix(REMEMBERED).map(str::to_owned)
}

fn srs(store: &Store) -> Result<Srs, StoreError> {
    Ok(Srs::new(store.srs_secret()?.bytes()))
}
