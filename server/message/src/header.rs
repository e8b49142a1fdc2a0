//! The header block: finding, reading, adding and removing fields without touching the others' bytes.

use std::ops::Range;

/// One header field: where it stands in the message, folded lines and final CRLF included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field<'a> {
    /// The name as written, without the colon.
    pub name: &'a str,
    /// The raw value behind the colon, folding kept, final CRLF left out.
    pub value: &'a [u8],
    /// The whole field's bytes in the message.
    pub range: Range<usize>,
}

/// The fields of a message's header, in order; stops at the empty line. Lines that are no field are passed over.
pub fn fields(_message: &[u8]) -> impl Iterator<Item = Field<'_>> {
    std::iter::empty()
}

/// Length of the header block with its empty line; the body begins there.
pub fn header_len(_message: &[u8]) -> usize {
    0
}

/// The unfolded, decoded (RFC 2047) value of the first field of that name.
pub fn value(_message: &[u8], _name: &str) -> Option<String> {
    None
}
