//! IMAP's wire syntax, sans-IO: bytes in, typed commands out; values in, bytes out.
//!
//! [`framing`] cuts the byte stream into commands and announces literals before a byte of them is taken;
//! [`parse()`] makes one command of such a frame; `encode`, `envelope` and `structure` write responses.
//!
//! **Invariant:** every function here is linear in its input and bounded in stack, whatever the bytes.

mod command;
pub(crate) mod cursor;
pub(crate) mod date;
pub(crate) mod encode;
pub(crate) mod envelope;
mod error;
mod fetch;
pub mod framing;
mod list;
pub mod mutf7;
mod parse;
mod search;
mod set;
pub(crate) mod structure;

pub use command::{AppendHead, Command, Request, StatusItem, Store, StoreAction};
pub use error::{BadRequest, SyntaxError};
pub use fetch::{Fetch, FetchItem, Partial, Section, SectionText};
pub use list::{List, ListReturn, ListSelection};
pub use parse::{append_head, parse};
pub use search::{Search, SearchKey, SearchReturn, When};
pub use set::{Bound, Ranges, SequenceSet};
