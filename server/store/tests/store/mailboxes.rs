//! Mailboxes: made, renamed, deleted, subscribed.

use mailstead_store::*;

use crate::world::{World, append, flags, letter};

fn names(world: &World, account: AccountId) -> Vec<String> {
    let mailboxes = world.store.snapshot().unwrap().mailboxes(account).unwrap();
    mailboxes.into_iter().map(|mailbox| mailbox.name).collect()
}

#[tokio::test]
async fn a_new_account_has_its_standard_mailboxes_inbox_first_all_subscribed() {
    let (world, alice) = World::with_alice().await;
    assert_eq!(names(&world, alice), ["INBOX", "Archive", "Drafts", "Junk", "Sent", "Trash"]);
    assert_eq!(world.store.snapshot().unwrap().subscriptions(alice).unwrap().len(), 6);
    assert_eq!(world.mailbox(alice, "Trash").special_use, Some(SpecialUse::Trash));
}

#[tokio::test]
async fn missing_parents_are_made_and_names_are_checked() {
    let (world, alice) = World::with_alice().await;
    let made = world.store.create_mailbox(alice, "Work/2026/März", None).await.unwrap();
    assert_eq!((made.name.as_str(), made.uid_next), ("Work/2026/März", Uid(1)));
    assert!(names(&world, alice).contains(&"Work/2026".to_owned()));
    world.store.create_mailbox(alice, "inbox/Lists", None).await.unwrap();
    assert_eq!(world.mailbox(alice, "InBox/Lists").name, "INBOX/Lists");
    let deep = vec!["a"; 21].join("/");
    let long = "x".repeat(501);
    for name in ["", "a//b", "/a", "a/", "a%", "a*", "a\u{7}", &deep, &long] {
        let result = world.store.create_mailbox(alice, name, None).await;
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{name}");
    }
    for name in ["iNbOx", "Work/2026"] {
        assert!(matches!(world.store.create_mailbox(alice, name, None).await, Err(StoreError::Exists(_))), "{name}");
    }
    let second = world.store.create_mailbox(alice, "Bin", Some(SpecialUse::Trash)).await;
    assert!(matches!(second, Err(StoreError::Exists(_))));
}

#[tokio::test]
async fn a_mailbox_made_again_has_a_greater_uid_validity_and_another_id() {
    let (world, alice) = World::with_alice().await;
    let first = world.store.create_mailbox(alice, "Work", None).await.unwrap();
    world.store.delete_mailbox(alice, "Work").await.unwrap();
    let second = world.store.create_mailbox(alice, "Work", None).await.unwrap();
    assert!(second.uid_validity > first.uid_validity);
    assert_ne!(second.id, first.id);
    assert!(world.store.snapshot().unwrap().mailbox(alice, first.id).unwrap().is_none());
}

#[tokio::test]
async fn deleting_takes_the_messages_along_but_never_inbox_or_a_parent() {
    let (world, alice) = World::with_alice().await;
    let work = world.store.create_mailbox(alice, "Work", None).await.unwrap().id;
    world.store.create_mailbox(alice, "Work/Old", None).await.unwrap();
    world.store.create_mailbox(alice, "Workshop", None).await.unwrap();
    world.append(work, &letter(1)).await;
    let blob = world.message(work, 1).blob;
    for name in ["INBOX", "Work"] {
        assert!(matches!(world.store.delete_mailbox(alice, name).await, Err(StoreError::Invalid(_))), "{name}");
    }
    assert!(matches!(world.store.delete_mailbox(alice, "Gone").await, Err(StoreError::NotFound(_))));
    world.store.delete_mailbox(alice, "Work/Old").await.unwrap();
    world.store.delete_mailbox(alice, "Work").await.unwrap();
    assert_eq!(world.used(alice), 0);
    assert!(matches!(world.store.open_blob(blob), Err(StoreError::NotFound(_))));
    assert!(names(&world, alice).contains(&"Workshop".to_owned()));
}

