//! Cutting the byte stream into commands (RFC 3501 2.2, 4.3; RFC 7888).
//!
//! A command is a line, or several joined by literals. The framer never decides about a literal: it announces
//! its size, and whoever drives it says whether the bytes are held, streamed or refused. Until then none are taken.

/// Octets of a command outside its literals. RFC 7162 section 4 asks for at least 8192; clients list thousands
/// of UIDs in one command.
pub const MAX_LINE: usize = 64 << 10;
/// Literals of one command. Each is announced with all that came before it, so that ten thousand empty ones would cost
/// ten thousand times the command; no client needs more than a few.
pub const MAX_LITERALS: usize = 200;

/// What the bytes so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Nothing whole yet: more bytes are needed.
    Incomplete,
    /// A whole command without its final line end, held literals in place.
    Command(Vec<u8>),
    /// A literal is announced: answer with [`Framer::hold`], [`Framer::stream`] or [`Framer::refuse`].
    Literal(Literal),
    /// Bytes of a streamed literal.
    Chunk(Vec<u8>),
    /// The streamed literal ended; what follows is the rest of its command.
    ChunksEnd,
    /// The line is longer than [`MAX_LINE`], or has more than [`MAX_LITERALS`]; nothing more can be understood.
    TooLong(Vec<u8>),
}

/// An announced literal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Literal {
    /// The command up to the literal, without its `{…}`.
    pub head: Vec<u8>,
    /// Its size in bytes; a number too large to be one is `u64::MAX`.
    pub size: u64,
    /// The client waits for `+`; otherwise it sends at once (LITERAL+).
    pub synchronising: bool,
}

/// Cuts frames. Feed [`Framer::input`], ask [`Framer::next`] until it is [`Frame::Incomplete`].
#[derive(Debug, Default)]
pub struct Framer {
    input: Vec<u8>,
    /// Bytes at the front of the input that are done with, and wiped. They go when more is read, not with each command:
    /// many small ones in one block would each move what is behind them. All other offsets count from here.
    done: usize,
    /// Where the search for the next line end goes on.
    scanned: usize,
    /// Where the line that is being searched begins.
    line_start: usize,
    /// Bytes of held literals in the command so far.
    held: usize,
    /// Held literals in the command so far.
    literals: usize,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Line,
    /// A literal was announced and waits for a decision; the line ends before this offset.
    Announced { line_end: usize, size: u64 },
    /// A held literal ends at this offset.
    Holding { until: usize },
    /// So many bytes of a streamed literal are still to come.
    Streaming { left: u64 },
}

impl Framer {
    /// Where arriving bytes are appended.
    pub fn input(&mut self) -> &mut Vec<u8> {
        self.input.drain(..self.done);
        self.done = 0;
        &mut self.input
    }

    /// The next frame.
    #[expect(clippy::should_implement_trait, reason = "a stream of frames that pauses is no iterator")]
    pub fn next(&mut self) -> Frame {
        match self.state {
            State::Line => self.line(),
            State::Announced { .. } => Frame::Incomplete,
            State::Holding { until } => {
                if self.rest().len() < until {
                    return Frame::Incomplete;
                }
                self.state = State::Line;
                self.scanned = until;
                self.line_start = until;
                self.line()
            }
            State::Streaming { left: 0 } => {
                self.state = State::Line;
                Frame::ChunksEnd
            }
            State::Streaming { left } => {
                if self.rest().is_empty() {
                    return Frame::Incomplete;
                }
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(self.rest().len());
                let chunk = self.take(length);
                self.state = State::Streaming { left: left - chunk.len() as u64 };
                Frame::Chunk(chunk)
            }
        }
    }

    /// The next line as it is, literals not looked for: for what answers a continuation request.
    pub fn next_raw_line(&mut self) -> Frame {
        match self.find_line_end() {
            Some((text_end, line_end)) => Frame::Command(self.take_command(text_end, line_end)),
            None if self.rest().len() > MAX_LINE => Frame::TooLong(self.take(MAX_LINE)),
            None => Frame::Incomplete,
        }
    }

    /// The announced literal becomes part of the command.
    pub fn hold(&mut self) {
        if let State::Announced { line_end, size } = self.state {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            self.held = self.held.saturating_add(size);
            self.literals += 1;
            self.state = State::Holding { until: line_end.saturating_add(size) };
        }
    }

