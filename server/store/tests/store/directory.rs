//! Who exists, where addresses lead, who may send with them, who may log in.

use mailstead_message::Domain;
use mailstead_store::*;

use crate::world::{World, acceptance, address, append, letter, options, trace};

fn domain(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

async fn alias(world: &World, name: &str, targets: &[&str]) {
    let targets = targets.iter().map(|target| address(target)).collect();
    world.store.set_alias(Alias { address: address(name), targets }).await.unwrap();
}

/// Where an address leads, as text, in order.
fn route(world: &World, text: &str) -> Vec<String> {
    match world.store.route(&address(text)).unwrap() {
        Route::NotLocal => vec!["not local".to_owned()],
        Route::Unknown => vec!["unknown".to_owned()],
        Route::Targets(targets) => targets
            .into_iter()
            .map(|target| match target {
                Target::Account { address, full: false, .. } => address.to_string(),
                Target::Account { address, full: true, .. } => format!("{address} (full)"),
                Target::Remote(address) => format!("remote {address}"),
            })
            .collect(),
        Route::Reports(kind) => vec![format!("{} reports", kind.as_str())],
    }
}

#[tokio::test]
async fn reports_have_addresses_of_their_own_unless_somebody_has_them() {
    let (world, _) = World::with_alice().await;
    world.store.set_catch_all(&Domain::parse("home.test").unwrap(), Some(address("alice@home.test"))).await.unwrap();
    assert_eq!(route(&world, "DMARC-Reports@home.test"), ["dmarc reports"]);
    assert_eq!(route(&world, "tls-reports+world@home.test"), ["tls reports"]);
    assert_eq!(route(&world, "tls-reports@far.test"), ["not local"]);
    alias(&world, "tls-reports@home.test", &["x@far.test"]).await;
    world.store.add_address(&address("alice@home.test"), address("dmarc-reports@home.test")).await.unwrap();
    assert_eq!(route(&world, "tls-reports@home.test"), ["remote x@far.test"]);
    assert_eq!(route(&world, "dmarc-reports@home.test"), ["alice@home.test"]);
}

#[tokio::test]
async fn an_address_leads_to_its_account_in_any_case_and_with_any_tag() {
    let (world, _) = World::with_alice().await;
    world.store.add_address(&address("alice@home.test"), address("al@home.test")).await.unwrap();
    for text in ["alice@home.test", "ALICE@Home.Test", "Alice+shop@home.test", "al@home.test", "al+a+b@home.test"] {
        assert_eq!(route(&world, text), ["alice@home.test"], "{text}");
    }
    assert_eq!(route(&world, "nobody@home.test"), ["unknown"]);
    assert_eq!(route(&world, "alice@world.test"), ["not local"]);
    assert_eq!(route(&world, "alice@sub.home.test"), ["not local"]);
}

#[tokio::test]
async fn an_international_domain_is_one_domain_in_both_spellings() {
    let world = World::new(options()).await;
    world.store.add_domain(domain("bücher.example")).await.unwrap();
    assert!(matches!(world.store.add_domain(domain("xn--bcher-kva.example")).await, Err(StoreError::Exists(_))));
    world.account("jürgen@bücher.example").await;
    for text in ["jürgen@xn--bcher-kva.example", "JÜRGEN@BÜCHER.example", "ju\u{308}rgen@bücher.example"] {
        assert_eq!(route(&world, text).len(), 1, "{text}");
        assert_ne!(route(&world, text), ["unknown"], "{text}");
    }
}

#[tokio::test]
async fn aliases_are_followed_each_target_once_and_loops_end() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    alias(&world, "family@home.test", &["alice@home.test", "both@home.test", "aunt@world.test"]).await;
    alias(&world, "both@home.test", &["bob@home.test", "alice@home.test", "aunt@world.test", "family@home.test"]).await;
    assert_eq!(route(&world, "family+x@home.test"), ["alice@home.test", "bob@home.test", "remote aunt@world.test"]);
    alias(&world, "a@home.test", &["b@home.test"]).await;
    alias(&world, "b@home.test", &["a@home.test"]).await;
    assert_eq!(route(&world, "a@home.test"), ["unknown"]);
    let itself = Alias { address: address("c@home.test"), targets: vec![address("C@home.test")] };
    assert!(matches!(world.store.set_alias(itself).await, Err(StoreError::Invalid(_))));
    let taken = Alias { address: address("Bob@home.test"), targets: vec![address("alice@home.test")] };
    assert!(matches!(world.store.set_alias(taken).await, Err(StoreError::Exists(_))));
    world.store.remove_alias(&address("a@home.test")).await.unwrap();
    assert_eq!(world.store.aliases().unwrap().len(), 3);
}

