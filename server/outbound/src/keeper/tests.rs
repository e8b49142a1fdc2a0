#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::collections::HashMap;
use std::sync::Mutex;

use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, DnsError, Kind};
use mailstead_store::{Options, PasswordCost};

use super::*;

/// TXT records by name; a name with an error is one that can't be asked.
#[derive(Default)]
struct Texts(Mutex<HashMap<String, Result<Vec<String>, DnsError>>>);

impl Dns for Texts {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        assert_eq!(kind, Kind::Txt);
        let found = self.0.lock().unwrap().get(name).cloned().unwrap_or(Err(DnsError::NoName));
        Box::pin(async { Ok(Answer::insecure(found?.into_iter().map(|text| Data::Txt(text.into_bytes())).collect())) })
    }
}

impl Texts {
    fn set(&self, name: &str, said: Result<Vec<String>, DnsError>) {
        self.0.lock().unwrap().insert(name.to_owned(), said);
    }
}

struct World {
    store: Store,
    texts: Arc<Texts>,
    keeper: Keeper,
    _folder: tempfile::TempDir,
}

fn home() -> Domain {
    Domain::parse("home.test").unwrap()
}

const NOW: Timestamp = Timestamp(0);

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(folder.path(), options).unwrap();
        let texts = Arc::new(Texts::default());
        let keeper = Keeper::new(store.clone(), texts.clone());
        Self { store, texts, keeper, _folder: folder }
    }

    fn keys(&self, state: KeyState) -> Vec<DomainKey> {
        self.store.domain_keys(&home()).unwrap().into_iter().filter(|key| key.state == state).collect()
    }

    fn publish(&self, key: &DomainKey) {
        self.texts.set(&name(key), Ok(vec![key.record.clone()]));
    }
}

fn name(key: &DomainKey) -> String {
    format!("{}._domainkey.home.test", key.selector)
}

#[tokio::test]
async fn a_domain_from_before_there_were_keys_gets_them_and_keeps_them() {
    let world = World::new();
    world.store.add_domain(home()).await.unwrap();
    world.keeper.look(NOW).await.unwrap();
    let first = world.keys(KeyState::Active);
    assert_eq!(first.len(), 2);
    world.keeper.look(NOW).await.unwrap();
    assert_eq!(world.keys(KeyState::Active), first);
}

#[tokio::test]
async fn new_keys_sign_only_when_the_world_can_see_both_and_old_ones_leave_last() {
    let world = World::new();
    add_domain(&world.store, home()).await.unwrap();
    let old = world.keys(KeyState::Active);
    assert_eq!(old.len(), 2);
    begin_rotation(&world.store, &home()).await.unwrap();
    assert!(matches!(begin_rotation(&world.store, &home()).await, Err(StoreError::Exists(_))));
    let new = world.keys(KeyState::Upcoming);
    assert!(new.len() == 2 && new.iter().all(|key| key.selector.contains("-2")), "{new:?}");

    world.publish(&new[0]);
    for wrong in [
        Err(DnsError::NoRecords),
        Err(DnsError::Temporary("down".into())),
        Ok(vec![old[1].record.clone()]),
        Ok(vec![new[1].record.clone(), "v=DKIM1; p=".to_owned()]),
    ] {
        world.texts.set(&name(&new[1]), wrong.clone());
        world.keeper.look(NOW).await.unwrap();
        assert_eq!(world.keys(KeyState::Active), old, "{wrong:?}");
    }
    world.publish(&new[1]);
    world.keeper.look(NOW).await.unwrap();
    let active: Vec<String> = world.keys(KeyState::Active).into_iter().map(|key| key.selector).collect();
    assert_eq!(active, [new[0].selector.clone(), new[1].selector.clone()]);

    let retiring = world.keys(KeyState::Retiring);
    let since = retiring[0].since.0;
    old.iter().for_each(|key| world.publish(key));
    world.keeper.look(Timestamp(since + RETIRING_DAYS * DAY - 1)).await.unwrap();
    assert_eq!(world.keys(KeyState::Retiring).len(), 2);
    world.keeper.look(Timestamp(since + RETIRING_DAYS * DAY + 1)).await.unwrap();
    assert_eq!(world.keys(KeyState::Gone).len(), 2, "their records are still there");
    world.texts.set(&name(&old[0]), Err(DnsError::NoName));
    world.texts.set(&name(&old[1]), Err(DnsError::Temporary("down".into())));
    world.keeper.look(Timestamp(since)).await.unwrap();
    let left: Vec<String> = world.keys(KeyState::Gone).into_iter().map(|key| key.selector).collect();
    assert_eq!(left, [old[1].selector.clone()], "only what is surely gone is forgotten");
}
