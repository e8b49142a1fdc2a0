//! What was found out about letters, and whose seals are trusted.

use mailstead_message::Domain;
use mailstead_store::*;

use crate::world::{World, acceptance, delivery, letter, options};

fn verdict() -> Verdict {
    Verdict {
        results: "spf=pass smtp.mailfrom=bob@world.test".to_owned(),
        told: vec!["SPF: world.test lets this address send its mail.".to_owned()],
        reverse_name: Domain::parse("mx.world.test").ok(),
        spf: SpfAuth { domain: "world.test".to_owned(), of_helo: false, result: AuthResult::Pass },
        dkim: Vec::new(),
        author: Domain::parse("world.test").ok(),
        dmarc: AuthResult::Pass,
        disposition: DmarcPolicy::None,
    }
}

#[tokio::test]
async fn a_verdict_comes_with_its_letter_and_goes_with_its_story() {
    let (world, alice) = World::with_alice().await;
    let mut message = acceptance(&letter(1), vec![delivery(alice)]);
    message.story = vec![StoryEvent::new(message.received, "It came.".to_owned(), Vec::new())];
    let trace = message.trace;
    world.store.accept_judged(vec![message], verdict()).await.unwrap();
    let world = world.reopened(|_| {});
    assert_eq!(world.store.verdict(trace).unwrap(), Some(verdict()));
    world.store.tidy().await.unwrap();
    assert_eq!(world.store.verdict(trace).unwrap(), None);
    assert_eq!(world.store.story(trace).unwrap(), None);
}

#[tokio::test]
async fn sealers_are_trusted_until_they_are_not() {
    let world = World::new(options()).await;
    let [list, other] = ["list.test", "a.test"].map(|name| Domain::parse(name).unwrap());
    assert_eq!(world.store.trusted_sealers().unwrap(), []);
    world.store.trust_sealer(list.clone()).await.unwrap();
    world.store.trust_sealer(other.clone()).await.unwrap();
    assert!(matches!(world.store.trust_sealer(list.clone()).await, Err(StoreError::Exists(_))));
    assert_eq!(world.store.trusted_sealers().unwrap(), [other.clone(), list.clone()]);
    world.store.distrust_sealer(list.clone()).await.unwrap();
    assert!(matches!(world.store.distrust_sealer(list).await, Err(StoreError::NotFound(_))));
    assert_eq!(world.store.trusted_sealers().unwrap(), [other]);
}

#[tokio::test]
async fn junk_is_made_where_it_was_deleted() {
    let (world, alice) = World::with_alice().await;
    world.store.delete_mailbox(alice, "Junk").await.unwrap();
    let suspicious = Delivery { into: Into::Special(SpecialUse::Junk), ..delivery(alice) };
    world.store.accept(vec![acceptance(&letter(1), vec![suspicious])]).await.unwrap();
    let junk = world.mailbox(alice, "Junk");
    assert_eq!(junk.special_use, Some(SpecialUse::Junk));
    assert_eq!(world.uids(junk.id), [1]);
    assert!(world.uids(world.mailbox(alice, "INBOX").id).is_empty());
}
