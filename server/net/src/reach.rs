//! Which addresses mail from the world's DNS may make us connect to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// True for an address of the public internet. A stranger's MX record must not make us talk to our own machine or our
/// own network (loopback, private, link-local, shared, unspecified, multicast, reserved), in whatever disguise.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// The same address in its plainest form, so that disguises compare equal.
pub fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    !(first == 0
        || first >= 240
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || address.is_documentation()
        // RFC 6598: shared by a provider's customers.
        || (first == 100 && (64..128).contains(&second))
        // RFC 6890: protocol assignments; RFC 2544: benchmarks.
        || (first == 192 && second == 0 && third == 0)
        // RFC 7526: the relays of 6to4, which are no more.
        || (first == 192 && second == 88 && third == 99)
        || (first == 198 && (18..20).contains(&second)))
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, third, fourth, fifth, sixth, high, low] = address.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    // NAT64 (RFC 6052) and 6to4 (RFC 3056) lead to the IPv4 address within.
    if [first, second, third, fourth, fifth, sixth] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return embedded(high, low);
    }
    if first == 0x2002 {
        return embedded(second, third);
    }
    // Everything given out so far is in 2000::/3; Teredo, ORCHIDs (RFC 4843, 7343) and documentation (RFC 3849, 9637)
    // are not for mail. IPv4-mapped addresses, ::1, fc00::/7, fe80::/10 and ff00::/8 are outside.
    let special = first == 0x2001 && (second == 0 || (0x10..0x30).contains(&second) || second == 0xdb8);
    first & 0xe000 == 0x2000 && !special && !(first == 0x3fff && second < 0x1000)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn only_the_public_internet_is_public() {
        for (text, public) in [
            ("198.41.0.4", true),
            ("100.63.0.1", true),
            ("172.15.0.1", true),
            ("2001:500:2::c", true),
            ("2a01:4f8::1", true),
            ("64:ff9b::c629:4", true),
            ("127.0.0.1", false),
            ("127.9.9.9", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("169.254.169.254", false),
            ("100.64.0.1", false),
            ("192.0.2.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", false),
            ("64:ff9b::7f00:1", false),
            ("2002:7f00:1::", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("2001:20::1", false),
            ("3fff:fff::1", false),
            ("3fff:1000::1", true),
            ("192.88.99.1", false),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }
}
