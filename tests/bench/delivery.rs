//! Durable deliveries per second.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mailstead_tests::smtp::ready_for_the_wire;
use mailstead_tests::{Letter, Smtp};

use crate::Wish;
use crate::contestant::{Contestant, DOMAIN, PEOPLE, Pair};
use crate::table::{Rate, Table, middle};

/// Bytes of a message.
const SIZE: usize = 10_000;
/// Different bodies; each message also has a number of its own, so that no two are equal.
const BODIES: usize = 64;
/// Stands in the subject where the number goes.
const PLACE: &[u8] = b"000000000000";
/// Messages of one session where a session carries several.
const SEVERAL: usize = 50;

/// How messages come.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Style {
    Several,
    One,
    Submission,
}

/// Measures both sides at 1, 8 and 64 sessions.
pub(crate) fn measure(pair: &Pair, wish: &Wish, table: &mut Table) {
    let letters = Letters::make();
    for (style, what) in [
        (Style::Several, "port 25, 50 messages a session"),
        (Style::One, "port 25, one message a session"),
        (Style::Submission, "submission under TLS"),
    ] {
        for sessions in [1, 8, 64] {
            let [ours, theirs] = compare(pair.both(), &letters, style, what, sessions, wish);
            table.rate(what, sessions, ours, theirs);
        }
    }
}

/// The middle one of each side's turns.
pub(crate) fn compare(
    sides: [&Contestant; 2],
    letters: &Letters,
    style: Style,
    what: &str,
    sessions: usize,
    wish: &Wish,
) -> [Rate; 2] {
    let mut rates: [Vec<Rate>; 2] = Default::default();
    for _ in 0..wish.turns {
        for (side, rates) in sides.into_iter().zip(&mut rates) {
            let rate = deliver(side, letters, style, sessions, wish.span);
            eprintln!("{what}, sessions: {sessions}, {}: {rate:?}", side.name);
            rates.push(rate);
        }
    }
    rates.map(|mut rates| {
        rates.sort_by(|a, b| a.delivered.total_cmp(&b.delivered));
        middle(rates)
    })
}

/// Fills the reader's mailbox with this many messages.
pub(crate) fn fill(side: &Contestant, recipient: &str, count: usize) {
    let letters = Letters::make();
    let next = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut smtp = side.exchange().expect("a session");
                let mut data = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count as u64 {
                        return smtp.quit();
                    }
                    if number.is_multiple_of(SEVERAL as u64) {
                        std::mem::replace(&mut smtp, side.exchange().expect("a session")).quit();
                    }
                    letters.write(number, &mut data);
                    let reply = smtp.try_send_ready("sender@other.test", &[recipient], &data).expect("a reply");
                    assert_eq!(reply.code, 250, "{}: {reply}", side.name);
                }
            });
        }
    });
    drain(side);
}

/// Messages ready for the wire, and where their number goes.
pub(crate) struct Letters(Vec<(Vec<u8>, usize)>);

impl Letters {
    /// Letters from alice.
    pub(crate) fn make() -> Self {
        let from = format!("alice@{DOMAIN}");
        let subject = format!("letter {}", String::from_utf8_lossy(PLACE));
        Self::of(|seed| Letter::new(&from, "you@kept.test", &subject).filled(SIZE, seed).bytes())
    }

    /// Letters from the world, signed by `sign`; the number goes into a field that it does not cover.
    pub(crate) fn signed(sign: impl Fn(&[u8]) -> Vec<u8>) -> Self {
        let number = [b"X-Number: ", PLACE, b"\r\n"].concat();
        Self::of(|seed| {
            let letter = Letter::new("sender@other.test", "you@kept.test", &format!("letter {seed}"));
            [number.as_slice(), &sign(&letter.filled(SIZE, seed).bytes())].concat()
        })
    }

    fn of(letter: impl Fn(u64) -> Vec<u8>) -> Self {
        let ready = |seed| {
            let data = ready_for_the_wire(&letter(seed));
            let place = data.windows(PLACE.len()).position(|w| w == PLACE).expect("the place for the number");
            (data, place)
        };
        Self((0..BODIES as u64).map(ready).collect())
    }

    /// Writes the message with that number.
    pub(crate) fn write(&self, number: u64, data: &mut Vec<u8>) {
        let (letter, place) = &self.0[number as usize % BODIES];
        data.clear();
        data.extend_from_slice(letter);
        data[*place..place + PLACE.len()].copy_from_slice(format!("{number:012}").as_bytes());
    }
}

static NUMBER: AtomicU64 = AtomicU64::new(1_000_000);

fn deliver(side: &Contestant, letters: &Letters, style: Style, sessions: usize, span: Duration) -> Rate {
    settle();
    let (ready, sent) = (Barrier::new(sessions + 1), AtomicU64::new(0));
    let began = std::thread::scope(|scope| {
        for _ in 0..sessions {
            scope.spawn(|| {
                let first = open(side, style);
                ready.wait();
                let count = send_until(side, letters, style, first, Instant::now() + span);
                sent.fetch_add(count, Ordering::Relaxed);
            });
        }
        ready.wait();
        Instant::now()
    });
    let (sending, sent) = (began.elapsed(), sent.into_inner() as f64);
    drain(side);
    Rate { accepted: sent / sending.as_secs_f64(), delivered: sent / began.elapsed().as_secs_f64() }
}

fn open(side: &Contestant, style: Style) -> Smtp {
    let session = if style == Style::Submission { side.submission() } else { side.exchange() };
    session.unwrap_or_else(|e| panic!("{}: {e}", side.name))
}

fn send_until(side: &Contestant, letters: &Letters, style: Style, first: Smtp, end: Instant) -> u64 {
    let (mut smtp, mut data, mut count, mut in_session) = (Some(first), Vec::new(), 0, 0);
    let in_one_session = match style {
        Style::Several => SEVERAL,
        Style::One => 1,
        // Logging in is not what is measured: as many as a session may carry.
        Style::Submission => 900,
    };
    while Instant::now() < end {
        let session = smtp.get_or_insert_with(|| open(side, style));
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        letters.write(number, &mut data);
        let to = format!("{}@{DOMAIN}", PEOPLE[number as usize % PEOPLE.len()]);
        let from = if style == Style::Submission { format!("alice@{DOMAIN}") } else { "sender@other.test".to_owned() };
        let reply = session.try_send_ready(&from, &[&to], &data).unwrap_or_else(|e| panic!("{}: {e}", side.name));
        assert_eq!(reply.code, 250, "{}: {reply}", side.name);
        count += 1;
        in_session += 1;
        if in_session == in_one_session {
            in_session = 0;
            smtp.take().into_iter().for_each(Smtp::quit);
        }
    }
    smtp.into_iter().for_each(Smtp::quit);
    count
}

/// Waits until everything taken is in a mailbox.
fn drain(side: &Contestant) {
    let end = Instant::now() + Duration::from_secs(300);
    while side.waiting() > 0 {
        assert!(Instant::now() < end, "{}: the queue does not empty", side.name);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Lets the system write what it still holds, so that one turn does not pay for the one before.
fn settle() {
    let _ = std::process::Command::new("sync").status();
}
