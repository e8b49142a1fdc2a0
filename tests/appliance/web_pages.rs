//! The web as people see it, in a real browser: every page at the width of a desk and of a phone.

use mailstead_tests::Browser;
use mailstead_tests::browser::{NARROW, WIDE};

use crate::demo;

#[test]
fn the_front_page_is_fit_to_be_seen() {
    let demo = demo();
    let browser = Browser::start(&demo.site("home.test"));
    browser.open("/");
    browser.sees("private mail server");
    for (dark, width, name) in
        [(false, WIDE, "front-1280"), (false, NARROW, "front-390"), (true, WIDE, "front-1280-dark")]
    {
        browser.prefer_dark(dark);
        browser.resize(width);
        browser.screenshot(name);
        assert_eq!(browser.accessibility_faults(), [""; 0]);
    }
}

/// What looks for faults must find some where there are any.
#[test]
fn a_page_full_of_faults_does_not_pass() {
    let browser = Browser::start("");
    browser.open(
        "data:text/html,<title>x</title><main><h1>x</h1><img src=x><input><script src=http://127.0.0.1:9/></script>\
         <p style='color:%23ddd'>pale</p><p style='width:3000px'>wide",
    );
    let found = browser.faults().join("\n");
    for fault in ["html-has-lang", "image-alt", "label", "color-contrast", "the console", "sticks out"] {
        assert!(found.contains(fault), "no {fault} in\n{found}");
    }
    let unscripted = Browser::without_javascript("");
    unscripted
        .open("data:text/html,<title>plain</title><script>document.title='run'</script><noscript>none</noscript>");
    assert_eq!((unscripted.title().as_str(), unscripted.text().as_str()), ("plain", "none"));
}