#[tokio::test]
async fn an_exact_tagged_alias_comes_before_the_account_without_the_tag() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    alias(&world, "alice+bob@home.test", &["bob@home.test"]).await;
    assert_eq!(route(&world, "alice+bob@home.test"), ["bob@home.test"]);
}

#[tokio::test]
async fn the_catch_all_takes_what_nobody_has() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    let home = domain("home.test");
    world.store.set_catch_all(&home, Some(address("bob@home.test"))).await.unwrap();
    assert_eq!(route(&world, "anything@home.test"), ["bob@home.test"]);
    assert_eq!(route(&world, "alice@home.test"), ["alice@home.test"]);
    world.store.set_catch_all(&home, Some(address("me@world.test"))).await.unwrap();
    assert_eq!(route(&world, "anything@home.test"), ["remote me@world.test"]);
    world.store.set_catch_all(&home, None).await.unwrap();
    assert_eq!(route(&world, "anything@home.test"), ["unknown"]);
}

#[tokio::test]
async fn postmaster_and_abuse_lead_to_the_first_account_unless_somebody_has_them() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    for text in ["postmaster@home.test", "PostMaster@home.test", "abuse@home.test", "abuse+1@home.test"] {
        assert_eq!(route(&world, text), ["alice@home.test"], "{text}");
    }
    alias(&world, "postmaster@home.test", &["bob@home.test"]).await;
    assert_eq!(route(&world, "Postmaster@home.test"), ["bob@home.test"]);
    assert_eq!(route(&world, "postmaster@world.test"), ["not local"]);
}

async fn forward(world: &World, account: &str, to: &[&str], keep: bool) -> Result<(), StoreError> {
    let to = to.iter().map(|target| address(target)).collect();
    world.store.set_forwarding(&address(account), Some(Forwarding { to, keep })).await
}

#[tokio::test]
async fn an_account_has_its_mail_sent_on_with_or_without_a_copy() {
    let (world, alice) = World::with_alice().await;
    let bob = world.account("bob@home.test").await;
    world.store.add_address(&address("alice@home.test"), address("al@home.test")).await.unwrap();
    forward(&world, "alice@home.test", &["alice@far.test", "bob@home.test"], true).await.unwrap();
    for known in ["al@home.test", "alice+shop@home.test"] {
        assert_eq!(route(&world, known), ["alice@home.test", "remote alice@far.test", "bob@home.test"], "{known}");
    }
    forward(&world, "alice@home.test", &["bob@home.test"], false).await.unwrap();
    assert_eq!(route(&world, "alice@home.test"), ["bob@home.test"]);
    for (account, may) in [(alice, true), (bob, false)] {
        assert_eq!(world.store.may_send_as(account, &address("alice@home.test")).unwrap(), may, "{account}");
    }
    let known = world.store.account(alice).unwrap().unwrap().forwarding.unwrap();
    assert_eq!((known.to, known.keep), (vec![address("bob@home.test")], false));
    world.store.set_forwarding(&address("alice@home.test"), None).await.unwrap();
    assert_eq!(route(&world, "alice@home.test"), ["alice@home.test"]);
}

