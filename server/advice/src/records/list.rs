//! Which records there should be, and why.

use std::net::IpAddr;

use mailstead_auth::check::Policy;
use mailstead_message::Domain;
use mailstead_message::report::ReportKind;
use mailstead_net::Certificates;
use mailstead_net::dane::own_record;
use mailstead_net::dns::{Data, reverse_name};

use super::told::{Entry, Kind, Need};

/// Octets of one string of a TXT record (RFC 1035 3.3).
const TXT_STRING: usize = 255;
/// Seconds a record may be cached, where it is written for a zone file: long enough for resolvers to be spared, short
/// enough for a mistake to pass within the hour.
const TTL: u32 = 3_600;

/// What must be known of the mail host.
#[derive(Clone)]
pub struct Host {
    /// Its name, which MX records lead to.
    pub name: String,
    /// Its addresses in the public internet; in a laboratory, those it listens on.
    pub addresses: Vec<IpAddr>,
    /// Ports of what people's mail programs use, where it is offered.
    pub services: Services,
    /// The domain under which CAA records name who issues its certificates.
    pub issuer: Option<String>,
    /// What it shows as certificates.
    pub certificates: Option<Certificates>,
}

impl Host {
    /// One of which only the name is known.
    pub fn named(name: String) -> Self {
        Self { name, addresses: Vec::new(), services: Services::default(), issuer: None, certificates: None }
    }
}

/// Ports of what people's programs use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of the services")]
pub struct Services {
    pub submissions: Option<u16>,
    pub imaps: Option<u16>,
    pub pop3s: Option<u16>,
    pub https: Option<u16>,
}

/// What must be known of a domain.
pub(super) struct Facts<'a> {
    /// The domain.
    pub domain: &'a Domain,
    /// The mail host.
    pub host: &'a Host,
    /// Its keys.
    pub keys: Vec<KeyRecord<'a>>,
    /// The text of its MTA-STS record, where a policy is served (RFC 8461 3.1).
    pub sts: Option<&'a str>,
    /// The relay that takes its outgoing mail.
    pub relay: Option<&'a str>,
    /// The mail host's zone is signed (DNSSEC).
    pub signed: bool,
    /// The policy its DMARC record begins with.
    pub policy: Policy,
}

/// A key's record.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyRecord<'a> {
    /// Its selector.
    pub selector: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What the key is for.
    pub standing: Standing,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It signs.
    Signs,
    /// It will sign once its record is seen.
    Upcoming,
    /// It signed letters that may still be on their way.
    Retiring,
    /// Nothing refers to it any more.
    Gone,
}

/// A record, and by what it is judged.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub entry: Entry,
    pub subject: Subject,
}

/// By what a record is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Address,
    Reverse(IpAddr),
    Exchanger,
    Spf { relayed: bool },
    Key,
    Dmarc,
    Sts,
    TlsReports,
    Alias,
    Service,
    Issuers,
    Tlsa,
}

/// Everything a domain should publish now, in the order that matters, and what it may remove.
pub(super) fn items(facts: &Facts<'_>) -> Vec<Item> {
    let mut items = addresses(facts.host);
    items.extend(reverse(facts.host));
    items.push(exchanger(facts));
    items.extend(senders(facts));
    items.extend(facts.keys.iter().map(|key| of_key(facts.domain.as_str(), key)));
    items.push(dmarc(facts));
    items.extend(tls(facts));
    items.extend(finders(facts));
    items.extend(certificates(facts));
    for item in &mut items {
        item.entry.belong(guessed_zone(&item.entry.name, facts));
    }
    items
}

fn item(id: &str, title: &str, subject: Subject, need: Need, (kind, name, value): (Kind, String, String)) -> Item {
    let zone_line = zone_line(&name, kind, &value);
    let entry = Entry {
        id: id.to_owned(),
        title: title.to_owned(),
        kind,
        short: name.clone(),
        zone: String::new(),
        name,
        value,
        zone_line,
        why: String::new(),
        need,
        verdict: None,
    };
    Item { entry, subject }
}

