//! The fuzzer's checks as plain tests: over its corpus, over mutations of it, and over what is grown from it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::Duration;

use mailstead_parser_tests::{Check, TARGETS};

/// Mutations of each file.
const MUTATIONS: usize = 300;
/// Bytes of a mutated input; large ones are [`grown`] instead.
const MAX_MUTATED: usize = 8 << 10;
/// The sizes whose costs are compared.
const SIZES: (usize, usize) = (4 << 10, 32 << 10);
/// A cost below this is no cost, and too small to compare.
const CHEAP: Duration = Duration::from_millis(15);
/// Eight times the size may cost eight times as much, with room for caches and measuring; a square would cost 64 times.
const MAX_RATIO: u32 = 32;

/// The corpus of a target, in a fixed order.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<(String, Vec<u8>)> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "{target} has hardly any corpus");
    files
}

fn each_target(test: impl Fn(&str, Check, &[(String, Vec<u8>)])) {
    for (name, check) in TARGETS {
        test(name, *check, &corpus(name));
    }
}

/// Says which input it was when a check fails.
fn run(target: &str, what: &str, check: Check, input: &[u8]) {
    if catch_unwind(AssertUnwindSafe(|| check(input))).is_err() {
        panic!("{target} fails on {what}: {}", input.escape_ascii());
    }
}

#[test]
fn every_file_of_the_corpus_keeps_the_promises() {
    each_target(|target, check, files| {
        files.iter().for_each(|(name, bytes)| run(target, name, check, bytes));
        run(target, "nothing", check, b"");
    });
}

#[test]
fn mutations_of_the_corpus_keep_the_promises() {
    each_target(|target, check, files| {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
        for (name, bytes) in files {
            for _ in 0..MUTATIONS {
                let mut input = bytes.clone();
                for _ in 0..=dice.below(4) {
                    mutate(&mut input, files, &mut dice);
                }
                input.truncate(MAX_MUTATED);
                run(target, &format!("a mutation of {name}"), check, &input);
            }
        }
    });
}

#[test]
fn eight_times_the_bytes_cost_about_eight_times_the_work() {
    each_target(|target, check, files| {
        for (name, bytes) in files {
            for (how, grow) in GROWTHS {
                let (small, large) = (grow(bytes, SIZES.0), grow(bytes, SIZES.1));
                if cost(check, &large) < CHEAP {
                    continue;
                }
                let (small, large) = (least_cost(check, &small), least_cost(check, &large));
                assert!(large <= small * MAX_RATIO, "{target}, {name} {how}: {small:?} became {large:?}");
            }
        }
    });
}

/// Makes a large input out of a small one.
type Growth = fn(&[u8], usize) -> Vec<u8>;

const GROWTHS: [(&str, Growth); 3] = [
    ("repeated", repeated),
    ("with its middle repeated", middle_repeated),
    ("with its first byte repeated", stuttered),
];

fn repeated(bytes: &[u8], size: usize) -> Vec<u8> {
    grown(&[], bytes, &[], size)
}

fn middle_repeated(bytes: &[u8], size: usize) -> Vec<u8> {
    let (start, rest) = bytes.split_at(bytes.len() / 3);
    let (middle, end) = rest.split_at(rest.len() / 2);
    grown(start, middle, end, size)
}

fn stuttered(bytes: &[u8], size: usize) -> Vec<u8> {
    let (first, rest) = bytes.split_at(bytes.len().min(1));
    grown(&[], first, rest, size)
}

fn grown(start: &[u8], middle: &[u8], end: &[u8], size: usize) -> Vec<u8> {
    let times = size.saturating_sub(start.len() + end.len()) / middle.len().max(1);
    [start, &middle.repeat(times), end].concat()
}

fn least_cost(check: Check, input: &[u8]) -> Duration {
    (0..3).map(|_| cost(check, input)).min().unwrap()
}

/// Processor time of this thread, so that a busy machine makes no difference.
fn cost(check: Check, input: &[u8]) -> Duration {
    let now = || {
        let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
        Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
    };
    let start = now();
    check(input);
    now() - start
}

/// What parsers trip over.
const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b"\0",
    b"\x7f",
    b"\xc2\x85",
    b"\xff",
    b"\\",
    b"\"",
    b"(",
    b")",
    b"<",
    b">",
    b"@",
    b":",
    b";",
    b",",
    b"=",
    b"+",
    b"*",
    b"%",
    b"{3}\r\nabc",
    b"{4294967295}",
    b"{1+}\r\n",
    b"--",
    b"\r\n--b",
    b"--b--\r\n",
    b"=?utf-8?q?",
    b"?=",
    b"+0D+0A",
    b"\\x{D}",
    b"xn--",
    b"\xe2\x80\x8b",
    b" ",
    b"\t",
    b"\r\n ",
    b"[",
    b"]",
    b"&",
    b"-",
    b"4294967296",
    b"NIL",
    b"LAST",
    b"Content-Type: multipart/mixed; boundary=b\r\n",
    b"Content-Type: message/rfc822\r\n\r\n",
];

fn mutate(input: &mut Vec<u8>, files: &[(String, Vec<u8>)], dice: &mut Dice) {
    let at = dice.below(input.len() + 1);
    let to = at + dice.below(input.len() - at + 1);
    match dice.below(6) {
        0 => drop(input.drain(at..to)),
        1 => input.truncate(at),
        2 => {
            let word = WORDS[dice.below(WORDS.len())];
            input.splice(at..at, word.iter().copied());
        }
        3 => {
            let piece = input[at..to].to_vec();
            input.splice(at..at, piece);
        }
        4 => {
            let (_, other) = &files[dice.below(files.len())];
            let from = dice.below(other.len() + 1);
            input.truncate(at);
            input.extend_from_slice(&other[from..]);
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << dice.below(8);
            }
        }
    }
}

/// Chance that is the same every time (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }
}
