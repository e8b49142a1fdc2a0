//! Reverse DNS, confirmed (RFC 8601 3): the name of the client's address, if it leads back to the address.

use std::net::IpAddr;

use mailstead_message::Domain;
use mailstead_net::dns::DnsError;

use super::inquiry::Inquiry;
use super::{Finding, Outcome};

/// Names that are looked at.
const MAX_NAMES: usize = 5;

/// What reverse DNS says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReverseVerdict {
    /// What is to be thought of it.
    pub finding: Finding,
    /// The confirmed name.
    pub name: Option<Domain>,
}

pub(super) async fn check(inquiry: &Inquiry<'_>, ip: IpAddr) -> ReverseVerdict {
    let ip = ip.to_canonical();
    let nothing = |outcome, why: &str| ReverseVerdict { finding: Finding::new(outcome, why), name: None };
    let names = match inquiry.names(ip).await {
        Ok(names) => names,
        Err(DnsError::NoName | DnsError::NoRecords) => return nothing(Outcome::PermError, "the address has no name"),
        Err(error) => return nothing(Outcome::TempError, &error.to_string()),
    };
    let mut unsure = None;
    for name in names.iter().take(MAX_NAMES) {
        match inquiry.addresses(name, ip).await {
            Ok(addresses) if addresses.contains(&ip) => {
                let name = Domain::parse(name).ok();
                return ReverseVerdict { finding: Finding::new(Outcome::Pass, ""), name };
            }
            Ok(_) | Err(DnsError::NoName | DnsError::NoRecords) => {}
            Err(error) => unsure = Some(error),
        }
    }
    match unsure {
        Some(error) => nothing(Outcome::TempError, &error.to_string()),
        None => nothing(Outcome::Fail, "the address has a name that does not lead back to it"),
    }
}
