//! Setting up: who may, for how long, and how it ends.

use mailstead_message::Domain;
use mailstead_store::StoreError;

use crate::world::{World, address, options};

#[tokio::test]
async fn only_the_latest_link_opens_the_set_up_and_none_once_somebody_governs() {
    let world = World::new(options()).await;
    assert!(!world.store.opens_setup("").unwrap());
    let (first, _) = world.store.new_setup_link().await.unwrap();
    assert!(world.store.opens_setup(&first).unwrap());
    let (second, _) = world.store.new_setup_link().await.unwrap();
    assert!(!world.store.opens_setup(&first).unwrap());
    assert!(!world.store.opens_setup("guess").unwrap());
    let world = world.reopened(|folder| {
        let bytes = std::fs::read(folder.join("store.redb")).unwrap();
        assert!(!bytes.windows(second.len()).any(|window| window == second.as_bytes()), "the token itself is kept");
    });
    assert!(world.store.opens_setup(&second).unwrap());
    let alice = address("alice@home.test");
    let id = world.store.set_up_operator(&alice, Some("alice-password")).await.unwrap();
    assert!(world.store.is_operator(id).unwrap());
    assert!(world.store.authenticate("alice@home.test", "alice-password").await.unwrap().is_some());
    assert!(!world.store.opens_setup(&second).unwrap());
    for refused in [
        world.store.new_setup_link().await.map(|_| ()),
        world.store.set_up_operator(&address("mallory@home.test"), Some("mallory-password")).await.map(|_| ()),
    ] {
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    assert_eq!(world.store.accounts().unwrap().len(), 1);
}

#[tokio::test]
async fn an_account_that_is_there_becomes_the_operator_with_the_password_it_has() {
    let world = World::new(options()).await;
    let alice = address("alice@home.test");
    let id = world.store.add_account(alice.clone(), "alice-password", None).await.unwrap();
    assert_eq!(world.store.set_up_operator(&alice, Some("other-password")).await.unwrap(), id);
    assert!(world.store.authenticate("alice@home.test", "alice-password").await.unwrap().is_some());
    assert!(world.store.authenticate("alice@home.test", "other-password").await.unwrap().is_none());
}

#[tokio::test]
async fn the_host_name_chosen_is_kept() {
    let world = World::new(options()).await;
    assert_eq!(world.store.hostname().unwrap(), None);
    let name = Domain::parse("mail.home.test").unwrap();
    world.store.set_hostname(name.clone()).await.unwrap();
    assert_eq!(world.reopened(|_| {}).store.hostname().unwrap(), Some(name));
}
