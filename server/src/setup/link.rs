//! `mailstead setup --link`: one URL, and what to know before opening it.

use std::net::{IpAddr, Ipv6Addr};

use mailstead_web::control::{Answer, CertificateSource, Request, Response};
use serde_json::json;

use super::{sentence, view};
use crate::appliance::own_addresses;
use crate::commands::House;
use crate::config::Config;
use crate::hostname::{Leads, leads};

/// Prints the link on standard output, alone; what else is to be said goes to standard error.
pub(super) async fn print(house: &mut House, config: &Config, json: bool) -> Result<(), String> {
    let view = view(house).await?;
    let link = match house.ask(Request::SetupLink).await? {
        Response::Ok(Answer::SetupLink(link)) => link,
        Response::Ok(_) => return Err("the running server is of another version: restart it".to_owned()),
        Response::Error(sentence) => return Err(sentence),
    };
    let own = own_addresses(config);
    let name = view.hostname.clone().filter(|name| !name.ends_with(".invalid"));
    let (host, doubt) = host(name.as_deref(), &own).await;
    let url = format!("{}/setup/{}", base(&host, config), link.token);
    if json {
        crate::print::out(&json!({ "url": url, "expires": link.expires }).to_string());
        return Ok(());
    }
    crate::print::out(&url);
    if let Some(doubt) = doubt {
        eprintln!("{doubt}");
    }
    if !house.is_running() {
        eprintln!("The server is not running: start it before you open the link.");
    }
    if !config.listen.https.is_empty() && !certified(house, &host).await? {
        let port = port(config);
        eprintln!(
            "The server has no certificate for that name yet, so your browser will warn you: go on all the same. Safer \
             still, come through SSH: `ssh -L 8443:localhost:{port} YOU@{host}`, and open the link with \
             localhost:8443 in place of {host}."
        );
    }
    eprintln!("The link opens until {}, or until somebody governs this server. A new one replaces it.", link.expires);
    Ok(())
}

/// Which host the link names: our name where it leads here, else an address; and what speaks against the name.
async fn host(name: Option<&str>, own: &[IpAddr]) -> (String, Option<String>) {
    let doubt = match name {
        Some(name) => match leads(name, own).await {
            Leads::Here => return (name.to_owned(), None),
            other => Some(sentence(name, &other, own)),
        },
        None => None,
    };
    match best(own) {
        Some(IpAddr::V6(address)) => (format!("[{address}]"), doubt),
        Some(address) => (address.to_string(), doubt),
        None => (name.unwrap_or("localhost").to_owned(), doubt),
    }
}

/// The address of ours that others reach soonest.
fn best(own: &[IpAddr]) -> Option<IpAddr> {
    let rank = |address: &IpAddr| match address {
        IpAddr::V4(address) if address.is_loopback() => None,
        IpAddr::V4(address) if address.is_private() => Some(2),
        IpAddr::V4(_) => Some(0),
        IpAddr::V6(address) if *address == Ipv6Addr::LOCALHOST || address.is_unicast_link_local() => None,
        IpAddr::V6(_) => Some(1),
    };
    own.iter().filter_map(|address| Some((rank(address)?, *address))).min().map(|(_, address)| address)
}

/// Whether the certificate shown for a name is one that browsers trust.
async fn certified(house: &mut House, host: &str) -> Result<bool, String> {
    let Response::Ok(Answer::Certificates(list)) = house.ask(Request::CertificateList).await? else { return Ok(false) };
    let trusted = |source| matches!(source, CertificateSource::Acme | CertificateSource::Files);
    Ok(list.iter().any(|certificate| certificate.name == host && trusted(certificate.source)))
}

/// `https://mail.example.org`, with the port where it is not the usual one.
pub(super) fn base(host: &str, config: &Config) -> String {
    let (scheme, usual) = if config.listen.https.is_empty() { ("http", 80) } else { ("https", 443) };
    match port(config) {
        port if port == usual => format!("{scheme}://{host}"),
        port => format!("{scheme}://{host}:{port}"),
    }
}

fn port(config: &Config) -> u16 {
    config.listen.https.first().or(config.listen.http.first()).map_or(443, |address| address.port())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_link_names_the_address_others_reach() {
        let parse = |list: &[&str]| list.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        let own = parse(&["127.0.0.1", "10.0.0.1", "2001:db8::1", "192.0.2.7", "fe80::1"]);
        assert_eq!(best(&own), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(best(&parse(&["10.0.0.1", "2001:db8::1"])), Some("2001:db8::1".parse().unwrap()));
        assert_eq!(best(&parse(&["127.0.0.1", "::1", "fe80::1"])), None);
    }

    #[test]
    fn the_link_has_the_port_where_it_is_not_the_usual_one() {
        let mut config = Config::for_host("mail.example.org", "/nowhere".into());
        assert_eq!(base("mail.example.org", &config), "https://mail.example.org");
        config.listen.https = vec!["127.0.0.1:8443".parse().unwrap()];
        assert_eq!(base("[::1]", &config), "https://[::1]:8443");
        config.listen.https.clear();
        assert_eq!(base("localhost", &config), "http://localhost");
    }
}
