#![allow(clippy::unwrap_used, clippy::expect_used)]
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use mailstead_message::TraceId;
use mailstead_message::report::{DmarcOutcome, DmarcPolicy, DmarcPublished, Findings, Report};
use mailstead_net::dns::{Answer, Caa, Data, DnsError, Kind as Question, Mx, Srv, Tlsa};
use mailstead_store::{Acceptance, Brought, NewReport, Options, PasswordCost, Prepared, StsMode, Timestamp};

use super::*;

type Table = HashMap<(String, Question), Result<Vec<Data>, DnsError>>;

/// DNS by heart: what the zone's own servers say, and what the world sees.
#[derive(Clone, Default)]
struct World {
    own: Arc<Mutex<Table>>,
    public: Arc<Mutex<Table>>,
    at_servers: bool,
    /// The world sees signatures (DNSSEC).
    signed: bool,
}

impl Dns for World {
    fn ask<'a>(&'a self, name: &'a str, kind: Question) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let table = if self.at_servers { &self.own } else { &self.public };
        let table = table.lock().unwrap();
        let name = name.trim_end_matches('.').to_owned();
        let alias = table.get(&(name.clone(), Question::Cname)).cloned();
        let mut said = table.get(&(name.clone(), kind)).cloned();
        if let (None, Some(Ok(target))) = (&said, alias)
            && kind != Question::Cname
        {
            said = match target.as_slice() {
                [Data::Name(target)] if !self.at_servers => table.get(&(target.clone(), kind)).cloned(),
                _ => Some(Ok(target)),
            };
        }
        let exists = table.keys().any(|(known, _)| known.ends_with(&name));
        let nothing = if exists { DnsError::NoRecords } else { DnsError::NoName };
        let secure = self.signed;
        Box::pin(async move { Ok(Answer { secure, ..Answer::insecure(said.unwrap_or(Err(nothing))?) }) })
    }

    fn of_servers(&self, servers: &[IpAddr]) -> Result<Arc<dyn Dns>, DnsError> {
        assert_eq!(servers, ["192.0.2.53".parse::<IpAddr>().unwrap()]);
        Ok(Arc::new(Self { at_servers: true, ..self.clone() }))
    }
}

fn data(kind: Question, text: &str) -> Data {
    let words: Vec<&str> = text.split(' ').collect();
    let host = |word: &str| word.trim_end_matches('.').to_owned();
    match kind {
        Question::A | Question::Aaaa => Data::Address(text.parse().unwrap()),
        Question::Mx => Data::Mx(Mx { preference: words[0].parse().unwrap(), host: host(words[1]) }),
        Question::Txt => Data::Txt(text.as_bytes().to_vec()),
        Question::Srv => Data::Srv(Srv {
            priority: words[0].parse().unwrap(),
            weight: words[1].parse().unwrap(),
            port: words[2].parse().unwrap(),
            host: host(words[3]),
        }),
        Question::Caa => Data::Caa(Caa {
            critical: words[0] != "0",
            tag: words[1].to_owned(),
            value: words[2].trim_matches('"').to_owned(),
        }),
        Question::Ptr | Question::Ns | Question::Cname => Data::Name(host(text)),
        Question::Tlsa => {
            let numbers: Vec<u8> = words[..3].iter().map(|word| word.parse().unwrap()).collect();
            let octets =
                (0..words[3].len()).step_by(2).map(|at| u8::from_str_radix(&words[3][at..at + 2], 16).unwrap());
            Data::Tlsa(Tlsa { usage: numbers[0], selector: numbers[1], matching: numbers[2], data: octets.collect() })
        }
    }
}

impl World {
    fn new() -> Self {
        let world = Self::default();
        world.set("home.test", Question::Ns, &["ns.home.test."]);
        world.set("ns.home.test", Question::A, &["192.0.2.53"]);
        world
    }

    fn set(&self, name: &str, kind: Question, texts: &[&str]) {
        self.set_at(&self.own, name, kind, texts);
        self.set_at(&self.public, name, kind, texts);
    }

