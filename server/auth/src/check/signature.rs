//! A signature over a header and a body, as DKIM-Signature and ARC-Message-Signature have it, and the proof of it.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::Algorithm;
use mailstead_message::header::{self, Field};

use super::key::Key;
use super::tags::Tags;
use super::{BodyHashes, Finding, Outcome};
use crate::body::Canonicalization;

/// Names in `h=`: the longest honest ones, oversigned, have about fifty.
const MAX_SIGNED: usize = 500;
/// A signature may be from the future by so many seconds, for clocks differ.
const CLOCK_SKEW: u64 = 60 * 60;
/// Characters of `b=` by which results tell signatures of one domain apart (RFC 6008).
const SHOWN_SIGNATURE: usize = 8;
/// Longest domain or selector that can be asked for.
const MAX_NAME: usize = 253;

/// What a signature says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) algorithm: Algorithm,
    pub(super) value: Vec<u8>,
    pub(super) identity: Option<String>,
    body_hash: Vec<u8>,
    header_shape: Canonicalization,
    pub(super) body_shape: Canonicalization,
    names: Vec<String>,
    /// `l=`: it need not cover the whole body.
    partial: bool,
}

/// Who claims to have signed, as far as it can be read, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Claim {
    pub(super) domain: String,
    pub(super) selector: String,
    pub(super) algorithm: String,
    pub(super) shown: String,
}

impl Claim {
    pub(super) fn read(field: &Field<'_>) -> Self {
        let Some(tags) = Tags::parse(field.value) else { return Self::default() };
        let read = |name: &str| tags.squeezed(name).unwrap_or_default();
        Self {
            domain: name(&read("d")).unwrap_or_default(),
            selector: name(&read("s")).unwrap_or_default(),
            algorithm: read("a").chars().take(40).collect(),
            shown: read("b").chars().take(SHOWN_SIGNATURE).collect(),
        }
    }
}

impl Signature {
    /// Reads a signature's field (RFC 6376 3.5, 6.1.1; RFC 8617 4.1.2 for ARC, which has no `v=` and whose `i=` is
    /// another thing). `Err` is the verdict on it.
    pub(super) fn read(field: &Field<'_>, arc: bool, now: i64) -> Result<Self, Finding> {
        let tags = Tags::parse(field.value).ok_or_else(|| malformed("it is no list of tags"))?;
        let need = |tag: &str| tags.squeezed(tag).ok_or_else(|| malformed(&format!("it has no {tag}=")));
        if !arc && need("v")? != "1" {
            return Err(malformed("its version is unknown"));
        }
        let algorithm = algorithm(&need("a")?)?;
        let domain = name(&need("d")?).ok_or_else(|| malformed("its d= is no domain name"))?;
        let selector = name(&need("s")?).ok_or_else(|| malformed("its s= is no selector"))?;
        let (header_shape, body_shape) = shapes(&tags.squeezed("c").unwrap_or_else(|| "simple".to_owned()))?;
        let names: Vec<String> = need("h")?.split(':').map(str::to_ascii_lowercase).collect();
        if !names.iter().any(|name| name == "from") {
            return Err(malformed("it does not cover From"));
        }
        if names.len() > MAX_SIGNED {
            return Err(malformed("it covers too many fields"));
        }
        if let Some(query) = tags.squeezed("q").filter(|_| !arc)
            && !query.split(':').any(|method| method.eq_ignore_ascii_case("dns/txt"))
        {
            return Err(malformed("its key is not in DNS"));
        }
        let identity = tags.squeezed("i").filter(|_| !arc);
        if identity.as_ref().is_some_and(|identity| !is_within(identity, &domain)) {
            return Err(malformed("its i= is not of its d="));
        }
        let length = tags.squeezed("l");
        if length.as_ref().is_some_and(|length| !is_number(length)) {
            return Err(malformed("its l= is no number"));
        }
        let partial = length.is_some();
        check_times(&tags, now)?;
        let value = decode(&need("b")?).ok_or_else(|| malformed("its b= is not base64"))?;
        let body_hash = decode(&need("bh")?).ok_or_else(|| malformed("its bh= is not base64"))?;
        Ok(Self { domain, selector, algorithm, value, identity, body_hash, header_shape, body_shape, names, partial })
    }

