//! The precomputed facts of a message: ENVELOPE, MIME tree with byte offsets, header length.

use std::ops::Range;

use serde::{Deserialize, Serialize};

pub use crate::address_list::Mailbox;
use crate::{mime, structured};

/// What IMAP lists of a message, computed once at delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// The envelope (RFC 3501 7.4.2).
    pub envelope: Envelope,
    /// The MIME tree.
    pub root: Part,
}

/// The ENVELOPE fields, raw header bytes unfolded (RFC 2047 encoding kept, as IMAP wants it).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    /// `Date`.
    pub date: Option<Vec<u8>>,
    /// `Subject`.
    pub subject: Option<Vec<u8>>,
    /// `From`.
    pub from: Vec<Mailbox>,
    /// `Sender`, or From where it is missing.
    pub sender: Vec<Mailbox>,
    /// `Reply-To`, or From where it is missing.
    pub reply_to: Vec<Mailbox>,
    /// `To`.
    pub to: Vec<Mailbox>,
    /// `Cc`.
    pub cc: Vec<Mailbox>,
    /// `Bcc`.
    pub bcc: Vec<Mailbox>,
    /// `In-Reply-To`.
    pub in_reply_to: Option<Vec<u8>>,
    /// `Message-ID`.
    pub message_id: Option<Vec<u8>>,
}

/// Parameters in the order they are written: name in upper case, value without its quotes.
pub type Params = Vec<(Vec<u8>, Vec<u8>)>;

/// One MIME part. Offsets count from the first byte of the stored message (the blob).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// First byte of the part's own header (for the root: 0).
    pub header_start: u64,
    /// First byte of its body.
    pub body_start: u64,
    /// One past its last byte.
    pub body_end: u64,
    /// Lines in the body.
    pub lines: u64,
    /// `type` in upper case.
    pub media_type: Vec<u8>,
    /// `subtype` in upper case.
    pub media_subtype: Vec<u8>,
    /// Content-Type parameters.
    pub params: Params,
    /// Content-ID.
    pub id: Option<Vec<u8>>,
    /// Content-Description.
    pub description: Option<Vec<u8>>,
    /// Content-Transfer-Encoding, `7BIT` where missing.
    pub encoding: Vec<u8>,
    /// Content-MD5.
    pub md5: Option<Vec<u8>>,
    /// Content-Disposition and its parameters.
    pub disposition: Option<(Vec<u8>, Params)>,
    /// Content-Language tags.
    pub language: Vec<Vec<u8>>,
    /// Content-Location.
    pub location: Option<Vec<u8>>,
    /// What is inside.
    pub content: Content,
}

/// What a part holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Content {
    /// A leaf, or a part nobody looks into (too deep, too many, or encoded where it must not be).
    #[default]
    Leaf,
    /// `multipart/*`.
    Multipart(Vec<Part>),
    /// `message/rfc822` or `message/global`: the envelope and the MIME tree of the message inside.
    Message(Box<Summary>),
}

/// Which bytes of a section are asked for (RFC 3501 6.4.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Section {
    /// The whole message, or the part's body.
    Whole,
    /// `HEADER`: of the message, or of the message a `message/rfc822` part holds.
    Header,
    /// `TEXT`: the body of the same.
    Text,
    /// `MIME`: the part's own header.
    Mime,
}

impl Summary {
    /// Reads a whole message. Never fails: what can't be understood becomes one opaque part, and so does what lies
    /// beyond [`mime::MAX_DEPTH`] and [`mime::MAX_PARTS`]. Linear in the message's size.
    ///
    /// A [`Content::Leaf`] is never of a `multipart` type or `message/rfc822`: opaque parts are
    /// `application/octet-stream`. A [`Content::Multipart`] has at least one part.
    pub fn parse(message: &[u8]) -> Self {
        mime::parse(message)
    }

    /// The part of an IMAP section number (`1.2` is `[1, 2]`); `None` for an empty path or one that leads nowhere.
    pub fn part(&self, path: &[u32]) -> Option<&Part> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.numbered(*first)?, |part, number| match &part.content {
            Content::Multipart(parts) => child(parts, *number),
            Content::Message(inner) => inner.numbered(*number),
            Content::Leaf => None,
        })
    }

    /// The bytes of a section in the stored message; `None` where there is no such section.
    pub fn range(&self, path: &[u32], section: Section) -> Option<Range<u64>> {
        if path.is_empty() {
            return match section {
                Section::Whole => Some(self.root.header_start..self.root.body_end),
                Section::Header => Some(self.root.header()),
                Section::Text => Some(self.root.body()),
                Section::Mime => None,
            };
        }
        let part = self.part(path)?;
        match (section, &part.content) {
            (Section::Whole, _) => Some(part.body()),
            (Section::Mime, _) => Some(part.header()),
            (Section::Header, Content::Message(inner)) => Some(inner.root.header()),
            (Section::Text, Content::Message(inner)) => Some(inner.root.body()),
            (Section::Header | Section::Text, _) => None,
        }
    }

    /// All parts, each before those inside it; the roots of enclosed messages among them.
    pub fn parts(&self) -> impl Iterator<Item = &Part> {
        let mut waiting = vec![&self.root];
        std::iter::from_fn(move || {
            let part = waiting.pop()?;
            match &part.content {
                Content::Multipart(parts) => waiting.extend(parts.iter().rev()),
                Content::Message(inner) => waiting.push(&inner.root),
                Content::Leaf => {}
            }
            Some(part)
        })
    }

    /// A part of the topmost level: of a message that is no multipart, part 1 is its body.
    fn numbered(&self, number: u32) -> Option<&Part> {
        match &self.root.content {
            Content::Multipart(parts) => child(parts, number),
            _ => (number == 1).then_some(&self.root),
        }
    }
}

impl Part {
    /// The bytes of its own header, the empty line included.
    pub fn header(&self) -> Range<u64> {
        self.header_start..self.body_start
    }

    /// The bytes of its body.
    pub fn body(&self) -> Range<u64> {
        self.body_start..self.body_end
    }

    /// Octets of its body, as transferred.
    pub fn size(&self) -> u64 {
        self.body_end.saturating_sub(self.body_start)
    }

    /// True for `multipart/*`.
    pub fn is_multipart(&self) -> bool {
        self.media_type == b"MULTIPART"
    }

    /// True for `message/rfc822` and `message/global`.
    pub fn is_message(&self) -> bool {
        self.media_type == b"MESSAGE" && matches!(self.media_subtype.as_slice(), b"RFC822" | b"GLOBAL")
    }

    /// A Content-Type parameter by its name in upper case.
    pub fn param(&self, name: &str) -> Option<&[u8]> {
        structured::param(&self.params, name)
    }
}

fn child(parts: &[Part], number: u32) -> Option<&Part> {
    parts.get(usize::try_from(number).ok()?.checked_sub(1)?)
}

#[cfg(test)]
mod tests;
