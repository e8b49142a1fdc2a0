//! What TLS a server must show before it gets mail, by whose word, and what is counted of it.
//!
//! DANE goes before MTA-STS (RFC 8461 2): whoever secures the DNS has said all there is to say. Without either, TLS is
//! taken as it comes (RFC 7435). A message may need verified TLS all the same, or waive all of this (RFC 8689). An
//! answer that may be forged never weakens a demand: a host whose TLSA records can't be had is passed over for now (RFC
//! 7672 2.2).

use std::net::IpAddr;

use mailstead_message::Domain;
use mailstead_net::dane::Dane;
use mailstead_net::dns::{DnsError, Tlsa};
use mailstead_net::{ClientTls, Flaw, TlsFault, reach};
use mailstead_smtp::client::Tls;
use mailstead_store::{SmarthostTls, StsMode, TlsFailure, TlsNeed, TlsOutcome, TlsPolicy, TlsResult};

use crate::search::{Ends, Misfortune, Peer};
use crate::sts::Standing;
use crate::{Context, Policy, Status};

/// What TLS a server must show.
#[derive(Debug, Clone)]
pub(crate) enum Demand {
    /// What it has, or none.
    Nothing,
    /// The same, but what is wrong by the domain's MTA-STS policy is told.
    Tested,
    /// A certificate valid for its name: the domain's MTA-STS policy is in force.
    Sts,
    /// A certificate that its TLSA records name.
    Dane(ClientTls, Vec<Tlsa>),
    /// Any certificate: it has TLSA records, but none that can be used (RFC 7672 2.2).
    Encryption(Vec<Tlsa>),
    /// A certificate valid for its name: the message itself says so.
    Message,
    /// What the operator chose for the relay.
    Relay(SmarthostTls),
}

/// Which names led to a host can't have been forged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secure {
    /// The domain's MX records.
    pub(crate) mx: bool,
    /// The host's addresses.
    pub(crate) addresses: bool,
}

/// Finds out what a host of a domain must show to a message of that need.
pub(crate) async fn of_host(
    context: &Context,
    domain: &Domain,
    sts: &Standing,
    host: &str,
    secure: Secure,
    need: TlsNeed,
) -> Result<Demand, Misfortune> {
    if need == TlsNeed::Waived {
        return Ok(Demand::Nothing);
    }
    let demand = by_domain(context, domain, sts, host, secure.mx && secure.addresses).await?;
    if need == TlsNeed::Usual || matches!(demand, Demand::Dane(..) | Demand::Sts) {
        return Ok(demand);
    }
    // RFC 8689 4.2.1: a valid certificate is worth nothing for a name that anybody may have put into the DNS.
    let named = sts.policy.as_ref().is_some_and(|policy| policy.allows(host));
    if secure.mx || named {
        return Ok(Demand::Message);
    }
    let text = format!(
        "{} is passed over: the message needs verified TLS (REQUIRETLS), but neither DNSSEC nor an MTA-STS policy \
         vouches for that server of {domain}",
        host.escape_debug()
    );
    // The policy that can't be had at the moment may be the one that vouches for it.
    let for_now =
        |why: &str| Misfortune::temporary((4, 7, 5), host, format!("{text}, as far as can be told now ({why})"));
    Err(match &sts.failure {
        Some((_, why)) => for_now(why),
        None if !context.dns.proves() => for_now("our name servers can't prove what they say"),
        None => Misfortune::permanent(NEEDS_TLS, host, text),
    })
}

/// Encryption needed (RFC 3463, RFC 8689 5).
pub(crate) const NEEDS_TLS: Status = (5, 7, 10);

/// What a domain demands of its host. `secure` says that nobody can have forged what led to it.
async fn by_domain(
    context: &Context,
    domain: &Domain,
    sts: &Standing,
    host: &str,
    secure: bool,
) -> Result<Demand, Misfortune> {
    let records = if secure { tlsa(context, domain, host).await? } else { None };
    let mut demand = Demand::Nothing;
    if let Some(records) = records {
        if let Some(dane) = Dane::new(&records, &[host, domain.as_str()]) {
            return Ok(Demand::Dane(ClientTls::dane(dane), records));
        }
        demand = Demand::Encryption(records);
    }
    let Some(policy) = &sts.policy else { return Ok(demand) };
    match policy.mode {
        StsMode::Enforce if policy.allows(host) => Ok(Demand::Sts),
        StsMode::Enforce => {
            let text = format!("{} is passed over: {}", host.escape_debug(), not_named(domain));
            count(context, outcome(domain, sts_policy(sts), Some(failure(TlsResult::ValidationFailure, host, &text))));
            Err(Misfortune::temporary((4, 7, 5), host, text))
        }
        StsMode::Testing if matches!(demand, Demand::Nothing) => Ok(Demand::Tested),
        StsMode::Testing | StsMode::None => Ok(demand),
    }
}