    /// Proves it. `field` is its own field.
    pub(super) fn verify(&self, header: &Header<'_>, field: &Field<'_>, body: &BodyHashes, key: &Key) -> Finding {
        // Whoever says how much of the body counts lets others add to it. Where the hash is the whole body's, nobody did.
        if body.get(self.body_shape).is_none_or(|hash| hash != self.body_hash) {
            if self.partial {
                return Finding::new(
                    Outcome::Policy,
                    "it covers only a part of the body (l=), or the body was changed",
                );
            }
            return Finding::new(Outcome::Fail, "the body was changed after signing");
        }
        let mut signed = Vec::new();
        for field in header.select(&self.names) {
            header.write(field, self.header_shape, &mut signed);
        }
        header.write_unsigned(field, self.header_shape, &mut signed);
        key.verify(&signed, &self.value, self.algorithm)
    }
}

/// The fields of a header, to be picked by signatures.
pub(super) struct Header<'a> {
    bytes: &'a [u8],
    pub(super) fields: Vec<Field<'a>>,
    /// By lower-case name, in the order they stand.
    places: HashMap<String, Vec<usize>>,
}

impl<'a> Header<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let fields: Vec<Field<'a>> = header::fields(bytes).collect();
        let mut places: HashMap<String, Vec<usize>> = HashMap::new();
        for (place, field) in fields.iter().enumerate() {
            places.entry(field.name.to_ascii_lowercase()).or_default().push(place);
        }
        Self { bytes, fields, places }
    }

    pub(super) fn named(&self, name: &str) -> impl Iterator<Item = &Field<'a>> {
        let places = self.places.get(&name.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default();
        places.iter().filter_map(|place| self.fields.get(*place))
    }

    /// The fields that names mean: each time a name is said, the next one of it from the bottom, if there is one
    /// (RFC 6376 5.4.2).
    fn select(&self, names: &[String]) -> Vec<&Field<'a>> {
        let mut taken: HashMap<&str, usize> = HashMap::new();
        let mut selected = Vec::new();
        for name in names {
            let Some(places) = self.places.get(name) else { continue };
            let taken = taken.entry(name).or_default();
            let place = places.len().checked_sub(*taken + 1).and_then(|at| places.get(at));
            if let Some(field) = place.and_then(|place| self.fields.get(*place)) {
                *taken += 1;
                selected.push(field);
            }
        }
        selected
    }

    /// A field in one shape, its line end included (RFC 6376 3.4.1, 3.4.2).
    pub(super) fn write(&self, field: &Field<'_>, shape: Canonicalization, to: &mut Vec<u8>) {
        self.write_value(field, field.value, shape, to);
        to.extend_from_slice(b"\r\n");
    }

    /// A signature's own field, as it was before its value was in it, without its line end (RFC 6376 3.7).
    pub(super) fn write_unsigned(&self, field: &Field<'_>, shape: Canonicalization, to: &mut Vec<u8>) {
        self.write_value(field, &without_signature(field.value), shape, to);
    }

    fn write_value(&self, field: &Field<'_>, value: &[u8], shape: Canonicalization, to: &mut Vec<u8>) {
        match shape {
            Canonicalization::Simple => {
                let raw = self.bytes.get(field.range.clone()).unwrap_or_default();
                let colon = memchr::memchr(b':', raw).unwrap_or(raw.len());
                to.extend_from_slice(raw.get(..colon).unwrap_or_default());
                to.push(b':');
                to.extend_from_slice(value);
            }
            Canonicalization::Relaxed => {
                to.extend(field.name.bytes().map(|byte| byte.to_ascii_lowercase()));
                to.push(b':');
                let (begun, mut space) = (to.len(), false);
                for byte in value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')) {
                    if matches!(byte, b' ' | b'\t') {
                        space = true;
                        continue;
                    }
                    if space && to.len() > begun {
                        to.push(b' ');
                    }
                    space = false;
                    to.push(byte);
                }
            }
        }
    }
}

