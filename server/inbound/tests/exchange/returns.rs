//! Reports on what an alias has sent on find their way back to who wrote it.

use mailstead_store::QueueEntry;

use super::{LETTER, guest};
use crate::house::{House, address};

/// The one thing that waits in the queue and is not among those seen before.
fn latest(house: &House) -> QueueEntry {
    house.queue().pop().unwrap().0
}

fn recipients(entry: &QueueEntry) -> Vec<String> {
    entry.recipients.iter().map(|recipient| recipient.address.to_string()).collect()
}

async fn forwarded(house: &House, sender: &str) -> String {
    let letter = guest(house).await.letter(&format!("<{sender}>"), &["<out@home.test>"], LETTER).await;
    assert!(letter.starts_with("250 "), "{letter}");
    latest(house).reverse_path.map(|path| path.to_string()).unwrap_or_default()
}

#[tokio::test]
async fn a_report_on_a_forward_goes_to_its_author_and_nobody_elses_does() {
    let house = House::build().await;
    house.alias("out@home.test", &["eve@far.test"]).await;
    let path = forwarded(&house, "bob@world.test").await;
    let report = LETTER.replace("Hello", "Undelivered");
    for spelled in [path.clone(), path.to_uppercase(), path.to_lowercase()] {
        let reply = guest(&house).await.letter("<>", &[&format!("<{spelled}>")], &report).await;
        assert!(reply.starts_with("250 "), "{reply}");
        let entry = latest(&house);
        assert_eq!((entry.reverse_path.clone(), recipients(&entry)[0].to_lowercase()), (None, "bob@world.test".into()));
    }
    house.told("bob@world.test", "out@home.test sends it on with SRS0=").await;
    house.told("bob@world.test", "stands for bob@world.test, whose letter was sent on from here").await;
    let mut guest = guest(&house).await;
    guest.expect("MAIL FROM:<>", "250 ").await;
    for forged in [path.replace("bob", "eve"), path.replace("world", "bank"), "SRS0=a=b=c=d@home.test".to_owned()] {
        guest.expect(&format!("RCPT TO:<{forged}>"), "550 5.1.1 there is no SRS0=").await;
    }
    guest.expect("RCPT TO:<return=aaaaaaaaaaaaaaaa@home.test>", "550 5.1.1").await;
    guest.expect("RSET", "250 ").await;
    guest.expect("MAIL FROM:<spam@bank.test>", "250 ").await;
    guest.expect(&format!("RCPT TO:<{path}>"), "550 5.7.1 ").await;
    guest.expect(&format!("RCPT TO:<{}>", path.replace("@home.test", "@far.test")), "550 5.7.1 no relaying").await;
}

#[tokio::test]
async fn a_sender_too_long_for_an_address_or_beyond_ascii_is_remembered() {
    let house = House::build().await;
    house.alias("out@home.test", &["eve@far.test"]).await;
    let long = format!("{}@eu-west-1.amazonses.test", "0".repeat(60));
    let path = forwarded(&house, &long).await;
    assert!(path.starts_with("return=") && path.ends_with("@home.test"), "{path}");
    assert_eq!(forwarded(&house, &long).await, path);
    let reply = guest(&house).await.letter("<>", &[&format!("<{}>", path.to_uppercase())], LETTER).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert_eq!(recipients(&latest(&house)), [long]);

    let utf8 = "<j\u{f6}rg@world.test> SMTPUTF8";
    assert!(guest(&house).await.letter(utf8, &["<out@home.test>"], LETTER).await.starts_with("250 "));
    let entry = latest(&house);
    let path = entry.reverse_path.unwrap();
    assert!(path.to_string().starts_with("return=") && !entry.smtputf8, "{path}");
    let original = mailstead_inbound::original_sender(&house.store, &path, entry.created).unwrap();
    assert_eq!(original, address("j\u{f6}rg@world.test"));
}

#[tokio::test]
async fn our_own_people_and_nobody_need_no_other_address() {
    let house = House::build().await;
    house.alias("out@home.test", &["eve@far.test"]).await;
    assert_eq!(forwarded(&house, "alice@home.test").await, "alice@home.test");
    assert_eq!(forwarded(&house, "").await, "");
    assert_eq!(
        mailstead_inbound::original_sender(&house.store, &address("bob@world.test"), mailstead_store::Timestamp(0))
            .unwrap(),
        address("bob@world.test")
    );
}