/// The TLSA records of a host's port, if secure ones are there. They are looked for under the host's name in the MX
/// record; those of the target of a host that is an alias, which RFC 7672 2.2.2 puts before them, are not looked for.
async fn tlsa(context: &Context, domain: &Domain, host: &str) -> Result<Option<Vec<Tlsa>>, Misfortune> {
    match context.dns.tlsa(&format!("_25._tcp.{host}")).await {
        Ok(answer) if answer.secure => Ok(Some(answer.records)),
        Ok(_) | Err(DnsError::NoName | DnsError::NoRecords) => Ok(None),
        Err(error) => {
            let text = format!("{} is passed over: its TLSA records can't be found: {error}", host.escape_debug());
            let result = match error {
                DnsError::Bogus(_) => TlsResult::DnssecInvalid,
                _ => TlsResult::TlsaInvalid,
            };
            let policy = TlsPolicy::Tlsa { records: Vec::new() };
            count(context, outcome(domain, policy, Some(failure(result, host, &text))));
            Err(Misfortune::temporary((4, 7, 5), host, text))
        }
    }
}

impl Demand {
    /// What the SMTP client is to do about it.
    pub(crate) fn wish(&self, policy: &Policy) -> Tls {
        let verified = &policy.verified_tls;
        match self {
            Self::Nothing | Self::Tested => Tls::Opportunistic(verified.lenient()),
            Self::Encryption(_) => Tls::Required(verified.lenient()),
            Self::Sts | Self::Message | Self::Relay(SmarthostTls::Starttls) => Tls::Required(verified.clone()),
            Self::Dane(tls, _) => Tls::Required(tls.clone()),
            Self::Relay(SmarthostTls::Implicit) => Tls::Implicit(verified.clone()),
            Self::Relay(SmarthostTls::None) => Tls::Never,
        }
    }

    /// True when a letter may go without TLS, should that fail.
    pub(crate) fn is_wish_only(&self) -> bool {
        matches!(self, Self::Nothing | Self::Tested)
    }

    /// Whose word it is, for a sentence: `as ... demands`.
    pub(crate) fn author(&self, domain: &dyn std::fmt::Display) -> Option<String> {
        match self {
            Self::Nothing | Self::Tested | Self::Relay(SmarthostTls::None) => None,
            Self::Message => Some("the message (REQUIRETLS)".to_owned()),
            Self::Sts => Some(format!("the MTA-STS policy of {domain}")),
            Self::Dane(..) => Some("DANE".to_owned()),
            Self::Encryption(_) => Some("DANE (whose records leave open which certificate)".to_owned()),
            Self::Relay(_) => Some("the operator".to_owned()),
        }
    }
}

/// How a session came to be, as far as TLS is concerned.
pub(crate) struct Attempted<'a> {
    pub(crate) domain: &'a Domain,
    pub(crate) sts: &'a Standing,
    pub(crate) peer: &'a Peer,
    pub(crate) ends: &'a Ends,
    pub(crate) demand: &'a Demand,
    /// What was wrong with TLS, whether it ended the session or not.
    pub(crate) fault: Option<&'a TlsFault>,
}

impl Attempted<'_> {
    /// Counts it for the report the domain may want (RFC 8460). What is nobody's demand is no failure, unless TLS
    /// itself is missing or broken.
    pub(crate) fn count(&self, context: &Context) {
        let policy = match self.demand {
            Demand::Nothing | Demand::Message => TlsPolicy::NotFound,
            Demand::Tested | Demand::Sts => sts_policy(self.sts),
            Demand::Dane(_, records) | Demand::Encryption(records) => {
                TlsPolicy::Tlsa { records: records.iter().map(zone_line).collect() }
            }
            Demand::Relay(_) => return,
        };
        let fault = self.fault.filter(|fault| {
            !matches!(self.demand, Demand::Nothing | Demand::Message)
                || matches!(fault.flaw, Flaw::NotOffered | Flaw::Handshake)
        });
        let failure = match (fault, self.demand) {
            (Some(fault), _) => Some(self.failure(&context.policy, result(fault.flaw), &fault.text)),
            (None, Demand::Encryption(_)) => {
                Some(self.failure(&context.policy, TlsResult::TlsaInvalid, "none of the TLSA records can be used"))
            }
            (None, _) => None,
        };
        count(context, outcome(self.domain, policy, failure));
    }

    fn failure(&self, policy: &Policy, result: TlsResult, reason: &str) -> TlsFailure {
        TlsFailure {
            sending_ip: self.ends.ours.and_then(|ours| as_seen(policy, ours)),
            helo: self.ends.theirs.clone(),
            receiving_ip: Some(self.peer.address.ip()),
            ..failure(result, &self.peer.host, reason)
        }
    }
}

