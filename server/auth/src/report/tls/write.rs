//! Writing the JSON.

use mailstead_message::Domain;
use mailstead_message::report::{Report, TlsFailure, TlsOutcome, TlsPolicy};
use serde_json::{Map, Value, json};

/// The JSON of a report about a domain. `rows` are the report's own.
pub fn write(report: &Report, domain: &Domain, rows: &[(TlsOutcome, u64)]) -> String {
    let mut policies: Vec<Tally<'_>> = Vec::new();
    for (row, count) in rows {
        let known = policies.iter().position(|tally| tally.policy == &row.policy);
        let index = known.unwrap_or_else(|| {
            policies.push(Tally { policy: &row.policy, good: 0, bad: 0, failures: Vec::new() });
            policies.len() - 1
        });
        if let Some(tally) = policies.get_mut(index) {
            tally.add(row.failure.as_ref(), *count);
        }
    }
    let mut object = json!({
        "organization-name": report.organisation,
        "date-range": { "start-datetime": time(report.begin), "end-datetime": time(report.end) },
        "contact-info": report.contact,
        "report-id": report.id,
        "policies": policies.iter().map(|tally| tally.json(domain)).collect::<Vec<_>>(),
    });
    if report.untold > 0
        && let Some(object) = object.as_object_mut()
    {
        object.insert("untold-session-count".to_owned(), json!(report.untold));
    }
    object.to_string()
}

/// What happened under one policy.
struct Tally<'a> {
    policy: &'a TlsPolicy,
    good: u64,
    bad: u64,
    failures: Vec<Value>,
}

impl Tally<'_> {
    fn add(&mut self, failure: Option<&TlsFailure>, count: u64) {
        match failure {
            None => self.good = self.good.saturating_add(count),
            Some(failure) => {
                self.bad = self.bad.saturating_add(count);
                self.failures.push(detail(failure, count));
            }
        }
    }

    fn json(&self, domain: &Domain) -> Value {
        let mut policy = Map::new();
        let (kind, lines) = match self.policy {
            TlsPolicy::Sts { lines, .. } => ("sts", Some(lines)),
            TlsPolicy::Tlsa { records } => ("tlsa", Some(records)),
            TlsPolicy::NotFound => ("no-policy-found", None),
        };
        policy.insert("policy-type".to_owned(), json!(kind));
        if let Some(lines) = lines {
            policy.insert("policy-string".to_owned(), json!(lines));
        }
        policy.insert("policy-domain".to_owned(), json!(domain.as_str()));
        if let TlsPolicy::Sts { mx, .. } = self.policy {
            policy.insert("mx-host".to_owned(), json!(mx));
        }
        let mut object = json!({
            "policy": policy,
            "summary": { "total-successful-session-count": self.good, "total-failure-session-count": self.bad },
        });
        if !self.failures.is_empty()
            && let Some(object) = object.as_object_mut()
        {
            object.insert("failure-details".to_owned(), json!(self.failures));
        }
        object
    }
}

fn detail(failure: &TlsFailure, count: u64) -> Value {
    let address = |ip: Option<std::net::IpAddr>| ip.map(|ip| ip.to_canonical().to_string());
    let fields = [
        ("sending-mta-ip", address(failure.sending_ip)),
        ("receiving-mx-hostname", failure.mx.clone()),
        ("receiving-mx-helo", failure.helo.clone()),
        ("receiving-ip", address(failure.receiving_ip)),
        ("failure-reason-code", failure.reason.clone()),
    ];
    let mut object = Map::new();
    object.insert("result-type".to_owned(), json!(failure.result.as_str()));
    object.extend(fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), json!(value?)))));
    object.insert("failed-session-count".to_owned(), json!(count));
    Value::Object(object)
}

/// RFC 3339 in UTC.
fn time(at: i64) -> String {
    jiff::Timestamp::from_second(at).map_or_else(|_| "1970-01-01T00:00:00Z".to_owned(), |time| time.to_string())
}
