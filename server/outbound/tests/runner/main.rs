//! The queue's life against servers on loopback: who is tried, what is tried again, who is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod reports;
mod retries;
mod routes;
mod server;
mod world;
