//! Whole sessions over real sockets on loopback, against a real store.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod harness;
mod sessions;
