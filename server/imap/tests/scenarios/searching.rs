//! SEARCH.

use crate::harness::House;

const LETTERS: [(&str, &str, &str); 4] = [
    (
        "(\\Seen) \"01-Feb-2020 12:00:00 +0000\" ",
        "From: Smith <smith@x.test>\r\nTo: alice@home.test\r\nDate: Sat, 1 Feb 2020 10:00:00 +0000\r\n\
         Message-ID: <one@x.test>\r\nSubject: Meeting\r\nX-Tag: blue\r\n\r\nWe meet at noon.\r\n",
        "plain",
    ),
    (
        "(\\Flagged $Work) \"02-Feb-2020 12:00:00 +0000\" ",
        "From: Jones <jones@x.test>\r\nCc: carol@home.test\r\nDate: 3 Mar 2020 23:59:00 -0800\r\n\
         Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\nLots of text.\r\n",
        "encoded subject",
    ),
    (
        "(\\Answered \\Draft) \"03-Feb-2020 12:00:00 +0000\" ",
        "From: Smith <smith@y.test>\r\nSubject: encoded\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nw5xiZXIgYWxsZXMK\r\n",
        "base64: Über alles",
    ),
    (
        "(\\Deleted) \"04-Feb-2020 12:00:00 +0000\" ",
        "Subject: multipart\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nhid=\r\nden treasure\r\n\
         --b\r\nContent-Type: text/html\r\n\r\n<p>pearls</p>\r\n--b--\r\n",
        "quoted-printable: hidden treasure",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_key_finds_what_it_names() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    for (options, message, _) in LETTERS {
        assert!(alice.append("INBOX", options, message.as_bytes()).await.starts_with("OK"));
    }
    for (search, expected) in [
        ("ALL", "1 2 3 4"),
        ("2:3", "2 3"),
        ("UID 1,4", "1 4"),
        ("*", "4"),
        ("SEEN", "1"),
        ("UNSEEN", "2 3 4"),
        ("FLAGGED", "2"),
        ("UNFLAGGED", "1 3 4"),
        ("ANSWERED DRAFT", "3"),
        ("UNANSWERED UNDRAFT UNDELETED", "1 2"),
        ("DELETED", "4"),
        ("KEYWORD $work", "2"),
        ("UNKEYWORD $Work", "1 3 4"),
        ("RECENT", "1 2 3 4"),
        ("NEW", "2 3 4"),
        ("OLD", ""),
        ("BEFORE 2-Feb-2020", "1"),
        ("ON 2-Feb-2020", "2"),
        ("SINCE 3-Feb-2020", "3 4"),
        ("SENTON 1-Feb-2020", "1"),
        ("SENTBEFORE 3-Mar-2020", "1"),
        ("SENTSINCE 3-Mar-2020", "2"),
        ("LARGER 10 SMALLER 10", ""),
        ("LARGER 150", "1 3 4"),
        ("FROM smith", "1 3"),
        ("FROM SMITH@X.TEST", "1"),
        ("NOT FROM smith", "2 4"),
        ("OR FROM jones SUBJECT multipart", "2 4"),
        ("TO alice", "1"),
        ("CC carol", "2"),
        ("BCC x", ""),
        ("SUBJECT meeting", "1"),
        ("CHARSET UTF-8 SUBJECT {7+}\r\nGRÜßE", "2"),
        ("SUBJECT \"grüße\"", "2"),
        ("HEADER Message-ID <one@x.test>", "1"),
        ("HEADER message-id \"\"", "1"),
        ("HEADER X-Tag BLUE", "1"),
        ("HEADER X-Tag \"\"", "1"),
        ("HEADER X-None \"\"", ""),
        ("BODY noon", "1"),
        ("BODY Meeting", ""),
        ("TEXT Meeting", "1"),
        ("TEXT \"über ALLES\"", "3"),
        ("BODY w5xiZXIg", ""),
        ("BODY \"hidden treasure\"", "4"),
        ("TEXT pearls", "4"),
        ("TEXT nowhere", ""),
        ("(OR SEEN FLAGGED) NOT (BODY noon)", "2"),
        ("NOT NOT SEEN", "1"),
    ] {
        let found = alice.ok(&format!("SEARCH {search}")).await.remove(0);
        assert_eq!(found, format!("* SEARCH {expected}").trim_end(), "{search}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn charsets_we_lack_are_refused_with_those_we_have() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    let lines = alice.no("SEARCH CHARSET KOI8-R TEXT x").await;
    assert!(lines[0].starts_with("NO [BADCHARSET (UTF-8 US-ASCII)]"), "{lines:?}");
    alice.bad("SEARCH FOO").await;
    alice.bad("SEARCH BEFORE 32-Jan-2026").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extended_search_tells_only_what_is_asked() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.letters(&["a", "b", "c"]).await;
    alice.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    alice.ok("EXPUNGE").await;
    let tag = alice.start("UID SEARCH RETURN (MIN MAX COUNT) ALL").await;
    assert_eq!(alice.answer(&tag).await[0], format!("* ESEARCH (TAG \"{tag}\") UID MIN 2 MAX 3 COUNT 2"));
    let tag = alice.start("SEARCH RETURN () UNSEEN").await;
    assert_eq!(alice.answer(&tag).await[0], format!("* ESEARCH (TAG \"{tag}\") ALL 1:2"));
}
