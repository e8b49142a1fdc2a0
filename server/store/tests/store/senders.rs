//! Remembered senders.

use mailstead_migrations::v2;
use mailstead_store::Timestamp;

use crate::world::{World, address, options};

#[tokio::test]
async fn old_and_damaged_ones_are_forgotten_however_many_there_are() {
    let world = World::new(options()).await;
    let token = |number: u32| format!("t{number:05}");
    // More than are looked at in one step.
    for number in 0..5_100 {
        let last = Timestamp(if number % 2 == 0 { 10 } else { 20 });
        world.store.remember_sender(&token(number), &address(&format!("a{number}@world.test")), last);
    }
    world.store.written().await.unwrap();
    let world = world.reopened(|folder| {
        let database = redb::Database::open(folder.join("store.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(v2::SENDERS).unwrap().insert("damaged", &b"\xff"[..]).unwrap();
        transaction.commit().unwrap();
    });
    assert!(world.store.remembered_sender("damaged").is_err());
    world.store.forget_senders(Timestamp(20)).await.unwrap();
    assert_eq!(world.store.remembered_sender("damaged").unwrap(), None);
    for number in [0, 1, 4_998, 4_999, 5_000, 5_001, 5_098, 5_099] {
        let kept = (number % 2 == 1).then(|| (address(&format!("a{number}@world.test")), Timestamp(20)));
        assert_eq!(world.store.remembered_sender(&token(number)).unwrap(), kept);
    }
}