impl Item {
    fn because(mut self, why: impl Into<String>) -> Self {
        self.entry.why = why.into();
        self
    }
}

impl Entry {
    /// Says which zone it belongs to.
    pub(super) fn belong(&mut self, zone: &str) {
        self.short = shortened(&self.name, zone);
        zone.clone_into(&mut self.zone);
    }

    /// Says something else than was advised, which is as good.
    pub(super) fn say(&mut self, value: String) {
        self.zone_line = zone_line(&self.name, self.kind, &value);
        self.value = value;
    }
}

/// A name as providers' forms want it: without the zone's.
pub(super) fn shortened(name: &str, zone: &str) -> String {
    match name.strip_suffix(zone) {
        Some("") => "@".to_owned(),
        Some(front) if front.ends_with('.') && !zone.is_empty() => front.trim_end_matches('.').to_owned(),
        _ => name.to_owned(),
    }
}

/// The zone a name most probably belongs to, before DNS is asked.
fn guessed_zone<'a>(name: &str, facts: &Facts<'a>) -> &'a str {
    let domain = facts.domain.as_str();
    if is_within(name, domain) {
        return domain;
    }
    let above = facts.host.name.split_once('.').map_or("", |(_, above)| above);
    if is_within(name, above) { above } else { "" }
}

/// True for a name that is the other, or below it.
pub(super) fn is_within(name: &str, top: &str) -> bool {
    !top.is_empty() && name.strip_suffix(top).is_some_and(|front| front.is_empty() || front.ends_with('.'))
}

fn addresses(host: &Host) -> Vec<Item> {
    let of = |v4: bool| host.addresses.iter().find(|address| address.is_ipv4() == v4);
    let (v4, v6) = (of(true), of(false));
    let item = |v4: bool, value: String, need: Need| {
        let (id, kind) = if v4 { ("a", Kind::A) } else { ("aaaa", Kind::Aaaa) };
        let title = if v4 { "Address of the mail host" } else { "IPv6 address of the mail host" };
        item(id, title, Subject::Address, need, (kind, host.name.clone(), value))
    };
    let name = &host.name;
    let mut items = Vec::new();
    if v4.is_some() || v6.is_none() {
        let value = v4.map(ToString::to_string).unwrap_or_default();
        let why = format!("All other names lead to {name}, and this says where {name} is.");
        items.push(item(true, value, Need::Required).because(why));
    }
    if let Some(v6) = v6 {
        let need = if v4.is_some() { Need::Recommended } else { Need::Required };
        let why = format!("This server also sends by IPv6, and receivers refuse an address that {name} does not have.");
        items.push(item(false, v6.to_string(), need).because(why));
    }
    items
}

fn reverse(host: &Host) -> Vec<Item> {
    let of = |address: &IpAddr| {
        let title = format!("Reverse name of {address}");
        let record = (Kind::Ptr, reverse_name(*address), format!("{}.", host.name));
        item(&format!("ptr {address}"), &title, Subject::Reverse(*address), Need::Required, record).because(
            "Receivers refuse mail from an address without a name. Whoever rents you the server sets it: look for \
             \"reverse DNS\" in their panel, not in your domain's.",
        )
    };
    host.addresses.iter().map(of).collect()
}

fn exchanger(facts: &Facts<'_>) -> Item {
    let (domain, host) = (facts.domain.as_str(), &facts.host.name);
    let record = (Kind::Mx, domain.to_owned(), format!("10 {host}."));
    item("mx", "Where mail goes", Subject::Exchanger, Need::Required, record)
        .because(format!("Other servers bring mail for {} to this name.", facts.domain.to_unicode()))
}

