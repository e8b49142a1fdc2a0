//! Backups: whole, proved, restored; and what is not whole is never taken for it.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use mailstead_store::backup::{BackupError, Order, Restored, Written, check, restore, write};
use mailstead_store::*;

use crate::queue::enqueue;
use crate::world::{World, address, letter, noise, options, uid_list};

fn small_packs() -> Options {
    Options { pack_size: 64 << 10, ..options() }
}

async fn back_up(world: &World, to: &Path, keep: usize) -> Result<Written, BackupError> {
    let picture = world.store.stage_backup().await?;
    let order = Order { folder: to, keep, configuration: Some(b"hostname = \"mail.home.test\"\n") };
    let written = write(&picture, &order, &mut |_, _| {});
    world.store.unstage_backup()?;
    written
}

async fn put_back(from: &Path, data: &Path, hold: bool) -> Result<Restored, BackupError> {
    restore(from, data, options(), hold, &mut |_, _| {}).await
}

fn folders() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let (to, data) = (folder.path().join("backups"), folder.path().join("restored"));
    (folder, to, data)
}

/// Everything in a mailbox, by the letter's bytes.
fn all_letters(store: &Store, account: AccountId) -> BTreeMap<Vec<u8>, u32> {
    let snapshot = store.snapshot().unwrap();
    let inbox = snapshot.mailbox_by_name(account, "INBOX").unwrap().unwrap();
    let uids = snapshot.uids(inbox.id).unwrap();
    uids.into_iter().map(|uid| (store.open_message(inbox.id, uid).unwrap().read_all().unwrap(), uid.0)).collect()
}

