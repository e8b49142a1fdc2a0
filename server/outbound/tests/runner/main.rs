//! The queue's life against servers on loopback: who is tried, what is tried again, who is told.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod authority;
mod dane;
mod policy_host;
mod reports;
mod require_tls;
mod retries;
mod routes;
mod server;
mod sts;
mod web_reports;
mod world;
