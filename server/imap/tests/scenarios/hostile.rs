//! What hostile clients try.

use std::time::{Duration, Instant};

use crate::harness::{House, letter};

/// Bounded means done within this time, even unoptimised on a busy machine.
const BOUNDED: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn enormous_literals_are_refused_before_a_byte_is_read() {
    let house = House::build().await;
    for command in ["LOGIN {4294967295}", "LOGIN {99999999999999999999}", "LOGIN {1000000}", "LOGIN {4097}"] {
        let mut client = house.guest().await;
        assert!(client.command(command).await[0].starts_with("BAD [TOOBIG]"), "{command}");
        client.ok("NOOP").await;
    }
    for command in ["LOGIN {5000+}", "LOGIN {4294967295+}", "LOGIN {4000+}\r\n"] {
        let mut client = house.guest().await;
        client.send(format!("a {command}\r\n")).await;
        if command.contains("4000") {
            client.send(format!("{} {{4000}}\r\n", "x".repeat(3998))).await;
        }
        let line = client.line().await;
        assert!(line.starts_with("a BAD [TOOBIG]"), "{command}: {line}");
    }
    let mut alice = house.alice().await;
    for command in ["APPEND INBOX {4294967295}", "APPEND INBOX {99999999999999999999}", "APPEND INBOX () {60000000}"] {
        assert!(alice.no(command).await[0].starts_with("NO [TOOBIG]"), "{command}");
    }
    alice.send("x APPEND INBOX {99999999999+}\r\n").await;
    assert!(alice.line().await.starts_with("x NO [TOOBIG]"));
    assert!(alice.line().await.starts_with("* BYE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_can_not_append() {
    let house = House::build().await;
    let mut client = house.guest().await;
    client.send("a APPEND INBOX {3+}\r\nabc\r\nb APPEND INBOX {100000}\r\n").await;
    assert!(client.line().await.starts_with("a BAD"));
    assert!(client.line().await.starts_with("b BAD"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_without_end_is_cut_off() {
    let house = House::build().await;
    let mut client = house.guest().await;
    client.send(vec![b'a'; 65 << 10]).await;
    let line = client.line().await;
    assert!(line.starts_with("* BAD") && client.line().await.starts_with("* BYE"), "{line}");
    assert!(client.is_closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_commands_before_a_login_end_the_session() {
    let house = House::build().await;
    let mut client = house.guest().await;
    client.send("a NOOP\r\n".repeat(100)).await;
    for _ in 0..50 {
        assert!(client.line().await.starts_with("a OK"));
    }
    assert!(client.line().await.starts_with("* BYE"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sets_searches_and_patterns_of_every_size_are_answered_in_bounded_time() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    for set in ["*", "1:*", "1:4294967295", "*:4294967295"] {
        alice.ok(&format!("UID FETCH {set} FLAGS")).await;
        alice.command(&format!("FETCH {set} FLAGS")).await;
    }
    alice.letters(&["one", "two"]).await;
    let many = vec!["1:*"; 10_000].join(",");
    let start = Instant::now();
    assert_eq!(alice.ok(&format!("FETCH {many} FLAGS")).await.len(), 3, "each once");
    for search in [
        "(".repeat(6_000),
        format!("{}ALL{}", "(".repeat(3_000), ")".repeat(3_000)),
        format!("{}ALL", "NOT ".repeat(10_000)),
        format!("{}ALL", "OR SEEN ".repeat(900)),
        vec!["TEXT a"; 9_000].join(" "),
        vec!["TEXT a"; 90].join(" "),
        vec!["UID 1:*"; 900].join(" "),
    ] {
        alice.command(&format!("SEARCH {search}")).await;
    }
    for pattern in ["*%".repeat(1_000), "%*".repeat(1_000), "*a".repeat(1_000), "%a".repeat(1_000) + "b"] {
        alice.ok(&format!("LIST \"\" {pattern}")).await;
    }
    alice.bad(&format!("LIST \"\" {}", "*a".repeat(10_000))).await;
    assert!(start.elapsed() < BOUNDED, "{:?}", start.elapsed());
    alice.ok("NOOP").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_names_and_never_paths_or_lines() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    for (name, is_harmless) in [("..", true), ("../../etc/passwd", true), ("a\r\nb", false), ("\u{1b}[2J", false)] {
        let tag = alice.start(&format!("CREATE {{{}}}", name.len())).await;
        assert!(alice.line().await.starts_with('+'));
        alice.send(format!("{name}\r\n")).await;
        let reply = alice.answer(&tag).await.remove(0);
        assert!(!reply.starts_with("OK") || is_harmless, "{name:?}: {reply}");
    }
    let lines = alice.ok("LIST \"\" *").await;
    assert!(lines.iter().all(|line| line.starts_with("* LIST (") || line.starts_with("OK")), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_who_reads_nothing_does_not_stop_the_others() {
    let house = House::build().await;
    let mut alice = house.alice_in_inbox().await;
    let mut message = letter("large").into_bytes();
    message.resize(15 << 20, b'x');
    alice.append("INBOX", "", &message).await;
    let mut deaf = Vec::new();
    for _ in 0..8 {
        let mut client = house.alice_in_inbox().await;
        client.start("FETCH 1 BODY.PEEK[]").await;
        deaf.push(client);
    }
    let start = Instant::now();
    alice.ok("FETCH 1 FLAGS").await;
    alice.letters(&["next"]).await;
    alice.ok("SEARCH SUBJECT next").await;
    assert!(start.elapsed() < BOUNDED);
    drop(deaf);
}

#[tokio::test(flavor = "multi_thread")]
async fn endless_literals_before_a_login_end_the_session() {
    let house = House::build().await;
    let mut client = house.guest().await;
    client.send("a LOGIN {5000}\r\n".repeat(100)).await;
    for _ in 0..50 {
        assert!(client.line().await.starts_with("a BAD [TOOBIG]"));
    }
    assert!(client.line().await.starts_with("* BYE"));
    assert!(client.is_closed().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn patterns_are_bounded_together() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    let patterns = vec!["%a".repeat(100); 30].join(" ");
    assert!(alice.bad(&format!("LIST \"\" ({patterns})")).await[0].starts_with("BAD [LIMIT]"));
    assert!(alice.bad(&format!("LSUB \"\" {}", "%a".repeat(3_000))).await[0].starts_with("BAD [LIMIT]"));
    alice.ok(&format!("LSUB \"\" {}", "%a".repeat(1_000))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_message_in_a_refused_append_is_answered_with_its_tag() {
    let house = House::build().await;
    let mut alice = house.alice().await;
    alice.send("a APPEND Nowhere {3+}\r\nabc {3}\r\nb NOOP\r\n").await;
    assert!(alice.line().await.starts_with("a BAD "));
    assert!(alice.line().await.starts_with("b OK "));
}
