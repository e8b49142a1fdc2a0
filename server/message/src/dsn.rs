//! Delivery status notifications: a part for people, one for programs, and the original to know it by
//! (RFC 3464, RFC 6522, RFC 6533, RFC 3461 6).
//!
//! Pure: names, dates and the original come in, the finished message goes out. That it is sent with the null
//! reverse-path, and never about another report, is the caller's part.

use std::fmt::Write as _;

use crate::address::Address;
use crate::header::{self, date};
use crate::transfer::encode_quoted_printable;
use crate::xtext::encode_utf8_address;

mod text;

/// Bytes of an original that is returned whole; of a larger one the header is enough to know it by.
pub const MAX_RETURNED: usize = 256 * 1024;
/// Bytes of a returned header.
const MAX_RETURNED_HEADER: usize = 64 * 1024;
/// Bytes of a line without its end.
const MAX_LINE: usize = 998;
/// Bytes of a field for programs that can't be folded.
const MAX_FIELD: usize = 900;
/// Characters of what a stranger said that are repeated to programs.
const MAX_SAID: usize = 4_000;

/// What a notification tells.
#[derive(Debug, Clone)]
pub struct Report<'a> {
    /// Our host name.
    pub hostname: &'a str,
    /// The domain it is written from: one of ours, so that it can be signed.
    pub domain: &'a str,
    /// A name nobody else uses, of letters and digits: it becomes the Message-ID and the boundary.
    pub id: &'a str,
    /// To whom it goes: the original's reverse-path.
    pub to: &'a Address,
    /// Now, in seconds since 1970.
    pub now: i64,
    /// When the original came.
    pub arrived: i64,
    /// The envelope id its sender gave the original (ENVID), decoded.
    pub envelope_id: Option<&'a str>,
    /// What became of whom; at least one.
    pub recipients: Vec<Recipient<'a>>,
    /// The original, or as much of it as is at hand: at least its header.
    pub original: &'a [u8],
    /// Return all of the original (RET=FULL), if it is small enough.
    pub full: bool,
    /// The report may go out with SMTPUTF8, so that addresses need not be encoded.
    pub smtputf8: bool,
}

/// What became of one recipient.
#[derive(Debug, Clone)]
pub struct Recipient<'a> {
    /// The address mail was sent to.
    pub address: &'a Address,
    /// The address its sender wrote (ORCPT): type and decoded address.
    pub original: Option<(&'a str, &'a str)>,
    /// What was done.
    pub action: Action,
    /// Enhanced status code (RFC 3463): class, subject, detail.
    pub status: (u8, u16, u16),
    /// What happened, in a sentence for people.
    pub explanation: &'a str,
    /// The server that was spoken to.
    pub remote: Option<&'a str>,
    /// That server's own words, code first.
    pub diagnostic: Option<&'a str>,
    /// When it was last tried.
    pub last_attempt: Option<i64>,
    /// Until when it is tried again; for [`Action::Delayed`].
    pub retry_until: Option<i64>,
}

/// What was done for a recipient (RFC 3464 2.3.3), worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    /// Given up.
    Failed,
    /// Not delivered yet.
    Delayed,
    /// Handed to a server that makes no notifications of success itself.
    Relayed,
    /// Handed to several other addresses, of which nothing more will be told.
    Expanded,
    /// In the recipient's mailbox.
    Delivered,
}

impl Action {
    fn keyword(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Delivered => "delivered",
        }
    }
}

