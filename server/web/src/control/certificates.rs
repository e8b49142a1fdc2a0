//! How it stands with the certificates.

use mailstead_net::acme::{Keeper, RECORDS, Record, Source, Standing};
use mailstead_store::{Store, StoreError, Timestamp};

use super::operator::time;
use super::protocol::{Answer, CertificateSource, CertificateView};

/// The certificates.
pub(super) fn list(keeper: Option<&Keeper>, store: &Store) -> Result<Answer, StoreError> {
    Ok(Answer::Certificates(standings(keeper, store)?.into_iter().map(view).collect()))
}

/// The names of those that end soon, or have ended.
pub(super) fn expiring(keeper: Option<&Keeper>, store: &Store) -> Result<Vec<String>, StoreError> {
    let alarming = standings(keeper, store)?.into_iter().filter(|standing| standing.alarming);
    Ok(alarming.map(|standing| standing.name).collect())
}

/// The certificates of a running server, or what a stopped one has kept.
pub(super) fn standings(keeper: Option<&Keeper>, store: &Store) -> Result<Vec<Standing>, StoreError> {
    if let Some(keeper) = keeper {
        return Ok(keeper.standings());
    }
    let kept = store.kept_certificates(RECORDS)?;
    Ok(kept.iter().filter_map(|(_, bytes)| Some(Standing::of_record(&Record::decode(bytes)?))).collect())
}

/// Asks for certificates now.
pub(super) fn renew(keeper: Option<&Keeper>, name: Option<&str>) -> Result<Answer, StoreError> {
    let keeper = keeper.ok_or_else(|| {
        StoreError::Invalid("The server is not running; it asks for certificates as soon as it starts.".to_owned())
    })?;
    let names = keeper.renew(name).map_err(StoreError::Invalid)?;
    Ok(Answer::Done(match names.as_slice() {
        [] => "Nothing waits: every certificate is as it should be.".to_owned(),
        names => format!("Asking now for {}. See how it went with `certificate list`.", names.join(", ")),
    }))
}

fn view(standing: Standing) -> CertificateView {
    let at = |seconds: i64| time(Timestamp(seconds));
    CertificateView {
        name: standing.name,
        source: match standing.source {
            Source::Acme => CertificateSource::Acme,
            Source::Files => CertificateSource::Files,
            Source::SelfSigned => CertificateSource::SelfSigned,
            Source::Given => CertificateSource::Given,
            Source::None => CertificateSource::None,
        },
        issuer: standing.issuer,
        expires: standing.expires.map(at),
        expires_soon: standing.alarming,
        last_error: standing.trouble,
        waits_for_dns: standing.waits_for_dns,
        next_try: standing.next.map(at),
    }
}
