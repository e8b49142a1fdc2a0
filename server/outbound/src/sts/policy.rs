//! The policy file and the TXT record (RFC 8461 3.1, 3.2): read as others write them, written as ours. No socket, no
//! clock.

use std::fmt;

use mailstead_store::StsMode;

/// Hosts and patterns of a policy; who needs more means ill.
const MAX_PATTERNS: usize = 100;
/// Characters of one.
const MAX_PATTERN: usize = 253;
/// Characters of an id (RFC 8461 3.1).
const MAX_ID: usize = 32;
/// The longest a policy may hold, in seconds: about a year (RFC 8461 3.2).
const MAX_AGE: u32 = 31_557_600;
/// Ours in force: weeks, as RFC 8461 3.2 advises, for a policy that runs out between two letters protects neither.
const OWN_AGE: u32 = 14 * 86_400;
/// Ours in testing: short, for it may be wrong.
const OWN_AGE_IN_TESTING: u32 = 86_400;

/// A policy: which hosts may take a domain's mail, and how seriously that is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// How seriously.
    pub mode: StsMode,
    /// The hosts.
    pub mx: Vec<Pattern>,
    /// Seconds from its fetching for which it holds.
    pub max_age: u32,
}

/// A host name, or all names one label below one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    any: bool,
    /// Lower case, without a final dot.
    name: String,
}

/// What is wrong with a policy or a record, without a full stop.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Policy {
    /// What one of our domains says: that this host takes its mail.
    pub fn own(mode: StsMode, host: &str) -> Self {
        let max_age = if mode == StsMode::Enforce { OWN_AGE } else { OWN_AGE_IN_TESTING };
        let host = Pattern { any: false, name: host.to_ascii_lowercase() };
        Self { mode, mx: if mode == StsMode::None { Vec::new() } else { vec![host] }, max_age }
    }

    /// Reads a policy file. Lines may end in CRLF or LF; unknown keys are passed over, and of a key given twice the
    /// first counts (RFC 8461 3.2).
    ///
    /// # Errors
    /// What is missing or wrong.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let (mut version, mut mode, mut max_age, mut mx) = (None, None, None, Vec::new());
        for line in text.split('\n').map(str::trim).filter(|line| !line.is_empty()) {
            let (key, value) =
                line.split_once(':').ok_or_else(|| malformed("a line of the policy is not `key: value`"))?;
            let (key, value) = (key.trim_end(), value.trim_start());
            match key {
                "version" => _ = version.get_or_insert(value),
                "mode" => _ = mode.get_or_insert(value),
                "max_age" => _ = max_age.get_or_insert(value),
                "mx" if mx.len() >= MAX_PATTERNS => return Err(malformed("the policy has too many mx lines")),
                "mx" => mx.push(Pattern::parse(value).ok_or_else(|| malformed("an mx line of the policy is no host"))?),
                _ => {}
            }
        }
        if version != Some("STSv1") {
            return Err(malformed("the policy is not of version STSv1"));
        }
        let mode = mode.ok_or_else(|| malformed("the policy has no mode"))?;
        let mode = mode.parse().map_err(|()| malformed("the policy's mode is unknown"))?;
        let max_age = max_age.and_then(seconds).ok_or_else(|| malformed("the policy has no valid max_age"))?;
        if mx.is_empty() && mode != StsMode::None {
            return Err(malformed("the policy names no host"));
        }
        Ok(Self { mode, mx, max_age })
    }

    /// True when the host may take the domain's mail.
    pub fn allows(&self, host: &str) -> bool {
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        self.mx.iter().any(|pattern| pattern.matches(&host))
    }

    /// Its id for the TXT record: what it says, condensed, so that it changes when that does and only then.
    pub fn id(&self) -> String {
        blake3::hash(self.to_string().as_bytes()).to_hex().chars().take(20).collect()
    }

    /// The TXT record at `_mta-sts.` of the domain.
    pub fn record(&self) -> String {
        format!("v=STSv1; id={};", self.id())
    }
}