/// A signature's value with nothing behind `b=`.
fn without_signature(value: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(value.len());
    for (number, tag) in value.split(|byte| *byte == b';').enumerate() {
        if number > 0 {
            kept.push(b';');
        }
        let equals = memchr::memchr(b'=', tag).unwrap_or(tag.len());
        let (name, _) = tag.split_at_checked(equals).unwrap_or((tag, &[]));
        let is_signature = name.trim_ascii() == b"b" && equals < tag.len();
        kept.extend_from_slice(if is_signature { tag.get(..=equals).unwrap_or(tag) } else { tag });
    }
    kept
}

pub(super) fn malformed(what: &str) -> Finding {
    Finding::new(Outcome::PermError, what)
}

/// RFC 6376 3.3, RFC 8301 3.1, RFC 8463 3.
pub(super) fn algorithm(name: &str) -> Result<Algorithm, Finding> {
    match name.to_ascii_lowercase().as_str() {
        "rsa-sha256" => Ok(Algorithm::RsaSha256),
        "ed25519-sha256" => Ok(Algorithm::Ed25519Sha256),
        "rsa-sha1" => Err(malformed("rsa-sha1 proves nothing any more")),
        _ => Err(malformed("its algorithm is unknown")),
    }
}

fn shapes(text: &str) -> Result<(Canonicalization, Canonicalization), Finding> {
    let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
    let shape = |name: &str| match name.to_ascii_lowercase().as_str() {
        "simple" => Ok(Canonicalization::Simple),
        "relaxed" => Ok(Canonicalization::Relaxed),
        _ => Err(malformed("its canonicalization is unknown")),
    };
    Ok((shape(header)?, shape(body)?))
}

/// `t=` and `x=`, in seconds since 1970.
fn check_times(tags: &Tags<'_>, now: i64) -> Result<(), Finding> {
    let now = u64::try_from(now).unwrap_or(0);
    let time = |tag: &str| match tags.squeezed(tag) {
        None => Ok(None),
        // Up to twelve digits have a meaning (RFC 6376 3.5); what is longer is the far future.
        Some(digits) if is_number(&digits) => Ok(Some(digits.parse().unwrap_or(u64::MAX))),
        Some(_) => Err(malformed(&format!("its {tag}= is no number"))),
    };
    let (signed, expires) = (time("t")?, time("x")?);
    match (signed, expires) {
        (Some(signed), Some(expires)) if expires < signed => Err(malformed("it expired before it was made")),
        (_, Some(expires)) if expires < now => Err(Finding::new(Outcome::Fail, "it has expired")),
        (Some(signed), _) if signed > now.saturating_add(CLOCK_SKEW) => {
            Err(Finding::new(Outcome::Policy, "it is from the future"))
        }
        _ => Ok(()),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// True when an agent or user identifier is the domain's or below it (RFC 6376 6.1.1).
fn is_within(identity: &str, domain: &str) -> bool {
    let of = identity.rsplit_once('@').map_or("", |(_, of)| of).to_ascii_lowercase();
    of.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok().filter(|bytes| !bytes.is_empty())
}

/// A domain or selector that can be asked for, in lower case and ASCII.
pub(super) fn name(text: &str) -> Option<String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if !text.is_ascii() {
        // With SMTPUTF8 it may be written in its own letters (RFC 8616 4).
        return mailstead_message::Domain::parse(text).ok().map(|domain| domain.as_str().to_owned());
    }
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    (text.len() <= MAX_NAME && text.split('.').all(label)).then(|| text.to_ascii_lowercase())
}
