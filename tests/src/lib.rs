//! The harness that drives the appliance from outside, through its real ports, with real clients.
//!
//! Nothing here knows the appliance's insides: a [`Demo`] is the real binary with the tiny internet around it, a
//! [`Wire`] is one connection spoken by hand, [`Smtp`] and [`Imap`] are the two small clients the load tests and the
//! benchmark share, a [`Tool`] is somebody else's program, and [`Postfix`], [`Dovecot`] and [`Bind`] are the peers, each with
//! its own configuration folder, on loopback and high ports.
//!
//! **Invariants:** every wait has a deadline and says what it waited for; every process dies with the value that
//! started it; no fixed port, no shared folder, so tests can run side by side.
//!
//! Start reading at [`Demo`].
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation here is a failed test")]

pub mod bind;
pub mod browser;
pub mod debian;
pub mod demo;
pub mod dovecot;
pub mod http;
pub mod imap;
pub mod letter;
pub mod names;
pub mod pebble;
pub mod postfix;
pub mod process;
pub mod referees;
pub mod routes;
pub mod served;
pub mod signed_root;
pub mod sink;
pub mod smtp;
pub mod tool;
pub mod wait;
pub mod wire;

pub use bind::{Bind, Signed};
pub use browser::Browser;
pub use debian::Debian;
pub use demo::{Account, Demo, Server};
pub use dovecot::Dovecot;
pub use http::Http;
pub use imap::Imap;
pub use letter::Letter;
pub use names::Names;
pub use pebble::Pebble;
pub use postfix::Postfix;
pub use served::Served;
pub use signed_root::SignedRoot;
pub use sink::Sink;
pub use smtp::Smtp;
pub use tool::Tool;
pub use wait::eventually;
pub use wire::{Reply, Wire};
