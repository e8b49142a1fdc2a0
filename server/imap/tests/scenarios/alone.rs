//! One session: login, mailboxes, messages in and out.

use crate::harness::{House, code, letter, untagged, with};

#[tokio::test(flavor = "multi_thread")]
async fn no_login_in_clear_text_and_what_follows_starttls_is_thrown_away() {
    let house = House::build().await;
    let mut client = house.stranger().await;
    let lines = client.ok("CAPABILITY").await;
    assert!(lines[0].contains("LOGINDISABLED") && lines[0].contains("STARTTLS") && !lines[0].contains("AUTH="));
    assert!(client.no("LOGIN alice@home.test secret").await[0].contains("[PRIVACYREQUIRED]"));
    assert!(client.no("AUTHENTICATE PLAIN").await[0].contains("[PRIVACYREQUIRED]"));
    client.send("s STARTTLS\r\nx LOGIN alice@home.test secret\r\n").await;
    assert!(client.line().await.starts_with("s OK"));
    let mut client = client.encrypted().await;
    let lines = client.ok("CAPABILITY").await;
    assert!(lines[0].contains("AUTH=PLAIN") && !lines[0].contains("STARTTLS"), "{lines:?}");
    client.bad("SELECT INBOX").await;
    client.bad("STARTTLS").await;
    client.ok("LOGIN alice@home.test secret").await;
    client.bad("LOGIN alice@home.test secret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_authentication_works_with_and_without_initial_response() {
    let house = House::build().await;
    // "\0alice@home.test\0secret"
    let token = "AGFsaWNlQGhvbWUudGVzdABzZWNyZXQ=";
    let mut client = house.guest().await;
    let lines = client.ok(&format!("AUTHENTICATE PLAIN {token}")).await;
    assert!(lines[0].contains("[CAPABILITY IMAP4rev1 ") && lines[0].contains(" CONDSTORE"), "{lines:?}");
    let mut client = house.guest().await;
    let tag = client.start("authenticate plain").await;
    assert_eq!(client.line().await, "+ ");
    client.send(format!("{token}\r\n")).await;
    assert!(client.answer(&tag).await[0].starts_with("OK"));
    let mut client = house.guest().await;
    let tag = client.start("AUTHENTICATE PLAIN").await;
    client.line().await;
    client.send("*\r\n").await;
    assert!(client.answer(&tag).await[0].starts_with("BAD"));
    client.bad("AUTHENTICATE PLAIN AAAA").await;
    client.no("AUTHENTICATE GSSAPI").await;
    client.ok("LOGIN {15}\r\nalice@home.test {6+}\r\nsecret").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_unknown_names_hear_the_same_and_then_goodbye() {
    let house = House::build().await;
    let mut client = house.guest().await;
    let wrong = client.no("LOGIN alice@home.test wrong").await;
    assert_eq!(wrong, client.no("LOGIN nobody@home.test wrong").await);
    assert!(wrong[0].contains("[AUTHENTICATIONFAILED]"));
    client.no("LOGIN alice@home.test wrong").await;
    client.no("LOGIN alice@home.test wrong").await;
    let last = client.no("LOGIN alice@home.test wrong").await;
    assert!(last[0].starts_with("* BYE"), "{last:?}");
    assert!(client.is_closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_appended_read_flagged_and_expunged() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    let reply =
        alice.append("INBOX", "(\\Flagged $Work) \"17-Jul-1996 02:44:25 -0700\" ", letter("one").as_bytes()).await;
    assert!(reply.starts_with("OK [APPENDUID "), "{reply}");
    let lines = alice.ok("SELECT INBOX").await;
    assert_eq!(with(&lines, "EXISTS"), ["* 1 EXISTS"]);
    assert_eq!(with(&lines, "RECENT"), ["* 1 RECENT"]);
    assert!(with(&lines, "[UNSEEN 1]").len() == 1 && with(&lines, "* FLAGS (")[0].contains("$Work"), "{lines:?}");
    assert!(lines.last().unwrap().starts_with("OK [READ-WRITE]"));
    let uid = code(&lines, "UIDNEXT") - 1;
    let lines = alice.ok("FETCH 1 (UID FLAGS INTERNALDATE RFC822.SIZE)").await;
    assert_eq!(
        lines[0],
        format!(
            "* 1 FETCH (UID {uid} FLAGS (\\Flagged \\Recent $Work) INTERNALDATE \"17-Jul-1996 09:44:25 +0000\" RFC822.SIZE {})",
            letter("one").len()
        )
    );
    let lines = alice.ok("FETCH 1 BODY[]").await;
    assert_eq!(
        lines[0],
        format!(
            "* 1 FETCH (BODY[] {{{}}}\r\n{} FLAGS (\\Flagged \\Seen \\Recent $Work))",
            letter("one").len(),
            letter("one")
        )
    );
    assert_eq!(alice.ok("STORE 1 -FLAGS.SILENT (\\Flagged)").await.len(), 1);
    let lines = alice.ok("STORE 1 +FLAGS (\\Deleted)").await;
    assert_eq!(lines[0], "* 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent $Work))");
    let lines = alice.ok("EXPUNGE").await;
    assert_eq!(untagged(&lines), ["* 1 EXPUNGE"]);
    let lines = alice.ok("SELECT INBOX").await;
    assert_eq!(with(&lines, "EXISTS"), ["* 0 EXISTS"]);
    assert_eq!(code(&lines, "UIDNEXT"), uid + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn recent_is_recent_once() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.letters(&["one", "two"]).await;
    assert_eq!(with(&alice.ok("EXAMINE INBOX").await, "RECENT"), ["* 2 RECENT"]);
    assert_eq!(with(&alice.ok("STATUS INBOX (RECENT)").await, "RECENT"), ["* STATUS INBOX (RECENT 2)"]);
    assert_eq!(with(&alice.ok("SELECT INBOX").await, "RECENT"), ["* 2 RECENT"]);
    assert_eq!(with(&alice.ok("SELECT INBOX").await, "RECENT"), ["* 0 RECENT"]);
    assert_eq!(with(&alice.ok("STATUS INBOX (RECENT)").await, "RECENT"), ["* STATUS INBOX (RECENT 0)"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_and_moves_tell_where_to() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.letters(&["one", "two", "three"]).await;
    alice.ok("SELECT INBOX").await;
    alice.ok("STORE 2 +FLAGS.SILENT (\\Answered $Kept)").await;
    let lines = alice.ok("COPY 1:2 Archive").await;
    assert!(lines[0].starts_with("OK [COPYUID ") && lines[0].contains(" 1:2 1:2]"), "{lines:?}");
    assert!(alice.no("COPY 1 Nowhere").await[0].contains("[TRYCREATE]"));
    assert!(alice.no("MOVE 1 Nowhere").await[0].contains("[TRYCREATE]"));
    let lines = alice.ok("UID MOVE 1,3 Trash").await;
    assert!(lines[0].starts_with("* OK [COPYUID ") && lines[0].contains(" 1,3 1:2]"), "{lines:?}");
    assert_eq!(lines[1..3], ["* 1 EXPUNGE", "* 2 EXPUNGE"]);
    alice.ok("UID COPY 99 Archive").await;
    alice.bad("COPY 99 Archive").await;
    let lines = alice.ok("STATUS Archive (MESSAGES UNSEEN)").await;
    assert_eq!(lines[0], "* STATUS \"Archive\" (MESSAGES 2 UNSEEN 2)");
    alice.ok("SELECT Archive").await;
    assert!(alice.ok("FETCH 2 FLAGS").await[0].contains("\\Answered"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_read_only_stays_as_it_is() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.letters(&["one"]).await;
    let lines = alice.ok("EXAMINE INBOX").await;
    assert!(lines.last().unwrap().contains("[READ-ONLY]"));
    assert!(with(&lines, "PERMANENTFLAGS ()").len() == 1, "{lines:?}");
    assert!(!alice.ok("FETCH 1 BODY[]").await[0].contains("\\Seen"));
    for command in ["STORE 1 +FLAGS (\\Seen)", "EXPUNGE", "MOVE 1 Trash"] {
        alice.no(command).await;
    }
    alice.ok("COPY 1 Archive").await;
    alice.ok("CLOSE").await;
    alice.bad("FETCH 1 FLAGS").await;
    assert_eq!(with(&alice.ok("STATUS INBOX (UNSEEN MESSAGES)").await, "(MESSAGES 1 UNSEEN 1)").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn close_expunges_silently_and_unselect_does_not() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    alice.letters(&["one", "two"]).await;
    alice.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    alice.ok("UNSELECT").await;
    assert_eq!(with(&alice.ok("SELECT INBOX").await, "EXISTS"), ["* 2 EXISTS"]);
    assert_eq!(untagged(&alice.ok("CLOSE").await), Vec::<&str>::new());
    assert_eq!(with(&alice.ok("SELECT INBOX").await, "EXISTS"), ["* 1 EXISTS"]);
    alice.ok("STORE 1 +FLAGS.SILENT (\\Deleted)").await;
    assert_eq!(untagged(&alice.ok("UID EXPUNGE 1").await), Vec::<&str>::new(), "another UID than that");
    assert_eq!(untagged(&alice.ok("UID EXPUNGE 1:*").await), ["* 1 EXPUNGE"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_select_leaves_nothing_selected() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    assert!(alice.no("SELECT Nowhere").await[0].contains("[NONEXISTENT]"));
    alice.bad("CHECK").await;
    alice.ok("SELECT inbox").await;
    alice.ok("CHECK").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn large_messages_go_through_a_spool_and_come_back_whole() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    let mut message = letter("large").into_bytes();
    for number in 0..60_000 {
        message.extend_from_slice(format!("line {number} of a letter that does not fit into one block\r\n").as_bytes());
    }
    assert!(alice.append("INBOX", "", &message).await.starts_with("OK [APPENDUID"));
    alice.ok("SELECT INBOX").await;
    let tag = alice.start("FETCH 1 (BODY.PEEK[] UID)").await;
    let answer = alice.bytes().await;
    assert!(answer.windows(message.len()).any(|window| window == message), "byte for byte");
    assert!(answer.ends_with(b" UID 1)"));
    alice.answer(&tag).await;
    let (from, length) = (1_500_000, 1_000_000);
    let lines = alice.ok(&format!("FETCH 1 BODY.PEEK[]<{from}.{length}>")).await;
    let part = std::str::from_utf8(&message[from..from + length]).unwrap();
    assert_eq!(lines[0], format!("* 1 FETCH (BODY[]<{from}> {{{length}}}\r\n{part})"));
    assert_eq!(alice.ok("FETCH 1 BODY.PEEK[]<99999999.5>").await[0], "* 1 FETCH (BODY[]<99999999> {0}\r\n)");
}

#[tokio::test(flavor = "multi_thread")]
async fn appends_are_judged_before_they_are_read() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    let message = vec![b'x'; 21 << 20];
    assert!(alice.append("INBOX", "", &message).await.starts_with("NO [TOOBIG]"));
    assert!(alice.append("Nowhere", "", b"x").await.starts_with("NO [TRYCREATE]"));
    assert!(alice.append("INBOX", "(\\Foo) ", b"x").await.starts_with("BAD"));
    assert!(alice.append("INBOX", "", b"").await.starts_with("NO"));
    alice.send(format!("a APPEND INBOX {{{}+}}\r\n", message.len())).await;
    alice.send(&message).await;
    alice
        .send("\r\nb APPEND Nowhere {3+}\r\nabc\r\nc APPEND INBOX {3+}\r\nabc\r\nd APPEND INBOX {3+}\r\nabc rest\r\n")
        .await;
    assert!(alice.line().await.starts_with("a NO [TOOBIG]"));
    assert!(alice.line().await.starts_with("b NO [TRYCREATE]"));
    assert!(alice.line().await.starts_with("c OK [APPENDUID"));
    assert!(alice.line().await.starts_with("d BAD"));
    assert_eq!(with(&alice.ok("STATUS INBOX (MESSAGES)").await, "MESSAGES 1)").len(), 1);
    alice.ok("STATUS {5}\r\nINBOX (MESSAGES)").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn small_courtesies_are_answered() {
    let house = House::build().await;
    let mut client = house.guest().await;
    assert!(client.ok("ID (\"name\" \"test\")").await[0].starts_with("* ID (\"name\" \"Mailstead\""));
    client.ok("LOGIN alice@home.test secret").await;
    assert_eq!(client.ok("NAMESPACE").await[0], "* NAMESPACE ((\"\" \"/\")) NIL NIL");
    assert_eq!(client.ok("ENABLE CONDSTORE X-UNKNOWN").await[0], "* ENABLED CONDSTORE");
    assert_eq!(client.ok("ENABLE X-UNKNOWN").await[0], "* ENABLED");
    client.ok("NOOP").await;
    client.bad("XYZZY").await;
    let lines = client.ok("LOGOUT").await;
    assert!(lines[0].starts_with("* BYE"));
    assert!(client.is_closed().await);
}
