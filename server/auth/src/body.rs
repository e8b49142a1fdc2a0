//! A body as DKIM and ARC hash it (RFC 6376 3.4.3, 3.4.4), in one pass, however large it is.

use aws_lc_rs::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use memchr::{memchr, memchr3};

/// How a body is brought to one shape before it is hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Canonicalization {
    /// As it is, without empty lines at its end (RFC 6376 3.4.3).
    Simple,
    /// Also without white space at line ends, and with every other run of it as one space (RFC 6376 3.4.4).
    Relaxed,
}

/// What a body is hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Digest {
    /// Of old signatures, which nobody should trust any more (RFC 8301).
    Sha1,
    /// Of all others.
    Sha256,
}

/// Hashes a body piece by piece.
pub struct BodyHasher {
    canonicalization: Canonicalization,
    context: Context,
    /// Something that counts was hashed.
    begun: bool,
    /// Line ends not yet hashed: whether they count depends on what follows.
    line_ends: u64,
    /// White space not yet hashed (relaxed only).
    space: bool,
    /// A CR whose LF has not come yet.
    cr: bool,
}

impl BodyHasher {
    /// Begins.
    pub fn new(canonicalization: Canonicalization, digest: Digest) -> Self {
        let context = Context::new(match digest {
            Digest::Sha1 => &SHA1_FOR_LEGACY_USE_ONLY,
            Digest::Sha256 => &SHA256,
        });
        Self { canonicalization, context, begun: false, line_ends: 0, space: false, cr: false }
    }

    /// The next piece, cut anywhere.
    pub fn update(&mut self, mut piece: &[u8]) {
        if self.cr
            && let Some(next) = piece.first()
        {
            self.cr = false;
            if *next == b'\n' {
                self.end_line();
                piece = piece.get(1..).unwrap_or_default();
            } else {
                self.content(b"\r");
            }
        }
        while !piece.is_empty() {
            let special = match self.canonicalization {
                Canonicalization::Simple => memchr(b'\r', piece),
                Canonicalization::Relaxed => memchr3(b'\r', b' ', b'\t', piece),
            };
            let (plain, rest) = piece.split_at(special.unwrap_or(piece.len()));
            self.content(plain);
            piece = match rest {
                [b'\r', b'\n', rest @ ..] => {
                    self.end_line();
                    rest
                }
                [b'\r'] => {
                    self.cr = true;
                    &[]
                }
                [b'\r', rest @ ..] => {
                    self.content(b"\r");
                    rest
                }
                [_, rest @ ..] => {
                    self.space = true;
                    rest
                }
                [] => &[],
            };
        }
    }

    /// The hash.
    pub fn finish(mut self) -> Vec<u8> {
        if self.cr {
            self.content(b"\r");
        }
        // An empty body is a line end in the simple shape and nothing in the relaxed one.
        if self.begun || self.canonicalization == Canonicalization::Simple {
            self.context.update(b"\r\n");
        }
        self.context.finish().as_ref().to_vec()
    }

    fn content(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        for _ in 0..self.line_ends {
            self.context.update(b"\r\n");
        }
        if self.space {
            self.context.update(b" ");
        }
        self.context.update(bytes);
        (self.begun, self.line_ends, self.space) = (true, 0, false);
    }

    fn end_line(&mut self) {
        self.space = false;
        self.line_ends += 1;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn hash(canonicalization: Canonicalization, pieces: &[&[u8]]) -> Vec<u8> {
        let mut hasher = BodyHasher::new(canonicalization, Digest::Sha256);
        pieces.iter().for_each(|piece| hasher.update(piece));
        hasher.finish()
    }

    fn sha256(bytes: &[u8]) -> Vec<u8> {
        aws_lc_rs::digest::digest(&SHA256, bytes).as_ref().to_vec()
    }

    #[test]
    fn bodies_are_hashed_in_the_shapes_of_rfc_6376() {
        for (body, simple, relaxed) in [
            ("", "\r\n", ""),
            ("\r\n\r\n", "\r\n", ""),
            (" \t\r\n", " \t\r\n", ""),
            ("a", "a\r\n", "a\r\n"),
            ("a\r\n\r\n\r\n", "a\r\n", "a\r\n"),
            ("Hello\r\n  \r\n", "Hello\r\n  \r\n", "Hello\r\n"),
            (" C \r\nD \t E\r\n\r\n\r\n", " C \r\nD \t E\r\n", " C\r\nD E\r\n"),
            ("\r\n\r\na\r\n", "\r\n\r\na\r\n", "\r\n\r\na\r\n"),
            ("a \r\n \r\n\tb", "a \r\n \r\n\tb\r\n", "a\r\n\r\n b\r\n"),
            ("a\rb\r", "a\rb\r\r\n", "a\rb\r\r\n"),
        ] {
            assert_eq!(hash(Canonicalization::Simple, &[body.as_bytes()]), sha256(simple.as_bytes()), "{body:?}");
            assert_eq!(hash(Canonicalization::Relaxed, &[body.as_bytes()]), sha256(relaxed.as_bytes()), "{body:?}");
        }
    }

    #[test]
    fn where_a_body_is_cut_does_not_matter() {
        let body = b" x\t \r\n\r\n \r\ny \r z\r\n\r\n\t\r\n";
        for canonicalization in [Canonicalization::Simple, Canonicalization::Relaxed] {
            let whole = hash(canonicalization, &[body]);
            let bytes: Vec<&[u8]> = body.chunks(1).collect();
            assert_eq!(hash(canonicalization, &bytes), whole);
            for at in 0..body.len() {
                let (left, right) = body.split_at(at);
                assert_eq!(hash(canonicalization, &[left, right]), whole, "cut at {at}");
            }
        }
    }
}
