//! The services a mail program can use, the best first.

use mailstead_admin_ui::front::Settings;

/// What a service is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Imap,
    Pop3,
    Submission,
}

/// How a connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Security {
    /// TLS from the first byte.
    Tls,
    /// TLS after a command; nobody logs in before.
    StartTls,
}

/// A port a mail program can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service {
    pub protocol: Protocol,
    pub security: Security,
    pub port: u16,
}

/// All services that are on: IMAP before POP3, and TLS from the first byte before STARTTLS (RFC 8314 3).
pub(super) fn all(settings: &Settings) -> Vec<Service> {
    let ports = [
        (Protocol::Imap, Security::Tls, settings.imaps),
        (Protocol::Imap, Security::StartTls, settings.imap),
        (Protocol::Pop3, Security::Tls, settings.pop3s),
        (Protocol::Pop3, Security::StartTls, settings.pop3),
        (Protocol::Submission, Security::Tls, settings.submissions),
        (Protocol::Submission, Security::StartTls, settings.submission),
    ];
    let services = ports.into_iter();
    services.filter_map(|(protocol, security, port)| port.map(|port| Service { protocol, security, port })).collect()
}

/// The best service for reading, and the best for sending.
pub(super) fn best(settings: &Settings) -> Option<(Service, Service)> {
    let all = all(settings);
    let reading = all.iter().find(|service| service.protocol != Protocol::Submission)?;
    let sending = all.iter().find(|service| service.protocol == Protocol::Submission)?;
    Some((*reading, *sending))
}
