//! IMAP over loopback with a real store: what clients see, alone and beside each other.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod alone;
mod condstore;
mod fetching;
mod harness;
mod hostile;
mod idling;
mod listing;
mod searching;
mod together;
