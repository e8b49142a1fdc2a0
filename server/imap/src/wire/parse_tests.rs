#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;
use crate::wire::{FetchItem, Partial, Section, SectionText};

fn ok(line: &str) -> Command {
    parse(format!("a1 {line}").as_bytes()).unwrap_or_else(|error| panic!("{line}: {error}")).command
}

#[track_caller]
fn bad(line: &str) -> SyntaxError {
    let bad = parse(format!("a1 {line}").as_bytes()).expect_err(line);
    assert_eq!(bad.tag.as_deref(), Some("a1"));
    bad.error
}

#[test]
fn the_tag_comes_first() {
    for line in ["", " ", "a", "+ NOOP", "a+b NOOP", "(a NOOP", "\"a\" NOOP", "{3} x", "a\tNOOP"] {
        assert_eq!(parse(line.as_bytes()), Err(BadRequest { tag: None, error: SyntaxError::Tag }), "{line}");
    }
    assert_eq!(parse(b"]1.x NOOP").unwrap().tag, "]1.x");
}

#[test]
fn commands_without_arguments_are_read_in_any_case() {
    assert_eq!(ok("NOOP"), Command::Noop);
    assert_eq!(ok("capability"), Command::Capability);
    assert_eq!(ok("Expunge"), Command::Expunge { uids: None });
    assert_eq!(ok("CHECK "), Command::Check, "a trailing space is forgiven");
}

