//! The MIME tree (RFC 2045, 2046), read in one pass over the bytes.
//!
//! The parser walks from delimiter line to delimiter line and never looks back: each byte is searched once for
//! `\n--`, and only what follows that is compared with the boundaries that are open. Depth, parts and header bytes
//! are limited, so that cost and result are bounded whatever the bytes.

use memchr::{memchr_iter, memmem};

use crate::address_list::addresses;
use crate::header::{Field, empty_line, fields, line_end, unfold};
use crate::structured;
use crate::summary::{Content, Envelope, Part, Summary};

/// Multiparts and messages within each other; what is deeper is one opaque part. Real mail rarely passes 10.
pub const MAX_DEPTH: usize = 50;
/// Parts of one message; what comes after is one opaque part.
pub const MAX_PARTS: usize = 1_000;
/// Header bytes of one part that are read.
pub const MAX_HEADER: usize = 256 * 1024;
/// Bytes of a boundary that is believed (RFC 2046 5.1.1 allows 70; some agents write more).
const MAX_BOUNDARY: usize = 200;
/// Blanks behind a delimiter (RFC 2046 5.1.1 transport padding): no more than a line may hold.
const MAX_PADDING: usize = 998;
/// Bytes of an unstructured ENVELOPE or MIME value that are kept.
const MAX_TEXT: usize = 16 * 1024;
/// Bytes of a parameter value that are kept.
const MAX_PARAM: usize = 4 * 1024;

/// Reads a whole message.
pub(crate) fn parse(message: &[u8]) -> Summary {
    let mut parser = Parser { message, boundaries: Vec::new(), parts: 0, lines: LineIndex::new(message) };
    parser.summary(0, 0).0
}

/// A delimiter line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Delimiter {
    start: usize,
    /// Behind its line end.
    end: usize,
    /// Which of the open boundaries, outermost first.
    level: usize,
    close: bool,
}

struct Parser<'a> {
    message: &'a [u8],
    /// The open boundaries, outermost first.
    boundaries: Vec<Vec<u8>>,
    parts: usize,
    lines: LineIndex,
}

impl<'a> Parser<'a> {
    /// Reads a message that begins at `start`, up to its end or the delimiter that ends it.
    fn summary(&mut self, start: usize, depth: usize) -> (Summary, Option<Delimiter>) {
        let (header_end, _) = self.header_end(start);
        let envelope = envelope(self.header(start, header_end));
        let (root, ended_by) = self.part(start, depth, false);
        (Summary { envelope, root }, ended_by)
    }

    /// Reads one part; tells the delimiter that ended it, `None` at the end of the message.
    fn part(&mut self, start: usize, depth: usize, in_digest: bool) -> (Part, Option<Delimiter>) {
        self.parts += 1;
        let (body_start, early) = self.header_end(start);
        let mut part = described(self.header(start, body_start), in_digest);
        part.header_start = start as u64;
        let ended_by = match early {
            Some(delimiter) => {
                make_opaque(&mut part);
                part.body_start = self.end_before(delimiter).max(start) as u64;
                early
            }
            None => {
                part.body_start = body_start as u64;
                self.body(&mut part, body_start, depth)
            }
        };
        self.finish(&mut part, ended_by);
        (part, ended_by)
    }

    fn body(&mut self, part: &mut Part, start: usize, depth: usize) -> Option<Delimiter> {
        let exhausted = depth >= MAX_DEPTH || self.parts >= MAX_PARTS;
        if part.is_multipart() {
            let boundary = structured::param(&part.params, "BOUNDARY").map(<[u8]>::trim_ascii_end);
            match boundary.filter(|b| !b.is_empty() && b.len() <= MAX_BOUNDARY).map(<[u8]>::to_vec) {
                Some(boundary) if !exhausted => return self.multipart(part, boundary, start, depth),
                _ => make_opaque(part),
            }
        } else if part.is_message() {
            if !exhausted && matches!(part.encoding.as_slice(), b"7BIT" | b"8BIT" | b"BINARY") {
                let (inner, ended_by) = self.summary(start, depth + 1);
                part.content = Content::Message(Box::new(inner));
                return ended_by;
            }
            make_opaque(part);
        }
        self.next_delimiter(start)
    }

