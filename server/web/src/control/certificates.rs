//! How it stands with the certificates.

use mailstead_message::Domain;
use mailstead_net::acme::{Keeper, RECORDS, Record, Source, Standing, name_of};
use mailstead_store::{Store, StoreError, Timestamp};

use super::operator::time;
use super::protocol::Answer;
use super::views::{CertificateSource, CertificateView};
use crate::names;

/// The certificates.
pub(super) fn list(keeper: Option<&Keeper>, store: &Store, hostname: Option<&str>) -> Result<Answer, StoreError> {
    Ok(Answer::Certificates(standings(keeper, store, hostname)?.into_iter().map(view).collect()))
}

/// The names of those that end soon, or have ended.
pub(super) fn expiring(
    keeper: Option<&Keeper>,
    store: &Store,
    hostname: Option<&str>,
) -> Result<Vec<String>, StoreError> {
    let alarming = standings(keeper, store, hostname)?.into_iter().filter(|standing| standing.alarming);
    Ok(alarming.map(|standing| standing.name).collect())
}

/// The certificates of a running server, or what a stopped one has kept.
pub(super) fn standings(
    keeper: Option<&Keeper>,
    store: &Store,
    hostname: Option<&str>,
) -> Result<Vec<Standing>, StoreError> {
    if let Some(keeper) = keeper {
        return Ok(keeper.standings());
    }
    let ours = names::ours(hostname.unwrap_or_default(), store)?;
    let kept = store.kept_certificates(RECORDS)?;
    let records = kept.iter().filter_map(|(_, bytes)| Record::decode(bytes));
    let shown = records.filter(|record| {
        // Without a configuration it is not known which other name is the mail host's.
        ours.contains(&record.name) || (hostname.is_none() && !names::is_of_a_domain(&record.name))
    });
    Ok(shown.map(|record| Standing::of_record(&record)).collect())
}

/// Forgets the certificates and keys of a domain that is removed.
pub(super) async fn forget(store: &Store, domain: &Domain) -> Result<(), StoreError> {
    let names = names::of(domain);
    let kept = store.kept_certificates(RECORDS)?.into_iter().map(|(key, _)| key);
    let gone: Vec<String> =
        kept.filter(|key| name_of(key).is_some_and(|name| names.iter().any(|gone| gone == name))).collect();
    if gone.is_empty() {
        return Ok(());
    }
    store.forget_certificates(gone).await
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_store::Options;

    use super::super::Operator;
    use super::super::protocol::{Request, Response};
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn a_domain_that_is_removed_leaves_no_key_of_its_names_behind() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let (gone, stays) = (Domain::parse("gone.test").unwrap(), Domain::parse("stays.test").unwrap());
        let mut kept = Vec::new();
        for domain in [&gone, &stays] {
            store.add_domain(domain.clone()).await.unwrap();
            for name in names::of(domain) {
                let key = format!("{RECORDS}https://ca.test/dir {name}");
                store.keep_certificate(key.clone(), b"a certificate and its key".to_vec()).await.unwrap();
                kept.push(key);
            }
        }
        let operator = Operator::stopped(store.clone(), None);
        let answer = operator.perform(Request::DomainRemove { domain: gone }).await;
        assert!(matches!(answer, Response::Ok(_)), "{answer:?}");
        let left: Vec<String> = store.kept_certificates(RECORDS).unwrap().into_iter().map(|(key, _)| key).collect();
        assert!(
            left.len() == 3 && left.iter().all(|key| key.ends_with(".stays.test") && kept.contains(key)),
            "{left:?}"
        );
    }
}
