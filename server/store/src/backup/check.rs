//! Proving a backup: every file has its hash, every letter its own, and nothing refers to a letter that is not there.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;

use mailstead_migrations::v1;
use redb::{Database, ReadTransaction, ReadableDatabase as _, ReadableTable as _, ReadableTableMetadata as _};

use super::manifest::{Manifest, resolve};
use super::place::{at, hash_file};
use super::{BackupError, DATABASE, PACKS};
use crate::record::{BlobRecord, MessageRecord, decode};
use crate::snapshot::is_whole_in;
use crate::{BlobHash, QueueEntry};

/// redb's page cache while reading, in bytes.
const CACHE: usize = 16 << 20;

/// Reads a backup, or the latest in a folder, from end to end. `progress` hears how many of how many files are read.
///
/// # Errors
/// [`BackupError::Damaged`] says what is.
pub fn check(path: &Path, progress: &mut dyn FnMut(usize, usize)) -> Result<Manifest, BackupError> {
    let backup = resolve(path)?;
    let manifest = Manifest::read(&backup)?;
    for (index, file) in manifest.files.iter().enumerate() {
        progress(index, manifest.files.len());
        let (bytes, blake3) = hash_file(&backup.join(&file.name))?;
        if bytes != file.bytes || blake3 != file.blake3 {
            return Err(BackupError::Damaged(format!("{} is not what was written", file.name)));
        }
    }
    let letters = Letters::read(&backup)?;
    for (pack, end) in letters.packs()? {
        let bad = letters.damaged_in(pack, end, &backup.join(PACKS))?;
        if let Some(hash) = bad.into_iter().find(|hash| !manifest.damaged.contains(hash)) {
            return Err(BackupError::Damaged(format!("the letter {hash} can't be read")));
        }
    }
    if letters.count()? != manifest.letters {
        return Err(BackupError::Damaged("letters are missing".to_owned()));
    }
    letters.check_references()?;
    Ok(manifest)
}

/// The letters that a backup's database knows.
pub(super) struct Letters {
    transaction: ReadTransaction,
    // Dropped after the transaction.
    _database: redb::ReadOnlyDatabase,
}

impl Letters {
    /// Opens the database of a backup or a picture, without changing it.
    pub(super) fn read(folder: &Path) -> Result<Self, BackupError> {
        let path = folder.join(DATABASE);
        let opened = Database::builder().set_cache_size(CACHE).open_read_only(&path);
        let database = opened.map_err(|error| BackupError::Damaged(format!("{DATABASE} can't be opened: {error}")))?;
        let transaction = database.begin_read()?;
        Ok(Self { transaction, _database: database })
    }

    /// The packs and where each ends.
    pub(super) fn packs(&self) -> Result<BTreeMap<u32, u64>, BackupError> {
        let mut packs = BTreeMap::new();
        for entry in self.transaction.open_table(v1::PACKS)?.iter()? {
            let (pack, state) = entry?;
            packs.insert(pack.value(), state.value().0);
        }
        Ok(packs)
    }

    /// How many there are.
    pub(super) fn count(&self) -> Result<u64, BackupError> {
        let blobs = self.transaction.open_table(v1::BLOBS)?;
        Ok(blobs.len()?)
    }

    /// The letters of a pack whose bytes in this folder of packs are not those they should be, by their hashes.
    pub(super) fn damaged_in(&self, pack: u32, end: u64, packs: &Path) -> Result<Vec<String>, BackupError> {
        let path = packs.join(pack_name(pack));
        let file = File::open(&path).map_err(at(&path))?;
        if file.metadata().map_err(at(&path))?.len() < end {
            return Err(BackupError::Damaged(format!("{} is too short", pack_name(pack))));
        }
        let places = self.transaction.open_table(v1::PACK_BLOBS)?;
        let blobs = self.transaction.open_table(v1::BLOBS)?;
        let mut damaged = Vec::new();
        for entry in places.range((pack, 0)..=(pack, u64::MAX))? {
            let (_, hash) = entry?;
            let hash = BlobHash(*hash.value());
            let record: Option<BlobRecord> =
                blobs.get(&hash.0)?.map(|bytes| decode(bytes.value(), "a blob record")).transpose()?;
            if !record.is_some_and(|record| record.pack == pack && is_whole_in(&file, hash, &record)) {
                damaged.push(blake3::Hash::from_bytes(hash.0).to_hex().to_string());
            }
        }
        Ok(damaged)
    }

    /// Makes sure that every message in a mailbox or in the queue has its letter, and every letter its place.
    pub(super) fn check_references(&self) -> Result<(), BackupError> {
        let blobs = self.transaction.open_table(v1::BLOBS)?;
        let missing = || BackupError::Damaged("a message refers to a letter that is not there".to_owned());
        let known = |hash: BlobHash| -> Result<(), BackupError> { blobs.get(&hash.0)?.map(|_| ()).ok_or_else(missing) };
        let messages = self.transaction.open_table(v1::MESSAGES)?;
        for entry in messages.iter()? {
            let (_, bytes) = entry?;
            known(decode::<MessageRecord>(bytes.value(), "a message record")?.blob)?;
        }
        let queue = self.transaction.open_table(v1::QUEUE)?;
        for entry in queue.iter()? {
            let (_, bytes) = entry?;
            known(QueueEntry::from_bytes(bytes.value())?.blob)?;
        }
        let places = self.transaction.open_table(v1::PACK_BLOBS)?;
        match places.len()? == self.count()? {
            true => Ok(()),
            false => Err(BackupError::Damaged("a letter has no place in the packs".to_owned())),
        }
    }
}

/// A pack's file name.
pub(super) fn pack_name(pack: u32) -> String {
    format!("{pack:08}.pack")
}
