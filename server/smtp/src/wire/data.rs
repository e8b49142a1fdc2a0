//! Message data: DATA with its dots, BDAT without (RFC 5321 4.5.2, RFC 3030).
//!
//! **Invariant:** a line ends in CRLF; CR, LF or NUL anywhere else is a fault, never a line end. So no two servers can
//! disagree on where this message ended, which is all that smuggling lives on.

/// Longest line of a message taken, CRLF not counted. RFC 5321 4.5.3.1.6 promises only 998, but real mail, HTML
/// above all, has longer ones, and refusing them loses letters. Beyond a mebibyte it is no text any more.
pub const MAX_DATA_LINE: usize = 1 << 20;

/// What is wrong with a message's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LineFaults {
    /// A bare CR, a bare LF or a NUL.
    pub bare: bool,
    /// A line over [`MAX_DATA_LINE`].
    pub too_long: bool,
}

impl LineFaults {
    /// True when there is one.
    pub fn any(self) -> bool {
        self.bare || self.too_long
    }
}

/// Reads the data behind DATA up to CRLF.CRLF, in blocks cut anywhere.
#[derive(Debug, Clone, Default)]
pub struct DotDecoder {
    place: Place,
    line: usize,
    faults: LineFaults,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Behind a CRLF, or at the very start.
    #[default]
    LineStart,
    /// Behind the dot that began a line.
    Dot,
    /// Behind the dot and a CR.
    DotCr,
    /// In a line.
    Line,
    /// Behind a CR in a line.
    Cr,
}

impl DotDecoder {
    /// Takes a block; the message's bytes, dots removed, go to `out`. Gives how many bytes of the block belonged to the
    /// message and its end mark, and whether the end was there; if it was not, the whole block is used.
    pub fn decode(&mut self, block: &[u8], out: &mut Vec<u8>) -> (usize, bool) {
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            self.place = match (self.place, byte) {
                (Place::LineStart, b'.') => {
                    rest = after;
                    Place::Dot
                }
                (Place::LineStart, _) => Place::Line,
                (Place::Dot, b'\r') => {
                    rest = after;
                    Place::DotCr
                }
                (Place::Dot, _) => Place::Line,
                (Place::DotCr, b'\n') => return (block.len() - after.len(), true),
                (Place::DotCr, _) => {
                    self.faults.bare = true;
                    Place::Line
                }
                (Place::Cr, b'\n') => {
                    out.extend_from_slice(b"\r\n");
                    self.line = 0;
                    rest = after;
                    Place::LineStart
                }
                (Place::Cr, _) => {
                    self.faults.bare = true;
                    Place::Line
                }
                (Place::Line, _) => {
                    let (text, found) = stretch(rest, &mut self.line, &mut self.faults);
                    out.extend_from_slice(text);
                    rest = rest.get(text.len() + usize::from(found.is_some())..).unwrap_or_default();
                    if found == Some(b'\r') { Place::Cr } else { Place::Line }
                }
            };
        }
        (block.len(), false)
    }

    /// What has been found wrong so far.
    pub fn faults(&self) -> LineFaults {
        self.faults
    }
}

/// Checks the lines of BDAT chunks; a CRLF cut in two by a chunk's border is whole.
#[derive(Debug, Clone, Default)]
pub struct LineRules {
    behind_cr: bool,
    behind_crlf: bool,
    line: usize,
    faults: LineFaults,
}

impl LineRules {
    /// Takes a block.
    pub fn check(&mut self, block: &[u8]) {
        let mut rest = block;
        while let Some((&byte, after)) = rest.split_first() {
            if std::mem::take(&mut self.behind_cr) {
                if byte == b'\n' {
                    self.line = 0;
                    self.behind_crlf = true;
                    rest = after;
                    continue;
                }
                self.faults.bare = true;
            }
            self.behind_crlf = false;
            let (text, found) = stretch(rest, &mut self.line, &mut self.faults);
            rest = rest.get(text.len() + usize::from(found.is_some())..).unwrap_or_default();
            self.behind_cr = found == Some(b'\r');
        }
    }

    /// What has been found wrong so far; `at_end` counts a CR that nothing followed.
    pub fn faults(&self, at_end: bool) -> LineFaults {
        LineFaults { bare: self.faults.bare || (at_end && self.behind_cr), ..self.faults }
    }

    /// True when the last line is complete.
    pub fn ends_in_crlf(&self) -> bool {
        self.behind_crlf
    }
}

/// Cuts off the bytes before the next CR, LF or NUL, and tells which it was. LF and NUL are faults where this is asked.
fn stretch<'a>(rest: &'a [u8], line: &mut usize, faults: &mut LineFaults) -> (&'a [u8], Option<u8>) {
    let at = memchr::memchr3(b'\r', b'\n', 0, rest);
    let (text, after) = rest.split_at_checked(at.unwrap_or(rest.len())).unwrap_or((rest, &[]));
    let found = after.first().copied();
    *line = line.saturating_add(text.len());
    faults.too_long |= *line > MAX_DATA_LINE;
    faults.bare |= matches!(found, Some(b'\n' | 0));
    (text, found)
}