#[tokio::test]
async fn what_would_go_round_in_a_circle_stays_with_whom_it_was_for() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    for own in ["Alice@home.test", "alice+tag@home.test"] {
        let refused = forward(&world, "alice@home.test", &[own], true).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{refused:?}");
    }
    forward(&world, "alice@home.test", &["bob@home.test"], false).await.unwrap();
    forward(&world, "bob@home.test", &["round@home.test"], false).await.unwrap();
    alias(&world, "round@home.test", &["alice@home.test"]).await;
    assert_eq!(route(&world, "alice@home.test"), ["alice@home.test"]);
    assert_eq!(route(&world, "bob@home.test"), ["bob@home.test"]);
    forward(&world, "bob@home.test", &["alice@home.test"], true).await.unwrap();
    assert_eq!(route(&world, "alice@home.test"), ["bob@home.test"]);
    world.store.remove_account(&address("bob@home.test")).await.unwrap();
    assert_eq!(route(&world, "alice@home.test"), ["alice@home.test"], "nothing is lost when nobody is there any more");
}

#[tokio::test]
async fn a_full_account_says_so() {
    let (world, alice) = World::with_alice().await;
    world.append(world.mailbox(alice, "INBOX").id, &letter(1)).await;
    world.store.set_quota(&address("alice@home.test"), Some(letter(1).len() as u64)).await.unwrap();
    assert_eq!(route(&world, "alice@home.test"), ["alice@home.test (full)"]);
    let more = world.store.append(world.mailbox(alice, "Sent").id, vec![append(b"x")]).await;
    assert!(matches!(more, Err(StoreError::OverQuota)));
    world.store.set_quota(&address("alice@home.test"), None).await.unwrap();
    assert_eq!(route(&world, "alice@home.test"), ["alice@home.test"]);
}

#[tokio::test]
async fn an_account_sends_with_its_own_addresses_and_aliases_only() {
    let (world, alice) = World::with_alice().await;
    let bob = world.account("bob@home.test").await;
    world.store.add_address(&address("alice@home.test"), address("al@home.test")).await.unwrap();
    alias(&world, "info@home.test", &["bob@home.test", "aunt@world.test"]).await;
    world.store.set_catch_all(&domain("home.test"), Some(address("bob@home.test"))).await.unwrap();
    for (account, text, may) in [
        (alice, "Alice@home.test", true),
        (alice, "alice+shop@home.test", true),
        (alice, "al@home.test", true),
        (alice, "bob@home.test", false),
        (alice, "info@home.test", false),
        (bob, "info@home.test", true),
        (bob, "stranger@home.test", false),
        (bob, "aunt@world.test", false),
    ] {
        assert_eq!(world.store.may_send_as(account, &address(text)).unwrap(), may, "{account} {text}");
    }
}

#[tokio::test]
async fn only_the_right_password_of_an_enabled_account_logs_in() {
    let (world, alice) = World::with_alice().await;
    let login = address("alice@home.test");
    world.store.add_address(&login, address("al@home.test")).await.unwrap();
    let who = Login { id: alice, address: login.clone(), app_password: None };
    for name in ["alice@home.test", " ALICE@home.test ", "al@home.test"] {
        assert_eq!(world.store.authenticate(name, "secret").await.unwrap(), Some(who.clone()), "{name}");
    }
    let long = "x".repeat(2_000);
    for (name, password) in [
        ("alice@home.test", "Secret"),
        ("alice@home.test", ""),
        ("alice@home.test", &long),
        ("alice+tag@home.test", "secret"),
        ("bob@home.test", "secret"),
        ("alice", "secret"),
        ("", ""),
    ] {
        assert_eq!(world.store.authenticate(name, password).await.unwrap(), None, "{name} {password}");
    }
    world.store.set_disabled(&login, true).await.unwrap();
    assert_eq!(world.store.authenticate("alice@home.test", "secret").await.unwrap(), None);
    world.store.set_disabled(&login, false).await.unwrap();
    world.store.set_password(&login, "other").await.unwrap();
    assert_eq!(world.store.authenticate("alice@home.test", "secret").await.unwrap(), None);
    assert!(world.store.authenticate("alice@home.test", "other").await.unwrap().is_some());
    assert!(matches!(world.store.set_password(&login, "").await, Err(StoreError::Invalid(_))));
}

