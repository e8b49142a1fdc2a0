//! Answers proved by signatures, against Debian's BIND: through a resolver that passes signatures along, and by our own
//! way down from the root.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use hickory_server::proto::op::{Edns, Message, Query, ResponseCode};
use hickory_server::proto::rr::rdata::TLSA;
use hickory_server::proto::rr::{RData, Record, RecordType};

use mailstead_net::dns::{Anchors, Dns, DnsError, Kind, Resolver, Roots};
use mailstead_tests::bind::Layers;
use mailstead_tests::{Bind, Signed};

use super::fake::{By, Fake, answer, code, denial, name, query};

const HOST: &str = "mail A 192.0.2.1\n@ MX 10 mail\n@ TXT \"v=spf1 mx -all\"\n_25._tcp.mail TLSA 3 1 1 \
                    aabbccddaabbccddaabbccddaabbccddaabbccddaabbccddaabbccddaabbccdd\n";

pub(crate) fn zones() -> Bind {
    let aliases = "www CNAME mail\nout CNAME mail.unsigned.test.\nlost CNAME nowhere.signed3.test.\n\
                   away CNAME nowhere.unsigned.test.\n*.wild TXT \"any\"\n*.alias CNAME mail\nend CNAME mail.expired.test.\n\
                   there.wild TXT \"own\"\nold DNAME signed3.test.\ngone DNAME unsigned.test.\n";
    let strange = "www CNAME mail\nin CNAME mail.signed.test.\ncircle CNAME circle2\ncircle2 CNAME circle\n\
                   lost CNAME nowhere.signed.test.\n";
    Bind::start(&[
        ("signed.test", &format!("{HOST}{aliases}"), Signed::Nsec),
        ("signed3.test", &format!("{HOST}*.wild TXT \"any\"\n*.alias CNAME mail\n"), Signed::Nsec3),
        ("unsigned.test", &format!("{HOST}{strange}"), Signed::No),
        ("island.test", HOST, Signed::Island),
        ("expired.test", HOST, Signed::Expired),
        ("forged.test", HOST, Signed::Forged),
        ("stripped.test", HOST, Signed::Stripped),
        ("below.unsigned.test", HOST, Signed::Nsec),
        ("lame.test", HOST, Signed::Nsec),
        ("optout", HOST, Signed::OptOut),
        ("signed.optout", HOST, Signed::Nsec),
        ("unsigned.optout", HOST, Signed::No),
        ("deep.below.nothing.test", HOST, Signed::Nsec3),
        // Its servers' addresses are only known to another zone.
        ("glueless.test", &format!("@ NS ns.signed.optout.\n{HOST}"), Signed::Nsec),
        // One of its servers refuses, and one is dead.
        ("test", "lame NS lame.ns\nlame NS dead.ns\nlame.ns A 127.0.53.1\ndead.ns A 127.0.53.9\n", Signed::Nsec),
    ])
}

fn both(bind: &Bind, layers: &Layers) -> [(&'static str, Resolver); 2] {
    let anchors = Anchors::from_file(&bind.trust_anchor()).unwrap();
    let roots = Roots { addresses: vec![layers.root.ip()], experimental_port: Some(layers.root.port()) };
    [
        ("through a resolver", Resolver::proving_servers(&[bind.address()], &anchors).unwrap()),
        ("from the root", Resolver::recursive(&roots, &anchors).unwrap()),
    ]
}

#[tokio::test]
async fn what_is_signed_is_secure_and_what_is_not_is_insecure() {
    let bind = zones();
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        resolver.proves_the_root().await.unwrap_or_else(|error| panic!("{how}: {error}"));
        for (zone, secure) in [
            ("signed.test", true),
            ("signed3.test", true),
            ("unsigned.test", false),
            ("island.test", false),
            ("below.unsigned.test", false),
            ("signed.optout", true),
            ("unsigned.optout", false),
            ("deep.below.nothing.test", true),
            ("glueless.test", true),
        ] {
            for (name, kind) in [
                (format!("mail.{zone}"), Kind::A),
                (zone.to_owned(), Kind::Mx),
                (format!("_25._tcp.mail.{zone}"), Kind::Tlsa),
            ] {
                let answer = resolver.ask(&name, kind).await.unwrap_or_else(|e| panic!("{how}: {name}: {e}"));
                assert_eq!(answer.secure, secure, "{how}: {name}");
                assert_eq!(answer.records.len(), 1, "{how}: {name}");
            }
        }
    }
}

