//! One message's anatomy.
//!
//! [`address`]: addresses and domains, parsed once and never checked again. [`header`]: the header block, read and
//! edited without touching other bytes. [`received`]: the trace fields we add. [`summary`]: what IMAP lists, computed
//! once at delivery by the one-pass parser in [`mime`]. [`text`]: decoded text for searching. [`dsn`]: delivery
//! notifications, [`xtext`] their encodings. [`report`]: what reports on TLS and DMARC tell. [`trace`]: the name of one
//! message's life.
//!
//! **Invariant:** this room is pure. It takes bytes and gives values; it opens no file, no socket, asks
//! no clock and knows nothing of accounts. Every function is bounded in time and depth whatever the bytes: cost grows
//! with the size of the input, never with its square, and recursion ends at [`mime::MAX_DEPTH`].
//!
//! **Invariant:** what is composed here has CRLF line ends, and no byte of a stranger can end a line of ours.
//!
//! RFC 5321 4.1.2 and 4.4 (addresses, trace), RFC 5322 (format), RFC 2045-2049 (MIME), RFC 2183, RFC 3501 6.4.5 and
//! 7.4.2 (sections, ENVELOPE, BODYSTRUCTURE), RFC 6531/6532/6533 (internationalised mail), RFC 3461/3464 (notifications).
//! Start reading at [`address`], then [`header`], then [`summary`].

pub mod address;
mod address_list;
pub mod dsn;
mod encoded_word;
pub mod header;
pub mod mime;
pub mod received;
pub mod report;
mod structured;
pub mod summary;
pub mod text;
pub mod trace;
mod transfer;
pub mod xtext;

pub use address::{Address, AddressError, Domain, LocalPart, ReversePath};
pub use summary::Summary;
pub use trace::TraceId;
