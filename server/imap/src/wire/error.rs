//! Why a command is not understood.

/// What is wrong with a command, in words for whoever wrote the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyntaxError {
    /// The line does not begin with a tag and a space.
    #[error("a command begins with a tag and a space")]
    Tag,
    /// No such command.
    #[error("unknown command")]
    UnknownCommand,
    /// Something else was expected at this place.
    #[error("expected {expected} at byte {at}")]
    Expected {
        /// What was expected.
        expected: &'static str,
        /// Offset in the command, from 0.
        at: usize,
    },
    /// More of something than anyone needs.
    #[error("too many {0}")]
    TooMany(&'static str),
    /// Parentheses, NOT or OR nested too deeply.
    #[error("nested too deeply")]
    TooDeep,
    /// The mailbox name is not modified UTF-7 (RFC 3501 5.1.3).
    #[error("the mailbox name is not valid modified UTF-7")]
    MailboxName,
    /// SEARCH in a charset we don't have; the answer is `NO [BADCHARSET]`.
    #[error("this charset is not supported")]
    Charset,
}

/// A command that is not understood, with its tag where it has one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct BadRequest {
    /// The tag, for the answer; `None` answers `* BAD`.
    pub tag: Option<String>,
    /// What is wrong.
    pub error: SyntaxError,
}
