//! A message as it goes out: lines that end in CRLF, dots stuffed, cut where TOP wants it (RFC 1939 3 and 7).

/// Encodes one message, block by block.
///
/// Lines that a program stored with a bare LF go out with CRLF: clients differ in what they take for a line, and a
/// message must not be able to end its own transmission.
#[derive(Debug)]
pub(crate) struct Body {
    part: Part,
    line: Line,
}

/// Where in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// In the header, with so many lines of the body wanted after it.
    Header(u64),
    /// So many lines of the body are still wanted.
    Lines(u64),
    /// All is wanted.
    All,
    /// Nothing more is wanted.
    Over,
}

/// What there is of the current line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Empty,
    /// Nothing but a CR.
    Blank,
    Text,
    /// Text that ends, so far, in CR.
    TextCr,
}

impl Body {
    /// Encodes all of a message (`None`), or its header and so many lines of its body.
    pub(crate) fn new(lines: Option<u64>) -> Self {
        Self { part: lines.map_or(Part::All, Part::Header), line: Line::Empty }
    }

    /// Encodes a block. False when what follows is not wanted.
    pub(crate) fn encode(&mut self, mut block: &[u8], out: &mut Vec<u8>) -> bool {
        out.reserve(block.len() + block.len() / 16);
        while !block.is_empty() && self.part != Part::Over {
            match memchr::memchr(b'\n', block) {
                Some(end) => {
                    let (text, rest) = block.split_at(end);
                    self.text(text, out);
                    self.end_line(out);
                    block = rest.get(1..).unwrap_or_default();
                }
                None => {
                    self.text(block, out);
                    block = &[];
                }
            }
        }
        self.part != Part::Over
    }

    /// Ends the message.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) {
        if self.line != Line::Empty {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn text(&mut self, text: &[u8], out: &mut Vec<u8>) {
        let Some(last) = text.last() else { return };
        if self.line == Line::Empty && text.starts_with(b".") {
            out.push(b'.');
        }
        self.line = match (*last, self.line) {
            (b'\r', Line::Empty) if text.len() == 1 => Line::Blank,
            (b'\r', _) => Line::TextCr,
            _ => Line::Text,
        };
        out.extend_from_slice(text);
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let blank = matches!(self.line, Line::Empty | Line::Blank);
        if matches!(self.line, Line::Empty | Line::Text) {
            out.push(b'\r');
        }
        out.push(b'\n');
        self.line = Line::Empty;
        self.part = match self.part {
            Part::Header(0) if blank => Part::Over,
            Part::Header(lines) if blank => Part::Lines(lines),
            Part::Lines(0 | 1) => Part::Over,
            Part::Lines(lines) => Part::Lines(lines - 1),
            same => same,
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn encoded(message: &[u8], lines: Option<u64>, cuts: &[usize]) -> Vec<u8> {
        let (mut body, mut out, mut rest) = (Body::new(lines), Vec::new(), message);
        for cut in cuts {
            let (block, after) = rest.split_at(*cut.min(&rest.len()));
            if !body.encode(block, &mut out) {
                rest = &[];
                break;
            }
            rest = after;
        }
        body.encode(rest, &mut out);
        body.finish(&mut out);
        out
    }

    fn text(message: &str, lines: Option<u64>) -> String {
        String::from_utf8(encoded(message.as_bytes(), lines, &[])).unwrap()
    }

    #[test]
    fn dots_are_stuffed_and_the_end_is_marked() {
        assert_eq!(text("a: b\r\n\r\n.\r\n..\r\na.\r\n.x", None), "a: b\r\n\r\n..\r\n...\r\na.\r\n..x\r\n.\r\n");
        assert_eq!(text("", None), ".\r\n");
        assert_eq!(text("a", None), "a\r\n.\r\n");
        assert_eq!(text("a\r", None), "a\r\n.\r\n");
        assert_eq!(text("\r", None), "\r\n.\r\n");
    }

    #[test]
    fn a_message_with_bare_line_feeds_cannot_end_itself() {
        assert_eq!(text("a\n.\nb\n", None), "a\r\n..\r\nb\r\n.\r\n");
        assert_eq!(text("a\r\r\n\n.\r\n", None), "a\r\r\n\r\n..\r\n.\r\n");
    }

    #[test]
    fn top_gives_the_header_and_so_many_lines() {
        let message = "a: b\r\nc: d\r\n\r\none\r\n.two\r\nthree\r\n";
        assert_eq!(text(message, Some(0)), "a: b\r\nc: d\r\n\r\n.\r\n");
        assert_eq!(text(message, Some(1)), "a: b\r\nc: d\r\n\r\none\r\n.\r\n");
        assert_eq!(text(message, Some(2)), "a: b\r\nc: d\r\n\r\none\r\n..two\r\n.\r\n");
        assert_eq!(text(message, Some(4)), text(message, None));
        assert_eq!(text("a: b\n\none\ntwo\n", Some(1)), "a: b\r\n\r\none\r\n.\r\n");
        assert_eq!(text("a: b\r\n", Some(1)), "a: b\r\n.\r\n");
        assert_eq!(text("\r\none\r\ntwo", Some(1)), "\r\none\r\n.\r\n");
    }

    /// What a client makes of it: the message, and what follows its end.
    fn decoded(mut wire: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let mut message = Vec::new();
        loop {
            let end = wire.windows(2).position(|two| two == b"\r\n").unwrap() + 2;
            let (line, rest) = wire.split_at(end);
            wire = rest;
            match line {
                b".\r\n" => return (message, wire.to_vec()),
                [b'.', unstuffed @ ..] => message.extend_from_slice(unstuffed),
                line => message.extend_from_slice(line),
            }
        }
    }

    proptest! {
        #[test]
        fn what_a_client_decodes_is_the_message_wherever_it_was_cut(
            message in proptest::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'a')], 0..60),
            cuts in proptest::collection::vec(0_usize..10, 0..10),
            lines in proptest::option::of(0_u64..5),
        ) {
            let whole = encoded(&message, lines, &[]);
            prop_assert_eq!(&encoded(&message, lines, &cuts), &whole);
            let (read, rest) = decoded(&whole);
            prop_assert!(rest.is_empty());
            if lines.is_none() {
                let bare = |bytes: &[u8]| bytes.iter().copied().filter(|&b| b != b'\r' && b != b'\n').collect::<Vec<_>>();
                prop_assert_eq!(bare(&read), bare(&message));
            }
        }

        #[test]
        fn a_message_of_proper_lines_arrives_byte_for_byte(
            lines in proptest::collection::vec("[.a ]{0,5}", 0..20),
        ) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let (read, _) = decoded(&encoded(message.as_bytes(), None, &[]));
            prop_assert_eq!(read, message.as_bytes());
        }
    }
}
