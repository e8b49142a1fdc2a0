//! Operators and sessions at the web.

use std::net::{IpAddr, Ipv4Addr};

use mailstead_migrations::v3;
use mailstead_store::{Session, StoreError, Timestamp, session_key};
use redb::ReadableDatabase as _;

use crate::world::{World, address, options};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

#[tokio::test]
async fn the_last_operator_stays() {
    let world = World::new(options()).await;
    let (alice, bob) = (address("alice@home.test"), address("bob@home.test"));
    let a = world.store.add_account(alice.clone(), "alice-password", None).await.unwrap();
    world.store.add_account(bob.clone(), "bob-password", None).await.unwrap();
    assert!(!world.store.has_operator().unwrap());
    world.store.set_operator(&alice, true).await.unwrap();
    assert!(world.store.has_operator().unwrap() && world.store.is_operator(a).unwrap());
    for refused in [
        world.store.set_operator(&alice, false).await,
        world.store.set_disabled(&alice, true).await,
        world.store.remove_account(&alice).await,
    ] {
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    world.store.set_operator(&bob, true).await.unwrap();
    world.store.set_disabled(&bob, true).await.unwrap();
    assert!(world.store.remove_account(&alice).await.is_err(), "bob can't sign in");
    world.store.set_disabled(&bob, false).await.unwrap();
    world.store.remove_account(&alice).await.unwrap();
    let operators: Vec<bool> = world.store.accounts().unwrap().iter().map(|account| account.operator).collect();
    assert_eq!(operators, [true]);
}

#[tokio::test]
async fn a_session_is_known_by_its_token_until_it_is_closed() {
    let world = World::new(options()).await;
    let alice = address("alice@home.test");
    let id = world.store.add_account(alice.clone(), "alice-password", None).await.unwrap();
    let first = world.store.open_session(id, HERE, "a browser\r\n").await.unwrap();
    let second = world.store.open_session(id, HERE, "another").await.unwrap();
    let session = world.store.session(&first).unwrap().unwrap();
    assert_eq!((session.account, session.agent.as_str()), (id, "a browser"));
    assert_eq!(world.store.session("guess").unwrap(), None);
    assert_eq!(world.store.sessions_of(id).unwrap().len(), 2);
    world.store.close_sessions(id, Some(session_key(&second))).await.unwrap();
    assert_eq!(world.store.session(&first).unwrap(), None);
    assert!(world.store.session(&second).unwrap().is_some());
    world.store.close_session(session_key(&second)).await.unwrap();
    assert_eq!(world.store.session(&second).unwrap(), None);
}

#[tokio::test]
async fn a_new_password_a_suspension_and_a_removal_end_all_sessions() {
    let world = World::new(options()).await;
    let alice = address("alice@home.test");
    let id = world.store.add_account(alice.clone(), "alice-password", None).await.unwrap();
    let token = world.store.open_session(id, HERE, "").await.unwrap();
    world.store.set_password(&alice, "another-password").await.unwrap();
    assert_eq!(world.store.session(&token).unwrap(), None);
    let token = world.store.open_session(id, HERE, "").await.unwrap();
    world.store.set_disabled(&alice, true).await.unwrap();
    world.store.set_disabled(&alice, false).await.unwrap();
    assert_eq!(world.store.session(&token).unwrap(), None);
    let token = world.store.open_session(id, HERE, "").await.unwrap();
    world.store.remove_account(&alice).await.unwrap();
    assert_eq!(world.store.session(&token).unwrap(), None);
    assert_eq!(world.store.sessions_of(id).unwrap(), []);
    assert!(world.store.open_session(id, HERE, "").await.is_err());
}

#[tokio::test]
async fn sessions_that_are_over_are_forgotten() {
    let world = World::new(options()).await;
    let id = world.account("alice@home.test").await;
    let (used, old) = (world.store.open_session(id, HERE, "").await.unwrap(), session_key("an old one"));
    let world = world.reopened(|folder| {
        let database = redb::Database::open(folder.join("store.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        let session =
            Session { account: id, created: Timestamp(1), seen: Timestamp(1), from: HERE, agent: String::new() };
        let bytes = postcard::to_stdvec(&session).unwrap();
        transaction.open_table(v3::SESSIONS).unwrap().insert(old.as_slice(), bytes.as_slice()).unwrap();
        transaction.commit().unwrap();
    });
    assert_eq!(world.store.session("an old one").unwrap(), None);
    world.store.tidy().await.unwrap();
    assert!(world.store.session(&used).unwrap().is_some());
    let world = world.reopened(|folder| {
        let database = redb::Database::open(folder.join("store.redb")).unwrap();
        let sessions = database.begin_read().unwrap().open_table(v3::SESSIONS).unwrap();
        assert!(sessions.get(old.as_slice()).unwrap().is_none());
    });
    drop(world);
}
