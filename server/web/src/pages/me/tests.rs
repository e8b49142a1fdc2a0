#![allow(clippy::unwrap_used, clippy::expect_used)]
use mailstead_message::Address;

use crate::http::tests::{Browser, site};
use crate::site::Site;

const BOB: &str = "bob@home.test";

async fn people(folder: &std::path::Path) -> Site {
    let site = site(folder, None).await;
    for name in ["alice", "bob"] {
        let address = Address::parse(&format!("{name}@home.test")).unwrap();
        site.store.add_account(address, &format!("{name}-password"), None).await.unwrap();
    }
    site
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_takes_back_what_is_anothers_or_without_a_form_of_ours() {
    let folder = tempfile::tempdir().unwrap();
    let site = people(folder.path()).await;
    let alice = Address::parse("alice@home.test").unwrap();
    let (made, _) = site.store.add_app_password(&alice, "phone").await.unwrap();
    let mut bob = Browser::signed_in(site.clone(), BOB, "bob-password").await;
    bob.get("/me/app-passwords").await;
    let form = format!("id={}", made.id.0);
    assert!(bob.post("/me/app-passwords/remove", &form, true).await.starts_with("HTTP/1.1 303"));
    assert!(bob.get("/me/app-passwords").await.contains("does not exist"));
    bob.post("/me/app-passwords/remove-all", "", true).await;
    assert_eq!(site.store.app_passwords(&alice).unwrap().len(), 1);
    let mut alices = Browser::signed_in(site.clone(), "alice@home.test", "alice-password").await;
    alices.get("/me").await;
    for (path, form) in [
        ("/me/app-passwords", "name=laptop"),
        ("/me/app-passwords/remove", form.as_str()),
        ("/me/app-passwords/remove-all", ""),
        ("/me/app-passwords/profile", "password=x"),
        ("/me/forwarding", "to=thief@evil.example"),
        ("/me/forwarding/stop", ""),
        ("/me/password", "current=alice-password&new=another-password&again=another-password"),
    ] {
        let answer = alices.post(path, form, false).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{path}: {answer}");
    }
    assert_eq!(site.store.app_passwords(&alice).unwrap().len(), 1);
    assert_eq!(site.store.accounts().unwrap().iter().filter(|account| account.forwarding.is_some()).count(), 0);
    assert!(site.store.authenticate_own("alice@home.test", "alice-password").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_type_is_shown_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let mut bob = Browser::signed_in(people(folder.path()).await, BOB, "bob-password").await;
    for (page, form) in [
        ("/me/app-passwords", "name=%3Cscript%3E%22x"),
        ("/me/app-passwords", "name=%3Cscript%3E%22x"),
        ("/me/forwarding", "to=%3C%2Ftextarea%3E%3Cscript%3E"),
    ] {
        bob.get(page).await;
        let answer = bob.post(page, form, true).await;
        assert!(answer.contains("&lt;script&gt;") && !answer.contains("<script>"), "{answer}");
    }
    let list = bob.get("/me/app-passwords").await;
    assert!(list.contains("&lt;script&gt;") && !list.contains("<script>"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_with_a_password_is_kept_by_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let mut bob = Browser::signed_in(people(folder.path()).await, BOB, "bob-password").await;
    bob.get("/me/app-passwords").await;
    let answer = bob.post("/me/app-passwords/profile", "password=abcd-efgh", true).await;
    assert!(answer.contains("<string>abcd-efgh</string>") && answer.contains("cache-control: no-store"), "{answer}");
    assert!(answer.contains("<string>bob@home.test</string>"), "{answer}");
}
