//! Messages on their way out.

use mailstead_store::*;

use crate::world::{World, acceptance, address, append, delivery, letter, options, trace};

fn entry(recipients: &[&str]) -> NewQueueEntry {
    let recipient = |text: &&str| NewRecipient { address: address(text), orcpt: None, notify: Some(Notify::default()) };
    NewQueueEntry {
        reverse_path: Some(address("alice@home.test")),
        recipients: recipients.iter().map(recipient).collect(),
        envid: Some("id 1".to_owned()),
        ret: Some(Ret::Headers),
        eight_bit: true,
        smtputf8: false,
        tls: TlsNeed::Usual,
    }
}

pub(crate) async fn enqueue(world: &World, number: usize, at: i64, recipients: &[&str]) -> QueueId {
    let before: Vec<QueueId> = world.store.queue().unwrap().iter().map(|entry| entry.id).collect();
    let mut message = acceptance(&letter(number), Vec::new());
    message.received = Timestamp(at);
    message.queue.push(entry(recipients));
    world.store.accept(vec![message]).await.unwrap();
    let queue = world.store.queue().unwrap();
    queue.iter().map(|entry| entry.id).find(|id| !before.contains(id)).expect("it is in the queue")
}

fn due(world: &World, now: i64) -> Vec<QueueId> {
    world.store.due(Timestamp(now), 10).unwrap().into_iter().map(|entry| entry.id).collect()
}

fn settled(recipients: &[(usize, RecipientState)], due: Option<i64>) -> Settlement {
    let recipients = recipients.iter().map(|(index, state)| (*index, *state, "250 fine".to_owned())).collect();
    Settlement { recipients, due: due.map(Timestamp), attempted: true, ..Settlement::default() }
}

#[tokio::test]
async fn a_queued_message_is_there_after_reopening_with_all_that_was_asked_for() {
    let world = World::new(options()).await;
    let id = enqueue(&world, 1, 50, &["bob@world.test"]).await;
    let world = world.reopened(|_| {});
    let found = world.store.queue_entry(id).unwrap().unwrap();
    assert_eq!((found.trace, found.created, found.due, found.attempts), (trace(1), Timestamp(50), Timestamp(50), 0));
    assert_eq!((found.envid.as_deref(), found.ret, found.eight_bit), (Some("id 1"), Some(Ret::Headers), true));
    assert_eq!(found.recipients[0].state, RecipientState::Waiting);
    assert_eq!(world.store.open_blob(found.blob).unwrap().read_all().unwrap(), letter(1));
    assert_eq!(found.size, letter(1).len() as u64);
}

#[tokio::test]
async fn the_oldest_due_comes_first_and_nothing_before_its_time() {
    let world = World::new(options()).await;
    let late = enqueue(&world, 1, 300, &["a@world.test"]).await;
    let early = enqueue(&world, 2, 100, &["b@world.test"]).await;
    let middle = enqueue(&world, 3, 200, &["c@world.test"]).await;
    assert_eq!(world.store.next_due().unwrap(), Some(Timestamp(100)));
    assert_eq!(due(&world, 99), []);
    assert_eq!(due(&world, 200), [early, middle]);
    assert_eq!(due(&world, 1_000), [early, middle, late]);
    assert_eq!(world.store.due(Timestamp(1_000), 1).unwrap().len(), 1);
    world.store.settle(early, settled(&[], Some(500)), Vec::new()).await.unwrap();
    assert_eq!(due(&world, 1_000), [middle, late, early]);
    assert_eq!(world.store.queue_entry(early).unwrap().unwrap().attempts, 1);
}

