#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::summary::Summary;

const ORIGINAL: &[u8] =
    b"From: alice@home.test\r\nMessage-ID: <1@home.test>\r\nSubject: =?utf-8?q?Lunch?= on\r\n Sunday\r\n\r\nHi Bob\r\n";

fn report<'a>(to: &'a Address, bob: &'a Address) -> Report<'a> {
    Report {
        hostname: "mail.home.test",
        domain: "home.test",
        id: "0123abc",
        to,
        now: 1_700_000_000,
        arrived: 1_699_990_000,
        envelope_id: Some("QQ\r\n314"),
        recipients: vec![Recipient {
            address: bob,
            original: Some(("rfc822", "robert@world.test")),
            action: Action::Failed,
            status: (5, 1, 1),
            explanation: "The server mx.world.test said: 550 5.1.1 no such user.",
            remote: Some("mx.world.test"),
            diagnostic: Some("550 5.1.1 no such user"),
            last_attempt: Some(1_700_000_000),
            retry_until: Some(1_700_400_000),
        }],
        original: ORIGINAL,
        full: false,
        smtputf8: false,
    }
}

fn addresses() -> (Address, Address) {
    (Address::parse("alice@home.test").unwrap(), Address::parse("bob@world.test").unwrap())
}

fn types(message: &[u8]) -> Vec<String> {
    let kind = |part: &crate::summary::Part| {
        String::from_utf8(part.media_type.clone()).unwrap() + "/" + std::str::from_utf8(&part.media_subtype).unwrap()
    };
    Summary::parse(message).parts().map(kind).collect()
}

#[test]
fn a_failure_says_all_that_people_and_programs_look_for() {
    let (alice, bob) = addresses();
    let message = report(&alice, &bob).compose();
    assert_eq!(types(&message), ["MULTIPART/REPORT", "TEXT/PLAIN", "MESSAGE/DELIVERY-STATUS", "TEXT/RFC822-HEADERS"]);
    let text = String::from_utf8(message).unwrap();
    for expected in [
        "From: Mail Delivery System <MAILER-DAEMON@home.test>\r\nTo: <alice@home.test>\r\n",
        "Subject: Your message could not be delivered\r\nDate: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
        "In-Reply-To: <1@home.test>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "report-type=delivery-status",
        "\r\n    Lunch on Sunday\r\n",
        "\r\n    bob@world.test\r\n        The server mx.world.test said: 550 5.1.1 no such user.\r\n        Please check the address",
        "Reporting-MTA: dns; mail.home.test\r\nOriginal-Envelope-Id: QQ  314\r\nArrival-Date: ",
        "\r\n\r\nOriginal-Recipient: rfc822;robert@world.test\r\nFinal-Recipient: rfc822;bob@world.test\r\nAction: failed\r\n\
         Status: 5.1.1\r\nRemote-MTA: dns; mx.world.test\r\nDiagnostic-Code: smtp;\r\n 550 5.1.1 no such user\r\n\
         Last-Attempt-Date: Tue, 14 Nov 2023 22:13:20 +0000\r\n",
        "Subject: =?utf-8?q?Lunch?= on\r\n Sunday\r\n\r\n--=_0123abc--\r\n",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }
    assert!(!text.contains("Will-Retry-Until") && !text.contains("Hi Bob"));
}

#[test]
fn every_action_has_its_words() {
    let (alice, bob) = addresses();
    for (action, keyword, words) in [
        (Action::Failed, "failed", "could not be delivered to"),
        (Action::Delayed, "delayed", "You need not do anything."),
        (Action::Relayed, "relayed", "no receipts of its own"),
        (Action::Expanded, "expanded", "passed on to everyone"),
        (Action::Delivered, "delivered", "in the mailbox of"),
    ] {
        let mut report = report(&alice, &bob);
        report.recipients.iter_mut().for_each(|recipient| recipient.action = action);
        let text = String::from_utf8(report.compose()).unwrap();
        assert!(text.contains(&format!("Action: {keyword}\r\n")) && text.contains(words), "{text}");
        assert_eq!(text.contains("Will-Retry-Until: Sun, 19 Nov 2023"), action == Action::Delayed);
    }
}

#[test]
fn a_small_original_is_returned_whole_and_a_large_one_is_not() {
    let (alice, bob) = addresses();
    let small = Report { full: true, ..report(&alice, &bob) }.compose();
    assert_eq!(types(&small)[3], "MESSAGE/RFC822");
    assert!(String::from_utf8(small).unwrap().contains("\r\n\r\nHi Bob\r\n\r\n--=_"));
    let original = [ORIGINAL, &b"x\r\n".repeat(MAX_RETURNED / 3)].concat();
    let large = Report { full: true, original: &original, ..report(&alice, &bob) }.compose();
    assert_eq!(types(&large)[3], "TEXT/RFC822-HEADERS");
    let endless = b"A: b\r\n".repeat(100_000);
    let cut = Report { original: &endless, ..report(&alice, &bob) }.compose();
    assert!(cut.len() < MAX_RETURNED_HEADER + 4_000);
}

#[test]
fn the_text_says_truly_what_is_attached() {
    let (alice, bob) = addresses();
    let text = |full| String::from_utf8(Report { full, ..report(&alice, &bob) }.compose()).unwrap();
    assert!(text(true).contains("Your message is attached.\r\n"));
    assert!(text(false).contains("The header of your message is attached,"));
}

