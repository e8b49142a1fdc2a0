#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::check::table::Table;

async fn judge(records: &str, ip: &str, mail_from: &str) -> &'static str {
    let table = Table::new(records).failing("down.test");
    spf(&table, ip.parse().unwrap(), "mx.helo.test", mail_from).await.word()
}

#[tokio::test]
async fn each_mechanism_matches_what_it_should() {
    let records = "
        host.test A 192.0.2.7
        host.test AAAA 2001:db8::7
        mx.test MX
        mx.test MX host.test
        7.2.0.192.in-addr.arpa PTR Host.PTR.test
        7.2.0.192.in-addr.arpa PTR liar.other.test
        host.ptr.test A 192.0.2.7
        liar.other.test A 192.0.2.99
        7.2.0.192.list.test A 127.0.0.2
        inner.test TXT v=spf1 ip4:192.0.2.7 -all
        v6only.test AAAA 2001:db8::7";
    for (terms, ip, expected) in [
        ("all", "192.0.2.7", "pass"),
        ("-all", "192.0.2.7", "fail"),
        ("~all", "192.0.2.7", "softfail"),
        ("?all", "192.0.2.7", "neutral"),
        ("", "192.0.2.7", "neutral"),
        ("ip4:192.0.2.0/24 -all", "192.0.2.7", "pass"),
        ("ip4:192.0.2.0/24 -all", "::ffff:192.0.2.7", "pass"),
        ("ip4:192.0.2.0/24 -all", "192.0.3.7", "fail"),
        ("ip4:0.0.0.0/0 -all", "192.0.3.7", "pass"),
        ("ip4:0.0.0.0/0 -all", "2001:db8::7", "fail"),
        ("ip6:2001:db8::/32 -all", "2001:db8::7", "pass"),
        ("ip6:::192.0.2.7/0 -all", "192.0.2.7", "fail"),
        ("a:host.test -all", "192.0.2.7", "pass"),
        ("a:host.test/24 -all", "192.0.2.99", "pass"),
        ("a:host.test//64 -all", "2001:db8::99", "pass"),
        ("a:v6only.test ~all", "192.0.2.7", "softfail"),
        ("mx:mx.test -all", "2001:db8::7", "pass"),
        ("mx:mx.test -all", "192.0.2.8", "fail"),
        ("mx:host.test -all", "192.0.2.7", "fail"),
        ("ptr:ptr.test -all", "192.0.2.7", "pass"),
        ("ptr:other.test -all", "192.0.2.7", "fail"),
        ("ptr:r.test -all", "192.0.2.7", "fail"),
        ("exists:%{ir}.list.test -all", "192.0.2.7", "pass"),
        ("exists:%{ir}.list.test -all", "192.0.2.8", "fail"),
        ("exists:v6only.test ~all", "2001:db8::7", "softfail"),
        ("exists:%{p}.list.test -all", "192.0.2.7", "fail"),
        ("include:inner.test ?all", "192.0.2.7", "pass"),
        ("include:inner.test ?all", "192.0.2.8", "neutral"),
        ("include:nowhere.test all", "192.0.2.8", "permerror"),
        ("redirect=inner.test", "192.0.2.8", "fail"),
        ("?all redirect=inner.test", "192.0.2.8", "neutral"),
        ("redirect=nowhere.test", "192.0.2.8", "permerror"),
        ("include:%{l} all", "192.0.2.8", "permerror"),
        ("a:down.test -all", "192.0.2.8", "temperror"),
        ("include:down.test -all", "192.0.2.8", "temperror"),
        ("mx:down.test -all", "192.0.2.8", "temperror"),
        ("all a:down.test", "192.0.2.8", "pass"),
        ("all moo:", "192.0.2.8", "permerror"),
    ] {
        let records = format!("{records}\nsender.test TXT v=spf1 {terms}");
        assert_eq!(judge(&records, ip, "bob@sender.test").await, expected, "{terms} for {ip}");
    }
}

#[tokio::test]
async fn without_a_name_or_a_record_there_is_nothing_to_say() {
    let records = "
        two.test TXT v=spf1 -all
        two.test TXT v=spf1 all
        other.test TXT v=spf10 -all
        other.test TXT \u{fc}ber
        mx.helo.test TXT v=spf1 exists:%{l}.is.test -all
        postmaster.is.test A 127.0.0.1
        empty.test A 192.0.2.7";
    let long = format!("bob@{}.test", "x".repeat(64));
    for (mail_from, expected) in [
        ("bob@two.test", "permerror"),
        ("bob@other.test", "none"),
        ("bob@empty.test", "none"),
        ("bob@nowhere.test", "none"),
        ("bob@down.test", "temperror"),
        ("bob@localhost", "none"),
        ("bob@[192.0.2.7]", "none"),
        ("bob@a..test", "none"),
        (&long, "none"),
        ("", "pass"),
        ("@mx.helo.test", "pass"),
        ("bob@mx.helo.test.", "fail"),
    ] {
        assert_eq!(judge(records, "192.0.2.7", mail_from).await, expected, "{mail_from}");
    }
}

#[tokio::test]
async fn ten_lookups_are_the_end_and_so_are_three_that_find_nothing() {
    let hosts: String =
        (0..12).map(|n| format!("h{n}.test A 192.0.2.{n}\nmany.test MX h{n}.test\nfew.test A 192.0.2.1\n")).collect();
    let terms = |count: usize| (0..count).map(|n| format!("a:h{n}.test ")).collect::<String>();
    for (record, expected) in [
        (format!("{} -all", terms(10)), "fail"),
        (format!("{} -all", terms(11)), "permerror"),
        (format!("{} redirect=h1.test", terms(10)), "permerror"),
        ("a:no1.test mx:no2.test ?all".to_owned(), "neutral"),
        ("a:no1.test mx:no2.test exists:no3.test ?all".to_owned(), "permerror"),
        ("mx:many.test -all".to_owned(), "permerror"),
        ("include:sender.test".to_owned(), "permerror"),
        ("redirect=sender.test".to_owned(), "permerror"),
    ] {
        let records = format!("{hosts}sender.test TXT v=spf1 {record}");
        assert_eq!(judge(&records, "198.51.100.1", "bob@sender.test").await, expected, "{record}");
    }
}

#[tokio::test]
async fn only_the_first_ten_names_of_a_client_are_looked_at() {
    let names = |from: usize| {
        (from..from + 11)
            .map(|n| format!("7.2.0.192.in-addr.arpa PTR n{n}.test\nn{n}.test A 192.0.2.7\n"))
            .collect::<String>()
    };
    let records = format!("{}sender.test TXT v=spf1 ptr:n0.test -all", names(0));
    assert_eq!(judge(&records, "192.0.2.7", "bob@sender.test").await, "pass");
    let records = format!("{}sender.test TXT v=spf1 ptr:n0.test -all", names(1));
    assert_eq!(judge(&records, "192.0.2.7", "bob@sender.test").await, "fail");
}

#[tokio::test]
async fn hosts_of_an_mx_without_the_clients_kind_of_address_are_no_mistake() {
    let records = "
        sender.test TXT v=spf1 mx ip6:2001:db8::/32 -all
        sender.test MX h1.test
        sender.test MX h2.test
        sender.test MX h3.test
        h1.test A 192.0.2.1
        h2.test A 192.0.2.2
        h3.test A 192.0.2.3";
    assert_eq!(judge(records, "2001:db8::1", "bob@sender.test").await, "pass");
}
