//! The file behind a message too large for memory: unlinked from birth, so nothing is ever left behind.

use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

/// A spool file, if one has been needed yet.
#[derive(Debug, Default)]
pub(super) struct Spool {
    file: Option<File>,
    len: u64,
}

impl Spool {
    /// Appends a block, on a thread that may block.
    pub(super) async fn append(&mut self, folder: &Path, block: Vec<u8>) -> io::Result<()> {
        let (file, folder, len) = (self.file.take(), folder.to_owned(), block.len() as u64);
        let written = tokio::task::spawn_blocking(move || {
            let mut file = file.map_or_else(|| tempfile::tempfile_in(&folder), Ok)?;
            file.write_all(&block)?;
            Ok(file)
        });
        match written.await.unwrap_or_else(|stopped| Err(io::Error::other(stopped))) {
            Ok(file) => {
                self.file = Some(file);
                self.len += len;
                Ok(())
            }
            Err(error) => {
                self.discard();
                Err(error)
            }
        }
    }

    /// True when nothing has been written.
    pub(super) fn is_empty(&self) -> bool {
        self.file.is_none()
    }

    /// Gives the file and its length, and begins anew.
    pub(super) fn take(&mut self) -> Option<(File, u64)> {
        let len = std::mem::take(&mut self.len);
        self.file.take().map(|file| (file, len))
    }

    /// Throws the file away.
    pub(super) fn discard(&mut self) {
        *self = Self::default();
    }
}
