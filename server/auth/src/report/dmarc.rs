//! DMARC aggregate reports, as XML: written in the order of RFC 7489's schema, which RFC 9990's takes too; read
//! leniently, for many programs write them.

mod read;
mod write;

pub use read::read;
pub use write::write;
