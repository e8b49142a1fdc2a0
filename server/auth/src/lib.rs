//! Who is who: what is proved about a letter from the world, and what we prove about ours.
//!
//! Coming in: [`check`] judges a letter. Going out: [`sign`] signs it, [`seal`] vouches for what is sent on, with [`keys`];
//! [`srs`] gives what is sent on a reverse-path of ours. [`body`] hashes bodies for both. [`report`] reads and writes what mail servers tell each other about it.
//!
//! **Invariants:** opens no socket and no file; DNS comes in as [`mailstead_net::dns::Dns`], keys and the time of day as
//! arguments. The one clock that is read is tokio's, for how long one letter may wait for DNS. Everything a stranger can
//! make us do is bounded here: lookups, signatures, time, sizes. mail-auth never hashes a body and never asks DNS.
//!
//! RFC 6376, 8463 and 8301 (DKIM), 7208 (SPF), 7489 and 9989 (DMARC), 8617 (ARC), 8601 (Authentication-Results and iprev),
//! 8460 (reports on TLS), 7489 and 9990 (reports on DMARC), 8461 (the record of MTA-STS). Published keys are read and
//! signatures proved by mail-auth; what the RFCs say about judging them, limits included, is written here. Start reading
//! at [`check::Verdict`] for what comes in, at [`sign::sign`] for what goes out.

pub mod body;
pub mod check;
mod fold;
pub mod keys;
#[cfg(test)]
mod referee;
pub mod report;
pub mod seal;
pub mod sign;
pub mod srs;
