//! Letters come in, and are there.

use std::io::Write as _;

use mailstead_store::*;

use crate::world::{World, acceptance, append, delivery, letter, noise};

#[tokio::test]
async fn a_delivered_letter_is_there_byte_for_byte_after_reopening() {
    let (world, alice) = World::with_alice().await;
    world.store.accept(vec![acceptance(&letter(1), vec![delivery(alice)])]).await.unwrap();
    let world = world.reopened(|_| {});
    let inbox = world.mailbox(alice, "inbox");
    let whole = [b"Return-Path: <bob@world.test>\r\n".as_slice(), &letter(1)].concat();
    assert_eq!(world.bytes(inbox.id, 1).unwrap(), whole);
    let message = world.message(inbox.id, 1);
    assert_eq!((message.size, message.prefix_len, message.internal_date), (whole.len() as u64, 31, Timestamp(2_000)));
    assert_eq!((inbox.messages, inbox.unseen, inbox.size), (1, 1, whole.len() as u64));
    assert_eq!(world.used(alice), whole.len() as u64);
    let mut blob = world.store.open_blob(message.blob).unwrap();
    assert_eq!(blob.read_all().unwrap(), letter(1));
    assert!(world.store.snapshot().unwrap().summary(message.blob).is_ok());
}

#[tokio::test]
async fn a_letter_to_two_people_is_kept_once_and_freed_with_the_last_of_them() {
    let (world, alice) = World::with_alice().await;
    let bob = world.account("bob@home.test").await;
    let letter = noise(1, 50_000);
    world.store.accept(vec![acceptance(&letter, vec![delivery(alice), delivery(bob)])]).await.unwrap();
    assert!(world.pack_bytes() < 60_000, "kept once");
    let (hers, his) = (world.mailbox(alice, "INBOX").id, world.mailbox(bob, "INBOX").id);
    let blob = world.message(hers, 1).blob;
    world.store.remove_messages(hers, vec![Uid(1)]).await.unwrap();
    assert!(world.bytes(his, 1).unwrap().ends_with(&letter));
    assert!(matches!(world.bytes(hers, 1), Err(StoreError::NotFound(_))));
    world.store.remove_messages(his, vec![Uid(1)]).await.unwrap();
    assert!(matches!(world.store.open_blob(blob), Err(StoreError::NotFound(_))));
    assert_eq!((world.used(alice), world.used(bob)), (0, 0));
}

#[tokio::test]
async fn a_letter_freed_and_sent_again_is_there_again() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    world.append(inbox, &letter(1)).await;
    world.store.remove_messages(inbox, vec![Uid(1)]).await.unwrap();
    let again = world.append(inbox, &letter(1)).await;
    assert_eq!(again, Uid(2));
    assert_eq!(world.bytes(inbox, 2).unwrap(), letter(1));
}

#[tokio::test]
async fn the_same_letter_twice_in_one_append_gets_two_uids() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    let (_, uids) = world.store.append(inbox, vec![append(&letter(1)), append(&letter(1))]).await.unwrap();
    assert_eq!(uids, [Uid(1), Uid(2)]);
    world.store.remove_messages(inbox, vec![Uid(1)]).await.unwrap();
    assert_eq!(world.bytes(inbox, 2).unwrap(), letter(1));
}

#[tokio::test]
async fn a_reader_outlives_the_message_it_reads() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    world.append(inbox, &letter(1)).await;
    let mut reader = world.store.open_message(inbox, Uid(1)).unwrap();
    world.store.remove_messages(inbox, vec![Uid(1)]).await.unwrap();
    assert_eq!(reader.read_all().unwrap(), letter(1));
}

#[tokio::test]
async fn an_empty_letter_is_kept_too() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    world.append(inbox, b"").await;
    assert_eq!(world.bytes(inbox, 1).unwrap(), b"");
}

#[tokio::test]
async fn nothing_is_stored_when_one_recipient_of_several_has_no_room() {
    let (world, alice) = World::with_alice().await;
    let bob = world.account("bob@home.test").await;
    world.store.set_quota(&crate::world::address("bob@home.test"), Some(10)).await.unwrap();
    let result = world.store.accept(vec![acceptance(&letter(1), vec![delivery(alice), delivery(bob)])]).await;
    assert!(matches!(result, Err(StoreError::OverQuota)));
    assert_eq!(world.mailbox(alice, "INBOX").messages, 0);
    assert_eq!(world.used(alice), 0);
}

