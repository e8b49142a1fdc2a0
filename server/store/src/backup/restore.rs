//! From a backup to a data folder.

use std::path::{Path, PathBuf};

use super::check::check;
use super::manifest::{Manifest, resolve};
use super::place::{at, copy_file, free_bytes, hash_file, lock, make_folder, remove_folder, sync_folder};
use super::{BackupError, CONFIGURATION, DATABASE, PACKS};
use crate::{Options, Store};

/// Where a restore works until all is proved, in the data folder.
const WORKING: &str = "restoring";

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    /// From where.
    pub backup: PathBuf,
    /// What it says of itself.
    pub manifest: Manifest,
    /// Letters that wait to go out.
    pub queued: usize,
}

/// Puts a backup, or the latest in a folder, into an empty data folder. All is copied, proved and opened beside its
/// place before the first file gets its name there; the database, without which no server starts, comes last.
///
/// Mail programs get told to read their mailboxes anew (UIDVALIDITY), since they may have seen what came after the
/// backup. Everybody is signed out at the web. With `hold_queue`, letters that wait to go out are held: some may have gone
/// out already after the backup was made.
///
/// # Errors
/// [`BackupError::NotEmpty`], [`BackupError::Damaged`], or what else keeps it from being whole: nothing is in the data
/// folder then that was not there before.
pub async fn restore(
    path: &Path,
    data: &Path,
    options: Options,
    hold_queue: bool,
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Restored, BackupError> {
    let backup = resolve(path)?;
    make_folder(data)?;
    let _lock = lock(data)?;
    let working = data.join(WORKING);
    clear_unfinished(data, &working)?;
    if std::fs::read_dir(data).map_err(at(data))?.flatten().any(|entry| entry.file_name() != "lost+found") {
        return Err(BackupError::NotEmpty(data.to_owned()));
    }
    let prepared = prepare(&backup, &working, options, hold_queue, progress).await;
    let (manifest, queued) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => {
            remove_folder(&working)?;
            return Err(error);
        }
    };
    if let Err(error) = move_in(&working, data) {
        // What has its place already goes again: the data folder is as it was.
        clear_unfinished(data, &working)?;
        return Err(error);
    }
    Ok(Restored { backup, manifest, queued })
}

/// Removes what a restore that died left behind. Packs in the data folder are its own only when it had moved them there
/// and not yet the database, without which no server has ever run on them: all others are somebody's letters.
fn clear_unfinished(data: &Path, working: &Path) -> Result<(), BackupError> {
    if !working.is_dir() || data.join(DATABASE).exists() {
        return Ok(());
    }
    if working.join(DATABASE).is_file() && !working.join(PACKS).exists() {
        remove_folder(&data.join(PACKS))?;
    }
    remove_folder(working)
}

async fn prepare(
    backup: &Path,
    working: &Path,
    options: Options,
    hold_queue: bool,
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<(Manifest, usize), BackupError> {
    let manifest = check(backup, &mut |_, _| {})?;
    let (needed, free) = (manifest.bytes(), free_bytes(working.parent().unwrap_or(working)));
    if needed > free {
        let folder = working.parent().unwrap_or(working).to_owned();
        return Err(BackupError::Full { folder, needed: needed >> 20, free: free >> 20 });
    }
    make_folder(working)?;
    make_folder(&working.join(PACKS))?;
    for (index, file) in manifest.files.iter().enumerate() {
        progress(index, manifest.files.len());
        if file.name == CONFIGURATION {
            continue;
        }
        if !(file.name == DATABASE || is_pack(&file.name)) {
            return Err(BackupError::Damaged(format!("{} does not belong there", file.name)));
        }
        let to = working.join(&file.name);
        copy_file(&backup.join(&file.name), &to, file.bytes)?;
        if hash_file(&to)? != (file.bytes, file.blake3.clone()) {
            let what = "what was written there reads back as something else: that disk can't be relied on";
            return Err(BackupError::File { path: to, what: what.to_owned() });
        }
    }
    progress(manifest.files.len(), manifest.files.len());
    sync_folder(&working.join(PACKS))?;
    let store = Store::open(working, options)?;
    let queued = store.queue()?.len();
    store.lessen(move |change| change.begin_anew(hold_queue)).await?;
    drop(store);
    Ok((manifest, queued))
}

/// `packs/00000001.pack`: nothing else in a manifest may choose where it is written.
fn is_pack(name: &str) -> bool {
    name.strip_prefix("packs/")
        .and_then(|name| name.strip_suffix(".pack"))
        .is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Gives everything its place, the database last.
fn move_in(working: &Path, data: &Path) -> Result<(), BackupError> {
    let mut names: Vec<_> = std::fs::read_dir(working).map_err(at(working))?.flatten().map(|e| e.file_name()).collect();
    names.sort_by_key(|name| name == DATABASE);
    for name in names {
        let to = data.join(&name);
        std::fs::rename(working.join(&name), &to).map_err(at(&to))?;
        sync_folder(data)?;
    }
    remove_folder(working)?;
    sync_folder(data)
}
