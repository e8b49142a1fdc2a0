//! Flags, keywords, modseqs, copying, moving, expunging.

use mailstead_store::*;

use crate::world::{World, append, flags, letter, uid_list};

async fn with_letters(count: usize) -> (World, AccountId, MailboxId) {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    let letters = (1..=count).map(|number| append(&letter(number))).collect();
    world.store.append(inbox, letters).await.unwrap();
    (world, alice, inbox)
}

#[tokio::test]
async fn flags_are_replaced_added_and_removed_and_counted() {
    let (world, alice, inbox) = with_letters(2).await;
    let change = |change| world.store.change_flags(inbox, uid_list(&[1, 9]), change, None);
    let outcome = change(FlagChange::Replace(flags(Flags::SEEN | Flags::DELETED, &["$Work"]))).await.unwrap();
    assert_eq!(outcome.messages.len(), 1, "UID 9 is nobody's");
    assert_eq!(outcome.messages[0].flags, flags(Flags::SEEN | Flags::DELETED, &["$Work"]));
    assert_eq!(outcome.messages[0].modseq, outcome.modseq);
    let mailbox = world.mailbox(alice, "INBOX");
    assert_eq!((mailbox.unseen, mailbox.deleted, mailbox.highest_modseq), (1, 1, outcome.modseq));
    change(FlagChange::Add(flags(Flags::FLAGGED, &["$WORK", "Later"]))).await.unwrap();
    let all = Flags::SEEN | Flags::DELETED | Flags::FLAGGED;
    assert_eq!(world.message(inbox, 1).flags, flags(all, &["$Work", "Later"]));
    change(FlagChange::Remove(flags(Flags::SEEN | Flags::DELETED, &["later", "Unknown"]))).await.unwrap();
    assert_eq!(world.message(inbox, 1).flags, flags(Flags::FLAGGED, &["$Work"]));
    let mailbox = world.mailbox(alice, "INBOX");
    assert_eq!((mailbox.unseen, mailbox.deleted), (2, 0));
    let keywords = world.store.snapshot().unwrap().keywords(inbox).unwrap();
    assert_eq!(keywords, ["$Work", "Later"]);
}

#[tokio::test]
async fn a_flag_change_that_changes_nothing_moves_no_modseq() {
    let (world, alice, inbox) = with_letters(1).await;
    let before = world.mailbox(alice, "INBOX").highest_modseq;
    let nothing = FlagChange::Remove(flags(Flags::SEEN, &["None"]));
    let outcome = world.store.change_flags(inbox, uid_list(&[1]), nothing, None).await.unwrap();
    assert_eq!((outcome.modseq, outcome.messages.len()), (before, 1));
    assert_eq!(world.mailbox(alice, "INBOX").highest_modseq, before);
}

#[tokio::test]
async fn a_message_changed_since_is_refused_and_the_others_are_not() {
    let (world, _, inbox) = with_letters(2).await;
    let add = |uids: &[u32], since| {
        world.store.change_flags(inbox, uid_list(uids), FlagChange::Add(flags(Flags::SEEN, &[])), since)
    };
    let since = world.message(inbox, 1).modseq;
    add(&[2], None).await.unwrap();
    let flagged = FlagChange::Add(flags(Flags::FLAGGED, &[]));
    let outcome = world.store.change_flags(inbox, uid_list(&[1, 2]), flagged, Some(since)).await.unwrap();
    assert_eq!(outcome.modified, [Uid(2)]);
    assert_eq!(outcome.messages.iter().map(|message| message.uid).collect::<Vec<_>>(), [Uid(1)]);
    assert_eq!(world.message(inbox, 2).flags.system, Flags::SEEN);
}

