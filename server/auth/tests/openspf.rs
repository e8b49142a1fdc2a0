//! The openspf test suite for RFC 7208 against [`spf`], over the suite's own DNS.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use mailstead_auth::check::spf;
use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind, Mx};
use serde::Deserialize;

/// Made from the suite by `convert.py` beside it.
const SUITE: &str = include_str!("../../../tests/fixtures/openspf/rfc7208-tests.json");

/// Cases in which we judge otherwise than the suite, and why. One that is listed and yet passes fails this test.
const OTHERWISE: [(&str, &str); 0] = [];

#[derive(Deserialize)]
struct Scenario {
    description: String,
    tests: Vec<Case>,
    zone: HashMap<String, Vec<(String, serde_json::Value)>>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    #[serde(default)]
    spec: serde_json::Value,
    helo: String,
    host: String,
    mailfrom: String,
    result: Vec<String>,
}

#[tokio::test]
async fn the_openspf_suite_agrees_with_every_judgement_but_the_listed_ones() {
    let scenarios: Vec<Scenario> = serde_json::from_str(SUITE).unwrap();
    let mut wrong = Vec::new();
    let mut otherwise = BTreeSet::new();
    let mut cases = 0;
    for Scenario { description, tests, zone } in scenarios {
        let zone = Zone(zone);
        for Case { name, spec, helo, host, mailfrom, result } in tests {
            cases += 1;
            let judged = spf(&zone, host.parse().unwrap(), &helo, &mailfrom).await;
            if result.iter().any(|result| result == judged.word()) {
                continue;
            }
            match OTHERWISE.iter().find(|(listed, _)| *listed == name) {
                Some((listed, _)) => drop(otherwise.insert(*listed)),
                None => wrong.push(format!("{description}/{name} ({spec}): {judged:?} instead of {result:?}")),
            }
        }
    }
    assert_eq!(cases, 203, "the whole suite ran");
    assert!(wrong.is_empty(), "{} of {cases}:\n{}", wrong.len(), wrong.join("\n"));
    let listed: BTreeSet<&str> = OTHERWISE.iter().map(|(name, _)| *name).collect();
    assert_eq!(otherwise, listed, "listed cases that pass");
}

/// The DNS of one scenario. The words in it are the suite's: `TIMEOUT` instead of a record or of its data.
struct Zone(HashMap<String, Vec<(String, serde_json::Value)>>);

/// CNAMEs followed, as a resolver would.
const MAX_CNAMES: usize = 8;

impl Dns for Zone {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move { self.answer(name.trim_end_matches('.').to_ascii_lowercase(), kind) })
    }
}

impl Zone {
    fn answer(&self, mut name: String, kind: Kind) -> Result<Answer<Data>, DnsError> {
        let timeout = || DnsError::Temporary("the suite says so".to_owned());
        for _ in 0..MAX_CNAMES {
            let Some(entries) = self.0.get(&name) else {
                return Err(if name.starts_with("error.") { timeout() } else { DnsError::NoName });
            };
            let of =
                |wanted: &'static str| entries.iter().filter(move |(kind, _)| kind == wanted).map(|(_, value)| value);
            let found: Vec<Data> = of(word(kind)).filter_map(|value| data(kind, value)).collect();
            if !found.is_empty() {
                let ttl = Duration::from_secs(60);
                return Ok(Answer { records: found, secure: false, ttl });
            }
            if of("*").next().is_some() || of(word(kind)).any(|value| value == "TIMEOUT") {
                return Err(timeout());
            }
            match of("CNAME").next() {
                Some(target) => name = target.as_str().unwrap().trim_end_matches('.').to_ascii_lowercase(),
                None => return Err(DnsError::NoRecords),
            }
        }
        Err(DnsError::Temporary("a loop of CNAMEs".to_owned()))
    }
}

fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::A => "A",
        Kind::Aaaa => "AAAA",
        Kind::Mx => "MX",
        Kind::Txt => "TXT",
        Kind::Ptr => "PTR",
        other => panic!("SPF asks for no {other:?}"),
    }
}

fn data(kind: Kind, value: &serde_json::Value) -> Option<Data> {
    if value == "TIMEOUT" {
        return None;
    }
    let host = |value: &serde_json::Value| value.as_str().unwrap().trim_end_matches('.').to_ascii_lowercase();
    Some(match kind {
        Kind::A | Kind::Aaaa => Data::Address(value.as_str()?.parse().unwrap()),
        Kind::Mx => Data::Mx(Mx { preference: value[0].as_u64()?.try_into().unwrap(), host: host(&value[1]) }),
        Kind::Txt => Data::Txt(value.as_array()?.iter().flat_map(|s| s.as_str().unwrap().bytes()).collect()),
        Kind::Ptr => Data::Name(host(value)),
        _ => return None,
    })
}
