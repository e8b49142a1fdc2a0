//! The keys of domains.

use mailstead_message::Domain;
use mailstead_store::*;

use crate::world::{World, options};

fn home() -> Domain {
    Domain::parse("home.test").unwrap()
}

fn pair(name: &str) -> Vec<NewKey> {
    ["r", "e"].map(|letter| key(&format!("{name}{letter}"))).to_vec()
}

fn key(selector: &str) -> NewKey {
    NewKey { selector: selector.to_owned(), private: Secret::new(b"private".to_vec()), record: format!("p={selector}") }
}

/// Selector, state, and whether the private key is there.
fn shown(store: &Store) -> Vec<(String, KeyState, bool)> {
    let keys = store.domain_keys(&home()).unwrap();
    keys.into_iter().map(|key| (key.selector, key.state, key.private.is_some())).collect()
}

fn row(selector: &str, state: KeyState, private: bool) -> (String, KeyState, bool) {
    (selector.to_owned(), state, private)
}

#[tokio::test]
async fn a_key_goes_through_its_life_and_loses_its_private_half_when_it_retires() {
    use KeyState::{Active, Gone, Retiring, Upcoming};
    let world = World::new(options()).await;
    let store = &world.store;
    store.add_first_keys(&home(), pair("a")).await.unwrap();
    assert_eq!(shown(store), [row("ae", Active, true), row("ar", Active, true)]);
    let selectors = |name: &str| pair(name).into_iter().map(|key| key.selector).collect::<Vec<_>>();
    for none in [vec![], selectors("a"), selectors("b")] {
        store.promote_keys(&home(), none).await.unwrap();
        assert_eq!(shown(store)[0].1, Active, "nothing takes its place yet");
    }
    store.add_upcoming_keys(&home(), pair("b")).await.unwrap();
    assert!(matches!(store.add_upcoming_keys(&home(), pair("c")).await, Err(StoreError::Exists(_))));
    store.forget_key(&home(), "ar").await.unwrap();
    store.promote_keys(&home(), selectors("b")).await.unwrap();
    let rotated =
        [row("ae", Retiring, false), row("ar", Retiring, false), row("be", Active, true), row("br", Active, true)];
    assert_eq!(shown(store), rotated);
    store.end_keys(&home(), Timestamp(0)).await.unwrap();
    assert_eq!(shown(store), rotated, "letters it has signed are still on their way");
    store.end_keys(&home(), Timestamp(i64::MAX)).await.unwrap();
    assert_eq!(shown(store)[0], row("ae", Gone, false));
    store.forget_key(&home(), "ae").await.unwrap();
    store.forget_key(&home(), "be").await.unwrap();
    assert_eq!(shown(store), [row("ar", Gone, false), row("be", Active, true), row("br", Active, true)]);
    store.add_upcoming_keys(&home(), vec![key("cr")]).await.unwrap();
    assert_eq!(shown(store)[3], row("cr", Upcoming, true));
}

#[tokio::test]
async fn keys_that_were_given_up_never_sign() {
    use KeyState::{Active, Gone, Upcoming};
    let world = World::new(options()).await;
    let store = &world.store;
    store.add_first_keys(&home(), vec![key("a")]).await.unwrap();
    assert!(matches!(store.cancel_keys(&home()).await, Err(StoreError::NotFound(_))));
    store.add_upcoming_keys(&home(), vec![key("b")]).await.unwrap();
    store.cancel_keys(&home()).await.unwrap();
    assert_eq!(shown(store), [row("a", Active, true), row("b", Gone, false)]);
    store.add_upcoming_keys(&home(), vec![key("c")]).await.unwrap();
    store.promote_keys(&home(), vec!["b".to_owned()]).await.unwrap();
    assert_eq!(shown(store)[2], row("c", Upcoming, true), "another was seen in DNS");
    let strange = Domain::parse("world.test").unwrap();
    assert!(matches!(store.cancel_keys(&strange).await, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_domain_comes_and_goes_with_its_keys() {
    let world = World::new(options()).await;
    let other = Domain::parse("home.tes").unwrap();
    world.store.add_domain_with_keys(other.clone(), pair("x")).await.unwrap();
    assert!(matches!(world.store.add_domain_with_keys(other.clone(), pair("y")).await, Err(StoreError::Exists(_))));
    world.store.add_first_keys(&home(), pair("a")).await.unwrap();
    world.store.add_first_keys(&home(), pair("b")).await.unwrap();
    assert_eq!(shown(&world.store).len(), 2, "the first keys are there already");
    assert_eq!(world.store.domain_keys(&other).unwrap().len(), 2);
    let world = world.reopened(|_| {});
    world.store.remove_domain(&other).await.unwrap();
    assert!(world.store.domain_keys(&other).unwrap().is_empty());
    assert_eq!(shown(&world.store).len(), 2);
    let refused = world.store.add_first_keys(&other, pair("z")).await;
    assert!(matches!(refused, Err(StoreError::NotFound(_))), "{refused:?}");
}

#[tokio::test]
async fn the_secret_of_reverse_paths_is_made_once_and_shown_nowhere() {
    let world = World::new(options()).await;
    let secret = world.store.srs_secret().unwrap();
    assert!(secret.bytes().len() == 32 && secret.bytes().iter().any(|byte| *byte != 0));
    let world = world.reopened(|_| {});
    assert_eq!(world.store.srs_secret().unwrap(), secret);
    assert_eq!(format!("{secret:?}"), "Secret");
    assert!(!format!("{:?}", key("a")).contains("112"), "no byte of the private key shows");
}
