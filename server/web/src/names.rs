//! The names under which the world looks for us.

use mailstead_message::Domain;
use mailstead_store::{Store, StoreError};

/// Labels before a mail domain under which programs look for its policy (RFC 8461 3.3) and for settings.
pub const PREFIXES: [&str; 3] = ["mta-sts", "autoconfig", "autodiscover"];

/// All of them, each once: the mail host's name first, then those of every domain that is ours now.
///
/// # Errors
/// The store can't be read.
pub fn ours(hostname: &str, store: &Store) -> Result<Vec<String>, StoreError> {
    let mut names = vec![hostname.to_owned()];
    for domain in store.domains()? {
        names.extend(of(&domain.name).into_iter().filter(|name| name != hostname));
    }
    Ok(names)
}

/// Those of one domain.
pub fn of(domain: &Domain) -> Vec<String> {
    let names = PREFIXES.iter().map(|prefix| format!("{prefix}.{domain}"));
    // The longest domains leave no room for a prefix.
    names.filter(|name| Domain::parse(name).is_ok()).collect()
}

/// True for a name that looks like one of [`of`] some domain.
pub fn is_of_a_domain(name: &str) -> bool {
    name.split_once('.').is_some_and(|(first, _)| PREFIXES.contains(&first))
}

/// The name in a `Host` field, without its port and final dot; lower case.
pub(crate) fn in_host(host: &str) -> Option<Domain> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    Domain::parse(name.strip_suffix('.').unwrap_or(name)).ok()
}

/// The name in a `Host` field when it is one of ours.
///
/// # Errors
/// The store can't be read.
pub fn ours_in_host(host: &str, hostname: &str, store: &Store) -> Result<Option<String>, StoreError> {
    let Some(name) = in_host(host) else { return Ok(None) };
    Ok(ours(hostname, store)?.into_iter().find(|known| known == name.as_str()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn only_names_of_the_server_and_of_its_domains_are_ours() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), mailstead_store::Options::default()).unwrap();
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        let host = |host: &str| ours_in_host(host, "mail.home.test", &store).unwrap();
        assert_eq!(
            ours("mail.home.test", &store).unwrap(),
            ["mail.home.test", "mta-sts.home.test", "autoconfig.home.test", "autodiscover.home.test"]
        );
        assert_eq!(host("MTA-STS.home.test:443").as_deref(), Some("mta-sts.home.test"));
        assert_eq!(host("mail.home.test.").as_deref(), Some("mail.home.test"));
        for strange in
            ["", "evil.example", "mta-sts.evil.example", "127.0.0.1:80", "[::1]:80", "a@mail.home.test", "home.test"]
        {
            assert_eq!(host(strange), None, "{strange}");
        }
    }
}
