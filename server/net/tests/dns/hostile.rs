//! The resolver against name servers that are lame, slow, lying or dead: never a wrong permanent answer, never for ever.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::fake::{By, Fake, Reply, a, answer, cname, code, denial, last_octet, name, query, txt};
use hickory_server::proto::op::ResponseCode;
use hickory_server::proto::rr::rdata::TXT;
use hickory_server::proto::rr::{RData, Record, RecordType};
use mailstead_net::dns::{Data, Dns, DnsError, Kind, Resolver};
use tokio::task::JoinSet;

fn resolver(servers: &[&Fake]) -> Resolver {
    let addresses: Vec<SocketAddr> = servers.iter().map(|server| server.address).collect();
    Resolver::with_servers(&addresses).unwrap()
}

async fn addresses(resolver: &Resolver, host: &str) -> Result<Vec<u8>, DnsError> {
    let answer = resolver.ask(host, Kind::A).await?;
    Ok(answer
        .records
        .iter()
        .map(|data| match data {
            Data::Address(address) => last_octet(address),
            other => panic!("{other:?}"),
        })
        .collect())
}

#[tokio::test]
async fn where_udp_is_blocked_tcp_serves_and_soon_at_once() {
    let server = Fake::start(|question, by| match by {
        By::Udp => Reply::Silence,
        By::Tcp => answer(question, vec![a(query(question).name(), 60, 1)]).into(),
    })
    .await;
    let resolver = resolver(&[&server]);
    let first: Vec<String> = (0..3).map(|number| format!("{number}.test")).collect();
    for host in &first {
        assert_eq!(addresses(&resolver, host).await, Ok(vec![1]));
    }
    let start = Instant::now();
    assert_eq!(addresses(&resolver, "later.test").await, Ok(vec![1]));
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_server_that_fails_or_refuses_is_no_answer_when_another_knows() {
    for wrong in [ResponseCode::ServFail, ResponseCode::Refused, ResponseCode::NotAuth, ResponseCode::NotImp] {
        let lame = Fake::start(move |question, _| code(question, wrong).into()).await;
        let good = Fake::start(|question, _| answer(question, vec![a(query(question).name(), 60, 1)]).into()).await;
        assert_eq!(addresses(&resolver(&[&lame, &good]), "host.test").await, Ok(vec![1]), "{wrong}");
        let alone = addresses(&resolver(&[&lame]), "host.test").await.unwrap_err();
        assert!(matches!(alone, DnsError::Temporary(_)), "{wrong}: {alone}");
    }
}

#[tokio::test]
async fn a_storm_of_failures_is_borne_by_memory() {
    let server = Fake::start(|question, _| code(question, ResponseCode::ServFail).into()).await;
    let resolver = resolver(&[&server]);
    for _ in 0..500 {
        assert!(matches!(addresses(&resolver, "host.test").await, Err(DnsError::Temporary(_))));
    }
    assert!(server.asked() < 50, "{} questions", server.asked());
}

#[tokio::test]
async fn equal_questions_are_asked_once_whoever_goes_away() {
    let server = Fake::start(|question, _| {
        Reply::Late(Duration::from_millis(300), answer(question, vec![a(query(question).name(), 60, 1)]))
    })
    .await;
    let resolver = resolver(&[&server]);
    let hasty = tokio::time::timeout(Duration::from_millis(20), addresses(&resolver, "HOST.test")).await;
    assert!(hasty.is_err());
    let many: Vec<_> = (0..50)
        .map(|_| {
            let resolver = resolver.clone();
            tokio::spawn(async move { addresses(&resolver, "host.Test").await })
        })
        .collect();
    for one in many {
        assert_eq!(one.await.unwrap(), Ok(vec![1]));
    }
    assert_eq!(server.asked(), 1);
}

#[tokio::test]
async fn answers_are_kept_for_their_ttl_and_no_longer() {
    let server = Fake::start(|question, _| {
        let owner = query(question).name().clone();
        match owner.to_ascii().as_str() {
            "minute.test." => answer(question, vec![a(&owner, 60, 1), a(&owner, 90, 2)]).into(),
            "now.test." => answer(question, vec![a(&owner, 0, 1)]).into(),
            _ => denial(question, ResponseCode::NXDomain, "test.").into(),
        }
    })
    .await;
    let resolver = resolver(&[&server]);
    for (host, questions) in [("minute.test", 1), ("now.test", 3), ("nowhere.test", 1)] {
        let before = server.asked();
        for _ in 0..3 {
            let _ = addresses(&resolver, host).await;
        }
        assert_eq!(server.asked() - before, questions, "{host}");
    }
    assert!(resolver.ask("minute.test", Kind::A).await.unwrap().ttl <= Duration::from_secs(60));
}

#[tokio::test]
async fn aliases_are_followed_only_so_far() {
    let server = Fake::start(|question, _| {
        let owner = query(question).name().clone();
        let text = owner.to_ascii();
        let number: u32 = text.split('.').next().unwrap().parse().unwrap();
        match (number, text.contains("circle")) {
            (0, _) => answer(question, vec![a(&owner, 60, 1)]).into(),
            (number, false) => answer(question, vec![cname(&owner, &format!("{}.test.", number - 1))]).into(),
            (number, true) => answer(question, vec![cname(&owner, &format!("{}.circle.test.", 3 - number))]).into(),
        }
    })
    .await;
    let resolver = resolver(&[&server]);
    assert_eq!(addresses(&resolver, "8.test").await, Ok(vec![1]));
    for endless in ["1000.test", "1.circle.test"] {
        let before = server.asked();
        assert!(matches!(addresses(&resolver, endless).await, Err(DnsError::Temporary(_))), "{endless}");
        assert!(server.asked() - before <= 10, "{endless}: {} questions", server.asked() - before);
    }
}

#[tokio::test]
async fn a_text_of_64_kb_comes_whole() {
    let server = Fake::start(|question, by| match by {
        By::Udp => {
            let mut cut = answer(question, Vec::new());
            cut.metadata.truncation = true;
            cut.into()
        }
        By::Tcp => answer(question, vec![txt(query(question).name(), 255)]).into(),
    })
    .await;
    let found = resolver(&[&server]).txt("big.test").await.unwrap().records;
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [255 * 250]);
}

