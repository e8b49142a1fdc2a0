//! What a backup says of itself, and how backups are found in a folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::BackupError;
use super::place::at;

/// Its file's name.
const NAME: &str = "manifest.json";
/// What the name of an unfinished backup ends with.
pub(super) const UNFINISHED: &str = ".part";
/// The format this program writes.
pub(super) const FORMAT: u32 = 1;

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the backup.
    pub format: u32,
    /// The program's version.
    pub version: String,
    /// The store's schema version.
    pub schema: u32,
    /// When the picture was taken (RFC 3339, UTC).
    pub created: String,
    /// Letters in it, each counted once however many mailboxes have it.
    pub letters: u64,
    /// Letters that were damaged in the server itself, by their hashes.
    pub damaged: Vec<String>,
    /// Every other file.
    pub files: Vec<Listed>,
}

/// A file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Its path in the backup.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// Its BLAKE3 hash.
    pub blake3: String,
}

impl Manifest {
    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    pub(super) fn file(&self, name: &str) -> Option<&Listed> {
        self.files.iter().find(|file| file.name == name)
    }

    /// Reads that of a backup.
    pub(super) fn read(backup: &Path) -> Result<Self, BackupError> {
        let path = backup.join(NAME);
        let text = std::fs::read(&path).map_err(at(&path))?;
        let unreadable = |_| BackupError::Damaged(format!("{NAME} can't be read"));
        let format: Format = serde_json::from_slice(&text).map_err(unreadable)?;
        if format.format > FORMAT {
            return Err(BackupError::Newer(format.version));
        }
        serde_json::from_slice(&text).map_err(unreadable)
    }

    /// Writes it: the last file of a backup.
    pub(super) fn write(&self, backup: &Path) -> Result<(), BackupError> {
        let text = serde_json::to_vec_pretty(self).unwrap_or_default();
        super::place::write_file(&backup.join(NAME), &text)
    }
}

/// The name of a backup: when it was made, in UTC.
pub(super) const STAMP: &str = "%Y-%m-%dT%H%M%SZ";

/// What every format begins with.
#[derive(Deserialize)]
struct Format {
    format: u32,
    version: String,
}

/// The complete backups in a folder, oldest first. What has another name than [`STAMP`] gives is somebody else's, or was
/// put aside.
pub(super) fn complete(folder: &Path) -> Result<Vec<PathBuf>, BackupError> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(at(folder))? {
        let path = entry.map_err(at(folder))?.path();
        if is_stamp(&path) && path.join(NAME).is_file() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn is_stamp(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let digits = name.bytes().map(|byte| if byte.is_ascii_digit() { b'0' } else { byte });
    digits.eq(*b"0000-00-00T000000Z")
}

/// The backup a path means: itself, or the latest complete one in it.
pub(super) fn resolve(path: &Path) -> Result<PathBuf, BackupError> {
    if path.join(NAME).is_file() {
        return Ok(path.to_owned());
    }
    complete(path)?.pop().ok_or_else(|| BackupError::None(path.to_owned()))
}
