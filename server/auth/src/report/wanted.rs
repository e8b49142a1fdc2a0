//! Who asks for reports about a domain: its records in DNS, and whether the addresses in them agreed to it.

use std::collections::BTreeMap;

use mailstead_message::report::ReportKind;
use mailstead_message::{Address, Domain};
use mailstead_net::dns::{Dns, DnsError};

/// Addresses of one record that are served.
const MAX_ADDRESSES: usize = 5;
/// Bytes of a record that is read.
const MAX_RECORD: usize = 4 << 10;
/// Questions on the way to the top of a domain (RFC 9989 4.10).
const MAX_WALK: usize = 8;

/// Where a report goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// By mail.
    Mail {
        /// To this address.
        address: Address,
        /// If the letter has no more bytes than that.
        limit: Option<u64>,
    },
    /// By HTTPS POST; TLS reports only.
    Https(String),
}

/// The addresses that ask for reports of a kind about a domain, and may. Empty when nobody does.
///
/// # Errors
/// DNS does not say for now.
pub async fn targets(dns: &dyn Dns, kind: ReportKind, domain: &Domain) -> Result<Vec<Target>, DnsError> {
    match kind {
        ReportKind::Tls => {
            let record = record(dns, &format!("_smtp._tls.{}", domain.as_str()), "v=TLSRPTv1").await?;
            Ok(record.map(|record| rua(&record)).unwrap_or_default())
        }
        ReportKind::Dmarc => {
            let Some(record) = record(dns, &dmarc_name(domain.as_str()), "v=DMARC1").await? else {
                return Ok(Vec::new());
            };
            let mut agreed = Vec::new();
            for target in rua(&record) {
                // RFC 7489 dropped all but mailto.
                if let Target::Mail { address, limit } = target {
                    let address = agreed_address(dns, domain, address).await?;
                    agreed.extend(address.map(|address| Target::Mail { address, limit }));
                }
            }
            Ok(agreed)
        }
    }
}

/// The addresses of a record's `rua`, as many as are served.
fn rua(record: &str) -> Vec<Target> {
    let Some(list) = tags(record).remove("rua") else { return Vec::new() };
    list.split(',').filter_map(|uri| target(uri.trim())).take(MAX_ADDRESSES).collect()
}

fn target(uri: &str) -> Option<Target> {
    let (scheme, rest) = uri.split_once(':')?;
    if scheme.eq_ignore_ascii_case("https") {
        return Some(Target::Https(uri.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("mailto") {
        return None;
    }
    // A `!` of the address itself is written %21 (RFC 7489 6.2).
    let (address, limit) = rest.split_once('!').map_or((rest, None), |(address, size)| (address, limit(size)));
    let address = address.split('?').next()?;
    Some(Target::Mail { address: Address::parse(&percent_decoded(address)?).ok()?, limit })
}

/// `10m`: a number, perhaps with a unit of 1024.
fn limit(size: &str) -> Option<u64> {
    let size = size.trim().to_ascii_lowercase();
    let digits = size.trim_end_matches(['k', 'm', 'g', 't']);
    let shift = match size.strip_prefix(digits)? {
        "" => 0,
        "k" => 10,
        "m" => 20,
        "g" => 30,
        "t" => 40,
        _ => return None,
    };
    Some(digits.parse::<u64>().ok()?.saturating_mul(1 << shift))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = match (byte, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    String::from_utf8(bytes).ok()
}

/// The address that reports go to, if its domain agreed to take reports about another one (RFC 7489 7.1).
async fn agreed_address(dns: &dyn Dns, domain: &Domain, address: Address) -> Result<Option<Address>, DnsError> {
    let host = address.domain().clone();
    if host == *domain || is_below(&host, domain) {
        return Ok(Some(address));
    }
    let agreement = format!("{}._report._dmarc.{}", domain.as_str(), host.as_str());
    if let Some(record) = record(dns, &agreement, "v=DMARC1").await? {
        // It may name another address, at the same host.
        let own = rua(&record).into_iter().find_map(|target| match target {
            Target::Mail { address, .. } if *address.domain() == host => Some(address),
            _ => None,
        });
        return Ok(Some(own.unwrap_or(address)));
    }
    let same = organisation(dns, domain).await? == organisation(dns, &host).await?;
    Ok(same.then_some(address))
}

fn is_below(name: &Domain, above: &Domain) -> bool {
    name.as_str().strip_suffix(above.as_str()).is_some_and(|front| front.ends_with('.'))
}

/// The organisation's domain, by walking up the tree (RFC 9989 4.10.2).
async fn organisation(dns: &dyn Dns, domain: &Domain) -> Result<String, DnsError> {
    let labels: Vec<&str> = domain.as_str().split('.').collect();
    let name = |skipped: usize| labels.get(skipped..).unwrap_or_default().join(".");
    let mut best = domain.as_str().to_owned();
    // Of a longer name the first one, then the last seven labels.
    let later = labels.len().saturating_sub(MAX_WALK - 1).max(1);
    for skipped in std::iter::once(0).chain(later..labels.len()) {
        let Some(record) = record(dns, &dmarc_name(&name(skipped)), "v=DMARC1").await? else { continue };
        match tags(&record).get("psd").map(String::as_str) {
            Some("n") => return Ok(name(skipped)),
            // What is above many organisations: theirs is the name below it.
            Some("y") if skipped > 0 => return Ok(name(skipped - 1)),
            _ => best = name(skipped),
        }
    }
    Ok(best)
}

fn dmarc_name(domain: &str) -> String {
    format!("_dmarc.{domain}")
}

/// The one TXT record with that version; with several there is none (RFC 8460 3, RFC 7489 6.6.3).
async fn record(dns: &dyn Dns, name: &str, version: &str) -> Result<Option<String>, DnsError> {
    let texts = match dns.txt(name).await {
        Ok(answer) => answer.records,
        Err(error) if error.is_temporary() => return Err(error),
        Err(_) => return Ok(None),
    };
    let texts =
        texts.into_iter().filter(|text| text.len() <= MAX_RECORD).filter_map(|text| String::from_utf8(text).ok());
    let mut fitting = texts.filter(|text| has_version(text, version));
    let first = fitting.next();
    Ok(first.filter(|_| fitting.next().is_none()))
}

fn has_version(text: &str, version: &str) -> bool {
    let first = text.split(';').next().unwrap_or_default();
    let compact: String = first.split_whitespace().collect();
    compact == version
}

/// `tag=value` pairs, tags in lower case; the first of each counts.
fn tags(record: &str) -> BTreeMap<String, String> {
    let mut tags = BTreeMap::new();
    for (tag, value) in record.split(';').filter_map(|pair| pair.split_once('=')) {
        tags.entry(tag.trim().to_ascii_lowercase()).or_insert_with(|| value.trim().to_owned());
    }
    tags
}
