//! The settings as Thunderbird asks for them, and K-9, FairEmail, Evolution, KMail and more after it.
//!
//! The format is Thunderbird's autoconfiguration, version 1.1 (`clientConfig`): programs ask at
//! `autoconfig.<domain>/mail/config-v1.1.xml`, then at `<domain>/.well-known/autoconfig/mail/config-v1.1.xml`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use mailstead_admin_ui::front::Settings;
use mailstead_message::{Address, Domain};

use super::services::{self, Protocol, Security, Service};
use super::xml::Document;
use crate::site::Site;

/// Where it is asked for.
pub(super) const PATHS: [&str; 2] = ["/mail/config-v1.1.xml", "/.well-known/autoconfig/mail/config-v1.1.xml"];

pub(super) async fn serve(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let address = super::parameter(&uri, "emailaddress").and_then(|text| Address::parse(&text).ok());
    match super::domain_of(&site, address.as_ref(), &headers) {
        Ok(Some(domain)) => super::xml(document(&site.settings, &domain)),
        Ok(None) => super::nothing(),
        Err(error) => super::unable(&error),
    }
}

/// The settings for a domain.
pub(super) fn document(settings: &Settings, domain: &Domain) -> String {
    let mut xml = Document::new("");
    xml.open("clientConfig", &[("version", "1.1")]);
    xml.open("emailProvider", &[("id", domain.as_str())]);
    xml.leaf("domain", domain.as_str());
    xml.leaf("displayName", &format!("Mail at {}", domain.to_unicode()));
    xml.leaf("displayShortName", &domain.to_unicode());
    for service in services::all(settings) {
        server(&mut xml, settings, service);
    }
    xml.finish()
}

fn server(xml: &mut Document, settings: &Settings, service: Service) {
    let (element, kind) = match service.protocol {
        Protocol::Imap => ("incomingServer", "imap"),
        Protocol::Pop3 => ("incomingServer", "pop3"),
        Protocol::Submission => ("outgoingServer", "smtp"),
    };
    xml.open(element, &[("type", kind)]);
    xml.leaf("hostname", &settings.host);
    xml.leaf("port", &service.port.to_string());
    xml.leaf(
        "socketType",
        match service.security {
            Security::Tls => "SSL",
            Security::StartTls => "STARTTLS",
        },
    );
    xml.leaf("username", "%EMAILADDRESS%");
    // The password itself, inside TLS: it works with an account's own password and with app passwords alike.
    xml.leaf("authentication", "password-cleartext");
    xml.close();
}
