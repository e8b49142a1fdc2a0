//! A message on its way in: its header can be read and replaced, its body may be too large for memory.

use std::fs::File;
use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt as _;

use mailstead_auth::body::{BodyHasher, Canonicalization, Digest};
use mailstead_message::header;
use mailstead_smtp::Reply;
use mailstead_smtp::server::Body;
use mailstead_store::{Prepared, StoreError};

use crate::Refusal;

/// Largest header taken, in bytes. Honest ones stay under a tenth of it even behind long lists and many filters; it
/// bounds what a session holds of a spooled message, and the work of every reader after us.
pub const MAX_HEADER: usize = 1 << 20;

/// Read at a time.
const BLOCK: usize = 64 << 10;

/// A received message. Everything but [`Self::header`] and [`Self::size`] may block on the disk.
#[derive(Debug)]
pub struct Letter {
    source: Source,
    header_len: usize,
    size: u64,
}

#[derive(Debug)]
enum Source {
    Memory(Vec<u8>),
    Spooled { file: File, header: Vec<u8> },
}

impl Letter {
    /// Finds the header.
    ///
    /// # Errors
    /// It is larger than [`MAX_HEADER`], or the spool can't be read.
    pub fn open(body: Body) -> Result<Self, Refusal> {
        let (source, header_len, size) = match body {
            Body::Memory(message) => {
                let (header_len, size) = (header::header_len(&message), message.len() as u64);
                (Source::Memory(message), header_len, size)
            }
            Body::Spooled { file, len } => {
                let header = read_header(&file).map_err(unreadable)?.ok_or_else(too_large)?;
                let header_len = header.len();
                (Source::Spooled { file, header }, header_len, len)
            }
        };
        if header_len > MAX_HEADER {
            return Err(too_large().into());
        }
        Ok(Self { source, header_len, size })
    }

    /// As [`Letter::open`], off the runtime's threads when it must be read from disk.
    ///
    /// # Errors
    /// As of [`Letter::open`].
    pub(crate) async fn read(body: Body) -> Result<Self, Refusal> {
        if matches!(body, Body::Memory(_)) {
            return Self::open(body);
        }
        let opened = tokio::task::spawn_blocking(move || Self::open(body));
        opened.await.unwrap_or_else(|error| Err(StoreError::Io(error.to_string()).into()))
    }

    /// The header with its empty line.
    pub fn header(&self) -> &[u8] {
        let start = match &self.source {
            Source::Memory(message) => message,
            Source::Spooled { header, .. } => header,
        };
        start.get(..self.header_len).unwrap_or_default()
    }

    /// Length of the message in bytes, as it came.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Length of the body in bytes.
    pub(crate) fn body_size(&self) -> u64 {
        self.size.saturating_sub(self.header_len as u64)
    }

    /// The body's place in the spool; the store may write its own behind it.
    fn body(&self) -> Range<u64> {
        self.header_len as u64..self.size
    }

    /// True when the body has bytes beyond ASCII.
    ///
    /// # Errors
    /// The spool can't be read.
    pub(crate) fn body_has_eight_bits(&self) -> Result<bool, StoreError> {
        let found =
            self.read_body(|block| if block.is_ascii() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })?;
        Ok(found.is_break())
    }

    /// The hash of the body as DKIM and ARC have it. Costs CPU.
    ///
    /// # Errors
    /// The spool can't be read.
    pub(crate) fn hash_body(&self, canonicalization: Canonicalization, digest: Digest) -> Result<Vec<u8>, StoreError> {
        let mut hasher = BodyHasher::new(canonicalization, digest);
        let _ = self.read_body(|block| {
            hasher.update(block);
            ControlFlow::<()>::Continue(())
        })?;
        Ok(hasher.finish())
    }

    /// Gives the body in blocks, in order, until `take` has seen enough.
    ///
    /// # Errors
    /// The spool can't be read.
    pub(crate) fn read_body<B>(
        &self,
        mut take: impl FnMut(&[u8]) -> ControlFlow<B>,
    ) -> Result<ControlFlow<B>, StoreError> {
        match &self.source {
            Source::Memory(message) => Ok(take(message.get(self.header_len..).unwrap_or_default())),
            Source::Spooled { file, .. } => read_blocks(file, self.body(), take).map_err(unreadable),
        }
    }

    /// The message with `head` for its header, ready for the store. Costs CPU.
    ///
    /// # Errors
    /// The spool can't be read, or the disk has no room for the compressed form.
    pub fn prepare(&self, head: &[u8]) -> Result<Prepared, StoreError> {
        match &self.source {
            Source::Memory(message) => {
                let body = message.get(self.header_len..).unwrap_or_default();
                Prepared::from_bytes(&[head, body].concat())
            }
            Source::Spooled { file, .. } => Prepared::from_file(head, file, self.body()),
        }
    }
}

fn too_large() -> Reply {
    Reply::new(552, (5, 3, 4), format!("the message's header is larger than {MAX_HEADER} octets"))
}

fn unreadable(error: io::Error) -> StoreError {
    StoreError::Io(format!("the spool of a message can't be read: {error}"))
}

