//! What lies on the disk: packs, damage, crashes, other processes.

use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::Path;

use mailstead_store::*;

use crate::world::{World, letter, noise, options, uid_list};

fn small_packs() -> Options {
    Options { pack_size: 64 << 10, ..options() }
}

async fn with_letters(count: usize) -> (World, AccountId, MailboxId) {
    let (world, alice) = World::with_alice_and(small_packs()).await;
    let inbox = world.mailbox(alice, "INBOX").id;
    for number in 1..=count {
        world.append(inbox, &noise(number, 20_000)).await;
    }
    (world, alice, inbox)
}

fn flip(file: &Path, needle: &[u8]) {
    let bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(needle.len()).position(|window| window == needle).expect("the bytes are in the pack");
    let mut file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.seek(SeekFrom::Start(at as u64)).unwrap();
    file.write_all(&[bytes[at] ^ 1]).unwrap();
}

#[tokio::test]
async fn full_packs_are_sealed_and_deleting_gives_the_disk_back() {
    let (world, _, inbox) = with_letters(40).await;
    assert!(world.packs() >= 9, "{} packs", world.packs());
    let before = world.pack_bytes();
    let doomed: Vec<u32> = (1..=40).filter(|uid| uid % 5 != 0).collect();
    world.store.remove_messages(inbox, uid_list(&doomed)).await.unwrap();
    world.store.tidy().await.unwrap();
    assert!(world.pack_bytes() < before / 2, "{} of {before}", world.pack_bytes());
    let world = world.reopened(|_| {});
    for uid in (5..=40).step_by(5) {
        assert!(world.bytes(inbox, uid).unwrap() == noise(uid as usize, 20_000), "{uid}");
    }
    world.store.remove_messages(inbox, uid_list(&(1..=40).collect::<Vec<_>>())).await.unwrap();
    world.store.tidy().await.unwrap();
    assert_eq!(world.packs(), 1, "the pack that takes new mail");
    world.append(inbox, &letter(1)).await;
    assert_eq!(world.bytes(inbox, 41).unwrap(), letter(1));
}

#[tokio::test]
async fn a_pack_that_cannot_be_read_stays_and_keeps_no_other_from_being_thinned() {
    let (world, _, inbox) = with_letters(13).await;
    world.store.remove_messages(inbox, uid_list(&[2, 3, 4, 6, 7, 8])).await.unwrap();
    let packs = world.packs();
    let world = world.reopened(|folder| {
        // Cut in the middle of the only letter that is left in it.
        let file = std::fs::OpenOptions::new().write(true).open(folder.join("packs/00000001.pack")).unwrap();
        file.set_len(10_000).unwrap();
    });
    world.store.tidy().await.unwrap();
    assert_eq!(world.packs(), packs - 1);
    assert!(matches!(world.bytes(inbox, 1), Err(StoreError::Damaged(_))));
    assert!(world.bytes(inbox, 5).unwrap() == noise(5, 20_000));
    world.append(inbox, &letter(1)).await;
}

#[tokio::test]
async fn a_reader_goes_on_reading_from_a_pack_that_is_dropped() {
    let (world, _, inbox) = with_letters(8).await;
    let mut reader = world.store.open_message(inbox, Uid(1)).unwrap();
    world.store.remove_messages(inbox, uid_list(&[2, 3, 4])).await.unwrap();
    let packs = world.packs();
    world.store.tidy().await.unwrap();
    assert!(world.packs() <= packs);
    assert!(!world.folder().join("packs/00000001.pack").exists());
    assert!(reader.read_all().unwrap() == noise(1, 20_000));
    assert!(world.bytes(inbox, 1).unwrap() == noise(1, 20_000), "and from its new place");
}

#[tokio::test]
async fn what_a_crash_left_in_the_packs_is_cleaned_up_on_opening() {
    let (world, _, inbox) = with_letters(1).await;
    let before = world.pack_bytes();
    let world = world.reopened(|folder| {
        let mut last = std::fs::OpenOptions::new().append(true).open(folder.join("packs/00000001.pack")).unwrap();
        last.write_all(&[7; 5_000]).unwrap();
        std::fs::write(folder.join("packs/00000002.pack"), b"never committed").unwrap();
        std::fs::write(folder.join("packs/00000003.pack"), b"").unwrap();
    });
    let aside = world.folder().join("packs/00000002.pack.unknown");
    assert_eq!(std::fs::read(&aside).unwrap(), b"never committed", "what may be a letter is not thrown away");
    std::fs::remove_file(aside).unwrap();
    assert_eq!((world.pack_bytes(), world.packs()), (before, 1));
    world.append(inbox, &letter(2)).await;
    assert!(world.bytes(inbox, 1).unwrap() == noise(1, 20_000));
    assert_eq!(world.bytes(inbox, 2).unwrap(), letter(2));
}

