#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn to(text: &str) -> NewRecipient {
    NewRecipient { address: address(text), orcpt: None, notify: None }
}

fn account(id: u64) -> Target {
    Target::Account { id: AccountId(id), address: address(&format!("account{id}@home.test")), full: false }
}

fn world(text: &str) -> Target {
    Target::Remote(address(text))
}

fn prefixes(bundle: &Bundle) -> Vec<(u64, String)> {
    let text = |delivery: &Delivery| String::from_utf8(delivery.prefix.clone()).unwrap();
    bundle.deliveries.iter().map(|delivery| (delivery.account.0, text(delivery))).collect()
}

fn notify(text: &str) -> Notify {
    let has = |word| text.contains(word);
    Notify { never: has("never"), success: has("success"), failure: has("failure"), delay: has("delay") }
}

#[test]
fn an_account_gets_one_copy_however_many_recipients_lead_to_it() {
    let mut way = Way::new(Some(address("bob@world.test")));
    way.add(to("alice@home.test"), Route::Targets(vec![account(1)])).unwrap();
    way.add(to("family@home.test"), Route::Targets(vec![account(1), account(2)])).unwrap();
    way.add(to("alice+shop@home.test"), Route::Targets(vec![account(1)])).unwrap();
    let bundles: Vec<_> = way.into_bundles().collect();
    assert_eq!(bundles.len(), 1);
    let of = |to: &str| format!("Return-Path: <bob@world.test>\r\nDelivered-To: {to}@home.test\r\n");
    assert_eq!(prefixes(&bundles[0]), [(1, of("alice")), (2, of("family"))]);
    assert!(!bundles[0].leaves());
    assert_eq!(bundles[0].head(b"Subject: x\r\n\r\n"), b"Subject: x\r\n\r\n");
}

#[test]
fn a_forward_is_a_copy_that_names_the_alias() {
    let mut way = Way::new(None);
    way.add(to("alice@home.test"), Route::Targets(vec![account(1)])).unwrap();
    let targets = vec![account(1), account(2), world("x@far.test"), world("y@far.test")];
    let lead = way.add(to("family@home.test"), Route::Targets(targets)).unwrap();
    assert_eq!((lead.inboxes.len(), lead.forwards.len()), (2, 2));
    way.add(to("other@home.test"), Route::Targets(vec![world("x@far.test")])).unwrap();
    let bundles: Vec<_> = way.into_bundles().collect();
    assert_eq!(bundles.len(), 2);
    assert_eq!(prefixes(&bundles[0]).len(), 1);
    assert_eq!(prefixes(&bundles[1]), [(2, "Return-Path: <>\r\n".to_owned())]);
    assert_eq!(bundles[1].head(b"Subject: x\r\n\r\n"), b"Delivered-To: family@home.test\r\nSubject: x\r\n\r\n");
    let entry = &bundles[1].queue(&MailFrom::default(), b"", false)[0];
    let sent: Vec<String> = entry.recipients.iter().map(|recipient| recipient.address.to_string()).collect();
    assert_eq!(sent, ["x@far.test", "y@far.test"]);
    assert_eq!(entry.recipients[0].orcpt, Some(("rfc822".to_owned(), "family@home.test".to_owned())));
}

#[test]
fn an_alias_beyond_ascii_does_not_make_its_forward_need_smtputf8() {
    let mut way = Way::new(Some(address("bob@world.test")));
    way.add(to("jörg@home.test"), Route::Targets(vec![account(1), world("j@far.test")])).unwrap();
    let bundle = way.into_bundles().next().unwrap();
    assert!(prefixes(&bundle)[0].1.ends_with("Delivered-To: jörg@home.test\r\n"));
    let head = bundle.head(b"Subject: x\r\n\r\n");
    let from = MailFrom { reverse_path: Some(address("bob@world.test")), smtputf8: true, ..MailFrom::default() };
    let entry = &bundle.queue(&from, &head, false)[0];
    assert!(!entry.smtputf8);
    assert_eq!(entry.recipients[0].orcpt, Some(("utf-8".to_owned(), "jörg@home.test".to_owned())));
}

#[test]
fn a_remote_address_is_queued_once() {
    let mut way = Way::new(Some(address("alice@home.test")));
    let first = NewRecipient { notify: Some(notify("failure")), ..to("bob@world.test") };
    assert!(way.add(first.clone(), Route::NotLocal).unwrap().is_remote());
    way.add(to("bob@World.test"), Route::NotLocal).unwrap();
    way.add(to("alias@home.test"), Route::Targets(vec![world("bob@world.test")])).unwrap();
    let bundles: Vec<_> = way.into_bundles().collect();
    assert_eq!(bundles.len(), 1);
    assert_eq!(bundles[0].queue(&MailFrom::default(), b"", true)[0].recipients, [first]);
}

