//! What is said when a domain's MTA-STS mode changes, and what speaks against taking it seriously.

use mailstead_message::Domain;
use mailstead_net::acme::{Source, Standing};
use mailstead_net::dns::{Dns, DnsError};
use mailstead_outbound::sts::Policy;
use mailstead_store::StsMode;

/// What the new mode means, and what is left to do.
pub(super) fn changed(domain: &Domain, mode: StsMode) -> String {
    let name = domain.to_unicode();
    let publish = format!("Publish the new id: see `mailstead domain records {domain}`.");
    match mode {
        StsMode::Enforce => {
            format!("Other servers deliver to {name} only with TLS and a valid certificate of this server. {publish}")
        }
        StsMode::Testing => {
            format!(
                "Other servers deliver to {name} whatever its certificate is like, and report what is wrong. {publish}"
            )
        }
        StsMode::None => format!(
            "{name} has no policy any more. {publish} Leave the record at _mta-sts.{domain} for two weeks: servers that \
             know the old policy would keep to it."
        ),
    }
}

/// What would turn mail away, or keep others from the policy, were it in force: a sentence each.
pub(super) async fn doubts(
    names: Option<&dyn Dns>,
    domain: &Domain,
    policy: &Policy,
    host: &str,
    certificates: &[Standing],
) -> Vec<String> {
    let mut doubts = Vec::new();
    if let Some(names) = names {
        doubts.extend(astray(names, domain, policy).await);
    }
    let policy_host = format!("mta-sts.{domain}");
    for standing in certificates.iter().filter(|standing| standing.name == host || standing.name == policy_host) {
        let name = &standing.name;
        if matches!(standing.source, Source::SelfSigned | Source::None) {
            doubts.push(format!("No authority has certified {name} (`certificate list`)."));
        } else if standing.alarming {
            doubts.push(format!("The certificate of {name} ends soon or has ended (`certificate list`)."));
        }
    }
    doubts
}

/// Where the domain's MX records lead that the policy does not name.
async fn astray(names: &dyn Dns, domain: &Domain, policy: &Policy) -> Option<String> {
    let hosts: Vec<String> = match names.mx(domain).await {
        Ok(answer) => answer.records.into_iter().map(|mx| mx.host).collect(),
        Err(DnsError::NoRecords | DnsError::NoName) => vec![domain.as_str().to_owned()],
        Err(error) => return Some(format!("The MX records of {domain} can't be looked up: {error}.")),
    };
    let astray: Vec<String> =
        hosts.iter().filter(|host| !policy.allows(host)).map(|host| host.escape_debug().to_string()).collect();
    (!astray.is_empty()).then(|| {
        format!(
            "Mail for {domain} goes to {}, which the policy does not name: it would be turned away.",
            astray.join(", ")
        )
    })
}