    /// Reads the parts of a multipart, its preamble and epilogue.
    fn multipart(&mut self, part: &mut Part, boundary: Vec<u8>, start: usize, depth: usize) -> Option<Delimiter> {
        let level = self.boundaries.len();
        self.boundaries.push(boundary);
        let in_digest = part.media_subtype == b"DIGEST";
        let mut children = Vec::new();
        let mut found = self.next_delimiter(start);
        while let Some(delimiter) = found.filter(|found| found.level == level && !found.close) {
            let (child, ended_by) = if self.parts >= MAX_PARTS {
                self.remainder(delimiter.end, level)
            } else {
                self.part(delimiter.end, depth + 1, in_digest)
            };
            children.push(child);
            found = ended_by;
        }
        self.boundaries.truncate(level);
        if let Some(close) = found.filter(|found| found.level == level) {
            // The close delimiter's own line end may be the one that introduces the parent's.
            found = self.next_delimiter(close.end);
        }
        if children.is_empty() {
            children.push(self.undivided(start, found));
        }
        part.content = Content::Multipart(children);
        found
    }

    /// Everything from here to the close delimiter of this level, or to an outer one, as one part nobody looks into.
    fn remainder(&mut self, start: usize, level: usize) -> (Part, Option<Delimiter>) {
        let mut found = self.next_delimiter(start);
        while let Some(delimiter) = found.filter(|found| found.level >= level && !found.close) {
            found = self.next_delimiter(delimiter.end);
        }
        let mut part = Part { header_start: start as u64, body_start: start as u64, ..Part::default() };
        part.encoding = b"7BIT".to_vec();
        make_opaque(&mut part);
        self.finish(&mut part, found);
        (part, found)
    }

    /// The body of a multipart without any delimiter, shown as its only part (IMAP knows no multipart without parts).
    fn undivided(&mut self, start: usize, ended_by: Option<Delimiter>) -> Part {
        self.parts += 1;
        let mut part = described(&[], false);
        part.header_start = start as u64;
        part.body_start = start as u64;
        self.finish(&mut part, ended_by);
        part
    }

    /// Sets where the part ends: before the delimiter, but never before what is inside it.
    fn finish(&self, part: &mut Part, ended_by: Option<Delimiter>) {
        let end = ended_by.map_or(self.message.len(), |delimiter| self.end_before(delimiter)) as u64;
        let inner_end = match &part.content {
            Content::Leaf => 0,
            Content::Multipart(parts) => parts.last().map_or(0, |last| last.body_end),
            Content::Message(inner) => inner.root.body_end,
        };
        part.body_end = end.max(part.body_start).max(inner_end);
        part.lines = self.lines.count(self.message, part.body_start as usize, part.body_end as usize);
    }

    /// Where that which a delimiter ends, ends: the line end before it belongs to the delimiter (RFC 2046 5.1.1).
    fn end_before(&self, delimiter: Delimiter) -> usize {
        let before = self.message.get(..delimiter.start).unwrap_or_default();
        let before = before.strip_suffix(b"\n").unwrap_or(before);
        before.strip_suffix(b"\r").unwrap_or(before).len()
    }

    /// Where the header that begins here ends (behind its empty line), and the delimiter that cut it short.
    fn header_end(&self, start: usize) -> (usize, Option<Delimiter>) {
        let mut at = start;
        while let Some(rest) = self.message.get(at..).filter(|rest| !rest.is_empty()) {
            let empty = empty_line(rest);
            if empty > 0 {
                return (at + empty, None);
            }
            if let Some(delimiter) = self.delimiter_at(at) {
                return (at, Some(delimiter));
            }
            at = line_end(self.message, at);
        }
        (self.message.len(), None)
    }