#[test]
fn what_tls_a_message_needs_is_said_by_its_envelope_or_else_by_its_header() {
    let plain = MailFrom::default();
    let bounce = MailFrom { require_tls: true, ..MailFrom::default() };
    let safe = MailFrom { reverse_path: Some(address("alice@home.test")), ..bounce.clone() };
    for (from, head, need) in [
        (&plain, "Subject: x\r\n\r\n", TlsNeed::Usual),
        (&plain, "tls-required:  NO \r\n\r\n", TlsNeed::Waived),
        (&plain, "TLS-Required: Yes\r\n\r\n", TlsNeed::Usual),
        (&safe, "Subject: x\r\n\r\n", TlsNeed::Required),
        (&safe, "TLS-Required: No\r\n\r\n", TlsNeed::Required),
        (&bounce, "Subject: x\r\n\r\n", TlsNeed::Usual),
        (&bounce, "TLS-Required: No\r\n\r\n", TlsNeed::Usual),
    ] {
        let mut way = Way::new(None);
        way.add(to("bob@world.test"), Route::NotLocal).unwrap();
        let bundle = way.into_bundles().next().unwrap();
        assert_eq!(bundle.queue(from, head.as_bytes(), false)[0].tls, need, "{head}");
    }
}

#[test]
fn who_leads_nowhere_adds_nothing() {
    let mut way = Way::new(None);
    assert_eq!(way.add(to("nobody@home.test"), Route::Unknown), None);
    assert_eq!(way.into_bundles().count(), 0);
}

#[test]
fn one_forwarding_address_takes_the_senders_wishes_over_several_do_not() {
    for (asked, one, several) in [
        ("", "", ""),
        ("never", "never", "never"),
        ("success", "success", "never"),
        ("success failure", "success failure", "failure"),
        ("failure delay", "failure delay", "failure delay"),
    ] {
        let lead = |forwards: &[&str], inboxes: &[&str]| Lead {
            recipient: NewRecipient {
                orcpt: Some(("rfc822".into(), "a@b.test".into())),
                notify: Some(notify(asked)),
                ..to("alias@home.test")
            },
            inboxes: inboxes.iter().map(|text| address(text)).collect(),
            forwards: forwards.iter().map(|text| address(text)).collect(),
            reports: None,
        };
        let plain = lead(&["x@far.test"], &[]);
        let forwarded = plain.forwarded(address("x@far.test"));
        assert_eq!(forwarded.notify, Some(notify(one)), "{asked}");
        assert_eq!(forwarded.orcpt, Some(("rfc822".into(), "a@b.test".into())));
        assert!(!plain.owes_receipt());
        for list in [lead(&["x@far.test", "y@far.test"], &[]), lead(&["x@far.test"], &["alice@home.test"])] {
            assert_eq!(list.forwarded(address("x@far.test")).notify, Some(notify(several)), "{asked}");
            assert_eq!(list.owes_receipt(), asked.contains("success"), "{asked}");
        }
        assert_eq!(lead(&[], &["alice@home.test"]).owes_receipt(), asked.contains("success"));
        assert!(!lead(&[], &[]).owes_receipt());
    }
}

#[test]
fn smtputf8_is_asked_of_others_only_where_it_is_needed() {
    let plain = b"Subject: x\r\n\r\n".as_slice();
    let utf8 = "Subject: Größe\r\n\r\n".as_bytes();
    for (sender, recipient, asked, head, needed) in [
        ("alice@home.test", "bob@world.test", false, plain, false),
        ("alice@home.test", "bob@world.test", true, plain, false),
        ("alice@home.test", "bob@world.test", true, utf8, true),
        ("alice@home.test", "bob@world.test", false, utf8, false),
        ("alice@home.test", "jörg@world.test", true, plain, true),
        ("älice@home.test", "bob@world.test", true, plain, true),
        ("alice@home.test", "bob@bücher.test", false, plain, false),
    ] {
        let mut way = Way::new(Some(address(sender)));
        way.add(to(recipient), Route::NotLocal).unwrap();
        let from = MailFrom { reverse_path: Some(address(sender)), smtputf8: asked, ..MailFrom::default() };
        let bundle = way.into_bundles().next().unwrap();
        assert_eq!(bundle.queue(&from, head, false)[0].smtputf8, needed, "{sender} {recipient} {asked}");
    }
}

#[test]
fn what_the_sender_said_of_reports_goes_along() {
    let mut way = Way::new(Some(address("alice@home.test")));
    way.add(to("bob@world.test"), Route::NotLocal).unwrap();
    let from = MailFrom {
        reverse_path: Some(address("alice@home.test")),
        envid: Some("QQ314".into()),
        ret_full: Some(false),
        ..MailFrom::default()
    };
    let entry = way.into_bundles().next().unwrap().queue(&from, b"", true).remove(0);
    assert_eq!((entry.envid.as_deref(), entry.ret, entry.eight_bit), (Some("QQ314"), Some(Ret::Headers), true));
    assert_eq!(entry.reverse_path, Some(address("alice@home.test")));
}
