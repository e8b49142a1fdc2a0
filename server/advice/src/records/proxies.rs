//! Proxies for web pages, which people turn on for a whole domain and so for their mail host.

use std::net::IpAddr;

use mailstead_net::network::share_bits;

/// Cloudflare's, as it publishes them.
const NETWORKS: [(&str, u8); 22] = [
    ("103.21.244.0", 22),
    ("103.22.200.0", 22),
    ("103.31.4.0", 22),
    ("104.16.0.0", 13),
    ("104.24.0.0", 14),
    ("108.162.192.0", 18),
    ("131.0.72.0", 22),
    ("141.101.64.0", 18),
    ("162.158.0.0", 15),
    ("172.64.0.0", 13),
    ("173.245.48.0", 20),
    ("188.114.96.0", 20),
    ("190.93.240.0", 20),
    ("197.234.240.0", 22),
    ("198.41.128.0", 17),
    ("2400:cb00::", 32),
    ("2405:8100::", 32),
    ("2405:b500::", 32),
    ("2606:4700::", 32),
    ("2803:f800::", 32),
    ("2a06:98c0::", 29),
    ("2c0f:f248::", 32),
];

/// True for an address of such a proxy.
pub(super) fn is_proxy(address: IpAddr) -> bool {
    NETWORKS.iter().any(|(network, bits)| {
        network
            .parse::<IpAddr>()
            .is_ok_and(|network| network.is_ipv4() == address.is_ipv4() && share_bits(address, network, *bits))
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn proxies_are_told_from_others() {
        for (address, expected) in [
            ("104.21.3.4", true),
            ("172.67.1.1", true),
            ("2606:4700::6810:1", true),
            ("192.0.2.1", false),
            ("104.32.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_proxy(address.parse().unwrap()), expected, "{address}");
        }
    }
}