    fn set_at(&self, table: &Mutex<Table>, name: &str, kind: Question, texts: &[&str]) {
        let key = (name.to_owned(), kind);
        let records = texts.iter().map(|text| data(kind, text)).collect();
        let mut table = table.lock().unwrap();
        _ = if texts.is_empty() { table.remove(&key) } else { table.insert(key, Ok(records)) };
    }

    fn fail(&self, name: &str, kind: Question, error: DnsError) {
        for table in [&self.own, &self.public] {
            table.lock().unwrap().insert((name.to_owned(), kind), Err(error.clone()));
        }
    }

    fn publish(&self, check: &DomainCheck) {
        for entry in check.entries.iter().filter(|entry| entry.need != Need::Obsolete) {
            self.set(&entry.name, look::question(entry.kind), &[&entry.value]);
        }
    }
}

struct House {
    store: Store,
    world: World,
    host: Host,
    domain: Domain,
    _folder: tempfile::TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options { password_cost: PasswordCost::Light, ..Options::default() };
        let store = Store::open(folder.path(), options).unwrap();
        let domain = Domain::parse("home.test").unwrap();
        mailstead_outbound::add_domain(&store, domain.clone()).await.unwrap();
        store.set_sts_mode(&domain, StsMode::Enforce).await.unwrap();
        let host = Host {
            addresses: vec!["198.51.100.7".parse().unwrap()],
            services: Services { imaps: Some(993), ..Services::default() },
            issuer: Some("letsencrypt.org".to_owned()),
            ..Host::named("mail.home.test".to_owned())
        };
        Self { store, world: World::new(), host, domain, _folder: folder }
    }

    /// One where all is published.
    async fn published() -> Self {
        let house = Self::new().await;
        house.world.publish(&advised(&house.store, &house.domain, &house.host, Policy::None).unwrap());
        house
    }

    async fn check(&self) -> DomainCheck {
        check(&self.store, &self.world, &self.domain, &self.host).await.unwrap()
    }

    async fn entry(&self, id: &str) -> Entry {
        let check = self.check().await;
        check
            .entries
            .iter()
            .find(|entry| entry.id.starts_with(id))
            .unwrap_or_else(|| panic!("{id}: {check:#?}"))
            .clone()
    }

    async fn verdict(&self, id: &str) -> Verdict {
        self.entry(id).await.verdict.unwrap()
    }

    async fn is(&self, id: &str, expected: Mistake, words: &str) {
        match self.verdict(id).await {
            Verdict::Wrong { mistake: Some(mistake), difference, todo, .. } => {
                assert_eq!(mistake, expected, "{id}: {difference}");
                assert!(difference.contains(words) && todo.ends_with('.'), "{id}: {difference} / {todo}");
            }
            other => panic!("{id}: {other:?}"),
        }
    }

    async fn is_wrong(&self, id: &str, words: &str) {
        match self.verdict(id).await {
            Verdict::Wrong { difference, .. } => assert!(difference.contains(words), "{id}: {difference}"),
            other => panic!("{id}: {other:?}"),
        }
    }

    async fn is_right(&self, id: &str, words: &str) {
        match self.verdict(id).await {
            Verdict::Right { note } => assert!(note.clone().unwrap_or_default().contains(words), "{id}: {note:?}"),
            other => panic!("{id}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_published_is_right_and_what_is_not_is_missing() {
    let house = House::new().await;
    let check = house.check().await;
    let verdicts: Vec<&Verdict> = check.entries.iter().filter_map(|entry| entry.verdict.as_ref()).collect();
    assert!(verdicts.iter().all(|verdict| **verdict == Verdict::Missing) && !verdicts.is_empty(), "{check:#?}");
    assert!(!check.is_sound());
    let house = House::published().await;
    let check = house.check().await;
    for entry in &check.entries {
        assert_eq!(entry.verdict, Some(Verdict::right()), "{entry:#?}");
    }
    assert!(check.is_sound() && check.remarks.is_empty());
    assert_eq!(check.growth.unwrap().policy.as_deref(), Some("none"));
}

#[tokio::test]
async fn a_domain_nobody_serves_is_remarked() {
    let house = House::new().await;
    house.world.set("home.test", Question::Ns, &[]);
    let check = house.check().await;
    assert!(check.remarks[0].contains("names no name servers for home.test"), "{check:#?}");
}

#[tokio::test]
async fn addresses_that_are_not_ours_are_told_apart_from_a_proxys() {
    let house = House::published().await;
    house.world.set("mail.home.test", Question::A, &["104.21.3.4"]);
    house.is("a", Mistake::Proxied, "104.21.3.4 is a proxy's").await;
    house.world.set("mail.home.test", Question::A, &["203.0.113.9"]);
    house.is("a", Mistake::NotOurs, "203.0.113.9 is not an address of this server").await;
    house.is_wrong("ptr", "does not lead to 198.51.100.7").await;
    house.world.set("mail.home.test", Question::A, &["198.51.100.7"]);
    house.world.set("mail.home.test", Question::Aaaa, &["2001:db8::1"]);
    house.is("aaaa", Mistake::NotOurs, "no such address").await;
    assert!(!house.check().await.is_sound(), "half-set-up IPv6 turns mail away");
    house.world.set("7.100.51.198.in-addr.arpa", Question::Ptr, &["static7.rent.example."]);
    house.is_wrong("ptr", "is called static7.rent.example").await;
    let house = House { host: Host { addresses: Vec::new(), ..house.host.clone() }, ..house };
    assert!(matches!(house.verdict("a").await, Verdict::NotCheckable { why } if why.contains("own_addresses")));
}

#[tokio::test]
async fn doubled_names_and_forgotten_dots_are_recognised() {
    let house = House::published().await;
    for (id, name, kind, value) in [
        ("a", "mail.home.test", Question::A, "198.51.100.7"),
        ("mx", "home.test", Question::Mx, "10 mail.home.test."),
        ("dmarc", "_dmarc.home.test", Question::Txt, "v=DMARC1; p=none"),
    ] {
        house.world.set(name, kind, &[]);
        house.world.set(&format!("{name}.home.test"), kind, &[value]);
        house.is(id, Mistake::NameDoubled, &format!("{name}.home.test")).await;
        house.world.set(name, kind, &[value]);
    }
    house.world.set("home.test", Question::Mx, &["10 mail.home.test.home.test."]);
    house.is("mx", Mistake::MissingDot, "mail.home.test.home.test").await;
    house.world.set("mta-sts.home.test", Question::Cname, &["mail.home.test.home.test."]);
    house.is("mta-sts-host", Mistake::MissingDot, "mail.home.test.home.test").await;
    house.world.set("_imaps._tcp.home.test", Question::Srv, &["0 1 993 mail.home.test.home.test."]);
    house.is("srv _imaps", Mistake::MissingDot, "mail.home.test.home.test").await;
}

#[tokio::test]
async fn wildcards_are_not_taken_for_doubled_names() {
    let house = House::published().await;
    for name in ["_dmarc.home.test", "_dmarc.home.test.home.test"] {
        house.world.set(name, Question::Txt, &["v=spf1 -all"]);
    }
    assert_eq!(house.verdict("dmarc").await, Verdict::Missing);
}

#[tokio::test]
async fn mail_that_goes_elsewhere_first_is_wrong_and_a_reserve_is_noted() {
    let house = House::published().await;
    let set = |texts: &[&str]| house.world.set("home.test", Question::Mx, texts);
    set(&["10 aspmx.big.example."]);
    house.is("mx", Mistake::OtherFirst, "Mail goes to aspmx.big.example").await;
    set(&["5 aspmx.big.example.", "10 mail.home.test."]);
    house.is("mx", Mistake::OtherFirst, "first").await;
    set(&["10 mail.home.test.", "20 reserve.example."]);
    house.is_right("mx", "may also go to reserve.example").await;
    set(&["10 198.51.100.7."]);
    house.is("mx", Mistake::AddressForName, "an address").await;
    set(&["0 ."]);
    house.is_wrong("mx", "takes no mail at all").await;
}

#[tokio::test]
async fn an_spf_record_is_judged_by_what_it_means() {
    let house = House::published().await;
    house.world.set("_spf.news.example", Question::Txt, &["v=spf1 ip4:203.0.113.0/24 -all"]);
    let set = |texts: &[&str]| house.world.set("home.test", Question::Txt, texts);
    set(&["v=spf1 mx include:_spf.news.example ~all", "some-verification=1"]);
    house.is_right("spf", "lets this server send").await;
    assert_eq!(house.entry("spf").await.value, "v=spf1 mx include:_spf.news.example ~all", "it stays as it is");
    set(&["V=SPF1  mx -all"]);
    house.is_right("spf", "").await;
    set(&["v=spf1 include:_spf.news.example -all"]);
    house.is_wrong("spf", "does not let this server (198.51.100.7) send: the result is fail").await;
    set(&["v=spf1 +all"]);
    house.is_wrong("spf", "everybody").await;
    set(&["v=spf1 mx includ:_spf.news.example -all"]);
    house.is_wrong("spf", "can't be used").await;
    set(&["v=spf1 mx -all", "v=spf1 include:_spf.news.example -all"]);
    house.is("spf", Mistake::Several, "2 SPF records").await;
    set(&["\"v=spf1 mx -all\""]);
    house.is("spf", Mistake::Quotes, "Quotes are part of the text").await;
    set(&["some-verification=1"]);
    assert_eq!(house.verdict("spf").await, Verdict::Missing);
}

#[tokio::test]
async fn keys_that_are_cut_off_stale_or_quoted_are_told_apart() {
    let house = House::published().await;
    let check = house.check().await;
    let Entry { id, name, value, .. } = check.entries.iter().find(|entry| entry.value.contains("k=rsa")).unwrap();
    let id = id.as_str();
    let set = |texts: &[&str]| house.world.set(name, Question::Txt, texts);
    set(&[&format!("{}; t=s", value.replace("; ", ";"))]);
    house.is_right(id, "").await;
    set(&[&value[..255]]);
    house.is(id, Mistake::Truncated, "cut off after").await;
    set(&["v=DKIM1; k=rsa; p=MIIBBBBB"]);
    house.is(id, Mistake::Stale, "another key").await;
    set(&["v=DKIM1; p="]);
    house.is(id, Mistake::Stale, "revoked").await;
    set(&[value, "v=DKIM1; k=rsa; p=MIIBBBBB"]);
    house.is(id, Mistake::Several, "2 key records").await;
    set(&[&format!("{}\" \"{}", &value[..200], &value[200..])]);
    house.is(id, Mistake::Quotes, "Quotes").await;
    set(&[&value.replace(';', "\\;")]);
    house.is(id, Mistake::Backslashes, "Backslashes").await;
}

#[tokio::test]
async fn a_sound_dmarc_record_stays_whatever_it_asks_for() {
    let house = House::published().await;
    let set = |texts: &[&str]| house.world.set("_dmarc.home.test", Question::Txt, texts);
    let own = "v=DMARC1; p=quarantine; rua=mailto:me@far.example,mailto:dmarc-reports@home.test";
    set(&[own]);
    house.is_right("dmarc", "sound").await;
    let check = house.check().await;
    assert!(check.zone_file().contains(own), "a sound record is not to be replaced");
    assert_eq!(check.growth.unwrap().policy.as_deref(), Some("quarantine"));
    set(&["v=DMARC1; p=reject"]);
    house.is_right("dmarc", "Nobody is asked for reports").await;
    set(&["v=DMARC1; p=reject; rua=mailto:me@far.example"]);
    house.is_right("dmarc", "go elsewhere").await;
    set(&["v=DMARC1; p=refuse"]);
    house.is_wrong("dmarc", "missing or misspelt").await;
    set(&["v=DMARC1; p=none", "v=DMARC1; p=reject"]);
    house.is("dmarc", Mistake::Several, "2 DMARC records").await;
}

#[tokio::test]
async fn policies_reports_and_authorities_are_judged() {
    let house = House::published().await;
    house.world.set("_mta-sts.home.test", Question::Txt, &["v=STSv1; id=1;"]);
    house.is("mta-sts", Mistake::Stale, "id").await;
    house.world.set("_smtp._tls.home.test", Question::Txt, &["v=TLSRPTv1; rua=https://far.example/x"]);
    house.is_right("tls-rpt", "elsewhere").await;
    house.world.set("_smtp._tls.home.test", Question::Txt, &["v=TLSRPTv1"]);
    house.is_wrong("tls-rpt", "no address").await;
    house.world.set("home.test", Question::Caa, &["0 issue \"other.example\""]);
    house.is_wrong("caa", "forbid letsencrypt.org").await;
    assert_eq!(house.entry("caa").await.need, Need::Required, "what forbids certificates is no small matter");
    house.world.set("home.test", Question::Caa, &["0 iodef \"mailto:me\""]);
    house.is_right("caa", "bind nobody").await;
    house.world.set("_imaps._tcp.home.test", Question::Srv, &["0 0 0 ."]);
    house.is_wrong("srv _imaps", "not offered").await;
    house.world.set("autoconfig.home.test", Question::Cname, &["web.far.example."]);
    house.is_wrong("autoconfig", "leads nowhere").await;
    house.world.set("web.far.example", Question::A, &["198.51.100.7"]);
    house.is_right("autoconfig", "by way of web.far.example").await;
}

#[tokio::test]
async fn what_the_zones_servers_say_already_only_needs_time() {
    let house = House::published().await;
    house.world.set_at(&house.world.public, "home.test", Question::Mx, &["10 old.example."]);
    match house.verdict("mx").await {
        Verdict::Spreading { found, minutes: 1 } => assert_eq!(found, ["10 old.example"]),
        other => panic!("{other:?}"),
    }
    assert!(house.check().await.is_sound(), "there is nothing left to do");
    house.world.set_at(&house.world.own, "home.test", Question::Mx, &["10 new.example."]);
    house.is("mx", Mistake::OtherFirst, "new.example").await;
}

#[tokio::test]
async fn what_can_not_be_asked_is_not_judged() {
    let house = House::published().await;
    house.world.fail("_dmarc.home.test", Question::Txt, DnsError::Temporary("no name server gives an answer".into()));
    assert!(matches!(house.verdict("dmarc").await, Verdict::NotCheckable { why } if why.contains("no name server")));
    assert!(house.check().await.is_sound());
    house.world.fail("home.test", Question::Mx, DnsError::Bogus("home.test. MX".into()));
    house.is("mx", Mistake::BrokenSignatures, "not valid").await;
}

#[tokio::test]
async fn records_of_given_up_keys_are_right_when_they_are_gone() {
    let house = House::published().await;
    mailstead_outbound::begin_rotation(&house.store, &house.domain).await.unwrap();
    house.store.cancel_keys(&house.domain).await.unwrap();
    let check = house.check().await;
    let gone: Vec<&Entry> = check.entries.iter().filter(|entry| entry.need == Need::Obsolete).collect();
    assert_eq!(gone.len(), 2);
    assert!(matches!(&gone[0].verdict, Some(Verdict::Right { note: Some(note) }) if note.contains("gone")));
    house.world.set(&gone[0].name, Question::Txt, &[&gone[0].value]);
    house.is(&gone[0].id, Mistake::StillThere, "still there").await;
    assert!(house.check().await.is_sound());
}

fn certified() -> mailstead_net::Certificates {
    use rcgen::{CertificateParams, DnType, Issuer, KeyPair};
    mailstead_net::tls::install_crypto();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.distinguished_name.push(DnType::CommonName, "authority");
    let (issuer, key) = (Issuer::new(authority, KeyPair::generate().unwrap()), KeyPair::generate().unwrap());
    let leaf = CertificateParams::new(vec!["mail.home.test".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    mailstead_net::Certificates::new(vec![leaf.der().clone()], key).unwrap()
}

#[tokio::test]
async fn a_signed_zone_may_vouch_for_the_servers_key() {
    let house = House::published().await;
    let host = Host { certificates: Some(certified()), ..house.host.clone() };
    let mut house = House { host, ..house };
    assert!(
        house.check().await.entries.iter().all(|entry| entry.id != "tlsa"),
        "it proves nothing in an unsigned zone"
    );
    house.world.signed = true;
    let advised = house.entry("tlsa").await;
    assert_eq!((advised.verdict, advised.need), (Some(Verdict::Missing), Need::Optional));
    house.world.set("_25._tcp.mail.home.test", Question::Tlsa, &[&advised.value]);
    house.is_right("tlsa", "").await;
    house.world.set("_25._tcp.mail.home.test", Question::Tlsa, &[&format!("3 1 1 {}", "00".repeat(32))]);
    house.is("tlsa", Mistake::Stale, "another key").await;
    assert!(!house.check().await.is_sound(), "a wrong one keeps mail away");
}

/// A DMARC report of a receiver, that letters from these addresses passed or failed.
async fn reported(house: &House, begin: i64, policy: DmarcPolicy, letters: &[(&str, bool, u64)], proved: bool) {
    let row = |(source, passed, count): &(&str, bool, u64)| {
        let published = DmarcPublished {
            strict_dkim: false,
            strict_spf: false,
            policy,
            subdomains: None,
            nonexistent: None,
            testing: false,
            percent: None,
            failure_options: None,
        };
        let outcome = DmarcOutcome {
            domain: house.domain.clone(),
            published,
            source: source.parse().unwrap(),
            disposition: DmarcPolicy::None,
            dkim_aligned: *passed,
            spf_aligned: false,
            overrides: Vec::new(),
            header_from: house.domain.clone(),
            envelope_from: None,
            envelope_to: None,
            dkim: Vec::new(),
            spf: None,
        };
        (outcome, *count)
    };
    let report = Report {
        organisation: "receiver.test".to_owned(),
        contact: String::new(),
        id: format!("{begin} {proved}"),
        begin,
        end: begin + 86_400,
        findings: Findings::Dmarc(letters.iter().map(row).collect()),
        untold: 0,
    };
    let now = Timestamp(jiff::Timestamp::now().as_second());
    let receiver = proved.then(|| Domain::parse("receiver.test").unwrap());
    let trace = TraceId::new(1, 1);
    let brought = Brought { at: now, trace, from: None, proved: receiver };
    let report = NewReport::new(brought, vec![house.domain.clone()], report).unwrap();
    let letter = Acceptance {
        message: Prepared::from_bytes(b"").unwrap(),
        trace,
        received: now,
        deliveries: Vec::new(),
        queue: Vec::new(),
        story: Vec::new(),
        report: Some(report),
    };
    house.store.accept(vec![letter]).await.unwrap();
}

#[tokio::test]
async fn the_policy_grows_by_the_reports_that_came() {
    let house = House::published().await;
    let (day, now) = (86_400, jiff::Timestamp::now().as_second());
    let growth = async || house.check().await.growth.unwrap();
    let none = DmarcPolicy::None;
    reported(&house, now - 16 * day, none, &[("198.51.100.7", true, 4), ("203.0.113.5", false, 2)], true).await;
    // Anybody can send a report in anybody's name.
    reported(&house, now - 9 * day, none, &[("198.51.100.7", false, 1_000)], false).await;
    let early = growth().await;
    assert_eq!((early.reports, early.passed, early.own_failed, early.others_failed), (1, 4, 0, 2));
    assert!(early.next.is_none() && early.sentence.contains("Wait until"), "{early:?}");
    reported(&house, now - day, none, &[("198.51.100.7", true, 3)], true).await;
    let ripe = growth().await;
    assert_eq!(ripe.next.as_deref(), Some("v=DMARC1; p=quarantine; rua=mailto:dmarc-reports@home.test"), "{ripe:?}");
    house.world.set("_dmarc.home.test", Question::Txt, &[&ripe.next.unwrap()]);
    assert!(growth().await.next.is_none(), "the next step begins anew");
    reported(&house, now - 2 * day, none, &[("198.51.100.7", false, 1)], true).await;
    assert!(growth().await.sentence.starts_with("1 letter of this server failed"));
}
