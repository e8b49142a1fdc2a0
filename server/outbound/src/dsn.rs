//! The text of a report: multipart/report with a part for people, one for programs and one for recognition (RFC 3464,
//! RFC 6522, RFC 6533). Pure.

use std::fmt::Write as _;

use mailstead_message::Address;
use mailstead_store::Timestamp;

use crate::Status;
use crate::report::Kind;

/// A report's content.
pub(crate) struct Dsn<'a> {
    pub(crate) kind: Kind,
    /// Our host name.
    pub(crate) hostname: &'a str,
    /// A name nobody else uses, for the Message-ID and the boundary.
    pub(crate) id: String,
    /// To whom it goes.
    pub(crate) sender: &'a Address,
    pub(crate) now: Timestamp,
    /// When the original came.
    pub(crate) arrived: Timestamp,
    /// When a delayed message is given up.
    pub(crate) retry_until: Timestamp,
    pub(crate) envid: Option<&'a str>,
    pub(crate) recipients: Vec<Recipient<'a>>,
    pub(crate) returned: Returned,
}

/// What is said of one recipient.
pub(crate) struct Recipient<'a> {
    pub(crate) address: &'a Address,
    pub(crate) original: Option<(&'a str, &'a str)>,
    pub(crate) status: Status,
    /// In a sentence.
    pub(crate) text: &'a str,
    /// The server that said so.
    pub(crate) remote: Option<&'a str>,
    /// The server's own words.
    pub(crate) reply: Option<&'a str>,
}

/// What of the original is returned.
pub(crate) enum Returned {
    /// Its header.
    Header(Vec<u8>),
    /// All of it.
    Message(Vec<u8>),
}

impl Dsn<'_> {
    /// The message, CRLF lines of moderate length.
    pub(crate) fn render(&self) -> Vec<u8> {
        let boundary = format!("=_{}", self.id);
        let mut out = self.header(&boundary);
        let _ = write!(out, "--{boundary}\r\n{}\r\n--{boundary}\r\n{}\r\n", self.for_people(), self.for_programs());
        let mut out = out.into_bytes();
        let (kind, bytes) = match &self.returned {
            Returned::Header(bytes) if bytes.is_ascii() => ("text/rfc822-headers", bytes),
            Returned::Header(bytes) => ("message/global-headers", bytes),
            Returned::Message(bytes) => ("message/rfc822", bytes),
        };
        let encoding = if bytes.is_ascii() { "7bit" } else { "8bit" };
        let head = format!("--{boundary}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n");
        out.extend(head.as_bytes());
        extend_with_crlf(&mut out, bytes);
        out.extend(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    fn header(&self, boundary: &str) -> String {
        let (host, id) = (self.hostname, &self.id);
        let subject = match self.kind {
            Kind::Failed => "Your message could not be delivered",
            Kind::Delayed => "Your message is delayed",
            Kind::Relayed => "Your message was handed on",
        };
        format!(
            "From: Mail Delivery System <MAILER-DAEMON@{host}>\r\nTo: <{}>\r\nSubject: {subject}\r\nDate: {}\r\n\
             Message-ID: <{id}@{host}>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\r\n",
            self.sender,
            date(self.now),
        )
    }

    fn for_people(&self) -> String {
        let mut text = format!("This is the mail server {}.\n\n", self.hostname);
        text.push_str(match self.kind {
            Kind::Failed => "Your message could not be delivered to:\n",
            Kind::Delayed => "Your message has not been delivered yet to:\n",
            Kind::Relayed => "Your message was handed to a server that sends no receipts of its own, for:\n",
        });
        for recipient in &self.recipients {
            let _ = write!(text, "\n    {}\n{}", recipient.address, wrap(recipient.text, "        "));
        }
        text.push('\n');
        match self.kind {
            Kind::Failed => text.push_str("There will be no further tries.\n"),
            Kind::Delayed => {
                let until = date(self.retry_until);
                let _ = write!(text, "You need not do anything: it will be tried again until\n{until}.\n");
            }
            Kind::Relayed => text.push_str("Whether it arrived there is not known.\n"),
        }
        text.push_str(match self.returned {
            Returned::Header(_) => "The header of your message is attached.\n",
            Returned::Message(_) => "Your message is attached.\n",
        });
        let encoding = if text.is_ascii() { "7bit" } else { "8bit" };
        let head = format!("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: {encoding}\n\n");
        (head + &text).replace('\n', "\r\n")
    }

    fn for_programs(&self) -> String {
        let global = self.recipients.iter().any(|recipient| recipient.address.needs_smtputf8());
        let (kind, encoding) = if global { ("global-delivery-status", "8bit") } else { ("delivery-status", "7bit") };
        let mut text = format!("Content-Type: message/{kind}\nContent-Transfer-Encoding: {encoding}\n\n");
        let _ = writeln!(text, "Reporting-MTA: dns; {}", self.hostname);
        if let Some(envid) = self.envid {
            let _ = writeln!(text, "Original-Envelope-Id: {}", plain(envid));
        }
        let _ = writeln!(text, "Arrival-Date: {}", date(self.arrived));
        for recipient in &self.recipients {
            self.recipient_fields(recipient, &mut text);
        }
        text.replace('\n', "\r\n")
    }

    fn recipient_fields(&self, recipient: &Recipient<'_>, text: &mut String) {
        text.push('\n');
        if let Some((kind, address)) = recipient.original {
            let _ = writeln!(text, "Original-Recipient: {};{}", plain(kind), plain(address));
        }
        let kind = if recipient.address.needs_smtputf8() { "utf-8" } else { "rfc822" };
        let _ = writeln!(text, "Final-Recipient: {kind};{}", recipient.address);
        let action = match self.kind {
            Kind::Failed => "failed",
            Kind::Delayed => "delayed",
            Kind::Relayed => "relayed",
        };
        let (class, subject, detail) = recipient.status;
        let _ = writeln!(text, "Action: {action}\nStatus: {class}.{subject}.{detail}");
        if let Some(remote) = recipient.remote {
            let _ = writeln!(text, "Remote-MTA: dns; {}", plain(remote));
        }
        if let Some(reply) = recipient.reply {
            let folded = wrap(&plain(reply), " ");
            let _ = writeln!(text, "Diagnostic-Code: smtp;\n{}", folded.trim_end());
        }
        let _ = writeln!(text, "Last-Attempt-Date: {}", date(self.now));
        if self.kind == Kind::Delayed {
            let _ = writeln!(text, "Will-Retry-Until: {}", date(self.retry_until));
        }
    }
}

/// Appends bytes with every bare CR or LF made a whole line end: the message may be reported for just that fault.
fn extend_with_crlf(out: &mut Vec<u8>, bytes: &[u8]) {
    let mut previous = None;
    for byte in bytes {
        match (previous, byte) {
            (Some(b'\r'), b'\n') => {}
            (_, b'\r' | b'\n') => out.extend(b"\r\n"),
            (_, other) => out.push(*other),
        }
        previous = Some(*byte);
    }
}

/// A date as header fields want it.
fn date(at: Timestamp) -> String {
    let time = jiff::Timestamp::from_second(at.0).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC);
    jiff::fmt::rfc2822::to_string(&time).unwrap_or_default()
}

