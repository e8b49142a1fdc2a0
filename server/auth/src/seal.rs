//! Vouching for what we saw of a letter before we send it on (ARC, RFC 8617): three fields that say what was found out
//! here, what the letter was like, and that nobody has touched the chain of those who said so before us.

use mailstead_message::Domain;
use mailstead_message::header::{self, Field};

use crate::check::Chain;
use crate::fold::FoldedField;
use crate::keys::KeyError;
use crate::sign::{Selected, SignedFields, finish, relaxed};

/// Links of a chain (RFC 8617 4.2.1).
const MAX_INSTANCE: u32 = 50;
/// The fields of a set, in the order in which they are sealed (RFC 8617 5.1.1).
const SET: [&str; 3] = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];

/// What was found out about a letter when it came.
#[derive(Debug, Clone, Copy)]
pub struct Findings<'a> {
    /// Who found it out: our name in `Authentication-Results`.
    pub authserv_id: &'a str,
    /// The results as in `Authentication-Results`, without the name.
    pub results: &'a str,
    /// What the chain is worth.
    pub chain: Chain,
}

/// The fields of our set, to be put before the header. `None` where there is nothing to add: the chain is full, or
/// was found broken by somebody before (RFC 8617 5.1). The key must be RSA, the one algorithm there is.
///
/// # Errors
/// The key does not sign.
pub fn seal(
    domain: &Domain,
    Selected { selector, key }: Selected<'_>,
    findings: Findings<'_>,
    header: &[u8],
    body_hash: &[u8],
    now: i64,
) -> Result<Option<String>, KeyError> {
    let sets = Sets::of(header);
    let (instance, verdict) = match findings.chain {
        Chain::None => (1, "none"),
        Chain::Passed(links) => (links.saturating_add(1), "pass"),
        Chain::Failed if sets.is_known_to_fail() => return Ok(None),
        Chain::Failed => (sets.highest().saturating_add(1), "fail"),
    };
    if instance > MAX_INSTANCE {
        return Ok(None);
    }
    let begin = |name, tags: &[String]| {
        let mut field = FoldedField::new(name);
        tags.iter().for_each(|tag| field.word(tag));
        field
    };
    let (i, a) = (format!("i={instance};"), format!("a={};", key.algorithm().signature_name()));
    let (d, s, t) = (format!("d={domain};"), format!("s={selector};"), format!("t={now};"));

    let results = results(instance, &findings);
    let signature = begin(
        "ARC-Message-Signature",
        &[i.clone(), a.clone(), "c=relaxed/relaxed;".to_owned(), d.clone(), s.clone(), t.clone()],
    );
    let signature = SignedFields::select(header, &["DKIM-Signature"]).seal(signature, body_hash, key)?;

    // Of a broken chain only our own set is sealed (RFC 8617 5.1.2).
    let mut text = if verdict == "fail" { Vec::new() } else { sets.canonical(instance) };
    for field in [&results, &signature] {
        if let Some((name, value)) = field.split_once(':') {
            relaxed(name, value.as_bytes(), &mut text);
            text.extend_from_slice(b"\r\n");
        }
    }
    let seal = finish(begin("ARC-Seal", &[i, a, format!("cv={verdict};"), d, s, t]), text, key)?;
    Ok(Some(seal + &signature + &results))
}

fn results(instance: u32, findings: &Findings<'_>) -> String {
    let mut field = FoldedField::new("ARC-Authentication-Results");
    field.word(&format!("i={instance};"));
    field.word(&format!("{};", findings.authserv_id));
    findings.results.split_whitespace().for_each(|word| field.word(word));
    field.finish()
}

/// The sets of those before us.
struct Sets<'h> {
    /// Instance, place in [`SET`], field.
    fields: Vec<(u32, usize, Field<'h>)>,
}

