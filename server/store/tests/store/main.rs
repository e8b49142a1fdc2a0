//! The store driven through its public calls: what it promises of letters, disks, mailboxes, people and the queue.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod app_passwords;
mod backup;
mod certificates;
mod delivery;
mod directory;
mod disk;
mod flags;
mod keys;
mod mailboxes;
mod model;
mod people;
mod policies;
mod queue;
mod reports;
mod senders;
mod setup;
mod stories;
mod tallies;
mod verdicts;
mod world;
