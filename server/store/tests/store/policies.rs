//! MTA-STS policies: what is kept of others', and what our domains say of themselves.

use mailstead_message::Domain;
use mailstead_migrations::v2;
use mailstead_store::*;

use crate::world::{World, options};

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn policy(id: &str, expires: i64) -> StsPolicy {
    StsPolicy {
        id: id.to_owned(),
        text: "version: STSv1\n".to_owned(),
        fetched: Timestamp(1),
        expires: Timestamp(expires),
    }
}

#[tokio::test]
async fn a_policy_is_kept_over_a_restart_until_its_time_is_over() {
    let world = World::new(options()).await;
    let store = &world.store;
    store.keep_sts_policy(&domain("world.test"), policy("old", 2)).await.unwrap();
    store.keep_sts_policy(&domain("world.test"), policy("new", i64::MAX)).await.unwrap();
    store.keep_sts_policy(&domain("over.test"), policy("x", 2)).await.unwrap();
    let aging = |now: i64| store.aging_sts_policies(Timestamp(now), 10).unwrap();
    store.keep_sts_policy(&domain("aging.test"), policy("x", 101)).await.unwrap();
    assert_eq!(aging(50), []);
    assert_eq!(aging(51), [domain("aging.test")]);
    assert_eq!(aging(101), []);
    let world = world.reopened(|_| {});
    let found = |name: &str| world.store.sts_policy(&domain(name)).unwrap();
    assert_eq!(found("world.test"), Some(policy("new", i64::MAX)));
    assert_eq!(found("over.test"), Some(policy("x", 2)));
    world.store.tidy().await.unwrap();
    assert_eq!(found("world.test"), Some(policy("new", i64::MAX)));
    assert_eq!(found("over.test"), None);
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_keeps_no_other_from_being_renewed() {
    let world = World::new(options()).await;
    world.store.keep_sts_policy(&domain("world.test"), policy("x", 101)).await.unwrap();
    let world = world.reopened(|folder| {
        let database = redb::Database::open(folder.join("store.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(v2::STS_POLICIES).unwrap().insert("broken.test", [0xff_u8].as_slice()).unwrap();
        transaction.commit().unwrap();
    });
    assert_eq!(world.store.aging_sts_policies(Timestamp(60), 10).unwrap(), [domain("world.test")]);
}

#[tokio::test]
async fn a_domain_is_in_testing_until_its_operator_says_otherwise() {
    let world = World::new(options()).await;
    let (store, home) = (&world.store, domain("home.test"));
    assert_eq!(store.sts_mode(&home).unwrap(), Some(StsMode::Testing));
    store.set_sts_mode(&home, StsMode::Enforce).await.unwrap();
    assert_eq!(store.sts_mode(&home).unwrap(), Some(StsMode::Enforce));
    assert_eq!(store.sts_mode(&domain("far.test")).unwrap(), None);
    assert!(store.set_sts_mode(&domain("far.test"), StsMode::None).await.is_err());
    store.remove_domain(&home).await.unwrap();
    store.add_domain(home.clone()).await.unwrap();
    assert_eq!(store.sts_mode(&home).unwrap(), Some(StsMode::Testing), "a new domain inherits nothing");
}