#[test]
fn logins_are_read_in_every_spelling() {
    let login = |user: &str, password: &str| Command::Login {
        user: user.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    };
    assert_eq!(ok("LOGIN alice@home.test secret"), login("alice@home.test", "secret"));
    assert_eq!(ok(r#"login "alice" "se \"cret\\""#), login("alice", r#"se "cret\"#));
    assert_eq!(ok("LOGIN {5}\r\nalice {6+}\r\nse\r\nct"), login("alice", "se\r\nct"));
    let plain = |initial: Option<&[u8]>| Command::Authenticate {
        mechanism: "PLAIN".to_owned(),
        initial: initial.map(<[u8]>::to_vec),
    };
    assert_eq!(ok("AUTHENTICATE plain"), plain(None));
    assert_eq!(ok("AUTHENTICATE PLAIN ="), plain(Some(b"")));
    assert_eq!(ok("AUTHENTICATE PLAIN AGEAYg=="), plain(Some(b"\0a\0b")));
    bad("AUTHENTICATE PLAIN !");
}

#[test]
fn mailbox_commands_are_read() {
    let select =
        |mailbox: &str, read_only, condstore| Command::Select { mailbox: mailbox.into(), read_only, condstore };
    assert_eq!(ok("SELECT iNbOx"), select("INBOX", false, false));
    assert_eq!(ok("EXAMINE \"Entw&APw-rfe\" (CONDSTORE)"), select("Entwürfe", true, true));
    assert_eq!(ok("CREATE a/b/"), Command::Create { mailbox: "a/b".into(), uses: Vec::new() });
    let uses = vec![Some(SpecialUse::Sent), None];
    assert_eq!(ok("CREATE s (USE (\\Sent \\Flagged))"), Command::Create { mailbox: "s".into(), uses });
    assert_eq!(ok("RENAME a b"), Command::Rename { from: "a".into(), to: "b".into() });
    assert_eq!(
        ok("STATUS {5}\r\ninbox (MESSAGES unseen MESSAGES HIGHESTMODSEQ)"),
        Command::Status {
            mailbox: "INBOX".into(),
            items: vec![StatusItem::Messages, StatusItem::Unseen, StatusItem::HighestModSeq]
        }
    );
    assert_eq!(bad("SELECT &AAA-"), SyntaxError::MailboxName);
    assert_eq!(bad("CREATE \"a\tb\""), SyntaxError::MailboxName);
}

#[test]
fn list_is_read_plain_and_extended() {
    let Command::List(list) = ok("LIST \"\" %/*") else { panic!() };
    assert!(list.basic && list.patterns == [b"%/*".to_vec()] && list.reference.is_empty());
    let Command::List(list) = ok("LIST (SUBSCRIBED RECURSIVEMATCH) a (b \"c *\") RETURN (CHILDREN STATUS (MESSAGES))")
    else {
        panic!()
    };
    assert!(!list.basic && list.selection.subscribed && list.selection.recursive_match);
    assert_eq!(list.patterns, [b"b".to_vec(), b"c *".to_vec()]);
    assert_eq!(list.returns.status, [StatusItem::Messages]);
    let Command::List(list) = ok("LIST () \"\" \"\" RETURN ()") else { panic!() };
    assert!(!list.basic);
    bad("LIST (RECURSIVEMATCH) \"\" *");
    bad("LIST (FOO) \"\" *");
    bad("LIST \"\" () ");
    bad("LIST \"\" * RETURN (FOO)");
}

#[test]
fn fetch_items_are_read() {
    let items = |line: &str| match ok(line) {
        Command::Fetch { fetch, .. } => fetch.items,
        other => panic!("{other:?}"),
    };
    let section = |part: &[u32], text| Section { part: part.to_vec(), text };
    let whole = |section, partial, peek| FetchItem::Section { section, partial, peek };
    assert_eq!(items("FETCH 1 FAST"), [FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size]);
    assert_eq!(items("FETCH 1 full").len(), 5);
    assert_eq!(items("FETCH 1 (flags FLAGS uid)"), [FetchItem::Flags, FetchItem::Uid]);
    assert_eq!(items("FETCH 1 BODY"), [FetchItem::Body]);
    assert_eq!(items("FETCH 1 BODY[]"), [whole(section(&[], None), None, false)]);
    assert_eq!(items("FETCH 1 body.peek[text]"), [whole(section(&[], Some(SectionText::Text)), None, true)]);
    assert_eq!(
        items("FETCH 1 BODY[1.2.MIME]<5.10>"),
        [whole(section(&[1, 2], Some(SectionText::Mime)), Some(Partial { first: 5, length: 10 }), false)]
    );
    let fields = SectionText::HeaderFields(vec!["From".into(), "X Y".into()]);
    assert_eq!(
        items("FETCH 1 BODY.PEEK[2.HEADER.FIELDS (From \"X Y\")]"),
        [whole(section(&[2], Some(fields)), None, true)]
    );
    let fields = SectionText::HeaderFieldsNot(vec!["to".into()]);
    assert_eq!(items("FETCH 1 BODY[HEADER.FIELDS.NOT (to)]"), [whole(section(&[], Some(fields)), None, false)]);
    let Command::Fetch { uid: true, fetch, .. } = ok("UID FETCH 1:* (FLAGS MODSEQ) (CHANGEDSINCE 12)") else {
        panic!()
    };
    assert_eq!(fetch.changed_since, Some(12));
}

#[test]
fn sections_are_written_as_they_were_read() {
    for text in
        ["", "1", "1.2.3", "HEADER", "1.MIME", "TEXT", "HEADER.FIELDS (From To)", "2.HEADER.FIELDS.NOT (\"A B\")"]
    {
        let Command::Fetch { fetch, .. } = ok(&format!("FETCH 1 BODY[{text}]")) else { panic!() };
        let [FetchItem::Section { section, .. }] = fetch.items.as_slice() else { panic!() };
        let mut out = Vec::new();
        section.write(&mut out);
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}

#[test]
fn broken_fetches_are_refused() {
    for line in [
        "FETCH",
        "FETCH 1",
        "FETCH 1 ",
        "FETCH 1 ()",
        "FETCH 1 (FLAGS",
        "FETCH 1 (ALL)",
        "FETCH 1 FOO",
        "FETCH 1 BODY[",
        "FETCH 1 BODY[1.0]",
        "FETCH 1 BODY[1.]",
        "FETCH 1 BODY[MIME]",
        "FETCH 1 BODY[]<0.0>",
        "FETCH 1 BODY[]<-1.5>",
        "FETCH 1 BODY[]<1>",
        "FETCH 1 BODY[HEADER.FIELDS ()]",
        "FETCH 1 FLAGS (CHANGEDSINCE)",
        "FETCH 1 FLAGS FLAGS",
    ] {
        bad(line);
    }
    let deep = format!("FETCH 1 BODY[{}1]", "1.".repeat(5000));
    assert_eq!(bad(&deep), SyntaxError::TooMany("levels of parts"));
}

#[test]
fn stores_are_read() {
    let Command::Store { uid: false, store, .. } = ok("STORE 1:2 +flags.silent (\\Seen $Junk \\recent)") else {
        panic!()
    };
    assert_eq!((store.action, store.silent, store.flags.system), (StoreAction::Add, true, Flags::SEEN));
    assert!(store.flags.keywords.contains("$Junk"));
    let Command::Store { uid: true, store, .. } = ok("UID STORE 1 (UNCHANGEDSINCE 5) -FLAGS \\Deleted \\Draft") else {
        panic!()
    };
    assert_eq!((store.action, store.unchanged_since), (StoreAction::Remove, Some(5)));
    assert_eq!(store.flags.system, Flags::DELETED | Flags::DRAFT);
    let Command::Store { store, .. } = ok("STORE 1 FLAGS ()") else { panic!() };
    assert_eq!((store.action, store.flags), (StoreAction::Replace, FlagSet::default()));
    for line in
        ["STORE 1 FLAGS", "STORE 1 FLAGS (\\Foo)", "STORE 1 FLAGS (\\Seen", "STORE 1 *FLAGS ()", "STORE 1 FLAGS (\\*)"]
    {
        bad(line);
    }
    assert_eq!(bad(&format!("STORE 1 FLAGS ({})", "a ".repeat(500))), SyntaxError::TooMany("flags"));
}

#[test]
fn searches_are_read_whole() {
    for line in [
        "ALL",
        "NEW UNSEEN",
        "1:3 UID 4:*",
        "OR SEEN (FLAGGED NOT DRAFT)",
        "SINCE 1-Feb-1994 NOT FROM \"Smith\"",
        "CHARSET UTF-8 SUBJECT {4}\r\n\u{e4}\u{e4}",
        "CHARSET us-ascii TEXT x",
        "HEADER Message-ID \"\" SENTON \"2-Mar-2020\" LARGER 10 SMALLER 9999999999",
        "KEYWORD $x UNKEYWORD $y UNKEYWORD z",
        "RETURN (MIN MAX COUNT) ALL",
        "RETURN () MODSEQ \"/flags/\\\\draft\" all 620162338",
    ] {
        ok(&format!("SEARCH {line}"));
        ok(&format!("UID SEARCH {line}"));
    }
    for line in [
        "",
        "FOO",
        "OR ALL",
        "BEFORE 32-Jan-2026",
        "(ALL",
        "()",
        "SUBJECT",
        "UNALL",
        "LARGER x",
        "NOT",
        "ALL)",
        "RETURN (X) ALL",
    ] {
        bad(&format!("SEARCH {line}"));
    }
    assert_eq!(bad("SEARCH CHARSET KOI8-R TEXT x"), SyntaxError::Charset);
}

#[test]
fn deep_and_wide_searches_are_refused() {
    assert_eq!(bad(&format!("SEARCH {}ALL{}", "(".repeat(3000), ")".repeat(3000))), SyntaxError::TooDeep);
    assert_eq!(bad(&format!("SEARCH {}ALL", "NOT ".repeat(3000))), SyntaxError::TooDeep);
    assert_eq!(bad(&format!("SEARCH {}ALL", "OR SEEN ".repeat(3000))), SyntaxError::TooDeep);
    assert_eq!(bad(&format!("SEARCH {}ALL", "SEEN ".repeat(3000))), SyntaxError::TooMany("search keys"));
    assert_eq!(bad(&format!("SEARCH {}ALL", "TEXT a ".repeat(900))), SyntaxError::TooMany("texts to search for"));
}

#[test]
fn appends_are_known_by_their_head() {
    let head = |line: &str| append_head(format!("a {line}").as_bytes());
    let found = head("APPEND inbox ").unwrap().unwrap();
    assert_eq!((found.tag.as_str(), found.mailbox.as_str(), found.date), ("a", "INBOX", None));
    let found = head("append {3}\r\na b (\\Seen) \" 1-Jan-1970 00:00:10 +0000\" ").unwrap().unwrap();
    assert_eq!((found.mailbox.as_str(), found.flags.system, found.date.unwrap().0), ("a b", Flags::SEEN, 10));
    assert!(head("APPEND ").is_none(), "the literal is the name");
    assert!(head("LOGIN a ").is_none());
    assert!(head("APPEND INBOX").unwrap().is_err());
    assert!(head("APPEND INBOX (\\Seen ").unwrap().is_err());
    assert!(head("APPEND INBOX ~").unwrap().is_err());
    bad("APPEND INBOX");
    bad("APPEND INBOX \"text\"");
}

#[test]
fn uid_commands_are_only_those_that_exist() {
    assert!(matches!(ok("UID EXPUNGE 1:5"), Command::Expunge { uids: Some(_) }));
    assert!(matches!(ok("UID MOVE 1 x"), Command::Move { uid: true, .. }));
    for line in ["UID", "UID NOOP", "UID FETCH", "UID EXPUNGE", "UID COPY 1"] {
        bad(line);
    }
}

#[test]
fn nonsense_is_refused() {
    assert_eq!(bad("XYZZY"), SyntaxError::UnknownCommand);
    for line in ["NOOP extra", "ENABLE", "\u{1}", "{", "{5", "ID", "ID (a b)", "LOGIN a", "STATUS INBOX ()", "COPY 1"] {
        bad(line);
    }
    assert_eq!(ok("ID (\"name\" \"x\" \"os\" NIL)"), Command::Id);
    assert_eq!(ok("ID NIL"), Command::Id);
    assert_eq!(ok("ENABLE condstore X"), Command::Enable(vec!["CONDSTORE".into(), "X".into()]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
        let _ = append_head(&bytes);
    }

    #[test]
    fn no_text_of_the_languages_own_words_makes_it_panic(
        words in proptest::collection::vec(prop::sample::select(vec![
            "a ", "UID ", "FETCH ", "SEARCH ", "STORE ", "LIST ", "APPEND ", "1:*", "(", ")", "\"", "{3}\r\n", "{3+}\r\n", "BODY", "[", "]",
            "<", ">", "1.", "HEADER.FIELDS ", "OR ", "NOT ", "\\Seen", "+FLAGS", " ", "RETURN ", "CHARSET UTF-8 ", "1-Jan-2020", "\r\n", "\0",
            "TEXT ", "x", "MODSEQ ", "NIL", "&", "-", "*", "%", "INBOX ", "STATUS ", "SELECT ", "~",
        ]), 0..30)
    ) {
        let line = words.concat();
        let _ = parse(line.as_bytes());
        let _ = append_head(line.as_bytes());
        let _ = parse(format!("a {line}").as_bytes());
    }
}