impl fmt::Display for Policy {
    /// As a file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version: STSv1\r\nmode: {}\r\n", self.mode)?;
        for pattern in &self.mx {
            write!(f, "mx: {pattern}\r\n")?;
        }
        write!(f, "max_age: {}\r\n", self.max_age)
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let (any, name) = text.strip_prefix("*.").map_or((false, text), |name| (true, name));
        let name = name.strip_suffix('.').unwrap_or(name);
        let is_label = |label: &str| {
            !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
        };
        let valid = name.len() <= MAX_PATTERN && name.split('.').all(is_label);
        valid.then(|| Self { any, name: name.to_ascii_lowercase() })
    }

    /// A wildcard stands for exactly one label (RFC 8461 4.1).
    fn matches(&self, host: &str) -> bool {
        match (self.any, host.split_once('.')) {
            (true, Some((first, rest))) => !first.is_empty() && rest == self.name,
            (true, None) => false,
            (false, _) => host == self.name,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.any { "*." } else { "" }, self.name)
    }
}

/// The id in a domain's TXT records at `_mta-sts.`: exactly one of them may be of version STSv1 (RFC 8461 3.1). `None`
/// when there is no such record.
///
/// # Errors
/// There are several, or its id is not one.
pub fn record_id(records: &[Vec<u8>]) -> Result<Option<String>, Malformed> {
    let mut ours = records.iter().filter(|record| is_sts(record));
    let Some(record) = ours.next() else { return Ok(None) };
    if ours.next().is_some() {
        return Err(malformed("there is more than one MTA-STS record"));
    }
    let wrong = || malformed("the MTA-STS record has no valid id");
    let text = std::str::from_utf8(record).map_err(|_| wrong())?;
    let mut fields = text.split(';').skip(1).filter_map(|field| field.split_once('='));
    let id = fields.find(|(key, _)| key.trim() == "id").map(|(_, id)| id.trim()).ok_or_else(wrong)?;
    let valid = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if valid { Ok(Some(id.to_owned())) } else { Err(wrong()) }
}

fn is_sts(record: &[u8]) -> bool {
    let version = record.split(|byte| *byte == b';').next().unwrap_or_default();
    version.trim_ascii() == b"v=STSv1"
}

/// Up to ten digits; more than a year counts as a year.
fn seconds(text: &str) -> Option<u32> {
    let digits = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds: u64 = digits.then(|| text.parse().ok()).flatten()?;
    Some(u32::try_from(seconds).unwrap_or(u32::MAX).min(MAX_AGE))
}

