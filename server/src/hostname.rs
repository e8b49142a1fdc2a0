//! The server's own name: the configuration's, else the one chosen while setting up, else what the machine calls itself.

use std::net::IpAddr;
use std::time::Duration;

use mailstead_message::Domain;
use mailstead_store::Store;

use crate::config::Config;

/// Nobody waits longer to learn where a name leads.
const PATIENCE: Duration = Duration::from_secs(5);
/// A name that leads nowhere, until there is one (RFC 6761 6.4).
const NONE_YET: &str = "mail.invalid";

/// Settles the name in a configuration that names none, and tells whether it did name one.
///
/// # Errors
/// The store can't be read.
pub(crate) fn settle(config: &mut Config, store: &Store) -> Result<bool, String> {
    if !config.hostname.is_empty() {
        return Ok(true);
    }
    let chosen = store.hostname().map_err(|error| error.to_string())?;
    config.hostname = chosen.or_else(of_the_machine).map_or_else(|| NONE_YET.to_owned(), |name| name.to_string());
    Ok(false)
}

/// What the machine calls itself, if that is a full name.
fn of_the_machine() -> Option<Domain> {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    Domain::parse(name.trim())
        .ok()
        .filter(|name| name.as_str().contains('.') && !name.as_str().ends_with(".localdomain"))
}

/// Where a name leads, by this machine's own resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Leads {
    /// To this machine.
    Here,
    /// Elsewhere.
    Elsewhere(Vec<IpAddr>),
    /// Nowhere, as far as is known.
    Nowhere,
}

/// Looks where a name leads.
pub(crate) async fn leads(name: &str, own: &[IpAddr]) -> Leads {
    let looked = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((name, 443))).await;
    let found: Vec<IpAddr> = match looked {
        Ok(Ok(found)) => found.map(|address| address.ip()).collect(),
        _ => Vec::new(),
    };
    if found.is_empty() {
        return Leads::Nowhere;
    }
    if found.iter().any(|address| own.contains(address)) { Leads::Here } else { Leads::Elsewhere(found) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn the_file_decides_then_the_choice_then_the_machine() {
        let folder = tempfile::tempdir().unwrap();
        let store = crate::serve::open_store(&folder.path().join("data"), mailstead_store::Options::default()).unwrap();
        let settled = |text: &str| {
            let mut config = Config::parse(text).unwrap();
            (settle(&mut config, &store).unwrap(), config.hostname)
        };
        let (fixed, name) = settled("");
        assert!(!fixed && name.contains('.'), "{name}");
        store.set_hostname(Domain::parse("mail.chosen.test").unwrap()).await.unwrap();
        assert_eq!(settled(""), (false, "mail.chosen.test".to_owned()));
        assert_eq!(settled("hostname = \"mail.file.test\""), (true, "mail.file.test".to_owned()));
    }

    #[tokio::test]
    async fn a_name_leads_here_elsewhere_or_nowhere() {
        let own = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
        assert_eq!(leads("localhost", &own).await, Leads::Here);
        assert!(matches!(leads("localhost", &[]).await, Leads::Elsewhere(_)));
        assert_eq!(leads("no such name", &own).await, Leads::Nowhere);
    }
}
