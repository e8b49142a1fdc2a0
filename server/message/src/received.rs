//! `Received` and the per-recipient trace header (RFC 5321 4.4).

use std::collections::HashSet;
use std::net::IpAddr;

use crate::address::{Address, Domain, ReversePath};
use crate::header::{self, addresses};
use crate::trace::TraceId;

/// Columns after which a line is folded where it can be (RFC 5322 2.1.1).
const FOLD_AT: usize = 78;
/// Bytes of a peer's HELO name that are repeated.
const MAX_HELO: usize = 253;

/// One hop of a message's way.
#[derive(Debug, Clone)]
pub struct Received<'a> {
    /// Who it came from; `None` on submission, where neither the client's address nor its name is anyone's business.
    pub from: Option<From<'a>>,
    /// Our host name.
    pub by: &'a str,
    /// How it came.
    pub protocol: Protocol,
    /// TLS version and cipher suite, such as `TLSv1.3 TLS_AES_256_GCM_SHA384`.
    pub tls: Option<&'a str>,
    /// The message's trace.
    pub id: TraceId,
    /// The recipient if there is only one: others must not learn of each other.
    pub recipient: Option<&'a Address>,
    /// Seconds since 1970.
    pub time: i64,
}

/// The client of a session.
#[derive(Debug, Clone)]
pub struct From<'a> {
    /// What it called itself, whatever that is.
    pub helo: &'a str,
    /// Its name by DNS, confirmed.
    pub rdns: Option<&'a Domain>,
    /// Its address.
    pub ip: IpAddr,
}

/// The `with` clause's facts (RFC 3848, RFC 6531 4.3).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Protocol {
    /// EHLO was said.
    pub extended: bool,
    /// SMTPUTF8 was asked for.
    pub smtputf8: bool,
    /// Over TLS.
    pub tls: bool,
    /// Authenticated.
    pub authenticated: bool,
}

impl Protocol {
    /// The registered name: `ESMTPSA` and its siblings.
    pub fn keyword(self) -> &'static str {
        match (self.extended, self.smtputf8, self.tls, self.authenticated) {
            (false, ..) => "SMTP",
            (true, false, false, false) => "ESMTP",
            (true, false, false, true) => "ESMTPA",
            (true, false, true, false) => "ESMTPS",
            (true, false, true, true) => "ESMTPSA",
            (true, true, false, false) => "UTF8SMTP",
            (true, true, false, true) => "UTF8SMTPA",
            (true, true, true, false) => "UTF8SMTPS",
            (true, true, true, true) => "UTF8SMTPSA",
        }
    }
}

impl Received<'_> {
    /// The field, folded, with its final CRLF.
    pub fn compose(&self) -> String {
        let mut clauses = Vec::new();
        if let Some(from) = &self.from {
            clauses.push(format!("from {}", clean_helo(from.helo)));
            clauses.push(tcp_info(from));
        }
        clauses.push(format!("by {}", self.by));
        clauses.push(format!("with {}", self.protocol.keyword()));
        clauses.extend(self.tls.map(|tls| format!("({})", clean_comment(tls))));
        clauses.push(format!("id {}", self.id));
        // Without SMTPUTF8 the field must stay ASCII.
        let recipient = self.recipient.filter(|address| self.protocol.smtputf8 || !address.needs_smtputf8());
        clauses.extend(recipient.map(|address| format!("for <{address}>")));
        if let Some(last) = clauses.last_mut() {
            last.push(';');
        }
        clauses.push(header::date(self.time));
        fold("Received:", &clauses)
    }
}

/// What is put before the stored message for one recipient: `Return-Path` and `Delivered-To`.
pub fn delivery_prefix(reverse_path: &ReversePath, recipient: &Address) -> String {
    return_path(reverse_path) + &delivered_to(recipient)
}

/// The `Return-Path` field that final delivery adds (RFC 5321 4.4).
pub fn return_path(reverse_path: &ReversePath) -> String {
    format!("Return-Path: <{}>\r\n", reverse_path.as_ref().map(ToString::to_string).unwrap_or_default())
}

/// The `Delivered-To` field by which we know a message that comes back (RFC 9228).
pub fn delivered_to(recipient: &Address) -> String {
    format!("Delivered-To: {recipient}\r\n")
}

/// The keys ([`Address::key`]) of all addresses that a `Delivered-To` field says the message was delivered to already:
/// for them it goes in a circle.
pub fn delivered(header: &[u8]) -> HashSet<String> {
    let delivered = header::fields(header).filter(|field| field.is("Delivered-To"));
    let mailboxes = delivered.flat_map(|field| addresses(field.value));
    mailboxes.filter_map(|mailbox| mailbox.address().ok()).map(|address| address.key()).collect()
}

