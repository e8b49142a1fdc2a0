use std::time::Duration;

use crate::harness::House;

fn letter(subject: &str) -> String {
    format!("Subject: {subject}\r\n\r\nThis is {subject}.\r\n.with a dot\r\n")
}

/// The unique ids of a listing.
fn ids(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split(' ').nth(1).unwrap()).collect()
}

#[tokio::test]
async fn letters_are_listed_and_given_byte_for_byte() {
    let house = House::build().await;
    let letters = ["one", "two", "three"].map(letter);
    house.deliver("alice", &letters).await;
    let mut alice = house.client("alice").await;
    let octets: usize = letters.iter().map(String::len).sum();
    assert_eq!(alice.ok("STAT").await, format!("+OK 3 {octets}"));
    let sizes = letters.iter().enumerate().map(|(index, letter)| format!("{} {}", index + 1, letter.len()));
    assert_eq!(alice.long("LIST").await, sizes.collect::<Vec<_>>());
    for (index, letter) in letters.iter().enumerate() {
        let lines = alice.long(&format!("RETR {}", index + 1)).await;
        assert_eq!(lines.join("\r\n") + "\r\n", *letter);
    }
    assert_eq!(alice.long("TOP 2 1").await, ["Subject: two", "", "This is two."]);
    assert_eq!(alice.ok("QUIT").await, "+OK goodbye");
    assert!(alice.rest().await.is_empty());
}

#[tokio::test]
async fn a_large_letter_comes_whole() {
    let house = House::build().await;
    let lines: String = (0..60_000).map(|number| format!(".{number} and so on, and so on, and so on\r\n")).collect();
    let letter = format!("Subject: large\r\n\r\n{lines}");
    house.deliver("alice", &[&letter]).await;
    let mut alice = house.client("alice").await;
    assert_eq!(alice.ok("RETR 1").await, format!("+OK {} octets", letter.len()));
    assert_eq!(alice.lines().await.join("\r\n") + "\r\n", letter);
    assert_eq!(alice.long("TOP 1 2").await.len(), 4);
    alice.ok("NOOP").await;
}

#[tokio::test]
async fn pipelined_commands_are_answered_in_order() {
    let house = House::build().await;
    house.deliver("alice", &["one", "two"].map(letter)).await;
    let mut alice = house.guest().await;
    alice.send("USER alice@home.test\r\nPASS open sesame\r\nTOP 2 0\r\nDELE 1\r\nRETR 1\r\nQUIT\r\n").await;
    let text = String::from_utf8(alice.rest().await).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[3..6], ["Subject: two", "", "."], "{text}");
    let verdicts: Vec<bool> =
        lines.iter().filter(|line| line.starts_with(['+', '-'])).map(|line| line.starts_with("+OK")).collect();
    assert_eq!(verdicts, [true, true, true, true, false, true], "{text}");
    assert_eq!(house.client("alice").await.ok("STAT").await.split(' ').nth(1), Some("1"));
}

#[tokio::test]
async fn deletions_count_only_at_quit_and_unique_ids_stay() {
    let house = House::build().await;
    house.deliver("alice", &["one", "two", "three"].map(letter)).await;
    let mut alice = house.client("alice").await;
    let before = alice.long("UIDL").await;
    alice.ok("DELE 1").await;
    alice.ok("DELE 2").await;
    drop(alice);
    let mut alice = house.client("alice").await;
    assert_eq!(alice.long("UIDL").await, before, "a lost connection deletes nothing");
    alice.ok("DELE 1").await;
    alice.ok("RSET").await;
    alice.ok("DELE 2").await;
    alice.ok("QUIT").await;
    let after = house.client("alice").await.long("UIDL").await;
    assert_eq!(ids(&after), [ids(&before)[0], ids(&before)[2]]);
}

