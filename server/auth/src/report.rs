//! Reports on TLS (RFC 8460) and on DMARC (RFC 7489 7.2, RFC 9990): ours to others, and others' to us.
//!
//! [`wanted`] finds who asks for reports about a domain, [`letter`] writes them, [`unpack`] and the readers in [`tls`]
//! and [`dmarc`] take them in. Whoever wants can send us a report, so reading is bounded in every direction: the
//! letter, what it holds when unpacked, rows, depth, words; there is no nesting of archives, no document type, no
//! entity beyond XML's own five.

pub mod dmarc;
pub mod letter;
pub mod tls;
pub mod unpack;
pub mod wanted;

pub use mailstead_message::report::*;

/// Bytes of a letter that is read as a report.
pub const MAX_LETTER: u64 = 10 << 20;
/// Bytes of a report when unpacked.
pub const MAX_UNPACKED: usize = 10 << 20;
/// Rows of a report. The busiest domains see some thousand senders a day.
pub const MAX_ROWS: usize = 10_000;
/// Characters of a library's complaint that are repeated.
const MAX_COMPLAINT: usize = 200;

/// Why a letter is no report that can be read; each a sentence without its full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No part of it looks like a report.
    #[error("there is no report in it")]
    Nothing,
    /// [`MAX_LETTER`]
    #[error("it is larger than {} MiB", MAX_LETTER >> 20)]
    TooLarge,
    /// [`MAX_UNPACKED`]
    #[error("the report is larger than {} MiB when unpacked", MAX_UNPACKED >> 20)]
    Bomb,
    /// [`MAX_ROWS`]
    #[error("the report has more rows than the {MAX_ROWS} that are read")]
    TooManyRows,
    /// The gzip or zip file is not sound.
    #[error("the report can't be unpacked: {0}")]
    Packed(String),
    /// The XML is not sound.
    #[error("the report is no sound XML: {0}")]
    Xml(String),
    /// The JSON is not sound.
    #[error("the report is no sound JSON: {0}")]
    Json(String),
    /// `<!DOCTYPE`
    #[error("the report declares a document type, which no honest report does")]
    DocumentType,
    /// Elements within elements.
    #[error("the report is nested too deeply")]
    TooDeep,
    /// What a report must have.
    #[error("the report has no {0}")]
    Missing(&'static str),
}

fn complaint(error: &dyn std::fmt::Display) -> String {
    error.to_string().chars().take(MAX_COMPLAINT).flat_map(char::escape_debug).collect()
}

/// A stranger's text made fit for one line: no control characters, no endless words.
fn word(text: &str) -> String {
    text.trim().chars().filter(|letter| !letter.is_control()).take(MAX_WORD).collect()
}

#[cfg(test)]
mod tests;
