//! Mailboxes: making, renaming, listing, subscribing.

use crate::harness::{House, untagged, with};

#[tokio::test(flavor = "multi_thread")]
async fn the_standard_mailboxes_are_there_with_their_uses() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    let lines = alice.ok("LIST \"\" *").await;
    assert_eq!(
        untagged(&lines),
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX",
            "* LIST (\\HasNoChildren \\Archive) \"/\" \"Archive\"",
            "* LIST (\\HasNoChildren \\Drafts) \"/\" \"Drafts\"",
            "* LIST (\\HasNoChildren \\Junk) \"/\" \"Junk\"",
            "* LIST (\\HasNoChildren \\Sent) \"/\" \"Sent\"",
            "* LIST (\\HasNoChildren \\Trash) \"/\" \"Trash\"",
        ]
    );
    assert_eq!(untagged(&alice.ok("LIST \"\" \"\"").await), ["* LIST (\\Noselect) \"/\" \"\""]);
    assert_eq!(untagged(&alice.ok("LSUB \"\" *").await).len(), 6);
    assert_eq!(untagged(&alice.ok("LIST (SPECIAL-USE) \"\" *").await).len(), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn mailboxes_are_made_renamed_and_removed() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.ok("CREATE Work/2026/Taxes").await;
    alice.ok("CREATE &AOk-t&AOk-/").await;
    assert!(alice.no("CREATE \"a\tb\"").await[0].contains("[CANNOT]"));
    for name in ["INBOX", "Work", "\"\"", "\"/\"", "\"a//b\"", "\"%\"", "\"a*\"", "&AAA-", &"n".repeat(4000)] {
        alice.no(&format!("CREATE {name}")).await;
    }
    let lines = alice.ok("LIST \"\" Work*").await;
    assert_eq!(with(&lines, "\\HasChildren").len(), 2);
    assert_eq!(untagged(&alice.ok("LIST Work/ %").await), ["* LIST (\\HasChildren) \"/\" \"Work/2026\""]);
    assert_eq!(untagged(&alice.ok("LIST \"\" &AOk-*").await), ["* LIST (\\HasNoChildren) \"/\" \"&AOk-t&AOk-\""]);
    alice.ok("RENAME Work Labour").await;
    assert_eq!(untagged(&alice.ok("LIST \"\" *Taxes").await), ["* LIST (\\HasNoChildren) \"/\" \"Labour/2026/Taxes\""]);
    alice.no("DELETE Labour").await;
    alice.ok("DELETE Labour/2026/Taxes").await;
    assert!(alice.no("DELETE Labour/2026/Taxes").await[0].contains("[NONEXISTENT]"));
    alice.no("DELETE INBOX").await;
    assert!(alice.no("RENAME Nowhere Somewhere").await[0].contains("[NONEXISTENT]"));
    assert!(alice.no("RENAME Labour Sent").await[0].contains("[ALREADYEXISTS]"));
    alice.ok("DELETE Trash").await;
    alice.ok("CREATE Bin (USE (\\Trash))").await;
    assert_eq!(untagged(&alice.ok("LIST \"\" Bin").await), ["* LIST (\\HasNoChildren \\Trash) \"/\" \"Bin\""]);
    assert!(alice.no("CREATE Gone (USE (\\Flagged))").await[0].contains("[USEATTR]"));
}

#[tokio::test(flavor = "multi_thread")]
async fn renaming_inbox_moves_its_messages() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.letters(&["one"]).await;
    alice.ok("RENAME INBOX Old").await;
    assert_eq!(alice.ok("STATUS Old (MESSAGES)").await[0], "* STATUS \"Old\" (MESSAGES 1)");
    assert_eq!(alice.ok("STATUS INBOX (MESSAGES)").await[0], "* STATUS INBOX (MESSAGES 0)");
}

#[tokio::test(flavor = "multi_thread")]
async fn subscriptions_outlive_their_mailboxes() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.ok("CREATE a/b").await;
    alice.ok("SUBSCRIBE a/b").await;
    alice.ok("UNSUBSCRIBE Junk").await;
    assert_eq!(with(&alice.ok("LSUB \"\" %").await, " \"a\""), ["* LSUB (\\Noselect) \"/\" \"a\""]);
    assert_eq!(untagged(&alice.ok("LSUB \"\" a*").await), ["* LSUB () \"/\" \"a/b\""]);
    let lines = alice.ok("LIST (SUBSCRIBED RECURSIVEMATCH) \"\" %").await;
    assert_eq!(with(&lines, "CHILDINFO"), ["* LIST (\\HasChildren) \"/\" \"a\" (\"CHILDINFO\" (\"SUBSCRIBED\"))"]);
    alice.ok("DELETE a/b").await;
    let lines = alice.ok("LIST (SUBSCRIBED) \"\" *").await;
    assert_eq!(with(&lines, "a/b"), ["* LIST (\\NonExistent \\Subscribed \\HasNoChildren) \"/\" \"a/b\""]);
    assert_eq!(with(&lines, "Junk"), Vec::<&str>::new());
    assert_eq!(with(&alice.ok("LIST \"\" *").await, "a/b"), Vec::<&str>::new());
    let lines = alice.ok("LIST \"\" (Sent Junk) RETURN (SUBSCRIBED)").await;
    assert_eq!(with(&lines, "\\Subscribed").len(), 1);
    assert_eq!(untagged(&lines).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn list_tells_the_status_along() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.letters(&["one"]).await;
    let lines = alice.ok("LIST \"\" INBOX RETURN (STATUS (MESSAGES UIDNEXT SIZE DELETED APPENDLIMIT))").await;
    let size = crate::harness::letter("one").len();
    assert_eq!(
        untagged(&lines),
        [
            "* LIST (\\HasNoChildren) \"/\" INBOX".to_owned(),
            format!("* STATUS INBOX (MESSAGES 1 UIDNEXT 2 DELETED 0 SIZE {size} APPENDLIMIT 20971520)"),
        ]
    );
    assert!(alice.no("STATUS Nowhere (MESSAGES)").await[0].contains("[NONEXISTENT]"));
}
