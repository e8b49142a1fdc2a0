//! What the scenarios of the web share: who signs in, and how.

use mailstead_tests::{Browser, Demo};

pub(crate) const OPERATOR: &str = "postmaster@home.test";

/// A window at home.test in which this account is signed in.
#[track_caller]
pub(crate) fn signed_in(demo: &Demo, address: &str) -> Browser {
    let browser = Browser::start(&demo.site("home.test"));
    sign_in(&browser, address, &demo.account(address).password);
    browser
}

/// Signs in with the form.
#[track_caller]
pub(crate) fn sign_in(browser: &Browser, address: &str, password: &str) {
    browser.open("/login");
    browser.fill("Your mail address", address);
    browser.fill("Password", password);
    browser.press("Sign in");
    browser.until("the house opens", || browser.has_button("Sign out").then_some(()));
}