#[tokio::test]
async fn aliases_are_as_secure_as_their_weakest_step() {
    let bind = zones();
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        for (name, secure) in [
            ("www.signed.test", true),
            ("out.signed.test", false),
            ("www.unsigned.test", false),
            ("in.unsigned.test", false),
        ] {
            let answer = resolver.ask(name, Kind::A).await.unwrap_or_else(|e| panic!("{how}: {name}: {e}"));
            assert_eq!(answer.secure, secure, "{how}: {name}");
        }
        for lost in ["lost.signed.test", "away.signed.test", "lost.unsigned.test"] {
            assert_eq!(resolver.ask(lost, Kind::A).await, Err(DnsError::NoName), "{how}: {lost}");
        }
        let circle = resolver.ask("circle.unsigned.test", Kind::A).await.unwrap_err();
        assert!(matches!(circle, DnsError::Temporary(_)), "{how}: {circle}");
        let bad_end = resolver.ask("end.signed.test", Kind::A).await.unwrap_err();
        assert!(matches!(bad_end, DnsError::Bogus(_)), "{how}: {bad_end}");
    }
}

#[tokio::test]
async fn what_does_not_exist_is_told_from_what_has_no_such_record() {
    let bind = zones();
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        for zone in ["signed.test", "signed3.test", "unsigned.test", "island.test", "below.unsigned.test"] {
            let ask = async |name: &str, kind| resolver.ask(&format!("{name}.{zone}"), kind).await;
            assert_eq!(ask("nowhere", Kind::A).await, Err(DnsError::NoName), "{how}: {zone}");
            assert_eq!(ask("_443._tcp.mail", Kind::Tlsa).await, Err(DnsError::NoName), "{how}: {zone}");
            assert_eq!(ask("mail", Kind::Tlsa).await, Err(DnsError::NoRecords), "{how}: {zone}");
            assert_eq!(ask("_tcp.mail", Kind::A).await, Err(DnsError::NoRecords), "{how}: {zone}");
        }
        for nowhere in ["nowhere.", "nowhere.optout.", "mail.nowhere.optout."] {
            assert_eq!(resolver.ask(nowhere, Kind::A).await, Err(DnsError::NoName), "{how}: {nowhere}");
        }
        for nothing in ["optout.", "nothing.test.", "below.nothing.test.", "unsigned.optout."] {
            assert_eq!(resolver.ask(nothing, Kind::A).await, Err(DnsError::NoRecords), "{how}: {nothing}");
        }
    }
}

#[tokio::test]
async fn a_wildcard_is_secure_where_it_applies() {
    let bind = zones();
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        for zone in ["signed.test", "signed3.test"] {
            let name = format!("some.wild.{zone}");
            let answer = resolver.txt(&name).await.unwrap_or_else(|e| panic!("{how}: {name}: {e}"));
            assert!(answer.secure, "{how}: {name}");
            assert_eq!(resolver.ask(&name, Kind::A).await, Err(DnsError::NoRecords), "{how}: {name}");
            let name = format!("two.labels.alias.{zone}");
            let answer = resolver.ask(&name, Kind::A).await.unwrap_or_else(|e| panic!("{how}: {name}: {e}"));
            assert!(answer.secure, "{how}: {name}");
        }
    }
}