#[tokio::test]
async fn sessions_side_by_side_keep_their_numbers() {
    let house = House::build().await;
    house.deliver("alice", &["one", "two", "three"].map(letter)).await;
    let (mut laptop, mut phone) = (house.client("alice").await, house.client("alice").await);
    laptop.ok("DELE 1").await;
    laptop.ok("DELE 2").await;
    laptop.ok("QUIT").await;
    house.deliver("alice", &[letter("four")]).await;
    assert_eq!(phone.ok("STAT").await.split(' ').nth(1), Some("3"));
    phone.err("RETR 1").await;
    phone.err("TOP 2 0").await;
    assert_eq!(phone.long("TOP 3 0").await, ["Subject: three", ""]);
    phone.ok("DELE 2").await;
    phone.ok("DELE 3").await;
    phone.ok("QUIT").await;
    let mut laptop = house.client("alice").await;
    assert_eq!(laptop.long("TOP 1 0").await, ["Subject: four", ""]);
    laptop.err("TOP 2 0").await;
}

#[tokio::test]
async fn everyone_sees_only_their_own_letters() {
    let house = House::build().await;
    house.deliver("alice", &[letter("for alice")]).await;
    let mut carol = house.client("carol").await;
    assert_eq!(carol.ok("STAT").await, "+OK 0 0");
    carol.err("RETR 1").await;
    assert!(carol.long("UIDL").await.is_empty());
    carol.ok("QUIT").await;
}

#[tokio::test]
async fn what_is_pipelined_behind_stls_is_thrown_away() {
    let house = House::build().await;
    let (mut client, greeting) = house.stranger().await;
    assert!(greeting.starts_with("+OK "));
    client.err("USER alice@home.test").await;
    client.send("STLS\r\nUSER alice@home.test\r\nPASS open sesame\r\n").await;
    assert!(client.line().await.starts_with("+OK "));
    let mut client = client.encrypted().await;
    client.err("STAT").await;
    client.err("PASS open sesame").await;
    client.ok("USER alice@home.test").await;
    client.ok("PASS open sesame").await;
    client.ok("STAT").await;
}

#[tokio::test]
async fn wrong_password_and_unknown_user_hear_the_same() {
    let house = House::build().await;
    let mut heard = Vec::new();
    for name in ["alice", "nobody"] {
        let mut guest = house.guest().await;
        guest.ok(&format!("USER {name}@home.test")).await;
        heard.push(guest.err("PASS wrong").await);
    }
    assert_eq!(heard[0], heard[1]);
    assert!(heard[0].starts_with("-ERR [AUTH] "), "{heard:?}");
}

#[tokio::test]
async fn a_silent_session_is_closed_without_a_word_and_deletes_nothing() {
    let house = House::with(Duration::from_millis(200), 1_000).await;
    house.deliver("alice", &[letter("one")]).await;
    let mut alice = house.client("alice").await;
    alice.send("DELE 1\r\n").await;
    assert_eq!(alice.rest().await, b"+OK it will be deleted when you QUIT\r\n");
    assert_eq!(house.client("alice").await.ok("STAT").await.split(' ').nth(1), Some("1"));
}

#[tokio::test]
async fn sessions_are_told_when_the_server_goes_down() {
    let house = House::build().await;
    house.deliver("alice", &[letter("one")]).await;
    let (mut guest, mut alice) = (house.guest().await, house.client("alice").await);
    alice.ok("DELE 1").await;
    house.shutdown.send(true).unwrap();
    for client in [&mut guest, &mut alice] {
        assert!(client.line().await.starts_with("-ERR [SYS/TEMP] "));
        assert!(client.rest().await.is_empty());
    }
    let account = house.store.accounts().unwrap().remove(0).id;
    let inbox = house.store.snapshot().unwrap().mailbox_by_name(account, "INBOX").unwrap().unwrap();
    assert_eq!(inbox.messages, 1, "nothing is deleted without QUIT");
}

#[tokio::test]
async fn who_finds_no_place_is_told() {
    let house = House::with(Duration::from_secs(600), 1).await;
    let (_first, greeting) = house.stranger().await;
    assert!(greeting.starts_with("+OK "));
    let (mut second, word) = house.stranger().await;
    assert!(word.starts_with("-ERR [SYS/TEMP] "), "{word}");
    assert!(second.rest().await.is_empty());
}
