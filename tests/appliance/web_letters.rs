//! What an operator does about letters at the web: tries again what waits, and reads why one was not taken.

use mailstead_tests::letter::contains;
use mailstead_tests::process::free_port;
use mailstead_tests::wait::DELIVERY;
use mailstead_tests::{Browser, Demo, Letter, Sink, eventually};

use crate::web::{OPERATOR, sign_in, signed_in};
use crate::{MAILSTEAD, demo};

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";
const FRIEND: &str = "friend@away.test";

/// home.test with a letter to a neighbour at this port, who is not at home.
#[track_caller]
fn with_a_letter_that_waits(port: u16) -> Demo {
    let demo = Demo::start(MAILSTEAD, &["--neighbour", &format!("away.test=127.0.0.1:{port}")]);
    demo.submission(ALICE).send(ALICE, &[FRIEND], &Letter::new(ALICE, FRIEND, "you are away").bytes());
    demo
}

#[track_caller]
fn arrives_at(sink: &Sink) {
    let letter = eventually("the letter leaves", DELIVERY, || sink.taken().pop());
    assert_eq!(letter.recipients, [FRIEND]);
    assert!(contains(&letter.message, "Subject: you are away\r\n"));
}

#[test]
fn a_letter_that_waits_is_tried_again_and_is_seen_to_leave() {
    let port = free_port();
    let demo = with_a_letter_that_waits(port);
    let browser = signed_in(&demo, OPERATOR);
    browser.follow("Queue");
    browser.sees(FRIEND);
    browser.sees("refused");
    let sink = Sink::listen(port);
    browser.press("Try now");
    arrives_at(&sink);
    // The page follows by itself.
    browser.sees("Nothing waits");
    assert_eq!(browser.faults(), [""; 0]);
}

#[test]
fn without_javascript_a_letter_that_waits_is_held_tried_again_and_removed() {
    let port = free_port();
    let demo = with_a_letter_that_waits(port);
    let browser = Browser::without_javascript(&demo.site("home.test"));
    sign_in(&browser, OPERATOR, &demo.account(OPERATOR).password);
    browser.follow("Queue");
    browser.reload_until("the attempt is on record", || browser.text().contains("refused").then_some(()));
    browser.press("Hold");
    browser.sees("not before you say so");
    browser.follow("Remove…");
    browser.screenshot("queue-remove-1280");
    browser.press("Remove it");
    browser.sees("Nothing waits");
    demo.submission(ALICE).send(ALICE, &[FRIEND], &Letter::new(ALICE, FRIEND, "you are away").bytes());
    browser.reload_until("the next one waits", || browser.text().contains("refused").then_some(()));
    let sink = Sink::listen(port);
    browser.press("Try now");
    arrives_at(&sink);
    browser.reload_until("the queue is empty", || browser.text().contains("Nothing waits").then_some(()));
}

#[test]
fn the_story_of_a_letter_that_was_not_taken_says_why_and_what_to_do() {
    let demo = demo();
    let browser = signed_in(&demo, OPERATOR);
    browser.follow("Activity");
    browser.sees("No letters yet");
    let forged = Letter::new(BOB, ALICE, "forged").bytes();
    demo.exchange("home.test").try_send("x@nowhere.test", &[ALICE], &forged).unwrap().expect(550);
    // The page follows by itself.
    browser.sees("x@nowhere.test → alice@home.test");
    browser.fill("A mail address, or the id of a letter", "x@nowhere.test");
    browser.press("Search");
    browser.follow("x@nowhere.test → alice@home.test");
    browser.sees("Why it was not taken");
    browser.sees("What the sender could do");
    let text = browser.text();
    for word in ["world.test", "DMARC", "550", "127.0.0.1"] {
        assert!(text.contains(word), "no {word} in\n{text}");
    }
    browser.audit("story-refused-1280");
}
