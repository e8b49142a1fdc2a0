//! The arithmetic of proofs, where it costs nobody else their time.

use std::future::pending;

use tokio::sync::Semaphore;

use super::key::Keys;
use super::signature::Header;
use super::{ArcVerdict, BodyHashes, DkimVerdicts, arc, dkim};

/// Headers up to this size are proved where they are. Each signature may cover all of a header, and each seal of a
/// chain all links before it.
const PROVED_IN_PLACE: usize = 64 << 10;
/// Larger ones that are proved at the same time.
const AT_ONCE: usize = 2;
static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// Judges the signatures and the chain of a letter, whose header `fields` are.
pub(super) async fn prove(
    fields: Header<'_>,
    header: &[u8],
    body: &BodyHashes,
    keys: Keys,
    now: i64,
) -> (DkimVerdicts, ArcVerdict) {
    if header.len() <= PROVED_IN_PLACE {
        return (dkim::judge(&fields, body, &keys, now), arc::judge(&fields, body, &keys, now));
    }
    drop(fields);
    let place = PLACES.acquire().await;
    let (header, body) = (header.to_vec(), body.clone());
    let proved = tokio::task::spawn_blocking(move || {
        let _place = place;
        let fields = Header::new(&header);
        (dkim::judge(&fields, &body, &keys, now), arc::judge(&fields, &body, &keys, now))
    });
    match proved.await {
        Ok(verdicts) => verdicts,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // Only a server that stops gives it up, and this letter with it.
        Err(_) => pending().await,
    }
}