/// The header at the file's start, with its empty line; `None` when it is too large.
fn read_header(file: &File) -> io::Result<Option<Vec<u8>>> {
    let mut start = Vec::new();
    let mut block = vec![0; BLOCK];
    while start.len() <= MAX_HEADER {
        let read = file.read_at(&mut block, start.len() as u64)?;
        // The line ends of the empty line may stand in two blocks.
        let seen = start.len().saturating_sub(3);
        start.extend_from_slice(block.get(..read).unwrap_or_default());
        let ended = memchr::memmem::find(start.get(seen..).unwrap_or_default(), b"\r\n\r\n").is_some();
        if read == 0 || ended || start.starts_with(b"\r\n") {
            start.truncate(header::header_len(&start));
            start.shrink_to_fit();
            return Ok(Some(start));
        }
    }
    Ok(None)
}

fn read_blocks<B>(
    file: &File,
    place: Range<u64>,
    mut take: impl FnMut(&[u8]) -> ControlFlow<B>,
) -> io::Result<ControlFlow<B>> {
    let mut block = vec![0; BLOCK];
    let mut at = place.start;
    while at < place.end {
        let wanted = usize::try_from(place.end - at).map_or(BLOCK, |left| left.min(BLOCK));
        let part = block.get_mut(..wanted).unwrap_or_default();
        file.read_exact_at(part, at)?;
        let seen = take(part);
        if seen.is_break() {
            return Ok(seen);
        }
        at += wanted as u64;
    }
    Ok(ControlFlow::Continue(()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::io::Write as _;

    use super::*;

    fn memory(message: &[u8]) -> Body {
        Body::Memory(message.to_vec())
    }

    fn spooled(message: &[u8]) -> Body {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(message).unwrap();
        Body::Spooled { file, len: message.len() as u64 }
    }

    #[test]
    fn held_or_spooled_the_header_is_the_same() {
        let long = [b"Subject: ".to_vec(), b"x".repeat(3 * BLOCK), b"\r\n\r\nbody\r\n".to_vec()].concat();
        // An empty line that two blocks share.
        let split = [b"S: ".to_vec(), b"x".repeat(BLOCK - 6), b"\r\n\r\nbody\r\n\r\n".to_vec()].concat();
        for message in
            [&b"A: b\r\nC: d\r\n\r\nbody\r\n"[..], b"\r\nbody\r\n", b"A: b\r\n\r\n", b"A: b\r\n", b"", &long, &split]
        {
            for body in [memory(message), spooled(message)] {
                let letter = Letter::open(body).unwrap();
                let length = header::header_len(message);
                assert_eq!(letter.header(), &message[..length]);
                assert_eq!(letter.size(), message.len() as u64);
                assert_eq!(letter.body_size(), (message.len() - length) as u64);
            }
        }
    }

    #[test]
    fn a_header_without_end_is_refused() {
        let endless = b"X-Padding: something\r\n".repeat(240_000);
        let large = [b"X: y\r\n".repeat(MAX_HEADER / 6 + 1), b"\r\nbody\r\n".to_vec()].concat();
        for message in [&endless, &large] {
            for body in [memory(message), spooled(message)] {
                let refused = Letter::open(body).unwrap_err().reply();
                assert_eq!((refused.code, refused.status), (552, Some((5, 3, 4))));
            }
        }
        let many = [b"X: y\r\n".repeat(20_000), b"\r\nbody\r\n".to_vec()].concat();
        assert!(Letter::open(spooled(&many)).is_ok());
    }

    #[test]
    fn a_spooled_message_leaves_its_body_on_disk() {
        let message = [b"Subject: x\r\n\r\n".to_vec(), b"body\r\n".repeat(1_000_000)].concat();
        let Source::Spooled { header, .. } = Letter::open(spooled(&message)).unwrap().source else {
            panic!("it is spooled");
        };
        assert!(header.capacity() <= BLOCK, "{}", header.capacity());
    }

    #[test]
    fn eight_bits_are_seen_in_the_body_alone() {
        let far = [b"A: b\r\n\r\n".to_vec(), b"x".repeat(2 * BLOCK), b"\xff\r\n".to_vec()].concat();
        for (message, expected) in [
            (&b"A: \xff\r\n\r\nbody\r\n"[..], false),
            (b"A: b\r\n\r\nb\xc3\xb6dy\r\n", true),
            (b"", false),
            (&far, true),
        ] {
            for body in [memory(message), spooled(message)] {
                assert_eq!(Letter::open(body).unwrap().body_has_eight_bits().unwrap(), expected);
            }
        }
        let hashes = [memory(&far), spooled(&far)]
            .map(|body| Letter::open(body).unwrap().hash_body(Canonicalization::Relaxed, Digest::Sha256).unwrap());
        assert_eq!(hashes[0], hashes[1], "held or spooled, the body is the same");
        let Body::Spooled { mut file, len } = spooled(b"A: b\r\n\r\nbody\r\n") else { panic!("it is spooled") };
        file.write_all(b"\xff of somebody else").unwrap();
        assert!(!Letter::open(Body::Spooled { file, len }).unwrap().body_has_eight_bits().unwrap());
    }
}
