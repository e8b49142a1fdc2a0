//! Whether the world can see a key.

use mailstead_auth::keys::is_published;
use mailstead_net::dns::{Dns, DnsError};

/// How a key's record stands in DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Seen {
    /// As it should.
    Right,
    /// There is another, or more than one.
    Another,
    /// There is nothing.
    Nothing,
    /// It can't be told now.
    Unknown,
}

/// Looks a key's record up. Only one may be there: two are as good as none to those who read them.
pub(crate) async fn seen(dns: &dyn Dns, name: &str, wanted: &str) -> Seen {
    match dns.txt(name).await {
        Ok(answer) => match answer.records.as_slice() {
            [only] if is_published(wanted, only) => Seen::Right,
            _ => Seen::Another,
        },
        Err(DnsError::NoName | DnsError::NoRecords) => Seen::Nothing,
        Err(DnsError::Bogus(_) | DnsError::Temporary(_)) => Seen::Unknown,
    }
}