#[tokio::test]
async fn what_would_fill_the_memory_is_no_answer() {
    let server = Fake::start(|question, by| {
        let owner = query(question).name().clone();
        let mut reply = answer(question, Vec::new());
        match (by, query(question).query_type()) {
            (By::Udp, _) => reply.metadata.truncation = true,
            (By::Tcp, RecordType::A) => {
                reply.add_answers((0..4_000).map(|_| a(&owner, 86_400, 1)));
            }
            (By::Tcp, _) => {
                let one_by_one = TXT::new(vec!["x".to_owned(); 30_000]);
                reply.add_answer(Record::from_rdata(owner, 86_400, RData::TXT(one_by_one)));
            }
        }
        reply.into()
    })
    .await;
    let resolver = resolver(&[&server]);
    for kind in [Kind::A, Kind::Txt] {
        let error = resolver.ask("huge.test", kind).await.unwrap_err();
        assert!(matches!(error, DnsError::Temporary(_)), "{error}");
    }
}

#[tokio::test]
async fn strangers_whose_servers_are_silent_leave_room_for_the_house() {
    let server = Fake::start(|question, _| {
        let owner = query(question).name().clone();
        match owner.to_ascii().contains("silent") {
            true => Reply::Silence,
            false => answer(question, vec![a(&owner, 60, 1)]).into(),
        }
    })
    .await;
    let resolver = resolver(&[&server]);
    let mut waiting = JoinSet::new();
    for number in 0..1_000 {
        let strangers = resolver.for_strangers();
        waiting.spawn(async move { strangers.txt(&format!("{number}.silent.test")).await.map(|_| ()) });
    }
    while server.asked() < 300 {
        tokio::task::yield_now().await;
    }
    let strangers = resolver.for_strangers();
    let soon = tokio::time::timeout(Duration::from_millis(500), addresses(&strangers, "other.test")).await;
    assert!(soon.is_err(), "strangers have no place left");
    let house = tokio::time::timeout(Duration::from_secs(2), addresses(&resolver, "host.test")).await;
    assert_eq!(house, Ok(Ok(vec![1])));
}

