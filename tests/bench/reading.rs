//! IMAP over a mailbox of ten thousand messages.

use std::time::{Duration, Instant};

use mailstead_tests::Imap;

use crate::Wish;
use crate::contestant::{Contestant, DOMAIN, Pair, READER};
use crate::delivery;
use crate::table::{Table, middle};

/// What is asked, in order; `~` in a command stands for `+` and `-` in turn.
const LINES: [(&str, &str); 4] = [
    ("SELECT and FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)", "FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)"),
    ("FETCH 1:* BODY.PEEK[] (all bodies)", "FETCH 1:* (UID BODY.PEEK[])"),
    ("STORE 1:* ±FLAGS (\\Flagged)", "STORE 1:* ~FLAGS (\\Flagged)"),
    ("SEARCH TEXT (a word that is nowhere)", "SEARCH TEXT \"xylophone\""),
];

/// Fills both mailboxes and measures both sides, taking turns.
pub(crate) fn measure(pair: &Pair, wish: &Wish, table: &mut Table) {
    for side in pair.both() {
        eprintln!("filling the mailbox of {} …", side.name);
        delivery::fill(side, &format!("{READER}@{DOMAIN}"), wish.messages);
    }
    for (what, command) in LINES {
        let mut times: [Vec<Duration>; 2] = Default::default();
        for turn in 0..=wish.turns.max(2) {
            for (side, times) in pair.both().into_iter().zip(&mut times) {
                let took = ask(side, &command.replace('~', if turn % 2 == 0 { "+" } else { "-" }), wish.messages);
                eprintln!("{what}, {}: {took:?}", side.name);
                times.push(took);
            }
        }
        // The first look may have to build what later ones find: it has a line of its own.
        let first = [times[0].remove(0), times[1].remove(0)];
        let again = times.map(|mut times| {
            times.sort();
            middle(times)
        });
        if what.starts_with("SELECT") {
            table.time(&format!("{what}, the first time"), first);
        }
        table.time(what, again);
    }
}

fn ask(side: &Contestant, command: &str, messages: usize) -> Duration {
    let mut imap: Imap = side.imap();
    let select = command.starts_with("FETCH 1:* (UID FLAGS");
    let began = if select {
        let began = Instant::now();
        assert_eq!(imap.ok("SELECT INBOX").exists(), Some(messages), "{}", side.name);
        began
    } else {
        imap.ok("SELECT INBOX");
        Instant::now()
    };
    let (_, answer) = imap.measure(command).unwrap_or_else(|e| panic!("{}: {e}", side.name));
    let took = began.elapsed();
    assert_eq!(answer.status, "OK", "{}: {answer:?}", side.name);
    imap.logout();
    took
}
