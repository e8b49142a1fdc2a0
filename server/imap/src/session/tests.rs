#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::net::SocketAddr;
use std::time::Duration;

use mailstead_message::{Address, Domain};
use mailstead_net::Certificates;
use mailstead_store::{Options, PasswordCost};

use super::*;

#[tokio::test]
async fn news_of_the_past_wake_nobody_who_has_no_mailbox_open() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
    let store = Store::open(&folder.path().join("data"), options).unwrap();
    store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
    let id = store.add_account(Address::parse("alice@home.test").unwrap(), "secret", None).await.unwrap();
    let somewhere = SocketAddr::from(([127, 0, 0, 1], 1));
    let config = Config {
        hostname: "mail.home.test".to_owned(),
        implicit_tls: true,
        certificates: Certificates::self_signed(folder.path(), &["localhost".to_owned()]).unwrap(),
        max_message_size: 1,
        spool_folder: folder.path().to_owned(),
        idle_timeout: Duration::from_secs(1),
    };
    let user = User { id, watch: store.watch(id), condstore: false, view: None };
    let mut session = Session {
        config: Arc::new(config),
        store,
        gate: Arc::default(),
        peer: Peer { remote: somewhere, local: somewhere },
        offer: None,
        state: State::Authenticated(user),
        failures: 0,
    };
    session.store.create_mailbox(id, "News", None).await.unwrap();
    assert!(session.user().unwrap().watch.has_changed().unwrap());
    session.tell_changes(Moment::Any, &Told::new(), &mut Vec::new());
    assert!(!session.user().unwrap().watch.has_changed().unwrap(), "IDLE would run in circles");
}
