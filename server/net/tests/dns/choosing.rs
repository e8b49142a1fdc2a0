//! Who is asked, found out at start.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hickory_server::proto::op::ResponseCode;
use mailstead_net::dns::{Anchors, Choice, Chooser, Dns, Kind, Mode, Roots, Settings};
use mailstead_tests::Bind;
use mailstead_tests::bind::Layers;

use super::fake::{Fake, Reply, a, answer, denial, query};
use super::proofs::{relay, zones};

/// Nobody listens at discard's port.
fn nobody() -> Roots {
    Roots { addresses: vec!["127.0.0.1".parse().unwrap()], experimental_port: Some(9) }
}

fn root_of(layers: &Layers) -> Roots {
    Roots { addresses: vec![layers.root.ip()], experimental_port: Some(layers.root.port()) }
}

fn settings(mode: Mode, system: &[SocketAddr], roots: Roots, bind: &Bind) -> Settings {
    let anchors = Anchors::from_file(&bind.trust_anchor()).unwrap();
    Settings { mode, system: Some(system.to_vec()), roots, anchors }
}

async fn choose(settings: &Settings) -> Choice {
    let start = Instant::now();
    let choice = Choice::make(settings).await.unwrap();
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}: {}", start.elapsed(), choice.told);
    choice
}

/// A resolver that answers, and knows nothing of signatures.
async fn plain() -> Fake {
    Fake::start(|question, _| match query(question).query_type() {
        hickory_server::proto::rr::RecordType::A => answer(question, vec![a(query(question).name(), 60, 1)]).into(),
        _ => denial(question, ResponseCode::NoError, ".").into(),
    })
    .await
}

#[tokio::test]
async fn a_good_resolver_on_this_machine_is_used() {
    let bind = zones();
    let layers = bind.layers();
    let choice = choose(&settings(Mode::Auto, &[bind.address()], root_of(&layers), &bind)).await;
    assert!(choice.whole && choice.told.contains("the resolver on this machine (127.0.0.1:"), "{}", choice.told);
    assert!(choice.resolver.ask("mail.signed.test", Kind::A).await.unwrap().secure);
}

#[tokio::test]
async fn without_one_names_are_resolved_from_the_root() {
    let bind = zones();
    let layers = bind.layers();
    let silent = Fake::start(|_, _| Reply::Silence).await;
    for system in [vec![], vec![silent.address], vec![plain().await.address]] {
        let choice = choose(&settings(Mode::Auto, &system, root_of(&layers), &bind)).await;
        assert!(choice.whole && choice.told.contains("from the root servers downwards"), "{}", choice.told);
        assert!(choice.resolver.ask("mail.signed.test", Kind::A).await.unwrap().secure);
    }
}

#[tokio::test]
async fn what_is_lost_is_told() {
    let (bind, plain) = (zones(), plain().await);
    let choice = choose(&settings(Mode::Auto, &[plain.address], nobody(), &bind)).await;
    assert!(!choice.whole, "{}", choice.told);
    for part in
        ["the system's name servers (127.0.0.1:", "DANE (RFC 7672) can't be used", "block lists", "UDP: ", "TCP: "]
    {
        assert!(choice.told.contains(part), "{part}: {}", choice.told);
    }
    let answer = choice.resolver.ask("host.test", Kind::A).await.unwrap();
    assert!(!answer.secure);
    let given = choose(&settings(Mode::Servers(vec![plain.address]), &[], nobody(), &bind)).await;
    assert!(!given.whole && given.told.contains("the configured name servers"), "{}", given.told);
    assert!(!given.told.contains("block lists"), "{}", given.told);
    let alone = choose(&settings(Mode::Recursive, &[], nobody(), &bind)).await;
    assert!(!alone.whole && alone.told.contains("can't be reached rightly"), "{}", alone.told);
}

#[tokio::test]
async fn servers_the_operator_names_are_used_and_their_signatures_checked() {
    let bind = zones();
    for mode in [Mode::Servers(vec![bind.address()]), Mode::System] {
        let choice = choose(&settings(mode, &[bind.address()], nobody(), &bind)).await;
        assert!(choice.whole && choice.told.contains("signatures (DNSSEC) are checked here"), "{}", choice.told);
        assert!(choice.resolver.ask("mail.signed.test", Kind::A).await.unwrap().secure);
    }
    let none = Choice::make(&settings(Mode::System, &[], nobody(), &bind)).await.err().unwrap();
    assert!(none.to_string().contains("/etc/resolv.conf names no name server"), "{none}");
}

#[tokio::test]
async fn who_answers_in_the_roots_stead_is_found_out() {
    let bind = zones();
    let impostor = Fake::start(|question, _| {
        let mut reply = denial(question, ResponseCode::NoError, ".");
        let records = std::mem::take(&mut reply.authorities);
        reply.add_answers(records);
        reply.metadata.authoritative = false;
        reply.into()
    })
    .await;
    let roots = Roots { addresses: vec![impostor.address.ip()], experimental_port: Some(impostor.address.port()) };
    let choice = choose(&settings(Mode::Auto, &[plain().await.address], roots, &bind)).await;
    assert!(choice.told.contains("somebody else answers in the root servers' stead"), "{}", choice.told);
}

#[tokio::test]
async fn the_first_questions_wait_for_the_choice() {
    let bind = zones();
    let silent = Fake::start(|_, _| Reply::Silence).await;
    let layers = bind.layers();
    let chooser = Chooser::start(settings(Mode::Auto, &[silent.address], root_of(&layers), &bind));
    assert!(chooser.describe().contains("is being found out"), "{}", chooser.describe());
    assert!(chooser.ask("mail.signed.test", Kind::A).await.unwrap().secure);
    assert!(chooser.describe().contains("from the root servers downwards"), "{}", chooser.describe());
}

#[tokio::test]
async fn a_root_whose_signatures_are_wrong_here_is_not_taken() {
    let (bind, other) = (zones(), Bind::start(&[]));
    let layers = bind.layers();
    let choice = choose(&settings(Mode::Auto, &[], root_of(&layers), &other)).await;
    assert!(
        !choice.whole && choice.told.contains("signatures: the answer's signatures are not valid"),
        "{}",
        choice.told
    );
}

#[tokio::test]
async fn one_on_this_machine_that_only_passes_questions_on_is_not_preferred() {
    let bind = zones();
    let layers = bind.layers();
    let to = bind.address();
    let stub = Fake::start_at([127, 0, 0, 53].into(), move |question, _| relay(question, to).into()).await;
    let choice = choose(&settings(Mode::Auto, &[stub.address], root_of(&layers), &bind)).await;
    assert!(choice.told.contains("from the root servers downwards"), "{}", choice.told);
    // It is good enough where the root can't be reached.
    let choice = choose(&settings(Mode::Auto, &[stub.address], nobody(), &bind)).await;
    assert!(choice.told.contains("signatures (DNSSEC) are checked here. But: block lists"), "{}", choice.told);
}