/// Who may send (RFC 7208).
fn senders(facts: &Facts<'_>) -> Vec<Item> {
    let (domain, host) = (facts.domain.as_str(), &facts.host.name);
    let title = "Who may send (SPF)";
    let of = |value: String, relayed: bool| {
        let record = (Kind::Txt, domain.to_owned(), value);
        item("spf", title, Subject::Spf { relayed }, Need::Required, record)
    };
    let own = match facts.relay {
        None => of("v=spf1 mx -all".to_owned(), false)
            .because(format!("It says that only this server sends mail from {domain}, so that forgers are caught.")),
        Some(relay) => of(format!("v=spf1 mx a:{relay} ~all"), true).because(format!(
            "It says that only this server and the relay {relay} send mail from {domain}. The relay's owner may want \
             another text, such as include: with a name of theirs, in place of a:{relay}."
        )),
    };
    let is_inside = host != domain && is_within(host, domain);
    let of_host = is_inside.then(|| {
        let record = (Kind::Txt, host.clone(), "v=spf1 a -all".to_owned());
        item(
            "spf-host",
            "Who may send as the mail host (SPF)",
            Subject::Spf { relayed: false },
            Need::Recommended,
            record,
        )
        .because("Notices that a letter could not be delivered have no sender: there the server's own name counts.")
    });
    std::iter::once(own).chain(of_host).collect()
}

fn of_key(domain: &str, key: &KeyRecord<'_>) -> Item {
    let (title, need, why) = match key.standing {
        Standing::Signs => {
            let why = "With this key others check that your letters are yours and unchanged.";
            ("Signing key (DKIM)", Need::Required, why)
        }
        Standing::Upcoming => {
            let why = "The next key: it signs as soon as all of its records are seen in DNS. The records of the others \
                       stay.";
            ("Next signing key (DKIM)", Need::Recommended, why)
        }
        Standing::Retiring => {
            let why = "An old key: it must stay for now, letters it has signed are still on their way.";
            ("Old signing key (DKIM)", Need::Recommended, why)
        }
        Standing::Gone => {
            let why = "A key that nothing needs any more: this record may be removed.";
            ("Key of the past (DKIM)", Need::Obsolete, why)
        }
    };
    let record = (Kind::Txt, format!("{}._domainkey.{domain}", key.selector), key.text.to_owned());
    item(&format!("dkim {}", key.selector), title, Subject::Key, need, record).because(why)
}

/// The policy begins with `p=none` where nobody has said otherwise: the big receivers are content with it, and a
/// mistake in the other records, or a newsletter service that was forgotten, costs no letter but shows in the reports.
/// From there [`growth`](super::growth) leads to `reject`, on the evidence of what receivers have really seen. To begin
/// with `reject` would make the first slip of a person who has never edited a zone file one that loses their mail.
fn dmarc(facts: &Facts<'_>) -> Item {
    let domain = facts.domain.as_str();
    let record = (Kind::Txt, format!("_dmarc.{domain}"), dmarc_text(facts.domain, facts.policy));
    item("dmarc", "What becomes of forged mail (DMARC)", Subject::Dmarc, Need::Required, record).because(
        "The big mail services ask for it, and what they see of mail in your name is reported to you. Begin with \
         p=none; this page tells when it is safe to ask for more.",
    )
}

/// The DMARC record that asks for a policy, and for reports to us.
pub(super) fn dmarc_text(domain: &Domain, policy: Policy) -> String {
    let (word, local) = (policy.word(), ReportKind::Dmarc.local_part());
    format!("v=DMARC1; p={word}; rua=mailto:{local}@{}", domain.as_str())
}

fn tls(facts: &Facts<'_>) -> Vec<Item> {
    let (domain, host) = (facts.domain.as_str(), &facts.host.name);
    let mut items = Vec::new();
    if let Some(text) = facts.sts {
        let record = (Kind::Txt, format!("_mta-sts.{domain}"), text.to_owned());
        items.push(
            item("mta-sts", "Encrypted delivery (MTA-STS)", Subject::Sts, Need::Recommended, record).because(
                "It tells others that mail for you must come encrypted, and changes whenever that policy does.",
            ),
        );
        let record = (Kind::Cname, format!("mta-sts.{domain}"), format!("{host}."));
        items.push(
            item("mta-sts-host", "Where that policy is (MTA-STS)", Subject::Alias, Need::Recommended, record)
                .because("Others fetch the policy from this name."),
        );
    }
    let text = format!("v=TLSRPTv1; rua=mailto:{}@{domain}", ReportKind::Tls.local_part());
    let record = (Kind::Txt, format!("_smtp._tls.{domain}"), text);
    items.push(
        item("tls-rpt", "Reports on encryption (TLS-RPT)", Subject::TlsReports, Need::Recommended, record)
            .because("Others report to you when they can't reach you encrypted."),
    );
    items
}