#[tokio::test]
async fn a_flipped_bit_damages_one_letter_and_no_other() {
    let (world, _, inbox) = with_letters(3).await;
    let needle = noise(2, 20_000)[10_000..10_016].to_vec();
    let world = world.reopened(|folder| flip(&folder.join("packs/00000001.pack"), &needle));
    assert!(matches!(world.bytes(inbox, 2), Err(StoreError::Damaged(_))));
    for uid in [1, 3] {
        assert!(world.bytes(inbox, uid).unwrap() == noise(uid as usize, 20_000));
    }
}

#[tokio::test]
async fn a_damaged_letter_put_back_is_whole_again_wherever_it_is_kept() {
    let (world, alice, inbox) = with_letters(3).await;
    let archive = world.mailbox(alice, "Archive").id;
    world.store.copy(inbox, uid_list(&[2]), archive).await.unwrap();
    let needle = noise(2, 20_000)[10_000..10_016].to_vec();
    let world = world.reopened(|folder| flip(&folder.join("packs/00000001.pack"), &needle));
    assert!(matches!(world.bytes(archive, 1), Err(StoreError::Damaged(_))));
    world.append(inbox, &noise(2, 20_000)).await;
    for (mailbox, uid) in [(inbox, 2), (inbox, 4), (archive, 1)] {
        assert!(world.bytes(mailbox, uid).unwrap() == noise(2, 20_000), "{mailbox} {uid}");
    }
    world.store.remove_messages(inbox, uid_list(&[2, 4])).await.unwrap();
    assert!(world.bytes(archive, 1).unwrap() == noise(2, 20_000));
    let blob = world.message(archive, 1).blob;
    world.store.remove_messages(archive, uid_list(&[1])).await.unwrap();
    assert!(matches!(world.store.open_blob(blob), Err(StoreError::NotFound(_))));
}

#[tokio::test]
async fn a_missing_pack_damages_its_letters_and_the_store_still_opens() {
    let (world, _, inbox) = with_letters(6).await;
    let world = world.reopened(|folder| std::fs::remove_file(folder.join("packs/00000001.pack")).unwrap());
    assert!(matches!(world.bytes(inbox, 1), Err(StoreError::Damaged(_))));
    assert!(world.bytes(inbox, 6).unwrap() == noise(6, 20_000));
}

#[tokio::test]
async fn packs_without_their_database_are_not_taken_for_garbage() {
    let (world, ..) = with_letters(1).await;
    let folder = world.folder();
    let before = world.pack_bytes();
    let kept = tempfile::tempdir().unwrap();
    let world = world.reopened(|folder| {
        std::fs::rename(folder.join("store.redb"), kept.path().join("store.redb")).unwrap();
        assert!(matches!(Store::open(folder, options()), Err(StoreError::Damaged(_))));
        assert!(!folder.join("store.redb").exists());
        std::fs::rename(kept.path().join("store.redb"), folder.join("store.redb")).unwrap();
    });
    assert_eq!((world.pack_bytes(), world.folder()), (before, folder));
}

#[tokio::test]
async fn a_store_in_use_is_not_opened_twice() {
    let world = World::new(options()).await;
    assert!(matches!(Store::open(&world.folder(), options()), Err(StoreError::InUse)));
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    drop(Store::open(folder.path(), options()).unwrap());
    let database = redb::Database::open(folder.path().join("store.redb")).unwrap();
    let transaction = database.begin_write().unwrap();
    let meta: redb::TableDefinition<'_, &str, &[u8]> = redb::TableDefinition::new("meta");
    transaction.open_table(meta).unwrap().insert("schema", 77_u32.to_le_bytes().as_slice()).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let result = Store::open(folder.path(), options());
    assert!(matches!(result, Err(StoreError::Newer { found: 77, .. })));
}

