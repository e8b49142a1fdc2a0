//! Whose files are whose: what root does to a stopped server's data must not lock the server out of it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, Stat, Uid, chownat, fstat, openat, statat};

/// Folders in folders that are looked at: the store has fewer.
const DEPTH: usize = 4;

/// Gives what root has made in a data folder to the folder's owner, when that is somebody else. Nothing is followed out
/// of the folder, whatever its owner put there.
pub(crate) fn hand_over(data: &Path) {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    // The folder itself may be a link that the operator made.
    if let Err(error) = open(CWD, data, OFlags::empty()).and_then(hand_over_within) {
        tracing::warn!("{}: new files can't be given to the folder's owner: {error}", data.display());
    }
}

fn hand_over_within(folder: Option<OwnedFd>) -> io::Result<()> {
    let Some(folder) = folder else { return Ok(()) };
    let owner = fstat(&folder)?;
    if owner.st_uid == 0 { Ok(()) } else { give(&folder, &owner, DEPTH) }
}

fn give(folder: &OwnedFd, owner: &Stat, depth: usize) -> io::Result<()> {
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if [c".", c".."].contains(&name) {
            continue;
        }
        let found = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(found.st_mode);
        // A file with a second name may be somebody else's.
        let made_by_root = found.st_uid == 0 && (kind == FileType::Directory || found.st_nlink == 1);
        if made_by_root && [FileType::Directory, FileType::RegularFile, FileType::Socket].contains(&kind) {
            let (user, group) = (Uid::from_raw(owner.st_uid), Gid::from_raw(owner.st_gid));
            chownat(folder, name, Some(user), Some(group), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        if kind == FileType::Directory
            && depth > 1
            && let Some(inner) = open(folder, name, OFlags::NOFOLLOW)?
        {
            give(&inner, owner, depth - 1)?;
        }
    }
    Ok(())
}

/// Opens a folder; `None` when there is none.
fn open<P: rustix::path::Arg>(at: impl std::os::fd::AsFd, name: P, further: OFlags) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | further;
    match openat(at, name, flags, Mode::empty()) {
        Ok(folder) => Ok(Some(folder)),
        Err(rustix::io::Errno::NOENT | rustix::io::Errno::NOTDIR | rustix::io::Errno::LOOP) => Ok(None),
        Err(error) => Err(error.into()),
    }
}
