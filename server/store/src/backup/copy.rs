//! From a picture to a backup elsewhere.

use std::path::{Path, PathBuf};

use super::check::{Letters, pack_name};
use super::manifest::{FORMAT, Listed, Manifest, STAMP, UNFINISHED, complete};
use super::place::{copy_file, free_bytes, hash_file, lock, make_folder, remove_folder, sync_folder, write_file};
use super::{BackupError, CONFIGURATION, DATABASE, PACKS};

/// Room that stays free beside a backup, in bytes.
const RESERVE: u64 = 16 << 20;
/// Names tried when two backups fall into one second.
const TRIES: u32 = 100;

/// How a backup is made.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The folder that takes backups; made where there is none.
    pub folder: &'a Path,
    /// How many complete ones stay there; older ones are removed. At least 1.
    pub keep: usize,
    /// The text of the configuration, to lie beside the data.
    pub configuration: Option<&'a [u8]>,
}

/// A backup that was made and proved.
#[derive(Debug, Clone)]
pub struct Written {
    /// Where it is.
    pub backup: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Bytes that were copied; the others were there from the backup before.
    pub copied: u64,
}

/// Makes a backup of a picture ([`crate::Store::stage_backup`]) and reads it back. `progress` hears how many of how many
/// packs are done.
///
/// # Errors
/// Whatever keeps it from being whole. Nothing is left of it then.
pub fn write(
    picture: &Path,
    order: &Order<'_>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Written, BackupError> {
    make_folder(order.folder)?;
    let _lock = lock(order.folder)?;
    remove_unfinished(order.folder)?;
    let before = Before::find(order.folder)?;
    let backup = name(order.folder)?;
    let part = PathBuf::from(format!("{}{UNFINISHED}", backup.display()));
    let made = fill(picture, &part, order, before.as_ref(), progress);
    let (manifest, copied) = match made {
        Ok(made) => made,
        Err(error) => {
            remove_folder(&part)?;
            return Err(named(error, order.folder, picture));
        }
    };
    let renamed = std::fs::rename(&part, &backup);
    renamed.map_err(super::place::at(&backup))?;
    sync_folder(order.folder)?;
    let old = complete(order.folder)?;
    for old in old.iter().take(old.len().saturating_sub(order.keep.max(1))) {
        remove_folder(old)?;
    }
    Ok(Written { backup, manifest, copied })
}

/// A full disk is told with the folder's name and what is needed.
fn named(error: BackupError, folder: &Path, picture: &Path) -> BackupError {
    match error {
        BackupError::Full { .. } => {
            let needed = total(picture).unwrap_or(RESERVE);
            BackupError::Full { folder: folder.to_owned(), needed: needed >> 20, free: free_bytes(folder) >> 20 }
        }
        other => other,
    }
}

fn total(picture: &Path) -> Result<u64, BackupError> {
    let packs: u64 = Letters::read(picture)?.packs()?.values().sum();
    Ok(packs + len(&picture.join(DATABASE))? + RESERVE)
}

fn len(path: &Path) -> Result<u64, BackupError> {
    std::fs::metadata(path).map(|found| found.len()).map_err(super::place::at(path))
}

/// Removes what backups that died left behind.
fn remove_unfinished(folder: &Path) -> Result<(), BackupError> {
    for entry in std::fs::read_dir(folder).map_err(super::place::at(folder))? {
        let path = entry.map_err(super::place::at(folder))?.path();
        let is_ours = path.file_name().is_some_and(|name| {
            let name = name.to_string_lossy();
            name.ends_with(&format!("Z{UNFINISHED}")) && name.starts_with(|first: char| first.is_ascii_digit())
        });
        if is_ours && path.is_dir() {
            remove_folder(&path)?;
        }
    }
    Ok(())
}

/// A name for a backup made now: it sorts by time.
fn name(folder: &Path) -> Result<PathBuf, BackupError> {
    let now = jiff::Timestamp::now();
    let free = |seconds: u32| {
        let at = now + jiff::SignedDuration::from_secs(i64::from(seconds));
        let path = folder.join(at.strftime(STAMP).to_string());
        (!path.exists()).then_some(path)
    };
    (0..TRIES).find_map(free).ok_or_else(|| BackupError::Busy(folder.to_owned()))
}

/// The backup before, whose packs need not be copied again.
struct Before {
    backup: PathBuf,
    manifest: Manifest,
}

impl Before {
    /// The latest whose manifest can be read.
    fn find(folder: &Path) -> Result<Option<Self>, BackupError> {
        let readable = |backup: PathBuf| Manifest::read(&backup).ok().map(|manifest| Self { backup, manifest });
        Ok(complete(folder)?.into_iter().rev().find_map(readable))
    }