/// What leads people's programs here.
fn finders(facts: &Facts<'_>) -> Vec<Item> {
    let (domain, host) = (facts.domain.as_str(), &facts.host.name);
    let mut items = Vec::new();
    for (id, whose) in [("autoconfig", "Thunderbird and its kin"), ("autodiscover", "Outlook and its kin")] {
        let record = (Kind::Cname, format!("{id}.{domain}"), format!("{host}."));
        let title = format!("Set-up by itself ({id})");
        items.push(
            item(id, &title, Subject::Alias, Need::Recommended, record).because(format!(
                "{whose} ask there how to reach a mailbox of {domain}, so that nobody types in ports."
            )),
        );
    }
    let services = facts.host.services;
    let srv = [
        ("_submissions", services.submissions, "Where programs send (RFC 8314)"),
        ("_imaps", services.imaps, "Where programs read (RFC 6186)"),
        ("_pop3s", services.pop3s, "Where programs fetch (RFC 6186)"),
        ("_autodiscover", services.https, "Where Outlook asks"),
    ];
    for (service, port, title) in srv {
        let Some(port) = port else { continue };
        // Lower is tried first: IMAP keeps mail in order on all devices, POP3 does not.
        let priority = if service == "_pop3s" { 10 } else { 0 };
        let record = (Kind::Srv, format!("{service}._tcp.{domain}"), format!("{priority} 1 {port} {host}."));
        items.push(
            item(&format!("srv {service}"), title, Subject::Service, Need::Optional, record)
                .because("Some mail programs find the server by this record, and need to be told nothing else."),
        );
    }
    items
}

/// What binds certificates.
fn certificates(facts: &Facts<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(issuer) = &facts.host.issuer {
        let record = (Kind::Caa, facts.domain.as_str().to_owned(), format!("0 issue \"{issuer}\""));
        items.push(
            item("caa", "Who may certify (CAA)", Subject::Issuers, Need::Optional, record)
                .because(format!("It lets only {issuer}, which this server uses, issue certificates for your names.")),
        );
    }
    let shown = facts.host.certificates.as_ref().filter(|_| facts.signed).map(Certificates::fallback);
    if let Some(tlsa) = shown.as_deref().and_then(|chain| own_record(chain.first()?)) {
        let record = (Kind::Tlsa, format!("_25._tcp.{}", facts.host.name), Data::Tlsa(tlsa).to_string());
        items.push(item("tlsa", "Certified by DNS (DANE)", Subject::Tlsa, Need::Optional, record).because(
            "Your zone is signed (DNSSEC), so it can vouch for this server's key without any authority. The key \
                 stays the same when the certificate is renewed.",
        ));
    }
    items
}

fn zone_line(name: &str, kind: Kind, value: &str) -> String {
    if value.is_empty() {
        return format!("; {name}. {TTL} IN {kind} (the public address of this server)");
    }
    let value = if kind == Kind::Txt { strings(value) } else { value.to_owned() };
    format!("{name}. {TTL} IN {kind} {value}")
}

/// A text as strings of a zone file (RFC 1035 5.1).
fn strings(text: &str) -> String {
    let string = |chunk: &[u8]| {
        let mut quoted = String::from("\"");
        for &byte in chunk {
            match byte {
                b'"' | b'\\' => quoted.extend(['\\', char::from(byte)]),
                b' '..=b'~' => quoted.push(char::from(byte)),
                _ => quoted.push_str(&format!("\\{byte:03}")),
            }
        }
        quoted + "\""
    };
    text.as_bytes().chunks(TXT_STRING).map(string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