#[tokio::test]
async fn an_entry_goes_with_its_blob_when_nobody_waits_any_more() {
    let world = World::new(options()).await;
    let id = enqueue(&world, 1, 10, &["a@world.test", "b@world.test"]).await;
    let blob = world.store.queue_entry(id).unwrap().unwrap().blob;
    world
        .store
        .settle(id, settled(&[(0, RecipientState::Delivered), (7, RecipientState::Failed)], Some(99)), vec![])
        .await
        .unwrap();
    let found = world.store.queue_entry(id).unwrap().unwrap();
    assert_eq!(found.recipients[0].last.as_deref(), Some("250 fine"));
    assert_eq!((found.recipients[1].state, found.due), (RecipientState::Waiting, Timestamp(99)));
    world.store.settle(id, settled(&[(1, RecipientState::Failed)], None), Vec::new()).await.unwrap();
    assert_eq!(world.store.queue_entry(id).unwrap(), None);
    assert_eq!(world.store.next_due().unwrap(), None);
    assert!(matches!(world.store.open_blob(blob), Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_report_reaches_even_a_full_mailbox() {
    let (world, alice) = World::with_alice().await;
    let id = enqueue(&world, 1, 10, &["a@world.test"]).await;
    let failed = settled(&[(0, RecipientState::Failed)], None);
    world.store.set_quota(&address("alice@home.test"), Some(1)).await.unwrap();
    let report = || vec![acceptance(&letter(9), vec![delivery(alice)])];
    assert!(matches!(world.store.accept(report()).await, Err(StoreError::OverQuota)));
    world.store.settle(id, failed, report()).await.unwrap();
    assert_eq!(world.store.queue_entry(id).unwrap(), None);
    assert_eq!(world.mailbox(alice, "INBOX").messages, 1);
}

#[tokio::test]
async fn a_report_to_an_account_that_is_gone_is_not_taken_for_a_missing_entry() {
    let world = World::new(options()).await;
    let id = enqueue(&world, 1, 10, &["a@world.test"]).await;
    let failed = settled(&[(0, RecipientState::Failed)], None);
    let report = vec![acceptance(&letter(9), vec![delivery(AccountId(42))])];
    let result = world.store.settle(id, failed, report).await;
    assert!(matches!(result, Err(StoreError::Invalid(_))));
    assert!(world.store.queue_entry(id).unwrap().is_some(), "an outcome and its report are written together");
}

#[tokio::test]
async fn the_outcome_of_a_removed_entry_is_told_to_nobody() {
    let (world, alice) = World::with_alice().await;
    let id = enqueue(&world, 1, 10, &["a@world.test"]).await;
    world.store.queue_action(id, QueueAction::Remove).await.unwrap();
    let report = vec![acceptance(&letter(9), vec![delivery(alice)])];
    world.store.settle(id, settled(&[(0, RecipientState::Failed)], None), report).await.unwrap();
    assert_eq!(world.mailbox(alice, "INBOX").messages, 0);
    let again = world.store.queue_action(id, QueueAction::Remove).await;
    assert!(matches!(again, Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_held_message_waits_until_it_is_retried() {
    let world = World::new(options()).await;
    let id = enqueue(&world, 1, 10, &["a@world.test"]).await;
    world.store.queue_action(id, QueueAction::Hold).await.unwrap();
    world.store.settle(id, settled(&[], Some(20)), Vec::new()).await.unwrap();
    let world = world.reopened(|_| {});
    assert_eq!((due(&world, i64::MAX), world.store.next_due().unwrap()), (vec![], None));
    let mut watch = world.store.watch_queue();
    watch.borrow_and_update();
    world.store.queue_action(id, QueueAction::Retry).await.unwrap();
    assert!(watch.has_changed().unwrap());
    assert_eq!(due(&world, i64::MAX), [id]);
    assert!(due(&world, 20).is_empty(), "due now, not in the past");
}

#[tokio::test]
async fn one_blob_serves_the_mailbox_and_both_entries_of_a_message() {
    let (world, alice) = World::with_alice().await;
    let mut message = acceptance(&letter(1), vec![delivery(alice)]);
    message.queue = vec![entry(&["a@world.test"]), entry(&["b@world.test"])];
    world.store.accept(vec![message]).await.unwrap();
    let inbox = world.mailbox(alice, "INBOX").id;
    let blob = world.message(inbox, 1).blob;
    world.store.remove_messages(inbox, vec![Uid(1)]).await.unwrap();
    let ids: Vec<QueueId> = world.store.queue().unwrap().iter().map(|entry| entry.id).collect();
    assert_eq!(ids.len(), 2);
    world.store.queue_action(ids[0], QueueAction::Remove).await.unwrap();
    assert_eq!(world.store.open_blob(blob).unwrap().read_all().unwrap(), letter(1));
    world.store.queue_action(ids[1], QueueAction::Remove).await.unwrap();
    assert!(matches!(world.store.open_blob(blob), Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn the_runner_is_woken_by_the_queue_and_by_nothing_else() {
    let (world, alice) = World::with_alice().await;
    let mut watch = world.store.watch_queue();
    watch.borrow_and_update();
    let inbox = world.mailbox(alice, "INBOX").id;
    world.store.append(inbox, vec![append(&letter(1))]).await.unwrap();
    assert!(!watch.has_changed().unwrap());
    enqueue(&world, 2, 10, &["a@world.test"]).await;
    assert!(watch.has_changed().unwrap());
}

#[tokio::test]
async fn nobody_is_told_of_a_failure_that_a_peer_has_overtaken() {
    let world = World::new(options()).await;
    let id = enqueue(&world, 1, 50, &["a@world.test", "b@world.test"]).await;
    let seen = world.store.queue_entry(id).unwrap().unwrap();
    world.store.settle(id, settled(&[(0, RecipientState::Delivered)], Some(60)), Vec::new()).await.unwrap();
    let failed = settled(&[(0, RecipientState::Failed), (1, RecipientState::Failed)], None);
    let refused = world.store.settle_unchanged(seen, failed, Vec::new()).await.unwrap_err();
    assert!(refused.to_string().contains("has just changed"), "{refused}");
    let seen = world.store.queue_entry(id).unwrap().unwrap();
    assert_eq!(seen.recipients[0].state, RecipientState::Delivered);
    let failed = settled(&[(1, RecipientState::Failed)], None);
    world.store.settle_unchanged(seen.clone(), failed.clone(), Vec::new()).await.unwrap();
    assert_eq!(world.store.queue().unwrap(), []);
    let gone = world.store.settle_unchanged(seen, failed, Vec::new()).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound(_)), "{gone}");
}

#[tokio::test]
async fn all_are_tried_at_once_but_those_that_are_held() {
    let world = World::new(options()).await;
    let late = i64::MAX / 4;
    let (one, held) =
        (enqueue(&world, 1, late, &["a@world.test"]).await, enqueue(&world, 2, late, &["b@world.test"]).await);
    world.store.queue_action(held, QueueAction::Hold).await.unwrap();
    assert_eq!(world.store.retry_all().await.unwrap(), 1);
    assert_eq!(due(&world, late - 1), [one]);
    assert!(world.store.queue_entry(held).unwrap().unwrap().held);
}
