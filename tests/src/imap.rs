//! A small, quick IMAP client.

use std::io;
use std::path::Path;

use crate::Wire;

/// An IMAP session.
#[derive(Debug)]
pub struct Imap {
    /// The connection, for what no client would send.
    pub wire: Wire,
    tag: u32,
}

/// The answer to one command.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// `OK`, `NO`, `BAD`, or `BYE` when the server left.
    pub status: String,
    /// The text behind it.
    pub text: String,
    /// The untagged responses, literals in place.
    pub untagged: Vec<Untagged>,
}

/// One untagged response: its text with each literal left out as `{n}`, and the literals.
#[derive(Debug, Clone, Default)]
pub struct Untagged {
    /// The text behind `* `.
    pub text: String,
    /// The literals, in order.
    pub literals: Vec<Vec<u8>>,
}

impl Answer {
    /// Demands this status.
    #[track_caller]
    pub fn expect(self, status: &str) -> Self {
        assert_eq!(
            self.status, status,
            "the answer was: {} {}; before it: {:?}",
            self.status, self.text, self.untagged
        );
        self
    }

    /// The untagged responses that contain this.
    pub fn with<'a>(&'a self, part: &'a str) -> impl Iterator<Item = &'a Untagged> {
        self.untagged.iter().filter(move |u| u.text.contains(part))
    }

    /// The number before `EXISTS`, the last one said.
    pub fn exists(&self) -> Option<usize> {
        self.untagged.iter().rev().find_map(|u| u.text.strip_suffix(" EXISTS")?.parse().ok())
    }

    /// The numbers of the `SEARCH` response.
    pub fn search(&self) -> Vec<u32> {
        let found = self.untagged.iter().filter_map(|u| u.text.strip_prefix("SEARCH"));
        found.flat_map(|t| t.split_whitespace().filter_map(|n| n.parse().ok()).collect::<Vec<_>>()).collect()
    }

    /// The numbers of expunged messages, in the order told.
    pub fn expunged(&self) -> Vec<u32> {
        self.untagged.iter().filter_map(|u| u.text.strip_suffix(" EXPUNGE")?.parse().ok()).collect()
    }
}

impl Imap {
    /// Takes over a connection and reads the greeting.
    #[track_caller]
    pub fn new(wire: Wire) -> Self {
        Self::try_new(wire).unwrap_or_else(|e| panic!("IMAP greeting: {e}"))
    }

    /// Takes over a connection and reads the greeting.
    pub fn try_new(wire: Wire) -> io::Result<Self> {
        let mut imap = Self { wire, tag: 0 };
        let greeting = imap.wire.try_read_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        match greeting.starts_with(b"* OK") {
            true => Ok(imap),
            false => Err(io::Error::other(String::from_utf8_lossy(&greeting).into_owned())),
        }
    }

    /// Connects with TLS from the first byte.
    #[track_caller]
    pub fn connect_tls(port: u16, host: &str, ca: &Path) -> Self {
        Self::new(Wire::connect_tls(port, host, ca))
    }

    /// Says LOGIN and demands success.
    #[track_caller]
    pub fn login(&mut self, login: &str, password: &str) {
        self.command(&format!("LOGIN \"{login}\" \"{password}\"")).expect("OK");
    }

    /// Sends one command and reads everything up to its answer.
    pub fn try_command(&mut self, line: &str) -> io::Result<Answer> {
        let tag = self.send(line)?;
        self.answer(&tag)
    }