#[tokio::test]
async fn the_alias_of_a_subtree_is_as_secure_as_what_it_leads_to() {
    let bind = zones();
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        for (name, secure) in [("mail.old.signed.test", true), ("mail.gone.signed.test", false)] {
            let answer = resolver.ask(name, Kind::A).await.unwrap_or_else(|e| panic!("{how}: {name}: {e}"));
            assert_eq!(answer.secure, secure, "{how}: {name}");
        }
        for nowhere in ["nowhere.old.signed.test", "nowhere.gone.signed.test"] {
            assert_eq!(resolver.ask(nowhere, Kind::A).await, Err(DnsError::NoName), "{how}: {nowhere}");
        }
    }
}

#[tokio::test]
async fn the_long_name_of_an_ipv6_address_is_found_on_our_own_way_too() {
    let mail = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 PTR mail.signed.test.\n";
    let bind = Bind::start(&[
        ("ip6.arpa", "", Signed::Nsec),
        ("8.b.d.0.1.0.0.2.ip6.arpa", mail, Signed::Nsec),
        ("9.b.d.0.1.0.0.2.ip6.arpa", mail, Signed::No),
    ]);
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        for (address, secure) in [("2001:db8::1", true), ("2001:db9::1", false)] {
            let answer = resolver.ptr(address.parse().unwrap()).await;
            let answer = answer.unwrap_or_else(|error| panic!("{how}: {address}: {error}"));
            assert_eq!((answer.records, answer.secure), (vec!["mail.signed.test".to_owned()], secure), "{how}");
        }
        for nobody in ["2001:db8::2", "2001:db9::2"] {
            assert_eq!(resolver.ptr(nobody.parse().unwrap()).await, Err(DnsError::NoName), "{how}: {nobody}");
        }
    }
}

#[tokio::test]
async fn a_wildcard_cannot_be_passed_off_as_what_a_name_has_of_its_own() {
    const THERE: &str = "there.wild.signed.test.";
    let bind = zones();
    let anchors = Anchors::from_file(&bind.trust_anchor()).unwrap();
    let to = bind.address();
    let liar = Fake::start(move |question, _| {
        if query(question).query_type() != RecordType::TXT {
            return relay(question, to).into();
        }
        // The wildcard's own records and signature, and beside them something that is proved to be unsigned.
        let mut lie = code(question, ResponseCode::NoError);
        for mut record in instead(question, "some.wild.signed.test.", RecordType::TXT, to).answers {
            record.name = name(THERE);
            lie.add_answer(record);
        }
        assert!(!lie.answers.is_empty());
        let server = RData::NS(hickory_server::proto::rr::rdata::NS(name("ns.liar.test.")));
        lie.add_authority(Record::from_rdata(name("any.unsigned.test."), 60, server));
        lie.into()
    })
    .await;
    let said = Resolver::proving_servers(&[liar.address], &anchors).unwrap().txt(THERE).await;
    assert!(matches!(said, Err(DnsError::Bogus(_))), "{said:?}");
    let honest = Resolver::proving_servers(&[bind.address()], &anchors).unwrap().txt(THERE).await.unwrap();
    assert_eq!((honest.records, honest.secure), (vec![b"own".to_vec()], true));
}

#[tokio::test]
async fn wrong_signatures_are_bogus_and_never_a_permanent_no() {
    let bind = zones();
    let layers = bind.layers();
    for (how, resolver) in both(&bind, &layers) {
        for name in ["mail.expired.test", "mail.forged.test", "mail.stripped.test"] {
            let answer = resolver.ask(name, Kind::A).await;
            assert!(matches!(answer, Err(DnsError::Bogus(_))), "{how}: {name}: {answer:?}");
        }
        for name in ["nowhere.expired.test", "nowhere.stripped.test", "_443._tcp.mail.stripped.test"] {
            let error = resolver.ask(name, Kind::Tlsa).await.unwrap_err();
            assert!(matches!(error, DnsError::Bogus(_)), "{how}: {name}: {error}");
        }
        // The forged zone's other records are as they were signed.
        assert!(resolver.ask("forged.test", Kind::Mx).await.unwrap().secure, "{how}");
    }
}

