//! What a domain should say of itself in DNS, so that the world trusts its mail.

use std::fmt;

use mailstead_message::Domain;
use mailstead_message::report::ReportKind;

/// Octets of one string of a TXT record (RFC 1035 3.3).
const TXT_STRING: usize = 255;
/// Seconds a record may be cached, where it is written for a zone file: long enough for resolvers to be spared, short
/// enough for a mistake to pass within the hour.
const TTL: u32 = 3_600;

/// What must be known of a domain.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// The domain.
    pub domain: &'a Domain,
    /// The name of our host, which its MX leads to.
    pub hostname: &'a str,
    /// Its keys.
    pub keys: Vec<KeyRecord<'a>>,
    /// The text of its MTA-STS record, where a policy is served (RFC 8461 3.1).
    pub sts: Option<&'a str>,
    /// The relay that takes its outgoing mail.
    pub relay: Option<&'a str>,
}

/// A key's record.
#[derive(Debug, Clone, Copy)]
pub struct KeyRecord<'a> {
    /// Its selector.
    pub selector: &'a str,
    /// Its text.
    pub text: &'a str,
    /// What the key is for.
    pub standing: Standing,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It signs.
    Signs,
    /// It will sign once its record is seen.
    Upcoming,
    /// It signed letters that may still be on their way.
    Retiring,
    /// Nothing refers to it any more.
    Gone,
}

/// The type of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Where mail goes.
    Mx,
    /// A text.
    Txt,
    /// Another name of a host.
    Cname,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mx => "MX",
            Self::Txt => "TXT",
            Self::Cname => "CNAME",
        })
    }
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its name, without the final dot.
    pub name: String,
    /// Its type.
    pub kind: Kind,
    /// What it says: host names with their final dot, texts as they are, without quotes.
    pub value: String,
    /// What it is good for, in a sentence.
    pub why: String,
    /// It should not be there any more.
    pub obsolete: bool,
}

impl Record {
    /// The record as a line of a zone file: texts in quoted strings of at most 255 octets.
    pub fn zone_line(&self) -> String {
        let value = match self.kind {
            Kind::Mx | Kind::Cname => self.value.clone(),
            Kind::Txt => strings(&self.value),
        };
        format!("{}. {TTL} IN {} {value}", self.name, self.kind)
    }
}

/// Everything a domain should publish now, and what it may remove.
pub fn records(facts: &Facts<'_>) -> Vec<Record> {
    let (domain, host) = (facts.domain.as_str(), facts.hostname);
    let mut records =
        vec![record(domain, Kind::Mx, format!("10 {host}."), format!("Mail for {domain} goes to {host}."))];
    records.extend(senders(facts));
    records.extend(facts.keys.iter().map(|key| key_record(domain, key)));
    records.push(record(
        &format!("_dmarc.{domain}"),
        Kind::Txt,
        format!("v=DMARC1; p=reject; rua=mailto:{}@{domain}", ReportKind::Dmarc.local_part()),
        format!(
            "What claims to be from {domain} and is not is to be refused, and what others see of it is reported to you. \
             Begin with p=none if other services send in its name too."
        ),
    ));
    if let Some(text) = facts.sts {
        records.push(record(
            &format!("_mta-sts.{domain}"),
            Kind::Txt,
            text.to_owned(),
            "It tells others that there is a policy for TLS towards you (MTA-STS). It changes whenever the policy does."
                .to_owned(),
        ));
        records.push(record(
            &format!("mta-sts.{domain}"),
            Kind::Cname,
            format!("{host}."),
            "Others fetch that policy from here.".to_owned(),
        ));
    }
    records.push(record(
        &format!("_smtp._tls.{domain}"),
        Kind::Txt,
        format!("v=TLSRPTv1; rua=mailto:{}@{domain}", ReportKind::Tls.local_part()),
        "Others report to you when they can't reach you over TLS.".to_owned(),
    ));
    records
}

fn record(name: &str, kind: Kind, value: String, why: String) -> Record {
    Record { name: name.to_owned(), kind, value, why, obsolete: false }
}