impl<'h> Sets<'h> {
    fn of(header: &'h [u8]) -> Self {
        let place = |field: &Field<'_>| SET.iter().position(|name| field.is(name));
        let numbered = |field: Field<'h>| Some((tag(&field, "i")?.parse().ok()?, place(&field)?, field));
        let mut fields: Vec<(u32, usize, Field<'h>)> = header::fields(header).filter_map(numbered).collect();
        fields.sort_by_key(|(instance, place, _)| (*instance, *place));
        Self { fields }
    }

    fn highest(&self) -> u32 {
        self.fields.last().map_or(0, |(instance, _, _)| *instance)
    }

    fn is_known_to_fail(&self) -> bool {
        self.fields.iter().any(|(_, _, field)| field.is("ARC-Seal") && tag(field, "cv").as_deref() == Some("fail"))
    }

    /// What is sealed of the sets before that instance.
    fn canonical(&self, before: u32) -> Vec<u8> {
        let mut text = Vec::new();
        for (_, _, field) in self.fields.iter().filter(|(instance, _, _)| *instance < before) {
            relaxed(field.name, field.value, &mut text);
            text.extend_from_slice(b"\r\n");
        }
        text
    }
}

fn tag(field: &Field<'_>, name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(field.value);
    let found = value.split(';').filter_map(|tag| tag.split_once('=')).find(|(tag, _)| tag.trim() == name)?;
    Some(found.1.trim().to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;
    use crate::body::{BodyHasher, Canonicalization, Digest};
    use crate::keys::{Algorithm, Key};
    use crate::referee::Referee;

    static KEY: LazyLock<Key> = LazyLock::new(|| Key::generate(Algorithm::Rsa).unwrap());
    const LETTER: &str = "DKIM-Signature: v=1; a=rsa-sha256; d=world.test; s=x; h=From; bh=AA==; b=AA==\r\n\
        From: Bob <bob@world.test>\r\nTo: family@home.test\r\nSubject: Hello\r\nDate: Tue, 24 Nov 2026 15:47:10 +0000\r\n\
        Message-ID: <1@world.test>\r\n\r\nHello  there \r\n\r\n";
    const RESULTS: &str = " spf=pass smtp.mailfrom=world.test;\r\n\tdkim=pass header.d=world.test;\r\n arc=none";

    fn sealed(by: &str, letter: &str, chain: Chain) -> Option<String> {
        let domain = Domain::parse(by).unwrap();
        let findings = Findings { authserv_id: "mail.home.test", results: RESULTS, chain };
        let (header, body) = letter.split_at(header::header_len(letter.as_bytes()));
        let mut hasher = BodyHasher::new(Canonicalization::Relaxed, Digest::Sha256);
        hasher.update(body.as_bytes());
        let key = Selected { selector: "ms202611r", key: &KEY };
        let fields = seal(&domain, key, findings, header.as_bytes(), &hasher.finish(), 1_795_535_230).unwrap()?;
        assert!(fields.lines().all(|line| line.len() <= 78), "{fields}");
        Some(fields + letter)
    }

    fn referee() -> Referee {
        let mut referee = Referee::default();
        for domain in ["home.test", "far.test"] {
            referee.publish("ms202611r", domain, &KEY.record().unwrap());
        }
        referee
    }

    #[test]
    fn each_forwarder_adds_a_link_that_others_verify() {
        let once = sealed("home.test", LETTER, Chain::None).unwrap();
        assert!(once.starts_with("ARC-Seal: i=1; a=rsa-sha256; cv=none; d=home.test;"), "{once}");
        assert!(once.contains(
            "ARC-Authentication-Results: i=1; mail.home.test; spf=pass\r\n\tsmtp.mailfrom=world.test; dkim=pass header.d=world.test; arc=none\r\n"
        ));
        assert_eq!(referee().arc(once.as_bytes()), ("pass".to_owned(), 1));
        let twice = sealed("far.test", &format!("Received: from a by b; now\r\n{once}"), Chain::Passed(1)).unwrap();
        assert_eq!(referee().arc(twice.as_bytes()), ("pass".to_owned(), 2));
        let thrice = sealed("home.test", &twice, Chain::Passed(2)).unwrap();
        assert_eq!(referee().arc(thrice.as_bytes()), ("pass".to_owned(), 3));
        let changed = thrice.replace("Subject: Hello", "Subject: Buy");
        assert!(referee().arc(changed.as_bytes()).0 != "pass");
        let forged = thrice.replace("spf=pass", "spf=fail");
        assert!(referee().arc(forged.as_bytes()).0 != "pass");
    }

    #[test]
    fn a_broken_chain_is_called_broken_once_and_a_full_one_left_alone() {
        let broken = sealed("home.test", LETTER, Chain::None).unwrap().replace("Subject: Hello", "Subject: Buy");
        let told = sealed("far.test", &broken, Chain::Failed).unwrap();
        assert!(told.starts_with("ARC-Seal: i=2; a=rsa-sha256; cv=fail; d=far.test;"), "{told}");
        assert_eq!(sealed("home.test", &told, Chain::Failed), None);
        let garbage = format!("ARC-Seal: i=x; b=\r\nARC-Seal: i=77\r\n{LETTER}");
        assert_eq!(sealed("home.test", &garbage, Chain::Failed), None);
        assert!(sealed("home.test", LETTER, Chain::Passed(49)).is_some());
        assert_eq!(sealed("home.test", LETTER, Chain::Passed(50)), None);
        assert_eq!(sealed("home.test", LETTER, Chain::Passed(u32::MAX)), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn no_header_panics_and_no_result_begins_a_field(
            fields in proptest::collection::vec(("(ARC-Seal|ARC-Message-Signature|ARC-Authentication-Results|From|X)", "[ -~\r\n\t]{0,40}"), 0..20),
            results in "[ -~\r\n\t]{0,80}",
            links in 0_u32..60,
        ) {
            let header: String = fields.iter().map(|(name, value)| format!("{name}: i={links}; {value}\r\n")).collect();
            let domain = Domain::parse("home.test").unwrap();
            for chain in [Chain::None, Chain::Passed(links), Chain::Failed] {
                let findings = Findings { authserv_id: "mail.home.test", results: &results, chain };
                let key = Selected { selector: "s", key: &KEY };
                if let Some(set) = seal(&domain, key, findings, header.as_bytes(), &[0; 32], 0).unwrap() {
                    let names: Vec<&str> = header::fields(set.as_bytes()).map(|field| field.name).collect();
                    prop_assert_eq!(names, ["ARC-Seal", "ARC-Message-Signature", "ARC-Authentication-Results"]);
                }
            }
        }
    }
}
