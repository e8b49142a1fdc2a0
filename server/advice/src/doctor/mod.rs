//! The host: what keeps it from sending, receiving and proving who it is.

mod finding;

pub use finding::{Examination, Finding, Light, Remedy};