fn flip(file: &Path, at: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

fn pack(backup: &Path, number: u32) -> PathBuf {
    backup.join(format!("packs/{number:08}.pack"))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_that_was_acknowledged_before_a_backup_under_load_is_in_it() {
    let (world, alice) = World::with_alice_and(small_packs()).await;
    let (_folder, to, data) = folders();
    let inbox = world.mailbox(alice, "INBOX").id;
    for number in 0..60 {
        world.append(inbox, &noise(number, 12_000)).await;
    }
    let over = Arc::new(AtomicBool::new(false));
    let mut load = tokio::task::JoinSet::new();
    let (store, ends) = (world.store.clone(), Arc::clone(&over));
    load.spawn(async move {
        for number in 1_000.. {
            if ends.load(Ordering::Relaxed) {
                break;
            }
            store.append(inbox, vec![crate::world::append(&noise(number, 9_000))]).await.unwrap();
        }
    });
    let (store, ends) = (world.store.clone(), Arc::clone(&over));
    load.spawn(async move {
        // Letters 31 to 60 are never touched.
        for uid in 1..=30 {
            store.remove_messages(inbox, uid_list(&[uid])).await.unwrap();
            store.tidy().await.unwrap();
        }
        while !ends.load(Ordering::Relaxed) {
            store.tidy().await.unwrap();
        }
    });
    let written = back_up(&world, &to, 3).await.unwrap();
    over.store(true, Ordering::Relaxed);
    while let Some(done) = load.join_next().await {
        done.unwrap();
    }
    assert_eq!(check(&to, &mut |_, _| {}).unwrap(), written.manifest);
    let restored = put_back(&to, &data, true).await.unwrap();
    assert_eq!(restored.backup, written.backup);
    let store = Store::open(&data, options()).unwrap();
    let there = all_letters(&store, alice);
    for number in 30..60 {
        assert_eq!(there.get(&noise(number, 12_000)), Some(&(number as u32 + 1)), "letter {number}");
    }
    assert!(!world.folder().join("backup-staging").exists());
}

#[tokio::test]
async fn a_second_backup_copies_only_what_is_new_and_old_ones_are_removed() {
    let (world, alice) = World::with_alice_and(small_packs()).await;
    let (_folder, to, data) = folders();
    let inbox = world.mailbox(alice, "INBOX").id;
    for number in 0..40 {
        world.append(inbox, &noise(number, 20_000)).await;
    }
    let first = back_up(&world, &to, 2).await.unwrap();
    assert!(first.copied > 800_000, "{first:?}");
    let (aside, other) = (to.join("before-upgrade"), to.join("0-photos"));
    for foreign in [&aside, &other] {
        std::fs::create_dir(foreign).unwrap();
        std::fs::copy(first.backup.join("manifest.json"), foreign.join("manifest.json")).unwrap();
    }
    world.append(inbox, &letter(40)).await;
    let second = back_up(&world, &to, 2).await.unwrap();
    let database = second.backup.join("store.redb").metadata().unwrap().len();
    assert!(second.copied < database + 200_000, "{} of {}", second.copied, second.manifest.bytes());
    let inode = |backup: &Path| pack(backup, 1).metadata().unwrap().ino();
    assert_eq!(inode(&first.backup), inode(&second.backup));
    assert_ne!(inode(&first.backup), pack(&world.folder(), 1).metadata().unwrap().ino(), "a copy of its own");

    // A pack of the backup before has gone bad: it is copied again, and the new backup is whole.
    flip(&pack(&second.backup, 1), 5_000);
    assert!(matches!(check(&to, &mut |_, _| {}), Err(BackupError::Damaged(_))));
    let third = back_up(&world, &to, 2).await.unwrap();
    assert_ne!(inode(&second.backup), inode(&third.backup));
    check(&to, &mut |_, _| {}).unwrap();
    assert!(!first.backup.exists() && second.backup.exists(), "two are kept");
    assert!(aside.exists() && other.exists(), "what has another name is nobody's to remove");
    put_back(&third.backup, &data, true).await.unwrap();
    let store = Store::open(&data, options()).unwrap();
    assert_eq!(all_letters(&store, alice).len(), 41);
}

#[tokio::test]
async fn a_flipped_bit_anywhere_is_found_and_nothing_of_it_restored() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    world.append(inbox, &noise(1, 20_000)).await;
    let (_folder, to, data) = folders();
    let written = back_up(&world, &to, 1).await.unwrap();
    for (name, at) in [("packs/00000001.pack", 10_000), ("store.redb", 30_000), ("mailstead.toml", 3)] {
        flip(&written.backup.join(name), at);
        let found = check(&to, &mut |_, _| {}).unwrap_err().to_string();
        assert!(found.contains(name), "{name}: {found}");
        assert!(put_back(&to, &data, true).await.unwrap_err().to_string().contains(name));
        assert_eq!(std::fs::read_dir(&data).unwrap().count(), 0, "{name}");
        flip(&written.backup.join(name), at);
        check(&to, &mut |_, _| {}).unwrap();
    }
    std::fs::remove_file(written.backup.join("packs/00000001.pack")).unwrap();
    assert!(check(&to, &mut |_, _| {}).is_err());
}

#[tokio::test]
async fn a_letter_that_is_damaged_in_the_server_keeps_no_other_from_its_backup() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX").id;
    for number in 1..=3 {
        world.append(inbox, &noise(number, 20_000)).await;
    }
    flip(&pack(&world.folder(), 1), 30_000);
    let (_folder, to, data) = folders();
    let written = back_up(&world, &to, 1).await.unwrap();
    assert_eq!((written.manifest.damaged.len(), written.manifest.letters), (1, 3));
    check(&to, &mut |_, _| {}).unwrap();
    put_back(&to, &data, true).await.unwrap();
    let store = Store::open(&data, options()).unwrap();
    let whole = [1, 3].map(|uid| store.open_message(inbox, Uid(uid)).unwrap().read_all().unwrap());
    assert!(whole == [noise(1, 20_000), noise(3, 20_000)]);
    assert!(store.open_message(inbox, Uid(2)).unwrap().read_all().is_err());
}

#[tokio::test]
async fn an_unfinished_backup_is_no_backup_and_a_full_folder_is_never_restored_over() {
    let (world, _) = World::with_alice().await;
    let (_folder, to, data) = folders();
    let written = back_up(&world, &to, 3).await.unwrap();
    let part = to.join("2099-01-01T000000Z.part");
    std::fs::rename(&written.backup, &part).unwrap();
    assert!(matches!(check(&to, &mut |_, _| {}), Err(BackupError::None(_))));
    assert!(matches!(put_back(&to, &data, true).await, Err(BackupError::None(_))));
    let own = to.join("notes.part");
    std::fs::create_dir(&own).unwrap();
    let again = back_up(&world, &to, 3).await.unwrap();
    assert!(!part.exists() && own.exists(), "only what an unfinished backup left goes");

    assert!(matches!(put_back(&to, &world.folder(), true).await, Err(BackupError::NotEmpty(_))));
    // Packs that no restore has put there are somebody's letters.
    std::fs::create_dir_all(data.join("restoring/packs")).unwrap();
    std::fs::create_dir(data.join("packs")).unwrap();
    std::fs::write(data.join("packs/00000001.pack"), "letters").unwrap();
    assert!(matches!(put_back(&again.backup, &data, true).await, Err(BackupError::NotEmpty(_))));
    assert_eq!(std::fs::read(data.join("packs/00000001.pack")).unwrap(), b"letters");
    // A restore that died while all got its place is begun anew.
    std::fs::create_dir_all(data.join("restoring")).unwrap();
    std::fs::write(data.join("restoring/store.redb"), "half").unwrap();
    put_back(&again.backup, &data, true).await.unwrap();
    let names = |folder: &Path| -> Vec<String> {
        let mut names: Vec<String> =
            std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names(&data), ["packs", "store.redb"]);
    for folder in [&data, &to, &again.backup] {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap).filter(|e| e.path() != own) {
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, if entry.path().is_dir() { 0o700 } else { 0o600 }, "{:?}", entry.path());
        }
    }
}