    /// The announced literal comes as [`Frame::Chunk`]s, and what was before it is forgotten.
    pub fn stream(&mut self) {
        if let State::Announced { line_end, size } = self.state {
            self.forget(line_end);
            self.state = State::Streaming { left: size };
        }
    }

    /// The announced literal will not be sent, since the client waited for leave: the command ends here.
    pub fn refuse(&mut self) {
        if let State::Announced { line_end, .. } = self.state {
            self.forget(line_end);
            self.state = State::Line;
        }
    }

    /// Bytes of literals held for the command so far.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Throws away whatever was read ahead (RFC 3501 6.2.1: nothing sent before TLS counts after it).
    pub fn discard(&mut self) {
        *self = Self::default();
    }

    /// True when nothing is buffered and no command is under way.
    pub fn is_empty(&self) -> bool {
        self.rest().is_empty() && self.state == State::Line
    }

    /// Gives memory back that a long command needed.
    pub fn shrink(&mut self) {
        if self.rest().is_empty() {
            self.input = Vec::new();
            self.done = 0;
        }
    }

    /// What is not done with.
    fn rest(&self) -> &[u8] {
        self.input.get(self.done..).unwrap_or_default()
    }

    fn line(&mut self) -> Frame {
        let Some((text_end, line_end)) = self.find_line_end() else {
            if self.rest().len().saturating_sub(self.held) > MAX_LINE {
                return Frame::TooLong(self.take(MAX_LINE));
            }
            return Frame::Incomplete;
        };
        if text_end.saturating_sub(self.held) > MAX_LINE {
            return Frame::TooLong(self.take(MAX_LINE));
        }
        let line = self.rest().get(self.line_start..text_end).unwrap_or_default();
        let Some((before, size, synchronising)) = announced_literal(line) else {
            return Frame::Command(self.take_command(text_end, line_end));
        };
        if self.literals >= MAX_LITERALS {
            return Frame::TooLong(self.take(MAX_LINE));
        }
        let head = self.rest().get(..self.line_start + before).unwrap_or_default().to_vec();
        self.state = State::Announced { line_end, size };
        Frame::Literal(Literal { head, size, synchronising })
    }

    /// The end of the line's text and of the line. A bare LF ends a line too: nothing is at stake, and people type.
    fn find_line_end(&mut self) -> Option<(usize, usize)> {
        let unseen = self.rest().get(self.scanned..).unwrap_or_default();
        let Some(offset) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.scanned = self.rest().len();
            return None;
        };
        let lf = self.scanned + offset;
        let has_cr = lf > self.line_start && self.rest().get(lf - 1) == Some(&b'\r');
        Some((lf - usize::from(has_cr), lf + 1))
    }

    fn take_command(&mut self, text_end: usize, line_end: usize) -> Vec<u8> {
        let command = self.rest().get(..text_end).unwrap_or_default().to_vec();
        self.forget(line_end);
        command
    }

    fn take(&mut self, length: usize) -> Vec<u8> {
        let length = length.min(self.rest().len());
        let taken = if length == self.input.len() {
            std::mem::take(&mut self.input)
        } else {
            self.rest().get(..length).unwrap_or_default().to_vec()
        };
        self.forget(length);
        taken
    }

    /// Drops the first bytes, wiped, for they may hold a password.
    fn forget(&mut self, length: usize) {
        let end = self.done.saturating_add(length).min(self.input.len());
        if let Some(gone) = self.input.get_mut(self.done..end) {
            gone.fill(0);
        }
        self.done = end;
        self.scanned = 0;
        self.line_start = 0;
        self.held = 0;
        self.literals = 0;
    }
}

/// The `{n}` or `{n+}` at a line's end: (where it begins, n, whether the client waits).
fn announced_literal(line: &[u8]) -> Option<(usize, u64, bool)> {
    let inner = line.strip_suffix(b"}")?;
    let open = inner.iter().rposition(|byte| *byte == b'{')?;
    let inside = inner.get(open + 1..)?;
    let (digits, synchronising) = match inside.strip_suffix(b"+") {
        Some(digits) => (digits, false),
        None => (inside, true),
    };
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let size =
        digits.iter().try_fold(0_u64, |number, digit| number.checked_mul(10)?.checked_add(u64::from(digit - b'0')));
    Some((open, size.unwrap_or(u64::MAX), synchronising))
}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
