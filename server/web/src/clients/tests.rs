#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::http::tests::{fetch, site};

const AUTOCONFIG: &str = "/mail/config-v1.1.xml?emailaddress=";
const WELL_KNOWN: &str = "/.well-known/autoconfig/mail/config-v1.1.xml";
const AUTODISCOVER: &str = "/autodiscover/autodiscover.xml";

/// What a site answers to `head`, which is all before the `Host` field.
async fn ask(https: Option<u16>, host: &str, head: &str, body: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut site = site(folder.path(), https).await;
    site.settings.host = "mail.home.test".to_owned();
    let head = format!("{head} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}", body.len());
    fetch(site, &head, body).await
}

fn question(address: &str, schema: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">\
         <Request><EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>\
         http://schemas.microsoft.com/exchange/autodiscover/{schema}</AcceptableResponseSchema></Request></Autodiscover>"
    )
}

/// An answer without its header, and its status.
fn parts(answer: &str) -> (&str, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap(), body)
}

#[tokio::test(flavor = "multi_thread")]
async fn autoconfig_is_told_for_domains_of_ours_alone() {
    for https in [None, Some(443)] {
        let asked = ask(https, "evil.example", &format!("GET {AUTOCONFIG}alice%40home.test"), "").await;
        let (status, body) = parts(&asked);
        assert_eq!(status, "200", "{asked}");
        assert!(body.contains("<domain>home.test</domain>") && body.contains("%EMAILADDRESS%"), "{body}");
        assert!(!asked.contains("evil.example") && !asked.contains("alice"), "{asked}");
        for host in ["autoconfig.home.test", "home.test", "MAIL.home.test:80"] {
            let asked = ask(https, host, &format!("GET {WELL_KNOWN}"), "").await;
            assert_eq!(parts(&asked), ("200", body), "{host}");
        }
        for (host, path) in [
            ("autoconfig.evil.example", format!("{AUTOCONFIG}alice%40evil.example")),
            ("autoconfig.evil.example", WELL_KNOWN.to_owned()),
            ("any.home.test", WELL_KNOWN.to_owned()),
            ("", format!("{AUTOCONFIG}home.test")),
        ] {
            assert_eq!(parts(&ask(https, host, &format!("GET {path}"), "").await).0, "404", "{host} {path}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn autodiscover_is_told_in_any_spelling_of_its_path() {
    let outlook = question("Some.Body@home.test", "outlook/responseschema/2006a");
    for path in [AUTODISCOVER, "/Autodiscover/Autodiscover.xml", "/AutoDiscover/AUTODISCOVER.XML"] {
        let asked = ask(None, "evil.example", &format!("POST {path}"), &outlook).await;
        let (status, body) = parts(&asked);
        assert_eq!(status, "200", "{asked}");
        assert!(body.contains("<LoginName>Some.Body@home.test</LoginName>"), "{body}");
        assert_eq!(body.matches("<Protocol>").count(), 6, "{body}");
        assert!(!asked.contains("evil.example"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn autodiscover_refuses_in_its_own_words() {
    let outlook = "outlook/responseschema/2006a";
    for (body, status, words) in [
        (question("a@home.test", "mobilesync/responseschema/2006"), "200", "<ErrorCode>601</ErrorCode>"),
        (question("nobody", outlook), "200", "<ErrorCode>501</ErrorCode>"),
        (question("&b;@home.test", outlook), "200", "<ErrorCode>600</ErrorCode>"),
        ("EMailAddress=a@home.test".to_owned(), "200", "<ErrorCode>600</ErrorCode>"),
        (question("a@evil.example", outlook), "404", "not one of this server"),
        ("x".repeat(20 << 10), "413", "too long"),
    ] {
        let asked = ask(None, "evil.example", &format!("POST {AUTODISCOVER}"), &body).await;
        let (found, text) = parts(&asked);
        assert!(found == status && text.contains(words), "{asked}");
    }
    let asked = ask(None, "autodiscover.home.test", &format!("GET {AUTODISCOVER}"), "").await;
    assert!(parts(&asked).1.contains("<ErrorCode>600</ErrorCode>"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn outlook_is_led_to_https_at_a_name_of_ours_with_the_status_it_knows() {
    for (host, location) in [
        ("autodiscover.home.test", "location: https://autodiscover.home.test:8443/autodiscover/autodiscover.xml\r\n"),
        ("evil.example", "location: https://mail.home.test:8443/autodiscover/autodiscover.xml\r\n"),
    ] {
        let asked = ask(Some(8443), host, "GET /Autodiscover/Autodiscover.xml", "").await;
        assert!(asked.starts_with("HTTP/1.1 302") && asked.contains(location), "{asked}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_json_leads_to_the_xml() {
    for path in [
        "/autodiscover/autodiscover.json?Email=a%40home.test&Protocol=AutodiscoverV1",
        "/Autodiscover/autodiscover.json/v1.0/a%40home.test?protocol=autodiscoverv1",
    ] {
        let asked = ask(None, "evil.example", &format!("GET {path}"), "").await;
        let url = "\"Url\":\"https://mail.home.test/autodiscover/autodiscover.xml\"";
        assert!(parts(&asked).0 == "200" && parts(&asked).1.contains(url), "{asked}");
    }
    let path = "/autodiscover/autodiscover.json?Email=a%40home.test&Protocol=ActiveSync";
    let asked = ask(None, "x", &format!("GET {path}"), "").await;
    assert!(parts(&asked).0 == "400" && asked.contains("ProtocolNotSupported"), "{asked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_for_an_address_of_ours_and_always_the_same() {
    let profile = async |https: Option<u16>, address: &str| {
        ask(https, "home.test", &format!("GET {}?emailaddress={address}", apple::PATH), "").await
    };
    let asked = profile(None, "a%26b%40home.test").await;
    assert!(asked.contains("content-type: application/x-apple-aspen-config"), "{asked}");
    let body = parts(&asked).1;
    assert!(body.contains("<string>a&amp;b@home.test</string>") && !body.contains("<key>IncomingPassword<"), "{body}");
    assert_eq!(parts(&profile(None, "A%26B%40home.test").await).1.to_lowercase(), body.to_lowercase());
    assert_ne!(parts(&profile(None, "other%40home.test").await).1, body);
    assert_eq!(parts(&profile(None, "a%40evil.example").await).0, "404");
    assert_eq!(parts(&profile(None, "nobody").await).0, "400");
    assert_eq!(parts(&profile(Some(443), "a%40home.test").await).0, "308", "never in clear text");
}

#[test]
fn services_that_are_off_are_not_told() {
    use mailstead_admin_ui::front::Settings;
    let address = Address::parse("a@home.test").unwrap();
    let host = "mail.home.test".to_owned();
    let reading = Settings { host, pop3: Some(110), ..Settings::default() };
    let told = autoconfig::document(&reading, address.domain());
    assert!(told.contains("STARTTLS") && !told.contains("imap") && !told.contains("outgoingServer"), "{told}");
    assert_eq!(apple::profile(&reading, &address, None), None);
    let both = Settings { submission: Some(587), ..reading };
    let profile = apple::profile(&both, &address, Some("p<w")).unwrap();
    assert!(profile.contains("EmailTypePOP") && profile.contains("<integer>587</integer>"), "{profile}");
    assert_eq!(profile.matches("<string>p&lt;w</string>").count(), 2, "{profile}");
}