    fn header(&self, start: usize, end: usize) -> &'a [u8] {
        self.message.get(start..end.min(start + MAX_HEADER)).unwrap_or_default()
    }

    /// The next line at or after `from`, itself the begin of a line, that is a delimiter of an open boundary.
    fn next_delimiter(&self, from: usize) -> Option<Delimiter> {
        if self.boundaries.is_empty() {
            return None;
        }
        if let Some(delimiter) = self.delimiter_at(from) {
            return Some(delimiter);
        }
        let rest = self.message.get(from..)?;
        memmem::find_iter(rest, b"\n--").find_map(|at| self.delimiter_at(from + at + 1))
    }

    /// The delimiter that this line is. The innermost boundary wins where a line fits several, and the whole line must
    /// fit, so that a boundary which begins like another one is never mistaken for it.
    fn delimiter_at(&self, start: usize) -> Option<Delimiter> {
        let line = self.message.get(start..)?.strip_prefix(b"--")?;
        self.boundaries.iter().enumerate().rev().find_map(|(level, boundary)| {
            let rest = line.strip_prefix(boundary.as_slice())?;
            let (rest, close) = match padding(rest) {
                Some(length) => (length, false),
                None => (padding(rest.strip_prefix(b"--")?)? + 2, true),
            };
            Some(Delimiter { start, end: start + 2 + boundary.len() + rest, level, close })
        })
    }
}

/// Length of the blanks and the line end, if there is nothing else on the line.
fn padding(rest: &[u8]) -> Option<usize> {
    let blanks = rest.iter().take(MAX_PADDING).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    match rest.get(blanks..)? {
        [] => Some(blanks),
        [b'\n', ..] => Some(blanks + 1),
        [b'\r', b'\n', ..] => Some(blanks + 2),
        [b'\r'] => Some(blanks + 1),
        _ => None,
    }
}

/// What can't be looked into is shown as bytes: a reader who is told `multipart/*` or `message/rfc822` expects more.
fn make_opaque(part: &mut Part) {
    if part.is_multipart() || part.is_message() || part.media_type.is_empty() {
        part.media_type = b"APPLICATION".to_vec();
        part.media_subtype = b"OCTET-STREAM".to_vec();
    }
    part.content = Content::Leaf;
}

/// A part as its header describes it, without offsets.
fn described(header: &[u8], in_digest: bool) -> Part {
    let mut part = Part { encoding: b"7BIT".to_vec(), ..Part::default() };
    let mut seen = 0u8;
    for field in fields(header) {
        let Some(index) = MIME_FIELDS.iter().position(|name| field.is(name)) else { continue };
        let bit = 1u8 << index;
        if seen & bit == 0 {
            seen |= bit;
            describe(&mut part, index, &field);
        }
    }
    if part.media_type.is_empty() {
        // RFC 2045 5.2, RFC 2046 5.1.5
        let (kind, subtype): (&[u8], &[u8]) = if in_digest { (b"MESSAGE", b"RFC822") } else { (b"TEXT", b"PLAIN") };
        part.media_type = kind.to_vec();
        part.media_subtype = subtype.to_vec();
        if !in_digest {
            part.params = vec![(b"CHARSET".to_vec(), b"US-ASCII".to_vec())];
        }
    }
    part
}

const MIME_FIELDS: [&str; 8] = [
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-ID",
    "Content-Description",
    "Content-MD5",
    "Content-Language",
    "Content-Location",
];

fn describe(part: &mut Part, index: usize, field: &Field<'_>) {
    match index {
        0 => set_type(part, field.value),
        1 => {
            let encoding = structured::parse(&unfold(field.value)).0;
            if !encoding.is_empty() {
                part.encoding = cut(encoding, MAX_PARAM);
            }
        }
        2 => {
            let (kind, params) = structured::parse(&unfold(field.value));
            part.disposition =
                (!kind.is_empty()).then(|| (cut(kind, MAX_PARAM), params.into_iter().map(cut_param).collect()));
        }
        3 => part.id = text(field.value),
        4 => part.description = text(field.value),
        5 => part.md5 = text(field.value),
        6 => part.language = structured::tokens(&unfold(field.value)),
        _ => part.location = text(field.value),
    }
}

