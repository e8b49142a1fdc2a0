//! Replies.

use std::fmt;
use std::io::Write as _;

/// Octets of text on one reply line: with code, status and CRLF it stays under the 512 of RFC 5321 4.5.3.1.5.
const MAX_TEXT: usize = 480;

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
    /// A reply of one line without enhanced status: 220, 334, 354 and the like have none (RFC 2034 3).
    pub fn bare(code: u16, text: impl Into<String>) -> Self {
        Self { code, status: None, lines: vec![text.into()] }
    }
    /// Writes the wire form. Whatever the lines hold, only printable ASCII gets out, and no line is too long.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let last = self.lines.len().saturating_sub(1);
        for (index, line) in self.lines.iter().enumerate() {
            self.write_line(out, line, index == last);
        }
        if self.lines.is_empty() {
            self.write_line(out, "", true);
        }
    }
    fn write_line(&self, out: &mut Vec<u8>, text: &str, last: bool) {
        // Writing to a Vec can't fail.
        let _ = write!(out, "{}{}", self.code, if last { ' ' } else { '-' });
        if let Some((class, subject, detail)) = self.status {
            let _ = write!(out, "{class}.{subject}.{detail} ");
        }
        out.extend(text.chars().take(MAX_TEXT).map(|c| if matches!(c, ' '..='~') { c as u8 } else { b'?' }));
        out.extend_from_slice(b"\r\n");
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
            f.write_str(" ")?;
            for character in line.chars() {
                // Quotes need no escape for people's eyes.
                match character {
                    '"' | '\'' => write!(f, "{character}")?,
                    other => write!(f, "{}", other.escape_debug())?,
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply) -> String {
        let mut out = Vec::new();
        reply.write_to(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn every_line_carries_code_and_status() {
        let reply = Reply { code: 550, status: Some((5, 1, 1)), lines: vec!["no".into(), "such".into()] };
        assert_eq!(written(&reply), "550-5.1.1 no\r\n550 5.1.1 such\r\n");
        assert_eq!(written(&Reply::bare(354, "go on")), "354 go on\r\n");
        assert_eq!(written(&Reply { code: 250, status: None, lines: Vec::new() }), "250 \r\n");
    }

    #[test]
    fn nothing_in_the_text_can_make_a_line_of_its_own() {
        let reply = Reply::new(550, (5, 0, 0), "a\r\n250 b\0\u{1b}[2Jé");
        assert_eq!(written(&reply), "550 5.0.0 a??250 b??[2J?\r\n");
        assert!(written(&Reply::bare(250, "x".repeat(10_000))).len() <= 512);
    }
}
