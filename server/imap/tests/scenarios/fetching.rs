//! FETCH of parts, structures and many messages.

use crate::harness::{House, letter, untagged, with};

const NESTED: &str = "From: \"A \\\"B\\\"\" <a@x.test>\r\nTo: group: one@x.test, two@x.test;\r\n\
    Subject: =?utf-8?q?=C3=A4?=\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
    --b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nfirst\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
    Subject: inner\r\n\r\ninside\r\n--b\r\nContent-Type: image/png; name=a.png\r\n\
    Content-Disposition: attachment; filename=a.png\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn parts_are_fetched_by_their_numbers() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.append("INBOX", "", NESTED.as_bytes()).await;
    for (section, expected) in [
        ("BODY[1]", "{5}\r\nfirst"),
        ("BODY[1.MIME]", "{43}\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"),
        ("BODY[2.HEADER]", "{18}\r\nSubject: inner\r\n\r\n"),
        ("BODY[2.TEXT]", "{6}\r\ninside"),
        ("BODY[2.1]", "{6}\r\ninside"),
        ("BODY[3]", "{4}\r\nAAAA"),
        ("BODY[3]<1.2>", "{2}\r\nAA"),
        ("BODY[4]", "NIL"),
        ("BODY[1.1]", "NIL"),
        ("BODY[HEADER.FIELDS (SUBJECT)]", "{31}\r\nSubject: =?utf-8?q?=C3=A4?=\r\n\r\n"),
        ("BODY[HEADER.FIELDS (X-None)]", "{2}\r\n\r\n"),
    ] {
        let line = alice.ok(&format!("FETCH 1 {}", section.replace("BODY[", "BODY.PEEK["))).await.remove(0);
        let shown = section.replace("<1.2>", "<1>");
        assert_eq!(line, format!("* 1 FETCH ({shown} {expected})"), "{section}");
    }
    assert!(alice.ok("FETCH 1 RFC822.HEADER").await[0].ends_with("boundary=b\r\n\r\n)"));
    assert!(
        alice.ok("FETCH 1 FLAGS").await[0].contains("()") || !alice.ok("FETCH 1 FLAGS").await[0].contains("\\Seen")
    );
    assert!(alice.ok("FETCH 1 RFC822.TEXT").await[0].contains("\\Seen"));
}

#[tokio::test(flavor = "multi_thread")]
async fn envelope_and_structure_are_told() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.append("INBOX", "", NESTED.as_bytes()).await;
    let line = alice.ok("FETCH 1 ENVELOPE").await.remove(0);
    let a = r#"(("A \"B\"" NIL "a" "x.test"))"#;
    let group = r#"((NIL NIL "group" NIL)(NIL NIL "one" "x.test")(NIL NIL "two" "x.test")(NIL NIL NIL NIL))"#;
    assert_eq!(line, format!("* 1 FETCH (ENVELOPE (NIL \"=?utf-8?q?=C3=A4?=\" {a} {a} {a} {group} NIL NIL NIL NIL))"));
    let line = alice.ok("FETCH 1 BODYSTRUCTURE").await.remove(0).to_ascii_lowercase();
    for part in [
        r#"("text" "plain" ("charset" "utf-8") nil nil "7bit" 5 "#,
        r#"("message" "rfc822" nil nil nil "7bit" 24 (nil "inner" nil nil nil nil nil nil nil nil) ("text" "plain""#,
        r#"("image" "png" ("name" "a.png") nil nil "base64" 4 nil ("attachment" ("filename" "a.png")) nil nil)"#,
        r#" "mixed" ("boundary" "b") nil nil nil))"#,
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    let line = alice.ok("FETCH 1 FULL").await.remove(0);
    assert!(line.contains(" BODY (") && line.contains("INTERNALDATE") && !line.contains("attachment"), "{line}");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_are_fetched_in_order_and_each_once() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    let count = 1500;
    let body = letter("many");
    let stream: String = (0..count).map(|n| format!("p{n} APPEND INBOX {{{}+}}\r\n{body}\r\n", body.len())).collect();
    alice.send(stream).await;
    while !alice.line().await.starts_with(&format!("p{} OK", count - 1)) {}
    let lines = alice.ok("FETCH 1:* (UID FLAGS ENVELOPE BODYSTRUCTURE)").await;
    let told = with(&lines, " FETCH (UID ");
    assert_eq!(told.len(), count);
    for (index, line) in told.iter().enumerate() {
        assert!(line.starts_with(&format!("* {} FETCH (UID {} ", index + 1, index + 1)), "{line}");
    }
    let lines = alice.ok("UID FETCH 1:3,5,700:* (BODY[])").await;
    assert_eq!(with(&lines, &body).len(), 4 + count - 699);
    assert_eq!(with(&lines, "\\Seen").len(), 4 + count - 699);
    assert_eq!(untagged(&alice.ok("NOOP").await), Vec::<&str>::new(), "its own \\Seen was told with the bodies");
    let lines = alice.ok("STORE 1:* +FLAGS (\\Flagged)").await;
    assert_eq!(with(&lines, "\\Flagged").len(), count);
    let found = alice.ok("SEARCH UNSEEN").await;
    assert_eq!(found[0].split(' ').count() - 2, count - (4 + count - 699));
    alice.ok("STORE 1:* +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(with(&alice.ok("EXPUNGE").await, "* 1 EXPUNGE").len(), count);
}

#[tokio::test(flavor = "multi_thread")]
async fn rubbish_in_headers_keeps_the_stream_parseable() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    let rubbish: [&[u8]; 6] = [
        b"Subject: \xff\xfe \"quoted\" \\ {10}\r\nFrom: \"a\\\"b\" <x@y.test>\r\n\r\nx\r\n",
        b"Subject: )(* BAD\r\nFrom: \"(\" <\"a b\"@y.test>\r\nMessage-ID: <\x80>\r\n\r\nx\r\n",
        b"Content-Type: text/plain; name=\"\xc3\xa4\\\"\"; x=\x01\r\nContent-Disposition: \"\r\n\r\nx\r\n",
        b"Subject: a\r\n b\r\n\tc\r\nTo: undisclosed-recipients:;\r\nContent-Type: \r\n\r\n",
        b"no header at all\r\n",
        b"\r\n",
    ];
    for message in rubbish {
        assert!(alice.append("INBOX", "", message).await.starts_with("OK"));
    }
    let lines = alice.ok("FETCH 1:* (ENVELOPE BODYSTRUCTURE BODY.PEEK[HEADER] BODY.PEEK[1])").await;
    assert_eq!(with(&lines, "ENVELOPE (").len(), rubbish.len());
    for (index, message) in rubbish.iter().enumerate() {
        let tag = alice.start(&format!("FETCH {} BODY.PEEK[]", index + 1)).await;
        let answer = alice.bytes().await;
        assert!(answer.windows(message.len()).any(|window| window == *message), "byte for byte");
        alice.answer(&tag).await;
    }
}
