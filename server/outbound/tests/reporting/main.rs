//! Reports go to those who ask for them, once.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use mailstead_auth::report::{Findings, Report, ReportKind, unpack};
use mailstead_message::{Address, Domain, header};
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};
use mailstead_net::{BoxFuture, ClientTls};
use mailstead_outbound::{Fate, Policy, Reporter, Schedule};
use mailstead_store::{
    Day, DmarcOutcome, DmarcPolicy, DmarcPublished, Options, PasswordCost, Store, Timestamp, TlsOutcome, TlsPolicy,
};

/// TXT records by name; a name that is not there does not exist.
#[derive(Default)]
struct Names(Mutex<HashMap<String, Result<String, DnsError>>>);

impl Names {
    fn say(&self, name: &str, text: &str) {
        self.0.lock().unwrap().insert(name.to_owned(), Ok(text.to_owned()));
    }

    fn fall_silent(&self, name: &str) {
        self.0.lock().unwrap().insert(name.to_owned(), Err(DnsError::Temporary("no answer".to_owned())));
    }
}

impl Dns for Names {
    fn ask<'a>(&'a self, name: &'a str, _: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let found = self.0.lock().unwrap().get(name).cloned().unwrap_or(Err(DnsError::NoName));
        Box::pin(std::future::ready(found.map(|text| Answer::insecure(vec![Data::Txt(text.into_bytes())]))))
    }
}

struct World {
    store: Store,
    names: Arc<Names>,
    reporter: Reporter,
    yesterday: Timestamp,
    _folder: tempfile::TempDir,
}

impl World {
    async fn build() -> Self {
        mailstead_net::tls::install_crypto();
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(&folder.path().join("data"), options).unwrap();
        store.add_domain(domain("first.test")).await.unwrap();
        store.add_domain(domain("home.test")).await.unwrap();
        let names = Arc::new(Names::default());
        let policy = Policy {
            hostname: "mail.home.test".to_owned(),
            port: 25,
            port_overrides: HashMap::new(),
            allow_private: false,
            own_addresses: Vec::new(),
            concurrency: 1,
            per_destination: 1,
            schedule: Schedule::default(),
            verified_tls: ClientTls::verifying(&[]).unwrap(),
        };
        let reporter = Reporter::new(store.clone(), names.clone(), policy);
        let yesterday = Timestamp(jiff::Timestamp::now().as_second() - 24 * 60 * 60);
        Self { store, names, reporter, yesterday, _folder: folder }
    }

    async fn tally(&self) {
        for _ in 0..3 {
            self.store.tally_tls(self.yesterday, session("world.test"));
        }
        self.store.tally_dmarc(self.yesterday, letter("world.test"));
    }

    async fn fates(&self) -> Vec<Fate> {
        self.reporter.send(None).await.unwrap().into_iter().map(|sent| sent.fate).collect()
    }

    fn owed(&self) -> usize {
        let owed = |kind| self.store.tallied(kind, Day(u32::MAX - 1)).unwrap().len();
        owed(ReportKind::Tls) + owed(ReportKind::Dmarc)
    }

