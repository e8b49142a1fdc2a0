//! Wire syntax, without sockets: command lines with their parameters, message data.
//!
//! Everything is strict: a line ends in CRLF and nowhere else, a message ends in CRLF.CRLF and nowhere else, and no
//! control character gets past [`parse_command`]. What is refused is refused with a [`CommandError`] that knows its
//! reply. Start reading at [`command`].

pub mod command;
pub mod data;
mod parameters;
mod path;

pub use command::{Command, CommandError, ForwardPath, parse_command};
pub use data::{DotDecoder, LineFaults, LineRules};