#[tokio::test]
async fn the_data_folder_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let (world, ..) = with_letters(1).await;
    for (path, mode) in [("", 0o700), ("store.redb", 0o600), ("packs", 0o700), ("packs/00000001.pack", 0o600)] {
        let found = std::fs::metadata(world.folder().join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

#[tokio::test]
async fn after_a_failed_write_letters_are_read_and_soon_written_again() {
    let (world, alice, inbox) = with_letters(4).await;
    let (packs, away) = (world.folder().join("packs"), world.folder().join("away"));
    // The first pack is full: the next letter needs a new one.
    std::fs::rename(&packs, &away).unwrap();
    for number in 5..8 {
        let letter = noise(number, 20_000);
        let delivery = crate::world::delivery(alice);
        let result = world.store.accept(vec![crate::world::acceptance(&letter, vec![delivery])]).await;
        assert!(matches!(&result, Err(error) if error.is_temporary()), "{result:?}");
    }
    assert_eq!(world.uids(inbox), [1, 2, 3, 4]);
    assert!(world.bytes(inbox, 1).unwrap() == noise(1, 20_000));
    world.store.remove_messages(inbox, uid_list(&[2])).await.unwrap();
    std::fs::rename(&away, &packs).unwrap();
    assert_eq!(world.append(inbox, &noise(5, 20_000)).await, Uid(5));
    let world = world.reopened(|_| {});
    for uid in [1, 3, 4, 5] {
        assert!(world.bytes(inbox, uid).unwrap() == noise(uid as usize, 20_000), "{uid}");
    }
}

#[tokio::test]
async fn a_view_held_open_does_not_keep_the_store_from_recovering() {
    let (world, _, inbox) = with_letters(4).await;
    let snapshot = world.store.snapshot().unwrap();
    let (packs, away) = (world.folder().join("packs"), world.folder().join("away"));
    std::fs::rename(&packs, &away).unwrap();
    let result = world.store.append(inbox, vec![crate::world::append(&noise(5, 20_000))]).await;
    assert!(matches!(result, Err(StoreError::Io(_))), "{result:?}");
    std::fs::rename(&away, &packs).unwrap();
    assert_eq!(world.append(inbox, &noise(5, 20_000)).await, Uid(5));
    assert_eq!(snapshot.uids(inbox).unwrap(), uid_list(&[1, 2, 3, 4]));
}

/// A file system of 24 MiB in memory; unmounted when dropped. Only root can make one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=24m,mode=0755", "none"])
            .arg(folder.path())
            .status();
        assert!(mount.unwrap().success(), "a small file system can only be mounted by root: run these tests as root");
        Self(folder)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_mail_can_be_deleted_on_it() {
    let disk = SmallDisk::mount();
    let folder = tempfile::tempdir_in(disk.0.path()).unwrap();
    let open = || Store::open(folder.path(), Options { pack_size: 1 << 20, ..options() }).unwrap();
    let store = open();
    store.add_domain(mailstead_message::Domain::parse("home.test").unwrap()).await.unwrap();
    let alice = store.add_account(crate::world::address("alice@home.test"), "secret", None).await.unwrap();
    let inbox = store.snapshot().unwrap().mailbox_by_name(alice, "INBOX").unwrap().unwrap().id;
    let full = loop {
        let number = store.snapshot().unwrap().uids(inbox).unwrap().len() + 1;
        let letter = crate::world::append(&noise(number, 200_000));
        if let Err(error) = store.append(inbox, vec![letter]).await {
            break error;
        }
    };
    assert!(matches!(full, StoreError::DiskFull), "{full:?}");
    let kept = store.snapshot().unwrap().uids(inbox).unwrap();
    // Now not even the reserve is left.
    let ballast = folder.path().join("ballast");
    let mut file = std::fs::File::create(&ballast).unwrap();
    let filled = loop {
        if let Err(error) = file.write_all(&[1; 512]) {
            break error;
        }
    };
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    drop(file);
    let mut failed = 0;
    for _ in 0..50 {
        let marked = FlagChange::Add(crate::world::flags(Flags::SEEN, &[]));
        let unmarked = FlagChange::Remove(crate::world::flags(Flags::SEEN, &[]));
        for change in [marked, unmarked] {
            if let Err(error) = store.change_flags(inbox, kept.clone(), change, None).await {
                assert!(error.is_temporary(), "{error:?}");
                failed += 1;
            }
        }
        let acceptance = crate::world::acceptance(&letter(1), vec![crate::world::delivery(alice)]);
        assert!(store.accept(vec![acceptance]).await.is_err());
        assert_eq!(store.snapshot().unwrap().uids(inbox).unwrap(), kept, "reading goes on");
    }
    std::fs::remove_file(&ballast).unwrap();
    let (doomed, left) = kept.split_at(kept.len() / 2);
    store.remove_messages(inbox, doomed.to_vec()).await.unwrap();
    store.tidy().await.unwrap();
    let new = store.append(inbox, vec![crate::world::append(&letter(1))]).await.unwrap().1[0];
    drop(store);
    let store = open();
    for uid in left {
        let whole = store.open_message(inbox, *uid).unwrap().read_all().unwrap();
        assert!(whole == noise(uid.0 as usize, 200_000), "{uid} ({failed} changes had failed)");
    }
    assert_eq!(store.open_message(inbox, new).unwrap().read_all().unwrap(), letter(1));
    println!("{} letters, {failed} failed changes", kept.len());
}
