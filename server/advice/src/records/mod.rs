//! The records a domain should publish, and how each of them stands in DNS.
//!
//! Start reading at [`DomainCheck`].

mod told;

pub use told::{DomainCheck, Entry, Growth, Kind, Mistake, Need, Verdict};
