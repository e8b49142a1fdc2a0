//! Name resolution against real name servers on loopback: honest ones, and those that are not.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod by_heart;
mod choosing;
mod fake;
mod hostile;
mod names;
mod proofs;
