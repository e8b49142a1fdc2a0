//! Replies.

use std::fmt;

/// A reply: code, enhanced status and text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// Enhanced status (RFC 3463); `None` where the RFC wants none, or the peer gave none.
    pub status: Option<(u8, u16, u16)>,
    /// Lines of text, at least one, without codes.
    pub lines: Vec<String>,
}

impl Reply {
    /// A reply of one line.
    pub fn new(code: u16, status: (u8, u16, u16), text: impl Into<String>) -> Self {
        Self { code, status: Some(status), lines: vec![text.into()] }
    }
    /// 2xx
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
    /// 4xx
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }
    /// 5xx
    pub fn is_permanent(&self) -> bool {
        (500..600).contains(&self.code)
    }
}

impl fmt::Display for Reply {
    /// On one line, control characters escaped: for logs, stories and DSNs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some((class, subject, detail)) = self.status {
            write!(f, " {class}.{subject}.{detail}")?;
        }
        for line in &self.lines {
            write!(f, " {}", line.escape_debug())?;
        }
        Ok(())
    }
}