/// `(name [address])`, or `([address])` for a client without a name (RFC 5321 4.4, TCP-info).
fn tcp_info(from: &From<'_>) -> String {
    let literal = match from.ip.to_canonical() {
        IpAddr::V4(ip) => format!("[{ip}]"),
        IpAddr::V6(ip) => format!("[IPv6:{ip}]"),
    };
    match from.rdns {
        Some(name) => format!("({name} {literal})"),
        None => format!("({literal})"),
    }
}

/// A HELO name reduced to what names and address literals are made of.
fn clean_helo(helo: &str) -> String {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    let name = Domain::parse(helo).map_or_else(|_| helo.to_owned(), |domain| domain.to_string());
    let clean: String = name.chars().take(MAX_HELO).map(|c| if allowed(c) { c } else { '?' }).collect();
    if clean.is_empty() { "unknown".to_owned() } else { clean }
}

fn clean_comment(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '\\') || *c == ' ').take(100).collect()
}

fn fold(name: &str, clauses: &[String]) -> String {
    let mut field = name.to_owned();
    let mut column = field.len();
    for clause in clauses {
        if column + 1 + clause.len() > FOLD_AT && column > 1 {
            field.push_str("\r\n\t");
            column = 1;
        } else {
            field.push(' ');
            column += 1;
        }
        field.push_str(clause);
        column += clause.len();
    }
    field.push_str("\r\n");
    field
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const TLS: Protocol = Protocol { extended: true, smtputf8: false, tls: true, authenticated: false };

    #[test]
    fn a_hop_from_the_world_tells_who_came_and_how() {
        let (rdns, bob) = (Domain::parse("mx.world.test").unwrap(), Address::parse("bob@home.test").unwrap());
        let received = Received {
            from: Some(From { helo: "mail.world.test", rdns: Some(&rdns), ip: "192.0.2.7".parse().unwrap() }),
            by: "mail.home.test",
            protocol: TLS,
            tls: Some("TLSv1.3 TLS_AES_256_GCM_SHA384"),
            id: TraceId::from_u64(1),
            recipient: Some(&bob),
            time: 1_795_535_230,
        };
        assert_eq!(
            received.compose(),
            "Received: from mail.world.test (mx.world.test [192.0.2.7]) by mail.home.test\r\n\
             \twith ESMTPS (TLSv1.3 TLS_AES_256_GCM_SHA384) id 0000000000001\r\n\
             \tfor <bob@home.test>; Tue, 24 Nov 2026 15:47:10 +0000\r\n"
        );
    }

    #[test]
    fn a_submission_tells_neither_address_nor_name_of_the_client() {
        let received = Received {
            from: None,
            by: "mail.home.test",
            protocol: Protocol { authenticated: true, ..TLS },
            tls: None,
            id: TraceId::from_u64(1),
            recipient: None,
            time: 0,
        };
        assert_eq!(
            received.compose(),
            "Received: by mail.home.test with ESMTPSA id 0000000000001;\r\n\tThu, 01 Jan 1970 00:00:00 +0000\r\n"
        );
    }

    #[test]
    fn a_hostile_helo_stays_within_its_field() {
        let helo = format!("evil)\r\nX-Injected: ü(\0{}", "x".repeat(5_000));
        let recipient = Address::parse("jörg@home.test").unwrap();
        let received = Received {
            from: Some(From { helo: &helo, rdns: None, ip: "2001:db8::1".parse().unwrap() }),
            by: "mail.home.test",
            protocol: Protocol::default(),
            tls: Some("x)\r\nY: z"),
            id: TraceId::from_u64(1),
            recipient: Some(&recipient),
            time: 0,
        };
        let text = received.compose();
        assert!(text.is_ascii() && text.len() < 600, "{text}");
        assert!(text.contains("([IPv6:2001:db8::1]) by mail.home.test with SMTP"), "{text}");
        assert_eq!(header::fields(text.as_bytes()).count(), 1);
        assert_eq!(clean_helo(""), "unknown");
        assert_eq!(clean_helo("bücher.test"), "xn--bcher-kva.test");
        assert_eq!(clean_helo("[192.0.2.1]"), "[192.0.2.1]");
    }

    #[test]
    fn the_prefix_is_read_back_as_a_delivery() {
        let (alice, bob) = (Address::parse("alice@home.test").unwrap(), Address::parse("bob@world.test").unwrap());
        let prefix = delivery_prefix(&Some(bob.clone()), &alice);
        assert_eq!(prefix, "Return-Path: <bob@world.test>\r\nDelivered-To: alice@home.test\r\n");
        assert!(delivery_prefix(&None, &alice).starts_with("Return-Path: <>\r\n"));
        let delivered = delivered(prefix.as_bytes());
        assert!(delivered.contains(&Address::parse("ALICE@home.test").unwrap().key()));
        assert!(!delivered.contains(&bob.key()));
    }
}