    /// Its copy of a pack that ended there.
    fn pack(&self, pack: u32, end: u64) -> Option<(PathBuf, &Listed)> {
        let name = format!("{PACKS}/{}", pack_name(pack));
        let listed = self.manifest.file(&name).filter(|listed| listed.bytes == end)?;
        let path = self.backup.join(&name);
        std::fs::metadata(&path).is_ok_and(|found| found.len() == end).then_some((path, listed))
    }
}

fn fill(
    picture: &Path,
    part: &Path,
    order: &Order<'_>,
    before: Option<&Before>,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<(Manifest, u64), BackupError> {
    let created = jiff::Timestamp::now();
    let packs = Letters::read(picture)?.packs()?;
    let known = |pack: u32, end: u64| before.is_some_and(|before| before.pack(pack, end).is_some());
    let new: u64 = packs.iter().filter(|(pack, end)| !known(**pack, **end)).map(|(_, end)| end).sum();
    let database = len(&picture.join(DATABASE))?;
    let (needed, free) = (new + database + RESERVE, free_bytes(order.folder));
    if needed > free {
        return Err(BackupError::Full { folder: order.folder.to_owned(), needed: needed >> 20, free: free >> 20 });
    }
    make_folder(part)?;
    make_folder(&part.join(PACKS))?;
    let mut files = vec![copy_database(picture, part, database)?];
    let mut copied = database;
    let letters = Letters::read(part)?;
    let mut damaged = Vec::new();
    for (index, (pack, end)) in packs.iter().enumerate() {
        progress(index, packs.len());
        let packed = Pack { number: *pack, end: *end, picture, part, letters: &letters };
        let (listed, bytes) = packed.take(before, &mut damaged)?;
        files.push(listed);
        copied += bytes;
    }
    progress(packs.len(), packs.len());
    letters.check_references()?;
    if let Some(text) = order.configuration {
        write_file(&part.join(CONFIGURATION), text)?;
        files.push(listed(part, CONFIGURATION)?);
    }
    let manifest = Manifest {
        format: FORMAT,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        schema: mailstead_migrations::CURRENT,
        created: created.round(jiff::Unit::Second).unwrap_or(created).to_string(),
        letters: letters.count()?,
        damaged,
        files,
    };
    manifest.write(part)?;
    sync_folder(&part.join(PACKS))?;
    sync_folder(part)?;
    Ok((manifest, copied))
}

fn copy_database(picture: &Path, part: &Path, bytes: u64) -> Result<Listed, BackupError> {
    let (from, to) = (picture.join(DATABASE), part.join(DATABASE));
    copy_file(&from, &to, bytes)?;
    let copy = listed(part, DATABASE)?;
    if hash_file(&from)? != (copy.bytes, copy.blake3.clone()) {
        return Err(unreliable(&to));
    }
    Ok(copy)
}

fn listed(part: &Path, name: &str) -> Result<Listed, BackupError> {
    let (bytes, blake3) = hash_file(&part.join(name))?;
    Ok(Listed { name: name.to_owned(), bytes, blake3 })
}

fn unreliable(path: &Path) -> BackupError {
    let what = "what was written there reads back as something else: that disk can't be relied on".to_owned();
    BackupError::File { path: path.to_owned(), what }
}

/// A pack on its way into a backup.
struct Pack<'a> {
    number: u32,
    end: u64,
    picture: &'a Path,
    part: &'a Path,
    letters: &'a Letters,
}

impl Pack<'_> {
    /// Links it from the backup before or copies it, and proves its letters. Gives what the manifest says of it, and how
    /// many bytes were copied.
    fn take(&self, before: Option<&Before>, damaged: &mut Vec<String>) -> Result<(Listed, u64), BackupError> {
        let name = format!("{PACKS}/{}", pack_name(self.number));
        let to = self.part.join(&name);
        if let Some((there, was)) = before.and_then(|before| before.pack(self.number, self.end))
            && std::fs::hard_link(&there, &to).is_ok()
        {
            let is = listed(self.part, &name)?;
            if is == *was && self.damaged(self.part)?.is_empty() {
                return Ok((is, 0));
            }
            // Another store's, or no longer what it was: this backup gets a copy of its own.
            std::fs::remove_file(&to).map_err(super::place::at(&to))?;
        }
        copy_file(&self.picture.join(&name), &to, self.end)?;
        let bad = self.damaged(self.part)?;
        if !bad.is_empty() {
            // A letter that is damaged in the server too is no reason to leave all others without a backup.
            let at_home = self.damaged(self.picture)?;
            if bad.iter().any(|hash| !at_home.contains(hash)) {
                return Err(unreliable(&to));
            }
            damaged.extend(bad);
        }
        Ok((listed(self.part, &name)?, self.end))
    }

    fn damaged(&self, folder: &Path) -> Result<Vec<String>, BackupError> {
        self.letters.damaged_in(self.number, self.end, &folder.join(PACKS))
    }
}
