//! Signing in and out at the web, with the hands: keys, fields and buttons.

use mailstead_tests::Browser;
use mailstead_tests::browser::NARROW;

use crate::demo;
use crate::web::{OPERATOR, sign_in, signed_in};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

#[test]
fn an_operator_signs_in_walks_and_signs_out() {
    let demo = demo();
    let browser = Browser::start(&demo.site("home.test"));
    browser.open("/certificates");
    browser.fill("Your mail address", OPERATOR);
    browser.fill("Password", "not the password");
    browser.press("Sign in");
    browser.until("a wrong password is told", || (browser.count("[role=alert]") > 0).then_some(()));
    browser.screenshot("login-wrong-1280");
    browser.complaints();
    assert_eq!(browser.accessibility_faults(), [""; 0]);
    browser.fill("Password", &demo.account(OPERATOR).password);
    browser.press("Sign in");
    browser.until("signing in leads to the page asked for", || (browser.path() == "/certificates").then_some(()));
    let cookies = browser.cookies();
    let session = cookies.iter().find(|cookie| cookie["name"].as_str().unwrap_or_default().starts_with("__Host-"));
    let session = session.unwrap_or_else(|| panic!("{cookies:?}"));
    assert_eq!((&session["httpOnly"], &session["secure"]), (&true.into(), &true.into()), "{session}");
    assert!(matches!(session["sameSite"].as_str(), Some("Lax" | "Strict")), "{session}");
    browser.follow("Certificates");
    browser.sees("mail.home.test");
    browser.press("Sign out");
    browser.until("the house is closed", || (!browser.has_button("Sign out")).then_some(()));
    browser.open("/certificates");
    browser.until("who is not signed in is asked to", || browser.has_field("Password").then_some(()));
    assert!(browser.path().starts_with("/login"), "{}", browser.path());
}

#[test]
fn the_keyboard_alone_signs_in_and_skips_to_the_page() {
    let demo = demo();
    let browser = Browser::start(&demo.site("home.test"));
    browser.open("/login");
    browser.fill("Your mail address", OPERATOR);
    browser.keys(TAB);
    browser.keys(&format!("{}{ENTER}", demo.account(OPERATOR).password));
    browser.until("the house opens", || browser.has_button("Sign out").then_some(()));
    browser.keys(TAB);
    browser.screenshot("skip-1280");
    let focus = browser.script("return document.activeElement.textContent").to_string();
    assert!(focus.contains("Skip to the page"), "{focus}");
    browser.keys(ENTER);
    assert!(browser.path().ends_with("#main"), "{}", browser.path());
}

#[test]
fn on_a_phone_the_pages_are_behind_a_button_that_works_without_javascript() {
    let demo = demo();
    let scripted = signed_in(&demo, OPERATOR);
    let plain = Browser::without_javascript(&demo.site("home.test"));
    sign_in(&plain, OPERATOR, &demo.account(OPERATOR).password);
    for (browser, name) in [(&scripted, "menu-390"), (&plain, "menu-plain-390")] {
        browser.resize(NARROW);
        browser.press("Menu");
        browser.until("the list of pages opens", || browser.shows_link("Certificates").then_some(()));
        browser.screenshot(name);
        browser.follow("Certificates");
        browser.until("the page is shown", || (browser.path() == "/certificates").then_some(()));
    }
}
