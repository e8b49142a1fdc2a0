//! Whether a name leads to this server.

use std::net::{IpAddr, UdpSocket};

use crate::dns::{Dns, DnsError};
use crate::reach::is_public;

/// Gives the addresses of `name` that are not ours, when at least one is; those of `further` count as ours.
///
/// # Errors
/// A sentence on why it does not lead here, or can't be known to.
pub(super) async fn leads_here(
    dns: &dyn Dns,
    name: &str,
    own: &[IpAddr],
    further: &[IpAddr],
) -> Result<Vec<IpAddr>, String> {
    let found = match dns.addresses(name).await {
        Ok(answer) => answer.records,
        Err(DnsError::NoName | DnsError::NoRecords) => {
            return Err(format!(
                "{name} has no address in DNS yet: add an A record (and AAAA) that leads to this server"
            ));
        }
        Err(error) => return Err(format!("whether {name} leads here can't be told: {error}")),
    };
    let (ours, strangers): (Vec<IpAddr>, Vec<IpAddr>) =
        found.into_iter().partition(|address| further.contains(address) || is_ours(*address, own));
    if ours.is_empty() {
        return Err(format!("{name} leads to {}, which is not this server", list(&strangers)));
    }
    Ok(strangers)
}

/// All addresses of the mail host that may be taken for ours. Behind NAT its public one is not among those this machine
/// knows; then its DNS record is believed.
pub(super) async fn of_mail_host(dns: &dyn Dns, name: &str, own: &[IpAddr]) -> Vec<IpAddr> {
    let Ok(answer) = dns.addresses(name).await else { return Vec::new() };
    answer.records.into_iter().filter(|address| is_ours(*address, own) || is_behind_nat(*address, own)).collect()
}

/// In this address's family we have private addresses alone: many a home has NAT for IPv4 and none for IPv6.
fn is_behind_nat(address: IpAddr, own: &[IpAddr]) -> bool {
    let mut family = own.iter().filter(|ours| ours.is_ipv4() == address.is_ipv4() && !ours.is_loopback()).peekable();
    family.peek().is_some() && !family.any(|ours| is_public(*ours))
}

/// Known to be ours, or on one of this machine's network cards: only such an address can be bound.
fn is_ours(address: IpAddr, own: &[IpAddr]) -> bool {
    own.contains(&address)
        || (!address.is_unspecified() && !address.is_multicast() && UdpSocket::bind((address, 0)).is_ok())
}

/// "192.0.2.1 and 2001:db8::1".
pub(super) fn list(addresses: &[IpAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::BoxFuture;
    use crate::dns::{Answer, Data, Kind};

    /// Names of one address each.
    struct Book(&'static [(&'static str, &'static str)]);

    impl Dns for Book {
        fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
            let found = self.0.iter().filter(|(known, _)| *known == name).map(|(_, address)| address.parse().unwrap());
            let found = found.filter(|address: &IpAddr| address.is_ipv4() == (kind == Kind::A));
            let records: Vec<Data> = found.map(Data::Address).collect();
            let answer = if records.is_empty() { Err(DnsError::NoName) } else { Ok(Answer::insecure(records)) };
            Box::pin(std::future::ready(answer))
        }
    }

    #[tokio::test]
    async fn a_name_leads_here_when_one_of_its_addresses_is_ours() {
        let dns = Book(&[
            ("here.test", "198.41.0.4"),
            ("local.test", "127.0.0.1"),
            ("both.test", "198.41.0.4"),
            ("both.test", "2001:500:2::c"),
            ("else.test", "198.41.0.5"),
        ]);
        let own = ["198.41.0.4".parse().unwrap()];
        assert_eq!(leads_here(&dns, "here.test", &own, &[]).await, Ok(Vec::new()));
        assert_eq!(leads_here(&dns, "local.test", &own, &[]).await, Ok(Vec::new()));
        assert_eq!(leads_here(&dns, "both.test", &own, &[]).await, Ok(vec!["2001:500:2::c".parse().unwrap()]));
        let no = leads_here(&dns, "else.test", &own, &[]).await.unwrap_err();
        assert_eq!(no, "else.test leads to 198.41.0.5, which is not this server");
        assert!(leads_here(&dns, "no.test", &own, &[]).await.unwrap_err().contains("no address in DNS yet"));
    }

    #[tokio::test]
    async fn behind_nat_the_mail_hosts_record_says_which_address_is_ours() {
        let dns = Book(&[("mail.test", "198.41.0.4"), ("mta-sts.test", "198.41.0.4")]);
        let private = ["10.0.0.7".parse().unwrap()];
        let believed = of_mail_host(&dns, "mail.test", &private).await;
        assert_eq!(leads_here(&dns, "mta-sts.test", &private, &believed).await, Ok(Vec::new()));
        let home = ["10.0.0.7".parse().unwrap(), "2a01:4f8::1".parse().unwrap()];
        assert_eq!(of_mail_host(&dns, "mail.test", &home).await, believed, "NAT for IPv4, none for IPv6");
        for own in ["198.41.0.9", "127.0.0.1", "fd00::1"] {
            assert!(of_mail_host(&dns, "mail.test", &[own.parse().unwrap()]).await.is_empty(), "{own}");
        }
    }
}
