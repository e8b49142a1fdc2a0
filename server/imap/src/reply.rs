//! How a command ends: the tagged reply, and what can go wrong on the way to it.

use std::borrow::Cow;
use std::io;

use mailstead_store::StoreError;

/// `OK`, `NO` or `BAD` (RFC 3501 7.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    Ok,
    No,
    Bad,
}

/// A status response: condition, response code (without brackets) and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) condition: Condition,
    pub(crate) code: Option<Cow<'static, str>>,
    pub(crate) text: Cow<'static, str>,
}

impl Reply {
    pub(crate) fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::Ok, code: None, text: text.into() }
    }

    pub(crate) fn no(code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::No, code: Some(code.into()), text: text.into() }
    }

    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::Bad, code: None, text: text.into() }
    }

    pub(crate) fn with_code(self, code: impl Into<Cow<'static, str>>) -> Self {
        Self { code: Some(code.into()), ..self }
    }

    /// Writes the response with its tag, or `*`.
    pub(crate) fn write(&self, tag: &str, out: &mut Vec<u8>) {
        let condition = match self.condition {
            Condition::Ok => "OK",
            Condition::No => "NO",
            Condition::Bad => "BAD",
        };
        let code = self.code.as_ref().map(|code| format!("[{code}] ")).unwrap_or_default();
        // A text may quote a peer or an error: nothing of it may end the line.
        let text: String = self.text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
        out.extend_from_slice(format!("{tag} {condition} {code}{text}\r\n").as_bytes());
    }
}

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// The client hears this; the session goes on.
    #[error("refused: {}", .0.text)]
    Refused(Reply),
    /// The store could not do it; the client hears a fitting `NO`, the session goes on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connection is lost; nobody hears anything.
    #[error(transparent)]
    Connection(#[from] io::Error),
    /// All has been said already.
    #[error("answered")]
    Answered,
    /// The session must end, with these words as `* BYE`.
    #[error("{0}")]
    Bye(&'static str),
}

impl From<Reply> for Failure {
    fn from(reply: Reply) -> Self {
        Self::Refused(reply)
    }
}

/// Where a mailbox is the destination, a missing one asks to be created (RFC 3501 7.1 `TRYCREATE`).
pub(crate) fn try_create(error: StoreError) -> Failure {
    match error {
        StoreError::NotFound(_) => Reply::no("TRYCREATE", "no such mailbox").into(),
        other => other.into(),
    }
}

/// What a client hears of a fault of the store (RFC 5530). Details of the machine stay in the log.
pub(crate) fn store_reply(error: &StoreError) -> Reply {
    match error {
        StoreError::NotFound(_) => Reply::no("NONEXISTENT", error.to_string()),
        StoreError::Exists(_) => Reply::no("ALREADYEXISTS", error.to_string()),
        StoreError::OverQuota => Reply::no("OVERQUOTA", "the account has no room left"),
        StoreError::Invalid(why) => Reply::no("CANNOT", why.clone()),
        StoreError::DiskFull => {
            tracing::error!(%error, "a command failed");
            Reply::no("UNAVAILABLE", "the server's disk is full, try again later")
        }
        StoreError::Damaged(_) => {
            tracing::error!(%error, "a command met damaged data");
            Reply::no("CORRUPTION", "this is damaged on the server; its operator has been told")
        }
        StoreError::Closed => Reply::no("UNAVAILABLE", "the server is going down, try again later"),
        StoreError::InUse | StoreError::Newer { .. } | StoreError::Io(_) => {
            tracing::error!(%error, "a command failed");
            Reply::no("UNAVAILABLE", "the server can't reach its store, try again later")
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write("a1", &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn replies_are_one_line_whatever_they_quote() {
        assert_eq!(written(&Reply::ok("done").with_code("READ-ONLY")), "a1 OK [READ-ONLY] done\r\n");
        let nasty = store_reply(&StoreError::NotFound("a\r\n* BYE ä".into()));
        assert_eq!(written(&nasty), "a1 NO [NONEXISTENT] a??* BYE ? does not exist\r\n");
    }

    #[test]
    fn details_of_the_machine_are_not_told() {
        let reply = store_reply(&StoreError::Io("/var/lib/secret: broken".into()));
        assert!(!written(&reply).contains("secret"));
        assert!(written(&reply).starts_with("a1 NO [UNAVAILABLE] "));
    }
}
