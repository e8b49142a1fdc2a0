//! One message's anatomy.
//!
//! Addresses and domains, the header block and its editing, `Received` lines, the MIME tree with the
//! precomputed `ENVELOPE` and `BODYSTRUCTURE` facts, decoded text for searching, and the composition of
//! delivery reports.
//!
//! **Invariant:** this room is pure. It takes bytes and gives values; it opens no file, no socket, asks
//! no clock and knows nothing of accounts. Every function is bounded in time and depth whatever the bytes.
//!
//! RFC 5321 4.1.2 (addresses), RFC 5322 (format), RFC 2045-2049 (MIME), RFC 2231, RFC 6531/6532
//! (internationalised mail), RFC 3464/3461 (reports). Start reading at [`address`].

pub mod address;
mod address_list;
pub mod dsn;
mod encoded_word;
pub mod header;
pub mod mime;
pub mod received;
mod structured;
pub mod summary;
pub mod text;
pub mod trace;
mod transfer;

pub use address::{Address, AddressError, Domain, LocalPart, ReversePath};
pub use summary::Summary;
pub use trace::TraceId;
