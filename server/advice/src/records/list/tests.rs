#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn host(name: &str) -> Host {
    Host {
        addresses: vec!["192.0.2.7".parse().unwrap(), "2001:db8::7".parse().unwrap()],
        services: Services { submissions: Some(465), imaps: Some(993), pop3s: None, https: Some(443) },
        issuer: Some("letsencrypt.org".to_owned()),
        ..Host::named(name.to_owned())
    }
}

fn entries(host: &Host, keys: Vec<KeyRecord<'_>>, sts: Option<&str>, relay: Option<&str>) -> Vec<Entry> {
    let domain = Domain::parse("home.test").unwrap();
    let facts = Facts { domain: &domain, host, keys, sts, relay, signed: true, policy: Policy::None };
    items(&facts).into_iter().map(|item| item.entry).collect()
}

#[test]
fn a_domain_is_told_all_it_should_publish_in_the_order_that_matters() {
    let long = format!("v=DKIM1; k=rsa; p={}", "A".repeat(392));
    let key = |selector, standing| KeyRecord { selector, text: "v=DKIM1; k=ed25519; p=AA==", standing };
    let signs = KeyRecord { selector: "ms202611r", text: &long, standing: Standing::Signs };
    let keys = vec![signs, key("ms202605e", Standing::Gone)];
    let entries = entries(&host("mail.home.test"), keys, Some("v=STSv1; id=7;"), None);
    let split = format!(
        "ms202611r._domainkey.home.test. 3600 IN TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"",
        "A".repeat(237),
        "A".repeat(155)
    );
    let reverse = "7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    let lines: Vec<&str> = entries.iter().map(|entry| entry.zone_line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "mail.home.test. 3600 IN A 192.0.2.7",
            "mail.home.test. 3600 IN AAAA 2001:db8::7",
            "7.2.0.192.in-addr.arpa. 3600 IN PTR mail.home.test.",
            &format!("{reverse}. 3600 IN PTR mail.home.test."),
            "home.test. 3600 IN MX 10 mail.home.test.",
            "home.test. 3600 IN TXT \"v=spf1 mx -all\"",
            "mail.home.test. 3600 IN TXT \"v=spf1 a -all\"",
            &split,
            "ms202605e._domainkey.home.test. 3600 IN TXT \"v=DKIM1; k=ed25519; p=AA==\"",
            "_dmarc.home.test. 3600 IN TXT \"v=DMARC1; p=none; rua=mailto:dmarc-reports@home.test\"",
            "_mta-sts.home.test. 3600 IN TXT \"v=STSv1; id=7;\"",
            "mta-sts.home.test. 3600 IN CNAME mail.home.test.",
            "_smtp._tls.home.test. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@home.test\"",
            "autoconfig.home.test. 3600 IN CNAME mail.home.test.",
            "autodiscover.home.test. 3600 IN CNAME mail.home.test.",
            "_submissions._tcp.home.test. 3600 IN SRV 0 1 465 mail.home.test.",
            "_imaps._tcp.home.test. 3600 IN SRV 0 1 993 mail.home.test.",
            "_autodiscover._tcp.home.test. 3600 IN SRV 0 1 443 mail.home.test.",
            "home.test. 3600 IN CAA 0 issue \"letsencrypt.org\"",
        ]
    );
    let obsolete: Vec<&str> =
        entries.iter().filter(|entry| entry.need == Need::Obsolete).map(|entry| entry.name.as_str()).collect();
    assert_eq!(obsolete, ["ms202605e._domainkey.home.test"]);
    assert!(entries.iter().all(|entry| entry.why.ends_with('.') && !entry.title.is_empty()));
    let mut ids: Vec<&str> = entries.iter().map(|entry| entry.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), entries.len(), "each has an id of its own");
}

#[test]
fn a_relay_and_a_host_elsewhere_change_who_may_send() {
    let entries = entries(&host("mx.otherhome.test"), Vec::new(), None, Some("relay.far.test"));
    let spf = entries.iter().find(|entry| entry.id == "spf").unwrap();
    assert_eq!(spf.value, "v=spf1 mx a:relay.far.test ~all");
    assert!(entries.iter().all(|entry| !entry.id.starts_with("mta-sts") && entry.id != "spf-host"));
    assert_eq!(entries[0].zone, "otherhome.test");
}

#[test]
fn names_are_shortened_as_forms_want_them() {
    for (name, zone, short) in [
        ("home.test", "home.test", "@"),
        ("_dmarc.home.test", "home.test", "_dmarc"),
        ("_dmarc.sub.home.test", "home.test", "_dmarc.sub"),
        ("nothome.test", "home.test", "nothome.test"),
        ("mail.home.test", "", "mail.home.test"),
    ] {
        assert_eq!(shortened(name, zone), short, "{name}");
    }
}

#[test]
fn a_server_that_does_not_know_its_address_says_so() {
    let entries = entries(&Host::named("mail.home.test".to_owned()), Vec::new(), None, None);
    assert!(entries[0].zone_line.starts_with("; mail.home.test. 3600 IN A (the public address"), "{:?}", entries[0]);
    assert_eq!(entries[1].id, "mx");
}

#[test]
fn what_would_end_a_string_is_escaped() {
    assert_eq!(strings("a\"b\\c\u{e9}"), "\"a\\\"b\\\\c\\195\\169\"");
}