#[tokio::test]
async fn without_the_right_key_everything_signed_is_bogus() {
    let (bind, other) = (zones(), Bind::start(&[]));
    let anchors = Anchors::from_file(&other.trust_anchor()).unwrap();
    let resolver = Resolver::proving_servers(&[bind.address()], &anchors).unwrap();
    assert!(resolver.proves_the_root().await.is_err());
    let error = resolver.ask("mail.signed.test", Kind::A).await.unwrap_err();
    assert!(matches!(error, DnsError::Bogus(_)), "{error}");
    // Believed without proof, it is there.
    let believing = Resolver::with_servers(&[bind.address()]).unwrap();
    let answer = believing.addresses("mail.signed.test").await.unwrap();
    assert_eq!((answer.records, answer.secure), (vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))], false));
}

#[tokio::test]
async fn going_down_from_the_root_passes_by_lame_and_dead_servers() {
    let bind = zones();
    let layers = bind.layers();
    for round in 0..3 {
        let [_, (_, resolver)] = both(&bind, &layers);
        let start = Instant::now();
        let answer = resolver.ask("mail.lame.test", Kind::A).await.unwrap_or_else(|e| panic!("round {round}: {e}"));
        assert!(answer.secure && start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    }
}

/// What the server says to the question.
pub(crate) fn relay(question: &Message, to: SocketAddr) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket.send_to(&question.to_vec().unwrap(), to).unwrap();
    let mut buffer = vec![0; 4_096];
    let length = socket.recv(&mut buffer).unwrap();
    Message::from_vec(&buffer[..length]).unwrap()
}

/// Another question asked in the place of this one.
fn instead(question: &Message, owner: &str, kind: RecordType, to: SocketAddr) -> Message {
    let mut other = question.clone();
    other.queries = vec![Query::query(name(owner), kind)];
    relay(&other, to)
}

#[tokio::test]
async fn nobody_on_the_way_can_strip_what_is_signed() {
    const TLSA_NAME: &str = "_25._tcp.mail.signed.test.";
    type Lie = fn(&Message, SocketAddr) -> Message;
    let lies: [(&str, Lie); 8] = [
        ("nothing at all", |question, _| code(question, ResponseCode::NoError)),
        ("no such name", |question, _| code(question, ResponseCode::NXDomain)),
        ("a denial without proof", |question, _| denial(question, ResponseCode::NXDomain, "signed.test.")),
        ("a zone of its own without proof", |question, _| denial(question, ResponseCode::NoError, TLSA_NAME)),
        ("an unsigned zone's denial", |question, to| {
            let other = instead(question, "nowhere.unsigned.test.", RecordType::TLSA, to);
            let mut lie = code(question, ResponseCode::NXDomain);
            lie.add_authorities(other.authorities);
            lie
        }),
        ("another name's proof", |question, to| {
            let other = instead(question, "nowhere.signed.test.", RecordType::TLSA, to);
            let mut lie = code(question, ResponseCode::NXDomain);
            lie.add_authorities(other.authorities);
            lie
        }),
        ("its parent's proof about its delegation", |question, to| {
            let other = instead(question, "unsigned.test.", RecordType::DS, to);
            let mut lie = code(question, ResponseCode::NoError);
            lie.add_authorities(other.authorities);
            lie
        }),
        ("other keys, and that they are proved", |question, _| {
            let data = RData::TLSA(TLSA::new(3.into(), 1.into(), 1.into(), vec![0; 32]));
            let mut lie = answer(question, vec![Record::from_rdata(name(TLSA_NAME), 60, data)]);
            lie.metadata.authentic_data = true;
            lie
        }),
    ];
    let bind = zones();
    let anchors = Anchors::from_file(&bind.trust_anchor()).unwrap();
    for (what, lie) in lies {
        let to = bind.address();
        let liar = Fake::start(move |question, by| {
            assert_eq!(by, By::Udp);
            let about = query(question);
            let lied_about = *about.name() == name(TLSA_NAME) && about.query_type() == RecordType::TLSA;
            if lied_about { lie(question, to) } else { relay(question, to) }.into()
        })
        .await;
        let resolver = Resolver::proving_servers(&[liar.address], &anchors).unwrap();
        let said = resolver.tlsa(TLSA_NAME).await;
        assert!(matches!(said, Err(DnsError::Bogus(_))), "{what}: {said:?}");
        // The liar's other answers are true and proved.
        assert!(resolver.ask("mail.signed.test", Kind::A).await.unwrap().secure, "{what}");
    }
}

