//! SPF: may this address send mail in the name of that domain (RFC 7208).
//!
//! Written here and not left to a library, for most of what can go wrong is in the corners: what an empty answer means,
//! which answers count against the limits, what a mistake in a record that is not even reached does.
//!
//! The explanation that a record may offer (`exp=`) must be well-formed and is not asked for, as everybody is free not
//! to (RFC 7208 6.2): SPF alone refuses no letter here, and it would put a stranger's words into our reply.

mod macros;
mod record;

use std::net::IpAddr;

use mailstead_net::BoxFuture;
use mailstead_net::dns::{Dns, DnsError};
use mailstead_net::network::share_bits;

use self::macros::{Caller, MacroString};
use self::record::{Directive, Masks, Mechanism, Qualifier, Record, is_spf};
use super::PATIENCE_WITH_CLIENT;
use super::inquiry::Inquiry;

/// Terms that ask DNS, in all records together (RFC 7208 4.6.4).
const MAX_LOOKUPS: u32 = 10;
/// Of them, those that found nothing (RFC 7208 4.6.4).
const MAX_VOID_LOOKUPS: u32 = 2;
/// Hosts of one `mx`: more are an error (RFC 7208 4.6.4).
const MAX_MX: usize = 10;
/// Names of the client that are looked at; the rest is passed over (RFC 7208 4.6.4).
const MAX_NAMES: usize = 10;
/// Longest label of a domain name.
const MAX_LABEL: usize = 63;

/// What SPF says (RFC 7208 2.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SpfResult {
    /// There is no name to ask about, or no record.
    None,
    /// The domain says nothing about this address.
    Neutral,
    /// The address may.
    Pass,
    /// The address may not.
    Fail,
    /// The address probably may not.
    SoftFail,
    /// DNS did not answer; why.
    TempError(String),
    /// The record can't be used; why.
    PermError(String),
}

impl SpfResult {
    /// The word for it in header fields.
    pub fn word(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Neutral => "neutral",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::TempError(_) => "temperror",
            Self::PermError(_) => "permerror",
        }
    }

    /// Why, where there is more to say.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::TempError(why) | Self::PermError(why) => Some(why),
            _ => None,
        }
    }
}

/// Judges one name, on its own: `mail_from` without its brackets, or the HELO name where that is empty.
pub async fn spf(dns: &dyn Dns, ip: IpAddr, helo: &str, mail_from: &str) -> SpfResult {
    check(&Inquiry::new(dns, PATIENCE_WITH_CLIENT), ip, helo, mail_from).await
}

/// The same as part of a larger inquiry.
pub(crate) async fn check(inquiry: &Inquiry<'_>, ip: IpAddr, helo: &str, mail_from: &str) -> SpfResult {
    let (local, domain) = match mail_from.rsplit_once('@') {
        Some(("", domain)) => ("postmaster", domain),
        Some((local, domain)) => (local, domain),
        None if mail_from.is_empty() => ("postmaster", helo),
        None => ("postmaster", mail_from),
    };
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let mut evaluation =
        Evaluation { inquiry, ip: ip.to_canonical(), local, sender_domain: domain, helo, lookups: 0, voids: 0 };
    match evaluation.check_host(domain.to_owned()).await {
        Ok(result) | Err(result) => result,
    }
}

/// One evaluation, with what is left of its limits.
struct Evaluation<'a, 'd> {
    inquiry: &'a Inquiry<'d>,
    ip: IpAddr,
    local: &'a str,
    sender_domain: &'a str,
    helo: &'a str,
    lookups: u32,
    voids: u32,
}

/// `Err` ends the whole evaluation.
type Judged<T> = Result<T, SpfResult>;

