//! What must hold of every parser, whatever the bytes.
//!
//! Each function here takes bytes as a stranger would send them and panics when something does not hold: the parser
//! itself panics, what it made of the bytes is not what it promises, or printing and parsing are not inverse. The fuzz
//! targets in `tests/fuzz` call them with whatever libFuzzer thinks of; the tests beside them with every file of its
//! corpus, mutations of these, and large inputs grown from them, whose cost must be linear.
//!
//! Start reading at [`TARGETS`].
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation here is a failed test")]

mod address;
mod imap;
mod mime;
mod pop3;
mod report;
mod sasl;
mod smtp;
mod smtp_session;
mod sts;

pub use address::address;
pub use imap::imap_command;
pub use mime::mime;
pub use pop3::pop3_command;
pub use report::report;
pub use sasl::sasl;
pub use smtp::smtp_command;
pub use smtp_session::smtp_session;
pub use sts::sts_policy;

/// Feeds a parser whatever bytes there are, and panics when it breaks a promise.
pub type Check = fn(&[u8]);

/// What can be checked: the name of its fuzz target and corpus folder, and the check.
pub const TARGETS: &[(&str, Check)] = &[
    ("smtp_command", smtp_command),
    ("smtp_session", smtp_session),
    ("imap_command", imap_command),
    ("pop3_command", pop3_command),
    ("address", address),
    ("mime", mime),
    ("report", report),
    ("sts_policy", sts_policy),
    ("sasl", sasl),
];

/// Panics if the text could end a line or steer a terminal.
fn assert_harmless(text: &str) {
    assert!(!text.chars().any(char::is_control), "a control character got through: {text:?}");
}