/// Who may send (RFC 7208).
fn senders(facts: &Facts<'_>) -> Vec<Record> {
    let (domain, host) = (facts.domain.as_str(), facts.hostname);
    let own = match facts.relay {
        None => record(
            domain,
            Kind::Txt,
            "v=spf1 mx -all".to_owned(),
            format!("Only this server sends mail from {domain}."),
        ),
        Some(relay) => record(
            domain,
            Kind::Txt,
            format!("v=spf1 mx a:{relay} ~all"),
            format!(
                "Only this server and the relay {relay} send mail from {domain}. The relay's owner may want another \
                 text, such as include: with a name of theirs, in place of a:{relay}."
            ),
        ),
    };
    let is_inside = host.to_ascii_lowercase().strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
    let of_host = is_inside.then(|| {
        record(
            host,
            Kind::Txt,
            "v=spf1 a -all".to_owned(),
            "Reports of non-delivery have no sender: there the name of the server counts.".to_owned(),
        )
    });
    std::iter::once(own).chain(of_host).collect()
}

fn key_record(domain: &str, key: &KeyRecord<'_>) -> Record {
    let why = match key.standing {
        Standing::Signs => "With this key others check the signatures of your mail.",
        Standing::Upcoming => {
            "The next key: it signs as soon as all of its records are seen in DNS. The records of the others stay."
        }
        Standing::Retiring => "An old key: it must stay for now, letters it has signed are still on their way.",
        Standing::Gone => "A key that nothing needs any more: this record may be removed.",
    };
    Record {
        obsolete: key.standing == Standing::Gone,
        ..record(&format!("{}._domainkey.{domain}", key.selector), Kind::Txt, key.text.to_owned(), why.to_owned())
    }
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn lines(facts: &Facts<'_>) -> Vec<String> {
        records(facts).iter().map(Record::zone_line).collect()
    }

    #[test]
    fn a_domain_is_told_all_it_should_publish() {
        let domain = Domain::parse("home.test").unwrap();
        let long = format!("v=DKIM1; k=rsa; p={}", "A".repeat(392));
        let key = |selector, standing| KeyRecord { selector, text: "v=DKIM1; k=ed25519; p=AA==", standing };
        let facts = Facts {
            domain: &domain,
            hostname: "mail.home.test",
            keys: vec![
                KeyRecord { selector: "ms202611r", text: &long, standing: Standing::Signs },
                key("ms202605e", Standing::Gone),
            ],
            sts: Some("v=STSv1; id=7;"),
            relay: None,
        };
        let split = format!(
            "ms202611r._domainkey.home.test. 3600 IN TXT \"v=DKIM1; k=rsa; p={}\" \"{}\"",
            "A".repeat(237),
            "A".repeat(155)
        );
        assert_eq!(
            lines(&facts),
            [
                "home.test. 3600 IN MX 10 mail.home.test.",
                "home.test. 3600 IN TXT \"v=spf1 mx -all\"",
                "mail.home.test. 3600 IN TXT \"v=spf1 a -all\"",
                &split,
                "ms202605e._domainkey.home.test. 3600 IN TXT \"v=DKIM1; k=ed25519; p=AA==\"",
                "_dmarc.home.test. 3600 IN TXT \"v=DMARC1; p=reject; rua=mailto:dmarc-reports@home.test\"",
                "_mta-sts.home.test. 3600 IN TXT \"v=STSv1; id=7;\"",
                "mta-sts.home.test. 3600 IN CNAME mail.home.test.",
                "_smtp._tls.home.test. 3600 IN TXT \"v=TLSRPTv1; rua=mailto:tls-reports@home.test\"",
            ]
        );
        let obsolete: Vec<String> =
            records(&facts).into_iter().filter(|record| record.obsolete).map(|record| record.name).collect();
        assert_eq!(obsolete, ["ms202605e._domainkey.home.test"]);
        assert!(records(&facts).iter().all(|record| record.why.ends_with('.')));
    }

    #[test]
    fn a_relay_and_a_host_elsewhere_change_who_may_send() {
        let domain = Domain::parse("home.test").unwrap();
        let facts = Facts {
            domain: &domain,
            hostname: "mx.otherhome.test",
            keys: Vec::new(),
            sts: None,
            relay: Some("relay.far.test"),
        };
        assert_eq!(lines(&facts)[1], "home.test. 3600 IN TXT \"v=spf1 mx a:relay.far.test ~all\"");
        assert!(lines(&facts).iter().all(|line| !line.contains("mta-sts") && !line.starts_with("mx.otherhome")));
    }

    #[test]
    fn what_would_end_a_string_is_escaped() {
        assert_eq!(strings("a\"b\\c\u{e9}"), "\"a\\\"b\\\\c\\195\\169\"");
    }
}