#[tokio::test]
async fn cut_off_or_garbled_answers_are_passing_troubles() {
    let cut = Fake::start(|question, _| {
        let mut cut = answer(question, vec![a(query(question).name(), 60, 1)]);
        cut.metadata.truncation = true;
        cut.into()
    })
    .await;
    let garbled = Fake::start(|question, _| {
        let mut bytes = answer(question, vec![a(query(question).name(), 60, 1)]).to_vec().unwrap();
        bytes.truncate(bytes.len() - 3);
        Reply::Bytes(bytes)
    })
    .await;
    for server in [&cut, &garbled] {
        let error = addresses(&resolver(&[server]), "host.test").await.unwrap_err();
        assert!(matches!(error, DnsError::Temporary(_)), "{error}");
    }
}

#[tokio::test]
async fn a_guess_by_a_stranger_is_not_heard() {
    let server = Fake::start(|question, by| {
        let right = answer(question, vec![a(query(question).name(), 60, 1)]);
        let mut wrong_number = answer(question, vec![a(query(question).name(), 60, 66)]);
        wrong_number.metadata.id = question.metadata.id.wrapping_add(1);
        let mut wrong_question = answer(question, vec![a(&name("other.test."), 60, 66)]);
        wrong_question.queries[0].set_name(name("other.test."));
        match by {
            By::Udp => Reply::Messages(vec![wrong_number, wrong_question, right]),
            By::Tcp => right.into(),
        }
    })
    .await;
    assert_eq!(addresses(&resolver(&[&server]), "host.test").await, Ok(vec![1]));
}

#[tokio::test]
async fn records_of_other_names_are_not_taken_for_the_answer() {
    let server = Fake::start(|question, _| answer(question, vec![a(&name("other.test."), 60, 66)]).into()).await;
    let error = addresses(&resolver(&[&server]), "host.test").await.unwrap_err();
    assert!(matches!(error, DnsError::Temporary(_)), "{error}");
}

#[tokio::test]
async fn a_denial_that_speaks_of_another_zone_is_no_denial() {
    let server = Fake::start(|question, _| denial(question, ResponseCode::NXDomain, "other.test.").into()).await;
    let error = addresses(&resolver(&[&server]), "host.test").await.unwrap_err();
    assert!(matches!(error, DnsError::Temporary(_)), "{error}");
}

#[tokio::test]
async fn names_that_are_nobodys_are_never_asked_for() {
    let server = Fake::start(|question, _| answer(question, vec![a(query(question).name(), 60, 1)]).into()).await;
    let resolver = resolver(&[&server]);
    assert_eq!(resolver.addresses("localhost").await.unwrap().records.len(), 2);
    for nowhere in ["hidden.onion", "host.invalid.", "a..b", &"x".repeat(64), &"y.".repeat(200)] {
        assert_eq!(resolver.ask(nowhere, Kind::A).await, Err(DnsError::NoName), "{nowhere}");
    }
    assert_eq!(server.asked(), 0);
}

#[tokio::test]
async fn a_server_from_before_extensions_is_asked_without_them() {
    let server = Fake::start(|question, _| match question.edns {
        Some(_) => {
            let mut refusal = code(question, ResponseCode::FormErr);
            refusal.edns = None;
            refusal.into()
        }
        None => answer(question, vec![a(query(question).name(), 60, 1)]).into(),
    })
    .await;
    assert_eq!(addresses(&resolver(&[&server]), "host.test").await, Ok(vec![1]));
}
