//! How long a server may be silent, and a stop may take.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::net::IpAddr;

use mailstead_message::{Address, TraceId};
use mailstead_net::dns::{Answer, Data, DnsError, Kind, Mx};
use mailstead_net::{BoxFuture, ClientTls};
use mailstead_smtp::client::Timeouts;
use mailstead_store::{Acceptance, NewQueueEntry, NewRecipient, Options, PasswordCost, Prepared, TlsNeed};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::*;
use crate::Schedule;

/// Nothing here takes longer, even on a busy machine.
const DEADLINE: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_millis(100);

/// Every name leads to this machine.
struct Here;

impl Dns for Here {
    fn ask<'a>(&'a self, _: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let host = |preference, host: &str| Data::Mx(Mx { preference, host: host.to_owned() });
        let found = match kind {
            Kind::Mx => Ok(vec![host(1, "a.world.test"), host(2, "b.world.test")]),
            Kind::A => Ok(vec![Data::Address(IpAddr::from([127, 0, 0, 1]))]),
            _ => Err(DnsError::NoRecords),
        };
        Box::pin(std::future::ready(found.map(Answer::insecure)))
    }
}

/// The same, and a policy is said to be somewhere.
struct WithPolicy;

impl Dns for WithPolicy {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        if (name, kind) == ("_mta-sts.world.test", Kind::Txt) {
            let record = Data::Txt(b"v=STSv1; id=1;".to_vec());
            return Box::pin(std::future::ready(Ok(Answer::insecure(vec![record]))));
        }
        Here.ask(name, kind)
    }
}

async fn store_with_a_letter(folder: &std::path::Path) -> Store {
    let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
    let store = Store::open(folder, options).unwrap();
    let address = Address::parse("bob@world.test").unwrap();
    let entry = NewQueueEntry {
        reverse_path: None,
        recipients: vec![NewRecipient { address, orcpt: None, notify: None }],
        envid: None,
        ret: None,
        eight_bit: false,
        smtputf8: false,
        tls: TlsNeed::Usual,
    };
    let letter = Acceptance {
        message: Prepared::from_bytes(b"Subject: x\r\n\r\nx\r\n").unwrap(),
        received: Timestamp(jiff::Timestamp::now().as_second()),
        deliveries: Vec::new(),
        queue: vec![entry],
        report: None,
        trace: TraceId::new(0, 1),
        story: Vec::new(),
    };
    store.accept(vec![letter]).await.unwrap();
    store
}

fn runner(store: &Store, port: u16, patience: Patience) -> Runner {
    let policy = Policy {
        hostname: "mail.home.test".to_owned(),
        port,
        port_overrides: HashMap::new(),
        allow_private: true,
        own_addresses: Vec::new(),
        concurrency: 4,
        per_destination: 1,
        schedule: Schedule::default(),
        verified_tls: ClientTls::verifying(&[]).unwrap(),
    };
    Runner::with_patience(store.clone(), Arc::new(Here), policy, patience)
}

#[tokio::test]
async fn a_stop_waits_for_no_silent_server_and_loses_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_a_letter(folder.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let patience = Patience { grace: SHORT, ..Patience::default() };
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner(&store, silent.local_addr().unwrap().port(), patience).run(stopped));
    let _connection = timeout(DEADLINE, silent.accept()).await.unwrap().unwrap();
    stop.send(true).unwrap();
    timeout(DEADLINE, running).await.unwrap().unwrap();
    let queue = store.queue().unwrap();
    assert_eq!((queue.len(), queue[0].attempts), (1, 0));
}

#[tokio::test]
async fn a_silent_policy_host_costs_its_time_and_the_letter_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_a_letter(folder.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let patience = Patience { policy: SHORT, ..Patience::default() };
    let mut runner = runner(&store, closed, patience);
    let context = Arc::get_mut(&mut runner.context).unwrap();
    context.policy.port_overrides.insert("mta-sts.world.test".to_owned(), silent.local_addr().unwrap().port());
    context.dns = Arc::new(WithPolicy);
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner.run(stopped));
    let tried = async {
        while store.queue().unwrap()[0].attempts == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, tried).await.unwrap();
    stop.send(true).unwrap();
    timeout(DEADLINE, running).await.unwrap().unwrap();
    timeout(DEADLINE, silent.accept()).await.unwrap().unwrap();
    let stories = store.stories_of(&Address::parse("bob@world.test").unwrap(), 1).unwrap();
    let told: Vec<&str> = stories[0].events.iter().map(|event| event.text.as_str()).collect();
    let expected = "world.test has an MTA-STS policy that can't be used, so none applies: it did not come within";
    assert!(told.iter().any(|text| text.starts_with(expected)), "{told:?}");
}

#[tokio::test]
async fn each_silent_server_costs_its_time_and_the_letter_waits() {
    let folder = tempfile::tempdir().unwrap();
    let store = store_with_a_letter(folder.path()).await;
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let smtp = Timeouts { greeting: SHORT, ..Timeouts::default() };
    let patience = Patience { smtp, ..Patience::default() };
    let (stop, stopped) = watch::channel(false);
    let running = tokio::spawn(runner(&store, silent.local_addr().unwrap().port(), patience).run(stopped));
    let tried = async {
        while store.queue().unwrap()[0].attempts == 0 {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, tried).await.unwrap();
    stop.send(true).unwrap();
    timeout(DEADLINE, running).await.unwrap().unwrap();
    let connections = async {
        for _ in 0..2 {
            silent.accept().await.unwrap();
        }
    };
    timeout(DEADLINE, connections).await.unwrap();
    let last = store.queue().unwrap()[0].recipients[0].last.clone().unwrap();
    assert!(last.contains("b.world.test") && last.contains("no answer within"), "{last}");
}