fn malformed(what: &str) -> Malformed {
    Malformed(what.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const GOOD: &str = "version: STSv1\nmode: enforce\nmx: mail.example.com\nmx: *.Example.net.\nmax_age: 604800\n";

    #[test]
    fn a_policy_is_read_with_either_line_end_and_in_any_order() {
        let policy = Policy::parse(GOOD).unwrap();
        assert_eq!((policy.mode, policy.max_age), (StsMode::Enforce, 604_800));
        assert_eq!(
            policy.mx.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["mail.example.com", "*.example.net"]
        );
        assert_eq!(Policy::parse(&GOOD.replace('\n', "\r\n")).unwrap(), policy);
        assert_eq!(Policy::parse(&GOOD.lines().rev().collect::<Vec<_>>().join("\n")).unwrap().mode, StsMode::Enforce);
        assert_eq!(Policy::parse(&GOOD.replace(": ", ":")).unwrap(), policy);
        assert_eq!(Policy::parse(&(GOOD.to_owned() + "future_key: a:b;c\n\n")).unwrap(), policy);
        assert_eq!(Policy::parse(&(GOOD.to_owned() + "mode: none\nmax_age: 1\n")).unwrap(), policy, "the first counts");
        assert_eq!(Policy::parse("version: STSv1\nmode: none\nmax_age: 0").unwrap().mode, StsMode::None);
    }

    #[test]
    fn what_is_no_policy_is_refused_with_a_reason() {
        for (text, why) in [
            ("", "not of version STSv1"),
            ("<html>404</html>", "not `key: value`"),
            ("version: STSv2\nmode: none\nmax_age: 1", "not of version STSv1"),
            ("version: STSv1\nmax_age: 1", "no mode"),
            ("version: STSv1\nmode: Enforce\nmax_age: 1", "mode is unknown"),
            ("version: STSv1\nmode: none", "max_age"),
            ("version: STSv1\nmode: none\nmax_age: -1", "max_age"),
            ("version: STSv1\nmode: none\nmax_age: 12345678901", "max_age"),
            ("version: STSv1\nmode: enforce\nmax_age: 1", "names no host"),
            ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a..b", "is no host"),
            ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: *", "is no host"),
            ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: a.*.b", "is no host"),
            ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: *.*.b", "is no host"),
            ("version: STSv1\nmode: enforce\nmax_age: 1\nmx: \u{fc}.test", "is no host"),
        ] {
            let refused = Policy::parse(text).unwrap_err();
            assert!(refused.0.contains(why), "{text:?}: {refused}");
        }
        let many = "version: STSv1\nmode: enforce\nmax_age: 1\n".to_owned() + &"mx: a.test\n".repeat(MAX_PATTERNS + 1);
        assert!(Policy::parse(&many).is_err());
    }

    #[test]
    fn a_year_is_the_longest_a_policy_holds() {
        let policy = Policy::parse("version: STSv1\nmode: none\nmax_age: 9999999999").unwrap();
        assert_eq!(policy.max_age, MAX_AGE);
    }

    #[test]
    fn a_wildcard_stands_for_one_label_and_only_the_leftmost() {
        let policy = Policy::parse(GOOD).unwrap();
        for (host, allowed) in [
            ("mail.example.com", true),
            ("MAIL.example.com.", true),
            ("example.com", false),
            ("a.mail.example.com", false),
            ("mx.example.net", true),
            ("mx.EXAMPLE.net", true),
            ("example.net", false),
            (".example.net", false),
            ("a.mx.example.net", false),
            ("evilexample.net", false),
            ("", false),
        ] {
            assert_eq!(policy.allows(host), allowed, "{host}");
        }
    }

    #[test]
    fn what_we_write_is_what_others_read() {
        for mode in [StsMode::Enforce, StsMode::Testing, StsMode::None] {
            let own = Policy::own(mode, "Mail.Home.test");
            assert_eq!(Policy::parse(&own.to_string()).unwrap(), own);
            assert_eq!(own.allows("mail.home.test"), mode != StsMode::None);
            assert_eq!(record_id(&[own.record().into_bytes()]).unwrap().unwrap(), own.id());
        }
        let id = |mode| Policy::own(mode, "mail.home.test").id();
        assert_ne!(id(StsMode::Enforce), id(StsMode::Testing));
        assert_ne!(id(StsMode::Enforce), Policy::own(StsMode::Enforce, "mx.home.test").id());
    }

    #[test]
    fn there_is_one_record_with_an_id_or_none() {
        let found = |texts: &[&str]| record_id(&texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>());
        assert_eq!(found(&["v=STSv1; id=2016;"]).unwrap().unwrap(), "2016");
        assert_eq!(found(&["v=spf1 -all", "v=STSv1 ;x=1; id = aB9 "]).unwrap().unwrap(), "aB9");
        assert_eq!(found(&[]).unwrap(), None);
        assert_eq!(found(&["v=STSv10; id=1", "id=1; v=STSv1", "V=stsv1; id=1"]).unwrap(), None);
        for wrong in [
            &["v=STSv1; id=1", "v=STSv1; id=2"][..],
            &["v=STSv1"],
            &["v=STSv1; id="],
            &["v=STSv1; id=a-b"],
            &["v=STSv1; id=123456789012345678901234567890123"],
        ] {
            assert!(found(wrong).is_err(), "{wrong:?}");
        }
        assert!(record_id(&[b"v=STSv1; id=\xff".to_vec()]).is_err());
    }
}