/// Counts that a policy could not be had.
pub(crate) fn count_missing(context: &Context, domain: &Domain, sts: &Standing) {
    let Some((result, reason)) = &sts.failure else { return };
    let host = format!("mta-sts.{domain}");
    count(context, outcome(domain, sts_policy(sts), Some(failure(*result, &host, reason))));
}

/// Why a host is not one a domain's policy names.
pub(crate) fn not_named(domain: &Domain) -> String {
    format!("the MTA-STS policy of {domain} does not name it")
}

fn count(context: &Context, outcome: TlsOutcome) {
    context.store.tally_tls(context.now(), outcome);
}

fn outcome(domain: &Domain, policy: TlsPolicy, failure: Option<TlsFailure>) -> TlsOutcome {
    TlsOutcome { domain: domain.clone(), policy, failure }
}

fn failure(result: TlsResult, host: &str, reason: &str) -> TlsFailure {
    TlsFailure {
        result,
        sending_ip: None,
        mx: Some(host.to_owned()),
        helo: None,
        receiving_ip: None,
        reason: Some(reason.to_owned()),
    }
}

fn sts_policy(sts: &Standing) -> TlsPolicy {
    let text = sts.policy.as_ref().map(ToString::to_string).unwrap_or_default();
    let mx = sts.policy.iter().flat_map(|policy| &policy.mx).map(ToString::to_string).collect();
    TlsPolicy::Sts { lines: text.lines().map(str::to_owned).collect(), mx }
}

/// Our address as a server sees it: behind a router that translates, the one the operator told us. An address of our own
/// network is nobody's business.
fn as_seen(policy: &Policy, ours: IpAddr) -> Option<IpAddr> {
    let known = std::iter::once(ours).chain(policy.own_addresses.iter().copied());
    let mut known = known.filter(|address| address.is_ipv4() == ours.is_ipv4());
    known.find(|address| policy.allow_private || reach::is_public(*address))
}

fn zone_line(record: &Tlsa) -> String {
    let hex: String = record.data.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{} {} {} {hex}", record.usage, record.selector, record.matching)
}

fn result(flaw: Flaw) -> TlsResult {
    match flaw {
        Flaw::NotOffered => TlsResult::StarttlsNotSupported,
        Flaw::Name => TlsResult::CertificateHostMismatch,
        Flaw::Expired => TlsResult::CertificateExpired,
        Flaw::NotTrusted => TlsResult::CertificateNotTrusted,
        Flaw::Tlsa => TlsResult::TlsaInvalid,
        Flaw::Handshake => TlsResult::ValidationFailure,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::HashMap;

    use super::*;
    use crate::Schedule;

    #[test]
    fn a_report_names_an_address_the_server_can_have_seen() {
        let policy = Policy {
            hostname: "mail.home.test".to_owned(),
            port: 25,
            port_overrides: HashMap::new(),
            allow_private: false,
            own_addresses: ["10.0.0.2", "2a01:4f8::1", "198.41.0.4"].map(|text| text.parse().unwrap()).to_vec(),
            concurrency: 1,
            per_destination: 1,
            schedule: Schedule::default(),
            verified_tls: ClientTls::verifying(&[]).unwrap(),
        };
        for (ours, seen) in [
            ("198.41.0.9", Some("198.41.0.9")),
            ("192.168.1.5", Some("198.41.0.4")),
            ("2a01:4f8::2", Some("2a01:4f8::2")),
            ("fd00::5", Some("2a01:4f8::1")),
        ] {
            assert_eq!(as_seen(&policy, ours.parse().unwrap()), seen.map(|text| text.parse().unwrap()), "{ours}");
        }
        let alone = Policy { own_addresses: Vec::new(), ..policy };
        assert_eq!(as_seen(&alone, "192.168.1.5".parse().unwrap()), None);
    }
}
