//! The pages people see: pure functions from view models to HTML, rendered on the server with Leptos.
//!
//! **Invariants:** no I/O, no state, no clock; depends on no other room. A page is whole HTML that works without
//! JavaScript; every value that comes from outside is escaped by Leptos; no style and no script stands in the HTML
//! itself. Components stay small and end in `AnyView` at page borders, which keeps compile times low.
//!
//! [`shell`] is the frame around every page, [`parts`] what pages are made of; then one module for each page.
//!
//! Start reading at [`shell`], then [`front`].

// A page is one deep type until its parts end in `AnyView`.
#![recursion_limit = "256"]

pub mod accounts;
pub mod activity;
pub mod aliases;
pub mod backup;
pub mod certificates;
pub mod confirm;
pub mod domain;
pub mod domains;
pub mod front;
pub mod login;
pub mod logs;
pub mod me;
pub mod overview;
pub mod parts;
pub mod problem;
pub mod queue;
pub mod reports;
pub mod settings;
pub mod setup;
pub mod shell;

pub use shell::{Frame, Notice, NoticeKind, Visitor};