    /// What waits to go out: from, to, message.
    fn queue(&self) -> Vec<(String, String, Vec<u8>)> {
        let queue = self.store.queue().unwrap().into_iter().map(|entry| {
            let message = self.store.open_blob(entry.blob).unwrap().read_all().unwrap();
            let from = entry.reverse_path.map(|address| address.to_string()).unwrap_or_default();
            (from, entry.recipients[0].address.to_string(), message)
        });
        queue.collect()
    }
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn session(of: &str) -> TlsOutcome {
    TlsOutcome { domain: domain(of), policy: TlsPolicy::NotFound, failure: None }
}

fn letter(of: &str) -> DmarcOutcome {
    DmarcOutcome {
        domain: domain(of),
        published: DmarcPublished {
            strict_dkim: false,
            strict_spf: false,
            policy: DmarcPolicy::Reject,
            subdomains: Some(DmarcPolicy::Reject),
            nonexistent: None,
            testing: false,
            percent: None,
            failure_options: None,
        },
        source: [192, 0, 2, 7].into(),
        disposition: DmarcPolicy::None,
        dkim_aligned: true,
        spf_aligned: false,
        overrides: Vec::new(),
        header_from: domain(of),
        envelope_from: Some(domain(of)),
        envelope_to: None,
        dkim: Vec::new(),
        spf: None,
    }
}

fn sent_to(address: &str) -> Fate {
    Fate::Sent(vec![address.to_owned()])
}

#[tokio::test]
async fn who_asks_gets_the_days_report_once() {
    let world = World::build().await;
    world.names.say("_smtp._tls.world.test", "v=TLSRPTv1; rua=mailto:tls@world.test");
    world.names.say("_dmarc.world.test", "v=DMARC1; p=reject; rua=mailto:dmarc@world.test!1m");
    world.tally().await;
    assert_eq!(world.fates().await, [sent_to("tls@world.test"), sent_to("dmarc@world.test")]);
    assert_eq!((world.owed(), world.fates().await), (0, Vec::new()));
    let queue = world.queue();
    let envelope = |index: usize| (queue[index].0.as_str(), queue[index].1.as_str());
    assert_eq!(queue.len(), 2);
    let (tls, dmarc) = if queue[0].1 == "tls@world.test" { (0, 1) } else { (1, 0) };
    assert_eq!(envelope(tls), ("tls-reports@home.test", "tls@world.test"));
    assert_eq!(envelope(dmarc), ("dmarc-reports@home.test", "dmarc@world.test"));

    let day = Day::of(world.yesterday);
    let read = |index: usize| -> Report { unpack::read(&queue[index].2).unwrap() };
    let report = read(tls);
    assert_eq!((report.begin, report.end), (day.begin().0, day.end().0));
    assert_eq!((report.organisation.as_str(), report.contact.as_str()), ("home.test", "postmaster@home.test"));
    assert_eq!(report.findings, Findings::Tls(vec![(session("world.test"), 3)]));
    assert_eq!(header::value(&queue[tls].2, "TLS-Required").as_deref(), Some("No"));
    assert_eq!(read(dmarc).findings, Findings::Dmarc(vec![(letter("world.test"), 1)]));
    assert_ne!(read(dmarc).id, report.id);
}

#[tokio::test]
async fn what_nobody_asks_for_is_forgotten_and_what_dns_hides_is_kept() {
    let world = World::build().await;
    world.names.fall_silent("_dmarc.world.test");
    world.tally().await;
    let fates = world.fates().await;
    assert!(matches!(fates.as_slice(), [Fate::Unwanted, Fate::Later(why)] if why.contains("no answer")), "{fates:?}");
    assert_eq!((world.owed(), world.queue().len()), (1, 0));
    world.names.say("_dmarc.world.test", "v=DMARC1; p=reject; rua=mailto:dmarc@world.test");
    assert_eq!(world.fates().await, [sent_to("dmarc@world.test")]);
}

#[tokio::test]
async fn a_report_too_large_for_its_reader_or_for_places_of_ours_is_not_sent() {
    let world = World::build().await;
    world.names.say("_dmarc.world.test", "v=DMARC1; p=reject; rua=mailto:dmarc@world.test!100");
    world.names.say("_smtp._tls.world.test", "v=TLSRPTv1; rua=https://127.0.0.1/,https://reports.world.test/");
    world.tally().await;
    let fates = world.fates().await;
    let [Fate::Later(web), Fate::Later(mail)] = fates.as_slice() else { panic!("{fates:?}") };
    assert!(
        web.contains("https://127.0.0.1/ is no place") && web.contains("reports.world.test can't be found"),
        "{web}"
    );
    assert!(mail.contains("takes 100 octets at most"), "{mail}");
    assert_eq!((world.owed(), world.queue().len()), (2, 0));
}

#[tokio::test]
async fn a_day_under_way_is_reported_by_hand_alone() {
    let world = World::build().await;
    world.names.say("_smtp._tls.world.test", "v=TLSRPTv1; rua=mailto:tls@world.test");
    let now = Timestamp(jiff::Timestamp::now().as_second());
    world.store.tally_tls(now, session("world.test"));
    assert_eq!(world.fates().await, []);
    let sent = world.reporter.send(Some(Day::of(now))).await.unwrap();
    assert_eq!(sent.len(), 1);
    let report = unpack::read(&world.queue()[0].2).unwrap();
    assert!(report.end <= jiff::Timestamp::now().as_second() && report.begin == Day::of(now).begin().0);
}

#[tokio::test]
async fn what_strangers_send_in_our_own_name_is_reported_to_ourselves() {
    let world = World::build().await;
    world.names.say("_dmarc.home.test", "v=DMARC1; p=reject; rua=mailto:dmarc-reports@home.test");
    world.store.tally_dmarc(world.yesterday, letter("home.test"));
    assert_eq!(world.fates().await, [sent_to("dmarc-reports@home.test")]);
    assert_eq!(world.queue().len(), 0, "it need not leave the house");
    let [entry] = world.store.reports(Some(&domain("home.test")), 10).unwrap().try_into().unwrap();
    assert_eq!(entry.head.brought.from, Address::parse("dmarc-reports@home.test").ok());
    assert_eq!(entry.head.gist.unwrap().good, 1);
}

#[tokio::test]
async fn whether_reports_are_sent_by_themselves_is_the_operators_to_say() {
    let world = World::build().await;
    assert!(world.store.sends_reports().unwrap());
    world.store.set_sends_reports(false).await.unwrap();
    assert!(!world.store.sends_reports().unwrap());
    world.store.set_sends_reports(true).await.unwrap();
    assert!(world.store.sends_reports().unwrap());
}
