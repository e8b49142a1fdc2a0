//! Packs: append-only files of compressed messages.
//!
//! Only the writer thread appends, always behind what redb says is in the pack: a tail that no committed entry names
//! is overwritten, and cut off at the next start. A sealed pack is never changed again, only dropped whole. Each entry
//! starts with a header of its own, so that the messages could be found again without redb.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::blob::Compressed;
use crate::{BlobHash, StoreError};

/// What an entry starts with; the digit is the format's version.
const MAGIC: &[u8; 8] = b"MSBLOB1\n";
/// Files kept open for reading.
const OPEN_FILES: usize = 64;

/// The folder of packs.
#[derive(Debug)]
pub(crate) struct Packs {
    folder: PathBuf,
    open: Mutex<HashMap<u32, Arc<File>>>,
}

/// Where something was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// Offset of the entry.
    pub(crate) offset: u64,
    /// Offset of its first chunk.
    pub(crate) chunks_at: u64,
    /// Offset behind it.
    pub(crate) end: u64,
}

impl Packs {
    /// Opens the folder, making it where there is none.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        if !folder.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).create(&folder)?;
            sync_folder(folder.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(Self { folder, open: Mutex::default() })
    }

    /// The numbers of the packs that have a file.
    pub(crate) fn numbers(&self) -> io::Result<Vec<u32>> {
        let mut numbers = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            let number: Option<u32> =
                name.to_str().and_then(|name| name.strip_suffix(".pack")).and_then(|name| name.parse().ok());
            numbers.extend(number);
        }
        Ok(numbers)
    }

    /// Bytes in a pack's file.
    pub(crate) fn len(&self, pack: u32) -> io::Result<u64> {
        Ok(std::fs::metadata(self.path(pack))?.len())
    }

    /// Cuts off a tail that no entry names.
    pub(crate) fn cut(&self, pack: u32, len: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(self.path(pack))?;
        if file.metadata()?.len() > len {
            file.set_len(len)?;
        }
        Ok(())
    }

    /// Makes a pack's file, durably.
    pub(crate) fn create(&self, pack: u32) -> io::Result<()> {
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(self.path(pack))?;
        self.lock().remove(&pack);
        sync_folder(&self.folder)
    }

    /// Appends at an offset.
    pub(crate) fn append(
        &self,
        pack: u32,
        offset: u64,
        hash: BlobHash,
        size: u64,
        blob: &Compressed,
    ) -> io::Result<Place> {
        let file = self.writer(pack)?;
        let header = header(hash, size, &blob.chunks);
        file.write_all_at(&header, offset)?;
        let chunks_at = offset + header.len() as u64;
        blob.write_to(&file, chunks_at)?;
        Ok(Place { offset, chunks_at, end: chunks_at + blob.len() })
    }

    /// Copies an entry as it is.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] when it can't be read, which is not the fault of the disk written to.
    pub(crate) fn copy(&self, from: (u32, u64), len: u64, to: (u32, u64)) -> Result<(), StoreError> {
        let unreadable = |error: io::Error| StoreError::Damaged(format!("pack {} can't be read: {error}", from.0));
        let (source, target) = (self.reader(from.0).map_err(unreadable)?, self.writer(to.0)?);
        let mut buffer = vec![0; crate::blob::CHUNK];
        let mut done = 0;
        while done < len {
            let step = usize::try_from(len - done).map_or(buffer.len(), |left| left.min(buffer.len()));
            let part = buffer.get_mut(..step).unwrap_or_default();
            source.read_exact_at(part, from.1 + done).map_err(unreadable)?;
            target.write_all_at(part, to.1 + done)?;
            done += step as u64;
        }
        Ok(())
    }

    /// Brings what was appended to disk.
    pub(crate) fn sync(&self, pack: u32) -> io::Result<()> {
        self.writer(pack)?.sync_data()
    }

    /// A pack for reading. The file stays readable while the handle lives, even if the pack is dropped.
    pub(crate) fn reader(&self, pack: u32) -> io::Result<Arc<File>> {
        self.writer(pack)
    }

    /// Takes a pack that no record knows out of the way. Whether it only holds the rest of a write that was never
    /// acknowledged can't be told, unless it is empty.
    pub(crate) fn set_aside(&self, pack: u32) -> io::Result<()> {
        if self.len(pack)? == 0 {
            return std::fs::remove_file(self.path(pack));
        }
        let aside = self.folder.join(format!("{pack:08}.pack.unknown"));
        tracing::warn!(file = %aside.display(), "a pack the store does not know is set aside");
        std::fs::rename(self.path(pack), aside)
    }

    /// Gives a pack one more name, in another folder of the same disk.
    pub(crate) fn link(&self, pack: u32, folder: &Path) -> io::Result<()> {
        let name = folder.join(format!("{pack:08}.pack"));
        match std::fs::hard_link(self.path(pack), &name) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            done => done,
        }
    }

    /// Drops a pack that no entry names.
    pub(crate) fn remove(&self, pack: u32) -> io::Result<()> {
        let removed = std::fs::remove_file(self.path(pack));
        // Afterwards, so that no reader can have opened it in between: an open file keeps its place on the disk.
        self.lock().remove(&pack);
        removed
    }

    fn writer(&self, pack: u32) -> io::Result<Arc<File>> {
        let mut open = self.lock();
        if let Some(file) = open.get(&pack) {
            return Ok(Arc::clone(file));
        }
        let file = Arc::new(OpenOptions::new().read(true).write(true).open(self.path(pack))?);
        if open.len() >= OPEN_FILES {
            open.clear();
        }
        open.insert(pack, Arc::clone(&file));
        Ok(file)
    }

    fn path(&self, pack: u32) -> PathBuf {
        self.folder.join(format!("{pack:08}.pack"))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<File>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes a new or removed name in a folder durable.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn header(hash: BlobHash, size: u64, chunks: &[u32]) -> Vec<u8> {
    let mut header = Vec::with_capacity(52 + 4 * chunks.len());
    header.extend_from_slice(MAGIC);
    header.extend_from_slice(&hash.0);
    header.extend_from_slice(&size.to_le_bytes());
    header.extend_from_slice(&(chunks.len() as u32).to_le_bytes());
    for chunk in chunks {
        header.extend_from_slice(&chunk.to_le_bytes());
    }
    header
}
