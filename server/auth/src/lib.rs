//! Who is who: what is proved about a letter from the world, and what we prove about ours.
//!
//! **Invariants:** reads no clock and opens no socket; DNS comes in as [`mailstead_net::dns::Dns`], keys and times as
//! arguments. Everything that can be asked of the outside world is bounded here: lookups, signatures, time.
//!
//! RFC 6376 and 8463 (DKIM), 7208 (SPF), 9989 (DMARC), 8617 (ARC), 8601 (Authentication-Results), 8460 and 9990 (reports). Published keys are read
//! and signatures proved by mail-auth; what the RFCs say about judging them, limits included, is written here. Start
//! reading at [`body`], then [`check`].

pub mod body;
pub mod check;
mod fold;
pub mod keys;
pub mod published;
#[cfg(test)]
mod referee;
pub mod report;
pub mod seal;
pub mod sign;
pub mod srs;
