//! Everyone's own pages, used by somebody who governs nothing.

use mailstead_tests::browser::{NARROW, WIDE};
use mailstead_tests::letter::contains;
use mailstead_tests::{Browser, Demo, Imap, Letter, Tool};

use crate::demo;
use crate::web::{sign_in, signed_in};

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

/// Looks for faults of a page on a desk and on a phone, and pictures it.
#[track_caller]
fn is_fit_to_be_seen(browser: &Browser, name: &str) {
    for width in [WIDE, NARROW] {
        browser.resize(width);
        let picture = browser.screenshot(&format!("me-{name}-{width}"));
        let faults = browser.faults();
        assert!(faults.is_empty(), "pictured in {}:\n{}", picture.display(), faults.join("\n"));
    }
    browser.resize(WIDE);
}

fn imap(demo: &Demo, password: &str) -> Imap {
    let mut imap = Imap::connect_tls(demo.home().ports.imaps, &demo.home().host, &demo.world.ca);
    imap.login(ALICE, password);
    imap
}

#[test]
fn a_device_gets_a_password_of_its_own_that_can_be_taken_back() {
    let demo = demo();
    let browser = signed_in(&demo, ALICE);
    browser.open("/me/app-passwords");
    browser.sees("No app password yet");
    browser.fill("What is the device called?", "phone");
    browser.press("Make an app password");
    browser.sees("shown only this once");
    is_fit_to_be_seen(&browser, "app-password-made");
    let password = browser.texts(".secret code").concat().replace(ALICE, "");
    imap(&demo, password.trim()).ok("LIST \"\" \"*\"");
    browser.follow("Done");
    browser.sees("IMAP from 127.0.0.1");
    assert!(!browser.text().contains(password.trim()));
    is_fit_to_be_seen(&browser, "app-passwords");
    // Its name is taken.
    browser.fill("What is the device called?", "Phone");
    browser.press("Make an app password");
    browser.sees("exists already");
    browser.press("Take back phone");
    browser.say_yes();
    browser.sees("can't log in any more");
    let mut refused = Imap::connect_tls(demo.home().ports.imaps, &demo.home().host, &demo.world.ca);
    refused.command(&format!("LOGIN {ALICE} \"{}\"", password.trim())).expect("NO");
}

#[test]
fn every_device_has_its_instructions_and_a_phone_gets_there_by_its_camera() {
    let demo = demo();
    let browser = signed_in(&demo, ALICE);
    for (program, words) in [
        ("Thunderbird", "finds all settings by itself"),
        ("iPhone, iPad, Mac", "Profile Downloaded"),
        ("Android", "FairEmail"),
        ("Outlook", "classic"),
        ("Another program", "Fetching (POP3)"),
    ] {
        browser.open("/me/devices");
        browser.follow(program);
        browser.sees(words);
        for port in [demo.home().ports.imaps, demo.home().ports.submissions] {
            assert!(browser.text().contains(&port.to_string()));
        }
        is_fit_to_be_seen(&browser, &format!("devices-{}", program.split([' ', ',']).next().unwrap()));
    }
    browser.open("/me/devices/apple");
    let label = browser.attributes(".qr svg", "aria-label").concat();
    let url = format!("{}/apple.mobileconfig?emailaddress=alice%40home.test", demo.site("home.test"));
    assert!(label.ends_with(&url), "{label}");
    // What a camera reads there.
    browser.resize(WIDE);
    let picture = browser.screenshot("me-code");
    let read = Tool::new("zbarimg").args(["--quiet", "--raw"]).arg(&picture).run().output;
    assert_eq!(read.trim(), url);
}

#[test]
fn a_new_password_needs_the_old_one_and_ends_other_sessions() {
    let demo = demo();
    let (browser, other) = (signed_in(&demo, ALICE), signed_in(&demo, ALICE));
    let old = demo.account(ALICE).password;
    let change = |current: &str, new: &str, again: &str| {
        browser.open("/me");
        browser.fill("Password until now", current);
        browser.fill("New password", new);
        browser.fill("New password again", again);
        browser.press("Change password");
    };
    browser.open("/me");
    is_fit_to_be_seen(&browser, "account");
    change(&old, "correct horse battery", "correct horse");
    browser.sees("not the same");
    change("wrong", "correct horse battery", "correct horse battery");
    browser.sees("until now is wrong");
    change(&old, "short", "short");
    browser.sees("at least 8 characters");
    change(&old, "correct horse battery", "correct horse battery");
    browser.sees("Other browsers are signed out");
    assert_eq!(browser.count("tbody tr"), 1);
    imap(&demo, "correct horse battery").ok("NOOP");
    other.open("/me");
    other.sees("Sign in");
    sign_in(&other, ALICE, "correct horse battery");
    browser.open("/me");
    browser.press("Sign out everywhere");
    browser.say_yes();
    browser.sees("Sign in");
    other.open("/me");
    other.sees("Sign in");
}

#[test]
fn mail_is_sent_on_as_its_owner_asks() {
    let demo = demo();
    demo.command("home.test").args(["alias", "add", "family@home.test", ALICE, BOB]).run();
    let browser = signed_in(&demo, ALICE);
    browser.open("/me/forwarding");
    browser.sees("family@home.test (and to bob@world.test)");
    browser.fill("To these addresses", BOB);
    browser.press("Send my mail on");
    browser.sees("A copy stays in your mailbox.");
    is_fit_to_be_seen(&browser, "forwarding");
    let carol = "carol@home.test";
    demo.submission(carol).send(carol, &[ALICE], &Letter::new(carol, ALICE, "sent on").bytes());
    assert!(contains(&demo.imap(BOB).wait_for("INBOX", "sent on"), ALICE));
    demo.imap(ALICE).wait_for("INBOX", "sent on");
    browser.press("Stop forwarding");
    browser.sees("Mail for alice@home.test stays in your mailbox.");
    browser.fill("To these addresses", "alice@home.test");
    browser.press("Send my mail on");
    browser.sees("own address");
    browser.fill("To these addresses", "no address");
    browser.press("Send my mail on");
    browser.sees("is no mail address");
}
