//! Names, addresses, and who in the world says what of them.

use jiff::SignedDuration;

use super::super::*;
use super::world::{HOST, V4, V6, World};
use super::{assert_plain, expect};

#[test]
fn an_address_without_a_reverse_name_is_bad_and_the_name_to_set_is_told() {
    let mut world = World::good();
    world.dns = {
        let mut dns = World::good().dns;
        dns.forget("4.0.41.198.in-addr.arpa");
        dns
    };
    let fault = expect(world, Light::Bad, &format!("reverse {V4}"), "has no reverse name");
    assert!(fault.todo.unwrap().contains(&format!("the reverse name of {V4} to {HOST}")));
}

#[test]
fn a_reverse_name_that_does_not_lead_back_is_bad_and_another_that_does_is_only_doubtful() {
    let mut world = World::good();
    world.dns.reverse(V6, "static.provider.test");
    expect(world, Light::Bad, &format!("reverse {V6}"), "does not lead back");
    let mut world = World::good();
    world.dns.reverse(V6, "static.provider.test");
    world.dns.host("static.provider.test", &[V6]);
    expect(world, Light::Warning, &format!("reverse {V6}"), "and not mail.example.org");
    let mut world = World::good();
    world.dns.mute("in-addr.arpa");
    expect(world, Light::Unknown, &format!("reverse {V4}"), "can't be looked up");
}

#[test]
fn an_address_on_a_block_list_is_told_with_where_to_have_it_removed() {
    let mut world = World::good();
    world.dns.host("4.0.41.198.list.test", &["127.0.0.3"]);
    let fault = expect(world, Light::Bad, &format!("block-lists {V4} list.test"), "list.test (127.0.0.3)");
    assert!(fault.todo.unwrap().contains("website of list.test"));
}

#[tokio::test]
async fn the_policy_list_is_explained_as_no_accusation() {
    let mut world = World::good();
    for (name, code) in [("2.0.0.127", "127.0.0.2"), ("4.0.41.198", "127.0.0.10")] {
        world.dns.host(&format!("{name}.zen.spamhaus.org"), &[code]);
    }
    let (mut doctor, books) = world.doctor();
    std::sync::Arc::get_mut(&mut doctor.patient).unwrap().probes.block_lists = vec!["zen.spamhaus.org".to_owned()];
    let found = doctor.examine(books).await;
    let fault = &found.findings[0];
    assert_plain(fault);
    assert!(fault.what.contains("by their provider's policy"), "{fault:#?}");
    assert!(fault.todo.as_ref().unwrap().contains("check.spamhaus.org/results/?query=198.41.0.4"), "{fault:#?}");
}

#[test]
fn a_list_that_refuses_our_resolver_lists_nobody() {
    let mut world = World::good();
    for name in ["2.0.0.127", "1.0.0.127", "4.0.41.198"] {
        world.dns.host(&format!("{name}.list.test"), &["127.255.255.254"]);
    }
    let fault = expect(world, Light::Unknown, "block-lists untold", "list.test refuses our resolver");
    assert_eq!(fault.remedies, [Remedy::Command("mailstead dns check".to_owned())]);
}

#[test]
fn a_list_that_lists_everybody_or_nobody_at_all_is_not_believed() {
    for (always, never) in [("127.0.0.2", Some("127.0.0.2")), ("203.0.113.1", Some("203.0.113.1")), ("", None)] {
        let mut world = World::good();
        world.dns.forget("2.0.0.127.list.test");
        for (name, code) in [("2.0.0.127", Some(always)), ("1.0.0.127", never), ("4.0.41.198", never)] {
            if let Some(code) = code.filter(|code| !code.is_empty()) {
                world.dns.host(&format!("{name}.list.test"), &[code]);
            }
        }
        expect(world, Light::Unknown, "block-lists untold", "no working list");
    }
    let mut world = World::good();
    world.dns.mute("list.test");
    expect(world, Light::Unknown, "block-lists untold", "does not answer");
}

