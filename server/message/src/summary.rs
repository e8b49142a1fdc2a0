//! The precomputed facts of a message: ENVELOPE, MIME tree with byte offsets, header length.

use serde::{Deserialize, Serialize};

pub use crate::address_list::Mailbox;

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
    /// A leaf, or a part too deep or too many to look into.
    #[default]
    Leaf,
    /// `multipart/*`.
    Multipart(Vec<Part>),
    /// `message/rfc822` or `message/global`: the envelope and the MIME tree of the message inside.
    Message(Box<Summary>),
}

impl Summary {
    /// Reads a whole message. Never fails: what can't be understood becomes one opaque part.
    pub fn parse(_message: &[u8]) -> Self {
        Self { envelope: Envelope::default(), root: Part::default() }
    }
}
