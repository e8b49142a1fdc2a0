//! Folders and files of backups: made private, brought to disk, named when whole.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Advice, FlockOperation, fadvise, flock};

use super::BackupError;

/// Bytes read at once.
const STEP: usize = 1 << 20;

/// Held while a folder is worked on; dropped with the process at the latest.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock ends when the file is closed")] File);

/// Locks a folder against other backups and restores, in this process and all others.
///
/// # Errors
/// [`BackupError::Busy`] while somebody else has it.
pub fn lock(folder: &Path) -> Result<Lock, BackupError> {
    let file = File::open(folder).map_err(at(folder))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Lock(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(BackupError::Busy(folder.to_owned())),
        Err(error) => Err(at(folder)(error.into())),
    }
}

/// Turns an error of a file into one that names it.
pub(super) fn at(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |error| match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            BackupError::Full { folder: path.to_owned(), needed: 1, free: 0 }
        }
        io::ErrorKind::PermissionDenied => {
            let path = path.to_owned();
            BackupError::File { path, what: "this user may not do that: try again with sudo".to_owned() }
        }
        _ => BackupError::File { path: path.to_owned(), what: error.to_string() },
    }
}

/// Makes a folder that only its owner may enter; those above it as they come.
pub(super) fn make_folder(path: &Path) -> Result<(), BackupError> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(at(above))?;
    }
    DirBuilder::new().mode(0o700).create(path).map_err(at(path))?;
    // Without that a power cut takes the folder away, with all that was synced in it.
    match path.parent() {
        Some(above) if !above.as_os_str().is_empty() => sync_folder(above),
        _ => sync_folder(Path::new(".")),
    }
}

/// Removes a folder with all that is in it, if it is there.
pub(super) fn remove_folder(path: &Path) -> Result<(), BackupError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at(path)(error)),
        _ => Ok(()),
    }
}

/// Copies the first bytes of a file into a new one, readable by its owner alone, and brings it to disk.
pub(super) fn copy_file(from: &Path, to: &Path, bytes: u64) -> Result<(), BackupError> {
    let source = File::open(from).map_err(at(from))?;
    let mut target = create(to)?;
    let copied = io::copy(&mut source.take(bytes), &mut target).map_err(at(to))?;
    if copied != bytes {
        let what = format!("it has {copied} of {bytes} bytes");
        return Err(BackupError::File { path: from.to_owned(), what });
    }
    settle(&target, to)
}

/// Writes a small file and brings it to disk.
pub(super) fn write_file(to: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut target = create(to)?;
    target.write_all(bytes).map_err(at(to))?;
    settle(&target, to)
}

fn create(path: &Path) -> Result<File, BackupError> {
    OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path).map_err(at(path))
}

/// Brings a file to disk, and lets go of what memory holds of it: who reads it next reads the disk.
fn settle(file: &File, path: &Path) -> Result<(), BackupError> {
    file.sync_all().map_err(at(path))?;
    let _ = fadvise(file, 0, None, Advice::DontNeed);
    Ok(())
}

/// Brings a folder's names to disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), BackupError> {
    crate::pack::sync_folder(path).map_err(at(path))
}

/// Length and BLAKE3 hash of a file.
pub(super) fn hash_file(path: &Path) -> Result<(u64, String), BackupError> {
    let mut file = File::open(path).map_err(at(path))?;
    let (mut hasher, mut buffer, mut bytes) = (blake3::Hasher::new(), vec![0; STEP], 0);
    loop {
        let read = file.read(&mut buffer).map_err(at(path))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        bytes += read as u64;
    }
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}

/// Bytes free for us on the disk of a folder.
pub(super) fn free_bytes(folder: &Path) -> u64 {
    rustix::fs::statvfs(folder).map_or(u64::MAX, |found| found.f_bavail.saturating_mul(found.f_frsize))
}