#[cfg(test)]
pub(crate) mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    /// What some server somewhere takes for the end of a message (CVE-2023-51764 and its kin).
    pub(crate) const FALSE_ENDS: [&str; 13] = [
        "\n.\n",
        "\n.\r\n",
        "\r\n.\n",
        "\r.\r",
        "\r\n.\r",
        "\r.\r\n",
        "\r\n\0.\r\n",
        "\n\n.\r\n",
        "\r\n.\r\r\n",
        "\r.\n",
        "\n.\r",
        "\r\n.\0\r\n",
        "\r\0\n.\r\n",
    ];

    /// Body, bytes used (if it ended), faults; blocks of the given sizes, the last one repeated.
    fn decode(input: &[u8], sizes: &[usize]) -> (Vec<u8>, Option<usize>, LineFaults) {
        let mut decoder = DotDecoder::default();
        let (mut out, mut used, mut rest) = (Vec::new(), 0, input);
        let mut sizes = sizes.iter().copied().chain(std::iter::repeat(sizes.last().copied().unwrap_or(1)));
        while !rest.is_empty() {
            let (block, after) = rest.split_at(sizes.next().unwrap_or(1).clamp(1, rest.len()));
            let (count, ended) = decoder.decode(block, &mut out);
            used += count;
            if ended {
                return (out, Some(used), decoder.faults());
            }
            rest = after;
        }
        (out, None, decoder.faults())
    }

    #[test]
    fn dots_are_removed_and_the_end_is_found() {
        for (input, body) in [
            (".\r\n", ""),
            ("\r\n.\r\n", "\r\n"),
            ("a\r\n.\r\n", "a\r\n"),
            ("..\r\n.\r\n", ".\r\n"),
            (".a\r\n..b\r\n...\r\n.\r\n", "a\r\n.b\r\n..\r\n"),
            ("a.\r\n.\r\n", "a.\r\n"),
            ("a\r\n\r\n.\r\n", "a\r\n\r\n"),
        ] {
            for size in [1, 2, 3, 1_000] {
                let (out, used, faults) = decode(input.as_bytes(), &[size]);
                assert_eq!(String::from_utf8_lossy(&out), body, "{input:?}");
                assert_eq!((used, faults.any()), (Some(input.len()), false), "{input:?}");
            }
        }
    }

    #[test]
    fn no_false_end_ends_the_message_and_each_is_noticed() {
        for end in FALSE_ENDS {
            let carried = format!("body{end}MAIL FROM:<bob@world.test>\r\n");
            let input = format!("{carried}.\r\nNOOP\r\n");
            for size in [1, 2, 3, 5, 1_000] {
                let (_, used, faults) = decode(input.as_bytes(), &[size]);
                assert_eq!(used, Some(carried.len() + 3), "{end:?}");
                assert!(faults.bare, "{end:?}");
            }
        }
    }

    #[test]
    fn a_line_may_be_long_but_not_endless() {
        let long = [b"x".repeat(MAX_DATA_LINE), b"\r\n.\r\n".to_vec()].concat();
        assert!(!decode(&long, &[4_096]).2.any());
        let endless = [b"x".repeat(MAX_DATA_LINE + 1), b"\r\n.\r\n".to_vec()].concat();
        assert!(decode(&endless, &[4_096]).2.too_long);
    }

    #[test]
    fn chunks_have_the_same_line_rules_and_dots_mean_nothing_in_them() {
        for (chunks, bare) in [
            (vec!["a\r\n.\r\nb\r\n"], false),
            (vec!["a\r", "\nb\r\n"], false),
            (vec!["a\r", "b\r\n"], true),
            (vec!["a\n"], true),
            (vec!["a\0"], true),
            (vec!["a\r\n\r"], true),
            (vec!["\n"], true),
            (vec!["a\r\n", "\n"], true),
            (vec!["no line end"], false),
        ] {
            let mut rules = LineRules::default();
            for chunk in &chunks {
                rules.check(chunk.as_bytes());
            }
            assert_eq!(rules.faults(true).bare, bare, "{chunks:?}");
            assert!(bare || rules.ends_in_crlf() == chunks.concat().ends_with("\r\n"), "{chunks:?}");
        }
    }

    fn data() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop::sample::select(vec!["\r", "\n", ".", "\r\n", "\r\n.", ".\r\n", "\r\n.\r\n", "a", "bc", "\0"]);
        prop::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn blocks_cut_anywhere_give_the_same(input in data(), sizes in prop::collection::vec(1_usize..9, 1..20)) {
            prop_assert_eq!(decode(&input, &sizes), decode(&input, &[usize::MAX]));
        }

        #[test]
        fn the_message_ends_at_the_first_crlf_dot_crlf_and_nowhere_else(input in data()) {
            let with_start = [b"\r\n", input.as_slice()].concat();
            let end = with_start.windows(5).position(|window| window == b"\r\n.\r\n");
            prop_assert_eq!(decode(&input, &[7]).1, end.map(|at| at + 3));
        }

        #[test]
        fn a_message_without_faults_has_crlf_only(input in data()) {
            let (out, _, faults) = decode(&input, &[3]);
            if !faults.any() {
                let mut rules = LineRules::default();
                rules.check(&out);
                prop_assert!(!rules.faults(true).any());
            }
        }
    }
}
