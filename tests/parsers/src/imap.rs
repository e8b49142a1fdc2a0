//! IMAP's stream of commands with their literals.

use mailstead_imap::wire::framing::{Frame, Framer, MAX_LINE};
use mailstead_imap::wire::{Command, Request, SequenceSet, append_head, mutf7, parse};

/// Held literals of one command, as after login.
const MAX_LITERALS: u64 = 64 << 10;

/// Takes what a client sends.
pub fn imap_command(stream: &[u8]) {
    let frames = cut(stream, stream.len());
    assert_eq!(frames, cut(stream, 7), "where the stream is cut makes a difference");
    for frame in &frames {
        match frame {
            Frame::Command(command) => assert_command(command),
            Frame::Literal(literal) => {
                if let Some(Ok(head)) = append_head(&literal.head) {
                    assert_name(&head.mailbox);
                }
            }
            _ => {}
        }
    }
}

/// The frames of a stream that comes in blocks of a size, with the decisions a session would make. Chunks are joined,
/// for they depend on the cuts.
fn cut(stream: &[u8], block: usize) -> Vec<Frame> {
    let mut framer = Framer::default();
    let mut frames: Vec<Frame> = Vec::new();
    for block in stream.chunks(block.max(1)) {
        framer.input().extend_from_slice(block);
        loop {
            let frame = framer.next();
            match &frame {
                Frame::Incomplete => break,
                Frame::TooLong(_) => {
                    // How much had come by then depends on the cuts.
                    frames.push(Frame::TooLong(Vec::new()));
                    return frames;
                }
                Frame::Literal(literal) => {
                    if append_head(&literal.head).is_some() {
                        framer.stream();
                    } else if literal.size.saturating_add(framer.held() as u64) <= MAX_LITERALS {
                        framer.hold();
                    } else if literal.synchronising {
                        framer.refuse();
                    } else {
                        frames.push(frame);
                        return frames;
                    }
                }
                Frame::Chunk(bytes) => {
                    if let Some(Frame::Chunk(before)) = frames.last_mut() {
                        before.extend_from_slice(bytes);
                        continue;
                    }
                }
                Frame::Command(command) => assert!(command.len() <= MAX_LINE + 2 * MAX_LITERALS as usize),
                Frame::ChunksEnd => {}
            }
            frames.push(frame);
        }
    }
    frames
}

fn assert_command(bytes: &[u8]) {
    match parse(bytes) {
        Ok(request) => {
            assert_sound(&request);
            if let Some(printed) = print(&request) {
                let again = parse(&printed);
                assert_eq!(again.as_ref(), Ok(&request), "printed as {}", printed.escape_ascii());
            }
        }
        Err(bad) => {
            bad.tag.iter().for_each(|tag| assert_tag(tag));
            let said = bad.error.to_string();
            assert!(!said.is_empty() && said.len() < 1_000 && !said.contains(['\r', '\n']), "{said:?}");
        }
    }
}

fn assert_tag(tag: &str) {
    assert!(!tag.is_empty() && tag.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+'), "{tag:?}");
}

fn assert_name(name: &str) {
    let wire = mutf7::encode(name);
    assert!(wire.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{wire:?}");
    assert_eq!(mutf7::decode(wire.as_bytes()).as_deref(), Ok(name), "encoded as {wire:?}");
}

fn assert_sound(request: &Request) {
    assert_tag(&request.tag);
    names(&request.command).into_iter().for_each(|name| assert_name(name));
    match &request.command {
        Command::Fetch { set, .. }
        | Command::Store { set, .. }
        | Command::Copy { set, .. }
        | Command::Move { set, .. }
        | Command::Expunge { uids: Some(set) } => assert_set(set),
        _ => {}
    }
}

fn assert_set(set: &SequenceSet) {
    for last in [0, 1, 1_000, u32::MAX] {
        let ranges: Vec<(u32, u32)> = set.resolve(last).iter().collect();
        assert!(ranges.iter().all(|(first, last)| first <= last), "{ranges:?}");
        let apart = |pair: &[(u32, u32)]| pair.first().unwrap().1.saturating_add(1) < pair.last().unwrap().0;
        assert!(ranges.windows(2).all(apart), "{ranges:?}");
    }
}

fn names(command: &Command) -> Vec<&String> {
    match command {
        Command::Select { mailbox, .. }
        | Command::Create { mailbox, .. }
        | Command::Status { mailbox, .. }
        | Command::Copy { mailbox, .. }
        | Command::Move { mailbox, .. }
        | Command::Delete(mailbox)
        | Command::Subscribe(mailbox)
        | Command::Unsubscribe(mailbox) => vec![mailbox],
        Command::Rename { from, to } => vec![from, to],
        _ => Vec::new(),
    }
}

/// The command in another form: with literals for its strings. `None` for what has no strings.
fn print(request: &Request) -> Option<Vec<u8>> {
    let (verb, strings): (&str, Vec<Vec<u8>>) = match &request.command {
        Command::Login { user, password } => ("LOGIN", vec![user.clone().into_bytes(), password.as_bytes().to_vec()]),
        Command::Delete(name) => ("DELETE", vec![wire(name)]),
        Command::Subscribe(name) => ("SUBSCRIBE", vec![wire(name)]),
        Command::Unsubscribe(name) => ("UNSUBSCRIBE", vec![wire(name)]),
        Command::Rename { from, to } => ("RENAME", vec![wire(from), wire(to)]),
        _ => return None,
    };
    let mut printed = format!("{} {verb}", request.tag).into_bytes();
    for string in strings {
        printed.extend(format!(" {{{}}}\r\n", string.len()).into_bytes());
        printed.extend(string);
    }
    Some(printed)
}

fn wire(name: &str) -> Vec<u8> {
    mutf7::encode(name).into_bytes()
}