#[tokio::test]
async fn renaming_takes_the_children_along_and_leaves_neighbours_alone() {
    let (world, alice) = World::with_alice().await;
    let child = world.store.create_mailbox(alice, "Work/Old", None).await.unwrap().id;
    world.store.create_mailbox(alice, "Workshop", None).await.unwrap();
    world.append(child, &letter(1)).await;
    world.store.rename_mailbox(alice, "Work", "Jobs/Past").await.unwrap();
    let world = world.reopened(|_| {});
    let all = names(&world, alice);
    for (name, there) in [
        ("Work", false),
        ("Work/Old", false),
        ("Jobs", true),
        ("Jobs/Past", true),
        ("Jobs/Past/Old", true),
        ("Workshop", true),
    ] {
        assert_eq!(all.iter().any(|other| other == name), there, "{name}");
    }
    assert_eq!(world.mailbox(alice, "Jobs/Past/Old").id, child);
    assert_eq!(world.bytes(child, 1).unwrap(), letter(1));
}

#[tokio::test]
async fn a_rename_that_cannot_be_done_does_nothing() {
    let (world, alice) = World::with_alice().await;
    world.store.create_mailbox(alice, "A/B", None).await.unwrap();
    let before = names(&world, alice);
    let rename = |from: &'static str, to: &'static str| world.store.rename_mailbox(alice, from, to);
    assert!(matches!(rename("A", "Sent").await, Err(StoreError::Exists(_))));
    assert!(matches!(rename("A", "inbox").await, Err(StoreError::Exists(_))));
    assert!(matches!(rename("A", "A/B/C").await, Err(StoreError::Invalid(_))));
    assert!(matches!(rename("A", "b*").await, Err(StoreError::Invalid(_))));
    assert!(matches!(rename("Gone", "Here").await, Err(StoreError::NotFound(_))));
    let deep = vec!["a"; 20].join("/");
    assert!(matches!(world.store.rename_mailbox(alice, "A", &deep).await, Err(StoreError::Invalid(_))));
    assert_eq!(names(&world, alice), before);
}

#[tokio::test]
async fn renaming_inbox_moves_its_messages_and_leaves_an_empty_inbox() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    let marked = Append { flags: flags(Flags::SEEN, &["Old"]), ..append(&letter(1)) };
    world.store.append(inbox, vec![marked, append(&letter(2))]).await.unwrap();
    let used = world.used(alice);
    world.store.rename_mailbox(alice, "inbox", "Old mail").await.unwrap();
    let (left, new) = (world.mailbox(alice, "INBOX"), world.mailbox(alice, "Old mail"));
    assert_eq!((left.id, left.messages, left.size), (inbox, 0, 0));
    assert_eq!((new.messages, new.unseen, new.size, world.used(alice)), (2, 1, used, used));
    assert_eq!(world.message(new.id, 1).flags, flags(Flags::SEEN, &["Old"]));
    assert_eq!(world.bytes(new.id, 2).unwrap(), letter(2));
}

#[tokio::test]
async fn names_are_subscribed_whether_or_not_the_mailbox_exists() {
    let (world, alice) = World::with_alice().await;
    let bob = world.account("bob@home.test").await;
    world.store.subscribe(alice, "Some/day", true).await.unwrap();
    world.store.subscribe(alice, "Some/day", true).await.unwrap();
    world.store.subscribe(alice, "junk", false).await.unwrap();
    world.store.subscribe(alice, "Junk", false).await.unwrap();
    world.store.subscribe(alice, "inbox", false).await.unwrap();
    let world = world.reopened(|_| {});
    let snapshot = world.store.snapshot().unwrap();
    assert_eq!(snapshot.subscriptions(alice).unwrap(), ["Archive", "Drafts", "Sent", "Some/day", "Trash"]);
    assert_eq!(snapshot.subscriptions(bob).unwrap().len(), 6);
}

#[tokio::test]
async fn a_snapshot_shows_what_was_when_it_was_taken() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    let snapshot = world.store.snapshot().unwrap();
    world.append(inbox, &letter(1)).await;
    assert_eq!(snapshot.uids(inbox).unwrap(), []);
    assert_eq!(world.uids(inbox), [1]);
}
