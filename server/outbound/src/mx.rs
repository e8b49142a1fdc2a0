//! Which hosts take a domain's mail, in which order (RFC 5321 5.1, RFC 7505).

use mailstead_message::Domain;
use mailstead_net::dns::{Dns, DnsError, Mx};
use rand::seq::SliceRandom as _;

use crate::Status;

/// Hosts tried for one message: a domain that needs more is not worth it, and one with a thousand means ill.
const MAX_HOSTS: usize = 10;

/// Why a destination has no host to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoRoute {
    /// Trying again may help.
    pub(crate) temporary: bool,
    /// For reports.
    pub(crate) status: Status,
    /// In a sentence.
    pub(crate) text: String,
}

/// Hosts that take a domain's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hosts {
    /// Their names, best first.
    pub(crate) names: Vec<String>,
    /// DNSSEC says that they are no forgery.
    pub(crate) secure: bool,
}

/// The hosts to try.
pub(crate) async fn hosts(dns: &dyn Dns, domain: &Domain, own_host: &str) -> Result<Hosts, NoRoute> {
    let (records, secure) = match dns.mx(domain).await {
        Ok(answer) => (answer.records, answer.secure),
        // The implicit MX: the domain is its own mail host. If its address is secure, so is its zone, and with it the
        // answer that there is no MX.
        Err(DnsError::NoRecords) => (vec![Mx { preference: 0, host: domain.as_str().to_owned() }], true),
        Err(DnsError::NoName) => {
            return Err(NoRoute {
                temporary: false,
                status: (5, 1, 2),
                text: format!("the domain {domain} does not exist"),
            });
        }
        Err(what @ (DnsError::Bogus(_) | DnsError::Temporary(_))) => {
            return Err(NoRoute {
                temporary: true,
                status: (4, 4, 3),
                text: format!("where mail for {domain} goes can't be found: {what}"),
            });
        }
    };
    let names = order(domain, records, own_host, |equals| equals.shuffle(&mut rand::rng()))?;
    Ok(Hosts { names, secure })
}

/// Brings records into order; equally preferred ones in the order `shuffle` gives them.
fn order(
    domain: &Domain,
    mut records: Vec<Mx>,
    own_host: &str,
    shuffle: impl FnOnce(&mut [Mx]),
) -> Result<Vec<String>, NoRoute> {
    if records.iter().all(|record| record.host.is_empty()) {
        let text = format!("the domain {domain} says that it takes no mail");
        return Err(NoRoute { temporary: false, status: (5, 1, 10), text });
    }
    // A null MX beside others is a mistake of theirs (RFC 7505 3).
    records.retain(|record| !record.host.is_empty());
    // The sort is stable, so shuffling all first shuffles the equals.
    shuffle(&mut records);
    records.sort_by_key(|record| record.preference);
    let ours = records.iter().find(|record| record.host.eq_ignore_ascii_case(own_host));
    if let Some(ours) = ours.map(|record| record.preference) {
        // Mail must not travel to hosts as far as us or farther: they would send it back here.
        records.retain(|record| record.preference < ours);
    }
    if records.is_empty() {
        return Err(looping(domain));
    }
    let mut hosts: Vec<String> = Vec::new();
    for record in records {
        if hosts.len() < MAX_HOSTS && !hosts.contains(&record.host) {
            hosts.push(record.host);
        }
    }
    Ok(hosts)
}

/// We are the domain's best host, yet its mail is not ours.
pub(crate) fn looping(domain: &Domain) -> NoRoute {
    let text = format!("the DNS sends mail for {domain} to this very server, which does not have that domain");
    NoRoute { temporary: false, status: (5, 4, 6), text }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn sorted(records: &[(u16, &str)], own: &str) -> Result<Vec<String>, (u8, u16, u16)> {
        let domain = Domain::parse("world.test").unwrap();
        let records =
            records.iter().map(|(preference, host)| Mx { preference: *preference, host: (*host).to_owned() }).collect();
        order(&domain, records, own, <[Mx]>::reverse).map_err(|error| error.status)
    }

    #[test]
    fn preference_decides_and_equals_are_shuffled() {
        let records = [(20, "c"), (10, "a"), (10, "b"), (5, "z")];
        assert_eq!(sorted(&records, "us").unwrap(), ["z", "b", "a", "c"]);
    }

    #[test]
    fn a_null_mx_refuses_all_mail() {
        assert_eq!(sorted(&[(0, "")], "us"), Err((5, 1, 10)));
        assert_eq!(sorted(&[(0, ""), (10, "a")], "us").unwrap(), ["a"]);
    }

    #[test]
    fn hosts_as_far_as_ourselves_are_left_out() {
        let records = [(5, "a"), (10, "B"), (10, "Us"), (20, "c")];
        assert_eq!(sorted(&records, "us").unwrap(), ["a"]);
        assert_eq!(sorted(&[(5, "us"), (5, "a"), (10, "b")], "us"), Err((5, 4, 6)));
    }

    #[test]
    fn a_thousand_hosts_are_cut_to_ten_and_doubles_to_one() {
        let names: Vec<String> = (0..1000).map(|number| format!("h{number}")).collect();
        let records: Vec<(u16, &str)> = names.iter().map(|name| (1, name.as_str())).collect();
        assert_eq!(sorted(&records, "us").unwrap().len(), MAX_HOSTS);
        assert_eq!(sorted(&[(1, "a"), (2, "a")], "us").unwrap(), ["a"]);
    }
}
