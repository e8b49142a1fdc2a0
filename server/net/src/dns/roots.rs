//! Where the root zone is served: `named.root` of IANA, as of 2024 (`b` moved in November 2023).

use std::net::IpAddr;

use super::source::Roots;

/// `a` to `m.root-servers.net`.
const ADDRESSES: [&str; 26] = [
    "198.41.0.4",
    "2001:503:ba3e::2:30",
    "170.247.170.2",
    "2801:1b8:10::b",
    "192.33.4.12",
    "2001:500:2::c",
    "199.7.91.13",
    "2001:500:2d::d",
    "192.203.230.10",
    "2001:500:a8::e",
    "192.5.5.241",
    "2001:500:2f::f",
    "192.112.36.4",
    "2001:500:12::d0d",
    "198.97.190.53",
    "2001:500:1::53",
    "192.36.148.17",
    "2001:7fe::53",
    "192.58.128.30",
    "2001:503:c27::2:30",
    "193.0.14.129",
    "2001:7fd::1",
    "199.7.83.42",
    "2001:500:9f::42",
    "202.12.27.33",
    "2001:dc3::35",
];

impl Default for Roots {
    /// The world's.
    fn default() -> Self {
        let addresses: Vec<IpAddr> = ADDRESSES.iter().filter_map(|address| address.parse().ok()).collect();
        Self { addresses, experimental_port: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_root_server_has_both_addresses() {
        let roots = Roots::default();
        assert_eq!(roots.addresses.iter().filter(|address| address.is_ipv4()).count(), 13);
        assert_eq!(roots.addresses.iter().filter(|address| address.is_ipv6()).count(), 13);
    }
}
