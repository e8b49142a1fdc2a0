//! An SPF record, read strictly as a whole before anything of it is evaluated (RFC 7208 4.6, 12).

use std::net::{Ipv4Addr, Ipv6Addr};

use super::macros::MacroString;

/// Bytes of a record that are read: what DNS can carry in one message.
const MAX_RECORD: usize = 65_535;

/// The record can't be read: permerror.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the SPF record has a mistake at \"{0}\"")]
pub(crate) struct Malformed(pub(crate) String);

/// A record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<MacroString>,
}

/// A mechanism and what a match means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) qualifier: Qualifier,
    pub(super) mechanism: Mechanism,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Qualifier {
    Pass,
    Fail,
    SoftFail,
    Neutral,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(MacroString),
    A(Option<MacroString>, Masks),
    Mx(Option<MacroString>, Masks),
    Ptr(Option<MacroString>),
    Ip4(Ipv4Addr, u8),
    Ip6(Ipv6Addr, u8),
    Exists(MacroString),
}

/// How many bits of an address must be the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Masks {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

/// True when a TXT record is an SPF record of the version that counts (RFC 7208 4.5).
pub(crate) fn is_spf(text: &[u8]) -> bool {
    let Some((version, rest)) = text.split_at_checked(6) else { return false };
    version.eq_ignore_ascii_case(b"v=spf1") && matches!(rest, [] | [b' ', ..])
}

impl Record {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Malformed> {
        let wrong = |what: &[u8]| Malformed(what.escape_ascii().to_string().chars().take(80).collect());
        let terms = text.get(6..).filter(|_| text.len() <= MAX_RECORD).ok_or_else(|| wrong(text))?;
        let terms = std::str::from_utf8(terms).ok().filter(|terms| terms.is_ascii()).ok_or_else(|| wrong(terms))?;
        let mut record = Self { directives: Vec::new(), redirect: None };
        let mut explained = false;
        for term in terms.split(' ').filter(|term| !term.is_empty()) {
            let wrong = || wrong(term.as_bytes());
            match modifier(term) {
                Some(("redirect", value)) if record.redirect.is_none() => {
                    record.redirect = Some(MacroString::domain_spec(value).ok_or_else(wrong)?);
                }
                Some(("exp", value)) if !explained => {
                    MacroString::domain_spec(value).ok_or_else(wrong)?;
                    explained = true;
                }
                Some(("redirect" | "exp", _)) => return Err(wrong()),
                Some((_, value)) => drop(MacroString::parse(value).ok_or_else(wrong)?),
                None => record.directives.push(directive(term).ok_or_else(wrong)?),
            }
        }
        Ok(record)
    }
}

/// A term that is a modifier, its name in lower case if it is one we know.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let mut characters = name.chars();
    let begins = characters.next().is_some_and(|first| first.is_ascii_alphabetic());
    let valid = begins && characters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    let known = ["redirect", "exp"].into_iter().find(|known| known.eq_ignore_ascii_case(name));
    valid.then_some((known.unwrap_or(name), value))
}

fn directive(term: &str) -> Option<Directive> {
    let (qualifier, term) = match term.split_at_checked(1)? {
        ("+", rest) => (Qualifier::Pass, rest),
        ("-", rest) => (Qualifier::Fail, rest),
        ("~", rest) => (Qualifier::SoftFail, rest),
        ("?", rest) => (Qualifier::Neutral, rest),
        _ => (Qualifier::Pass, term),
    };
    let end = term.find([':', '/']).unwrap_or(term.len());
    let (name, rest) = term.split_at_checked(end)?;
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Mechanism::All,
        "include" => Mechanism::Include(MacroString::domain_spec(rest.strip_prefix(':')?)?),
        "exists" => Mechanism::Exists(MacroString::domain_spec(rest.strip_prefix(':')?)?),
        "ptr" => Mechanism::Ptr(optional_domain(rest)?),
        "a" => {
            let (domain, masks) = masks(rest)?;
            Mechanism::A(optional_domain(domain)?, masks)
        }
        "mx" => {
            let (domain, masks) = masks(rest)?;
            Mechanism::Mx(optional_domain(domain)?, masks)
        }
        "ip4" => {
            let (network, bits) = network(rest.strip_prefix(':')?, 32)?;
            Mechanism::Ip4(network.parse().ok()?, bits)
        }
        "ip6" => {
            let (network, bits) = network(rest.strip_prefix(':')?, 128)?;
            Mechanism::Ip6(network.parse().ok()?, bits)
        }
        _ => return None,
    };
    Some(Directive { qualifier, mechanism })
}