/// ASCII without control characters, whatever a stranger wrote.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            ' '..='~' => out.push(character),
            _ => out.extend(character.escape_default()),
        }
    }
    out
}

/// Indented lines of at most 76 characters, each ended; words longer than that are cut.
fn wrap(text: &str, indent: &str) -> String {
    let width = 76usize.saturating_sub(indent.len());
    let mut lines: Vec<String> = vec![String::new()];
    let mut length = 0;
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        let letters: Vec<char> = word.chars().collect();
        for piece in letters.chunks(width) {
            if length > 0 && length + 1 + piece.len() > width {
                lines.push(String::new());
                length = 0;
            }
            if let Some(line) = lines.last_mut() {
                if length > 0 {
                    line.push(' ');
                    length += 1;
                }
                line.extend(piece);
                length += piece.len();
            }
        }
    }
    lines.into_iter().map(|line| format!("{indent}{line}\n")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn render(kind: Kind, text: &str, returned: Returned) -> String {
        let (sender, bob) = (Address::parse("alice@home.test").unwrap(), Address::parse("bob@world.test").unwrap());
        let dsn = Dsn {
            kind,
            hostname: "mail.home.test",
            id: "0123".to_owned(),
            sender: &sender,
            now: Timestamp(1_700_000_000),
            arrived: Timestamp(1_699_990_000),
            retry_until: Timestamp(1_700_400_000),
            envid: Some("QQ\r\n314"),
            recipients: vec![Recipient {
                address: &bob,
                original: Some(("rfc822", "robert@world.test")),
                status: (5, 1, 1),
                text,
                remote: Some("mx.world.test"),
                reply: Some(text),
            }],
            returned,
        };
        String::from_utf8(dsn.render()).unwrap()
    }

    #[test]
    fn a_failure_says_all_that_programs_look_for() {
        let text = render(Kind::Failed, "550 5.1.1 no such user", Returned::Header(b"Subject: hi\r\n".to_vec()));
        for expected in [
            "To: <alice@home.test>\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "report-type=delivery-status",
            "Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
            "Content-Type: message/delivery-status\r\n",
            "Reporting-MTA: dns; mail.home.test\r\nOriginal-Envelope-Id: QQ\\r\\n314\r\n",
            "\r\n\r\nOriginal-Recipient: rfc822;robert@world.test\r\nFinal-Recipient: rfc822;bob@world.test\r\n\
             Action: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx.world.test\r\n\
             Diagnostic-Code: smtp;\r\n 550 5.1.1 no such user\r\n",
            "Content-Type: text/rfc822-headers\r\nContent-Transfer-Encoding: 7bit\r\n\r\nSubject: hi\r\n",
            "\r\n--=_0123--\r\n",
        ] {
            assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
        }
        assert!(!text.contains("Will-Retry-Until"));
    }

    #[test]
    fn a_delay_says_until_when_it_is_tried() {
        let text = render(Kind::Delayed, "no answer", Returned::Header(Vec::new()));
        assert!(text.contains("Action: delayed\r\n") && text.contains("Will-Retry-Until: Sun, 19 Nov 2023"));
        let text = render(Kind::Relayed, "250 ok", Returned::Message(b"Subject: hi\r\n\r\nho\r\n".to_vec()));
        assert!(text.contains("Action: relayed\r\n") && text.contains("Content-Type: message/rfc822\r\n"));
    }

    #[test]
    fn no_bare_line_end_is_returned() {
        let text = render(Kind::Failed, "no", Returned::Header(b"A: 1\nB: 2\rC: 3\r\n\rD: 4\n".to_vec()));
        assert!(text.contains("\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\nD: 4\r\n\r\n--=_"), "{text:?}");
        assert!(!text.replace("\r\n", "").contains(['\r', '\n']));
    }

    #[test]
    fn whatever_a_server_says_lines_stay_short_and_whole() {
        let rude = format!("550 {} a\r\nBcc: x@y\u{0}\u{7f} é {}", "x".repeat(3000), "word ".repeat(500));
        let text = render(Kind::Failed, &rude, Returned::Header(Vec::new()));
        assert!(text.split("\r\n").all(|line| line.len() < 200 && !line.contains(['\r', '\n', '\0'])));
        assert!(!text.contains("\r\nBcc:"));
    }
}
