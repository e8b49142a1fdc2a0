//! The appliance driven from outside: each test starts the real binary and talks to its real ports.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app_passwords;
mod authentication;
mod backup;
mod certificates;
mod clients;
mod clients_find_us;
mod dane;
mod demo;
mod disk_full;
mod doctor;
mod floods;
mod forwarding;
mod guidance;
mod hostile_imap;
mod hostile_pop3;
mod hostile_proofs;
mod hostile_smtp;
mod hostile_web;
mod install;
mod judged;
mod kill9;
mod names;
mod postfix;
mod referees;
mod reports;
mod setup;
mod signing;
mod stopping;
mod tls_policy;
mod web;
mod web_domains;
mod web_first_steps;
mod web_letters;
mod web_me;
mod web_pages;
mod web_sessions;
mod world;

use mailstead_tests::Demo;

/// The binary under test, freshly built by cargo.
const MAILSTEAD: &str = env!("CARGO_BIN_EXE_mailstead");

/// A tiny internet with empty mailboxes.
#[track_caller]
fn demo() -> Demo {
    Demo::start(MAILSTEAD, &[])
}