    /// Sends one command and reads everything up to its answer.
    #[track_caller]
    pub fn command(&mut self, line: &str) -> Answer {
        self.try_command(line).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    /// Sends one command and demands `OK`.
    #[track_caller]
    pub fn ok(&mut self, line: &str) -> Answer {
        let answer = self.command(line);
        assert_eq!(answer.status, "OK", "{line}: {} {}", answer.status, answer.text);
        answer
    }

    /// Sends one command without waiting; gives its tag.
    pub fn send(&mut self, line: &str) -> io::Result<String> {
        self.tag += 1;
        let tag = format!("t{}", self.tag);
        self.wire.try_send(format!("{tag} {line}\r\n").as_bytes())?;
        Ok(tag)
    }

    /// APPENDs a message with a synchronising literal.
    pub fn try_append(&mut self, mailbox: &str, flags: &str, message: &[u8]) -> io::Result<Answer> {
        let tag = self.send(&format!("APPEND {mailbox} ({flags}) {{{}}}", message.len()))?;
        loop {
            let line = self.untagged_or_tagged()?;
            match line {
                Line::Go => break,
                Line::Tagged(found, answer) if found == tag => return Ok(answer),
                Line::Tagged(..) | Line::Untagged(_) => {}
                Line::Closed => return Ok(Answer { status: "BYE".into(), ..Answer::default() }),
            }
        }
        self.wire.try_send(message)?;
        self.wire.try_send(b"\r\n")?;
        self.answer(&tag)
    }

    /// APPENDs a message and demands `OK`.
    #[track_caller]
    pub fn append(&mut self, mailbox: &str, flags: &str, message: &[u8]) -> Answer {
        self.try_append(mailbox, flags, message).unwrap_or_else(|e| panic!("APPEND: {e}")).expect("OK")
    }

    /// All messages of the selected mailbox as (UID, flags as shown, bytes), in order.
    #[track_caller]
    pub fn messages(&mut self) -> Vec<(u32, String, Vec<u8>)> {
        let answer = self.command("UID FETCH 1:* (UID FLAGS BODY.PEEK[])").expect("OK");
        answer.untagged.into_iter().filter(|u| u.text.contains(" FETCH (")).filter_map(message).collect()
    }

    /// Selects a mailbox and gives all its messages.
    #[track_caller]
    pub fn messages_in(&mut self, mailbox: &str) -> Vec<(u32, String, Vec<u8>)> {
        self.ok(&format!("SELECT \"{mailbox}\""));
        self.messages()
    }

    /// Waits for a message in a mailbox whose bytes contain `part`, and gives it whole.
    #[track_caller]
    pub fn wait_for(&mut self, mailbox: &str, part: &str) -> Vec<u8> {
        crate::eventually(&format!("a message with {part:?} in {mailbox}"), crate::wait::DELIVERY, || {
            let found = self.messages_in(mailbox).into_iter().map(|m| m.2);
            found.into_iter().find(|m| m.windows(part.len()).any(|w| w == part.as_bytes()))
        })
    }

    /// Says LOGOUT.
    pub fn logout(mut self) {
        let _ = self.try_command("LOGOUT");
    }

    /// Reads everything up to the answer to `tag`.
    pub fn answer(&mut self, tag: &str) -> io::Result<Answer> {
        let mut untagged = Vec::new();
        loop {
            match self.untagged_or_tagged()? {
                Line::Untagged(response) => untagged.push(response),
                Line::Tagged(found, answer) if found == tag => return Ok(Answer { untagged, ..answer }),
                Line::Tagged(found, answer) => {
                    return Err(io::Error::other(format!("an answer to {found}, not {tag}: {answer:?}")));
                }
                Line::Go => {}
                Line::Closed => return Ok(Answer { status: "BYE".into(), text: String::new(), untagged }),
            }
        }
    }

    /// Reads one untagged response.
    ///
    /// # Panics
    /// When something else comes.
    #[track_caller]
    pub fn untagged(&mut self) -> Untagged {
        match self.untagged_or_tagged() {
            Ok(Line::Untagged(response)) => response,
            other => panic!("wanted an untagged response, got {other:?}"),
        }
    }

    /// Sends a command and only counts the bytes of the answer, for measuring. Literals are stepped over, not looked at.
    pub fn measure(&mut self, line: &str) -> io::Result<(u64, Answer)> {
        let tag = self.send(line)?;
        let (prefix, mut total, mut literal) = (format!("{tag} "), 0_u64, 0_usize);
        loop {
            if literal > 0 {
                let count = self.wire.chunk()?.len().min(literal);
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                self.wire.consume(count);
                literal -= count;
                total += count as u64;
                continue;
            }
            let line = self.wire.try_read_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            total += line.len() as u64 + 2;
            literal = literal_length(&line).unwrap_or(0);
            if line.starts_with(prefix.as_bytes()) {
                let text = String::from_utf8_lossy(&line[prefix.len()..]).into_owned();
                return Ok((total, tagged(&text)));
            }
        }
    }

    fn untagged_or_tagged(&mut self) -> io::Result<Line> {
        let Some(line) = self.wire.try_read_line()? else { return Ok(Line::Closed) };
        if line.starts_with(b"+") {
            return Ok(Line::Go);
        }
        let Some(rest) = line.strip_prefix(b"* ") else {
            let line = String::from_utf8_lossy(&line).into_owned();
            let (tag, rest) = line.split_once(' ').ok_or_else(|| io::Error::other(format!("not IMAP: {line:?}")))?;
            return Ok(Line::Tagged(tag.to_owned(), tagged(rest)));
        };
        let mut response = Untagged { text: String::from_utf8_lossy(rest).into_owned(), literals: Vec::new() };
        let mut length = literal_length(rest);
        while let Some(count) = length {
            response.literals.push(self.wire.try_read_exact(count)?);
            let more = self.wire.try_read_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
            response.text.push_str(&String::from_utf8_lossy(&more));
            length = literal_length(&more);
        }
        Ok(Line::Untagged(response))
    }
}

#[derive(Debug)]
enum Line {
    Untagged(Untagged),
    Tagged(String, Answer),
    Go,
    Closed,
}

fn tagged(rest: &str) -> Answer {
    let (status, text) = rest.split_once(' ').unwrap_or((rest, ""));
    Answer { status: status.to_owned(), text: text.to_owned(), untagged: Vec::new() }
}

fn literal_length(line: &[u8]) -> Option<usize> {
    let inside = line.strip_suffix(b"}")?;
    let open = inside.iter().rposition(|&b| b == b'{')?;
    std::str::from_utf8(&inside[open + 1..]).ok()?.parse().ok()
}

fn message(mut response: Untagged) -> Option<(u32, String, Vec<u8>)> {
    let uid = between(&response.text, "UID ", [' ', ')'])?.parse().ok()?;
    let flags = between(&response.text, "FLAGS (", [')', ')']).unwrap_or_default().to_owned();
    // A short or empty message may come as a quoted string; the tests' own never do.
    let body = if response.literals.is_empty() { Vec::new() } else { response.literals.remove(0) };
    Some((uid, flags, body))
}

fn between<'a>(text: &'a str, start: &str, ends: [char; 2]) -> Option<&'a str> {
    let from = text.find(start)? + start.len();
    let rest = &text[from..];
    rest.find(ends).map(|end| &rest[..end])
}