#[tokio::test]
async fn letters_that_fit_one_by_one_but_not_together_are_refused_together() {
    let (world, alice) = World::with_alice().await;
    let room = letter(1).len() as u64 * 2;
    world.store.set_quota(&crate::world::address("alice@home.test"), Some(room)).await.unwrap();
    let both = vec![acceptance(&letter(1), vec![delivery(alice)]), acceptance(&letter(2), vec![delivery(alice)])];
    assert!(matches!(world.store.accept(both).await, Err(StoreError::OverQuota)));
    assert_eq!(world.used(alice), 0);
}

#[tokio::test]
async fn a_delivery_goes_where_it_is_sent_or_to_the_inbox_where_that_is_gone() {
    let (world, alice) = World::with_alice().await;
    let into = |into: Into| Delivery { into, ..delivery(alice) };
    let deliveries = vec![
        into(Into::Special(SpecialUse::Junk)),
        into(Into::Named("Archive".into())),
        into(Into::Named("Gone".into())),
    ];
    world.store.accept(vec![acceptance(&letter(1), deliveries)]).await.unwrap();
    for name in ["Junk", "Archive", "INBOX"] {
        assert_eq!(world.mailbox(alice, name).messages, 1, "{name}");
    }
}

#[tokio::test]
async fn one_refused_letter_takes_none_of_its_neighbours_with_it() {
    let (world, alice) = World::with_alice().await;
    let mut tasks = Vec::new();
    for number in 0..60 {
        let store = world.store.clone();
        let into = if number % 3 == 0 { AccountId(99) } else { alice };
        let keywords = if number % 5 == 0 { "not an atom" } else { "$Fine" };
        let mut delivery = delivery(into);
        delivery.flags.keywords.insert(keywords.to_owned());
        tasks.push(tokio::spawn(async move {
            let message = acceptance(&letter(number), vec![delivery]);
            (number, store.accept(vec![message]).await.is_ok())
        }));
    }
    for task in tasks {
        let (number, taken) = task.await.unwrap();
        assert_eq!(taken, number % 3 != 0 && number % 5 != 0, "{number}");
    }
    let inbox = world.mailbox(alice, "INBOX");
    let good = (0..60).filter(|number| number % 3 != 0 && number % 5 != 0).count();
    assert_eq!(inbox.messages as usize, good);
}

#[test]
fn letters_accepted_from_many_threads_at_once_are_all_there() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (world, alice) = runtime.block_on(World::with_alice());
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let store = world.store.clone();
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
                for number in 0..25 {
                    let message = acceptance(&letter(thread * 100 + number), vec![delivery(alice)]);
                    runtime.block_on(store.accept(vec![message])).unwrap();
                }
            });
        }
    });
    let world = world.reopened(|_| {});
    let inbox = world.mailbox(alice, "INBOX").id;
    assert_eq!(world.uids(inbox), (1..=200).collect::<Vec<_>>());
    let mut found: Vec<_> = (1..=200).map(|uid| world.bytes(inbox, uid).unwrap()).collect();
    let mut sent: Vec<_> = (0..8)
        .flat_map(|thread| (0..25).map(move |number| letter(thread * 100 + number)))
        .map(|letter| [b"Return-Path: <bob@world.test>\r\n".as_slice(), &letter].concat())
        .collect();
    found.sort();
    sent.sort();
    assert!(found == sent, "each letter once, none changed");
}

#[tokio::test]
async fn a_large_letter_from_a_spool_file_is_read_back_in_ranges() {
    let (world, alice) = World::with_alice().await;
    let body = noise(1, 5_500_000);
    let mut spool = tempfile::tempfile().unwrap();
    spool.write_all(b"EHLO junk before").unwrap();
    spool.write_all(&body).unwrap();
    spool.write_all(b"junk behind").unwrap();
    let head = b"Received: from nowhere\r\n";
    let message = Prepared::from_file(head, &spool, 16..16 + body.len() as u64).unwrap();
    drop(spool);
    let mut accepted = acceptance(b"", vec![delivery(alice)]);
    accepted.message = message;
    world.store.accept(vec![accepted]).await.unwrap();
    let world = world.reopened(|_| {});
    let inbox = world.mailbox(alice, "INBOX").id;
    let whole = [b"Return-Path: <bob@world.test>\r\n".as_slice(), head, &body].concat();
    let mut reader = world.store.open_message(inbox, Uid(1)).unwrap();
    assert_eq!(reader.len(), whole.len() as u64);
    for (from, to) in
        [(0, 10), (20, 60), (1_048_570, 1_048_640), (1_000_000, 4_200_000), (5_500_000, 9_000_000), (7, 7)]
    {
        let end = to.min(whole.len());
        assert!(reader.read(from as u64..to as u64).unwrap() == whole[from..end], "{from}..{to}");
    }
    assert!(reader.read_all().unwrap() == whole);
    assert!(reader.read(90_000_000..90_000_010).unwrap().is_empty());
}
