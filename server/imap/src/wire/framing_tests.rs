#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

/// Runs a stream through the framer in the given pieces, holding every literal up to 100 bytes and streaming others.
fn frames(pieces: &[&[u8]]) -> Vec<Frame> {
    let mut framer = Framer::default();
    let mut frames = Vec::new();
    for piece in pieces {
        framer.input().extend_from_slice(piece);
        loop {
            let frame = framer.next();
            match &frame {
                Frame::Incomplete => break,
                Frame::Literal(literal) if literal.size <= 100 => framer.hold(),
                Frame::Literal(_) => framer.stream(),
                Frame::TooLong(_) => return frames,
                _ => {}
            }
            match (frames.last_mut(), frame) {
                (Some(Frame::Chunk(before)), Frame::Chunk(more)) => before.extend(more),
                (_, frame) => frames.push(frame),
            }
        }
    }
    frames
}

fn command(text: &[u8]) -> Frame {
    Frame::Command(text.to_vec())
}

#[test]
fn lines_become_commands() {
    assert_eq!(frames(&[b"a NOOP\r\nb NOOP\n\r\n"]), [command(b"a NOOP"), command(b"b NOOP"), command(b"")]);
}

#[test]
fn a_held_literal_stays_in_its_command_line_ends_and_all() {
    let frames = frames(&[b"a LOGIN {4}\r\nx\r\ny {3+}\r\nabc\r\nb NOOP\r\n"]);
    let commands: Vec<_> = frames.iter().filter(|frame| matches!(frame, Frame::Command(_))).collect();
    assert_eq!(commands, [&command(b"a LOGIN {4}\r\nx\r\ny {3+}\r\nabc"), &command(b"b NOOP")]);
    assert!(frames.contains(&Frame::Literal(Literal { head: b"a LOGIN ".to_vec(), size: 4, synchronising: true })));
}

#[test]
fn a_streamed_literal_comes_in_chunks_and_then_the_rest_of_its_line() {
    let body = vec![b'x'; 200];
    let stream = [b"a APPEND INBOX {200}\r\n".as_slice(), &body, b"\r\nb NOOP\r\n"].concat();
    let head = Frame::Literal(Literal { head: b"a APPEND INBOX ".to_vec(), size: 200, synchronising: true });
    assert_eq!(frames(&[&stream]), [head, Frame::Chunk(body), Frame::ChunksEnd, command(b""), command(b"b NOOP")]);
}

#[test]
fn a_refused_literal_ends_its_command() {
    let mut framer = Framer::default();
    framer.input().extend_from_slice(b"a LOGIN {99999999999999999999}\r\nb NOOP\r\n");
    assert!(matches!(framer.next(), Frame::Literal(Literal { size: u64::MAX, synchronising: true, .. })));
    framer.refuse();
    assert_eq!(framer.next(), command(b"b NOOP"));
}

#[test]
fn what_only_looks_like_a_literal_is_text() {
    for line in ["a X {", "a X {}", "a X {+}", "a X {-1}", "a X {5", "a X 5}", "a X {5 }", "a X {5++}"] {
        assert_eq!(frames(&[line.as_bytes(), b"\r\n"]), [command(line.as_bytes())], "{line}");
    }
}

#[test]
fn a_line_without_end_is_cut_off() {
    let mut framer = Framer::default();
    framer.input().resize(MAX_LINE + 1, b'a');
    assert!(matches!(framer.next(), Frame::TooLong(_)));
    framer.discard();
    framer.input().extend_from_slice(b"a X {10}\r\n0123456789");
    assert!(matches!(framer.next(), Frame::Literal(_)));
    framer.hold();
    assert_eq!(framer.next(), Frame::Incomplete);
    framer.input().resize(MAX_LINE + 100, b'a');
    assert!(matches!(framer.next(), Frame::TooLong(_)), "after a literal as well");
}

#[test]
fn memory_goes_back_after_use() {
    let mut framer = Framer::default();
    framer.input().extend_from_slice(b"a NOOP\r\n");
    framer.next();
    framer.shrink();
    assert_eq!(framer.input().capacity(), 0);
    assert!(framer.is_empty());
}

fn stream_of_commands() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        "[a-z {}+0-9\"]{0,20}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(|body| [
            format!(" {{{}}}\r\n", body.len()).into_bytes(),
            body
        ]
        .concat()),
        Just(b"\r\n".to_vec()),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_does_not_matter_how_the_stream_is_cut(stream in stream_of_commands(), cuts in proptest::collection::vec(1_usize..40, 0..60)) {
        let whole = frames(&[&stream]);
        let (mut pieces, mut rest) = (Vec::new(), stream.as_slice());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        prop_assert_eq!(frames(&pieces), whole);
    }
}

#[test]
fn a_command_of_countless_empty_literals_is_too_long() {
    let mut framer = Framer::default();
    framer.input().extend_from_slice(b"a SEARCH");
    framer.input().extend_from_slice(&b" {0+}\r\n".repeat(MAX_LITERALS + 1));
    for _ in 0..MAX_LITERALS {
        assert!(matches!(framer.next(), Frame::Literal(_)));
        framer.hold();
    }
    assert!(matches!(framer.next(), Frame::TooLong(_)));
}

#[test]
fn many_commands_in_one_block_come_out_one_by_one() {
    let mut framer = Framer::default();
    framer.input().extend_from_slice(&b"a NOOP\r\n".repeat(1_000));
    framer.input().extend_from_slice(b"b NO");
    for _ in 0..1_000 {
        assert_eq!(framer.next(), Frame::Command(b"a NOOP".to_vec()));
    }
    assert_eq!(framer.next(), Frame::Incomplete);
    assert_eq!(framer.input(), b"b NO", "what was done with is given back");
    framer.input().extend_from_slice(b"OP\r\n");
    assert_eq!(framer.next(), Frame::Command(b"b NOOP".to_vec()));
}