/// `[":" domain-spec]`
fn optional_domain(rest: &str) -> Option<Option<MacroString>> {
    if rest.is_empty() {
        return Some(None);
    }
    MacroString::domain_spec(rest.strip_prefix(':')?).map(Some)
}

/// Splits the dual-cidr-length from the end; a slash elsewhere belongs to the domain-spec.
fn masks(rest: &str) -> Option<(&str, Masks)> {
    let mut masks = Masks { v4: 32, v6: 128 };
    let mut rest = rest;
    if let Some((before, bits)) = rest.rsplit_once("//").filter(|(_, bits)| is_number(bits)) {
        masks.v6 = length(bits, 128)?;
        rest = before;
    }
    if let Some((before, bits)) = rest.rsplit_once('/').filter(|(_, bits)| is_number(bits)) {
        masks.v4 = length(bits, 32)?;
        rest = before;
    }
    Some((rest, masks))
}

fn network(text: &str, most: u8) -> Option<(&str, u8)> {
    match text.split_once('/') {
        Some((network, bits)) => Some((network, length(bits, most)?)),
        None => Some((text, most)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A prefix length without leading zeros.
fn length(text: &str, most: u8) -> Option<u8> {
    if !is_number(text) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok().filter(|bits| *bits <= most)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_version_must_stand_alone() {
        for (text, expected) in [
            (&b"v=spf1"[..], true),
            (b"v=spf1 -all", true),
            (b"V=SPF1 -all", true),
            (b"v=spf10 -all", false),
            (b"v=spf1-all", false),
            (b" v=spf1 -all", false),
            (b"v=spf", false),
        ] {
            assert_eq!(is_spf(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn every_kind_of_term_is_read() {
        let text = b"v=spf1  a mx:b.test/24//64 ?include:%{d}.x.test ip4:192.0.2.0/24 ip6:2001:db8::/32 ~ptr -exists:%{i}.e.test \
                     a:foo:bar/baz.example.test/8 +ALL Exp=e.test moo.cow-far_out=man:dog/cat redirect=%{d2} ";
        let record = Record::parse(text).unwrap();
        assert_eq!(record.directives.len(), 9);
        assert!(record.redirect.is_some());
        assert!(matches!(record.directives[0].mechanism, Mechanism::A(None, Masks { v4: 32, v6: 128 })));
        assert!(matches!(record.directives[1].mechanism, Mechanism::Mx(Some(_), Masks { v4: 24, v6: 64 })));
        assert!(matches!(record.directives[7].mechanism, Mechanism::A(Some(_), Masks { v4: 8, v6: 128 })));
    }

    #[test]
    fn one_mistake_spoils_the_whole_record() {
        for term in [
            "all:x",
            "all/8",
            "all.",
            "-all-",
            "include",
            "include:",
            "exists",
            "exists:",
            "a:",
            "mx:",
            "ptr:",
            "a:museum",
            "a:museum.",
            "a:111.222.33.44",
            "a/33",
            "a//129",
            "a/08",
            "a:b.test/",
            "ip4",
            "ip4:",
            "ip4:1.2.3",
            "ip4:1.2.3.4/33",
            "ip4:1.2.3.4/",
            "ip4:1.2.3.4:80",
            "ip4:1.2.3.4/32//128",
            "ip4:01.2.3.4",
            "ip6:",
            "ip6:::1/129",
            "ip6:::1/-1",
            "redirect=",
            "redirect=a.test redirect=b.test",
            "exp=",
            "exp=a.test exp=b.test",
            "-foo=bar",
            "=x",
            "2x=y",
            "moo",
            "a:%{q}.test",
            "a:%{d0}.test",
            "a:%x.test",
            "a:b.test%",
            "a:%{d.test",
            "a:%{c}.test",
            "x=%{",
            "b\u{fc}=x",
            "a\tmx",
            "a:b\0.test",
            "mx.test",
        ] {
            let text = format!("v=spf1 ip4:1.2.3.4 {term} -all");
            assert!(Record::parse(text.as_bytes()).is_err(), "{term}");
        }
        assert!(Record::parse(b"v=spf1 \xff -all").is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = (is_spf(&text), Record::parse(&text));
        }

        #[test]
        fn anything_like_a_term_is_read_without_panic(terms in "(([+~?-]?(a|mx|ptr|ip4|ip6|exists|x=)[:/%{}0-9a-z. ]{0,9}) ){0,9}") {
            let _ = Record::parse(format!("v=spf1 {terms}").as_bytes());
        }
    }
}