#[tokio::test]
async fn many_proofs_of_one_zone_need_few_questions() {
    let bind = zones();
    let anchors = Anchors::from_file(&bind.trust_anchor()).unwrap();
    for zone in ["signed.test", "signed3.test", "unsigned.test"] {
        let to = bind.address();
        let counting = Fake::start(move |question, _| relay(question, to).into()).await;
        let resolver = Resolver::proving_servers(&[counting.address], &anchors).unwrap();
        for number in 0..20 {
            let nobody = resolver.ask(&format!("nobody{number}.{zone}"), Kind::A).await;
            assert_eq!(nobody, Err(DnsError::NoName), "{zone}");
        }
        assert!(counting.asked() <= 60, "{zone}: {} questions", counting.asked());
    }
}

#[tokio::test]
async fn an_opt_out_parent_lets_nobody_pretend_an_unsigned_zone_below_a_signed_one() {
    const TLSA_NAME: &str = "_25._tcp.mail.signed.optout.";
    const CUT: &str = "mail.signed.optout.";
    let bind = zones();
    let anchors = Anchors::from_file(&bind.trust_anchor()).unwrap();
    let to = bind.address();
    // All the parent's true proofs, as its denials show them.
    let mut asking = Message::query();
    let mut extended = Edns::new();
    extended.set_max_payload(4_096);
    extended.enable_dnssec();
    asking.edns = Some(extended);
    let mut proofs: Vec<Record> = Vec::new();
    for number in 0..40 {
        let mut asked = asking.clone();
        asked.metadata.id = number;
        let owner = format!("some{number}.optout.");
        for record in instead(&asked, &owner, RecordType::A, to).authorities {
            if !proofs.contains(&record) {
                proofs.push(record);
            }
        }
    }
    assert!(proofs.iter().filter(|record| record.record_type() == RecordType::NSEC3).count() >= 3);
    for with_soa in [true, false] {
        let proofs: Vec<Record> =
            proofs.iter().filter(|record| with_soa || record.record_type() != RecordType::SOA).cloned().collect();
        let liar = Fake::start(move |question, _| {
            let about = query(question);
            match about.query_type() {
                RecordType::TLSA => denial(question, ResponseCode::NoError, CUT),
                RecordType::NS if *about.name() == name(CUT) => {
                    let server = RData::NS(hickory_server::proto::rr::rdata::NS(name("ns.liar.test.")));
                    answer(question, vec![Record::from_rdata(name(CUT), 60, server)])
                }
                RecordType::NS if name(CUT).zone_of(about.name()) => denial(question, ResponseCode::NoError, CUT),
                RecordType::DS if *about.name() == name(CUT) => {
                    let mut lie = code(question, ResponseCode::NoError);
                    lie.add_authorities(proofs.clone());
                    lie
                }
                _ => relay(question, to),
            }
            .into()
        })
        .await;
        let resolver = Resolver::proving_servers(&[liar.address], &anchors).unwrap();
        let said = resolver.tlsa(TLSA_NAME).await;
        assert!(matches!(said, Err(DnsError::Bogus(_))), "with SOA {with_soa}: {said:?}");
        assert!(resolver.ask("mail.signed.optout", Kind::A).await.unwrap().secure);
    }
}