#[test]
fn lines_too_long_for_smtp_are_returned_encoded() {
    let (alice, bob) = addresses();
    let body = [ORIGINAL, "x".repeat(2_000).as_bytes(), b"\r\n"].concat();
    let header = [b"X-Long: ", "x".repeat(2_000).as_bytes(), b"\r\n\r\nbody\r\n"].concat();
    for (original, encoding) in [(&body, "7bit"), (&header, "quoted-printable")] {
        let message = Report { full: true, original, ..report(&alice, &bob) }.compose();
        assert_eq!(types(&message)[3], "TEXT/RFC822-HEADERS");
        let text = String::from_utf8(message).unwrap();
        assert!(text.contains(&format!("rfc822-headers\r\nContent-Transfer-Encoding: {encoding}\r\n")), "{text}");
        assert!(text.split("\r\n").all(|line| line.len() <= MAX_LINE));
    }
}

#[test]
fn an_empty_envelope_id_is_left_out() {
    let (alice, bob) = addresses();
    let text = Report { envelope_id: Some("\r\n"), ..report(&alice, &bob) }.compose();
    assert!(!String::from_utf8(text).unwrap().contains("Original-Envelope-Id"));
}

#[test]
fn addresses_beyond_ascii_are_written_as_the_way_allows() {
    let (alice, jorg) = (addresses().0, Address::parse("j\u{f6}rg@b\u{fc}cher.test").unwrap());
    let plain = report(&alice, &jorg).compose();
    assert!(plain.is_ascii());
    let text = String::from_utf8(plain).unwrap();
    assert!(text.contains("Final-Recipient: utf-8;j\\x{F6}rg@xn--bcher-kva.test\r\n"), "{text}");
    assert!(text.contains("Content-Transfer-Encoding: quoted-printable\r\n") && text.contains("j=C3=B6rg@b=C3=BCcher"));
    let global =
        Report { smtputf8: true, original: "Subject: Grüße\r\n\r\n".as_bytes(), ..report(&alice, &jorg) }.compose();
    assert_eq!(types(&global)[2..], ["MESSAGE/GLOBAL-DELIVERY-STATUS", "MESSAGE/GLOBAL-HEADERS"]);
    assert!(String::from_utf8(global).unwrap().contains("Final-Recipient: utf-8;jörg@xn--bcher-kva.test\r\n"));
}

#[test]
fn whatever_strangers_write_lines_stay_short_and_whole() {
    let (alice, bob) = addresses();
    let rude = format!("550 {} a\r\nBcc: x@y\u{0}\u{7f} é {}", "x".repeat(3000), "word ".repeat(500));
    let mut report = report(&alice, &bob);
    report.original = b"Subject: a\nB: 2\rC: 3\0\r\n\rD: 4\nMessage-ID: <a\r\n b>\n\nBody";
    report.full = true;
    for recipient in &mut report.recipients {
        recipient.explanation = &rude;
        recipient.diagnostic = Some(&rude);
        recipient.remote = Some("mx\r\nX: y");
        recipient.original = Some(("rf\r\nc", "a\r\nb"));
    }
    let text = String::from_utf8(report.compose()).unwrap();
    assert!(text.split("\r\n").all(|line| line.len() < 200 && !line.contains(['\r', '\n', '\0'])), "{text}");
    assert!(!text.contains("\r\nBcc:") && !text.contains("\r\nX: y"));
}

/// Whatever a stranger may have said, with what could end a line or a part of ours.
fn words() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        "\\PC{0,30}",
        prop::sample::select(vec![
            "\r\n",
            "\r",
            "\n",
            "\0",
            "\r\n.\r\n",
            "\r\n--=_0123abc--\r\n",
            "\r\nBcc: x@y",
            " ",
            "\t"
        ])
        .prop_map(str::to_owned),
        (1_usize..2_000).prop_map(|length| "x".repeat(length)),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn a_report_is_well_formed_whatever_goes_into_it(
        said in words(),
        remote in words(),
        envelope_id in words(),
        kind in words(),
        original in words(),
        full in any::<bool>(),
        smtputf8 in any::<bool>(),
    ) {
        let (alice, bob) = addresses();
        let mut report = Report { full, smtputf8, envelope_id: Some(&envelope_id), ..report(&alice, &bob) };
        // The boundary is random, so what is returned can't have it on purpose.
        let original = original.replace("0123abc", "");
        report.original = original.as_bytes();
        for recipient in &mut report.recipients {
            recipient.explanation = &said;
            recipient.diagnostic = Some(&said);
            recipient.remote = Some(&remote);
            recipient.original = Some((&kind, &said));
        }
        let message = report.compose();
        let text = String::from_utf8(message.clone()).unwrap();
        prop_assert!(text.ends_with("\r\n--=_0123abc--\r\n"));
        for line in text.split("\r\n") {
            prop_assert!(line.len() <= MAX_LINE && !line.contains(['\r', '\n', '\0']), "{line:?}");
        }
        let delimiters = text.split("\r\n").filter(|line| line.starts_with("--=_0123abc")).count();
        prop_assert_eq!(delimiters, 4, "{}", text);
        prop_assert_eq!(types(&message).get(..3).map(<[String]>::len), Some(3));
        prop_assert!(smtputf8 || full || text.is_ascii());
    }
}