#[tokio::test]
async fn two_backups_at_once_do_not_meet() {
    let (world, _) = World::with_alice().await;
    let (_folder, to, _) = folders();
    std::fs::create_dir_all(&to).unwrap();
    let lock = backup::lock(&to).unwrap();
    assert!(matches!(back_up(&world, &to, 1).await, Err(BackupError::Busy(_))));
    drop(lock);
    back_up(&world, &to, 1).await.unwrap();
}

#[tokio::test]
async fn a_restored_store_holds_its_queue_signs_everybody_out_and_shows_new_mailboxes() {
    let (world, alice) = World::with_alice().await;
    let inbox = world.mailbox(alice, "INBOX");
    world.append(inbox.id, &letter(1)).await;
    let waiting = enqueue(&world, 2, 100, &["carol@world.test"]).await;
    let from = std::net::IpAddr::from([127, 0, 0, 1]);
    let token = world.store.open_session(alice, from, "").await.unwrap();
    let (_folder, to, data) = folders();
    back_up(&world, &to, 1).await.unwrap();
    let restored = put_back(&to, &data, true).await.unwrap();
    assert_eq!(restored.queued, 1);
    let store = Store::open(&data, options()).unwrap();
    let queue = store.queue().unwrap();
    assert_eq!((queue.len(), queue[0].id, queue[0].held), (1, waiting, true));
    assert_eq!(store.next_due().unwrap(), None);
    assert_eq!(store.session(&token).unwrap(), None);
    assert!(store.authenticate("alice@home.test", "secret").await.unwrap().is_some());
    let again = store.snapshot().unwrap().mailbox_by_name(alice, "INBOX").unwrap().unwrap();
    assert!(again.uid_validity > inbox.uid_validity && again.messages == 1);
    drop(store);
    std::fs::remove_dir_all(&data).unwrap();
    put_back(&to, &data, false).await.unwrap();
    let store = Store::open(&data, options()).unwrap();
    assert!(!store.queue().unwrap()[0].held && store.next_due().unwrap().is_some());
}

#[tokio::test]
async fn the_last_backup_is_remembered_and_a_failure_beside_it() {
    let (world, _) = World::with_alice().await;
    assert_eq!(world.store.backups().unwrap(), backup::Backups::default());
    let good = backup::BackupRecord {
        at: Timestamp(5),
        place: "/mnt".to_owned(),
        bytes: 10,
        copied: 5,
        letters: 1,
        damaged: 0,
        seconds: 1,
    };
    world.store.note_backup(Ok(good.clone())).await.unwrap();
    let failed = backup::BackupFailure { at: Timestamp(6), place: "/mnt".to_owned(), why: "full".to_owned() };
    world.store.note_backup(Err(failed.clone())).await.unwrap();
    let known = world.reopened(|_| {}).store.backups().unwrap();
    assert_eq!((known.good, known.failed), (Some(good), Some(failed)));
}

#[tokio::test]
async fn what_a_backup_that_died_left_in_the_store_goes_at_the_next_start() {
    let (world, _) = World::with_alice().await;
    let picture = world.store.stage_backup().await.unwrap();
    let kept = backup::lock(&world.folder()).unwrap();
    let world = world.reopened(|_| {});
    assert!(picture.exists(), "somebody copies from it");
    drop(kept);
    let world = world.reopened(|_| {});
    assert!(!picture.exists());
    assert!(world.store.accounts().unwrap().iter().any(|account| account.address == address("alice@home.test")));
}
