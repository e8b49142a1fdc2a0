#![allow(clippy::unwrap_used, clippy::expect_used)]
use mailstead_message::header;

use super::*;

#[test]
fn fields_in_our_name_are_forged_and_others_are_not() {
    for (field, expected) in [
        ("Authentication-Results: mail.home.test; spf=pass", true),
        ("authentication-results:\r\n MAIL.home.test.\r\n ; none", true),
        ("Authentication-Results: mail.home.test 1; none", true),
        ("Authentication-Results: (a (nested) comment) \"mail.home.test\" (x); dmarc=pass", true),
        ("Authentication-Results: \"mail.h\\ome.test\"; dmarc=pass", true),
        ("Authentication-Results: mail.home.test", true),
        ("Authentication-Results: mx.mail.home.test; spf=pass", false),
        ("Authentication-Results: mx.far.test; spf=pass (mail.home.test)", false),
        ("ARC-Authentication-Results: i=1; mail.home.test; spf=pass", false),
        ("Received-SPF: pass (Mail.home.test: ok)", true),
        ("Received-SPF: pass (mx.far.test: ok)", false),
        ("X-Spam-Checker-Version: Mailstead on mail.home.test", true),
        ("X-Spam-Flag: YES", false),
        ("Subject: mail.home.test", false),
        // Where our name may be hidden from us, and be seen by others.
        (&format!("Authentication-Results: ({}) mail.home.test; dmarc=pass", "a".repeat(100_000)), true),
        ("Authentication-Results: (mail.home.test; dmarc=pass", true),
        ("Authentication-Results: \"mail.home.test; dmarc=pass", true),
        ("Authentication-Results: mx.far.test; spf=pass (unclosed", false),
        (&format!("Authentication-Results: mx.far.test; none ({})", "a".repeat(100_000)), false),
        (&format!("Received-SPF: pass ({}mail.home.test: ok)", "a".repeat(100_000)), true),
        (&format!("X-Spam-Report: {}mail.home.test", "a".repeat(100_000)), true),
    ] {
        let text = format!("{field}\r\n\r\n");
        let field = header::fields(text.as_bytes()).next().unwrap();
        assert_eq!(forged(&field, "mail.home.test"), expected, "{text}");
    }
}

#[test]
fn what_others_saw_is_read_and_not_guessed() {
    let author = Domain::parse("world.test").unwrap();
    for (results, expected) in [
        ("i=1; mx.list.test; spf=pass; dmarc=pass (p=reject) header.from=world.test", true),
        ("i=1; mx.list.test;\r\n\tdmarc=pass\r\n\theader.from=\"world.test\"; arc=none", true),
        ("i=1; mx.list.test; dmarc=fail header.from=world.test", false),
        ("i=1; mx.list.test; dmarc=pass header.from=bank.test", false),
        ("i=1; mx.list.test; dmarc=fail (dmarc=pass header.from=world.test)", false),
        ("i=1; mx.list.test; spf=pass (; dmarc=pass header.from=world.test;)", false),
        ("i=1; mx.list.test; dkim=fail reason=\"; dmarc=pass header.from=world.test\"", false),
        ("i=1; mx.list.test; dkim=fail reason=\"(\"; dmarc=pass header.from=world.test", true),
        ("i=1; dmarc=pass; header.from=world.test", false),
        ("", false),
    ] {
        assert_eq!(says_dmarc_passed(results.as_bytes(), &author), expected, "{results}");
    }
}

#[test]
fn a_hostile_word_breaks_no_field() {
    let hostile = "a\"b\\c\r\nX: y;\u{1b}\u{fc}(";
    assert_eq!(value(hostile), "\"a\\\"b\\\\c??X: y;??(\"");
    assert_eq!(comment(hostile), "a\"b?c??X: y;???");
    assert_eq!(value(&"x".repeat(10_000)).len(), MAX_WORD + 2);
    assert_eq!(value(""), "\"\"");
}
