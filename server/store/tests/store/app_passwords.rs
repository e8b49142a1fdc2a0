use std::net::IpAddr;

use mailstead_store::*;

use crate::world::{World, address};

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(198, 51, 100, 1));

#[tokio::test]
async fn an_app_password_reads_mail_and_governs_nothing() {
    let (world, alice) = World::with_alice().await;
    let login = address("alice@home.test");
    world.store.add_address(&login, address("al@home.test")).await.unwrap();
    let (made, secret) = world.store.add_app_password(&login, " phone ").await.unwrap();
    assert_eq!((made.name.as_str(), &made.last_used), ("phone", &None));
    let who = Login { id: alice, address: login.clone(), app_password: Some(made.id) };
    let undashed = secret.replace('-', "").to_uppercase();
    for (name, password) in [("alice@home.test", secret.as_str()), (" AL@home.test", &undashed)] {
        assert_eq!(world.store.authenticate(name, password).await.unwrap(), Some(who.clone()), "{name}");
        assert_eq!(world.store.authenticate_own(name, password).await.unwrap(), None, "{name}");
    }
    let own = world.store.authenticate("alice@home.test", "secret").await.unwrap();
    assert_eq!(own, Some(Login { app_password: None, ..who.clone() }));
    assert_eq!(world.store.authenticate_own("alice@home.test", "secret").await.unwrap(), own);
    world.account("bob@home.test").await;
    for name in ["bob@home.test", "nobody@home.test", ""] {
        assert_eq!(world.store.authenticate(name, &secret).await.unwrap(), None, "{name}");
    }
    world.store.set_password(&login, "another").await.unwrap();
    assert_eq!(world.store.authenticate("alice@home.test", &secret).await.unwrap(), Some(who.clone()));
    world.store.set_disabled(&login, true).await.unwrap();
    assert_eq!(world.store.authenticate("alice@home.test", &secret).await.unwrap(), None);
    assert!(world.store.authenticate_by_proof("alice@home.test", &|_| true).unwrap().is_none());
    world.store.set_disabled(&login, false).await.unwrap();
    world.store.remove_app_password(&login, made.id).await.unwrap();
    assert_eq!(world.store.authenticate("alice@home.test", &secret).await.unwrap(), None);
    let again = world.store.remove_app_password(&login, made.id).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn what_an_account_has_no_other_can_see_or_remove() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    let (alice, bob) = (address("alice@home.test"), address("bob@home.test"));
    let (made, secret) = world.store.add_app_password(&alice, "phone").await.unwrap();
    assert!(world.store.app_passwords(&bob).unwrap().is_empty());
    assert!(matches!(world.store.remove_app_password(&bob, made.id).await, Err(StoreError::NotFound(_))));
    assert_eq!(world.store.remove_app_passwords(&bob).await.unwrap(), 0);
    assert!(world.store.authenticate("alice@home.test", &secret).await.unwrap().is_some());
    assert_eq!(world.store.remove_app_passwords(&alice).await.unwrap(), 1);
    assert!(world.store.authenticate("alice@home.test", &secret).await.unwrap().is_none());
    assert!(matches!(world.store.app_passwords(&address("x@home.test")), Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn names_of_devices_are_short_single_and_few() {
    let (world, _) = World::with_alice().await;
    let alice = address("alice@home.test");
    for name in ["", "  ", "two\nlines", &"x".repeat(65)] {
        assert!(matches!(world.store.add_app_password(&alice, name).await, Err(StoreError::Invalid(_))), "{name:?}");
    }
    assert!(world.store.scram_terms().is_none(), "a refused one is none");
    for number in 0..MAX_APP_PASSWORDS {
        world.store.add_app_password(&alice, &format!("Device {number}")).await.unwrap();
    }
    let same = world.store.add_app_password(&alice, "device 1").await;
    assert!(matches!(same, Err(StoreError::Invalid(_))));
    let all = world.store.app_passwords(&alice).unwrap();
    assert_eq!(all.len(), MAX_APP_PASSWORDS);
    world.store.remove_app_password(&alice, all[0].id).await.unwrap();
    let same = world.store.add_app_password(&alice, "device 1").await;
    assert!(matches!(same, Err(StoreError::Exists(_))));
    let (made, _) = world.store.add_app_password(&alice, "device 0").await.unwrap();
    assert!(all.iter().all(|other| other.id < made.id), "ids are never used again");
}

#[tokio::test]
async fn scram_is_offered_while_there_is_an_app_password_and_on_lasting_terms() {
    let (world, alice) = World::with_alice().await;
    let login = address("alice@home.test");
    assert_eq!(world.store.scram_terms(), None);
    world.store.add_app_password(&login, "phone").await.unwrap();
    let terms = world.store.scram_terms().unwrap();
    assert_eq!((terms.0.len(), terms.1), (16, 4_096));
    let (made, _) = world.store.add_app_password(&login, "laptop").await.unwrap();
    let world = world.reopened(|_| {});
    assert_eq!(world.store.scram_terms(), Some(terms.clone()));
    let asked = std::cell::Cell::new(0);
    let count = |_: &[u8; 32]| {
        asked.set(asked.get() + 1);
        true
    };
    let (found, _) = world.store.authenticate_by_proof("alice@home.test", &count).unwrap().unwrap();
    assert_eq!(found, Login { id: alice, address: login.clone(), app_password: Some(made.id) });
    assert_eq!(asked.replace(0), MAX_APP_PASSWORDS);
    assert!(world.store.authenticate_by_proof("nobody@home.test", &count).unwrap().is_none());
    assert_eq!(asked.get(), MAX_APP_PASSWORDS, "a name nobody has costs as much");
    world.store.remove_app_passwords(&login).await.unwrap();
    assert_eq!(world.store.scram_terms(), None);
    world.store.add_app_password(&login, "phone").await.unwrap();
    assert_eq!(world.store.scram_terms(), Some(terms));
}

#[tokio::test]
async fn the_last_use_is_noted_once_an_hour_or_when_it_comes_from_elsewhere() {
    let (world, _) = World::with_alice().await;
    let alice = address("alice@home.test");
    let (_, secret) = world.store.add_app_password(&alice, "phone").await.unwrap();
    let found = world.store.authenticate("alice@home.test", &secret).await.unwrap().unwrap();
    let used = |protocol: &'static str, from: IpAddr| {
        let (store, found, alice) = (&world.store, &found, &alice);
        async move {
            store.note_login(found, protocol, from);
            store.written().await.unwrap();
            let last = store.app_passwords(alice).unwrap()[0].last_used.clone().unwrap();
            (last.protocol, last.from)
        }
    };
    assert_eq!(used("IMAP", HOME).await, ("IMAP".to_owned(), HOME));
    assert_eq!(used("IMAP", AWAY).await, ("IMAP".to_owned(), AWAY));
    assert_eq!(used("SMTP", AWAY).await, ("SMTP".to_owned(), AWAY));
    let own = world.store.authenticate("alice@home.test", "secret").await.unwrap().unwrap();
    world.store.note_login(&own, "IMAP", HOME);
    assert_eq!(used("SMTP", AWAY).await, ("SMTP".to_owned(), AWAY), "the account's own password is no device");
    world.store.remove_app_passwords(&alice).await.unwrap();
    world.store.note_login(&found, "IMAP", HOME);
    world.store.written().await.unwrap();
    world.store.add_app_password(&alice, "phone").await.unwrap();
    assert_eq!(world.store.app_passwords(&alice).unwrap()[0].last_used, None);
}

#[tokio::test]
async fn a_removed_account_takes_its_app_passwords_with_it() {
    let (world, _) = World::with_alice().await;
    let alice = address("alice@home.test");
    let (_, secret) = world.store.add_app_password(&alice, "phone").await.unwrap();
    world.store.remove_account(&alice).await.unwrap();
    assert_eq!(world.store.scram_terms(), None);
    world.account("alice@home.test").await;
    assert!(world.store.app_passwords(&alice).unwrap().is_empty());
    assert_eq!(world.store.authenticate("alice@home.test", &secret).await.unwrap(), None);
}