impl Report<'_> {
    /// The notification as a message: CRLF line ends throughout, short lines, ASCII but for a returned original that
    /// isn't, and addresses where `smtputf8` allows them.
    pub fn compose(&self) -> Vec<u8> {
        let boundary = format!("=_{}", self.id);
        let mut out = self.header(&boundary).into_bytes();
        for part in [self.for_people().into_bytes(), self.for_programs().into_bytes(), self.returned()] {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            out.extend(part);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    }

    /// The worst that is told.
    fn action(&self) -> Action {
        self.recipients.iter().map(|recipient| recipient.action).min().unwrap_or(Action::Failed)
    }

    fn header(&self, boundary: &str) -> String {
        let (host, domain, id) = (self.hostname, self.domain, self.id);
        format!(
            "From: Mail Delivery System <MAILER-DAEMON@{domain}>\r\nTo: <{}>\r\nSubject: {}\r\nDate: {}\r\n\
             Message-ID: <{id}@{host}>\r\n{}Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"{boundary}\"\r\n\r\n",
            self.to,
            text::subject(self.action()),
            date(self.now),
            self.thread(),
        )
    }

    /// Ties the report to the original in mail programs that show conversations.
    fn thread(&self) -> String {
        let id = header::value(self.original, "Message-ID").unwrap_or_default();
        let sound =
            id.len() <= 900 && id.starts_with('<') && id.ends_with('>') && id.bytes().all(|b| b.is_ascii_graphic());
        if sound { format!("In-Reply-To: {id}\r\nReferences: {id}\r\n") } else { String::new() }
    }

    fn for_people(&self) -> String {
        let text = text::compose(self).replace('\n', "\r\n");
        let head = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding:";
        if text.is_ascii() {
            return format!("{head} 7bit\r\n\r\n{text}");
        }
        format!("{head} quoted-printable\r\n\r\n{}", encode_quoted_printable(text.as_bytes()))
    }

    fn for_programs(&self) -> String {
        let mut text = format!("Reporting-MTA: dns; {}\r\n", self.hostname);
        if let Some(id) = self.envelope_id.filter(|id| !id.trim().is_empty()) {
            let _ = write!(text, "Original-Envelope-Id: {}\r\n", clipped(id));
        }
        let _ = write!(text, "Arrival-Date: {}\r\n", date(self.arrived));
        for recipient in &self.recipients {
            text.push_str("\r\n");
            self.recipient_fields(recipient, &mut text);
        }
        let (kind, encoding) =
            if text.is_ascii() { ("delivery-status", "7bit") } else { ("global-delivery-status", "8bit") };
        format!("Content-Type: message/{kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{text}")
    }

    fn recipient_fields(&self, recipient: &Recipient<'_>, text: &mut String) {
        let original = recipient.original.map(|(kind, address)| self.typed(&printable(kind), address));
        // Cut, it would be another address.
        if let Some(typed) = original.filter(|typed| typed.len() <= MAX_FIELD) {
            let _ = write!(text, "Original-Recipient: {typed}\r\n");
        }
        let (class, subject, detail) = recipient.status;
        let _ = write!(
            text,
            "Final-Recipient: {}\r\nAction: {}\r\nStatus: {class}.{subject}.{detail}\r\n",
            self.typed("rfc822", &recipient.address.to_string()),
            recipient.action.keyword(),
        );
        if let Some(remote) = recipient.remote {
            let _ = write!(text, "Remote-MTA: dns; {}\r\n", clipped(remote));
        }
        if let Some(words) = recipient.diagnostic {
            let _ =
                write!(text, "Diagnostic-Code: smtp;\r\n{}", text::wrap(&printable(words), " ").replace('\n', "\r\n"));
        }
        if let Some(at) = recipient.last_attempt {
            let _ = write!(text, "Last-Attempt-Date: {}\r\n", date(at));
        }
        if let Some(until) = recipient.retry_until.filter(|_| recipient.action == Action::Delayed) {
            let _ = write!(text, "Will-Retry-Until: {}\r\n", date(until));
        }
    }

    /// An address with its type; one beyond ASCII is of type `utf-8`, and written in ASCII unless SMTPUTF8 carries the
    /// report (RFC 6533 3).
    fn typed(&self, kind: &str, address: &str) -> String {
        if address.is_ascii() && !kind.eq_ignore_ascii_case("utf-8") {
            return format!("{kind};{}", printable(address));
        }
        format!("utf-8;{}", encode_utf8_address(address, self.smtputf8))
    }

    fn returns_all(&self) -> bool {
        self.full && self.original.len() <= MAX_RETURNED && !has_long_lines(self.original)
    }

    /// The original or its header.
    fn returned(&self) -> Vec<u8> {
        if self.returns_all() {
            let encoding = if self.original.is_ascii() { "7bit" } else { "8bit" };
            let kind = if self.smtputf8 && !self.original.is_ascii() { "global" } else { "rfc822" };
            let head = format!("Content-Type: message/{kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
            return [head.into_bytes(), with_crlf(self.original)].concat();
        }
        let header = with_crlf(bounded_header(self.original));
        let global = self.smtputf8 && std::str::from_utf8(&header).is_ok();
        let (kind, encoding, header) = match (has_long_lines(&header), header.is_ascii()) {
            (false, true) => ("text/rfc822-headers", "7bit", header),
            (false, false) if global => ("message/global-headers", "8bit", header),
            _ => ("text/rfc822-headers", "quoted-printable", encode_quoted_printable(&header).into_bytes()),
        };
        let head = format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
        [head.into_bytes(), header].concat()
    }
}

/// True when a line is longer than SMTP lets pass (RFC 5321 4.5.3.1.6).
fn has_long_lines(bytes: &[u8]) -> bool {
    bytes.split(|byte| matches!(byte, b'\r' | b'\n')).any(|line| line.len() > MAX_LINE)
}

/// The header without its empty line, in whole lines.
fn bounded_header(original: &[u8]) -> &[u8] {
    let header = original.get(..header::header_len(original)).unwrap_or(original);
    let header = header.strip_suffix(b"\r\n\r\n").map_or(header, |_| header.get(..header.len() - 2).unwrap_or(header));
    if header.len() <= MAX_RETURNED_HEADER {
        return header;
    }
    let cut = header.get(..MAX_RETURNED_HEADER).unwrap_or(header);
    let end = memchr::memrchr(b'\n', cut).map_or(0, |at| at + 1);
    cut.get(..end).unwrap_or_default()
}

/// The bytes with every bare CR or LF made a whole line end: the original may be reported for just that fault.
fn with_crlf(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    let mut previous = 0;
    for &byte in bytes {
        match (previous, byte) {
            (b'\r', b'\n') => {}
            (_, b'\r' | b'\n') => out.extend_from_slice(b"\r\n"),
            (_, 0) => out.push(b'?'),
            _ => out.push(byte),
        }
        previous = byte;
    }
    out
}

/// ASCII on one line, whatever a stranger wrote.
fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars().take(MAX_SAID) {
        match character {
            ' '..='~' => out.push(character),
            '\r' | '\n' | '\t' => out.push(' '),
            _ => out.extend(character.escape_default()),
        }
    }
    out.trim().to_owned()
}

/// The same, at a length fit for one line.
fn clipped(text: &str) -> String {
    let mut text = printable(text);
    text.truncate(MAX_FIELD);
    text
}

#[cfg(test)]
mod tests;
