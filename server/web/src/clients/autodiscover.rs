//! The settings as Outlook asks for them: the "plain old XML" of MS-OXDSCLI, and the JSON that leads to it.

mod question;

use axum::body;
use axum::extract::Request;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use mailstead_admin_ui::front::Settings;
use mailstead_message::Address;

use self::question::Question;
use super::services::{self, Protocol, Security, Service};
use super::xml::Document;
use crate::http::origin;
use crate::site::Site;
use crate::site::visit::Link;

/// A question has a few hundred bytes.
const MAX_QUESTION: usize = 16 << 10;
/// Where it is asked for, in any case.
const PATH: &str = "/autodiscover/autodiscover.xml";
/// Where newer programs ask which path to use; an address may follow.
const JSON_PATH: &str = "/autodiscover/autodiscover.json";
/// Namespace of every answer.
const ANSWER: &str = "http://schemas.microsoft.com/exchange/autodiscover/responseschema/2006";
/// Namespace of the settings in it; who asks for any other asks for an Exchange server.
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The settings.
    Xml,
    /// Where they are.
    Json,
}

impl Kind {
    /// What a path asks for, in any case; `None` when it asks for something else.
    pub(super) fn of(path: &str) -> Option<Self> {
        let path = path.to_ascii_lowercase();
        match path.strip_prefix(JSON_PATH) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Some(Self::Json),
            _ => (path == PATH).then_some(Self::Xml),
        }
    }
}

/// Answers a question.
pub(super) async fn serve(site: &Site, kind: Kind, request: Request) -> Response {
    let has_tls = request.extensions().get::<Link>().is_some_and(|link| link.tls);
    if !has_tls && site.https.is_some() {
        // The redirect Outlook looks for at the plain port (MS-OXDISCO 3.1.5.3); it takes no other status than these two.
        let path = if kind == Kind::Json { JSON_PATH } else { PATH };
        let location = format!("{}{path}", origin(site, request.headers()));
        return (StatusCode::FOUND, [(header::LOCATION, location)]).into_response();
    }
    if kind == Kind::Json {
        return lead(site, request.uri(), request.headers());
    }
    let (parts, content) = request.into_parts();
    if parts.method != Method::POST {
        return super::xml(refusal(600, "Invalid Request: post an Autodiscover question with a mail address."));
    }
    match body::to_bytes(content, MAX_QUESTION).await {
        Ok(bytes) => answer(site, &parts.headers, question::read(&bytes)),
        Err(_) => (StatusCode::PAYLOAD_TOO_LARGE, "This question is too long.\n").into_response(),
    }
}

fn answer(site: &Site, headers: &HeaderMap, question: Option<Question>) -> Response {
    let Some(question) = question else {
        return super::xml(refusal(600, "Invalid Request: this is no Autodiscover question."));
    };
    let Ok(address) = Address::parse(&question.address) else {
        return super::xml(refusal(501, "Bad Address: this is no mail address."));
    };
    match super::domain_of(site, Some(&address), headers) {
        Ok(None) => super::nothing(),
        Err(error) => super::unable(&error),
        Ok(Some(_)) if question.schema.as_deref().is_some_and(|schema| schema != OUTLOOK) => {
            super::xml(refusal(601, "This server speaks IMAP, POP3 and SMTP, and nothing of Exchange."))
        }
        Ok(Some(_)) => super::xml(document(&site.settings, &address)),
    }
}

/// The settings for an address, which Outlook takes as they stand.
pub(super) fn document(settings: &Settings, address: &Address) -> String {
    let mut xml = Document::new("");
    xml.open("Autodiscover", &[("xmlns", ANSWER)]);
    xml.open("Response", &[("xmlns", OUTLOOK)]);
    xml.open("User", &[]);
    xml.leaf("DisplayName", &address.to_unicode());
    xml.close();
    xml.open("Account", &[]);
    xml.leaf("AccountType", "email");
    xml.leaf("Action", "settings");
    for service in services::all(settings) {
        protocol(&mut xml, settings, address, service);
    }
    xml.finish()
}

fn protocol(xml: &mut Document, settings: &Settings, address: &Address, service: Service) {
    let sends = service.protocol == Protocol::Submission;
    xml.open("Protocol", &[]);
    xml.leaf(
        "Type",
        match service.protocol {
            Protocol::Imap => "IMAP",
            Protocol::Pop3 => "POP3",
            Protocol::Submission => "SMTP",
        },
    );
    xml.leaf("Server", &settings.host);
    xml.leaf("Port", &service.port.to_string());
    xml.leaf("LoginName", &address.to_string());
    xml.leaf("DomainRequired", "off");
    xml.leaf("SPA", "off");
    xml.leaf("SSL", "on");
    xml.leaf(
        "Encryption",
        match service.security {
            Security::Tls => "SSL",
            Security::StartTls => "TLS",
        },
    );
    xml.leaf("AuthRequired", "on");
    if sends {
        xml.leaf("UsePOPAuth", "on");
        xml.leaf("SMTPLast", "off");
    }
    xml.close();
}

/// A refusal with one of the codes of MS-OXDSCLI 2.2.4.1.1.2.
fn refusal(code: u16, message: &str) -> String {
    let now = jiff::Timestamp::now().strftime("%H:%M:%S.%6f").to_string();
    let mut xml = Document::new("");
    xml.open("Autodiscover", &[("xmlns", ANSWER)]);
    xml.open("Response", &[]);
    xml.open("Error", &[("Time", &now), ("Id", "0")]);
    xml.leaf("ErrorCode", &code.to_string());
    xml.leaf("Message", message);
    xml.empty("DebugData");
    xml.finish()
}

/// Says at which address the XML is (`Protocol=AutodiscoverV1`); we have nothing else.
fn lead(site: &Site, uri: &Uri, headers: &HeaderMap) -> Response {
    let in_path = uri.path().rsplit('/').next().map(|last| last.replace("%40", "@"));
    let text = super::parameter(uri, "email").or(in_path).unwrap_or_default();
    match super::domain_of(site, Address::parse(&text).ok().as_ref(), headers) {
        Ok(None) => return super::nothing(),
        Err(error) => return super::unable(&error),
        Ok(Some(_)) => {}
    }
    let asked = super::parameter(uri, "protocol").unwrap_or_default();
    if !asked.eq_ignore_ascii_case("AutodiscoverV1") {
        let refused = serde_json::json!({
            "ErrorCode": "ProtocolNotSupported",
            "ErrorMessage": "This server knows the protocol AutodiscoverV1 alone.",
        });
        return (StatusCode::BAD_REQUEST, json(&refused)).into_response();
    }
    let url = format!("{}{PATH}", origin(site, headers));
    json(&serde_json::json!({ "Protocol": "AutodiscoverV1", "Url": url })).into_response()
}

fn json(value: &serde_json::Value) -> impl IntoResponse + use<> {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string())
}