fn set_type(part: &mut Part, value: &[u8]) {
    let (media_type, params) = structured::parse(&unfold(value));
    let mut halves = media_type.splitn(2, |byte| *byte == b'/').map(<[u8]>::trim_ascii);
    let (kind, subtype) = (halves.next().unwrap_or_default(), halves.next().unwrap_or_default());
    let token = |text: &[u8]| !text.is_empty() && text.len() <= 127 && text.iter().all(u8::is_ascii_graphic);
    (part.media_type, part.media_subtype) = match (token(kind), token(subtype)) {
        (true, true) => (kind.to_vec(), subtype.to_vec()),
        _ if kind == b"TEXT" => (b"TEXT".to_vec(), b"PLAIN".to_vec()),
        _ if kind.is_empty() => return,
        _ => (b"APPLICATION".to_vec(), b"OCTET-STREAM".to_vec()),
    };
    part.params = params.into_iter().map(cut_param).collect();
}

fn cut_param((name, value): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    (cut(name, MAX_PARAM), cut(value, MAX_PARAM))
}

fn cut(mut bytes: Vec<u8>, length: usize) -> Vec<u8> {
    bytes.truncate(length);
    bytes
}

/// An unfolded value of moderate length, `None` where it is empty.
fn text(value: &[u8]) -> Option<Vec<u8>> {
    Some(cut(unfold(value), MAX_TEXT)).filter(|text| !text.is_empty())
}

/// The ENVELOPE of a header (RFC 3501 7.4.2). Of fields that may stand once the first counts; several `To`, `Cc` or
/// `Bcc`, which RFC 5322 4.5.3 allows of old, are read as one.
fn envelope(header: &[u8]) -> Envelope {
    let mut envelope = Envelope::default();
    for field in fields(header) {
        let (list, several) = match field.name.to_ascii_lowercase().as_str() {
            "date" => {
                first_text(&mut envelope.date, &field);
                continue;
            }
            "subject" => {
                first_subject(&mut envelope.subject, &field);
                continue;
            }
            "in-reply-to" => {
                first_text(&mut envelope.in_reply_to, &field);
                continue;
            }
            "message-id" => {
                first_text(&mut envelope.message_id, &field);
                continue;
            }
            "from" => (&mut envelope.from, false),
            "sender" => (&mut envelope.sender, false),
            "reply-to" => (&mut envelope.reply_to, false),
            "to" => (&mut envelope.to, true),
            "cc" => (&mut envelope.cc, true),
            "bcc" => (&mut envelope.bcc, true),
            _ => continue,
        };
        if list.is_empty() || several {
            list.extend(addresses(field.value));
        }
    }
    for list in [&mut envelope.sender, &mut envelope.reply_to] {
        if list.is_empty() {
            list.clone_from(&envelope.from);
        }
    }
    envelope
}

fn first_text(slot: &mut Option<Vec<u8>>, field: &Field<'_>) {
    if slot.is_none() {
        *slot = text(field.value);
    }
}

/// An empty subject is a subject, unlike an empty date.
fn first_subject(slot: &mut Option<Vec<u8>>, field: &Field<'_>) {
    slot.get_or_insert_with(|| cut(unfold(field.value), MAX_TEXT));
}

/// Line ends up to every so many bytes, so that lines of parts within parts are counted without reading them again.
struct LineIndex {
    before: Vec<u64>,
}

/// Bytes between two entries of the index.
const LINE_BLOCK: usize = 4 * 1024;

impl LineIndex {
    fn new(message: &[u8]) -> Self {
        let mut total = 0;
        let before = message.chunks(LINE_BLOCK).map(|block| {
            let so_far = total;
            total += memchr_iter(b'\n', block).count() as u64;
            so_far
        });
        Self { before: before.collect() }
    }

    fn count(&self, message: &[u8], start: usize, end: usize) -> u64 {
        self.up_to(message, end).saturating_sub(self.up_to(message, start))
    }

    fn up_to(&self, message: &[u8], end: usize) -> u64 {
        if end == 0 {
            return 0;
        }
        let block = (end - 1) / LINE_BLOCK;
        let rest = message.get(block * LINE_BLOCK..end).unwrap_or_default();
        self.before.get(block).copied().unwrap_or_default() + memchr_iter(b'\n', rest).count() as u64
    }
}
