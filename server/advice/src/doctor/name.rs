//! Is the host name a name of the world's, and does it lead here?

use std::net::IpAddr;

use mailstead_net::reach::is_public;

use super::finding::{Finding, Subject};
use super::{Names, Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "hostname",
    title: "The server's name",
    why: "Other servers greet it, look it up and check its certificate; a name that does not lead here is not trusted.",
};

/// Nobody outside can look these up (RFC 6761, 6762, 8375, and what routers call their own).
const PRIVATE: [&str; 7] = ["localhost", "localdomain", "local", "lan", "internal", "home.arpa", "invalid"];

pub(super) fn look(patient: &Patient, names: &Names) -> Vec<Finding> {
    let host = &patient.hostname;
    if PRIVATE.iter().any(|end| host == end || host.ends_with(&format!(".{end}"))) || !host.contains('.') {
        let rename = "Choose a name in your own domain, such as mail.example.org, as `hostname` in the configuration.";
        return vec![SUBJECT.bad(format!("{host} is no name that the world can look up.")).todo(rename)];
    }
    let own: Vec<IpAddr> = patient.own_addresses.iter().map(IpAddr::to_canonical).collect();
    let shown: Vec<&IpAddr> = own.iter().filter(|own| is_public(**own)).collect();
    let address = shown.first().map_or_else(|| "the address of this machine".to_owned(), ToString::to_string);
    let publish = format!("Publish an A record for {host} that says {address}.");
    let published = match &names.published {
        Ok(published) => published,
        Err(error) if error.is_temporary() => {
            let unknown = SUBJECT.unknown(format!("Where {host} leads can't be looked up: {error}."));
            return vec![unknown.todo("See to DNS first, then look again.").command("mailstead dns check")];
        }
        Err(_) => return vec![SUBJECT.bad(format!("{host} has no address in DNS.")).todo(publish).page("/domains")],
    };
    let foreign: Vec<&IpAddr> = published.iter().filter(|address| !own.contains(&address.to_canonical())).collect();
    let leads = words::list(published);
    vec![if foreign.is_empty() {
        SUBJECT.good(format!("{host} leads to {leads}, which is this machine."))
    } else if published.iter().all(|address| !is_public(*address)) {
        SUBJECT.bad(format!("{host} leads to {leads}, which is no address of the public internet.")).todo(publish)
    } else if shown.is_empty() {
        SUBJECT.warning(format!("{host} leads to {leads}, which this machine's network cards don't show.")).todo(
            format!(
                "If that is its address behind NAT, write own_addresses = [{}] under [delivery] and restart.",
                published.iter().map(|address| format!("\"{address}\"")).collect::<Vec<_>>().join(", ")
            ),
        )
    } else if foreign.len() == published.len() {
        SUBJECT.bad(format!("{host} leads to {leads}, but this machine is {}.", words::list(&shown))).todo(publish)
    } else {
        SUBJECT
            .warning(format!("{host} leads to {} too, which is not this machine.", words::list(&foreign)))
            .todo("Remove that record, unless the address leads here in a way that this machine can't see.")
    }]
}
