//! Dot-stuffing (RFC 5321 4.5.2), block by block, and the guard that no bare CR or LF ever leaves.

/// The message has a CR without LF or an LF without CR, which some servers would take for a line end: sent on, it
/// could smuggle a second message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the message has a line end that is not CR LF")]
pub(super) struct BareLineEnd;

/// Turns a message into what is sent behind `354`.
#[derive(Debug)]
pub(super) struct DotStuffer {
    line_start: bool,
    after_cr: bool,
}

impl Default for DotStuffer {
    fn default() -> Self {
        Self { line_start: true, after_cr: false }
    }
}

impl DotStuffer {
    /// Appends a block, stuffed, to `out`.
    ///
    /// # Errors
    /// [`BareLineEnd`]; nothing behind it may be sent then, least of all the final dot.
    pub(super) fn push(&mut self, block: &[u8], out: &mut Vec<u8>) -> Result<(), BareLineEnd> {
        out.reserve(block.len() + block.len() / 64);
        for byte in block {
            if self.after_cr != (*byte == b'\n') {
                return Err(BareLineEnd);
            }
            if self.line_start && *byte == b'.' {
                out.push(b'.');
            }
            out.push(*byte);
            self.after_cr = *byte == b'\r';
            self.line_start = *byte == b'\n';
        }
        Ok(())
    }

    /// Appends the end: the final dot on a line of its own, with the line end the message's last line may lack.
    ///
    /// # Errors
    /// [`BareLineEnd`] when the message ends with a bare CR.
    pub(super) fn finish(self, out: &mut Vec<u8>) -> Result<(), BareLineEnd> {
        if self.after_cr {
            return Err(BareLineEnd);
        }
        if !self.line_start {
            out.extend(b"\r\n");
        }
        out.extend(b".\r\n");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn stuff<'a>(blocks: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BareLineEnd> {
        let mut out = Vec::new();
        let mut stuffer = DotStuffer::default();
        for block in blocks {
            stuffer.push(block, &mut out)?;
        }
        stuffer.finish(&mut out)?;
        Ok(out)
    }

    #[test]
    fn dots_at_line_starts_are_doubled_and_no_others() {
        for (message, wire) in [
            (&b""[..], &b".\r\n"[..]),
            (b"a\r\n", b"a\r\n.\r\n"),
            (b"a", b"a\r\n.\r\n"),
            (b".", b"..\r\n.\r\n"),
            (b".\r\n", b"..\r\n.\r\n"),
            (b"..\r\n.a\r\nb.\r\n", b"...\r\n..a\r\nb.\r\n.\r\n"),
            (b"a\r\n\r\n", b"a\r\n\r\n.\r\n"),
        ] {
            assert_eq!(stuff([message]).as_deref(), Ok(wire), "{}", message.escape_ascii());
        }
    }

    #[test]
    fn a_bare_cr_or_lf_never_leaves() {
        for message in [
            &b"\n"[..],
            b"\r",
            b"a\nb\r\n",
            b"a\rb\r\n",
            b"a\r\r\n",
            b"\r\n.\r",
            b"\n.\n",
            b"\n.\r\n",
            b"\r\n.\n",
            b"\r.\r",
            b"\r.\r\n",
        ] {
            assert_eq!(stuff([message]), Err(BareLineEnd), "{}", message.escape_ascii());
            assert_eq!(stuff(message.chunks(1)), Err(BareLineEnd), "{}", message.escape_ascii());
        }
    }

    /// What a server makes of the wire form.
    fn unstuff(wire: &[u8]) -> Vec<u8> {
        let body = wire.strip_suffix(b".\r\n").unwrap();
        let text = String::from_utf8(body.to_vec()).unwrap();
        text.split_inclusive("\r\n").map(|line| line.strip_prefix('.').unwrap_or(line)).collect::<String>().into_bytes()
    }

    proptest! {
        #[test]
        fn a_server_gets_back_the_message_however_it_was_cut(lines in proptest::collection::vec("[.a]{0,4}", 0..20), cut in 1usize..7) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let wire = stuff(message.as_bytes().chunks(cut)).unwrap();
            prop_assert_eq!(unstuff(&wire), message.into_bytes());
            let end = wire.windows(5).position(|window| window == b"\r\n.\r\n");
            prop_assert!(end.is_none_or(|end| end + 5 == wire.len()));
        }
    }
}
