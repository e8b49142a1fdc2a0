//! A profile that sets an account up on Apple's devices: a property list with one `com.apple.mail.managed` payload.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use mailstead_admin_ui::front::Settings;
use mailstead_message::Address;

use super::services::{self, Protocol, Service};
use super::xml::Document;
use crate::site::Site;

/// Where a profile is had, with the parameter `emailaddress`.
pub(super) const PATH: &str = "/apple.mobileconfig";
/// What makes a device offer to install it.
const CONTENT_TYPE: &str = "application/x-apple-aspen-config";
const DOCTYPE: &str =
    "<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n";

pub(super) async fn serve(State(site): State<Arc<Site>>, uri: Uri, headers: HeaderMap) -> Response {
    let address = super::parameter(&uri, "emailaddress").and_then(|text| Address::parse(&text).ok());
    let Some(address) = address else {
        let text = "Which address? Add ?emailaddress= and the mail address to set up.\n";
        return (StatusCode::BAD_REQUEST, text).into_response();
    };
    match super::domain_of(&site, Some(&address), &headers) {
        Ok(Some(domain)) if domain == *address.domain() => answer(&site.settings, &address, None),
        Ok(_) => super::nothing(),
        Err(error) => super::unable(&error),
    }
}

/// True when there are services to set up.
pub(crate) fn is_possible(settings: &Settings) -> bool {
    services::best(settings).is_some()
}

/// The path at which an address has its profile.
pub(crate) fn path(address: &Address) -> String {
    let query = serde_urlencoded::to_string([("emailaddress", address.to_string())]).unwrap_or_default();
    format!("{PATH}?{query}")
}

/// A profile as a browser takes it; with `password`, which the device then never asks for, nobody may keep it.
pub(crate) fn answer(settings: &Settings, address: &Address, password: Option<&str>) -> Response {
    let Some(profile) = profile(settings, address, password) else {
        let text =
            "This server offers no reading or no sending of mail at the moment, so there is nothing to set up.\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let headers = [
        (header::CONTENT_TYPE, CONTENT_TYPE),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"mail.mobileconfig\""),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (headers, profile).into_response()
}

/// The profile of an address. Installed again, it takes the place of the earlier one: its identifiers depend on the
/// address and the server alone. `None` when there is no service to read or to send with.
pub(super) fn profile(settings: &Settings, address: &Address, password: Option<&str>) -> Option<String> {
    let (reading, sending) = services::best(settings)?;
    let mut plist = Plist(Document::new(DOCTYPE));
    plist.0.open("plist", &[("version", "1.0")]);
    plist.0.open("dict", &[]);
    plist.string("PayloadType", "Configuration");
    plist.integer("PayloadVersion", 1);
    plist.identity(settings, address, "profile");
    plist.string("PayloadDisplayName", &format!("Mail for {}", address.to_unicode()));
    plist.string("PayloadDescription", &format!("Sets up reading and sending mail at {}.", settings.host));
    plist.string("PayloadOrganization", &address.domain().to_unicode());
    plist.boolean("PayloadRemovalDisallowed", false);
    plist.key("PayloadContent");
    plist.0.open("array", &[]);
    plist.0.open("dict", &[]);
    plist.string("PayloadType", "com.apple.mail.managed");
    plist.integer("PayloadVersion", 1);
    plist.identity(settings, address, "mail");
    plist.string("PayloadDisplayName", &format!("Mail for {}", address.to_unicode()));
    plist.string("EmailAccountDescription", &address.to_unicode());
    plist.string("EmailAddress", &address.to_string());
    let kind = if reading.protocol == Protocol::Imap { "EmailTypeIMAP" } else { "EmailTypePOP" };
    plist.string("EmailAccountType", kind);
    plist.server(["Incoming", "IncomingPassword"], &settings.host, reading, address, password);
    plist.server(["Outgoing", "OutgoingPassword"], &settings.host, sending, address, password);
    plist.boolean("OutgoingPasswordSameAsIncomingPassword", true);
    Some(plist.0.finish())
}

/// A property list being written.
struct Plist(Document);

impl Plist {
    fn server(
        &mut self,
        [side, secret]: [&str; 2],
        host: &str,
        service: Service,
        address: &Address,
        password: Option<&str>,
    ) {
        self.string(&format!("{side}MailServerHostName"), host);
        self.integer(&format!("{side}MailServerPortNumber"), service.port.into());
        // Both kinds: a device that meets a STARTTLS port asks for TLS there.
        self.boolean(&format!("{side}MailServerUseSSL"), true);
        self.string(&format!("{side}MailServerAuthentication"), "EmailAuthPassword");
        self.string(&format!("{side}MailServerUsername"), &address.to_string());
        if let Some(password) = password {
            self.string(secret, password);
        }
    }

    fn identity(&mut self, settings: &Settings, address: &Address, part: &str) {
        let uuid = uuid(&[&settings.host, &address.key(), part]);
        let reversed: Vec<&str> = settings.host.rsplit('.').collect();
        self.string("PayloadIdentifier", &format!("{}.mailstead.{}", reversed.join("."), uuid.to_lowercase()));
        self.string("PayloadUUID", &uuid);
    }

    fn key(&mut self, name: &str) {
        self.0.leaf("key", name);
    }

    fn string(&mut self, name: &str, value: &str) {
        self.key(name);
        self.0.leaf("string", value);
    }

    fn integer(&mut self, name: &str, value: u32) {
        self.key(name);
        self.0.leaf("integer", &value.to_string());
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.key(name);
        self.0.empty(if value { "true" } else { "false" });
    }
}

/// A UUID of version 8 (RFC 9562 5.8) that is the same whenever it is made of the same names.
fn uuid(names: &[&str]) -> String {
    let digest = digest::digest(&digest::SHA256, names.join("\n").as_bytes());
    let mut bytes = [0; 16];
    for (byte, from) in bytes.iter_mut().zip(digest.as_ref()) {
        *byte = *from;
    }
    let number = u128::from_be_bytes(bytes) & !(0xf << 76 | 0x3 << 62) | 0x8 << 76 | 0x2 << 62;
    let hex = format!("{number:032X}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    [part(0..8), part(8..12), part(12..16), part(16..20), part(20..32)].join("-")
}