#[test]
fn a_name_that_does_not_lead_here_is_bad() {
    let mut world = World::good();
    world.dns.host(HOST, &["198.41.0.9"]);
    world.own = vec![V4.parse().unwrap()];
    world.dns.reverse(V4, "other.test");
    world.dns.host("other.test", &[V4]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(world.examined());
    let fault = &found.findings[0];
    assert_plain(fault);
    assert_eq!((fault.id.as_str(), fault.light), ("hostname", Light::Bad));
    assert_eq!(fault.what, format!("{HOST} leads to 198.41.0.9, but this machine is {V4}."));
    assert!(fault.todo.as_ref().unwrap().contains(&format!("an A record for {HOST} that says {V4}")));
}

#[test]
fn behind_nat_the_address_to_write_down_is_told() {
    let mut world = World::good();
    world.dns.host(HOST, &[V4]);
    world.own = vec!["10.0.0.5".parse().unwrap()];
    let fault = expect(world, Light::Warning, "hostname", "network cards don't show");
    assert!(fault.todo.unwrap().contains(&format!("own_addresses = [\"{V4}\"]")));
}

#[test]
fn a_name_of_the_home_network_is_none() {
    let mut world = World::good();
    world.hostname = "mail.lan".to_owned();
    world.dns.host("mail.lan", &[V4, V6]);
    world.dns.reverse(V4, "mail.lan");
    world.dns.reverse(V6, "mail.lan");
    world.books.certificates[0].name = "mail.lan".to_owned();
    expect(world, Light::Bad, "hostname", "no name that the world can look up");
}

#[test]
fn half_of_ipv6_is_worse_than_none() {
    let mut world = World::good();
    world.dns.host(HOST, &[V4]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(world.examined()).findings;
    let sixth = found.iter().find(|finding| finding.id == "ipv6").unwrap();
    assert_eq!(sixth.light, Light::Warning);
    assert_eq!(sixth.what, format!("This machine sends over IPv6 ({V6}), but {HOST} has no AAAA record."));

    let mut world = World::good();
    world.listen.retain(|(_, address)| address.is_ipv4());
    expect(world, Light::Bad, "ipv6", "takes no mail over IPv6");

    let mut world = World::good();
    world.own.retain(|own| own.is_ipv4());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(world.examined()).findings;
    assert!(found.iter().any(|f| f.id == "ipv6" && f.what.contains("has no public IPv6 address")), "{found:#?}");

    let mut world = World::good();
    world.own.retain(|own| own.is_ipv4());
    world.dns.host(HOST, &[V4]);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(world.examined()).light(), Light::Good);
}

#[test]
fn a_blocked_port_25_is_told_with_the_command_for_a_relay() {
    let mut world = World::good();
    world.host.greetings.clear();
    let fault = expect(world, Light::Bad, "outgoing", "Outgoing port 25 is blocked");
    let command = Remedy::Command("mailstead smarthost set SMTP.RELAY.EXAMPLE --user YOUR-NAME-THERE".to_owned());
    assert_eq!(fault.remedies, [command]);
    let mut silent = World::good();
    silent.host.greetings.clear();
    silent.host.silent = true;
    expect(silent, Light::Bad, "outgoing", "no mail server that was tried answers").todo.unwrap();
}

#[test]
fn with_a_relay_it_does_not_matter() {
    let mut world = World::good();
    world.host.greetings.clear();
    world.books.smarthost = true;
    let runtime = tokio::runtime::Runtime::new().unwrap();
    assert_eq!(runtime.block_on(world.examined()).light(), Light::Good);
}

#[test]
fn somebody_who_answers_in_the_worlds_stead_is_told() {
    let mut world = World::good();
    world.host.greetings.values_mut().for_each(|line| *line = "500 go\u{7} away".to_owned());
    expect(world, Light::Bad, "outgoing", "in mail servers' stead: “500 go  away”");
}

#[test]
fn a_way_that_is_closed_over_ipv6_alone_is_told_apart() {
    let mut world = World::good();
    world.host.greetings.retain(|ip, _| ip.is_ipv4());
    expect(world, Light::Warning, "outgoing-ipv6", "but not over IPv6");
}

#[test]
fn without_names_it_is_not_known_whether_mail_goes_out() {
    let mut world = World::good();
    world.dns.forget("mx.big.test");
    expect(world, Light::Unknown, "outgoing", "can't be found in DNS");
}

#[test]
fn a_wrong_clock_is_told_by_how_much() {
    for (behind, light, what) in [(20, Light::Warning, "20 seconds slow"), (-7_200, Light::Bad, "2 hours fast")] {
        let mut world = World::good();
        world.host.behind = Some(SignedDuration::from_secs(behind));
        expect(world, light, "clock", what);
    }
    let mut world = World::good();
    world.host.behind = None;
    expect(world, Light::Unknown, "clock", "No time server answers");
}

#[test]
fn a_resolver_with_losses_and_one_not_chosen_yet_are_told_apart() {
    let mut world = World::good();
    world.dns.whole = Some(false);
    expect(world, Light::Warning, "dns", "DNS");
    let mut world = World::good();
    world.dns.whole = None;
    expect(world, Light::Unknown, "dns", "DNS");
    let mut world = World::good();
    world.dns.whole = Some(false);
    world.dns.mute("");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(world.examined()).findings;
    assert_eq!((found[0].id.as_str(), found[0].light), ("dns", Light::Bad), "{found:#?}");
}