#[tokio::test]
async fn keywords_that_are_no_atoms_too_long_or_too_many_are_refused() {
    let (world, _, inbox) = with_letters(1).await;
    let many: Vec<String> = (0..65).map(|number| format!("k{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let long = "x".repeat(101);
    for keywords in [&["two words"][..], &[""], &["\\Seen"], &["a)b"], &["gr\u{fc}n"], &[&long], &many] {
        let add = FlagChange::Add(flags(Flags::default(), keywords));
        let result = world.store.change_flags(inbox, uid_list(&[1]), add, None).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{keywords:?}");
    }
    assert_eq!(world.message(inbox, 1).flags, FlagSet::default());
    assert!(world.store.snapshot().unwrap().keywords(inbox).unwrap().is_empty());
}

#[tokio::test]
async fn changes_since_a_modseq_are_each_told_once() {
    let (world, _, inbox) = with_letters(4).await;
    let since = world.message(inbox, 1).modseq;
    for flag in [Flags::SEEN, Flags::FLAGGED] {
        let add = FlagChange::Add(flags(flag, &[]));
        world.store.change_flags(inbox, uid_list(&[2, 3]), add, None).await.unwrap();
    }
    world.store.remove_messages(inbox, uid_list(&[4, 3])).await.unwrap();
    world.append(inbox, &letter(5)).await;
    let world = world.reopened(|_| {});
    let changes = world.store.snapshot().unwrap().changes(inbox, since).unwrap();
    assert_eq!(changes.changed.iter().map(|message| message.uid.0).collect::<Vec<_>>(), [2, 5]);
    assert_eq!(changes.expunged, [Uid(3), Uid(4)]);
    let nothing = world.store.snapshot().unwrap().changes(inbox, changes.up_to).unwrap();
    assert_eq!((nothing.changed.len(), nothing.expunged.len()), (0, 0));
    let nothing = world.store.snapshot().unwrap().changes(inbox, ModSeq(u64::MAX)).unwrap();
    assert_eq!((nothing.changed.len(), nothing.expunged.len()), (0, 0));
}

#[tokio::test]
async fn copies_have_the_flags_keywords_date_and_bytes_of_what_was_copied() {
    let (world, alice, inbox) = with_letters(3).await;
    let marked = FlagChange::Replace(flags(Flags::ANSWERED, &["Mine"]));
    world.store.change_flags(inbox, uid_list(&[2]), marked, None).await.unwrap();
    let archive = world.mailbox(alice, "Archive");
    // A keyword first, so that positions in the two mailboxes' lists differ.
    let other = Append { flags: flags(Flags::default(), &["Other"]), ..append(&letter(9)) };
    world.store.append(archive.id, vec![other]).await.unwrap();
    let copied = world.store.copy(inbox, uid_list(&[3, 2, 2, 77]), archive.id).await.unwrap();
    assert_eq!(copied, Copied { uid_validity: archive.uid_validity, uids: vec![(Uid(2), Uid(2)), (Uid(3), Uid(3))] });
    let copy = world.message(archive.id, 2);
    assert_eq!((copy.flags, copy.internal_date), (flags(Flags::ANSWERED, &["Mine"]), Timestamp(1_000)));
    world.store.remove_messages(inbox, uid_list(&[2])).await.unwrap();
    assert_eq!(world.bytes(archive.id, 2).unwrap(), letter(2));
}

#[tokio::test]
async fn moved_messages_leave_their_mailbox_and_use_no_more_room() {
    let (world, alice, inbox) = with_letters(3).await;
    let used = world.used(alice);
    world.store.set_quota(&crate::world::address("alice@home.test"), Some(1)).await.unwrap();
    let trash = world.mailbox(alice, "Trash").id;
    let since = world.mailbox(alice, "INBOX").highest_modseq;
    let moved = world.store.move_messages(inbox, uid_list(&[1, 3]), trash).await.unwrap();
    assert_eq!(moved.uids, [(Uid(1), Uid(1)), (Uid(3), Uid(2))]);
    assert_eq!((world.uids(inbox), world.uids(trash), world.used(alice)), (vec![2], vec![1, 2], used));
    assert_eq!(world.store.snapshot().unwrap().changes(inbox, since).unwrap().expunged, [Uid(1), Uid(3)]);
    assert_eq!(world.bytes(trash, 2).unwrap(), letter(3));
    let copy = world.store.copy(inbox, uid_list(&[2]), trash).await;
    assert!(matches!(copy, Err(StoreError::OverQuota)), "a copy needs room");
}

#[tokio::test]
async fn messages_moved_within_their_mailbox_get_new_uids() {
    let (world, alice, inbox) = with_letters(2).await;
    world.store.move_messages(inbox, uid_list(&[1]), inbox).await.unwrap();
    assert_eq!(world.uids(inbox), [2, 3]);
    assert_eq!(world.mailbox(alice, "INBOX").messages, 2);
    assert_eq!(world.bytes(inbox, 3).unwrap(), letter(1));
}

#[tokio::test]
async fn messages_cannot_be_copied_into_another_persons_mailbox() {
    let (world, _, inbox) = with_letters(1).await;
    let bob = world.account("bob@home.test").await;
    let his = world.mailbox(bob, "INBOX").id;
    assert!(matches!(world.store.copy(inbox, uid_list(&[1]), his).await, Err(StoreError::NotFound(_))));
    assert!(matches!(world.store.move_messages(inbox, uid_list(&[1]), his).await, Err(StoreError::NotFound(_))));
    assert_eq!((world.uids(inbox), world.uids(his)), (vec![1], vec![]));
}

#[tokio::test]
async fn expunging_removes_what_is_marked_and_nothing_else() {
    let (world, alice, inbox) = with_letters(4).await;
    let marked = FlagChange::Add(flags(Flags::DELETED, &[]));
    world.store.change_flags(inbox, uid_list(&[1, 2, 4]), marked, None).await.unwrap();
    assert_eq!(world.store.expunge(inbox, Some(uid_list(&[2, 3]))).await.unwrap(), [Uid(2)]);
    assert_eq!(world.store.expunge(inbox, None).await.unwrap(), [Uid(1), Uid(4)]);
    assert_eq!(world.store.expunge(inbox, None).await.unwrap(), []);
    assert_eq!((world.uids(inbox), world.mailbox(alice, "INBOX").deleted), (vec![3], 0));
    assert_eq!(world.used(alice), letter(3).len() as u64);
}

#[tokio::test]
async fn a_messages_uid_is_never_given_again() {
    let (world, alice, inbox) = with_letters(2).await;
    world.store.remove_messages(inbox, uid_list(&[1, 2])).await.unwrap();
    let world = world.reopened(|_| {});
    assert_eq!(world.mailbox(alice, "INBOX").uid_next, Uid(3));
    assert_eq!(world.append(inbox, &letter(3)).await, Uid(3));
}

#[tokio::test]
async fn recent_messages_are_claimed_by_one_session_only() {
    let (world, _, inbox) = with_letters(2).await;
    assert_eq!(world.store.claim_recent(inbox).await.unwrap(), Uid(1));
    assert_eq!(world.store.claim_recent(inbox).await.unwrap(), Uid(3));
    world.append(inbox, &letter(3)).await;
    assert_eq!(world.store.claim_recent(inbox).await.unwrap(), Uid(3));
    assert_eq!(world.store.claim_recent(inbox).await.unwrap(), Uid(4));
}

#[tokio::test]
async fn who_watches_an_account_is_woken_by_its_changes_before_they_are_answered() {
    let (world, alice, inbox) = with_letters(1).await;
    let bob = world.account("bob@home.test").await;
    let (mut hers, mut his) = (world.store.watch(alice), world.store.watch(bob));
    hers.borrow_and_update();
    his.borrow_and_update();
    world.append(inbox, &letter(2)).await;
    assert!(hers.has_changed().unwrap());
    assert_eq!(*hers.borrow_and_update(), world.store.snapshot().unwrap().modseq(alice).unwrap());
    assert!(!his.has_changed().unwrap());
    world.store.claim_recent(inbox).await.unwrap();
    assert!(!hers.has_changed().unwrap());
}