impl Evaluation<'_, '_> {
    /// RFC 7208 4.
    fn check_host(&mut self, domain: String) -> BoxFuture<'_, Judged<SpfResult>> {
        Box::pin(async move {
            if !is_askable(&domain) {
                return Ok(SpfResult::None);
            }
            let Some(record) = self.record(&domain).await? else { return Ok(SpfResult::None) };
            for Directive { qualifier, mechanism } in &record.directives {
                if self.matches(mechanism, &domain).await? {
                    return Ok(match qualifier {
                        Qualifier::Pass => SpfResult::Pass,
                        Qualifier::Fail => SpfResult::Fail,
                        Qualifier::SoftFail => SpfResult::SoftFail,
                        Qualifier::Neutral => SpfResult::Neutral,
                    });
                }
            }
            let Some(redirect) = &record.redirect else { return Ok(SpfResult::Neutral) };
            self.count_lookup()?;
            let target = self.expand(redirect, &domain).await;
            match self.check_host(target.clone()).await? {
                SpfResult::None => Err(lacking(&target)),
                result => Ok(result),
            }
        })
    }

    /// RFC 7208 4.4 and 4.5.
    async fn record(&self, domain: &str) -> Judged<Option<Record>> {
        let texts = match self.inquiry.txt(domain).await {
            Ok(texts) => texts,
            Err(DnsError::NoName | DnsError::NoRecords) => return Ok(None),
            Err(error) => return Err(temporary(domain, &error)),
        };
        let mut records = texts.iter().filter(|text| is_spf(text));
        let Some(text) = records.next() else { return Ok(None) };
        if records.next().is_some() {
            return Err(SpfResult::PermError(format!("{} has more than one SPF record", shown(domain))));
        }
        let record = Record::parse(text);
        record.map(Some).map_err(|error| SpfResult::PermError(format!("{}: {error}", shown(domain))))
    }

    /// RFC 7208 5.
    async fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Judged<bool> {
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip4(network, bits) => Ok(share_bits(self.ip, IpAddr::V4(*network), *bits)),
            Mechanism::Ip6(network, bits) => Ok(share_bits(self.ip, IpAddr::V6(*network), *bits)),
            Mechanism::Include(spec) => {
                self.count_lookup()?;
                let target = self.expand(spec, domain).await;
                match self.check_host(target.clone()).await? {
                    SpfResult::Pass => Ok(true),
                    SpfResult::None => Err(lacking(&target)),
                    _ => Ok(false),
                }
            }
            Mechanism::A(spec, masks) => {
                self.count_lookup()?;
                let target = self.target(spec.as_ref(), domain).await;
                let found = self.inquiry.addresses(&target, self.ip).await;
                let addresses = self.count_void(&target, found)?;
                Ok(self.is_among(&addresses, *masks))
            }
            Mechanism::Mx(spec, masks) => {
                self.count_lookup()?;
                let target = self.target(spec.as_ref(), domain).await;
                self.matches_mx(&target, *masks).await
            }
            Mechanism::Ptr(spec) => {
                self.count_lookup()?;
                let target = self.target(spec.as_ref(), domain).await;
                Ok(self.validated_names(&target).await.iter().any(|name| is_at_or_below(name, &target)))
            }
            Mechanism::Exists(spec) => {
                self.count_lookup()?;
                let target = self.expand(spec, domain).await;
                // Always for IPv4, however the client came (RFC 7208 5.7).
                let found = self.inquiry.addresses(&target, IpAddr::from([0, 0, 0, 0])).await;
                Ok(!self.count_void(&target, found)?.is_empty())
            }
        }
    }

    async fn matches_mx(&mut self, target: &str, masks: Masks) -> Judged<bool> {
        let found = self.inquiry.mx(target).await;
        let hosts = self.count_void(target, found)?;
        if hosts.len() > MAX_MX {
            return Err(SpfResult::PermError(format!("{} has more than {MAX_MX} mail exchangers", shown(target))));
        }
        for host in hosts.iter().filter(|host| !host.is_empty()) {
            match self.inquiry.addresses(host, self.ip).await {
                Ok(addresses) if self.is_among(&addresses, masks) => return Ok(true),
                // It is the term that counts, and it found something: a host without IPv6 is no mistake.
                Ok(_) | Err(DnsError::NoName | DnsError::NoRecords) => {}
                Err(error) => return Err(temporary(host, &error)),
            }
        }
        Ok(false)
    }

    /// The client's names that lead back to it (RFC 7208 5.5), those that fit `wanted` first. Whatever DNS fails to say
    /// here is as if it were not.
    async fn validated_names(&self, wanted: &str) -> Vec<String> {
        let mut names = self.inquiry.names(self.ip).await.unwrap_or_default();
        names.truncate(MAX_NAMES);
        names.sort_by_key(|name| (!name.eq_ignore_ascii_case(wanted), !is_at_or_below(name, wanted)));
        let mut validated = Vec::new();
        for name in names {
            let addresses = self.inquiry.addresses(&name, self.ip).await.unwrap_or_default();
            if addresses.contains(&self.ip) {
                validated.push(name);
            }
        }
        validated
    }

    async fn target(&self, spec: Option<&MacroString>, domain: &str) -> String {
        match spec {
            Some(spec) => self.expand(spec, domain).await,
            None => domain.to_owned(),
        }
    }

    async fn expand(&self, spec: &MacroString, domain: &str) -> String {
        let names = if spec.needs_validated() { self.validated_names(domain).await } else { Vec::new() };
        spec.domain(&Caller {
            ip: self.ip,
            local: self.local,
            sender_domain: self.sender_domain,
            helo: self.helo,
            domain,
            validated: names.first().map_or("unknown", String::as_str),
        })
    }

    fn is_among(&self, addresses: &[IpAddr], masks: Masks) -> bool {
        let bits = if self.ip.is_ipv4() { masks.v4 } else { masks.v6 };
        addresses.iter().any(|address| share_bits(self.ip, *address, bits))
    }

    fn count_lookup(&mut self) -> Judged<()> {
        self.lookups += 1;
        if self.lookups > MAX_LOOKUPS {
            return Err(SpfResult::PermError(format!("it takes more than {MAX_LOOKUPS} lookups")));
        }
        Ok(())
    }

    /// What was found, where nothing is an empty answer that counts.
    fn count_void<T>(&mut self, name: &str, found: Result<Vec<T>, DnsError>) -> Judged<Vec<T>> {
        match found {
            Ok(found) => Ok(found),
            Err(DnsError::NoName | DnsError::NoRecords) => {
                self.voids += 1;
                if self.voids > MAX_VOID_LOOKUPS {
                    let text = format!("more than {MAX_VOID_LOOKUPS} lookups find nothing");
                    return Err(SpfResult::PermError(text));
                }
                Ok(Vec::new())
            }
            Err(error) => Err(temporary(name, &error)),
        }
    }
}

/// True for a name of at least two labels that can be asked for (RFC 7208 4.3).
fn is_askable(domain: &str) -> bool {
    let valid = |label: &str| !label.is_empty() && label.len() <= MAX_LABEL;
    domain.len() <= 253 && domain.contains('.') && domain.split('.').all(valid) && !domain.starts_with('[')
}

fn is_at_or_below(name: &str, domain: &str) -> bool {
    let (name, domain) = (name.to_ascii_lowercase(), domain.to_ascii_lowercase());
    name.strip_suffix(&domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

fn lacking(target: &str) -> SpfResult {
    SpfResult::PermError(format!("{} is referred to and has no SPF record", shown(target)))
}

fn temporary(name: &str, error: &DnsError) -> SpfResult {
    SpfResult::TempError(format!("{}: {error}", shown(name)))
}

/// A name from DNS or a record, for people.
fn shown(name: &str) -> String {
    name.escape_debug().to_string()
}

#[cfg(test)]
mod tests;