#[tokio::test]
async fn addresses_belong_to_one_account_of_a_domain_of_ours() {
    let (world, _) = World::with_alice().await;
    world.account("bob@home.test").await;
    let taken = world.store.add_account(address("ALICE@home.test"), "secret", None).await;
    assert!(matches!(taken, Err(StoreError::Exists(_))));
    let foreign = world.store.add_account(address("alice@world.test"), "secret", None).await;
    assert!(matches!(foreign, Err(StoreError::NotFound(_))));
    let taken = world.store.add_address(&address("bob@home.test"), address("alice@home.test")).await;
    assert!(matches!(taken, Err(StoreError::Exists(_))));
    let own = world.store.remove_address(&address("bob@home.test"), &address("bob@home.test")).await;
    assert!(matches!(own, Err(StoreError::Invalid(_))));
    assert!(matches!(world.store.remove_domain(&domain("home.test")).await, Err(StoreError::Invalid(_))));
}

#[tokio::test]
async fn a_removed_account_takes_its_mail_and_addresses_with_it() {
    let (world, alice) = World::with_alice().await;
    let login = address("alice@home.test");
    world.store.add_address(&login, address("al@home.test")).await.unwrap();
    let inbox = world.mailbox(alice, "INBOX").id;
    world.append(inbox, &letter(1)).await;
    let blob = world.message(inbox, 1).blob;
    world.store.remove_account(&address("al@home.test")).await.unwrap();
    assert!(world.store.accounts().unwrap().is_empty());
    assert!(matches!(world.store.open_blob(blob), Err(StoreError::NotFound(_))));
    assert_eq!(route(&world, "al@home.test"), ["unknown"]);
    assert!(world.store.snapshot().unwrap().mailboxes(alice).unwrap().is_empty());
    let late = world.store.accept(vec![acceptance(&letter(1), vec![crate::world::delivery(alice)])]).await;
    assert!(matches!(late, Err(StoreError::NotFound(_))));
    assert!(world.store.story(trace(1)).unwrap().is_none());
    let new = world.account("alice@home.test").await;
    assert_ne!(new, alice);
    world.store.remove_account(&login).await.unwrap();
    world.store.remove_domain(&domain("home.test")).await.unwrap();
    assert!(world.store.domains().unwrap().is_empty());
}

#[tokio::test]
async fn a_domains_smarthost_comes_before_the_servers() {
    let world = World::new(options()).await;
    let home = domain("home.test");
    let relay = |host: &str| Smarthost { host: host.to_owned(), port: 465, tls: SmarthostTls::Implicit, login: None };
    assert_eq!(world.store.smarthost_for(Some(&home)).unwrap(), None);
    world.store.set_smarthost(None, Some(relay("all.test"))).await.unwrap();
    world.store.set_smarthost(Some(&home), Some(relay("home-relay.test"))).await.unwrap();
    let world = world.reopened(|_| {});
    assert_eq!(world.store.smarthost_for(Some(&home)).unwrap(), Some(relay("home-relay.test")));
    assert_eq!(world.store.smarthost_for(None).unwrap(), Some(relay("all.test")));
    world.store.set_smarthost(Some(&home), None).await.unwrap();
    assert_eq!(world.store.smarthost_for(Some(&home)).unwrap(), Some(relay("all.test")));
    world.store.set_smarthost(None, None).await.unwrap();
    assert_eq!(world.store.smarthost_for(Some(&home)).unwrap(), None);
}
