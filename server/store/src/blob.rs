//! A message's bytes on their way in: hashed, compressed in chunks, summarised.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::{Arc, Mutex, PoisonError};

use mailstead_message::Summary;

use crate::{BlobHash, StoreError};

/// Uncompressed bytes of a chunk: what a reader decompresses to get at one byte.
pub(crate) const CHUNK: usize = 1 << 20;
/// zstd's level: mail arrives faster than it is read back, and most of its bulk is base64 at any level.
const LEVEL: i32 = 1;
/// Compressed forms above this are kept in the spool file instead of memory.
const HOLD: usize = 4 << 20;

/// A message on its way in: hashed, compressed and summarised, not yet stored.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// The blob's name.
    pub hash: BlobHash,
    /// Bytes of the message, uncompressed.
    pub size: u64,
    /// Its precomputed facts.
    pub summary: Summary,
    pub(crate) compressed: Compressed,
}

/// The compressed chunks, one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Compressed {
    /// Compressed bytes of each chunk.
    pub(crate) chunks: Arc<[u32]>,
    bytes: Bytes,
}

#[derive(Debug, Clone)]
enum Bytes {
    Memory(Arc<[u8]>),
    File { file: Arc<File>, start: u64 },
}

impl Compressed {
    /// Bytes of all chunks.
    pub(crate) fn len(&self) -> u64 {
        self.chunks.iter().map(|len| u64::from(*len)).sum()
    }

    /// Writes all chunks to a file at an offset.
    pub(crate) fn write_to(&self, to: &File, mut offset: u64) -> std::io::Result<()> {
        match &self.bytes {
            Bytes::Memory(bytes) => to.write_all_at(bytes, offset),
            Bytes::File { file, start } => {
                let (mut from, end) = (*start, *start + self.len());
                let mut buffer = vec![0; CHUNK];
                while from < end {
                    let step = usize::try_from(end - from).map_or(CHUNK, |left| left.min(CHUNK));
                    let part = buffer.get_mut(..step).unwrap_or_default();
                    file.read_exact_at(part, from)?;
                    to.write_all_at(part, offset)?;
                    from += step as u64;
                    offset += step as u64;
                }
                Ok(())
            }
        }
    }
}

impl Prepared {
    /// Prepares a message held in memory. Costs CPU: call it off the async threads for anything large.
    ///
    /// # Errors
    /// [`StoreError::Io`] when there is no memory to compress it.
    pub fn from_bytes(message: &[u8]) -> Result<Self, StoreError> {
        let mut compressor = compressor()?;
        let (mut bytes, mut chunks) = (Vec::new(), Vec::new());
        for chunk in message.chunks(CHUNK) {
            let compressed = compressor.compress(chunk)?;
            chunks.push(length(compressed.len())?);
            bytes.extend_from_slice(&compressed);
        }
        let compressed = Compressed { chunks: chunks.into(), bytes: Bytes::Memory(bytes.into()) };
        Ok(Self {
            hash: BlobHash(*blake3::hash(message).as_bytes()),
            size: message.len() as u64,
            summary: Summary::parse(message),
            compressed,
        })
    }

    /// Prepares the message that is `head` followed by the bytes of the spool file in `body`. The compressed form of a
    /// large one stays on disk, behind all that is in the spool file, until it is in the pack.
    ///
    /// # Errors
    /// [`StoreError::DiskFull`] or [`StoreError::Io`] of the spool file.
    pub fn from_file(head: &[u8], spool: &File, body: Range<u64>) -> Result<Self, StoreError> {
        // One large message in memory at a time, for as long as its structure is read.
        static TURN: Mutex<()> = Mutex::new(());
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let end = spool.metadata()?.len();
        let len = usize::try_from(body.end.saturating_sub(body.start)).map_err(|_| too_large())?;
        let mut message = Vec::new();
        message.try_reserve_exact(head.len() + len).map_err(|_| too_large())?;
        message.extend_from_slice(head);
        message.resize(head.len() + len, 0);
        spool.read_exact_at(message.get_mut(head.len()..).unwrap_or_default(), body.start)?;
        if message.len() <= HOLD {
            return Self::from_bytes(&message);
        }
        let mut compressor = compressor()?;
        let (mut chunks, mut at) = (Vec::new(), end);
        for chunk in message.chunks(CHUNK) {
            let compressed = compressor.compress(chunk)?;
            chunks.push(length(compressed.len())?);
            spool.write_all_at(&compressed, at)?;
            at += compressed.len() as u64;
        }
        let bytes = Bytes::File { file: Arc::new(spool.try_clone()?), start: end };
        Ok(Self {
            hash: BlobHash(*blake3::hash(&message).as_bytes()),
            size: message.len() as u64,
            summary: Summary::parse(&message),
            compressed: Compressed { chunks: chunks.into(), bytes },
        })
    }
}

/// Decompresses one chunk that must have exactly that length.
pub(crate) fn decompress(chunk: &[u8], len: usize) -> Result<Vec<u8>, StoreError> {
    let bytes = zstd::bulk::decompress(chunk, len).map_err(|_| StoreError::Damaged("a message's bytes".to_owned()))?;
    if bytes.len() == len { Ok(bytes) } else { Err(StoreError::Damaged("a message's bytes".to_owned())) }
}

fn compressor() -> Result<zstd::bulk::Compressor<'static>, StoreError> {
    let mut compressor = zstd::bulk::Compressor::new(LEVEL)?;
    // Found out on reading, chunk by chunk, without hashing the whole message.
    compressor.include_checksum(true)?;
    Ok(compressor)
}

fn length(len: usize) -> Result<u32, StoreError> {
    u32::try_from(len).map_err(|_| too_large())
}

fn too_large() -> StoreError {
    StoreError::Invalid("the message is too large to be kept".to_owned())
}
