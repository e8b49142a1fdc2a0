//! The pages people see: pure functions from view models to HTML, rendered on the server with Leptos.
//!
//! **Invariants:** no I/O, no state, no clock; depends on no other room. A page is whole HTML that works without
//! JavaScript; every value that comes from outside is escaped by Leptos. Components stay small and end in `AnyView` at
//! page borders, which keeps compile times low.
//!
//! Start reading at [`front`].

pub mod front;
mod shell;
