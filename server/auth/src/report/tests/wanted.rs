//! Who asks for reports, and who must have agreed to it.

use std::collections::HashMap;

use mailstead_message::Address;
use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};

use super::*;
use crate::report::wanted::{Target, targets};

/// TXT records by name; a name with `!` answers that it can't say for now.
struct Zone(HashMap<&'static str, Vec<&'static str>>);

impl Dns for Zone {
    fn ask<'a>(&'a self, name: &'a str, _: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move {
            match self.0.get(name) {
                Some(texts) if texts == &["!"] => Err(DnsError::Temporary("a test".to_owned())),
                Some(texts) => {
                    Ok(Answer::insecure(texts.iter().map(|text| Data::Txt(text.as_bytes().to_vec())).collect()))
                }
                None => Err(DnsError::NoName),
            }
        })
    }
}

fn zone(records: &[(&'static str, &'static str)]) -> Zone {
    let mut zone = HashMap::<_, Vec<_>>::new();
    for (name, text) in records {
        zone.entry(*name).or_default().push(*text);
    }
    Zone(zone)
}

fn mail(address: &str, limit: Option<u64>) -> Target {
    Target::Mail { address: Address::parse(address).unwrap(), limit }
}

async fn asked(kind: ReportKind, name: &str, records: &[(&'static str, &'static str)]) -> Vec<Target> {
    targets(&zone(records), kind, &domain(name)).await.unwrap()
}

#[tokio::test]
async fn a_tls_record_names_addresses_and_web_places() {
    let name = "_smtp._tls.world.test";
    let found = |text| asked_tls(name, text);
    assert_eq!(
        found("v=TLSRPTv1; rua=mailto:a@far.test,https://world.test/r?x=1 , ftp://x;").await,
        [mail("a@far.test", None), Target::Https("https://world.test/r?x=1".into())]
    );
    for text in
        ["v=TLSRPTv2; rua=mailto:a@b.test", "rua=mailto:a@b.test", "v=TLSRPTv1", "v=TLSRPTv1; rua=mailto:nobody"]
    {
        assert_eq!(found(text).await, [], "{text}");
    }
    let twice = [(name, "v=TLSRPTv1; rua=mailto:a@b.test"), (name, "v=TLSRPTv1; rua=mailto:b@b.test")];
    assert_eq!(asked(ReportKind::Tls, "world.test", &twice).await, []);
    let beside = [(name, "v=TLSRPTv1; rua=mailto:a@b.test"), (name, "something else")];
    assert_eq!(asked(ReportKind::Tls, "world.test", &beside).await, [mail("a@b.test", None)]);
}

async fn asked_tls(name: &'static str, text: &'static str) -> Vec<Target> {
    asked(ReportKind::Tls, "world.test", &[(name, text)]).await
}

#[tokio::test]
async fn a_dmarc_record_names_addresses_with_limits() {
    let record = "v=DMARC1; p=none; rua=mailto:a@world.test!10m,mailto:b@in.world.test!2K,mailto:c%21d@world.test,\
                  https://world.test/, mailto:e@world.test!x";
    let found = asked(ReportKind::Dmarc, "world.test", &[("_dmarc.world.test", record)]).await;
    let expected = [
        mail("a@world.test", Some(10 << 20)),
        mail("b@in.world.test", Some(2 << 10)),
        mail("c!d@world.test", None),
        mail("e@world.test", None),
    ];
    assert_eq!(found, expected);
}

#[tokio::test]
async fn reports_go_elsewhere_only_where_that_was_agreed() {
    let record = ("_dmarc.world.test", "v=DMARC1;p=none;rua=mailto:r@far.test");
    assert_eq!(asked(ReportKind::Dmarc, "world.test", &[record]).await, []);
    let agreement = "world.test._report._dmarc.far.test";
    for (text, address) in [
        ("v=DMARC1", Some("r@far.test")),
        ("v=DMARC1; rua=mailto:else@far.test", Some("else@far.test")),
        ("v=DMARC1; rua=mailto:else@evil.test", Some("r@far.test")),
        ("v=spf1", None),
    ] {
        let found = asked(ReportKind::Dmarc, "world.test", &[record, (agreement, text)]).await;
        assert_eq!(found, address.map(|address| mail(address, None)).into_iter().collect::<Vec<_>>(), "{text}");
    }
}

#[tokio::test]
async fn domains_of_one_organisation_need_no_agreement() {
    let record = ("_dmarc.shop.world.test", "v=DMARC1;p=none;rua=mailto:r@mail.world.test");
    let above = |text| [record, ("_dmarc.world.test", text)];
    let found = asked(ReportKind::Dmarc, "shop.world.test", &above("v=DMARC1; p=none")).await;
    assert_eq!(found, [mail("r@mail.world.test", None)]);
    // A registry is above many organisations.
    assert_eq!(asked(ReportKind::Dmarc, "shop.world.test", &above("v=DMARC1; p=none; psd=y")).await, []);
    assert_eq!(asked(ReportKind::Dmarc, "shop.world.test", &[record]).await, []);
}

#[tokio::test]
async fn what_dns_does_not_say_for_now_is_asked_again_later() {
    for records in [
        &[("_dmarc.world.test", "!")][..],
        &[("_dmarc.world.test", "v=DMARC1;rua=mailto:r@far.test"), ("world.test._report._dmarc.far.test", "!")],
    ] {
        assert!(targets(&zone(records), ReportKind::Dmarc, &domain("world.test")).await.is_err());
    }
}
